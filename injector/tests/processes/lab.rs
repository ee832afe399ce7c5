//! What the tests of this crate need to watch processes.

use std::fs;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use brunt_injector::process::Stat;
use brunt_injector::{Event, Injector, Options, Victim};
use tokio::sync::mpsc::UnboundedReceiver;

use crate::scene;

/// The binary that plays brunt.
pub const STAND_IN: &str = env!("CARGO_BIN_EXE_brunt-injector-stand-in");

/// A state folder of its own.
pub struct Lab {
    folder: tempfile::TempDir,
    elsewhere: tempfile::TempDir,
}

impl Lab {
    pub fn new() -> Self {
        Self { folder: tempfile::tempdir().unwrap(), elsewhere: tempfile::tempdir().unwrap() }
    }

    pub fn state(&self) -> &Path {
        self.folder.path()
    }

    /// Another state folder, in which there is nothing.
    pub fn elsewhere(&self) -> &Path {
        self.elsewhere.path()
    }

    /// How the runs of this test program are called.
    pub fn run_id(name: &str) -> String {
        format!("{name}-{}", std::process::id())
    }

    pub fn options(&self, name: &str) -> Options {
        scene::options(Path::new(STAND_IN), self.state(), &Self::run_id(name), Duration::from_secs(5))
    }

    pub async fn start(&self, name: &str) -> (Injector, UnboundedReceiver<Event>) {
        Injector::start(self.options(name)).await.unwrap()
    }

    /// How many journals there are.
    pub fn journals(&self) -> usize {
        let paths = fs::read_dir(self.state()).unwrap().map(|entry| entry.unwrap().path());
        paths.filter(|path| path.extension().is_some_and(|extension| extension == "journal")).count()
    }
}

/// A process that has nothing to do with brunt.
pub struct Bystander(Child);

impl Bystander {
    pub fn start() -> Self {
        let child = Command::new("sleep").arg("1000").stdin(Stdio::null()).spawn().unwrap();
        Self(child)
    }

    pub fn pid(&self) -> u32 {
        self.0.id()
    }
}

impl Drop for Bystander {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// The state of a process, `None` once it is gone (a zombie is).
pub fn state_of(pid: u32) -> Option<char> {
    Stat::read(pid).ok().filter(|stat| !stat.is_zombie()).map(|stat| stat.state)
}

/// Whether it goes on: a process that waits may be awake at the very instant at which one looks.
pub fn runs(pid: u32) -> bool {
    matches!(state_of(pid), Some('S' | 'R' | 'D'))
}

pub fn pid_of(victim: &Victim) -> u32 {
    match victim {
        Victim::Instance { process: Some(process), .. } | Victim::Process { process, .. } => process.pid,
        other => panic!("{other} has no process"),
    }
}

/// Waits for something that has no event, for at most ten seconds.
pub fn eventually(what: &str, mut holds: impl FnMut() -> bool) {
    let until = Instant::now() + Duration::from_secs(10);
    while !holds() {
        assert!(Instant::now() < until, "never: {what}");
        std::thread::sleep(Duration::from_millis(5));
    }
}

pub fn signal(pid: u32, signal: rustix::process::Signal) {
    let pid = rustix::process::Pid::from_raw(pid as i32).unwrap();
    rustix::process::kill_process(pid, signal).unwrap();
}

pub fn kill(pid: u32) {
    signal(pid, rustix::process::Signal::KILL);
}

/// Held by tests that clean up: cleanup ends orphans of *any* run of this host, also those that another test has just made.
pub fn alone_with_cleanup() -> MutexGuard<'static, ()> {
    static ALONE: Mutex<()> = Mutex::new(());
    ALONE.lock().unwrap_or_else(PoisonError::into_inner)
}

/// What a report says about one run: others on this host may leave things meanwhile.
pub fn about<'a>(lines: &'a [String], run_id: &str) -> Vec<&'a str> {
    let begin = format!("run {run_id}");
    lines.iter().filter(|line| line.starts_with(&begin)).map(String::as_str).collect()
}
