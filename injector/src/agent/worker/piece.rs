//! Memory in pieces of which each is a process, so that the kernel finds the next piece where it would find the target.

use std::io::{self, Write as _};
use std::process::{Child, ChildStdin, Command, Stdio};
use std::thread;

use super::Task;

/// So many pieces there are, but none is smaller than so many bytes: each is a process with something of its own.
const PIECES: u64 = 12;
const LEAST: u64 = 4 << 20;

/// One of them. It ends with its standard input, as every worker does.
#[derive(Debug)]
pub struct Piece(ChildStdin);

/// Starts them in this process's own cgroup. When one of them ends this process does, and so do the others.
///
/// # Errors
/// Those of starting a program; those that were started end then.
pub fn all_of(bytes: u64) -> io::Result<Vec<Piece>> {
    let count = (bytes / LEAST).clamp(1, PIECES);
    let sizes = (0..count).map(|index| bytes / count + u64::from(index < bytes % count));
    sizes.map(Piece::start).collect()
}

impl Piece {
    fn start(bytes: u64) -> io::Result<Self> {
        let mut child = Command::new(std::env::current_exe()?)
            .args(["agent", "--worker"])
            .stdin(Stdio::piped())
            .stdout(Stdio::null())
            .spawn()?;
        let mut input = child.stdin.take().ok_or_else(|| io::Error::other("it has no standard input"))?;
        let mut order = serde_json::to_vec(&Task::HoldPiece { bytes })?;
        order.push(b'\n');
        input.write_all(&order)?;
        thread::Builder::new().spawn(move || end_with(&mut child))?;
        Ok(Self(input))
    }

    /// Passes the lease on.
    pub fn beat(&mut self) {
        // One that is gone ends this process, too.
        let _ = self.0.write_all(b"\n");
    }
}

/// The level is not reached any more once a piece is gone.
fn end_with(child: &mut Child) {
    let status = child.wait().map_or_else(|error| error.to_string(), crate::process::in_words);
    eprintln!("a piece of its memory is gone ({status}): by the kernel, if memory ran out, or by somebody");
    std::process::exit(1);
}
