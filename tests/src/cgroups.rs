//! A cgroup that a test makes for one of its processes, in every hierarchy that faults look at. Making it needs root.

use std::fmt::Write as _;
use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use crate::host;

/// Its folders; dropping it removes them, once nobody is in them any more.
#[derive(Debug)]
pub struct Cgroup {
    folders: Vec<PathBuf>,
}

impl Cgroup {
    /// Makes it and puts this process there.
    ///
    /// # Panics
    /// Without root, or where no cgroups are mounted.
    pub fn around(pid: u32) -> Self {
        static COUNT: AtomicU32 = AtomicU32::new(0);
        let name = format!("brunt-test-{}-{}", std::process::id(), COUNT.fetch_add(1, Ordering::Relaxed));
        let root = Path::new("/sys/fs/cgroup");
        let mut roots: Vec<PathBuf> = ["cpu", "cpuacct", "memory", "blkio"].map(|one| root.join(one)).to_vec();
        roots.retain(|root| root.join("cgroup.procs").exists());
        if roots.is_empty() {
            // What is on already stays on.
            fs::write(root.join("cgroup.subtree_control"), "+cpu +memory +io").expect("root may");
            roots.push(root.to_owned());
        }
        let folders: Vec<PathBuf> = roots.iter().map(|root| root.join(&name)).collect();
        for folder in &folders {
            fs::create_dir(folder).expect("root may");
            fs::write(folder.join("cgroup.procs"), pid.to_string()).expect("it is there");
        }
        Self { folders }
    }

    /// Gives it a limit of memory.
    #[track_caller]
    pub fn limit_memory(&self, bytes: u64) {
        let files = ["memory.max", "memory.limit_in_bytes"];
        let file = self.file(&files).expect("it has memory");
        fs::write(file, bytes.to_string()).expect("root may");
    }

    /// The memory that it uses.
    #[track_caller]
    pub fn memory(&self) -> u64 {
        let file = self.file(&["memory.current", "memory.usage_in_bytes"]).expect("it has memory");
        fs::read_to_string(file).expect("it can be read").trim().parse().expect("a number")
    }

    /// The processes in any of its folders.
    pub fn processes(&self) -> Vec<u32> {
        let of = |folder: &PathBuf| fs::read_to_string(folder.join("cgroup.procs")).unwrap_or_default();
        let mut all: Vec<u32> = self
            .folders
            .iter()
            .flat_map(|folder| of(folder).lines().map(str::to_owned).collect::<Vec<_>>())
            .filter_map(|pid| pid.parse().ok())
            .collect();
        all.sort_unstable();
        all.dedup();
        all
    }

    /// Its folder with the memory's files, for a program that is to join.
    pub fn memory_folder(&self) -> &Path {
        let folder = self.folders.iter().find(|folder| folder.join("memory.stat").exists());
        folder.expect("it has memory")
    }

    /// Its folders, what lies below them, and every limit that somebody could set there: as text that compares equal as long as
    /// nobody changes it. Files that count are left out; they change by themselves.
    pub fn settings(&self) -> String {
        let mut text = String::new();
        let mut folders = self.folders.clone();
        while let Some(folder) = folders.pop() {
            let _ = writeln!(text, "cgroup {}", folder.display());
            let mut entries: Vec<PathBuf> =
                fs::read_dir(&folder).into_iter().flatten().flatten().map(|one| one.path()).collect();
            entries.sort();
            for entry in entries {
                if entry.is_dir() {
                    folders.push(entry);
                } else if is_setting(&entry) {
                    // Some can only be written, and some are not there for every kernel.
                    let value = fs::read_to_string(&entry).unwrap_or_default();
                    let _ = writeln!(text, "{} {:?}", entry.display(), value.trim());
                }
            }
        }
        text
    }

    fn file(&self, names: &[&str]) -> Option<PathBuf> {
        let all = self.folders.iter().flat_map(|folder| names.iter().map(|name| folder.join(name)));
        all.into_iter().find(|file| file.exists())
    }
}

/// Can be written, and does not change by itself.
fn is_setting(file: &Path) -> bool {
    let name = file.file_name().unwrap_or_default().to_string_lossy();
    let counts = ["procs", "tasks", "threads", "usage", "failcnt", "stat", "current", "events", "peak", "pressure"];
    let written = fs::metadata(file).is_ok_and(|it| it.permissions().mode() & 0o200 != 0);
    written && !counts.iter().any(|word| name.contains(word))
}

impl Drop for Cgroup {
    fn drop(&mut self) {
        for folder in &self.folders {
            host::comes_true(Duration::from_secs(5), || fs::remove_dir(folder).is_ok() || !folder.exists());
        }
    }
}
