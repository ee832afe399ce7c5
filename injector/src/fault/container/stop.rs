//! `container.stop`: the engine asks a container to end, kills it after `grace`, and leaves it down; undone by starting it.
//!
//! The service feels: a chance to finish, then connections refused, or no such name where the engine's own names are used.
//! Privilege: the engine's socket. What the container keeps in memory is lost, and its address may be another one afterwards.
//! One that is removed when it ends (`--rm`) cannot be started again and is refused. Verified by the pidfd of its main process
//! and by nobody having started it meanwhile.

use std::time::Duration;

use rustix::process::Signal;

use super::underway::Underway;
use super::{Held, names, start};
use crate::error::Error;
use crate::fault::{Change, Elsewhere, Fault, Reverted, Seen, Undo};
use crate::process::Pidfd;

/// Whoever takes the fault off while a container still has time to end does not wait for all of it.
const HURRY: Duration = Duration::from_secs(3);

/// See the module.
pub struct Stop {
    held: Vec<Held>,
    grace: Duration,
    handles: Vec<Pidfd>,
    calls: Vec<Underway>,
    injected: bool,
}

impl Stop {
    pub(super) fn new(held: Vec<Held>, grace: Duration) -> Self {
        Self { held, grace, handles: Vec::new(), calls: Vec::new(), injected: false }
    }

    fn state(&mut self) -> Result<Seen, Error> {
        for (at, (held, handle)) in self.held.iter().zip(&self.handles).enumerate() {
            if !handle.has_ended().map_err(|source| held.failed("look at", source))? {
                let why = self.calls.get_mut(at).and_then(Underway::failure);
                let why = why.map_or_else(|| format!("container {held} still runs"), str::to_owned);
                return Ok(Seen::Absent(why));
            }
            match held.docker().inspect(&held.id)? {
                None => return Ok(Seen::Absent(format!("container {held} was removed while it was stopped"))),
                // Until the engine has noticed the end it still has the old process.
                Some(now) if now.state.running && now.state.pid != held.process.pid => {
                    return Ok(Seen::Absent(format!("somebody has started container {held} again")));
                }
                Some(_) => {}
            }
        }
        Ok(Seen::Yes(format!("down: {}", names(&self.held))))
    }

    /// The engine must be done with its stop before it is asked for a start, or the stop comes last.
    fn finish(&mut self, at: usize) -> Option<String> {
        let held = &self.held[at];
        let call = self.calls.get_mut(at)?;
        if call.wait(HURRY) {
            return None;
        }
        // If it may not be killed, the start below waits for as long as the engine does, and says what came of it.
        let killed = self.handles[at].signal(Signal::KILL).is_ok() && call.wait(HURRY);
        let text = format!("container {held} was still ending when the fault was taken off");
        Some(if killed { text + ", and was killed" } else { text })
    }
}

impl Fault<Elsewhere> for Stop {
    fn prepare(&mut self, _: &mut Elsewhere) -> Result<Vec<Undo>, Error> {
        self.handles.clear();
        for held in &self.held {
            let now = held.still_there()?;
            if now.state.paused {
                return Err(Error::Refused(format!("container {held} is paused; unpause it first, or pick another")));
            }
            if now.host_config.auto_remove {
                let why = "its engine removes it as soon as it ends (`--rm`), so it could not be started again";
                return Err(Error::Refused(format!("container {held}: {why}")));
            }
            self.handles.push(held.open()?);
        }
        Ok(vec![Undo::StartContainers { containers: self.held.clone(), grace: self.grace }])
    }

    fn inject(&mut self, _: &mut Elsewhere, change: Change) -> Result<(), Error> {
        if self.injected || change == Change::Skip {
            return Ok(());
        }
        self.injected = true;
        let grace = self.grace;
        for held in &self.held {
            self.calls.push(Underway::begin(held, move |docker, id| docker.stop(id, grace))?);
        }
        Ok(())
    }

    fn verify(&mut self, _: &mut Elsewhere) -> Result<Seen, Error> {
        self.state()
    }

    fn revert(&mut self, _: &mut Elsewhere) -> Reverted {
        let effect = self.state().unwrap_or_else(|error| Seen::Absent(error.to_string()));
        let mut reverted = Reverted::nothing(effect);
        if !self.injected {
            return reverted;
        }
        let mut failed = Vec::new();
        for at in 0..self.held.len() {
            reverted.residue.extend(self.finish(at));
            match start(&self.held[at], Duration::ZERO) {
                Ok(how) => reverted.effect = told(reverted.effect, &how),
                Err(why) => failed.push(why),
            }
        }
        reverted.rollback_verified = Some(failed.is_empty());
        reverted.error = (!failed.is_empty()).then(|| failed.join("; "));
        self.injected = reverted.error.is_some();
        reverted
    }
}

/// What was seen, and what came of it.
fn told(effect: Seen, how: &str) -> Seen {
    match effect {
        Seen::Yes(seen) => Seen::Yes(format!("{seen}; {how}")),
        other => other,
    }
}
