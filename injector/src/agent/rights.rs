//! The capabilities of the agent of an ordinary user, who has some in a user namespace of brunt's own.
//!
//! A program that is executed by an ordinary user loses what its caller had, unless that stands in the ambient set. The agent
//! needs it, so it is put there for the one thread that starts the agent. Services must not have it: they would be more than
//! the user who runs brunt, and programs that refuse root look for that. So the agent takes it out again before all else; it
//! keeps what it has, and what it starts has nothing.
//!
//! For root nothing changes: what root executes is root's, whatever the ambient set says.

use std::io;
use std::process::{Child, Command};
use std::thread;

use rustix::thread::{
    CapabilitySet, capabilities, clear_ambient_capability_set, configure_capability_in_ambient_set, set_capabilities,
};

/// Namespaces can be made and entered; what is in them can be set up, and packets sent there.
const NEEDED: [CapabilitySet; 3] = [CapabilitySet::SYS_ADMIN, CapabilitySet::NET_ADMIN, CapabilitySet::NET_RAW];

/// Starts the agent with those of the needed capabilities that the caller has.
///
/// # Errors
/// Those of starting a program.
pub fn start_with(command: &mut Command) -> io::Result<Child> {
    thread::scope(|scope| {
        let starter = thread::Builder::new().name("brunt-start".into()).spawn_scoped(scope, || {
            pass_on()?;
            command.spawn()
        })?;
        starter.join().map_err(|_| io::Error::other("the thread that starts it has panicked"))?
    })
}

/// What this thread has of them is there in the next program that it executes.
fn pass_on() -> io::Result<()> {
    let mut sets = capabilities(None)?;
    let has: Vec<_> = NEEDED.into_iter().filter(|one| sets.permitted.contains(*one)).collect();
    if has.is_empty() {
        return Ok(());
    }
    for one in &has {
        sets.inheritable |= *one;
    }
    set_capabilities(None, sets)?;
    has.into_iter().try_for_each(|one| Ok(configure_capability_in_ambient_set(one, true)?))
}

/// From now on nothing that this process executes has them.
///
/// # Errors
/// None on a kernel that has an ambient set (Linux 4.3).
pub fn keep_from_children() -> io::Result<()> {
    clear_ambient_capability_set()?;
    let mut sets = capabilities(None)?;
    sets.inheritable = CapabilitySet::empty();
    Ok(set_capabilities(None, sets)?)
}

/// Whether this process can make namespaces and set them up.
pub fn are_here() -> bool {
    let needed = CapabilitySet::SYS_ADMIN | CapabilitySet::NET_ADMIN;
    capabilities(None).is_ok_and(|sets| sets.effective.contains(needed))
}
