//! `container.pause`: the engine freezes the container's cgroup, undone by thawing it.
//!
//! The service feels: nothing in the container runs, while the kernel goes on accepting connections and acknowledging bytes
//! for it; clients see silence instead of a reset. Privilege: the engine's socket. A container that somebody else has paused
//! is refused, for it must not be thawed afterwards. Verified by the freezer of its cgroup, never by the engine's answer. An
//! engine refuses to stop a container that is paused, so `docker stop` and health checks fail meanwhile too.

use super::{Held, names, thaw};
use crate::cgroup::Membership;
use crate::error::Error;
use crate::fault::{Change, Elsewhere, Fault, Reverted, Seen, Undo};

/// See the module.
pub struct Pause {
    held: Vec<Held>,
    injected: bool,
}

impl Pause {
    pub(super) fn new(held: Vec<Held>) -> Self {
        Self { held, injected: false }
    }

    fn state(&self) -> Result<String, String> {
        for held in &self.held {
            let of = Membership::of(held.process.pid).ok().filter(|of| of.names(&held.id));
            let of = of.ok_or_else(|| format!("container {held} has ended"))?;
            if !of.is_frozen().map_err(|error| format!("the cgroup of container {held}: {error}"))? {
                return Err(format!("the cgroup of container {held} is not frozen"));
            }
        }
        Ok(format!("the cgroup of {} is frozen", names(&self.held)))
    }
}

impl Fault<Elsewhere> for Pause {
    fn prepare(&mut self, _: &mut Elsewhere) -> Result<Vec<Undo>, Error> {
        for held in &self.held {
            if held.still_there()?.state.paused {
                let who = format!("container {held} is paused already, and not by this fault");
                return Err(Error::Refused(format!("{who}; unpause it first, or pick another")));
            }
            let freezer = Membership::of(held.process.pid).and_then(|of| of.is_frozen());
            freezer.map_err(|source| held.failed("see the freezer of", source))?;
        }
        Ok(vec![Undo::Unpause { containers: self.held.clone() }])
    }

    fn inject(&mut self, _: &mut Elsewhere, change: Change) -> Result<(), Error> {
        if self.injected || change == Change::Skip {
            return Ok(());
        }
        self.injected = true;
        self.held.iter().try_for_each(|held| held.docker().pause(&held.id)).map_err(Error::from)
    }

    fn verify(&mut self, _: &mut Elsewhere) -> Result<Seen, Error> {
        Ok(self.state().map_or_else(Seen::Absent, Seen::Yes))
    }

    fn revert(&mut self, _: &mut Elsewhere) -> Reverted {
        let effect = self.state().map_or_else(Seen::Absent, Seen::Yes);
        let mut reverted = Reverted::nothing(effect);
        if !self.injected {
            return reverted;
        }
        let mut failed = Vec::new();
        for held in &self.held {
            match thaw(held) {
                Ok(_) if held.process.is_alive() => {}
                Ok(_) => reverted.residue.push(format!("container {held} ended while it was paused")),
                Err(why) => failed.push(why),
            }
        }
        reverted.rollback_verified = Some(failed.is_empty());
        reverted.error = (!failed.is_empty()).then(|| failed.join("; "));
        // What could not be thawed is tried again.
        self.injected = reverted.error.is_some();
        reverted
    }
}
