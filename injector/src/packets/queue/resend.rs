//! Packets that leave a namespace later than they were made, or twice.
//!
//! A packet that waits where it was made is charged to its sender's socket all the while: TCP with 50 ms was held down to
//! 0.9 Mbit/s, UDP stopped at 256 packets. So a copy is kept, the packet itself goes no further, and the copy is sent by a
//! raw socket when it is time. Copies carry a mark, and the rule that gives packets to the queue spares what carries it: a
//! copy is never queued again, so copies cannot breed.

use std::io;
use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr};

use socket2::{Domain, Protocol, SockAddr, Socket, Type};

/// `SO_MARK` of what is sent again. Bits 14 and 15 are left to kube-proxy, the upper half to others that route by mark.
pub const MARK: u32 = 0x0b21;

/// `IPPROTO_RAW`: the packet brings its own header.
const RAW: i32 = 255;

/// Raw sockets of the namespace in which they were made.
pub(super) struct Resending {
    v4: Socket,
    /// `None`: IPv6 is switched off.
    v6: Option<Socket>,
}

impl Resending {
    /// # Errors
    /// No CAP_NET_RAW or CAP_NET_ADMIN over the calling thread's namespace.
    pub fn new() -> io::Result<Self> {
        let open = |domain| {
            let socket = Socket::new(domain, Type::RAW, Some(Protocol::from(RAW)))?;
            socket.set_mark(MARK)?;
            socket.set_nonblocking(true)?;
            Ok::<_, io::Error>(socket)
        };
        Ok(Self { v4: open(Domain::IPV4)?, v6: open(Domain::IPV6).ok() })
    }

    /// Sends a packet, from its network header on.
    pub fn send(&self, packet: &[u8]) -> io::Result<()> {
        let unread = || io::Error::new(io::ErrorKind::InvalidData, "not a packet of IPv4 or IPv6");
        let bytes = |at: usize| packet.get(at..).ok_or_else(unread);
        let (socket, to): (&Socket, SocketAddr) = match packet.first().map(|first| first >> 4) {
            Some(4) => {
                let to = Ipv4Addr::from(*bytes(16)?.first_chunk::<4>().ok_or_else(unread)?);
                (&self.v4, (to, 0).into())
            }
            Some(6) => {
                let to = Ipv6Addr::from(*bytes(24)?.first_chunk::<16>().ok_or_else(unread)?);
                (self.v6.as_ref().ok_or_else(unread)?, (to, 0).into())
            }
            _ => return Err(unread()),
        };
        match socket.send_to(packet, &SockAddr::from(to)) {
            // A rule has dropped it on its way out, another fault's or the host's, as it would have dropped the packet itself.
            Err(error) if error.raw_os_error() == Some(nix::libc::EPERM) => Ok(()),
            sent => sent.map(drop),
        }
    }
}

/// Copies of packets by number; their room is used again.
#[derive(Default)]
pub(super) struct Copies {
    packets: Vec<Vec<u8>>,
    free: Vec<u32>,
}

impl Copies {
    pub fn keep(&mut self, packet: &[u8]) -> u32 {
        let number = self.free.pop().unwrap_or_else(|| {
            self.packets.push(Vec::new());
            u32::try_from(self.packets.len() - 1).expect("fewer packets than fit into memory")
        });
        let room = &mut self.packets[number as usize];
        room.clear();
        room.extend_from_slice(packet);
        number
    }

    /// How many are kept.
    pub fn kept(&self) -> usize {
        self.packets.len() - self.free.len()
    }

    pub fn get(&self, number: u32) -> &[u8] {
        &self.packets[number as usize]
    }

    pub fn free(&mut self, number: u32) {
        self.free.push(number);
    }
}
