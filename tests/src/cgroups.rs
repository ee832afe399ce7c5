//! A cgroup that a test makes for one of its processes, in every hierarchy that faults look at. Making it needs root.

use std::fs;
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

    fn file(&self, names: &[&str]) -> Option<PathBuf> {
        let all = self.folders.iter().flat_map(|folder| names.iter().map(|name| folder.join(name)));
        all.into_iter().find(|file| file.exists())
    }
}

impl Drop for Cgroup {
    fn drop(&mut self) {
        for folder in &self.folders {
            host::comes_true(Duration::from_secs(5), || fs::remove_dir(folder).is_ok() || !folder.exists());
        }
    }
}
