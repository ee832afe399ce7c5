//! The capabilities of the agent.
//!
//! *Run by root* it keeps those that its faults need ([`KEPT`]) and drops all others, from the bounding set, too, before it acts.
//! Services, and the commands that undo `exec` faults, are programs of the user's: they start with what they would have without
//! brunt (a database that changes to its own user needs SETUID). What root executes gets all that is in the bounding set of the
//! thread that starts it, so one thread keeps that set, and does nothing but start programs ([`Starter`]).
//!
//! *Run by an ordinary user* it has some in a user namespace of brunt's own. A program that is executed by an ordinary user loses what its caller had, unless that stands in the ambient set. The agent
//! needs it, so it is put there for the one thread that starts the agent. Services must not have it: they would be more than
//! the user who runs brunt, and programs that refuse root look for that. So the agent takes it out again before all else; it
//! keeps what it has, and what it starts has nothing.
//!

use std::io;
use std::process::{Child, Command};
use std::sync::OnceLock;
use std::sync::mpsc::{self, Sender};
use std::thread;

use rustix::thread::{
    CapabilitySet, capabilities, capability_is_in_bounding_set, clear_ambient_capability_set,
    configure_capability_in_ambient_set, remove_capability_from_bounding_set, set_capabilities,
};

/// Namespaces can be made and entered; what is in them can be set up, and packets sent there.
const NEEDED: [CapabilitySet; 3] = [CapabilitySet::SYS_ADMIN, CapabilitySet::NET_ADMIN, CapabilitySet::NET_RAW];

/// What the faults of an agent of root's need: to enter namespaces and act on packets there; to look at, signal and limit
/// processes of others; to let what takes memory be gone fast when it is killed; to be woken in time for packets that are due; to write logs and notes into folders of the user who called `sudo`.
pub const KEPT: [CapabilitySet; 8] = [
    CapabilitySet::SYS_ADMIN,
    CapabilitySet::NET_ADMIN,
    CapabilitySet::NET_RAW,
    CapabilitySet::SYS_PTRACE,
    CapabilitySet::KILL,
    CapabilitySet::DAC_OVERRIDE,
    CapabilitySet::SYS_RESOURCE,
    CapabilitySet::SYS_NICE,
];

/// The thread that starts programs of the user's.
static STARTER: OnceLock<Starter> = OnceLock::new();

/// Things to do, one after the other.
struct Starter(Sender<Box<dyn FnOnce() + Send>>);

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

/// Drops what the agent does not need. Call it before there is a second thread, for each has its own.
///
/// # Errors
/// None on a kernel that has capabilities; nothing may be done as if they were dropped.
pub fn drop_others() -> io::Result<()> {
    let (jobs, queue) = mpsc::channel::<Box<dyn FnOnce() + Send>>();
    let (ready, is_ready) = mpsc::channel();
    thread::Builder::new().name("brunt-starter".into()).spawn(move || {
        // Its bounding set stays, for what it starts.
        let _ = ready.send(narrow());
        queue.into_iter().for_each(|job| job());
    })?;
    is_ready.recv().map_err(|_| io::Error::other("the thread that starts programs has panicked"))??;
    // Without SETPCAP nothing can be taken out, and who is not root gets nothing from it anyway.
    if capabilities(None)?.effective.contains(CapabilitySet::SETPCAP) {
        for one in CapabilitySet::all().difference(kept()).iter() {
            // EINVAL for those that this kernel does not know.
            if capability_is_in_bounding_set(one).unwrap_or(false) {
                remove_capability_from_bounding_set(one)?;
            }
        }
    }
    narrow()?;
    let _ = STARTER.set(Starter(jobs));
    Ok(())
}

/// [`KEPT`], as a set.
fn kept() -> CapabilitySet {
    KEPT.into_iter().fold(CapabilitySet::empty(), CapabilitySet::union)
}

/// Of this thread's capabilities only the kept ones are left, and nothing that it executes inherits any.
fn narrow() -> io::Result<()> {
    let mut sets = capabilities(None)?;
    sets.permitted &= kept();
    sets.effective &= kept();
    sets.inheritable = CapabilitySet::empty();
    Ok(set_capabilities(None, sets)?)
}

/// Does something that starts programs of the user's, on the thread whose bounding set is whole; where nothing was dropped
/// (in the runner, in tests) here.
///
/// # Errors
/// The thread has panicked over it.
pub fn as_started_by_the_user<Out: Send + 'static>(what: impl FnOnce() -> Out + Send + 'static) -> io::Result<Out> {
    let Some(Starter(jobs)) = STARTER.get() else { return Ok(what()) };
    let (done, outcome) = mpsc::channel();
    let gone = |_| io::Error::other("the thread that starts programs has panicked");
    // Whoever asked waits below.
    let job = move || drop(done.send(what()));
    jobs.send(Box::new(job)).map_err(|_| gone(mpsc::RecvError))?;
    outcome.recv().map_err(gone)
}

/// Whether this process can make namespaces and set them up.
pub fn are_here() -> bool {
    let needed = CapabilitySet::SYS_ADMIN | CapabilitySet::NET_ADMIN;
    capabilities(None).is_ok_and(|sets| sets.effective.contains(needed))
}
