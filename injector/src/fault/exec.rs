//! `exec`: a command of the user's own breaks something, another one mends it.
//!
//! The runner runs both, and `verify` between them. What mends it is on the disk before `run` begins and is held by the
//! agent too: if the runner dies, the agent runs `undo`; if both die, `brunt cleanup` does. Between the end of an undo and the
//! note that it was done lies a moment in which a crash makes it run a second time, so an `undo` must bear that.
//!
//! A command says nothing of its effect. Without `verify` the fault is never verified; with it, it is seen while `verify`
//! ends with exit status 0, and undone once it does not any more.

use std::path::Path;
use std::thread;
use std::time::{Duration, Instant};

use brunt_scenario::plan::{Fault as PlannedFault, Piece, Text};

use crate::command::{Command, CommandError, IN_FLIGHT};
use crate::error::Error;
use crate::fault::{Change, Fault, Reverted, Seen, Undo};
use crate::target::process::ports_of;
use crate::target::{Victim, Victims};

/// One look by `verify` takes at most this: whoever removes the fault waits for it.
const LOOK: Duration = Duration::from_secs(2);
/// How long what `verify` has seen is good for: looking costs a process each time.
const GOOD_FOR: Duration = Duration::from_secs(1);
/// From one look to the next while the effect is waited for.
const PAUSE: Duration = Duration::from_millis(50);

/// What one needs to know of a fault without `verify`.
pub const NO_VERIFY: &str = "an `exec` fault says nothing of its own effect: add `verify`, a command that ends with exit \
                             status 0 while the effect is there";

/// This host, through the runner's own process: where commands act.
pub struct Host;

/// See the module.
pub struct Exec {
    run: Command,
    undo: Command,
    verify: Option<Command>,
    /// Of what `run` starts; see [`IN_FLIGHT`].
    mark: String,
    injected: bool,
    proven: Option<(Instant, String)>,
}

/// Whether the fault's programs are there.
///
/// # Errors
/// In words, what is missing.
pub fn check(fault: &PlannedFault) -> Result<(), String> {
    for name in ["run", "undo", "verify"] {
        // What is known only when the run starts is looked for then.
        let words = fault.with.command(name).map(|words| words.iter().map(literal).collect::<Option<Vec<_>>>());
        if let Some(Some(words)) = words {
            command(fault, &words, &[]).map_err(|why| format!("`{name}`: {why}"))?;
        }
    }
    Ok(())
}

fn literal(text: &Text) -> Option<String> {
    match text.0.as_slice() {
        [] => Some(String::new()),
        [Piece::Literal(text)] => Some(text.clone()),
        _ => None,
    }
}

fn command(fault: &PlannedFault, words: &[String], env: &[(String, String)]) -> Result<Command, String> {
    let cwd = fault.with.text("cwd").and_then(literal).unwrap_or_else(|| ".".to_owned());
    let within = fault.with.duration("within").unwrap_or(Duration::from_secs(10));
    Command::new(words, Path::new(&cwd), env.to_vec(), within)
}

impl Exec {
    /// The fault on these victims. Touches nothing.
    pub fn new(fault: &PlannedFault, victims: &Victims, run_id: &str) -> Result<Self, Error> {
        let unfit = |why: String| Error::Unfit { kind: "exec".into(), why };
        let env = variables(fault, &victims.picked);
        let named = |name: &str| -> Result<Option<Command>, Error> {
            let Some(words) = fault.with.command(name) else { return Ok(None) };
            let words: Option<Vec<String>> = words.iter().map(literal).collect();
            let words = words.ok_or_else(|| unfit(format!("`{name}` holds what was not filled in")))?;
            command(fault, &words, &env).map(Some).map_err(|why| unfit(format!("`{name}`: {why}")))
        };
        let mark = format!("{run_id}/{}", fault.id);
        let mut run = named("run")?.ok_or_else(|| unfit("there is no `run`".into()))?;
        run.env.push((IN_FLIGHT.into(), mark.clone()));
        let undo = named("undo")?.ok_or_else(|| unfit("there is no `undo`".into()))?;
        let verify = named("verify")?.map(|verify| Command { within: verify.within.min(LOOK), ..verify });
        Ok(Self { run, undo, verify, mark, injected: false, proven: None })
    }

    /// How long the effect may take to be seen.
    pub fn patience(&self) -> Duration {
        if self.verify.is_some() { self.run.within } else { Duration::ZERO }
    }

    /// Whether `verify` says that the effect is there, and what it wrote, or why it says that it is not.
    fn look(verify: &Command) -> Result<Result<String, String>, Error> {
        match verify.run() {
            Ok(output) if output.is_empty() => Ok(Ok(format!("`{verify}` ended with exit status 0"))),
            Ok(output) => Ok(Ok(format!("`{verify}` ended with exit status 0: {output}"))),
            Err(error @ CommandError::Start { .. }) => Err(Error::Command(error)),
            Err(error) => Ok(Err(error.to_string())),
        }
    }

    /// Waits until `verify` does not see the effect any more. `Err`: it still does.
    fn seen_gone(&self) -> Result<(), String> {
        let Some(verify) = &self.verify else { return Ok(()) };
        let until = Instant::now() + self.undo.within;
        loop {
            match Self::look(verify) {
                Ok(Err(_)) => return Ok(()),
                Err(error) => return Err(format!("nobody can tell whether the effect is gone: {error}")),
                Ok(Ok(seen)) if Instant::now() > until => {
                    let by_hand = self.undo.by_hand();
                    return Err(format!("`undo` has ended, but the effect is still there: {seen}; by hand: {by_hand}"));
                }
                Ok(Ok(_)) => thread::sleep(PAUSE),
            }
        }
    }
}

/// What all three commands find in their environment, beside brunt's own.
fn variables(fault: &PlannedFault, victims: &[Victim]) -> Vec<(String, String)> {
    let pids: Vec<u32> = victims.iter().filter_map(Victim::pid).collect();
    let words = |numbers: Vec<String>| numbers.join(" ");
    vec![
        ("BRUNT_FAULT_ID".into(), fault.id.clone()),
        ("BRUNT_VICTIM_PIDS".into(), words(pids.iter().map(u32::to_string).collect())),
        ("BRUNT_VICTIM_PORTS".into(), words(ports_of(&pids).iter().map(u16::to_string).collect())),
    ]
}

impl Fault<Host> for Exec {
    fn prepare(&mut self, _: &mut Host) -> Result<Vec<Undo>, Error> {
        Ok(vec![Undo::Run { command: self.undo.clone(), mark: self.mark.clone() }])
    }

    fn inject(&mut self, _: &mut Host, change: Change) -> Result<(), Error> {
        if self.injected || change == Change::Skip {
            return Ok(());
        }
        // From here on there may be something to undo, also when it fails half-way.
        self.injected = true;
        self.run.run().map(drop).map_err(Error::Command)
    }

    fn verify(&mut self, _: &mut Host) -> Result<Seen, Error> {
        let Some(verify) = &self.verify else { return Ok(Seen::NotExercised(NO_VERIFY.into())) };
        if let Some((at, seen)) = &self.proven
            && at.elapsed() < GOOD_FOR
        {
            return Ok(Seen::Yes(seen.clone()));
        }
        match Self::look(verify)? {
            Ok(seen) => {
                self.proven = Some((Instant::now(), seen.clone()));
                Ok(Seen::Yes(seen))
            }
            Err(why) => Ok(Seen::Absent(why)),
        }
    }

    fn revert(&mut self, _: &mut Host) -> Reverted {
        let effect = match (&self.verify, &self.proven) {
            (None, _) => Seen::NotExercised(NO_VERIFY.into()),
            (Some(_), Some((_, seen))) => Seen::Yes(seen.clone()),
            (Some(verify), None) => Seen::Absent(format!("`{verify}` never ended with exit status 0")),
        };
        if !self.injected {
            return Reverted::nothing(effect);
        }
        let undone = self.undo.run().map(drop).map_err(|error| format!("{error}; by hand: {}", self.undo.by_hand()));
        let error = undone.and_then(|()| self.seen_gone()).err();
        self.injected = error.is_some();
        let mut residue = Vec::new();
        if error.is_none() && self.verify.is_none() {
            residue.push("`undo` ended with exit status 0; nobody looked whether the effect is gone".to_owned());
        }
        Reverted { effect, rollback_verified: Some(error.is_none()), residue, error }
    }
}
