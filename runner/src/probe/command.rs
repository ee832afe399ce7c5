//! A probe that is a command of this host: it holds when the command ends with the expected code in time.
//!
//! The command leads a process group of its own, and the whole group is killed when the command has ended, when its time is
//! over, and when the run ends (the future is dropped): nothing that it started outlives the look. The leader is collected
//! only after that; until then its id cannot be reused, so the signal hits nobody else. Its output goes through one pipe,
//! which is emptied all the time (a full pipe would stop the command) and of which only the end is kept. If brunt itself is
//! killed, a command that is running goes on to its own end.

use std::io::{ErrorKind, PipeReader};
use std::os::fd::OwnedFd;
use std::os::unix::process::{CommandExt as _, ExitStatusExt as _};
use std::path::{Path, PathBuf};
use std::process::{Child, ExitStatus, Stdio};
use std::time::Duration;

use rustix::process::{Pid, PidfdFlags, Signal, kill_process_group, pidfd_open};
use tokio::io::Interest;
use tokio::io::unix::AsyncFd;
use tokio::net::unix::pipe::Receiver;

/// Of the output so much is kept: its last line goes into the failure.
const KEPT: usize = 4096;
/// How long a killed command may take to be gone: the kernel needs no more than a moment.
const GONE_WITHIN: Duration = Duration::from_secs(1);

/// What is run, addresses filled in.
#[derive(Clone, PartialEq, Eq)]
pub struct Command {
    /// Program and arguments; may hold secrets.
    pub run: Vec<String>,
    /// The program as it may be shown.
    pub name: String,
    /// Working folder.
    pub cwd: PathBuf,
    /// Expected.
    pub exit: u8,
}

/// Never the arguments: they may hold secrets.
impl std::fmt::Debug for Command {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{} in {}", self.name, self.cwd.display())
    }
}

/// Runs it once.
///
/// # Errors
/// In words: it could not be started, took too long, or ended with another code. The last line of its output follows.
pub async fn run(command: &Command, timeout: Duration) -> Result<(), String> {
    let name = &command.name;
    let mut group =
        Group::start(&command.run, &command.cwd).map_err(|error| format!("`{name}` cannot be started: {error}"))?;
    let in_time = tokio::time::timeout(timeout, group.ended()).await.is_ok();
    let status = group.end().await.map_err(|error| format!("`{name}`: {error}"))?;
    let why = match (in_time, status.code(), status.signal()) {
        (true, Some(code), _) if code == i32::from(command.exit) => return Ok(()),
        (true, Some(code), _) => format!("exit code {code}, not {}", command.exit),
        (true, None, signal) => format!("killed by signal {}", signal.unwrap_or_default()),
        (false, ..) => format!("no end within {} ms", timeout.as_millis()),
    };
    Err(format!("`{name}`: {why}{}", group.last_line()))
}

/// A running command and everything that it has started in its group. Dropping it kills them all.
struct Group {
    child: Option<Child>,
    handle: AsyncFd<OwnedFd>,
    pid: Pid,
    output: Option<Receiver>,
    tail: Vec<u8>,
    /// The beginning of the output is not in the tail any more.
    cut: bool,
}

impl Group {
    #[expect(
        deprecated,
        reason = "its successor is unsafe only for types that may change their descriptor; OwnedFd never does"
    )]
    fn start(run: &[String], cwd: &Path) -> std::io::Result<Self> {
        let (program, args) = run.split_first().ok_or(ErrorKind::InvalidInput)?;
        let (reader, writer): (PipeReader, _) = std::io::pipe()?;
        let output = Receiver::from_owned_fd(reader.into())?;
        let mut command = std::process::Command::new(program);
        command.args(args).current_dir(cwd).process_group(0).stdin(Stdio::null());
        let mut child = command.stdout(writer.try_clone()?).stderr(writer).spawn()?;
        // The builder holds the pipe's other end; without it the output ends with the group.
        drop(command);
        let pid = Pid::from_child(&child);
        let handle = pidfd_open(pid, PidfdFlags::empty()).map_err(std::io::Error::from);
        match handle.and_then(|handle| AsyncFd::with_interest(handle, Interest::READABLE)) {
            Ok(handle) => {
                Ok(Self { child: Some(child), handle, pid, output: Some(output), tail: Vec::new(), cut: false })
            }
            Err(error) => {
                // Not collected yet, so the id is its own; ESRCH means that nobody is left.
                let _ = kill_process_group(pid, Signal::KILL);
                child.wait()?;
                Err(error)
            }
        }
    }

    /// Waits for the end of the command itself, keeping the end of what it writes.
    async fn ended(&mut self) {
        let mut buffer = [0; 4096];
        loop {
            let Some(output) = &self.output else {
                // An error of a readable pidfd would be found again by `end`.
                let _ = self.handle.readable().await;
                return;
            };
            tokio::select! {
                _ = self.handle.readable() => return,
                _ = output.readable() => match output.try_read(&mut buffer) {
                    Ok(0) => self.output = None,
                    Ok(read) => self.keep(&buffer[..read]),
                    Err(error) if error.kind() == ErrorKind::WouldBlock => {}
                    Err(_) => self.output = None,
                }
            }
        }
    }

    /// Kills what is left of the group and collects the command.
    async fn end(&mut self) -> std::io::Result<ExitStatus> {
        self.kill();
        let gone = tokio::time::timeout(GONE_WITHIN, self.handle.readable()).await;
        let late = |_| std::io::Error::new(ErrorKind::TimedOut, "still there a second after SIGKILL");
        // Readable for good: the end of a process does not go away, so nothing is to be cleared.
        gone.map_err(late)??.retain_ready();
        self.drain();
        let child = self.child.as_mut().ok_or(ErrorKind::NotFound)?;
        let status = child.wait()?;
        self.child = None;
        Ok(status)
    }

    /// What is still in the pipe: at most what it holds.
    fn drain(&mut self) {
        const PIPE: usize = 1 << 20;
        let Some(output) = self.output.take() else { return };
        let (mut buffer, mut taken) = ([0; 4096], 0);
        while let Ok(read @ 1..) = output.try_read(&mut buffer) {
            self.keep(&buffer[..read]);
            taken += read;
            if taken > PIPE {
                return;
            }
        }
    }

    fn kill(&self) {
        if self.child.is_some() {
            // The leader is not collected, so the group is ours; ESRCH and EPERM (a zombie alone) mean that nobody is left.
            let _ = kill_process_group(self.pid, Signal::KILL);
        }
    }

    fn keep(&mut self, more: &[u8]) {
        self.tail.extend_from_slice(more);
        let gone = self.tail.len().saturating_sub(KEPT);
        self.tail.drain(..gone);
        self.cut |= gone > 0;
    }

    /// `: the last line`, or nothing. A line whose beginning is gone is not shown: it might be a secret cut in two.
    fn last_line(&self) -> String {
        let text = String::from_utf8_lossy(&self.tail);
        let whole = if self.cut { text.split_once('\n').map_or("", |(_, rest)| rest) } else { &text };
        match whole.lines().map(str::trim).rfind(|line| !line.is_empty()) {
            Some(line) => format!(": {line}"),
            None if self.cut => format!(": (a line of more than {KEPT} bytes)"),
            None => String::new(),
        }
    }
}

impl Drop for Group {
    fn drop(&mut self) {
        self.kill();
        if let Some(mut child) = self.child.take() {
            // It dies at once; nobody waits for it here, and a zombie would stay until brunt ends.
            std::thread::spawn(move || drop(child.wait()));
        }
    }
}

#[cfg(test)]
mod tests;
