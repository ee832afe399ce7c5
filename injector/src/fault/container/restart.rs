//! `container.restart`: the engine asks a container to end, kills it after `grace`, and starts it again.
//!
//! The service feels what a deployment does to it: a chance to finish, then a cold start. Privilege: the engine's socket.
//! Verified by the pidfd of the old main process and by the pid of the new one. An engine that dies in between leaves the
//! container down; then whoever undoes the fault starts it.

use std::time::Duration;

use super::underway::Underway;
use super::{Held, start};
use crate::error::Error;
use crate::fault::{Change, Elsewhere, Fault, Reverted, Seen, Undo};
use crate::process::Pidfd;

/// See the module.
pub struct Restart {
    held: Vec<Held>,
    grace: Duration,
    old: Vec<Pidfd>,
    calls: Vec<Underway>,
    injected: bool,
}

impl Restart {
    pub(super) fn new(held: Vec<Held>, grace: Duration) -> Self {
        Self { held, grace, old: Vec::new(), calls: Vec::new(), injected: false }
    }

    fn state(&mut self) -> Result<Seen, Error> {
        let mut back = Vec::new();
        for (at, (held, old)) in self.held.iter().zip(&self.old).enumerate() {
            if let Some(why) = self.calls.get_mut(at).and_then(Underway::failure) {
                return Ok(Seen::Absent(why.to_owned()));
            }
            if !old.has_ended().map_err(|source| held.failed("look at", source))? {
                return Ok(Seen::Absent(format!("container {held} has not ended")));
            }
            match held.docker().inspect(&held.id)? {
                Some(now) if now.state.running && now.state.pid != held.process.pid => back.push(held.back(&now)),
                Some(now) => return Ok(Seen::Absent(format!("container {held} is {}", now.state.status))),
                None => return Ok(Seen::Absent(format!("container {held} was removed"))),
            }
        }
        Ok(Seen::Yes(back.join("; ")))
    }
}

impl Fault<Elsewhere> for Restart {
    fn prepare(&mut self, _: &mut Elsewhere) -> Result<Vec<Undo>, Error> {
        self.old.clear();
        for held in &self.held {
            if held.still_there()?.state.paused {
                return Err(Error::Refused(format!("container {held} is paused; unpause it first, or pick another")));
            }
            self.old.push(held.open()?);
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
            self.calls.push(Underway::begin(held, move |docker, id| docker.restart(id, grace))?);
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
        for (held, call) in self.held.iter().zip(&mut self.calls) {
            // One that is still ending is started by its engine when it has; there is nothing to hasten.
            if call.wait(Duration::from_secs(3)) {
                failed.extend(start(held, Duration::ZERO).err());
            } else {
                reverted.residue.push(format!("container {held} was still ending; its engine starts it again"));
            }
        }
        reverted.rollback_verified = Some(failed.is_empty());
        reverted.error = (!failed.is_empty()).then(|| failed.join("; "));
        reverted
    }
}
