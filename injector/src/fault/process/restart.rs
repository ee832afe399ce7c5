//! `process.restart`: asks an instance to end as its service's `stop:` says, and starts it again at the same port.
//!
//! The service feels what a deployment does to it: a chance to finish, then a cold start. `service` targets only, for
//! nobody else is ours to start. What does not end within `stop: {within}` is killed. Verified by the pidfd of the old
//! process and the pid of the new one.

use super::{came_back, instance_only, open, process_of};
use crate::agent::protocol::Order;
use crate::agent::services::Services;
use crate::error::Error;
use crate::fault::{Change, Fault, Reverted, Seen, Undo};
use crate::process::Pidfd;
use crate::target::Victim;

/// See the module.
pub struct Restart {
    fault: String,
    victims: Vec<Victim>,
    old: Vec<Pidfd>,
    injected: bool,
}

impl Restart {
    pub(super) fn new(order: &Order) -> Self {
        Self { fault: order.fault.clone(), victims: order.victims.clone(), old: Vec::new(), injected: false }
    }

    fn back(&self, services: &Services) -> Vec<Result<String, String>> {
        let keys = self.victims.iter().filter_map(Victim::instance);
        keys.zip(&self.old).map(|(key, old)| came_back(&key, old.id, services)).collect()
    }
}

impl Fault<Services> for Restart {
    fn prepare(&mut self, services: &mut Services) -> Result<Vec<Undo>, Error> {
        self.old.clear();
        for victim in &self.victims {
            if victim.instance().is_none() {
                return Err(instance_only("process.restart", victim));
            }
            self.old.push(open(victim, process_of(victim, services)?)?);
        }
        Ok(vec![Undo::Nothing { why: "a restart undoes itself, and without the agent services end".into() }])
    }

    fn inject(&mut self, services: &mut Services, change: Change) -> Result<(), Error> {
        if self.injected || change == Change::Skip {
            return Ok(());
        }
        self.injected = true;
        self.victims.iter().filter_map(Victim::instance).try_for_each(|key| services.restart(&key, &self.fault))
    }

    fn verify(&mut self, services: &mut Services) -> Result<Seen, Error> {
        let back: Result<Vec<String>, String> = self.back(services).into_iter().collect();
        Ok(back.map_or_else(Seen::Absent, |back| Seen::Yes(format!("started again: {}", back.join(", ")))))
    }

    fn revert(&mut self, services: &mut Services) -> Reverted {
        let missing: Vec<String> = self.back(services).into_iter().filter_map(Result::err).collect();
        let effect = self.verify(services).unwrap_or_else(|error| Seen::Absent(error.to_string()));
        if !self.injected {
            return Reverted::nothing(effect);
        }
        let error = (!missing.is_empty()).then(|| missing.join("; "));
        Reverted { effect, rollback_verified: Some(error.is_none()), residue: Vec::new(), error }
    }
}
