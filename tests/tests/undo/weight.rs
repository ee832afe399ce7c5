//! What the service outside of brunt has to bear: seen from outside, by the kernel's own books.

use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

use brunt_injector::process;
use brunt_tests::cgroups::Cgroup;
use brunt_tests::host;
use tempfile::TempDir;

/// More than the load of a trial needs at any time, and fewer than `pool.exhaust` holds in one.
const FEW_CONNECTIONS: usize = 20;

/// The service in a cgroup of its own, and how it was before anything.
pub struct Weight {
    service: u32,
    cgroup: Cgroup,
    limit: String,
    /// What is to be filled.
    disk: TempDir,
}

impl Weight {
    /// On a service that bears nothing yet.
    pub fn none_on(service: u32) -> Self {
        let cgroup = Cgroup::around(service);
        cgroup.limit_memory(256 << 20);
        let disk = TempDir::with_prefix("brunt-undo-").expect("a temporary folder");
        Self { service, cgroup, limit: limit(service), disk }
    }

    /// The folder to be filled.
    pub fn disk(&self) -> &Path {
        self.disk.path()
    }

    /// The service's cgroup as others see it: what lies in it, and its limits.
    pub fn cgroup(&self) -> String {
        self.cgroup.settings()
    }

    /// What it bears now; `None`: nothing.
    pub fn seen(&self) -> Option<String> {
        let others: Vec<u32> = self.cgroup.processes().into_iter().filter(|pid| *pid != self.service).collect();
        if !others.is_empty() {
            return Some(format!("processes {others:?} beside it in its cgroup"));
        }
        let limit = limit(self.service);
        if limit != self.limit {
            return Some(format!("`{limit}` instead of `{}`", self.limit));
        }
        let files = nameless_in(self.disk());
        if !files.is_empty() {
            return Some(format!("files without a name are open: {files:?}"));
        }
        let descriptors = fs::read_dir(format!("/proc/{}/fd", self.service)).map_or(0, Iterator::count);
        (descriptors > FEW_CONNECTIONS).then(|| format!("{descriptors} descriptors are open"))
    }

    /// The same, but the kernel and the service are given a moment to see who has gone.
    pub fn lasting(&self) -> Option<String> {
        host::comes_true(Duration::from_millis(500), || self.seen().is_none());
        self.seen()
    }
}

/// Of whatever process: `/folder/#12 (deleted)`.
fn nameless_in(folder: &Path) -> Vec<PathBuf> {
    let all = process::all().expect("/proc is there").into_iter();
    let files = all.flat_map(|stat| fs::read_dir(format!("/proc/{}/fd", stat.id.pid)).into_iter().flatten().flatten());
    files.filter_map(|file| fs::read_link(file.path()).ok()).filter(|file| file.starts_with(folder)).collect()
}

fn limit(pid: u32) -> String {
    let limits = fs::read_to_string(format!("/proc/{pid}/limits")).expect("the service lives");
    limits.lines().find(|line| line.starts_with("Max open files")).expect("there is a limit").to_owned()
}
