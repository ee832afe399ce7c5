//! Frames of brunt's own on a link, and when they leave it: packet sockets.

#![expect(unsafe_code, reason = "neither rustix nor nix makes the addresses and filters of packet sockets")]

use std::io;
use std::mem::size_of;
use std::os::fd::{AsRawFd, FromRawFd, OwnedFd};

use nix::libc;

/// The first EtherType for experiments in one's own network (IEEE 802): no program waits for it.
pub const ETHER_TYPE: u16 = 0x88b5;
const EVERYTHING: u16 = libc::ETH_P_ALL as u16;

fn done(result: libc::c_int) -> io::Result<libc::c_int> {
    if result < 0 { Err(io::Error::last_os_error()) } else { Ok(result) }
}

/// A packet socket of the calling thread's network namespace that sees nothing yet.
fn socket() -> io::Result<OwnedFd> {
    let kind = libc::SOCK_RAW | libc::SOCK_CLOEXEC | libc::SOCK_NONBLOCK;
    // SAFETY: no memory is involved; what is returned is a descriptor that nobody else has.
    unsafe { done(libc::socket(libc::AF_PACKET, kind, 0)).map(|descriptor| OwnedFd::from_raw_fd(descriptor)) }
}

fn set<T>(socket: &OwnedFd, option: libc::c_int, value: &T) -> io::Result<()> {
    let length = size_of::<T>() as libc::socklen_t;
    // SAFETY: the kernel reads `length` bytes of `value`, which is borrowed and as long, and what a filter points to, which its
    // caller holds.
    let set = unsafe {
        libc::setsockopt(socket.as_raw_fd(), libc::SOL_SOCKET, option, std::ptr::from_ref(value).cast(), length)
    };
    done(set).map(drop)
}

/// Binds it to a link: it then sends there, and sees frames of this type.
fn bind(socket: &OwnedFd, link: u32, ether_type: u16) -> io::Result<()> {
    // SAFETY: all fields are numbers, for which zeroes are fine.
    let mut address: libc::sockaddr_ll = unsafe { std::mem::zeroed() };
    address.sll_family = libc::AF_PACKET as libc::sa_family_t;
    address.sll_protocol = ether_type.to_be();
    address.sll_ifindex = link.cast_signed();
    let length = size_of::<libc::sockaddr_ll>() as libc::socklen_t;
    // SAFETY: the kernel reads `length` bytes of `address`, which lives until the call returns.
    let bound = unsafe { libc::bind(socket.as_raw_fd(), (&raw const address).cast(), length) };
    done(bound).map(drop)
}

/// A socket whose frames leave by this link through the class of this number.
pub fn sender(link: u32, priority: u32) -> io::Result<OwnedFd> {
    let socket = socket()?;
    set(&socket, libc::SO_PRIORITY, &priority)?;
    bind(&socket, link, 0)?;
    Ok(socket)
}

/// A socket that sees frames of [`ETHER_TYPE`] when they leave this link, each with the time (`SCM_TIMESTAMPNS`).
pub fn leaving(link: u32) -> io::Result<OwnedFd> {
    let socket = socket()?;
    let step = |code: u32, jt, jf, k| libc::sock_filter { code: code as u16, jt, jf, k };
    // The half word at 12; if it is the type the whole frame, else nothing.
    let mut program = [
        step(libc::BPF_LD | libc::BPF_H | libc::BPF_ABS, 0, 0, 12),
        step(libc::BPF_JMP | libc::BPF_JEQ | libc::BPF_K, 0, 1, ETHER_TYPE.into()),
        step(libc::BPF_RET | libc::BPF_K, 0, 0, 256),
        step(libc::BPF_RET | libc::BPF_K, 0, 0, 0),
    ];
    let filter = libc::sock_fprog { len: program.len() as u16, filter: program.as_mut_ptr() };
    set(&socket, libc::SO_ATTACH_FILTER, &filter)?;
    set(&socket, libc::SO_TIMESTAMPNS, &1_i32)?;
    bind(&socket, link, EVERYTHING)?;
    Ok(socket)
}
