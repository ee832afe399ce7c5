//! Addresses of interfaces.

use std::io;
use std::net::IpAddr;

use super::Socket;
use super::socket::{CREATE, EXCL};

const NEW_ADDRESS: u16 = 20;
/// `IFA_F_NODAD`: use an IPv6 address at once, without asking the wire for a second whether somebody else has it.
const NO_DUPLICATE_DETECTION: u32 = 2;

/// The number of the address family.
pub(super) fn family(address: IpAddr) -> u8 {
    let family = match address {
        IpAddr::V4(_) => nix::libc::AF_INET,
        IpAddr::V6(_) => nix::libc::AF_INET6,
    };
    u8::try_from(family).expect("families have small numbers")
}

/// The address as it travels.
pub(super) fn octets(address: IpAddr) -> Vec<u8> {
    match address {
        IpAddr::V4(address) => address.octets().to_vec(),
        IpAddr::V6(address) => address.octets().to_vec(),
    }
}

/// Bits of an address of this family.
pub(super) fn width(address: IpAddr) -> u8 {
    if address.is_ipv4() { 32 } else { 128 }
}

/// Gives an interface an address of its own, with no network around it: what is behind it takes a route.
///
/// # Errors
/// EEXIST: it has it already.
pub fn add(socket: &mut Socket, index: u32, address: IpAddr) -> io::Result<()> {
    // struct ifaddrmsg: family, prefix length, flags, scope (universe), interface
    let mut head = vec![family(address), width(address), 0, 0];
    head.extend(index.to_ne_bytes());
    socket.request(NEW_ADDRESS, CREATE | EXCL, &head, |part| {
        part.attribute(2, &octets(address)); // IFA_LOCAL
        part.attribute(1, &octets(address)); // IFA_ADDRESS
        if address.is_ipv6() {
            part.attribute(8, &NO_DUPLICATE_DETECTION.to_ne_bytes()); // IFA_FLAGS
        }
    })
}
