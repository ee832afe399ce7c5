//! Processes of this host: who they are (a pid alone is reused), what state they are in, how to signal exactly them.

use std::fmt;
use std::fs;
use std::io;
use std::os::fd::OwnedFd;
use std::os::unix::process::ExitStatusExt as _;
use std::path::Path;
use std::process::ExitStatus;
use std::time::{Duration, Instant};

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::process::{Pid, PidfdFlags, Signal, pidfd_open, pidfd_send_signal};
use serde::{Deserialize, Serialize};

/// A process that cannot be mistaken for a later one with the same pid (on this boot).
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct ProcessId {
    /// Its number.
    pub pid: u32,
    /// When it started, in clock ticks since boot: field 22 of `/proc/<pid>/stat`.
    pub start: u64,
}

impl fmt::Display for ProcessId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "pid {}", self.pid)
    }
}

/// The flag of a thread of the kernel's own (`PF_KTHREAD`, include/linux/sched.h).
const KERNEL_THREAD: u32 = 0x0020_0000;

/// What `/proc/<pid>/stat` says, as far as it is needed here (proc_pid_stat(5)).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Stat {
    /// The process.
    pub id: ProcessId,
    /// Its name, at most 15 bytes.
    pub comm: String,
    /// `R`, `S`, `D`, `T`, `Z`, ...
    pub state: char,
    /// The parent's pid.
    pub parent: u32,
    /// Its process group.
    pub group: u32,
    /// Its session.
    pub session: u32,
    /// Its terminal's device number, 0 for none.
    pub terminal: i32,
    /// It is a thread of the kernel's own. In a container's pid namespace, none is: whoever has pid 2 there is a process like any
    /// other.
    pub is_of_kernel: bool,
}

impl Stat {
    /// Reads it; `NotFound` when there is no such process.
    pub fn read(pid: u32) -> io::Result<Self> {
        Self::from_file(&Path::new("/proc").join(pid.to_string()).join("stat"))
    }

    fn from_file(path: &Path) -> io::Result<Self> {
        let text = fs::read(path).map_err(gone_is_not_found)?;
        let text = String::from_utf8_lossy(&text);
        Self::parse(&text)
            .ok_or_else(|| io::Error::new(io::ErrorKind::InvalidData, format!("{}: {text}", path.display())))
    }

    /// The name stands in parentheses and may itself hold any byte, so the last `)` ends it.
    fn parse(text: &str) -> Option<Self> {
        let (head, tail) = text.rsplit_once(')')?;
        let (pid, comm) = head.split_once('(')?;
        let fields: Vec<&str> = tail.split_whitespace().collect();
        Some(Self {
            id: ProcessId { pid: pid.trim().parse().ok()?, start: fields.get(19)?.parse().ok()? },
            comm: comm.to_owned(),
            state: fields.first()?.chars().next()?,
            parent: fields.get(1)?.parse().ok()?,
            group: fields.get(2)?.parse().ok()?,
            session: fields.get(3)?.parse().ok()?,
            terminal: fields.get(4)?.parse().ok()?,
            is_of_kernel: fields.get(6)?.parse::<u32>().ok()? & KERNEL_THREAD != 0,
        })
    }

    /// Stopped by a signal (`T`); a traced process (`t`) is somebody else's business.
    pub fn is_stopped(&self) -> bool {
        self.state == 'T'
    }

    /// Ended, not yet collected by its parent.
    pub fn is_zombie(&self) -> bool {
        matches!(self.state, 'Z' | 'X')
    }
}

/// A process may end between open and read: ESRCH from procfs means the same as ENOENT.
fn gone_is_not_found(error: io::Error) -> io::Error {
    if error.raw_os_error() == Some(rustix::io::Errno::SRCH.raw_os_error()) {
        io::Error::new(io::ErrorKind::NotFound, error)
    } else {
        error
    }
}

/// All processes of this pid namespace that can be read; those that end meanwhile are left out.
pub fn all() -> io::Result<Vec<Stat>> {
    let mut found = Vec::new();
    for entry in fs::read_dir("/proc")? {
        let name = entry?.file_name();
        let Some(pid) = name.to_str().and_then(|name| name.parse::<u32>().ok()) else { continue };
        if let Ok(stat) = Stat::read(pid) {
            found.push(stat);
        }
    }
    Ok(found)
}

/// The states of all threads of a process: SIGSTOP has acted when every one is `T`.
pub fn thread_states(pid: u32) -> io::Result<Vec<char>> {
    let mut states = Vec::new();
    for entry in fs::read_dir(format!("/proc/{pid}/task")).map_err(gone_is_not_found)? {
        match Stat::from_file(&entry?.path().join("stat")) {
            Ok(stat) => states.push(stat.state),
            Err(error) if error.kind() == io::ErrorKind::NotFound => {}
            Err(error) => return Err(error),
        }
    }
    Ok(states)
}

/// Distinguishes this boot from every other: pids and start times begin anew with each.
pub fn boot_id() -> io::Result<String> {
    Ok(fs::read_to_string("/proc/sys/kernel/random/boot_id")?.trim().to_owned())
}

impl ProcessId {
    /// The process that this number stands for now.
    pub fn of(pid: u32) -> io::Result<Self> {
        Ok(Stat::read(pid)?.id)
    }

    /// This very process.
    pub fn own() -> io::Result<Self> {
        Self::of(std::process::id())
    }

    /// Whether it still runs (a zombie does not).
    pub fn is_alive(self) -> bool {
        Stat::read(self.pid).is_ok_and(|stat| stat.id == self && !stat.is_zombie())
    }
}

/// A handle that keeps meaning the same process, whatever becomes of its pid.
#[derive(Debug)]
pub struct Pidfd {
    fd: OwnedFd,
    /// Whom it means.
    pub id: ProcessId,
}

impl Pidfd {
    /// Opens it, then checks the start time: only a handle that was opened first proves that the pid was not reused
    /// in between. `NotFound` when the process is gone or is another one.
    pub fn open(id: ProcessId) -> io::Result<Self> {
        let fd = pidfd_open(raw(id.pid)?, PidfdFlags::empty()).map_err(|error| gone_is_not_found(error.into()))?;
        let now = Stat::read(id.pid)?;
        if now.id != id {
            let text = format!("its pid belongs to another process now ({})", now.comm);
            return Err(io::Error::new(io::ErrorKind::NotFound, text));
        }
        Ok(Self { fd, id })
    }

    /// Sends a signal. `NotFound` when it has ended.
    pub fn signal(&self, signal: Signal) -> io::Result<()> {
        pidfd_send_signal(&self.fd, signal).map_err(|error| gone_is_not_found(error.into()))
    }

    /// Waits until it has ended (a zombie has); `false` when it has not within `timeout`.
    pub fn wait_end(&self, timeout: Duration) -> io::Result<bool> {
        let until = Instant::now() + timeout;
        loop {
            let left = until.saturating_duration_since(Instant::now());
            let left = Timespec { tv_sec: left.as_secs() as i64, tv_nsec: i64::from(left.subsec_nanos()) };
            match poll(&mut [PollFd::new(&self.fd, PollFlags::IN)], Some(&left)) {
                Ok(ready) => return Ok(ready > 0),
                Err(rustix::io::Errno::INTR) => {}
                Err(error) => return Err(error.into()),
            }
        }
    }

    /// Whether it has ended.
    pub fn has_ended(&self) -> io::Result<bool> {
        self.wait_end(Duration::ZERO)
    }

    /// Readable from the moment the process ends.
    pub fn fd(&self) -> &OwnedFd {
        &self.fd
    }
}

/// How a process ended: `exit status 1`, `killed by SIGKILL`.
pub fn in_words(status: ExitStatus) -> String {
    match (status.code(), status.signal()) {
        (Some(code), _) => format!("exit status {code}"),
        (None, Some(signal)) => match nix::sys::signal::Signal::try_from(signal) {
            Ok(signal) => format!("killed by {}", signal.as_str()),
            Err(_) => format!("killed by signal {signal}"),
        },
        (None, None) => status.to_string(),
    }
}

/// A pid as the system calls want it.
pub fn raw(pid: u32) -> io::Result<Pid> {
    i32::try_from(pid)
        .ok()
        .and_then(Pid::from_raw)
        .ok_or_else(|| io::Error::new(io::ErrorKind::InvalidInput, format!("{pid} is no process id")))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_with_parentheses_and_spaces_does_not_shift_the_fields() {
        let text = "42 (a) b (c)) T 7 42 41 34816 42 4194560 1 2 3 4 5 6 7 8 20 0 1 0 98765 1000 0";
        let stat = Stat::parse(text).unwrap();
        assert_eq!(stat.comm, "a) b (c)");
        assert_eq!(stat.state, 'T');
        assert_eq!(stat.id, ProcessId { pid: 42, start: 98765 });
        assert_eq!((stat.parent, stat.group, stat.session, stat.terminal), (7, 42, 41, 34816));
        assert!(!stat.is_of_kernel);
    }

    #[test]
    fn a_thread_of_the_kernel_is_told_by_its_flag_and_not_by_its_pid() {
        let is_of_kernel = |text| Stat::parse(text).unwrap().is_of_kernel;
        let of_kernel = "2 (kthreadd) S 0 0 0 0 -1 2129984 0 0 0 0 0 0 0 0 20 0 1 0 3 0 0";
        let of_container = "2 (worker) S 1 1 1 0 -1 4194560 0 0 0 0 0 0 0 0 20 0 1 0 3 0 0";
        assert_eq!((is_of_kernel(of_kernel), is_of_kernel(of_container)), (true, false));
    }

    #[test]
    fn a_handle_is_refused_when_the_start_time_is_another_one() {
        let own = ProcessId::own().unwrap();
        assert!(Pidfd::open(own).is_ok());
        let earlier = ProcessId { start: own.start - 1, ..own };
        assert_eq!(Pidfd::open(earlier).unwrap_err().kind(), io::ErrorKind::NotFound);
        assert!(own.is_alive());
        assert!(!earlier.is_alive());
    }

    proptest::proptest! {
        #[test]
        fn no_text_makes_the_parser_panic(text in ".*", fields in "[0-9]{1,12} \\([^)]*\\)( -?[0-9A-Z]{1,20}){0,24}") {
            let _ = Stat::parse(&text);
            let _ = Stat::parse(&fields);
        }
    }
}
