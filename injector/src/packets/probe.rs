//! How long a queue of a link holds what passes it: frames of brunt's own go through it, and the kernel says when each leaves.
//!
//! They are of a type that no program waits for, and go to the very address that they come from: a bridge or switch lets such
//! a frame go nowhere, and who is at the other end of the link throws it away. There is one at a time.

use std::io::{self, IoSlice, IoSliceMut};
use std::os::fd::{AsRawFd, OwnedFd};
use std::time::Duration;

use nix::sys::socket::{ControlMessageOwned, MsgFlags, recvmsg, sendmsg};
use rustix::time::{ClockId, clock_gettime};

use crate::netlink::link::Link;
use crate::sys::tap;

/// One that has not left after so long, and what was asked for, is lost; another one is sent.
const PATIENCE: Duration = Duration::from_millis(500);

/// The probes of a link.
#[derive(Debug)]
pub struct Probe {
    sender: OwnedFd,
    leaving: OwnedFd,
    address: [u8; 6],
    /// What the next one is called, and when the last one was sent, while it is on its way.
    next: u64,
    sent: Option<Duration>,
    held: Vec<Duration>,
}

/// By the clock of the kernel's stamps.
fn now() -> Duration {
    let time = clock_gettime(ClockId::Realtime);
    Duration::new(time.tv_sec.unsigned_abs(), u32::try_from(time.tv_nsec).unwrap_or_default())
}

impl Probe {
    /// On a thread in the link's namespace; its frames go into the class of this number. `None`: it is no Ethernet.
    ///
    /// # Errors
    /// No right (CAP_NET_RAW).
    pub fn new(link: &Link, class: u32) -> io::Result<Option<Self>> {
        let Some(address) = link.address else { return Ok(None) };
        let leaving = tap::leaving(link.index)?;
        let sender = tap::sender(link.index, class)?;
        Ok(Some(Self { sender, leaving, address, next: 0, sent: None, held: Vec::new() }))
    }

    /// Reads what has left.
    pub fn read(&mut self) {
        while let Some((number, at)) = self.left() {
            // The clock may have been set meanwhile; then this one tells nothing.
            let held = self.sent.filter(|_| number + 1 == self.next).and_then(|sent| at.checked_sub(sent));
            if let Some(held) = held {
                self.held.push(held);
                self.sent = None;
            }
        }
    }

    /// Reads what has left, and sends another one if none is on its way. `asked`: how long they should be held.
    pub fn go_on(&mut self, asked: Duration) {
        self.read();
        let given_up = |sent: Duration| now().checked_sub(sent).is_none_or(|passed| passed > asked + PATIENCE);
        if self.sent.is_none_or(given_up) {
            let head = [&self.address[..], &self.address, &tap::ETHER_TYPE.to_be_bytes(), &self.next.to_be_bytes()];
            let mut frame = head.concat();
            frame.resize(60, 0);
            let sent = now();
            let went = sendmsg::<()>(self.sender.as_raw_fd(), &[IoSlice::new(&frame)], &[], MsgFlags::empty(), None);
            (self.next, self.sent) = (self.next + 1, went.is_ok().then_some(sent));
        }
    }

    /// The number of the next one that has left, and when.
    fn left(&self) -> Option<(u64, Duration)> {
        let mut frame = [0; 256];
        let mut control = nix::cmsg_space!(nix::sys::time::TimeSpec);
        let mut into = [IoSliceMut::new(&mut frame)];
        let flags = MsgFlags::MSG_DONTWAIT;
        let message = recvmsg::<()>(self.leaving.as_raw_fd(), &mut into, Some(&mut control), flags).ok()?;
        let stamp = message.cmsgs().ok()?.find_map(|one| match one {
            ControlMessageOwned::ScmTimestampns(at) => Some(Duration::from(at)),
            _ => None,
        })?;
        let number = u64::from_be_bytes(*frame.get(14..)?.first_chunk()?);
        Some((number, stamp))
    }

    /// How long each was held that has left.
    pub fn held(&self) -> &[Duration] {
        &self.held
    }
}

/// The middle of all that were seen, and how many.
pub fn middle<'a>(probes: impl Iterator<Item = &'a Probe>) -> Option<(Duration, usize)> {
    let mut all: Vec<Duration> = probes.flat_map(|probe| probe.held().iter().copied()).collect();
    all.sort_unstable();
    Some((*all.get(all.len() / 2)?, all.len()))
}
