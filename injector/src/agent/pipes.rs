//! The agent's two pipes, read and written without ever waiting.

use std::collections::VecDeque;
use std::io;
use std::os::fd::{AsFd, BorrowedFd};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::fs::{OFlags, fcntl_getfl, fcntl_setfl};
use rustix::io::Errno;
use serde::Serialize;

use crate::agent::lease::boottime;

/// The longest line that the runner may send; a spec with a large environment is far below it.
const LONGEST_LINE: usize = 16 * 1024 * 1024;

fn never_wait(fd: BorrowedFd<'_>) -> io::Result<()> {
    let flags = fcntl_getfl(fd)?;
    Ok(fcntl_setfl(fd, flags | OFlags::NONBLOCK)?)
}

fn wait_for(fd: BorrowedFd<'_>, flags: PollFlags, within: Duration) -> io::Result<()> {
    let within = Timespec { tv_sec: within.as_secs() as i64, tv_nsec: i64::from(within.subsec_nanos()) };
    match poll(&mut [PollFd::from_borrowed_fd(fd, flags)], Some(&within)) {
        Ok(_) | Err(Errno::INTR) => Ok(()),
        Err(error) => Err(error.into()),
    }
}

/// Standard input as lines.
pub struct Input {
    stdin: io::Stdin,
    bytes: VecDeque<u8>,
}

impl Input {
    /// Takes over standard input.
    pub fn new() -> io::Result<Self> {
        let stdin = io::stdin();
        never_wait(stdin.as_fd())?;
        Ok(Self { stdin, bytes: VecDeque::new() })
    }

    /// Takes in what has arrived. `false` when the other end is closed.
    pub fn read(&mut self) -> io::Result<bool> {
        let mut buffer = [0; 65536];
        loop {
            match rustix::io::read(self.stdin.as_fd(), &mut buffer) {
                Ok(0) => return Ok(false),
                Ok(n) => self.bytes.extend(&buffer[..n]),
                Err(Errno::AGAIN) => return Ok(true),
                Err(Errno::INTR) => {}
                Err(error) => return Err(error.into()),
            }
            if self.bytes.len() > LONGEST_LINE {
                return Err(io::Error::other("the runner sent more than 16 MiB without an end"));
            }
        }
    }

    /// The next whole line.
    pub fn line(&mut self) -> Option<String> {
        let end = self.bytes.iter().position(|byte| *byte == b'\n')?;
        let line: Vec<u8> = self.bytes.drain(..=end).collect();
        Some(String::from_utf8_lossy(&line).into_owned())
    }

    /// Waits for a line.
    pub fn first_line(&mut self, within: Duration) -> io::Result<String> {
        let until = boottime() + within;
        loop {
            let open = self.read()?;
            if let Some(line) = self.line() {
                return Ok(line);
            }
            if !open {
                return Err(io::Error::new(io::ErrorKind::UnexpectedEof, "standard input ended without a greeting"));
            }
            let left = until.saturating_sub(boottime());
            if left.is_zero() {
                return Err(io::Error::new(io::ErrorKind::TimedOut, "no greeting came"));
            }
            wait_for(self.as_fd(), PollFlags::IN, left)?;
        }
    }
}

impl AsFd for Input {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.stdin.as_fd()
    }
}

/// Standard output as lines. What the pipe does not take waits here.
pub struct Output {
    stdout: io::Stdout,
    waiting: VecDeque<u8>,
}

impl Output {
    /// Takes over standard output.
    pub fn new() -> io::Result<Self> {
        let stdout = io::stdout();
        never_wait(stdout.as_fd())?;
        Ok(Self { stdout, waiting: VecDeque::new() })
    }

    /// Queues a line. Answers and events are few, so the queue stays small even if nobody reads.
    pub fn say(&mut self, value: &impl Serialize) {
        // Only maps with keys that are no strings fail, and the protocol has none.
        if let Ok(line) = serde_json::to_vec(value) {
            self.waiting.extend(line);
            self.waiting.push_back(b'\n');
        }
        self.flush();
    }

    /// Queues a line as it was said before.
    pub fn say_again(&mut self, line: &str) {
        self.waiting.extend(line.as_bytes());
        self.waiting.push_back(b'\n');
        self.flush();
    }

    /// Queues a line that nobody misses, unless others wait already.
    pub fn say_if_free(&mut self, value: &impl Serialize) {
        if self.waiting.is_empty() {
            self.say(value);
        }
    }

    /// Whether the pipe is full.
    pub fn is_waiting(&self) -> bool {
        !self.waiting.is_empty()
    }

    /// Writes what the pipe takes now.
    pub fn flush(&mut self) {
        while !self.waiting.is_empty() {
            match rustix::io::write(self.stdout.as_fd(), self.waiting.as_slices().0) {
                Ok(n) => drop(self.waiting.drain(..n)),
                Err(Errno::INTR) => {}
                Err(Errno::AGAIN) => return,
                // Nobody will ever read it. That the runner is gone is seen elsewhere.
                Err(_) => self.waiting.clear(),
            }
        }
    }

    /// Writes what the pipe takes within this time.
    pub fn flush_within(&mut self, within: Duration) {
        let until = boottime() + within;
        loop {
            self.flush();
            let left = until.saturating_sub(boottime());
            if self.waiting.is_empty() || left.is_zero() || wait_for(self.as_fd(), PollFlags::OUT, left).is_err() {
                return;
            }
        }
    }
}

impl AsFd for Output {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.stdout.as_fd()
    }
}

/// The output of an agent with several threads: whole lines, of whichever thread. Nobody waits for long, for writing never does.
#[derive(Clone)]
pub struct Voice(Arc<Mutex<Output>>);

impl Voice {
    /// That of this output.
    pub fn new(output: Output) -> Self {
        Self(Arc::new(Mutex::new(output)))
    }

    /// As [`Output::say`].
    pub fn say(&self, value: &impl Serialize) {
        self.output().say(value);
    }

    /// The output itself, for as long as nobody has to wait.
    pub fn output(&self) -> MutexGuard<'_, Output> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
