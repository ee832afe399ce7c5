//! `stress.memory`: a worker in the target's cgroup, and its children, take memory and keep it.
//!
//! The service feels: what is left below its limit is little, so pages of files are dropped and read again, and when it
//! wants more than there is, the kernel kills somebody. That is the worker, which asks for it (`oom_score_adj` 1000), and the
//! run is invalid then. The worker itself takes no more than the limit leaves, with room to spare. Privilege: to write to the
//! cgroup's `cgroup.procs` (root, as a rule). A target without a limit is refused: it would be the whole machine's memory.
//! Verified by what the cgroup is charged for, and by what the worker has in memory.

use std::fs;

use super::{Level, Pressure};
use crate::agent::worker::Task;
use crate::cgroup::site::{MEMORY, Site};
use crate::process::{self, ProcessId, Stat};

/// What the limit keeps for the target, at least: a part of it, and so many bytes.
const KEPT: u64 = 4 << 20;
const KEPT_PART: u64 = 50;
/// What the machine keeps.
const MACHINE: u64 = 128 << 20;

/// See the module.
pub(super) struct Memory {
    target: ProcessId,
    level: Level,
    site: Option<Site>,
    limit: u64,
    bytes: u64,
}

impl Memory {
    pub(super) fn new(target: ProcessId, level: Level) -> Self {
        Self { target, level, site: None, limit: 0, bytes: 0 }
    }

    /// How much the worker takes, as things are now.
    fn measure(&self, site: &Site) -> Result<u64, String> {
        let used = site.memory_used().map_err(|error| format!("cannot tell what its cgroup uses: {error}"))?;
        let available = fs::read_to_string("/proc/meminfo").ok().and_then(|text| available(&text)).unwrap_or(u64::MAX);
        amount(self.level, self.limit, used, available)
    }
}

/// How much has to be taken of a limit of which so much is used.
fn amount(level: Level, limit: u64, used: u64, available: u64) -> Result<u64, String> {
    let free = limit.saturating_sub(used).saturating_sub(KEPT.max(limit / KEPT_PART));
    let taken = match level {
        Level::Bytes(bytes) => bytes,
        Level::Full(share) => ((limit as f64 * share) as u64).saturating_sub(used),
    };
    let mib = |bytes: u64| format!("{:.0} MiB", bytes as f64 / f64::from(1 << 20));
    let state = format!("of its limit of {} it uses {}", mib(limit), mib(used));
    match taken {
        0 => Err(format!("{state}, which is as much as was asked for already")),
        taken if taken > free => Err(format!("{state}, so at most {} can be taken without killing anybody", mib(free))),
        taken if taken > available.saturating_sub(MACHINE) => {
            Err(format!("the machine itself has only {} left, less than {} more", mib(available), mib(taken)))
        }
        taken => Ok(taken),
    }
}

fn available(meminfo: &str) -> Option<u64> {
    let line = meminfo.lines().find_map(|line| line.strip_prefix("MemAvailable:"))?;
    line.trim().strip_suffix(" kB")?.parse::<u64>().ok().map(|kib| kib << 10)
}

impl Pressure for Memory {
    fn ready(&mut self) -> Result<(), String> {
        let site = Site::of(self.target, MEMORY)?;
        let none = "its cgroup has no limit of memory, so it would be the whole machine's; give it one (`docker run --memory`, `MemoryMax=`)";
        self.limit = site.memory_allowed().ok_or(none)?;
        if site.dies_together() {
            return Err(
                "its cgroup has memory.oom.group: where memory runs out all of it is killed, not the worker alone"
                    .into(),
            );
        }
        self.bytes = self.measure(&site)?;
        self.site = Some(site);
        Ok(())
    }

    fn site(&self) -> Option<&Site> {
        self.site.as_ref()
    }

    fn task(&mut self) -> Result<Task, String> {
        let site = self.site.as_ref().ok_or("nothing was prepared")?;
        self.bytes = self.measure(site)?;
        Ok(Task::Hold { bytes: self.bytes })
    }

    fn seen(&mut self, worker: ProcessId) -> Result<String, String> {
        let site = self.site.as_ref().ok_or("nothing was prepared")?;
        let used = site.memory_used().map_err(|error| format!("cannot tell what its cgroup uses: {error}"))?;
        let all = process::all().map_err(|error| format!("cannot tell what the worker has: {error}"))?;
        // One that ends meanwhile has nothing.
        let of = |stat: &Stat| resident(stat.id.pid).unwrap_or(0);
        let held = all.iter().filter(|stat| stat.parent == worker.pid).map(of).sum::<u64>();
        let mib = |bytes: u64| bytes >> 20;
        let told = format!(
            "its cgroup uses {} MiB of {}, {} of them by the worker, which was to take {}",
            mib(used),
            mib(self.limit),
            mib(held),
            mib(self.bytes)
        );
        if held >= self.bytes && used >= self.bytes / 100 * 98 { Ok(told) } else { Err(told) }
    }
}

/// The bytes of a process that are in memory, without its program.
fn resident(pid: u32) -> std::io::Result<u64> {
    let status = fs::read_to_string(format!("/proc/{pid}/status"))?;
    let line = status.lines().find_map(|line| line.strip_prefix("RssAnon:"));
    Ok(line.and_then(|line| line.trim().strip_suffix(" kB")?.parse::<u64>().ok()).unwrap_or(0) << 10)
}

#[cfg(test)]
mod tests {
    use super::*;

    const MIB: u64 = 1 << 20;

    #[test]
    fn no_more_is_taken_than_the_limit_and_the_machine_leave() {
        let at = |level, used| amount(level, 100 * MIB, used, 1024 * MIB);
        assert_eq!(at(Level::Bytes(50 * MIB), 10 * MIB), Ok(50 * MIB));
        assert_eq!(at(Level::Full(0.75), 10 * MIB), Ok(65 * MIB));
        let told = at(Level::Bytes(95 * MIB), 10 * MIB).unwrap_err();
        assert_eq!(
            told,
            "of its limit of 100 MiB it uses 10 MiB, so at most 86 MiB can be taken without killing anybody"
        );
        assert!(at(Level::Full(1.0), 10 * MIB).is_err(), "something is kept for the target");
        assert!(at(Level::Full(0.5), 60 * MIB).unwrap_err().contains("already"));
        assert!(amount(Level::Bytes(50 * MIB), 100 * MIB, 0, 150 * MIB).unwrap_err().contains("the machine itself"));
    }

    #[test]
    fn what_the_kernel_writes_is_read() {
        assert_eq!(available("MemTotal:  8 kB\nMemAvailable:    1024 kB\n"), Some(MIB));
        assert!(resident(std::process::id()).unwrap() > 0);
    }
}
