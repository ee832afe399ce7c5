//! Faults on processes. They live in the agent, so that they are undone when the runner is not there to do it.

mod kill;
mod pause;
mod restart;

use crate::agent::protocol::Order;
use crate::agent::services::{Services, label};
use crate::error::Error;
use crate::fault::Fault;
use crate::process::{Pidfd, ProcessId};
use crate::target::Victim;

/// The fault of this kind on these processes.
pub fn on_processes(order: &Order) -> Result<Box<dyn Fault<Services>>, Error> {
    match order.kind.as_str() {
        "process.kill" => Ok(Box::new(kill::Kill::new(order))),
        "process.pause" => Ok(Box::new(pause::Pause::new(order))),
        "process.restart" => Ok(Box::new(restart::Restart::new(order))),
        kind => Err(Error::Unfit { kind: kind.into(), why: "it does not act on processes".into() }),
    }
}

/// The process that a victim means now. For an instance, the one that was picked must still be the one that runs.
pub(crate) fn process_of(victim: &Victim, services: &Services) -> Result<ProcessId, Error> {
    let gone = |why: &str| Error::ProcessGone { process: victim.to_string(), why: why.into() };
    match victim {
        Victim::Process { process, .. } => Ok(*process),
        Victim::Instance { service, index, process } => {
            let now = services.leader(&(service.clone(), *index)).ok_or_else(|| gone("it does not run"))?;
            match process {
                Some(picked) if *picked != now => Err(gone("it was started again since it was picked")),
                _ => Ok(now),
            }
        }
        Victim::Listener { .. }
        | Victim::Namespace { .. }
        | Victim::Container { .. }
        | Victim::OwnNetwork { .. }
        | Victim::Kubernetes(_) => {
            Err(Error::Unfit { kind: "process.*".into(), why: format!("{victim} is no process") })
        }
    }
}

fn open(victim: &Victim, id: ProcessId) -> Result<Pidfd, Error> {
    Pidfd::open(id).map_err(|source| Error::Process { action: "open", process: victim.to_string(), source })
}

fn instance_only(kind: &str, victim: &Victim) -> Error {
    let why = format!("only an instance of a `service` can be started again, and {victim} is none");
    Error::Unfit { kind: kind.into(), why }
}

/// `payments-0 (pid 12 -> 34)`: whether an instance runs again, as another process than `before`.
fn came_back(key: &(String, usize), before: ProcessId, services: &Services) -> Result<String, String> {
    match services.leader(key) {
        Some(now) if now != before => Ok(format!("{} (pid {} -> {})", label(key), before.pid, now.pid)),
        Some(_) => Err(format!("{} ({before}) has not ended", label(key))),
        None => Err(services.failure(key).map_or_else(|| format!("{} is not back yet", label(key)), str::to_owned)),
    }
}
