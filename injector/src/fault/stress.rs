//! Faults that weigh on a target from inside: on its processors, its memory, its disks, its descriptors, its room.
//!
//! All but `stress.fds` are workers (`agent/worker.rs`): processes of the agent's that are put into the target's cgroup, so
//! that the target's own limits and weights decide what is left for it. They differ in what a worker does and in how its
//! effect is seen; [`Pressure`] is that, and here are the four verbs. What a worker holds ends with it, so the undo is its
//! end: by the agent, by the end of the agent (of whatever kind), by the lease, or by `brunt cleanup`, which finds it by its
//! mark.

mod cpu;
mod fds;
mod io;
mod memory;
mod pod;

pub(crate) use fds::{Moved, give_back};
pub(crate) use pod::CpuOfPod;

use std::path::PathBuf;
use std::sync::Arc;

use brunt_scenario::plan::{Fault as PlannedFault, Piece};
use serde::{Deserialize, Serialize};

use super::disk::fill::Fill;
use super::process::process_of;
use crate::agent::protocol::Order;
use crate::agent::services::Services;
use crate::agent::worker::{self, Task, Worker};
use crate::cgroup::site::Site;
use crate::error::{Error, ResolveError};
use crate::fault::container::Held;
use crate::fault::{Change, Fault, Reverted, Seen, Undo};
use crate::packets::Beats;
use crate::process::ProcessId;
use crate::target::Victim;
use crate::undo;

/// What is asked for, as the scenario has it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Stress {
    /// `stress.cpu`
    Cpu {
        /// As many as the target may use, if not given.
        workers: Option<u64>,
        /// From 0 to 1.
        load: f64,
    },
    /// `stress.memory`
    Memory(Level),
    /// `stress.io`
    Io {
        /// Threads that write.
        workers: u64,
        /// In the file tree of the target.
        path: String,
    },
    /// `stress.fds`
    Fds {
        /// How many more the target can open.
        left: u64,
    },
    /// `disk.fill`
    Fill {
        /// In the file tree of the target.
        path: String,
        /// How much.
        level: Level,
        /// What the run writes to: some room is kept there.
        kept: Vec<PathBuf>,
    },
}

/// How much is taken.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Level {
    /// So many bytes.
    Bytes(u64),
    /// So much that this share of all that there is is used then.
    Full(f64),
}

/// What a fault asks for, if it is one of these.
///
/// # Errors
/// Parameters that no target could have.
pub fn order(fault: &PlannedFault, kept: &[PathBuf]) -> Result<Option<Stress>, Error> {
    let with = &fault.with;
    let unfit = |why: &str| Error::Unfit { kind: fault.kind.into(), why: why.into() };
    let path = || match with.text("path").map(|text| text.0.as_slice()) {
        Some([Piece::Literal(path)]) if path.starts_with('/') => Ok(path.clone()),
        _ => Err(unfit("`path` is where the target sees it, from its root: `/var/lib/data`")),
    };
    let level = || match (with.number("size"), with.share("share")) {
        (Some(0), _) => Err(unfit("a `size` of 0 takes nothing")),
        (Some(bytes), _) => Ok(Level::Bytes(bytes)),
        (None, Some(share)) if share > 0.0 && share <= 1.0 => Ok(Level::Full(share)),
        _ => Err(unfit("`share` is above 0 % and at most 100 %")),
    };
    let workers = match with.number("workers") {
        Some(workers) if !(1..=1024).contains(&workers) => return Err(unfit("`workers` is from 1 to 1024")),
        workers => workers,
    };
    Ok(Some(match fault.kind {
        "stress.cpu" => match with.share("load").unwrap_or(1.0) {
            load if load > 0.0 && load <= 1.0 => Stress::Cpu { workers, load },
            _ => return Err(unfit("`load` is above 0 % and at most 100 %")),
        },
        "stress.memory" => Stress::Memory(level()?),
        "stress.io" => Stress::Io { workers: workers.unwrap_or(1), path: path()? },
        "stress.fds" => Stress::Fds { left: with.number("left").unwrap_or(0) },
        "disk.fill" => Stress::Fill { path: path()?, level: level()?, kept: kept.to_vec() },
        _ => return Ok(None),
    }))
}

/// Whether these members can be put under this pressure; starts nothing and changes nothing.
///
/// # Errors
/// Which one cannot, and why.
pub fn check(fault: &PlannedFault, members: &[Victim], kept: &[PathBuf]) -> Result<(), ResolveError> {
    let unfit = |why: String| ResolveError::Unfit { kind: fault.kind.into(), target: fault.target.clone(), why };
    let stress = order(fault, kept).map_err(|error| match error {
        Error::Unfit { why, .. } => unfit(why),
        other => unfit(other.to_string()),
    })?;
    let Some(stress) = stress else { return Ok(()) };
    for victim in members {
        let process = match victim {
            Victim::Process { process, .. } | Victim::Container { process: Some(process), .. } => *process,
            _ => continue,
        };
        let checked = match &stress {
            Stress::Fds { left } => fds::limit_of(process, *left).map(drop),
            other => pressure(other, process).ready(),
        };
        checked.map_err(|why| unfit(format!("{victim}: {why}")))?;
    }
    Ok(())
}

/// The fault that an order asks for.
pub fn on_target(order: &Order, stress: &Stress, run_id: &str, beats: &Arc<Beats>) -> Box<dyn Fault<Services>> {
    match stress {
        Stress::Fds { left } => Box::new(fds::Fds::new(order, *left, run_id, Arc::clone(beats))),
        _ => Box::new(Stressed {
            kind: order.kind.clone(),
            victims: order.victims.clone(),
            stress: stress.clone(),
            run_id: run_id.to_owned(),
            mark: worker::mark_of(run_id, &order.fault),
            beats: Arc::clone(beats),
            weights: Vec::new(),
            injected: false,
        }),
    }
}

/// The process that stands for a victim now.
pub(super) fn target_of(kind: &str, victim: &Victim, services: &Services) -> Result<ProcessId, Error> {
    match victim {
        Victim::Container { .. } => {
            let held = Held::of(kind, victim)?;
            held.still_there().map(|_| held.process)
        }
        other => process_of(other, services),
    }
}

/// What a worker does to one target, and how that is seen.
pub(super) trait Pressure: Send {
    /// Whether it can be done; takes the figures that it is judged by later. Changes nothing.
    fn ready(&mut self) -> Result<(), String>;
    /// Where the worker belongs; `None` for one that takes what the whole machine shares.
    fn site(&self) -> Option<&Site>;
    /// What the worker does. Called right before it begins.
    fn task(&mut self) -> Result<Task, String>;
    /// Whether the level is reached, in figures; `Err` says what is missing.
    fn seen(&mut self, worker: ProcessId) -> Result<String, String>;
    /// The same of the whole time that it lasted.
    fn seen_at_last(&mut self, worker: ProcessId) -> Result<String, String> {
        self.seen(worker)
    }
}

fn pressure(stress: &Stress, target: ProcessId) -> Box<dyn Pressure> {
    match stress {
        Stress::Cpu { workers, load } => Box::new(cpu::Cpu::new(target, *workers, *load)),
        Stress::Memory(level) => Box::new(memory::Memory::new(target, *level)),
        Stress::Io { workers, path } => Box::new(io::Io::new(target, *workers, path)),
        Stress::Fill { path, level, kept } => Box::new(Fill::new(target, path, *level, kept)),
        Stress::Fds { .. } => unreachable!("it has no worker that weighs on anything"),
    }
}

/// A fault by workers.
struct Stressed {
    kind: String,
    victims: Vec<Victim>,
    stress: Stress,
    run_id: String,
    mark: String,
    beats: Arc<Beats>,
    weights: Vec<Weight>,
    injected: bool,
}

/// One victim's.
struct Weight {
    victim: Victim,
    pressure: Box<dyn Pressure>,
    worker: Option<Worker>,
}

impl Weight {
    fn begin(&mut self, run_id: &str, mark: &str, beats: &Arc<Beats>) -> Result<(), String> {
        let started = Worker::start(run_id, mark, beats).map_err(|error| format!("cannot start a worker: {error}"))?;
        // From here on it ends with this fault, whatever fails.
        let worker = self.worker.insert(started);
        if let Some(site) = self.pressure.site() {
            site.admit(worker.id).map_err(|error| format!("cannot put a worker into its cgroup: {error}"))?;
        }
        let task = self.pressure.task()?;
        worker.begin(task, beats).map_err(|error| match worker.ended() {
            Some(why) => why,
            None => format!("the worker does not listen: {error}"),
        })
    }

    fn seen(&mut self, at_last: bool) -> Result<String, String> {
        let none = || format!("{}: nothing weighs on it", self.victim);
        let worker = self.worker.as_mut().ok_or_else(none)?;
        if let Some(why) = worker.ended() {
            return Err(format!("{}: the worker has ended: {why}", self.victim));
        }
        if self.pressure.site().is_some_and(|site| !site.has(worker.id)) {
            return Err(format!("{}: the worker is not in its cgroup any more", self.victim));
        }
        let seen = if at_last { self.pressure.seen_at_last(worker.id) } else { self.pressure.seen(worker.id) };
        let name = |text: String| format!("{}: {text}", self.victim);
        seen.map(name).map_err(name)
    }
}

impl Stressed {
    fn seen(&mut self, at_last: bool) -> Seen {
        let all: Result<Vec<String>, String> = self.weights.iter_mut().map(|weight| weight.seen(at_last)).collect();
        all.map_or_else(Seen::Absent, |all| Seen::Yes(all.join("; ")))
    }

    fn unfit(&self, victim: &Victim, why: &str) -> Error {
        Error::Unfit { kind: self.kind.clone(), why: format!("{victim}: {why}") }
    }
}

impl Fault<Services> for Stressed {
    fn prepare(&mut self, services: &mut Services) -> Result<Vec<Undo>, Error> {
        self.weights.clear();
        for victim in &self.victims {
            let target = target_of(&self.kind, victim, services)?;
            let mut pressure = pressure(&self.stress, target);
            pressure.ready().map_err(|why| self.unfit(victim, &why))?;
            self.weights.push(Weight { victim: victim.clone(), pressure, worker: None });
        }
        Ok(vec![Undo::EndWorkers { mark: self.mark.clone() }])
    }

    fn inject(&mut self, _: &mut Services, change: Change) -> Result<(), Error> {
        if self.injected || change == Change::Skip {
            return Ok(());
        }
        self.injected = true;
        for weight in &mut self.weights {
            let begun = weight.begin(&self.run_id, &self.mark, &self.beats);
            let why = |why| Error::Unfit { kind: self.kind.clone(), why: format!("{}: {why}", weight.victim) };
            begun.map_err(why)?;
        }
        Ok(())
    }

    fn verify(&mut self, _: &mut Services) -> Result<Seen, Error> {
        Ok(self.seen(false))
    }

    fn revert(&mut self, _: &mut Services) -> Reverted {
        let effect = self.seen(true);
        if !self.injected {
            return Reverted::nothing(effect);
        }
        let mut failed = Vec::new();
        for weight in &mut self.weights {
            let Some(worker) = &mut weight.worker else { continue };
            match worker.end() {
                Ok(()) => weight.worker = None,
                Err(error) => failed
                    .push(format!("the worker {} does not end: {error}; run `kill -9 {}`", worker.id, worker.id.pid)),
            }
        }
        // A worker's own children hear of its end; nobody has to wait until they do.
        let ends = worker::find(&self.mark).into_iter().map(|left| (left, undo::end(left)));
        failed.extend(ends.filter_map(|(left, end)| {
            end.err().map(|error| format!("a worker is left ({left}): {error}; run `kill -9 {}`", left.pid))
        }));
        // What did not end is tried again.
        self.injected = !failed.is_empty();
        let error = (!failed.is_empty()).then(|| failed.join("; "));
        Reverted { effect, rollback_verified: Some(error.is_none()), residue: Vec::new(), error }
    }
}
