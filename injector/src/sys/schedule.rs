//! Who goes first when there are fewer processors than threads that want to run.

#![expect(unsafe_code, reason = "neither rustix nor nix sets a scheduling policy")]

use std::io;

use nix::libc;

/// This thread runs as soon as it is woken (SCHED_FIFO, the lowest of its priorities), before every ordinary one. Threads and
/// programs that it starts do not inherit that. The kernel keeps a share of each processor for the others
/// (`sched_rt_runtime_us`, 5 % by default).
///
/// # Errors
/// EPERM without CAP_SYS_NICE, which nobody has in a user namespace, and where RLIMIT_RTPRIO is 0.
pub fn wake_first() -> io::Result<()> {
    let lowest = libc::sched_param { sched_priority: 1 };
    // SAFETY: 0 is the calling thread; the kernel reads one `sched_param` during the call, and it lives until the call returns.
    let done = unsafe { libc::sched_setscheduler(0, libc::SCHED_FIFO | libc::SCHED_RESET_ON_FORK, &raw const lowest) };
    if done == 0 { Ok(()) } else { Err(io::Error::last_os_error()) }
}
