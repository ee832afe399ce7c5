//! What runs on this host, read from `/proc`: which processes came from a test, and in which state they are.
//!
//! Every `brunt` that a test starts carries a mark in its environment, and so does whatever it starts.

use std::fs;
use std::time::{Duration, Instant};

/// The environment variable that carries the mark.
pub const MARK: &str = "BRUNT_TEST_MARK";

/// A process that carries a mark.
#[derive(Debug, Clone, PartialEq)]
pub struct Process {
    /// Its id.
    pub pid: u32,
    /// The letter of `/proc/<pid>/stat`: `R`, `S`, `T` (stopped), `Z`...
    pub state: char,
    /// Arguments, joined by spaces.
    pub command: String,
}

/// All living processes whose environment carries this mark. Zombies have no environment and do not count.
pub fn marked(mark: &str) -> Vec<Process> {
    let wanted = format!("{MARK}={mark}");
    let ids = fs::read_dir("/proc")
        .expect("/proc is mounted")
        .filter_map(|entry| entry.ok()?.file_name().to_str()?.parse().ok());
    ids.filter(|pid: &u32| {
        let environment = fs::read(format!("/proc/{pid}/environ")).unwrap_or_default();
        environment.split(|byte| *byte == 0).any(|entry| entry == wanted.as_bytes())
    })
    .filter_map(|pid| Some(Process { pid, state: state(pid)?, command: command(pid) }))
    .collect()
}

/// The marked processes that are stopped (state `T`).
pub fn stopped(mark: &str) -> Vec<Process> {
    marked(mark).into_iter().filter(|process| process.state == 'T').collect()
}

/// What is left of a command that has ended, after a moment in which its agent may notice the end.
pub fn left_by(mark: &str) -> Vec<Process> {
    let mut left = Vec::new();
    comes_true(Duration::from_secs(1), || {
        left = marked(mark);
        left.is_empty()
    });
    left
}

/// Waits until `holds`, at most `within`; returns whether it came to hold. For what the kernel announces to nobody.
pub fn comes_true(within: Duration, mut holds: impl FnMut() -> bool) -> bool {
    let until = Instant::now() + within;
    loop {
        if holds() {
            return true;
        }
        if Instant::now() >= until {
            return false;
        }
        std::thread::sleep(Duration::from_millis(20));
    }
}

/// Resident memory of a process in KiB (`VmRSS`).
pub fn resident_kib(pid: u32) -> Option<u64> {
    kib_of(pid, "VmRSS:")
}

fn kib_of(pid: u32, key: &str) -> Option<u64> {
    let status = fs::read_to_string(format!("/proc/{pid}/status")).ok()?;
    let line = status.lines().find(|line| line.starts_with(key))?;
    line.split_whitespace().nth(1)?.parse().ok()
}

/// The state letter of a process: after the name in parentheses, which may hold anything.
pub fn state(pid: u32) -> Option<char> {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    stat.rsplit_once(") ")?.1.chars().next()
}

fn command(pid: u32) -> String {
    let bytes = fs::read(format!("/proc/{pid}/cmdline")).unwrap_or_default();
    String::from_utf8_lossy(&bytes).replace('\0', " ").trim().to_owned()
}
