//! Does nothing until it is told to end: the first process of each pod, which holds the pod's namespaces open. Where a pod
//! shares its process ids, orphans come to it and it buries them.

use nix::errno::Errno;
use nix::sys::signal::{SigSet, Signal};
use nix::sys::wait::{WaitPidFlag, WaitStatus, waitpid};

fn main() {
    let mut signals = SigSet::empty();
    [Signal::SIGTERM, Signal::SIGINT, Signal::SIGCHLD].into_iter().for_each(|signal| signals.add(signal));
    signals.thread_block().expect("every process may block signals");
    while signals.wait().expect("the set is not empty") == Signal::SIGCHLD {
        while !matches!(waitpid(None, Some(WaitPidFlag::WNOHANG)), Ok(WaitStatus::StillAlive) | Err(Errno::ECHILD)) {}
    }
}
