//! Traffic control over rtnetlink: what `tc` does, without `tc`.
//!
//! A *qdisc* queues what leaves a link, a *class* is a part of one, a *filter* says which packet goes into which class. Each
//! kind has a room below that knows its options; this file has what they share. Everything is in the host's order except
//! addresses and ports. The requests are those that iproute2 sends, byte by byte: `requests.rs` compares them with what a
//! real `tc` was seen to send, because the kernel takes many a wrong one and does something else.
//!
//! Sources: `include/uapi/linux/rtnetlink.h`, `linux/pkt_sched.h`, `linux/pkt_cls.h`.

use std::fmt;
use std::io;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::message::Message;
use super::socket::{ACK, CREATE, EXCL, REQUEST, Refusal, Socket};

pub mod distribution;
pub mod fifo;
pub mod flow;
pub mod flower;
pub mod htb;
pub mod ingress;
pub mod mirred;
pub mod netem;
pub mod prio;
pub mod rate;
pub mod shaped;
pub mod statistics;
pub mod tbf;
pub mod tree;
pub mod u32;

/// `NLM_F_REPLACE`: put it in the place of what is there.
const REPLACE: u16 = 0x100;

/// What a request is about; the number is that of its `RTM_NEW*`, deleting is one more.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Object {
    Qdisc = 36,
    Class = 40,
    Filter = 44,
}

/// `major:minor` of a qdisc (minor 0) or class. `tc` writes both in hexadecimal, and so do we.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Handle {
    /// Of the qdisc.
    pub major: u16,
    /// Of the class in it.
    pub minor: u16,
}

impl Handle {
    /// None: the kernel picks one.
    pub const NONE: Self = Self { major: 0, minor: 0 };
    /// Parent of a link's root qdisc.
    pub const ROOT: Self = Self { major: 0xffff, minor: 0xffff };
    /// Parent of a link's ingress qdisc.
    pub const INGRESS: Self = Self { major: 0xffff, minor: 0xfff1 };

    /// Of a qdisc.
    pub const fn qdisc(major: u16) -> Self {
        Self { major, minor: 0 }
    }

    /// Of a class of this qdisc.
    pub const fn class(self, minor: u16) -> Self {
        Self { major: self.major, minor }
    }

    /// As the kernel has it, and as `skb->priority` names a class.
    pub const fn number(self) -> u32 {
        (self.major as u32) << 16 | self.minor as u32
    }
}

impl From<u32> for Handle {
    fn from(number: u32) -> Self {
        let [a, b, c, d] = number.to_be_bytes();
        Self { major: u16::from_be_bytes([a, b]), minor: u16::from_be_bytes([c, d]) }
    }
}

impl fmt::Display for Handle {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match *self {
            Self::ROOT => out.write_str("root"),
            Self { major, minor: 0 } => write!(out, "{major:x}:"),
            Self { major, minor } => write!(out, "{major:x}:{minor:x}"),
        }
    }
}

/// The options of one kind of qdisc, class or filter.
pub trait Options {
    /// As the kernel calls it: `netem`. Its module is `sch_netem`.
    fn kind(&self) -> &'static str;

    /// Adds `TCA_OPTIONS`.
    fn write(&self, to: &mut Message);
}

/// Whether something may, or must, be there already.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verb {
    /// It must not.
    Add,
    /// It must.
    Change,
    /// It may, and then it goes.
    Replace,
}

impl Verb {
    fn flags(self) -> u16 {
        match self {
            Self::Add => CREATE | EXCL,
            Self::Change => 0,
            Self::Replace => CREATE | REPLACE,
        }
    }

    fn word(self) -> &'static str {
        match self {
            Self::Add => "add",
            Self::Change => "change",
            Self::Replace => "replace",
        }
    }
}

/// Where in a link's tree: the link's index, what is above, and its own handle.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Place {
    /// `ifindex` in the socket's namespace.
    pub link: u32,
    /// The class or qdisc above.
    pub parent: Handle,
    /// Its own.
    pub handle: Handle,
}

impl Place {
    /// The root of a link.
    pub fn root(link: u32, handle: Handle) -> Self {
        Self { link, parent: Handle::ROOT, handle }
    }
}

/// One request, ready to be sent.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Request {
    kind: u16,
    flags: u16,
    head: [u8; 20],
    attributes: Message,
    /// For errors: `add qdisc htb b270: at root of link 3`.
    says: String,
}

impl Request {
    /// Makes or changes a qdisc.
    pub fn qdisc(verb: Verb, place: Place, options: &impl Options) -> Self {
        Self::with_options(Object::Qdisc, verb, place, 0, options)
    }

    /// Makes or changes a class.
    pub fn class(verb: Verb, place: Place, options: &impl Options) -> Self {
        Self::with_options(Object::Class, verb, place, 0, options)
    }

    /// Makes a filter. `preference`: lower ones are asked first. Its protocol is the flow's family, so that one for IPv4
    /// never claims to see IPv6 (rule 3).
    pub fn filter(verb: Verb, place: Place, preference: u16, family: flow::Family, options: &impl Options) -> Self {
        Self::with_options(Object::Filter, verb, place, filter_info(preference, family), options)
    }

    fn with_options(object: Object, verb: Verb, place: Place, info: u32, options: &impl Options) -> Self {
        let mut attributes = Message::default();
        attributes.name(1, options.kind()); // TCA_KIND
        options.write(&mut attributes);
        let says = format!("{} {} {}", verb.word(), named(object, options.kind()), place_says(place));
        Self { kind: object as u16, flags: verb.flags(), head: head(place, info), attributes, says }
    }

    /// Makes a qdisc of this kind with options as a dump gave them.
    pub(super) fn qdisc_as_dumped(place: Place, kind: &str, options: Option<&[u8]>) -> Self {
        let mut attributes = Message::default();
        attributes.name(1, kind); // TCA_KIND
        if let Some(options) = options {
            attributes.attribute(2, &tree::as_set(kind, options)); // TCA_OPTIONS
        }
        let says = format!("put back {} {}", named(Object::Qdisc, kind), place_says(place));
        let flags = Verb::Replace.flags();
        Self { kind: Object::Qdisc as u16, flags, head: head(place, 0), attributes, says }
    }

    /// Removes a qdisc, and all below it.
    pub fn delete_qdisc(place: Place) -> Self {
        Self::delete(Object::Qdisc, place, 0)
    }

    /// Removes a class.
    pub fn delete_class(place: Place) -> Self {
        Self::delete(Object::Class, place, 0)
    }

    /// Removes all filters of this preference and family.
    pub fn delete_filters(link: u32, parent: Handle, preference: u16, family: flow::Family) -> Self {
        let place = Place { link, parent, handle: Handle::NONE };
        Self::delete(Object::Filter, place, filter_info(preference, family))
    }

    fn delete(object: Object, place: Place, info: u32) -> Self {
        let word = match object {
            Object::Qdisc => "qdisc",
            Object::Class => "class",
            Object::Filter => "filters",
        };
        let says = format!("delete {word} {}", place_says(place));
        Self { kind: object as u16 + 1, flags: 0, head: head(place, info), attributes: Message::default(), says }
    }

    /// As it is sent.
    pub fn message(&self, sequence: u32) -> Message {
        let mut message = Message::default();
        message.push(self.kind, REQUEST | ACK | self.flags, sequence, &self.head, |message| {
            message.append(&self.attributes);
        });
        message
    }
}

fn named(object: Object, kind: &str) -> String {
    match object {
        Object::Qdisc => format!("qdisc {kind}"),
        Object::Class => format!("class of {kind}"),
        Object::Filter => format!("filter {kind}"),
    }
}

fn place_says(Place { link, parent, handle }: Place) -> String {
    format!("{handle} at {parent} of link {link}")
}

/// `struct tcmsg`: family and padding, link, handle, parent, info.
pub(super) fn head(place: Place, info: u32) -> [u8; 20] {
    let mut head = [0; 20];
    let words = [0, place.link, place.handle.number(), place.parent.number(), info];
    for (to, word) in head.chunks_exact_mut(4).zip(words) {
        to.copy_from_slice(&word.to_ne_bytes());
    }
    head
}

/// Preference and EtherType (big endian) in one word.
fn filter_info(preference: u16, family: flow::Family) -> u32 {
    u32::from(preference) << 16 | u32::from(family.ether_type().to_be())
}

/// Numbers of 32 bits, one after the other.
fn words(words: &[u32]) -> Vec<u8> {
    words.iter().flat_map(|word| word.to_ne_bytes()).collect()
}

/// A share (0 to 1) in 2^32ths less one, as all of tc has it. Halves go to the even neighbour, as in C's `rint`.
fn share(share: f64) -> u32 {
    (share.clamp(0.0, 1.0) * f64::from(u32::MAX)).round_ties_even() as u32
}

/// A time in the packet scheduler's ticks of 64 ns (`PSCHED_SHIFT`, the same in every kernel since 2.6.31).
/// At most 274 s.
fn ticks(time: Duration) -> u32 {
    u32::try_from(time.as_nanos() / 64).unwrap_or(u32::MAX)
}

/// What the kernel refused, and why.
#[derive(Debug, thiserror::Error)]
#[error("cannot {request}: {why}")]
pub struct Refused {
    /// What was asked.
    pub request: String,
    /// What the kernel said. `NotFound`: it has no such kind, or there is no such thing to delete.
    pub why: io::Error,
}

/// A socket for traffic control in one network namespace.
#[derive(Debug)]
pub struct Tc {
    socket: Socket,
}

impl Tc {
    /// Opens one in the calling thread's network namespace.
    ///
    /// # Errors
    /// No socket to be had.
    pub fn open() -> io::Result<Self> {
        Ok(Self { socket: Socket::open(None)? })
    }

    pub(super) fn socket(&mut self) -> &mut Socket {
        &mut self.socket
    }

    /// Sends a request and waits until it is carried out.
    ///
    /// # Errors
    /// The kernel's refusal; nothing has changed then.
    pub fn ask(&mut self, request: &Request) -> Result<(), Refused> {
        let refused = |why| Refused { request: request.says.clone(), why };
        let sequence = self.socket.sequence(1);
        self.socket.send(&request.message(sequence)).map_err(refused)?;
        self.socket.acknowledged(sequence, sequence).map_err(|Refusal { why, .. }| refused(why))
    }
}

#[cfg(test)]
mod requests;
