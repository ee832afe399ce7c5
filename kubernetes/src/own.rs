//! What is this machine's own: addresses that belong to it, and with them the pods and nodes in which brunt itself runs.

use std::net::{IpAddr, UdpSocket};

/// An address that a socket can be bound to belongs to an interface of this machine. Nothing is sent.
pub fn is_own(address: IpAddr) -> bool {
    address.is_loopback() || UdpSocket::bind((address, 0)).is_ok()
}
