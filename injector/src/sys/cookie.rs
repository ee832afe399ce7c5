//! Which network namespace a socket belongs to, as a number that is never given twice.

#![expect(unsafe_code, reason = "neither rustix nor nix has this socket option")]

use std::io;
use std::os::fd::{AsRawFd, BorrowedFd};

use nix::libc;

/// `getsockopt(SOL_SOCKET, SO_NETNS_COOKIE)`, since Linux 5.14.
pub fn namespace_cookie(socket: BorrowedFd<'_>) -> io::Result<u64> {
    let mut cookie: u64 = 0;
    let mut length = size_of::<u64>() as libc::socklen_t;
    // SAFETY: the descriptor is borrowed, hence open; the kernel writes at most `length` bytes, which is the size of
    // `cookie`, and both live until the call returns.
    let done = unsafe {
        libc::getsockopt(
            socket.as_raw_fd(),
            libc::SOL_SOCKET,
            libc::SO_NETNS_COOKIE,
            (&raw mut cookie).cast(),
            &raw mut length,
        )
    };
    if done == 0 { Ok(cookie) } else { Err(io::Error::last_os_error()) }
}
