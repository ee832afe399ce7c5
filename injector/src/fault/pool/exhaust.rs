//! `pool.exhaust`: connections to a server are opened and held, so that none is left for its clients.
//!
//! *What the service feels*: clients that say nothing, or (`send`) one thing and never the rest. *What its clients feel*: depends on the server: new connections are
//! refused, closed at once, or wait until one is free. *Privileges*: none where brunt shares the victim's network and may see
//! its sockets (same user, or root); root to enter another network. *Verified*: the kernel lists the connections as established
//! at the server's side, and tells those that it has accepted from those that wait. *Undone*: they are reset, by this thread or
//! by the kernel when the agent dies, and looked for in the same list. An agent that is stopped beyond its lease would hold them
//! for ever: a worker beside it then kills it.
//!
//! The connections come from the victim's own network namespace, so what lies between it and its clients, an isolating network
//! or a link, is not passed. A server that admits by address may treat them as local ones.

use std::collections::BTreeSet;
use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::{Duration, Instant};

use brunt_scenario::plan::{Fault as PlannedFault, Piece};
use nix::sys::resource::{Resource, getrlimit};
use serde::{Deserialize, Serialize};

use super::holder::{Holder, Tally};
use super::place::{Held, Place};
use super::room::Room;
use crate::agent::lease::boottime;
use crate::agent::protocol::Order;
use crate::agent::services::Services;
use crate::agent::worker::{self, Task, Worker};
use crate::error::Error;
use crate::fault::link::{amount, grouped};
use crate::fault::{Change, Fault, Reverted, Seen, Undo};
use crate::packets::Beats;
use crate::process::ProcessId;
use crate::target::Victim;

/// The kind, as in the catalogue.
pub const KIND: &str = "pool.exhaust";

/// Descriptors that the agent needs for all else.
pub(super) const RESERVED: u64 = 128;
/// Without a number, at most so many for each victim: one address can be reached from no more ports, as Linux gives them.
const MOST: u64 = 28_000;
/// So much fits into any socket at once.
const LONGEST: usize = 4096;
/// What a server closes is opened again; so long may they be fewer than asked for.
const GRACE: Duration = Duration::from_secs(2);
/// How long a reset may take to be seen.
const SETTLE: Duration = Duration::from_millis(500);

/// What is asked for.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Pool {
    /// How many; `None` means until the server takes no more.
    pub connections: Option<u64>,
    /// The listener, where there are several.
    pub port: Option<u16>,
    /// What is said on each: some servers close silent connections when they need room.
    pub send: Option<String>,
}

/// Reads `connections` and `port`; `None` if it is another kind.
///
/// # Errors
/// What does not make sense, or is more than this process may hold.
pub fn order(fault: &PlannedFault) -> Result<Option<Pool>, Error> {
    if fault.kind != KIND {
        return Ok(None);
    }
    let unfit = |why: String| Error::Unfit { kind: KIND.into(), why };
    let port = fault.with.number("port").map(u16::try_from).transpose();
    let port = port.map_err(|_| unfit("`port` is at most 65535".into()))?;
    let connections = fault.with.number("connections");
    match connections {
        Some(0) => return Err(unfit("`connections: 0` holds none".into())),
        Some(more) if more > MOST => {
            return Err(unfit(format!("one address is reached from at most {} ports at a time", grouped(MOST))));
        }
        Some(number) => may_hold(number, hard_limit().map_err(unfit)?).map_err(unfit)?,
        None => {}
    }
    let send = match fault.with.text("send").map(|text| text.0.as_slice()) {
        None => None,
        Some([Piece::Literal(text)]) if text.len() <= LONGEST => Some(text.clone()),
        Some(_) => return Err(unfit(format!("`send` is a plain text of at most {LONGEST} bytes"))),
    };
    Ok(Some(Pool { connections, port, send }))
}

fn hard_limit() -> Result<u64, String> {
    let limits = getrlimit(Resource::RLIMIT_NOFILE);
    limits.map(|(_, hard)| hard).map_err(|error| format!("the limit of open files: {error}"))
}

/// Whether a process with this hard limit can hold so many connections.
fn may_hold(number: u64, hard: u64) -> Result<(), String> {
    if number + RESERVED <= hard {
        return Ok(());
    }
    Err(format!(
        "{} need as many open files, and {} is the limit of this process (with {RESERVED} for itself): `ulimit -Hn` as root, or \
         fewer connections",
        amount(number, "connection"),
        grouped(hard)
    ))
}

/// Connections that are held.
pub struct Exhaust {
    victims: Vec<Victim>,
    pool: Pool,
    run_id: String,
    mark: String,
    beats: Arc<Beats>,
    targets: Vec<Target>,
    watch: Option<Worker>,
    /// For as many as are held.
    room: Option<Room>,
}

/// A victim.
struct Target {
    place: Place,
    wanted: usize,
    holder: Option<Holder>,
    /// Our ends of those that were let go and are not seen to be gone yet: another attempt looks for them again.
    let_go: BTreeSet<SocketAddr>,
}

impl Exhaust {
    /// What the order asks for.
    pub fn new(order: &Order, pool: Pool, run_id: &str, beats: Arc<Beats>) -> Self {
        Self {
            victims: order.victims.clone(),
            pool,
            run_id: run_id.to_owned(),
            mark: worker::mark_of(run_id, &order.fault),
            beats,
            targets: Vec::new(),
            watch: None,
            room: None,
        }
    }

    /// Before the first connection: see the module.
    fn be_watched(&mut self) -> Result<(), Error> {
        if self.watch.is_none() {
            let failed = |source| Error::AgentIo { action: "start who ends an agent that is stopped", source };
            let agent = ProcessId::own().map_err(failed)?;
            let watch = Worker::start_with(Task::OutliveAgent { agent }, &self.run_id, &self.mark, &self.beats);
            self.watch = Some(watch.map_err(failed)?);
        }
        Ok(())
    }

    fn seen(&self) -> Seen {
        let mut sentences = Vec::new();
        for target in &self.targets {
            match target.seen(self.pool.connections.is_some()) {
                Seen::Yes(sentence) => sentences.push(sentence),
                other => return other,
            }
        }
        Seen::Yes(sentences.join("; "))
    }
}

impl Target {
    fn seen(&self, by_number: bool) -> Seen {
        let Some(holder) = &self.holder else {
            return Seen::Absent(format!("no connection to {} is held", self.place.address));
        };
        let tally = holder.tally();
        match self.place.count(&tally.held) {
            Ok(held) => {
                judge(&self.name(), by_number.then_some(self.wanted), self.wanted, held, &tally, Instant::now())
            }
            Err(error) => Seen::Absent(format!("the connections to {} cannot be counted: {error}", self.name())),
        }
    }

    fn name(&self) -> String {
        format!("{} at {}", self.place.victim, self.place.address)
    }

    fn start(&mut self, say: Option<String>) -> Result<(), Error> {
        let (namespace, address) = (self.place.namespace.clone(), self.place.address);
        let enter = move |work: &mut (dyn FnMut() + Send)| match namespace {
            Some(namespace) => namespace.inside(work),
            None => {
                work();
                Ok(())
            }
        };
        let started = Holder::start(address, self.wanted, say, enter);
        self.holder =
            Some(started.map_err(|source| Error::Thread { what: "the thread that holds connections", source })?);
        Ok(())
    }

    /// Lets go, and looks whether the server is rid of them.
    fn stop(&mut self) -> Option<Result<(), String>> {
        match self.holder.take() {
            Some(holder) => self.let_go = holder.end().held,
            None if self.let_go.is_empty() => return None,
            None => {}
        }
        let gone = self.wait_until_gone();
        if gone.is_ok() {
            self.let_go.clear();
        }
        Some(gone)
    }

    fn wait_until_gone(&self) -> Result<(), String> {
        let failed = |error: io::Error| format!("{}: the connections cannot be counted: {error}", self.name());
        let until = boottime() + SETTLE;
        loop {
            let left = self.place.count_left(&self.let_go).map_err(failed)?;
            match left {
                0 => return Ok(()),
                _ if boottime() > until => {
                    let left = amount(left as u64, "connection");
                    return Err(format!(
                        "{}: {left} still established after a reset; they end with the agent",
                        self.name()
                    ));
                }
                _ => std::thread::sleep(Duration::from_millis(2)),
            }
        }
    }
}

/// What the two sides know, in a sentence. `asked` is the number of the scenario, `most` how many are held at most without one.
fn judge(name: &str, asked: Option<usize>, most: usize, held: Held, tally: &Tally, now: Instant) -> Seen {
    let Held { accepted, waiting } = held;
    let number = accepted + waiting;
    let recent = |at: Instant| now.saturating_duration_since(at) < GRACE;
    let full = tally.full.as_ref().filter(|(at, _)| recent(*at)).map(|(_, how)| how.as_str());
    let mut text = format!("{} to {name}", amount(number as u64, "connection"));
    if let Some(asked) = asked.filter(|asked| *asked != number) {
        text += &format!(" of {} asked for", grouped(asked as u64));
    }
    if waiting > 0 {
        text += &format!(", {} of them not accepted yet", grouped(waiting as u64));
    }
    if tally.closed > 0 {
        text += &format!(", {} closed by the server and opened again", grouped(tally.closed));
    }
    if let Some(how) = full {
        text += &format!("; {how}");
    }
    if let Some(why) = &tally.failed {
        return Seen::Absent(format!("{text}; no more can be opened: {why}"));
    }
    // A server that drops silent connections to take others has room for whoever comes.
    let makes_room = full.is_some() && tally.closed_at.is_some_and(recent);
    if makes_room && number < asked.unwrap_or(usize::MAX) {
        return Seen::Absent(format!(
            "{text}, and closes those that are held to make room: say something on them with `send`"
        ));
    }
    // The server has given out all that it has, or all that were asked for: a moment ago counts, for it may close some of them,
    // even all at once, and they are opened again.
    let was_complete = tally.complete.is_some_and(recent);
    if was_complete || (number > 0 && (full.is_some() || number >= asked.unwrap_or(most))) {
        return Seen::Yes(format!("held {text}"));
    }
    Seen::Absent(format!("only {text}"))
}

impl Fault<Services> for Exhaust {
    fn prepare(&mut self, services: &mut Services) -> Result<Vec<Undo>, Error> {
        self.targets.clear();
        let wanted = self.pool.connections.unwrap_or(MOST) * self.victims.len() as u64;
        let room = Room::of(wanted).map_err(|error| Error::Refused(format!("the limit of open files: {error}")))?;
        let share = MOST.min(self.room.insert(room).descriptors());
        let each = share / self.victims.len().max(1) as u64;
        if let Some(wanted) = self.pool.connections.filter(|wanted| *wanted > each) {
            let why = format!(
                "{} to each of {} are more than the {} open files that the agent may have: raise `ulimit -Hn`, or ask for fewer",
                amount(wanted, "connection"),
                amount(self.victims.len() as u64, "victim"),
                grouped(share)
            );
            return Err(Error::Refused(why));
        }
        let wanted = self.pool.connections.unwrap_or(each) as usize;
        for victim in &self.victims {
            let place = Place::of(victim, self.pool.port, services)?;
            self.targets.push(Target { place, wanted, holder: None, let_go: BTreeSet::new() });
        }
        let names: Vec<String> = self.targets.iter().map(Target::name).collect();
        let what = format!("connections to {}", names.join(", "));
        Ok(vec![Undo::EndsWithAgent { what }, Undo::EndWorkers { mark: self.mark.clone() }])
    }

    fn inject(&mut self, _: &mut Services, change: Change) -> Result<(), Error> {
        if change == Change::Skip {
            return Ok(());
        }
        self.be_watched()?;
        self.targets
            .iter_mut()
            .filter(|target| target.holder.is_none())
            .try_for_each(|target| target.start(self.pool.send.clone()))
    }

    fn verify(&mut self, _: &mut Services) -> Result<Seen, Error> {
        Ok(self.seen())
    }

    fn revert(&mut self, _: &mut Services) -> Reverted {
        let effect = self.seen();
        let stopped: Vec<Result<(), String>> = self.targets.iter_mut().filter_map(Target::stop).collect();
        let held = !stopped.is_empty();
        let left: Vec<String> = stopped.into_iter().filter_map(Result::err).collect();
        let error = (!left.is_empty()).then(|| left.join("; "));
        if error.is_none() {
            self.watch = None;
        }
        self.room = None;
        Reverted { effect, rollback_verified: held.then_some(error.is_none()), residue: Vec::new(), error }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_is_seen_when_all_that_were_asked_for_are_held_or_the_server_takes_no_more() {
        let now = Instant::now();
        let ago = |seconds| now.checked_sub(Duration::from_secs(seconds));
        let of = |asked, accepted, waiting, tally: &Tally| {
            judge("db at 127.0.0.1:5432", asked, 1000, Held { accepted, waiting }, tally, now)
        };
        let quiet = Tally::default();
        assert_eq!(of(Some(20), 20, 0, &quiet), Seen::Yes("held 20 connections to db at 127.0.0.1:5432".into()));
        let few = of(Some(20), 3, 0, &quiet);
        assert_eq!(few, Seen::Absent("only 3 connections to db at 127.0.0.1:5432 of 20 asked for".into()));
        // Without a number, only a server that takes no more is exhausted.
        assert!(matches!(of(None, 900, 0, &quiet), Seen::Absent(_)));
        let full = |at: Option<Instant>| Tally {
            full: at.map(|at| (at, "it closes further ones at once".into())),
            ..Tally::default()
        };
        let Seen::Yes(text) = of(None, 100, 3, &full(ago(1))) else { panic!("not seen") };
        let whole =
            "held 103 connections to db at 127.0.0.1:5432, 3 of them not accepted yet; it closes further ones at once";
        assert_eq!(text, whole);
        assert!(matches!(of(None, 100, 0, &full(ago(5))), Seen::Absent(_)));
        // A server that is down takes no connection, and none is held.
        assert!(matches!(of(Some(20), 0, 0, &full(ago(1))), Seen::Absent(_)));
        let reopening = Tally { complete: ago(1), closed: 5, ..Tally::default() };
        assert!(matches!(of(Some(20), 15, 0, &reopening), Seen::Yes(_)));
        let all_at_once = |complete| Tally { complete, closed: 20, closed_at: ago(0), ..Tally::default() };
        assert!(matches!(of(Some(20), 0, 0, &all_at_once(ago(1))), Seen::Yes(_)));
        assert!(matches!(of(Some(20), 0, 0, &all_at_once(ago(3))), Seen::Absent(_)), "they are not opened again");
        // nginx closes silent connections when a client comes, and serves the client.
        let swaps = Tally { closed_at: ago(1), ..full(ago(1)) };
        assert!(matches!(of(None, 100, 0, &swaps), Seen::Absent(_)));
        let stuck = Tally { failed: Some("Too many open files".into()), complete: ago(1), ..Tally::default() };
        assert!(matches!(of(Some(20), 15, 0, &stuck), Seen::Absent(_)));
    }

    #[test]
    fn more_than_the_limit_of_open_files_is_refused_with_the_cure() {
        assert_eq!(may_hold(872, 1000), Ok(()));
        let refused = may_hold(873, 1000).expect_err("128 are kept");
        assert!(
            refused.contains("873 connections") && refused.contains("1,000") && refused.contains("ulimit"),
            "{refused}"
        );
    }
}
