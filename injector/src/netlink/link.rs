//! Interfaces: pairs of virtual ones into two namespaces, up and down, and the list of all.

use std::io;
use std::os::fd::{AsRawFd, BorrowedFd};

use super::message::find;
use super::socket::{CREATE, EXCL};
use super::{Message, Socket};

const NEW_LINK: u16 = 16;
const DELETE_LINK: u16 = 17;
const GET_LINK: u16 = 18;
/// Bytes of `struct ifinfomsg`.
const HEAD: usize = 16;
/// `ARPHRD_ETHER`.
const ETHERNET: u16 = 1;
/// `IFF_UP`.
const UP: u32 = 1;
/// `IFNAMSIZ` without the zero byte.
pub const LONGEST_NAME: usize = 15;

/// An interface of a namespace.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Link {
    /// Its number in its namespace.
    pub index: u32,
    /// Its name there.
    pub name: String,
    /// The text that its maker has put beside it (`ip link` shows it as alias); empty if there is none.
    pub alias: String,
    /// Somebody has set it up.
    pub up: bool,
    /// How many packets may wait in queues that do not say it themselves (`txqueuelen`).
    pub queue: u32,
    /// It carries what another link of this namespace carries, too: a VLAN, a tunnel with a link below, a part of a bridge or
    /// bond. Whoever acts on both acts twice.
    pub is_stacked: bool,
    /// Its hardware address, where it is Ethernet.
    pub address: Option<[u8; 6]>,
}

/// A socket for the links, addresses and routes of the calling thread's namespace.
pub fn open() -> io::Result<Socket> {
    Socket::open(None)
}

/// `struct ifinfomsg`: family, kind, number, flags and which of them are meant.
fn head(index: u32, flags: u32, change: u32) -> Vec<u8> {
    let mut head = vec![0; 4];
    for number in [index, flags, change] {
        head.extend(number.to_ne_bytes());
    }
    head
}

/// Makes a pair: one end here, called `name`, the other in `peer`, called `peer_name`. Both are down.
///
/// # Errors
/// EEXIST: one of the names is taken. EPERM: CAP_NET_ADMIN over both namespaces is needed. EOPNOTSUPP: no veth.
pub fn add_pair(socket: &mut Socket, name: &str, alias: &str, peer: BorrowedFd<'_>, peer_name: &str) -> io::Result<()> {
    socket.request(NEW_LINK, CREATE | EXCL, &head(0, 0, 0), |link| {
        link.name(3, name); // IFLA_IFNAME
        link.nest(18, |info| {
            // IFLA_LINKINFO
            info.name(1, "veth"); // IFLA_INFO_KIND
            info.nest(2, |data| {
                // IFLA_INFO_DATA { VETH_INFO_PEER }: a whole link message without its netlink header
                data.nest_after(1, &head(0, 0, 0), |end| {
                    end.name(3, peer_name); // IFLA_IFNAME
                    end.attribute(28, &peer.as_raw_fd().to_ne_bytes()); // IFLA_NET_NS_FD
                });
            });
        });
    })?;
    if alias.is_empty() {
        return Ok(());
    }
    // An alias is not taken while a link is being made.
    let index = by_name(socket, name)?.index;
    set_alias(socket, index, alias)
}

/// Makes an intermediate functional block: what is sent to it comes back to where it was taken from. It is down.
///
/// # Errors
/// EEXIST: the name is taken. EOPNOTSUPP: the kernel has none (`modprobe ifb`).
pub fn add_ifb(socket: &mut Socket, name: &str) -> io::Result<()> {
    socket.request(NEW_LINK, CREATE | EXCL, &head(0, 0, 0), |link| {
        link.name(3, name); // IFLA_IFNAME
        link.nest(18, |info| info.name(1, "ifb")); // IFLA_LINKINFO { IFLA_INFO_KIND }
    })
}

/// Puts a text beside an interface, by which a person finds out whose it is.
pub fn set_alias(socket: &mut Socket, index: u32, alias: &str) -> io::Result<()> {
    socket.request(NEW_LINK, 0, &head(index, 0, 0), |link| link.attribute(20, alias.as_bytes())) // IFLA_IFALIAS
}

/// Sets an interface up.
pub fn set_up(socket: &mut Socket, index: u32) -> io::Result<()> {
    socket.request(NEW_LINK, 0, &head(index, UP, UP), |_| ())
}

/// Sets how many packets may wait in queues that do not say it themselves.
pub fn set_queue(socket: &mut Socket, index: u32, packets: u32) -> io::Result<()> {
    socket.request(NEW_LINK, 0, &head(index, 0, 0), |link| link.attribute(13, &packets.to_ne_bytes())) // IFLA_TXQLEN
}

/// Removes an interface; of a pair the other end goes with it.
///
/// # Errors
/// ENODEV: there is none.
pub fn remove(socket: &mut Socket, index: u32) -> io::Result<()> {
    socket.request(DELETE_LINK, 0, &head(index, 0, 0), |_| ())
}

/// All interfaces of the namespace.
pub fn all(socket: &mut Socket) -> io::Result<Vec<Link>> {
    let mut links = Vec::new();
    socket.dump(GET_LINK, &head(0, 0, 0), |_: &mut Message| (), |body| links.extend(read(body)))?;
    Ok(links)
}

/// The interface of this name.
///
/// # Errors
/// `NotFound` if there is none.
pub fn by_name(socket: &mut Socket, name: &str) -> io::Result<Link> {
    let missing = || io::Error::new(io::ErrorKind::NotFound, format!("no interface `{name}`"));
    all(socket)?.into_iter().find(|link| link.name == name).ok_or_else(missing)
}

fn read(body: &[u8]) -> Option<Link> {
    let index = u32::from_ne_bytes(*body.get(4..)?.first_chunk()?);
    let flags = u32::from_ne_bytes(*body.get(8..)?.first_chunk()?);
    let described = body.get(HEAD..)?;
    let kind = u16::from_ne_bytes(*body.get(2..)?.first_chunk()?);
    let text =
        |kind| find(described, kind).map(|bytes| String::from_utf8_lossy(bytes).trim_end_matches('\0').to_owned());
    // IFLA_TXQLEN
    let queue =
        find(described, 13).and_then(|bytes| Some(u32::from_ne_bytes(*bytes.first_chunk()?))).unwrap_or_default();
    // IFLA_LINK; what is below is elsewhere where IFLA_LINK_NETNSID says so: the other end of a veth, as a rule.
    let below = find(described, 5).and_then(|bytes| Some(u32::from_ne_bytes(*bytes.first_chunk()?)));
    let stands_on = below.is_some_and(|below| below != 0 && below != index) && find(described, 37).is_none();
    // IFLA_MASTER
    let is_stacked = stands_on || find(described, 10).is_some();
    let (alias, up) = (text(20).unwrap_or_default(), flags & UP != 0);
    // IFLA_ADDRESS
    let address = find(described, 1).and_then(|bytes| bytes.try_into().ok()).filter(|_| kind == ETHERNET);
    Some(Link { index, name: text(3)?, alias, up, queue, is_stacked, address })
}
