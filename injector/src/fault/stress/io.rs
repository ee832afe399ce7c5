//! `stress.io`: a worker in the target's cgroup writes to a disk, past the page cache.
//!
//! The service feels: its reads and writes of that disk wait behind those of the worker, or its own limit of them is used
//! up. Every write goes to the device before the next one, in a file of 16 MiB without a name, so no room is used up and
//! nothing is left when the worker ends, however that comes. Privilege: to write to the cgroup's `cgroup.procs` (root, as a
//! rule). A folder in memory (tmpfs) is refused: there is no disk. Verified by the bytes that the kernel has sent to the
//! device for the worker, which is in the target's cgroup.

use std::fs;
use std::time::{Duration, Instant};

use rustix::fs::OFlags;

use super::Pressure;
use crate::agent::worker::Task;
use crate::cgroup::site::{IO, Site};
use crate::fault::disk::Folder;
use crate::process::ProcessId;

/// How long no write may reach the device: one that is this slow is under pressure already.
const SILENCE: Duration = Duration::from_secs(2);

/// See the module.
pub(super) struct Io {
    target: ProcessId,
    folder: Folder,
    workers: u64,
    site: Option<Site>,
    begun: Option<Instant>,
    /// What was written, and when it was last seen to have become more.
    written: (u64, Option<Instant>),
}

impl Io {
    pub(super) fn new(target: ProcessId, workers: u64, path: &str) -> Self {
        let folder = Folder { process: target, path: path.to_owned() };
        Self { target, folder, workers, site: None, begun: None, written: (0, None) }
    }
}

impl Pressure for Io {
    fn ready(&mut self) -> Result<(), String> {
        let site = Site::of(self.target, IO)?;
        if self.folder.is_in_memory()? {
            return Err(format!(
                "{} lies in memory, where there is no disk to keep busy; name another `path`",
                self.folder
            ));
        }
        self.folder.file_without_name(OFlags::DIRECT | OFlags::DSYNC)?;
        self.site = Some(site);
        Ok(())
    }

    fn site(&self) -> Option<&Site> {
        self.site.as_ref()
    }

    fn task(&mut self) -> Result<Task, String> {
        self.begun = Some(Instant::now());
        Ok(Task::Write { folder: self.folder.clone(), threads: self.workers })
    }

    fn seen(&mut self, worker: ProcessId) -> Result<String, String> {
        let text = fs::read_to_string(format!("/proc/{}/io", worker.pid));
        let text = text.map_err(|error| format!("cannot tell what the worker has written: {error}"))?;
        let written = text.lines().find_map(|line| line.strip_prefix("write_bytes:")?.trim().parse::<u64>().ok());
        let written = written.ok_or("the kernel does not count what is written (CONFIG_TASK_IO_ACCOUNTING)")?;
        let now = Instant::now();
        if written > self.written.0 {
            self.written = (written, Some(now));
        }
        let seconds = self.begun.map_or(0.0, |begun| now.duration_since(begun).as_secs_f64()).max(1e-3);
        let mib = written as f64 / f64::from(1 << 20);
        let told = format!("{mib:.0} MiB written to the device, {:.1} MiB/s", mib / seconds);
        match self.written.1 {
            Some(last) if now.duration_since(last) < SILENCE => Ok(told),
            _ => Err(format!("nothing more reaches the device: {told}")),
        }
    }
}
