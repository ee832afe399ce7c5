//! nfnetlink_queue: packets that wait in the kernel until this program has decided about them.
//!
//! The kernel numbers the packets of a queue without gaps as it sends them, so a missing number is one that did not fit into
//! the socket's buffer (the kernel has dropped it: `user_dropped`). A packet that found too many others waiting has no number
//! at all (`queue_dropped`, only in /proc). One that was thrown away while it waited, because somebody removed a base chain
//! of any table in the namespace, is seen when its verdict is answered with ENOENT. All three are counted here: what a queue
//! loses by itself looks like the fault that it should make, but is not.
//!
//! A verdict for many packets covers all that wait up to a number; who uses it keeps a record of what waits.
//!
//! Sources: `include/uapi/linux/netfilter/nfnetlink_queue.h`, `net/netfilter/nfnetlink_queue.c`.

use std::fs::File;
use std::io::{self, IoSliceMut};
use std::os::fd::{AsFd, AsRawFd, BorrowedFd};
use std::os::unix::fs::FileExt;

use nix::errno::Errno;
use nix::sys::socket::{MsgFlags, MultiHeaders, recvmmsg};
use rustix::net::netlink::NETFILTER;
use rustix::net::sockopt;

use super::message::{Message, find, messages};
use super::socket::{ACK, REQUEST, Socket};

/// `NFNL_SUBSYS_QUEUE` in the high byte of a message's type, with `NFQNL_MSG_*` in the low one.
const PACKET: u16 = 3 << 8;
const VERDICT: u16 = 3 << 8 | 1;
const CONFIG: u16 = 3 << 8 | 2;
const VERDICT_BATCH: u16 = 3 << 8 | 3;
/// `NLMSG_ERROR`.
const ERROR: u16 = 2;
/// `NF_DROP`, `NF_ACCEPT`.
const DROP: u32 = 0;
const ACCEPT: u32 = 1;
/// `NFQA_CFG_F_FAIL_OPEN`, `NFQA_CFG_F_GSO`: both off. With the first an overflow would pass, unseen and out of order; with the
/// second a "packet" would be up to forty segments.
const OFF: u32 = 1 | 4;
/// Datagrams of one system call.
const AT_ONCE: usize = 64;
/// Header and attributes of one packet without its bytes.
const ABOUT: usize = 384;
/// Asked for; who may not force it gets what `net.core.rmem_max` allows. 208 KiB, the usual default, are full at 512 packets.
const RECEIVE_BUFFER: usize = 64 << 20;
/// Verdicts are sent when there are so many bytes of them.
const FULL: usize = 16 << 10;

/// How much of each packet is copied to this program.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Copied {
    /// Its first bytes: addresses and ports.
    Head,
    /// All of it.
    Whole,
}

impl Copied {
    fn bytes(self) -> usize {
        match self {
            // 40 of IPv6 without extensions, 4 of ports.
            Self::Head => 64,
            Self::Whole => 0xffff,
        }
    }
}

/// A queue is bound, or could not be.
#[derive(Debug, thiserror::Error)]
pub enum BindError {
    /// Another program has this number.
    #[error("NFQUEUE {0} belongs to another program")]
    Taken(u16),
    /// The kernel has no such thing, or this user may not have it.
    #[error("cannot bind NFQUEUE {number}: {why}")]
    Refused {
        /// The queue.
        number: u16,
        /// What the kernel said.
        why: io::Error,
    },
}

/// A packet that waits.
#[derive(Debug, Clone, Copy)]
pub struct Waiting<'a> {
    /// Its number; the next one has the next number, 0 follows 2^32 - 1.
    pub id: u32,
    /// What was copied, from the network header on.
    pub bytes: &'a [u8],
}

/// What the queue lost by itself.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Losses {
    /// Did not fit into the socket's buffer: this program was too slow.
    pub unread: u64,
    /// Found too many others waiting.
    pub overflowed: u64,
    /// Thrown away while they waited; each stands for at least one packet.
    pub vanished: u64,
    /// How often the kernel said that the buffer was full (ENOBUFS).
    pub warned: u64,
}

impl Losses {
    /// Whether nothing was lost.
    pub fn none(self) -> bool {
        self == Self::default()
    }
}

/// A bound queue of the namespace in which [`Queue::bind`] was called.
pub struct Queue {
    socket: Socket,
    number: u16,
    /// `/proc/net/netfilter/nfnetlink_queue` of the namespace.
    table: Option<File>,
    buffer: Vec<u8>,
    each: usize,
    headers: MultiHeaders<()>,
    /// Verdicts that were not sent yet.
    verdicts: Message,
    /// The last number that was read; the first packet of a queue has 1.
    last: u32,
    /// Numbers that were never read. The kernel's own count of the same comes later or sooner, so neither is added to the other.
    skipped: u64,
    losses: Losses,
}

impl Queue {
    /// Binds `number`, with room for `room` packets that wait. The first rule that gives packets to it may only be made
    /// afterwards: a queue that is bound and not yet configured drops everything, so both is done in one message.
    ///
    /// # Errors
    /// See [`BindError`]; nothing has changed then.
    pub fn bind(number: u16, copied: Copied, room: u32) -> Result<Self, BindError> {
        let refused = |why| BindError::Refused { number, why };
        let mut socket = Socket::open(NETFILTER).map_err(refused)?;
        // As a user of a namespace one may not force it.
        let _ = sockopt::set_socket_recv_buffer_size_force(&socket, RECEIVE_BUFFER)
            .or_else(|_| sockopt::set_socket_recv_buffer_size(&socket, RECEIVE_BUFFER));
        let sequence = socket.sequence(1);
        let mut message = Message::default();
        message.push(CONFIG, REQUEST | ACK, sequence, &head(number), |message| {
            // NFQA_CFG_CMD: NFQNL_CFG_CMD_BIND; the address family means nothing since Linux 3.8.
            message.attribute(1, &[1, 0, 0, 0]);
            // NFQA_CFG_PARAMS: how much to copy, NFQNL_COPY_PACKET.
            let range = u32::try_from(copied.bytes()).expect("at most 65,535");
            message.attribute(2, &[&range.to_be_bytes()[..], &[2]].concat());
            message.be32(3, room); // NFQA_CFG_QUEUE_MAXLEN
            message.be32(4, OFF); // NFQA_CFG_MASK: which flags are meant
            message.be32(5, 0); // NFQA_CFG_FLAGS
        });
        socket.send(&message).map_err(refused)?;
        socket.acknowledged(sequence, sequence).map_err(|refusal| match refusal.why.raw_os_error() {
            // Without the right the answer is EPERM, too, but then it is so whatever is asked for.
            Some(nix::libc::EPERM | nix::libc::EBUSY) if may_ask(&mut socket) => BindError::Taken(number),
            _ => refused(refusal.why),
        })?;
        let each = (copied.bytes() + ABOUT).next_multiple_of(64);
        Ok(Self {
            socket,
            number,
            table: File::open(TABLE).ok(),
            buffer: vec![0; each * AT_ONCE],
            each,
            headers: MultiHeaders::preallocate(AT_ONCE, None),
            verdicts: Message::default(),
            last: 0,
            skipped: 0,
            losses: Losses::default(),
        })
    }

    /// Reads some of what has come and gives each packet to `each`; never waits. Returns how many there were: 0 means that
    /// there is nothing now.
    pub fn read(&mut self, mut each: impl FnMut(Waiting<'_>)) -> io::Result<usize> {
        let Self { socket, buffer, headers, last, skipped, losses, .. } = self;
        let mut slices = buffer.chunks_mut(self.each).map(|chunk| [IoSliceMut::new(chunk)]);
        let mut slices: [_; AT_ONCE] =
            std::array::from_fn(|_| slices.next().expect("the buffer is as long as so many chunks"));
        let fd = socket.as_fd().as_raw_fd();
        let read = match recvmmsg(fd, headers, slices.iter_mut(), MsgFlags::MSG_DONTWAIT, None) {
            Ok(read) => read,
            Err(Errno::EAGAIN | Errno::EINTR) => return Ok(0),
            Err(Errno::ENOBUFS) => {
                losses.warned += 1;
                // There may be packets behind the warning.
                return Ok(1);
            }
            Err(error) => return Err(error.into()),
        };
        let mut count = 0;
        for datagram in read {
            count += 1;
            for message in datagram.iovs().flat_map(messages) {
                match message.kind {
                    PACKET => {
                        let attributes = message.body.get(4..).unwrap_or(&[]);
                        // NFQA_PACKET_HDR: struct nfqnl_msg_packet_hdr begins with the number.
                        let Some(id) = find(attributes, 1).and_then(|header| header.first_chunk()) else { continue };
                        let id = u32::from_be_bytes(*id);
                        *skipped += u64::from(id.wrapping_sub(*last).wrapping_sub(1));
                        losses.unread = losses.unread.max(*skipped);
                        *last = id;
                        each(Waiting { id, bytes: find(attributes, 10).unwrap_or(&[]) }); // NFQA_PAYLOAD
                    }
                    ERROR => losses.vanished += 1,
                    _ => {}
                }
            }
        }
        Ok(count)
    }

    /// The packet goes no further.
    pub fn drop_one(&mut self, id: u32) -> io::Result<()> {
        self.verdict(VERDICT, DROP, id, None)
    }

    /// The packet goes on.
    pub fn accept(&mut self, id: u32) -> io::Result<()> {
        self.verdict(VERDICT, ACCEPT, id, None)
    }

    /// The packet goes on with other bytes.
    pub fn accept_changed(&mut self, id: u32, bytes: &[u8]) -> io::Result<()> {
        self.verdict(VERDICT, ACCEPT, id, Some(bytes))
    }

    /// All that wait up to this number go on, those without a verdict of their own.
    pub fn accept_up_to(&mut self, id: u32) -> io::Result<()> {
        self.verdict(VERDICT_BATCH, ACCEPT, id, None)
    }

    fn verdict(&mut self, kind: u16, verdict: u32, id: u32, bytes: Option<&[u8]>) -> io::Result<()> {
        let mut header = [0; 8]; // struct nfqnl_msg_verdict_hdr
        header[..4].copy_from_slice(&verdict.to_be_bytes());
        header[4..].copy_from_slice(&id.to_be_bytes());
        // No acknowledgement is asked for: only errors come back.
        self.verdicts.push(kind, REQUEST, 0, &head(self.number), |message| {
            message.attribute(2, &header); // NFQA_VERDICT_HDR
            if let Some(bytes) = bytes {
                message.attribute(10, bytes); // NFQA_PAYLOAD
            }
        });
        if self.verdicts.bytes().len() > FULL { self.flush() } else { Ok(()) }
    }

    /// Sends the verdicts that were given so far. They act in the order in which they were given.
    pub fn flush(&mut self) -> io::Result<()> {
        if !self.verdicts.bytes().is_empty() {
            self.socket.send(&self.verdicts)?;
            self.verdicts.clear();
        }
        Ok(())
    }

    /// Whether the kernel tells how many packets wait, and how many were dropped because too many did; an ordinary user in a
    /// user namespace is not told.
    pub fn is_told(&self) -> bool {
        self.table.is_some()
    }

    /// How many packets the kernel holds for this queue, those among them that were not read yet too, and what was lost.
    /// `None`: nobody tells, see [`Queue::is_told`].
    pub fn waiting(&mut self) -> Option<u32> {
        let mut text = [0; 4096];
        let read = self.table.as_ref()?.read_at(&mut text, 0).ok()?;
        let row = row(std::str::from_utf8(&text[..read]).ok()?, self.number)?;
        self.losses.overflowed = row.overflowed;
        // The last ones that did not fit are missed only when another one comes.
        self.losses.unread = self.losses.unread.max(row.unread);
        Some(row.waiting)
    }

    /// What was lost so far; what overflowed, as of the last call of [`Queue::waiting`].
    pub fn losses(&self) -> Losses {
        self.losses
    }
}

impl AsFd for Queue {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.socket.as_fd()
    }
}

/// `struct nfgenmsg`: no family, version 0, the queue.
fn head(number: u16) -> [u8; 4] {
    let [high, low] = number.to_be_bytes();
    [0, 0, high, low]
}

/// Of the calling thread's namespace: `/proc/net` is that of the process's first thread.
const TABLE: &str = "/proc/thread-self/net/netfilter/nfnetlink_queue";

#[derive(Debug, PartialEq, Eq)]
struct Row {
    waiting: u32,
    overflowed: u64,
    unread: u64,
}

/// `queue_number peer_portid queue_total copy_mode copy_range queue_dropped user_dropped id_sequence 1`
fn row(text: &str, number: u16) -> Option<Row> {
    text.lines().find_map(|line| {
        let mut words = line.split_whitespace();
        (words.next()?.parse() == Ok(number)).then_some(())?;
        let waiting = words.nth(1)?.parse().ok()?;
        let overflowed = words.nth(2)?.parse().ok()?;
        Some(Row { waiting, overflowed, unread: words.next()?.parse().ok()? })
    })
}

/// Whether the kernel lets us ask for queues at all: NFQNL_CFG_CMD_PF_BIND does nothing since Linux 3.8, and is refused only
/// for want of the right. The table of the queues would tell it, too, but an ordinary user in a user namespace of their own,
/// where no root is mapped, may not read it.
fn may_ask(socket: &mut Socket) -> bool {
    let sequence = socket.sequence(1);
    let mut message = Message::default();
    message.push(CONFIG, REQUEST | ACK, sequence, &head(0), |message| message.attribute(1, &[3, 0, 0, 2]));
    socket.send(&message).is_ok() && socket.acknowledged(sequence, sequence).is_ok()
}

#[cfg(test)]
mod tests;
