//! Whoever started brunt may have leaked descriptors into it. Services are strangers' programs that may outlive a run
//! for a moment, so they must not get them: a leaked write end would keep a pipe open for ever.

#![expect(unsafe_code, reason = "an inherited descriptor has no owner, only its number is known")]

use std::os::fd::{BorrowedFd, RawFd};

use rustix::io::{FdFlags, fcntl_setfd};

/// Marks everything above standard error as not to be passed on (FD_CLOEXEC).
pub fn keep_from_children() {
    let Ok(entries) = std::fs::read_dir("/proc/self/fd") else { return };
    let numbers = entries.flatten().filter_map(|entry| entry.file_name().to_str()?.parse::<RawFd>().ok());
    for number in numbers.filter(|number| *number > 2) {
        // SAFETY: the number was listed just now, so it is not -1, and only a flag of the descriptor is set: whoever
        // owns it, or closes it meanwhile (EBADF), loses nothing.
        let _ = fcntl_setfd(unsafe { BorrowedFd::borrow_raw(number) }, FdFlags::CLOEXEC);
    }
}
