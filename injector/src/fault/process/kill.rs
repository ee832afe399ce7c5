//! `process.kill`: SIGKILL, as a crash or the kernel's out-of-memory killer would do it.
//!
//! The service feels: connections reset, nothing flushed, nothing said. Privilege: the same user, or root. An instance of
//! a `service` is killed with its whole process group, as a container would be; another process alone. With
//! `restart_after` (instances only) the agent starts the same program at the same port. Verified by the pidfd: the very
//! process that was picked has ended. A kill without `restart_after` has no inverse.

use std::time::Duration;

use rustix::process::Signal;

use super::{came_back, instance_only, open, process_of};
use crate::agent::protocol::Order;
use crate::agent::services::{Services, label};
use crate::error::Error;
use crate::fault::{Change, Fault, Reverted, Seen, Undo};
use crate::process::Pidfd;
use crate::target::Victim;

/// See the module.
pub struct Kill {
    fault: String,
    victims: Vec<Victim>,
    restart_after: Option<Duration>,
    handles: Vec<Pidfd>,
    injected: bool,
}

impl Kill {
    pub(super) fn new(order: &Order) -> Self {
        Self {
            fault: order.fault.clone(),
            victims: order.victims.clone(),
            restart_after: order.restart_after,
            handles: Vec::new(),
            injected: false,
        }
    }
}

impl Fault<Services> for Kill {
    fn prepare(&mut self, services: &mut Services) -> Result<Vec<Undo>, Error> {
        self.handles.clear();
        for victim in &self.victims {
            if self.restart_after.is_some() && victim.instance().is_none() {
                return Err(instance_only("process.kill", victim));
            }
            self.handles.push(open(victim, process_of(victim, services)?)?);
        }
        let why = match self.restart_after {
            Some(_) => "the agent starts what was killed again, and without the agent services end",
            None => "a kill has no inverse",
        };
        Ok(vec![Undo::Nothing { why: why.into() }])
    }

    fn inject(&mut self, services: &mut Services, change: Change) -> Result<(), Error> {
        if self.injected || change == Change::Skip {
            return Ok(());
        }
        self.injected = true;
        for (victim, handle) in self.victims.iter().zip(&self.handles) {
            match victim.instance() {
                Some(key) => services.kill(&key, &self.fault, self.restart_after)?,
                None => handle.signal(Signal::KILL).map_err(|source| Error::Process {
                    action: "kill",
                    process: victim.to_string(),
                    source,
                })?,
            }
        }
        Ok(())
    }

    fn verify(&mut self, _: &mut Services) -> Result<Seen, Error> {
        let mut gone = Vec::new();
        for (victim, handle) in self.victims.iter().zip(&self.handles) {
            let ended = handle.has_ended().map_err(|source| Error::Process {
                action: "look at",
                process: victim.to_string(),
                source,
            })?;
            if !ended {
                return Ok(Seen::Absent(format!("{victim} still runs")));
            }
            gone.push(victim.to_string());
        }
        Ok(Seen::Yes(format!("gone: {}", gone.join(", "))))
    }

    fn revert(&mut self, services: &mut Services) -> Reverted {
        let effect = self.verify(services).unwrap_or_else(|error| Seen::Absent(error.to_string()));
        let mut reverted = Reverted::nothing(effect);
        if !self.injected {
            return reverted;
        }
        if self.restart_after.is_none() {
            let left = |victim: &Victim| match victim.instance() {
                Some(_) => format!("{victim} was killed and stays down"),
                None => format!("{victim} was killed; whether another one takes its place is up to what started it"),
            };
            reverted.residue = self.victims.iter().map(left).collect();
            return reverted;
        }
        let keys: Vec<_> = self.victims.iter().filter_map(Victim::instance).collect();
        // Whoever reverts before the time is up wants the service whole now. The next tick starts it, so do it here.
        if keys.iter().filter(|key| services.hasten(key)).count() > 0 {
            services.settle();
        }
        let back: Vec<_> =
            keys.iter().zip(&self.handles).map(|(key, handle)| came_back(key, handle.id, services)).collect();
        let missing: Vec<String> = back.into_iter().filter_map(Result::err).collect();
        reverted.rollback_verified = Some(missing.is_empty());
        if !missing.is_empty() {
            let names: Vec<String> = keys.iter().map(label).collect();
            reverted.error = Some(format!("{} should run again: {}", names.join(", "), missing.join("; ")));
        }
        reverted
    }
}
