//! `stress.cpu`: a worker in the target's cgroup keeps threads busy.
//!
//! The service feels: its share of the processors, or its quota, is used up by somebody else, so it waits for its turn or is
//! throttled. Privilege: to write to the cgroup's `cgroup.procs` (root, as a rule). Verified by the time that the kernel has
//! charged the target's cgroup for; where others want the processors, too, what counts is that the worker wanted them as
//! asked, running or waiting for its turn. `workers` is as many as the target may use, by its processors and its quota, and
//! more than that cannot be seen.

use std::fs;
use std::time::{Duration, Instant};

use super::Pressure;
use crate::agent::worker::Task;
use crate::cgroup::site::{CPU, Site};
use crate::process::ProcessId;

/// The shortest time over which a use is told: some rounds of the workers, and some periods of a quota.
pub(super) const WINDOW: Duration = Duration::from_millis(300);
/// Of what was asked for; the rest are starts, ends and other people's turns.
pub(super) const ENOUGH: f64 = 0.85;
/// Where the worker waits for its turn, at least so much of what was asked for must have been its own.
pub(super) const SOME: f64 = 0.02;

/// See the module.
pub(super) struct Cpu {
    target: ProcessId,
    workers: Option<u64>,
    load: f64,
    site: Option<Site>,
    /// Processors' worth of time that should be used.
    level: f64,
    first: Option<Sample>,
    last: Option<Sample>,
    /// What was seen in the window that ended last.
    told: Option<Result<String, String>>,
}

#[derive(Clone, Copy)]
struct Sample {
    at: Instant,
    /// Seconds.
    cgroup: f64,
    ran: f64,
    waited: f64,
}

impl Cpu {
    pub(super) fn new(target: ProcessId, workers: Option<u64>, load: f64) -> Self {
        Self { target, workers, load, site: None, level: 0.0, first: None, last: None, told: None }
    }

    fn sample(&self, worker: ProcessId) -> Result<Sample, String> {
        let site = self.site.as_ref().ok_or("nothing was prepared")?;
        let used = site.processor_time().map_err(|error| format!("cannot tell what its cgroup uses: {error}"))?;
        let (ran, waited) = turns(worker.pid).map_err(|error| format!("cannot tell what the worker uses: {error}"))?;
        Ok(Sample { at: Instant::now(), cgroup: used as f64 / 1e9, ran, waited })
    }

    fn judge(&self, from: Sample, to: Sample) -> Result<String, String> {
        let seconds = to.at.duration_since(from.at).as_secs_f64().max(1e-3);
        let cgroup = (to.cgroup - from.cgroup) / seconds;
        let ran = (to.ran - from.ran) / seconds;
        let wanted = ran + (to.waited - from.waited) / seconds;
        let level = self.level;
        let used = format!(
            "its cgroup used {cgroup:.2} processors, {ran:.2} of them by the worker, where {level:.2} were asked for"
        );
        let had_some = ran >= level * SOME;
        match () {
            () if cgroup >= level * ENOUGH && had_some => Ok(used),
            () if wanted >= level * ENOUGH && had_some => {
                Ok(format!("{used}; the worker wanted {wanted:.2}: others use the rest"))
            }
            () => Err(used),
        }
    }
}

impl Pressure for Cpu {
    fn ready(&mut self) -> Result<(), String> {
        let site = Site::of(self.target, CPU)?;
        site.processor_time().map_err(|error| error.to_string())?;
        let processors =
            processors_of(self.target.pid).map_err(|error| format!("cannot tell its processors: {error}"))?;
        let allowed = site.processors_allowed().map_or(processors, |quota| quota.min(processors));
        let workers = *self.workers.get_or_insert(allowed.ceil() as u64);
        self.level = (workers as f64 * self.load).min(allowed);
        self.site = Some(site);
        Ok(())
    }

    fn site(&self) -> Option<&Site> {
        self.site.as_ref()
    }

    fn task(&mut self) -> Result<Task, String> {
        Ok(Task::Burn { threads: self.workers.unwrap_or(1), load: self.load })
    }

    fn seen(&mut self, worker: ProcessId) -> Result<String, String> {
        let now = self.sample(worker)?;
        self.first.get_or_insert(now);
        let from = *self.last.get_or_insert(now);
        if now.at.duration_since(from.at) >= WINDOW {
            self.told = Some(self.judge(from, now));
            self.last = Some(now);
        }
        self.told.clone().unwrap_or_else(|| Err("it was not yet looked at for long enough".into()))
    }

    fn seen_at_last(&mut self, worker: ProcessId) -> Result<String, String> {
        let now = self.sample(worker)?;
        match self.first {
            Some(first) if now.at.duration_since(first.at) >= WINDOW => self.judge(first, now),
            _ => Err("it did not last long enough to be seen".into()),
        }
    }
}

/// The seconds that all threads of a process ran, and waited for a turn.
pub(super) fn turns(pid: u32) -> std::io::Result<(f64, f64)> {
    let (mut ran, mut waited) = (0.0, 0.0);
    for thread in fs::read_dir(format!("/proc/{pid}/task"))? {
        let text = fs::read_to_string(thread?.path().join("schedstat"))?;
        let mut fields = text.split_whitespace().map(|field| field.parse::<u64>().unwrap_or(0) as f64 / 1e9);
        ran += fields.next().unwrap_or(0.0);
        waited += fields.next().unwrap_or(0.0);
    }
    Ok((ran, waited))
}

/// How many processors a process may run on, by its cpuset and its own wish.
pub(super) fn processors_of(pid: u32) -> std::io::Result<f64> {
    let status = fs::read_to_string(format!("/proc/{pid}/status"))?;
    let list = status.lines().find_map(|line| line.strip_prefix("Cpus_allowed_list:")).unwrap_or_default();
    Ok(list_length(list).max(1) as f64)
}

/// `0-3,8`
fn list_length(list: &str) -> u64 {
    let range = |range: &str| match range.split_once('-') {
        Some((from, to)) => Some(to.parse::<u64>().ok()?.checked_sub(from.parse().ok()?)? + 1),
        None => range.parse::<u64>().ok().map(|_| 1),
    };
    list.trim().split(',').filter_map(range).sum()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn seen(cgroup: f64, ran: f64, waited: f64) -> Result<String, String> {
        let cpu = Cpu { level: 2.0, ..Cpu::new(ProcessId { pid: 1, start: 0 }, Some(2), 1.0) };
        let at = Instant::now();
        let from = Sample { at, cgroup: 0.0, ran: 0.0, waited: 0.0 };
        cpu.judge(from, Sample { at: at + Duration::from_secs(1), cgroup, ran, waited })
    }

    #[test]
    fn the_level_is_reached_by_use_or_by_waiting_for_a_turn_and_never_by_the_target_alone() {
        assert!(seen(1.9, 1.0, 0.0).is_ok(), "the target's own use counts, too");
        assert!(seen(0.9, 0.6, 1.3).unwrap().contains("others use the rest"));
        assert!(seen(1.0, 1.0, 0.0).is_err());
        assert!(seen(2.0, 0.0, 0.0).is_err(), "the worker did nothing");
    }

    #[test]
    fn processors_are_counted_as_the_kernel_lists_them() {
        assert_eq!(list_length("\t0-3,8\n"), 5);
        assert_eq!(list_length("1"), 1);
        assert_eq!(list_length(""), 0);
    }
}
