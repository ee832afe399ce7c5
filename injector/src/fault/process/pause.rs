//! `process.pause`: SIGSTOP, undone by SIGCONT.
//!
//! The service feels: it does not run, but its kernel goes on accepting connections and acknowledging bytes, so clients
//! see silence instead of a reset. Privilege: the same user, or root. An instance of a `service` is stopped with its whole
//! process group; another process alone. A process that somebody else has stopped already is refused, for it must not be
//! continued afterwards. Verified by the state `T` of every thread in /proc, never by the result of the call. A shell that
//! started the process notices that it was stopped.

use std::time::Duration;

use rustix::process::Signal;

use super::{open, process_of};
use crate::agent::lease::boottime;
use crate::agent::protocol::Order;
use crate::agent::services::Services;
use crate::error::Error;
use crate::fault::{Change, Fault, Reverted, Seen, Undo};
use crate::process::{Pidfd, ProcessId, Stat, thread_states};
use crate::target::Victim;

/// How long SIGCONT may take to be seen in /proc.
const SETTLE: Duration = Duration::from_millis(500);

/// See the module.
pub struct Pause {
    victims: Vec<Victim>,
    held: Vec<Pidfd>,
    injected: bool,
}

impl Pause {
    pub(super) fn new(order: &Order) -> Self {
        Self { victims: order.victims.clone(), held: Vec::new(), injected: false }
    }

    /// Who belongs to a victim now.
    fn members(victim: &Victim, services: &Services) -> Result<Vec<Stat>, Error> {
        let leader = process_of(victim, services)?;
        let failed = |source| Error::Process { action: "look at", process: victim.to_string(), source };
        match victim.instance() {
            Some(key) => services.members(&key).map_err(failed),
            None => Ok(vec![Stat::read(leader.pid).map_err(failed)?]),
        }
    }

    /// Stops whoever is not held yet; a member that forks between the look and its signal leaves a child that runs.
    fn stop_all(&mut self, services: &Services) -> Result<usize, Error> {
        let mut new = 0;
        for victim in &self.victims {
            for member in Self::members(victim, services)? {
                if self.held.iter().any(|held| held.id == member.id) {
                    continue;
                }
                let handle = open(victim, member.id)?;
                stop(&handle, victim)?;
                self.held.push(handle);
                new += 1;
            }
        }
        Ok(new)
    }

    fn state(&self) -> Result<String, String> {
        let mut threads = 0;
        for held in &self.held {
            let states = thread_states(held.id.pid).map_err(|error| format!("{} cannot be seen: {error}", held.id))?;
            if !held.id.is_alive() {
                return Err(format!("{} has ended", held.id));
            }
            if let Some(state) = states.iter().find(|state| **state != 'T') {
                return Err(format!("{} has a thread in state {state}, not stopped", held.id));
            }
            threads += states.len();
        }
        Ok(format!("{threads} threads of {} in state T", self.names()))
    }

    fn names(&self) -> String {
        let names: Vec<String> = self.victims.iter().map(ToString::to_string).collect();
        names.join(", ")
    }
}

fn stop(handle: &Pidfd, victim: &Victim) -> Result<(), Error> {
    handle.signal(Signal::STOP).map_err(|source| Error::Process { action: "stop", process: victim.to_string(), source })
}

impl Fault<Services> for Pause {
    fn prepare(&mut self, services: &mut Services) -> Result<Vec<Undo>, Error> {
        self.held.clear();
        for victim in &self.victims {
            for member in Self::members(victim, services)? {
                if member.is_stopped() {
                    let who = format!("{victim}: {} ({}) is stopped already, and not by brunt", member.id, member.comm);
                    return Err(Error::Refused(format!("{who}; continue it first, or pick another")));
                }
                self.held.push(open(victim, member.id)?);
            }
        }
        Ok(vec![Undo::Continue { processes: self.held.iter().map(|held| held.id).collect() }])
    }

    fn inject(&mut self, services: &mut Services, change: Change) -> Result<(), Error> {
        if self.injected || change == Change::Skip {
            return Ok(());
        }
        self.injected = true;
        for held in &self.held {
            let stopped = held.signal(Signal::STOP);
            // A helper process of an instance may come and go; that a victim itself is gone, verify says.
            if let Err(source) = stopped
                && source.kind() != std::io::ErrorKind::NotFound
            {
                return Err(Error::Process { action: "stop", process: held.id.to_string(), source });
            }
        }
        for _ in 0..10 {
            if self.stop_all(services)? == 0 {
                break;
            }
        }
        self.held.retain(|held| held.id.is_alive());
        if self.held.is_empty() {
            return Err(Error::ProcessGone { process: self.names(), why: "it has ended".into() });
        }
        Ok(())
    }

    fn verify(&mut self, _: &mut Services) -> Result<Seen, Error> {
        Ok(self.state().map_or_else(Seen::Absent, Seen::Yes))
    }

    fn revert(&mut self, _: &mut Services) -> Reverted {
        let effect = self.state().map_or_else(Seen::Absent, Seen::Yes);
        if !self.injected {
            return Reverted::nothing(effect);
        }
        self.injected = false;
        let mut residue = Vec::new();
        let mut errors = Vec::new();
        for held in &self.held {
            match held.signal(Signal::CONT) {
                Ok(()) => {}
                Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
                    residue.push(format!("{} ended while it was paused", held.id));
                }
                Err(error) => errors.push(by_hand(held.id, &error.to_string())),
            }
        }
        let until = boottime() + SETTLE;
        for held in &self.held {
            while Stat::read(held.id.pid).is_ok_and(|stat| stat.id == held.id && stat.is_stopped()) {
                if boottime() > until {
                    errors.push(by_hand(held.id, "it stays stopped after SIGCONT"));
                    break;
                }
                std::thread::sleep(Duration::from_millis(1));
            }
        }
        let error = (!errors.is_empty()).then(|| errors.join("; "));
        Reverted { effect, rollback_verified: Some(error.is_none()), residue, error }
    }
}

fn by_hand(id: ProcessId, why: &str) -> String {
    format!("{id} could not be continued: {why}; run `kill -CONT {}`", id.pid)
}
