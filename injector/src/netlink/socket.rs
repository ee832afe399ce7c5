//! A netlink socket: requests out, acknowledgements in.
//!
//! The kernel answers while `send` runs, so reading never waits long; a time-out guards against a kernel that does not answer.
//! A socket belongs to the network namespace in which its thread was when it was made, and stays there when the thread leaves.

use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::time::Duration;

use rustix::net::netlink::SocketAddrNetlink;
use rustix::net::{AddressFamily, Protocol, RecvFlags, SendFlags, SocketFlags, SocketType, sockopt};

use super::message::{Message, Received, messages};

/// `NLM_F_REQUEST`: every message to the kernel has it.
pub const REQUEST: u16 = 1;
/// `NLM_F_ACK`: answer even if all is well.
pub const ACK: u16 = 4;
/// `NLM_F_EXCL`: fail if it is there.
pub const EXCL: u16 = 0x200;
/// `NLM_F_CREATE`: make it if it is not there.
pub const CREATE: u16 = 0x400;
/// `NLM_F_APPEND`: at the end of the list.
pub const APPEND: u16 = 0x800;
/// `NLM_F_DUMP`: all that there are.
pub const DUMP: u16 = 0x300;
/// `NLMSG_ERROR`: an error, or with code 0 an acknowledgement.
const ERROR: u16 = 2;
/// `NLMSG_DONE`: the end of a dump.
const DONE: u16 = 3;
/// No answer of a kernel takes so long.
const PATIENCE: Duration = Duration::from_secs(3);
/// The kernel's own limit for a datagram of a dump.
const DATAGRAM: usize = 32 * 1024;

/// The kernel's refusal of one message.
#[derive(Debug)]
pub struct Refusal {
    /// Of the message that was refused.
    pub sequence: u32,
    /// Why.
    pub why: io::Error,
}

/// One socket, one network namespace.
#[derive(Debug)]
pub struct Socket {
    socket: OwnedFd,
    next: u32,
}

impl Socket {
    /// Opens one in the calling thread's network namespace; `None` is NETLINK_ROUTE, which has the number 0.
    pub fn open(protocol: impl Into<Option<Protocol>>) -> io::Result<Self> {
        let socket =
            rustix::net::socket_with(AddressFamily::NETLINK, SocketType::RAW, SocketFlags::CLOEXEC, protocol.into())?;
        // Port id 0: the kernel picks a free one.
        rustix::net::bind(&socket, &SocketAddrNetlink::new(0, 0))?;
        sockopt::set_socket_timeout(&socket, sockopt::Timeout::Recv, Some(PATIENCE))?;
        Ok(Self { socket, next: 1 })
    }

    /// So many sequence numbers that nobody has used, the first of them.
    pub fn sequence(&mut self, many: u32) -> u32 {
        let first = self.next;
        self.next = self.next.wrapping_add(many).max(1);
        first
    }

    /// Sends; what was refused is read by [`Socket::acknowledged`].
    pub fn send(&self, message: &Message) -> io::Result<()> {
        rustix::net::send(&self.socket, message.bytes(), SendFlags::empty())?;
        Ok(())
    }

    fn receive<'a>(&self, buffer: &'a mut [u8]) -> io::Result<&'a [u8]> {
        let (read, _) =
            rustix::net::recv(&self.socket, &mut *buffer, RecvFlags::empty()).map_err(|error| match error {
                rustix::io::Errno::AGAIN => io::Error::new(io::ErrorKind::TimedOut, "the kernel did not answer"),
                other => other.into(),
            })?;
        Ok(&buffer[..read])
    }

    /// Reads until the acknowledgement of `last`. The first error of `first..=last` wins; one that answers `first` (a batch's
    /// beginning: no right, no such subsystem, a commit that failed) is the only answer there will be.
    pub fn acknowledged(&self, first: u32, last: u32) -> Result<(), Refusal> {
        let mut refusal = None;
        let mut buffer = vec![0; DATAGRAM];
        loop {
            let datagram = self.receive(&mut buffer).map_err(|why| Refusal { sequence: first, why })?;
            for answer in messages(datagram).filter(|answer| answer.kind == ERROR) {
                let Received { sequence, body, .. } = answer;
                // Answers to older requests may be left when one of those gave up.
                if !(first..=last).contains(&sequence) {
                    continue;
                }
                let code = body.first_chunk().map_or(0, |code| i32::from_ne_bytes(*code));
                if code != 0 {
                    let why = io::Error::from_raw_os_error(-code);
                    refusal = refusal.or(Some(Refusal { sequence, why }));
                }
                if sequence == last || (sequence == first && code != 0) {
                    return refusal.map_or(Ok(()), Err);
                }
            }
        }
    }

    /// Sends one request and waits until it is done.
    ///
    /// # Errors
    /// What the kernel refused, with its error number: EEXIST, EPERM, ...
    pub fn request(
        &mut self,
        kind: u16,
        flags: u16,
        head: &[u8],
        attributes: impl FnOnce(&mut Message),
    ) -> io::Result<()> {
        let asked = self.sequence(1);
        let mut message = Message::default();
        message.push(kind, REQUEST | ACK | flags, asked, head, attributes);
        self.send(&message)?;
        self.acknowledged(asked, asked).map_err(|refusal| refusal.why)
    }

    /// Sends a request whose answer is a list, and gives each of its messages to `each`.
    pub fn dump(
        &mut self,
        kind: u16,
        head: &[u8],
        attributes: impl FnOnce(&mut Message),
        mut each: impl FnMut(&[u8]),
    ) -> io::Result<()> {
        let asked = self.sequence(1);
        let mut message = Message::default();
        message.push(kind, REQUEST | DUMP, asked, head, attributes);
        self.send(&message)?;
        let mut buffer = vec![0; DATAGRAM];
        loop {
            let datagram = self.receive(&mut buffer)?;
            for answer in messages(datagram).filter(|answer| answer.sequence == asked) {
                match answer.kind {
                    DONE => return Ok(()),
                    ERROR => {
                        let code = answer.body.first_chunk().map_or(0, |code| i32::from_ne_bytes(*code));
                        return if code == 0 { Ok(()) } else { Err(io::Error::from_raw_os_error(-code)) };
                    }
                    _ => each(answer.body),
                }
            }
        }
    }
}

impl AsFd for Socket {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.socket.as_fd()
    }
}
