//! `brunt agent --in-pod`: the agent in a pod, in an ephemeral container that shares the pod's network.
//!
//! It holds faults on packets, and nothing else. There is no runner beside it whose end it could see, and its standard input
//! stays open when the wire to it breaks: only the lease decides. Heartbeats say when the runner was heard of by a clock of
//! another machine, and may have waited on the way. What both clocks have in common is their pace, so the heartbeat that was
//! fastest tells the difference between them, and one that waited counts from when it was sent.
//!
//! Whoever may attach to it may speak to it, as whoever may attach to the pod's own containers can do worse.

use std::collections::BTreeMap;
use std::io;
use std::os::fd::AsFd as _;
use std::sync::Arc;
use std::time::Duration;

use rustix::event::{PollFd, PollFlags, poll};

use super::alarm::Alarm;
use super::faults::Faults;
use super::lease::{Expired, Lease, boottime};
use super::pipes::{Input, Output};
use super::protocol::{Answer, Ask, FromAgent, Join, ToAgent};
use super::rights;
use super::services::Services;
use crate::packets::Beats;
use crate::process::ProcessId;
use crate::sys;

/// How long it waits for somebody to speak to it.
const GREETING: Duration = Duration::from_secs(60);
/// Answers that are kept for who asks again.
const KEPT: usize = 32;

/// The whole life of the agent in a pod; returns its exit code.
pub fn main() -> u8 {
    sys::keep_from_children();
    if let Err(error) = rights::keep_from_children().and_then(|()| rights::drop_others()) {
        eprintln!("brunt agent: cannot give up the rights that it does not need: {error}");
        return 1;
    }
    match InPod::greet() {
        Ok(mut agent) => agent.run(),
        Err(error) => {
            eprintln!("brunt agent: {error}. It is started by `brunt run`, in a pod.");
            1
        }
    }
}

struct InPod {
    input: Input,
    /// The other end of the input is closed, for good.
    deaf: bool,
    output: Output,
    alarm: Alarm,
    own: ProcessId,
    run_id: String,
    lease: Lease,
    clocks: Clocks,
    beats: Arc<Beats>,
    faults: Faults,
    services: Services,
    /// The last answers, as they were said.
    answers: BTreeMap<u64, String>,
}

/// Two clocks of the same pace, by what one says of the other.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Clocks {
    /// How much further the own one is, in nanoseconds, and what the fastest message took.
    ahead: i128,
}

impl Clocks {
    /// By a first message that was sent at `sent` of the other clock and is here `now`.
    fn new(sent: u64, now: Duration) -> Self {
        Self { ahead: now.as_nanos().cast_signed() - i128::from(sent) }
    }

    /// When another one was sent, by the own clock.
    fn sent(&mut self, sent: u64, now: Duration) -> Duration {
        self.ahead = self.ahead.min(Self::new(sent, now).ahead);
        let here = u64::try_from(i128::from(sent) + self.ahead).unwrap_or(0);
        Duration::from_nanos(here)
    }
}

impl InPod {
    /// Waits for the first line that is a greeting: before it there may be the rest of another.
    fn greet() -> io::Result<Self> {
        let mut input = Input::new()?;
        let until = boottime() + GREETING;
        let join = loop {
            let line = input.first_line(until.saturating_sub(boottime()))?;
            if let Ok(ToAgent::Join(join)) = serde_json::from_str(&line) {
                break join;
            }
        };
        let Join { version, run_id, lease, sent } = join;
        if version != env!("CARGO_PKG_VERSION") {
            let text = format!(
                "brunt has version {version}, its image in the pod {}; name the image with `--image`",
                env!("CARGO_PKG_VERSION")
            );
            return Err(io::Error::other(text));
        }
        let (own, now) = (ProcessId::own()?, boottime());
        let lease = Lease::new(lease, now);
        let beats = Beats::new(lease.length());
        beats.extend(lease.until());
        let mut output = Output::new()?;
        output.say(&FromAgent::Ready { agent: own });
        Ok(Self {
            input,
            deaf: false,
            output,
            alarm: Alarm::new()?,
            own,
            lease,
            clocks: Clocks::new(sent, now),
            faults: Faults::new(&run_id, &beats),
            beats,
            run_id,
            services: Services::new(Vec::new()),
            answers: BTreeMap::new(),
        })
    }

    fn run(&mut self) -> u8 {
        let reason = loop {
            match self.turn() {
                Ok(None) => {}
                Ok(Some(ending)) => break ending,
                Err(error) => break Ending::Alone(format!("the agent cannot go on: {error}")),
            }
        };
        let left = self.faults.revert_all(&mut self.services, |_| ());
        let failed = !left.is_empty();
        match reason {
            Ending::Asked(seq) => self.output.say(&FromAgent::Answer { seq, answer: Ok(Answer::Ended(left)) }),
            Ending::Alone(reason) => {
                let reason = left.iter().fold(reason, |reason, one| reason + "; left behind: " + one);
                eprintln!("brunt agent: {reason}");
                self.output.say(&FromAgent::Ended { reason });
            }
        }
        self.output.flush_within(Duration::from_millis(500));
        u8::from(failed)
    }

    /// Waits for something to happen and deals with all that has.
    fn turn(&mut self) -> io::Result<Option<Ending>> {
        self.output.flush();
        self.wait()?;
        self.deaf |= !self.input.read()?;
        // This is one thread, whose verbs are quick. What is said while one takes its time is read in the next turn, and counts then.
        let listened = boottime();
        while let Some(line) = self.input.line() {
            if let Some(ending) = self.hear(&line) {
                return Ok(Some(ending));
            }
        }
        Ok(self.lease.check(listened).err().map(silence))
    }

    fn wait(&self) -> io::Result<()> {
        // Just past the deadline, for the lease has run out only *after* its end.
        let until = self.lease.until() + Duration::from_millis(1);
        self.alarm.set(Some(until))?;
        let mut sources = vec![PollFd::new(self.alarm.fd(), PollFlags::IN)];
        if !self.deaf {
            sources.push(PollFd::from_borrowed_fd(self.input.as_fd(), PollFlags::IN));
        }
        if self.output.is_waiting() {
            sources.push(PollFd::from_borrowed_fd(self.output.as_fd(), PollFlags::OUT));
        }
        match poll(&mut sources, None) {
            Ok(_) | Err(rustix::io::Errno::INTR) => Ok(()),
            Err(error) => Err(error.into()),
        }
    }

    fn hear(&mut self, line: &str) -> Option<Ending> {
        match serde_json::from_str(line) {
            Ok(ToAgent::Beat(sent)) => {
                if let Some(expired) = self.renew(sent) {
                    return Some(expired);
                }
                self.output.say_if_free(&FromAgent::Beat(sent));
            }
            // The wire broke, and this is a new one.
            Ok(ToAgent::Join(join)) if join.run_id == self.run_id => {
                if let Some(expired) = self.renew(join.sent) {
                    return Some(expired);
                }
                self.output.say(&FromAgent::Ready { agent: self.own });
            }
            Ok(ToAgent::Ask { seq, ask: Ask::End }) => return Some(Ending::Asked(seq)),
            Ok(ToAgent::Ask { seq, ask }) => self.answer(seq, ask),
            // Of another run, or a line that a break has cut off: who wants an answer asks again.
            Ok(ToAgent::Join(_) | ToAgent::Hello(_)) | Err(_) => {}
        }
        None
    }

    fn renew(&mut self, sent: u64) -> Option<Ending> {
        let sent = self.clocks.sent(sent, boottime());
        match self.lease.renew(sent) {
            Ok(()) => {
                self.beats.extend(self.lease.until());
                None
            }
            Err(expired) => Some(silence(expired)),
        }
    }

    /// Once for each number, whoever asks how often.
    fn answer(&mut self, seq: u64, ask: Ask) {
        if let Some(said) = self.answers.get(&seq) {
            return self.output.say_again(said);
        }
        let answer = self.faults.obey(ask, &mut self.services);
        // Only maps with keys that are no strings fail, and the protocol has none.
        let said = serde_json::to_string(&FromAgent::Answer { seq, answer }).unwrap_or_default();
        self.output.say_again(&said);
        self.answers.insert(seq, said);
        if self.answers.len() > KEPT {
            self.answers.pop_first();
        }
    }
}

/// Why it ends.
enum Ending {
    /// It was asked to: the request's number.
    Asked(u64),
    /// It has to, for this reason.
    Alone(String),
}

fn silence(Expired { silent }: Expired) -> Ending {
    Ending::Alone(format!("the lease ran out: nothing was heard of the run for {:.1} s", silent.as_secs_f64()))
}

#[cfg(test)]
mod tests {
    use super::*;

    const fn s(seconds: u64) -> Duration {
        Duration::from_secs(seconds)
    }

    const fn nanos(seconds: u64) -> u64 {
        seconds * 1_000_000_000
    }

    #[test]
    fn a_heartbeat_that_waited_on_the_way_counts_from_when_it_was_sent() {
        // The other machine is up for 10 s, this one for 1,000 s; the first message took 3 s.
        let mut clocks = Clocks::new(nanos(10), s(1003));
        assert_eq!(clocks.sent(nanos(11), s(1001)), s(1001), "one that was fast shows how far the clocks are apart");
        assert_eq!(clocks.sent(nanos(12), s(1009)), s(1002), "so this one took 7 s");
        let mut lease = Lease::new(s(5), s(1003));
        assert!(lease.renew(clocks.sent(nanos(13), s(1007))).is_ok());
        assert!(lease.check(s(1007)).is_ok());
        // Whoever sends the same instant again has not heard of the runner since.
        assert!(lease.renew(clocks.sent(nanos(13), s(1009))).is_ok());
        assert!(lease.check(s(1009)).is_err(), "the last was sent at 1,003 by this clock");
    }

    #[test]
    fn a_first_word_that_knows_of_no_heartbeat_sets_no_clock() {
        let mut clocks = Clocks::new(0, s(1000));
        assert_eq!(clocks.sent(nanos(500), s(1001)), s(1001));
    }
}
