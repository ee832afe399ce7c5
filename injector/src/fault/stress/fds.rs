//! `stress.fds`: the target's own limit of descriptors is lowered until it can open only a few more.
//!
//! The service feels: `accept`, `open` and `connect` fail with "too many open files" (EMFILE). Descriptors count for each
//! process, so nobody can use up another one's from outside; but its limit (RLIMIT_NOFILE) can be moved to just above what it
//! has open. What is open stays open. Privilege: the target's user, or root. Processes that it starts meanwhile inherit the
//! lower limit, and get the old one back, too. The undo does not need the agent: a worker holds it, and carries it out when
//! the agent is gone or its lease runs out. Verified by what /proc says of the limit and of the open descriptors.

use std::collections::BTreeSet;
use std::fs;
use std::io;
use std::sync::Arc;

use rustix::process::{Resource, Rlimit, prlimit};
use serde::{Deserialize, Serialize};

use super::target_of;
use crate::agent::protocol::Order;
use crate::agent::services::Services;
use crate::agent::worker::{self, Task, Worker};
use crate::error::Error;
use crate::fault::{Change, Fault, Reverted, Seen, Undo};
use crate::packets::Beats;
use crate::process::{self, ProcessId, raw};
use crate::target::Victim;

/// A limit that was moved.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Moved {
    /// Whose.
    pub process: ProcessId,
    /// What it was.
    pub before: u64,
    /// What it is meanwhile.
    pub lowered: u64,
    /// The hard limit, which stays as it is; `None` for none.
    pub most: Option<u64>,
}

/// Where the limit has to be so that so many more descriptors can be opened.
///
/// # Errors
/// Why it cannot be moved there.
pub(super) fn limit_of(process: ProcessId, left: u64) -> Result<Moved, String> {
    let told = |error: io::Error| format!("cannot read its descriptors: {error}; run brunt as that user, or as root");
    let (before, most) = limits(process.pid).map_err(told)?;
    let open = open_in(process.pid).map_err(told)?;
    let lowered = place(&open, left);
    if !process.is_alive() {
        return Err("it has ended".into());
    }
    if lowered >= before {
        let free = (0..before).filter(|number| !open.contains(number)).count();
        return Err(format!("it can open only {free} more by its own limit of {before}, and {left} were to be left"));
    }
    Ok(Moved { process, before, lowered, most })
}

/// A new descriptor gets the lowest number that is free and must be below the limit, so numbers that are free below it count.
fn place(open: &BTreeSet<u64>, left: u64) -> u64 {
    let mut free = 0;
    let mut limit = 0;
    while free < left || open.contains(&limit) {
        free += u64::from(!open.contains(&limit));
        limit += 1;
    }
    // Above the last open number there is nothing that matters: a limit below an open number is as good.
    limit
}

fn limits(pid: u32) -> io::Result<(u64, Option<u64>)> {
    let text = fs::read_to_string(format!("/proc/{pid}/limits"))?;
    parse(&text).ok_or_else(|| io::Error::new(io::ErrorKind::InvalidData, "no limit of open files"))
}

/// `Max open files            1024                 524288               files`
fn parse(limits: &str) -> Option<(u64, Option<u64>)> {
    let line = limits.lines().find_map(|line| line.strip_prefix("Max open files"))?;
    let mut words = line.split_whitespace();
    let soft = words.next()?.parse().unwrap_or(u64::MAX);
    Some((soft, words.next()?.parse().ok()))
}

fn open_in(pid: u32) -> io::Result<BTreeSet<u64>> {
    let entries = fs::read_dir(format!("/proc/{pid}/fd"))?.flatten();
    Ok(entries.filter_map(|entry| entry.file_name().to_str()?.parse().ok()).collect())
}

fn set(process: ProcessId, soft: u64, most: Option<u64>) -> io::Result<()> {
    if !process.is_alive() {
        return Err(io::Error::new(io::ErrorKind::NotFound, "it has ended"));
    }
    let current = (soft != u64::MAX).then_some(soft);
    prlimit(Some(raw(process.pid)?), Resource::Nofile, Rlimit { current, maximum: most })?;
    Ok(())
}

/// Gives a process, and those that have inherited it from it, the old limit back. In sentences: what was done, or what a
/// person must do. A limit that is not the lowered one was moved by somebody else since, and is left alone.
pub(crate) fn give_back(moved: &Moved) -> Result<String, String> {
    let mut back = 0;
    for process in family(moved.process) {
        if !limits(process.pid).is_ok_and(|(soft, _)| soft == moved.lowered) {
            continue;
        }
        match set(process, moved.before, moved.most) {
            Ok(()) => back += 1,
            Err(_) if !process.is_alive() => {}
            Err(error) => {
                return Err(format!(
                    "cannot give {process} its limit of descriptors back: {error}; run `prlimit --pid {} --nofile={}:`",
                    process.pid, moved.before
                ));
            }
        }
    }
    let process = moved.process;
    Ok(match back {
        0 => format!("{process} is gone, or has another limit of descriptors"),
        1 => format!("{process} has its limit of {} descriptors back", moved.before),
        more => {
            format!("{process} and {} of its children have their limit of {} descriptors back", more - 1, moved.before)
        }
    })
}

/// A process and all that descend from it.
fn family(first: ProcessId) -> Vec<ProcessId> {
    let all = process::all().unwrap_or_default();
    let mut found: Vec<ProcessId> = all.iter().map(|stat| stat.id).filter(|id| *id == first).collect();
    let mut at = 0;
    while let Some(parent) = found.get(at).copied() {
        found.extend(all.iter().filter(|stat| stat.parent == parent.pid).map(|stat| stat.id));
        at += 1;
    }
    found
}

/// See the module.
pub(super) struct Fds {
    kind: String,
    victims: Vec<Victim>,
    left: u64,
    run_id: String,
    mark: String,
    beats: Arc<Beats>,
    moved: Vec<Moved>,
    /// Gives the limits back when nobody else can.
    keeper: Option<Worker>,
    injected: bool,
}

impl Fds {
    pub(super) fn new(order: &Order, left: u64, run_id: &str, beats: Arc<Beats>) -> Self {
        Self {
            kind: order.kind.clone(),
            victims: order.victims.clone(),
            left,
            run_id: run_id.to_owned(),
            mark: worker::mark_of(run_id, &order.fault),
            beats,
            moved: Vec::new(),
            keeper: None,
            injected: false,
        }
    }

    fn state(&self) -> Result<String, String> {
        let mut told = Vec::new();
        for (victim, moved) in self.victims.iter().zip(&self.moved) {
            let (now, _) = limits(moved.process.pid).map_err(|error| format!("{victim} cannot be seen: {error}"))?;
            if now != moved.lowered || !moved.process.is_alive() {
                return Err(format!("{victim}: its limit of descriptors is {now}"));
            }
            let open = open_in(moved.process.pid).map_err(|error| format!("{victim} cannot be seen: {error}"))?;
            let free = (0..now).filter(|number| !open.contains(number)).count();
            told.push(format!(
                "{victim}: {} open, {free} more possible, its limit is {now} instead of {}",
                open.len(),
                moved.before
            ));
        }
        Ok(told.join("; "))
    }

    fn failed(victim: &Victim, source: io::Error) -> Error {
        Error::Process { action: "lower the limit of descriptors of", process: victim.to_string(), source }
    }
}

impl Fault<Services> for Fds {
    fn prepare(&mut self, services: &mut Services) -> Result<Vec<Undo>, Error> {
        self.moved.clear();
        for victim in &self.victims {
            let target = target_of(&self.kind, victim, services)?;
            let unfit = |why| Error::Unfit { kind: self.kind.clone(), why: format!("{victim}: {why}") };
            self.moved.push(limit_of(target, self.left).map_err(unfit)?);
        }
        Ok(vec![Undo::Descriptors { moved: self.moved.clone() }, Undo::EndWorkers { mark: self.mark.clone() }])
    }

    fn inject(&mut self, _: &mut Services, change: Change) -> Result<(), Error> {
        if self.injected || change == Change::Skip {
            return Ok(());
        }
        self.injected = true;
        let failed = |source| Error::AgentIo { action: "start who gives descriptors back", source };
        let task = Task::GiveBack { undo: vec![Undo::Descriptors { moved: self.moved.clone() }] };
        self.keeper = Some(Worker::start_with(task, &self.run_id, &self.mark, &self.beats).map_err(failed)?);
        for (victim, moved) in self.victims.iter().zip(&self.moved) {
            set(moved.process, moved.lowered, moved.most).map_err(|source| Self::failed(victim, source))?;
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
        let failed: Vec<String> = self.moved.iter().filter_map(|moved| give_back(moved).err()).collect();
        let error = (!failed.is_empty()).then(|| failed.join("; "));
        self.injected = error.is_some();
        if error.is_none() {
            self.keeper = None;
        }
        let changed = |moved: &&Moved| {
            limits(moved.process.pid).is_ok_and(|(now, _)| now != moved.before) && moved.process.is_alive()
        };
        let other = self.moved.iter().filter(changed);
        let residue =
            other.map(|moved| format!("{} has another limit of descriptors than before", moved.process)).collect();
        Reverted { effect, rollback_verified: Some(error.is_none()), residue, error }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_limit_lies_where_so_many_free_numbers_are_below_it() {
        let open: BTreeSet<u64> = [0, 1, 2, 5, 9].into();
        assert_eq!(place(&open, 0), 3);
        assert_eq!(place(&open, 1), 4, "number 3");
        assert_eq!(place(&open, 2), 6, "numbers 3 and 4; 5 is open");
        assert_eq!(place(&BTreeSet::new(), 7), 7);
    }

    #[test]
    fn what_the_kernel_writes_is_read() {
        let text = "Limit   Soft Limit  Hard Limit  Units\nMax open files            1024                 524288               files\n";
        assert_eq!(parse(text), Some((1024, Some(524_288))));
        assert_eq!(parse("Max open files  unlimited unlimited files"), Some((u64::MAX, None)));
        assert!(limits(std::process::id()).unwrap().0 > 0);
        assert!(open_in(std::process::id()).unwrap().contains(&0));
    }
}
