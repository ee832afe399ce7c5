//! `container.kill`: SIGKILL to a container's main process, as a crash or the kernel's out-of-memory killer would do it.
//!
//! The service feels: connections reset, nothing flushed, nothing said; the kernel ends whatever else runs in the container's
//! pid namespace. The engine sees a crash, so the container's restart policy acts. (Through the engine's own `kill` it would
//! not: that counts as a person's wish.) Privilege: root, or the user of an engine without root. Verified by the pidfd: the
//! very process that was picked has ended. A kill has no inverse; what has come back, and when, is told.

use rustix::process::Signal;

use super::{Held, names};
use crate::error::Error;
use crate::fault::{Change, Elsewhere, Fault, Reverted, Seen, Undo};
use crate::process::Pidfd;

/// See the module.
pub struct Kill {
    held: Vec<Held>,
    handles: Vec<Pidfd>,
    injected: bool,
}

/// What became of a container after its process had ended.
enum Since {
    /// Its engine has started it again.
    Back(String),
    /// It does not run.
    Down(String),
}

impl Kill {
    pub(super) fn new(held: Vec<Held>) -> Self {
        Self { held, handles: Vec::new(), injected: false }
    }

    fn ended(&self) -> Result<Seen, Error> {
        for (held, handle) in self.held.iter().zip(&self.handles) {
            if !handle.has_ended().map_err(|source| held.failed("look at", source))? {
                return Ok(Seen::Absent(format!("{held} still runs")));
            }
        }
        Ok(Seen::Yes(format!("gone: {}", names(&self.held))))
    }
}

impl Fault<Elsewhere> for Kill {
    fn prepare(&mut self, _: &mut Elsewhere) -> Result<Vec<Undo>, Error> {
        self.handles.clear();
        for held in &self.held {
            if held.still_there()?.state.paused {
                let why = format!("{held} is paused, and a frozen container does not end; unpause it first");
                return Err(Error::Refused(why));
            }
            let handle = held.open()?;
            may_signal(held)?;
            self.handles.push(handle);
        }
        Ok(vec![Undo::Nothing { why: "a kill has no inverse; a restart policy starts the container again".into() }])
    }

    fn inject(&mut self, _: &mut Elsewhere, change: Change) -> Result<(), Error> {
        if self.injected || change == Change::Skip {
            return Ok(());
        }
        self.injected = true;
        for (held, handle) in self.held.iter().zip(&self.handles) {
            handle.signal(Signal::KILL).map_err(|source| held.failed("kill", source))?;
        }
        Ok(())
    }

    fn verify(&mut self, _: &mut Elsewhere) -> Result<Seen, Error> {
        self.ended()
    }

    fn revert(&mut self, _: &mut Elsewhere) -> Reverted {
        let mut effect = self.ended().unwrap_or_else(|error| Seen::Absent(error.to_string()));
        let mut residue = Vec::new();
        if !self.injected {
            return Reverted { effect, rollback_verified: None, residue, error: None };
        }
        let mut whole = true;
        for held in &self.held {
            match since(held) {
                Since::Back(how) => {
                    if let Seen::Yes(seen) = &mut effect {
                        seen.push_str("; ");
                        seen.push_str(&how);
                    }
                }
                Since::Down(how) => {
                    whole = false;
                    residue.push(how);
                }
            }
        }
        Reverted { effect, rollback_verified: whole.then_some(true), residue, error: None }
    }
}

/// Only the kernel knows whether a signal is allowed; asking it costs nothing.
fn may_signal(held: &Held) -> Result<(), Error> {
    let pid = nix::unistd::Pid::from_raw(held.process.pid.cast_signed());
    match nix::sys::signal::kill(pid, None) {
        Err(nix::errno::Errno::EPERM) => Err(Error::Refused(format!(
            "{held} runs as another user, whom this one may not kill; run brunt as root (the engine would kill it, but then \
             its restart policy does not act)"
        ))),
        _ => Ok(()),
    }
}

fn since(held: &Held) -> Since {
    match held.docker().inspect(&held.id) {
        Ok(Some(now)) if now.state.running && !now.state.restarting && now.state.pid != held.process.pid => {
            Since::Back(held.back(&now))
        }
        Ok(Some(now)) if now.host_config.restart_policy.restarts() => {
            let policy = now.host_config.restart_policy.name;
            Since::Down(format!("{held} was killed and is not back yet, though its restart policy is `{policy}`"))
        }
        Ok(Some(_)) => {
            let start = held.by_hand("start");
            Since::Down(format!(
                "{held} was killed and stays down, for it has no restart policy; {start} brings it back"
            ))
        }
        Ok(None) => Since::Down(format!("{held} was killed, and its engine has removed it")),
        Err(error) => Since::Down(format!("{held} was killed; whether it is back is not known: {error}")),
    }
}
