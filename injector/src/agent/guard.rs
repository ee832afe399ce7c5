//! `brunt agent --guard RUN`: ends the services of a run whose agent was killed.
//!
//! Isolated services keep their namespaces, and the wire to the host, for as long as they live. If runner and agent are both
//! killed nobody else would end them before `brunt cleanup`. So the agent of such a run starts this beside itself: it waits
//! for the end of its standard input, which only the agent's end (of whatever kind) can bring, for nobody else has the other
//! end of that pipe, and then ends everything that carries the run's mark. After an agent that ended as it should it finds
//! nothing to do.

use std::io::{self, Read as _};
use std::process::{Child, Command, Stdio};

use crate::sys;
use crate::undo;

/// The whole life of a guard.
pub fn main(run_id: &str) -> u8 {
    sys::keep_from_children();
    let _ = rustix::process::setsid();
    // What is said does not matter, and an error is an end as well.
    let _ = io::stdin().read_to_end(&mut Vec::new());
    match undo::end_marked(run_id) {
        Ok(_) => 0,
        Err(error) => {
            eprintln!("brunt guard: {error}");
            6
        }
    }
}

/// Starts one; it lasts as long as the child's standard input is held.
pub fn start(run_id: &str) -> io::Result<Child> {
    Command::new(std::env::current_exe()?)
        .args(["agent", "--guard", run_id])
        .stdin(Stdio::piped())
        .stdout(Stdio::null())
        .spawn()
}
