//! nf_tables over netlink: tables that die with their owner, and rules that act only while a lease lives.
//!
//! Everything is changed by batches, which the kernel takes whole or not at all. Numbers are big endian, names end in a zero
//! byte. Attribute numbers are those of `include/uapi/linux/netfilter/nf_tables.h`; each is named where it is used.

use std::io;
use std::net::IpAddr;
use std::time::Duration;

use rustix::net::netlink::NETFILTER;

use super::message::{Message, attributes, find};
use super::socket::{ACK, APPEND, CREATE, EXCL, REQUEST, Refusal, Socket};
use super::tc::Handle;
use super::tc::flow::Family;

mod expression;

/// `NFNL_SUBSYS_NFTABLES` in the high byte of a message's type.
const SUBSYSTEM: u16 = 10 << 8;
/// `NFNL_MSG_BATCH_BEGIN`, `NFNL_MSG_BATCH_END`.
const BATCH: [u16; 2] = [0x10, 0x11];
/// `nfgenmsg` of both: no family, no version, the subsystem in network order.
const BATCH_HEAD: [u8; 4] = [0, 0, 0, 10];
/// Bytes of `nfgenmsg`.
const HEAD: usize = 4;

const NEW_TABLE: u16 = 0;
const GET_TABLE: u16 = 1;
const DELETE_TABLE: u16 = 2;
const NEW_CHAIN: u16 = 3;
const NEW_RULE: u16 = 6;
const GET_RULE: u16 = 7;
const NEW_SET: u16 = 9;
const NEW_ELEMENT: u16 = 12;
const DELETE_ELEMENT: u16 = 14;

/// `NFT_TABLE_F_OWNER`, since Linux 5.12: others cannot touch the table, and it goes when the socket closes.
const OWNER: u32 = 2;
/// `NFT_SET_TIMEOUT`: elements end by themselves.
const TIMEOUT: u32 = 0x10;
/// How `nft` itself numbers the type `nf_proto`; the kernel only keeps it, so that `nft list` can print the set.
const NF_PROTO: u32 = 2;
/// `ipv4_addr` and `ipv6_addr`, as above.
const ADDRESS: [u32; 2] = [7, 8];
/// The sets that hold the addresses of IPv4 and of IPv6 that [`Match::FromPeer`] and [`Match::ToPeer`] mean.
const PEERS: [&str; 2] = ["peers4", "peers6"];
/// So many addresses fit into one attribute with room to spare.
const AT_A_TIME: usize = 1000;
/// The set that holds the lease: an element for each family that a packet can be of, so that every packet finds its own.
const LEASE: &str = "lease";

/// What the kernel refused, and why.
#[derive(Debug, thiserror::Error)]
#[error("nf_tables: {part}: {why}")]
pub struct Refused {
    /// Which part of the change.
    pub part: &'static str,
    /// What the kernel said. `PermissionDenied`: no CAP_NET_ADMIN in the namespace, or somebody else's table.
    pub why: io::Error,
}

/// Where in a packet's way a chain looks at it: the hook's number and the priority among other chains there.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Hook {
    /// On arrival, before it is known whether it stays: `NF_INET_PRE_ROUTING`, priority mangle.
    Prerouting,
    /// For this namespace: `NF_INET_LOCAL_IN`.
    Input,
    /// Through this namespace to another one: `NF_INET_FORWARD`.
    Forward,
    /// From this namespace: `NF_INET_LOCAL_OUT`. A drop here is told to the sender (EPERM), not lost on the way.
    Output,
    /// On its way out, from here or through here: `NF_INET_POST_ROUTING`.
    Postrouting,
    /// At the door of a link, before all others: `NF_NETDEV_INGRESS`. Only in tables of [`Leased::install_at`].
    Ingress,
}

impl Hook {
    fn number(self) -> u32 {
        match self {
            Self::Prerouting | Self::Ingress => 0,
            Self::Input => 1,
            Self::Forward => 2,
            Self::Output => 3,
            Self::Postrouting => 4,
        }
    }

    /// As the chain is called.
    fn name(self) -> &'static str {
        match self {
            Self::Prerouting => "prerouting",
            Self::Input => "input",
            Self::Forward => "forward",
            Self::Output => "output",
            Self::Postrouting => "postrouting",
            Self::Ingress => "ingress",
        }
    }
}

/// TCP or UDP.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Transport {
    /// 6.
    Tcp,
    /// 17.
    Udp,
}

impl Transport {
    /// `IPPROTO_*`.
    pub fn number(self) -> u8 {
        match self {
            Self::Tcp => 6,
            Self::Udp => 17,
        }
    }
}

/// One condition; a rule matches if all of its conditions hold.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Match {
    /// The transport protocol.
    Transport(Transport),
    /// The port that it goes to; only behind [`Match::Transport`].
    To(u16),
    /// The port that it comes from; only behind [`Match::Transport`].
    From(u16),
    /// The address that it comes from is one of these.
    Source(Addresses),
    /// The address that it goes to is one of these.
    Destination(Addresses),
    /// It is of this family and comes from one of the addresses that [`Leased::meet`] was last told; from none before.
    FromPeer(Family),
    /// The same of where it goes to.
    ToPeer(Family),
    /// It does not carry this mark (`SO_MARK`): what brunt itself sends on must not be caught again.
    Unmarked(u32),
    /// It has come in by a device other than the loopback; only where packets come in.
    ArrivedFromOutside,
    /// It goes out by a device other than the loopback; only where packets go out.
    LeavesForOutside,
    /// It belongs to the neighbour discovery of IPv6, its counterpart of ARP.
    NeighbourDiscovery,
    /// It is of IPv4, or of IPv6: links also carry what is neither.
    Of(Family),
    /// So many of a million, drawn by the kernel for each packet.
    Share {
        /// Of a million.
        millionths: u32,
    },
}

/// An address, or all that share its first bits. One of IPv6 never matches IPv4, nor the other way round.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Addresses {
    /// The address; bits behind `prefix` do not matter.
    pub address: IpAddr,
    /// How many of its bits count: 0 to 32, or to 128.
    pub prefix: u8,
}

impl From<IpAddr> for Addresses {
    /// This one alone.
    fn from(address: IpAddr) -> Self {
        Self { address, prefix: if address.is_ipv4() { 32 } else { 128 } }
    }
}

/// What happens to a packet that matches.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verdict {
    /// It is gone.
    Drop,
    /// The program that is bound to the NFQUEUE of this number decides. It passes if nobody is bound.
    Queue {
        /// As in `crate::netlink::queue`.
        number: u16,
    },
    /// It goes into this class where the link that it leaves by has one of this number; elsewhere nothing happens to it. So
    /// classes are reached only while the lease lives, and queues that were left behind are inert.
    Priority(Handle),
    /// It is taken out of its way and sent out by another link, into this class there; a link that is an IFB gives it back when
    /// it has left. Only at [`Hook::Ingress`].
    Redirect {
        /// The other link's number.
        link: u32,
        /// As for [`Verdict::Priority`].
        class: Handle,
    },
    /// Nothing: it is only counted.
    Count,
    /// The rules behind this one, at this hook of this table, do not see it.
    Spare,
}

/// A rule that acts while its table's lease lives. It counts what it has acted on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Rule {
    /// Where.
    pub hook: Hook,
    /// On which packets.
    pub matches: Vec<Match>,
    /// And does what.
    pub verdict: Verdict,
}

/// A table of one network namespace whose rules act while [`Leased::beat`] is called. Dropping it, or the death of the
/// process, removes it: it is owned by the socket. A process that is stopped keeps its table, but not its lease.
#[derive(Debug)]
pub struct Leased {
    socket: Socket,
    table: String,
    lease: Duration,
    kind: Kind,
}

/// Of which family a table is: what its chains see, and how the kernel numbers it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    /// `NFPROTO_INET`: IPv4 and IPv6 in one table.
    Internet = 1,
    /// `NFPROTO_NETDEV`: whatever a link carries.
    Links = 5,
}

impl Kind {
    /// `nfgenmsg` of everything that is about a table.
    fn head(self) -> [u8; 4] {
        [self as u8, 0, 0, 0]
    }

    /// Of which family a packet is there (`NFPROTO_IPV4`, `NFPROTO_IPV6`): at a link's door that is not looked at yet.
    fn families(self) -> &'static [u8] {
        match self {
            Self::Internet => &[2, 10],
            Self::Links => &[Self::Links as u8],
        }
    }
}

impl Leased {
    /// Makes the table with its rules in the calling thread's network namespace; they act at once, for `lease`.
    ///
    /// # Errors
    /// Nothing has been changed then: no right (EPERM), a table of this name (EEXIST), an expression that the kernel does
    /// not have (ENOENT).
    pub fn install(table: &str, lease: Duration, rules: &[Rule]) -> Result<Self, Refused> {
        Self::make(Kind::Internet, table, lease, &[], rules)
    }

    /// The same at the door of these links, by their names; all rules are at [`Hook::Ingress`]. A link that goes takes its
    /// part with it.
    ///
    /// # Errors
    /// As for [`Leased::install`]; ENOENT also when there is no such link.
    pub fn install_at(links: &[String], table: &str, lease: Duration, rules: &[Rule]) -> Result<Self, Refused> {
        Self::make(Kind::Links, table, lease, links, rules)
    }

    fn make(kind: Kind, table: &str, lease: Duration, links: &[String], rules: &[Rule]) -> Result<Self, Refused> {
        let socket = Socket::open(NETFILTER).map_err(|why| Refused { part: "open the socket", why })?;
        let mut this = Self { socket, table: table.to_owned(), lease, kind };
        let mut batch = Batch::default();
        batch.add("new table", NEW_TABLE, CREATE | EXCL, |part| {
            part.name(1, table); // NFTA_TABLE_NAME
            part.be32(2, OWNER); // NFTA_TABLE_FLAGS
        });
        batch.add("new set", NEW_SET, CREATE | EXCL, |part| {
            part.name(1, table); // NFTA_SET_TABLE
            part.name(2, LEASE); // NFTA_SET_NAME
            part.be32(3, TIMEOUT); // NFTA_SET_FLAGS
            part.be32(4, NF_PROTO); // NFTA_SET_KEY_TYPE
            part.be32(5, 1); // NFTA_SET_KEY_LEN
            part.be32(10, 1); // NFTA_SET_ID: required, though nothing in the batch refers to it
        });
        if rules.iter().flat_map(|rule| &rule.matches).any(|one| matches!(one, Match::FromPeer(_) | Match::ToPeer(_))) {
            for ((name, kind), (id, length)) in PEERS.into_iter().zip(ADDRESS).zip([(2, 4), (3, 16)]) {
                batch.add("new set of addresses", NEW_SET, CREATE | EXCL, |part| {
                    part.name(1, table); // NFTA_SET_TABLE
                    part.name(2, name); // NFTA_SET_NAME
                    part.be32(3, 0); // NFTA_SET_FLAGS
                    part.be32(4, kind); // NFTA_SET_KEY_TYPE
                    part.be32(5, length); // NFTA_SET_KEY_LEN
                    part.be32(10, id); // NFTA_SET_ID
                });
            }
        }
        let priority = rules.iter().map(|rule| rule.verdict.priority()).max().unwrap_or_default();
        let mut hooks: Vec<Hook> = rules.iter().map(|rule| rule.hook).collect();
        hooks.dedup();
        for hook in hooks {
            batch.add("new chain", NEW_CHAIN, CREATE, |part| chain(part, table, hook, priority, links));
        }
        for rule in rules {
            batch.add("new rule", NEW_RULE, CREATE | APPEND, |part| {
                part.name(1, table); // NFTA_RULE_TABLE
                part.name(2, rule.hook.name()); // NFTA_RULE_CHAIN
                part.nest(4, |part| rule.write(kind, part)); // NFTA_RULE_EXPRESSIONS
            });
        }
        batch.add("begin the lease", NEW_ELEMENT, CREATE, |part| this.elements(part));
        this.commit(batch)?;
        Ok(this)
    }

    /// The lease has an element for each family: a rule looks up its packet's.
    fn elements(&self, part: &mut Message) {
        let millis = u64::try_from(self.lease.as_millis()).unwrap_or(u64::MAX);
        part.name(1, &self.table); // NFTA_SET_ELEM_LIST_TABLE
        part.name(2, LEASE); // NFTA_SET_ELEM_LIST_SET
        part.nest(3, |part| {
            // NFTA_SET_ELEM_LIST_ELEMENTS
            for family in self.kind.families() {
                part.nest(1, |part| {
                    part.nest(1, |part| part.attribute(1, &[*family])); // NFTA_SET_ELEM_KEY
                    part.be64(4, millis); // NFTA_SET_ELEM_TIMEOUT
                });
            }
        });
    }

    /// The lease begins anew. Adding an element that is there does not restart its time, so it is taken out in between; the
    /// batch is one change, no packet sees the gap.
    pub fn beat(&mut self) -> Result<(), Refused> {
        let mut batch = Batch::default();
        batch.add("renew the lease", NEW_ELEMENT, CREATE, |part| self.elements(part));
        batch.add("renew the lease", DELETE_ELEMENT, 0, |part| self.elements(part));
        batch.add("renew the lease", NEW_ELEMENT, CREATE, |part| self.elements(part));
        self.commit(batch)
    }

    /// From now on the rules that mean peers mean these, and no others; no packet sees anything in between. Only where there is such
    /// a rule.
    ///
    /// # Errors
    /// The kernel refused: those that were meant before still are.
    pub fn meet(&mut self, peers: &[IpAddr]) -> Result<(), Refused> {
        let mut batch = Batch::default();
        for (name, family) in PEERS.into_iter().zip([Family::V4, Family::V6]) {
            let of_set = |part: &mut Message| {
                part.name(1, &self.table); // NFTA_SET_ELEM_LIST_TABLE
                part.name(2, name); // NFTA_SET_ELEM_LIST_SET
            };
            // Without elements: all of them.
            batch.add("forget addresses", DELETE_ELEMENT, 0, of_set);
            let mut meant: Vec<IpAddr> = peers.iter().copied().filter(|peer| Family::of(*peer) == family).collect();
            meant.sort_unstable();
            meant.dedup();
            for some in meant.chunks(AT_A_TIME) {
                batch.add("add addresses", NEW_ELEMENT, CREATE, |part| {
                    of_set(part);
                    part.nest(3, |part| some.iter().for_each(|peer| element(part, *peer))); // NFTA_SET_ELEM_LIST_ELEMENTS
                });
            }
        }
        self.commit(batch)
    }

    /// The table's name.
    pub fn table(&self) -> &str {
        &self.table
    }

    /// The lease ends now, and may begin again with [`Leased::beat`]: nothing matches any more, but the chains stay hooked.
    /// When a chain goes, the kernel drops all that is held in any NFQUEUE of the namespace, and counts it nowhere.
    pub fn pause(&mut self) -> Result<(), Refused> {
        let mut batch = Batch::default();
        // It may have ended by itself, and what is not there cannot be deleted.
        batch.add("end the lease", NEW_ELEMENT, CREATE, |part| self.elements(part));
        batch.add("end the lease", DELETE_ELEMENT, 0, |part| self.elements(part));
        self.commit(batch)
    }

    /// Packets that each rule has acted on, in the order of the rules of one hook.
    pub fn counts(&mut self, hook: Hook) -> io::Result<Vec<u64>> {
        let mut counts = Vec::new();
        let table = self.table.clone();
        let which = |part: &mut Message| {
            part.name(1, &table); // NFTA_RULE_TABLE
            part.name(2, hook.name()); // NFTA_RULE_CHAIN
        };
        self.socket.dump(SUBSYSTEM | GET_RULE, &self.kind.head(), which, |rule| counts.extend(counted(rule)))?;
        Ok(counts)
    }

    /// Removes the table and all that is in it.
    pub fn remove(mut self) -> Result<(), Refused> {
        let mut batch = Batch::default();
        batch.add("delete the table", DELETE_TABLE, 0, |part| part.name(1, &self.table));
        self.commit(batch)
    }

    fn commit(&mut self, batch: Batch) -> Result<(), Refused> {
        let many = u32::try_from(batch.parts.len()).expect("a batch of this crate has some dozen parts");
        let begin = self.socket.sequence(many + 2);
        let parts: Vec<&'static str> = batch.parts.iter().map(|part| part.name).collect();
        let message = batch.written(begin, self.kind);
        let failed = |part| move |why| Refused { part, why };
        self.socket.send(&message).map_err(failed("send the change"))?;
        self.socket.acknowledged(begin, begin + many).map_err(|Refusal { sequence, why }| {
            let place = usize::try_from(sequence - begin).unwrap_or_default();
            let part = place.checked_sub(1).and_then(|place| parts.get(place)).copied();
            Refused { part: part.unwrap_or("commit the change"), why }
        })
    }
}

/// The names of all tables of the calling thread's network namespace, of every family.
///
/// # Errors
/// No right, or a kernel without nf_tables.
pub fn tables() -> Result<Vec<String>, Refused> {
    let failed = |why| Refused { part: "list the tables", why };
    let mut socket = Socket::open(NETFILTER).map_err(failed)?;
    let mut names = Vec::new();
    // Family 0: all of them.
    let all = [0; HEAD];
    let each = |table: &[u8]| {
        let name = table.get(HEAD..).and_then(|table| find(table, 1)); // NFTA_TABLE_NAME
        names.extend(name.map(|name| String::from_utf8_lossy(name).trim_end_matches('\0').to_owned()));
    };
    socket.dump(SUBSYSTEM | GET_TABLE, &all, |_| (), each).map_err(failed)?;
    Ok(names)
}

/// Parts of one change.
#[derive(Default)]
struct Batch {
    parts: Vec<Part>,
}

struct Part {
    name: &'static str,
    kind: u16,
    flags: u16,
    attributes: Message,
}

impl Batch {
    fn add(&mut self, name: &'static str, kind: u16, flags: u16, write: impl FnOnce(&mut Message)) {
        let mut attributes = Message::default();
        write(&mut attributes);
        self.parts.push(Part { name, kind, flags, attributes });
    }

    /// Beginning, parts, end. Only the last part asks for an acknowledgement: errors of the others come unasked, before it.
    fn written(self, begin: u32, about: Kind) -> Message {
        let mut message = Message::default();
        message.push(BATCH[0], REQUEST, begin, &BATCH_HEAD, |_| ());
        let last = self.parts.len();
        let mut sequence = begin;
        for (place, part) in self.parts.into_iter().enumerate() {
            sequence += 1;
            let ack = if place + 1 == last { ACK } else { 0 };
            message.push(SUBSYSTEM | part.kind, REQUEST | part.flags | ack, sequence, &about.head(), |message| {
                message.append(&part.attributes);
            });
        }
        message.push(BATCH[1], REQUEST, sequence + 1, &BATCH_HEAD, |_| ());
        message
    }
}

fn element(part: &mut Message, address: IpAddr) {
    let bytes = match address {
        IpAddr::V4(address) => address.octets().to_vec(),
        IpAddr::V6(address) => address.octets().to_vec(),
    };
    // NFTA_LIST_ELEM { NFTA_SET_ELEM_KEY { NFTA_DATA_VALUE } }
    part.nest(1, |part| part.nest(1, |part| part.attribute(1, &bytes)));
}

fn chain(part: &mut Message, table: &str, hook: Hook, priority: i32, links: &[String]) {
    /// Before the filters of others (priority 0), behind connection tracking (-200).
    const MANGLE: i32 = -150;
    const ACCEPT: u32 = 1;
    part.name(1, table); // NFTA_CHAIN_TABLE
    part.name(3, hook.name()); // NFTA_CHAIN_NAME
    part.nest(4, |part| {
        part.be32(1, hook.number()); // NFTA_HOOK_HOOKNUM
        part.be32(2, (MANGLE + priority).cast_unsigned()); // NFTA_HOOK_PRIORITY
        if !links.is_empty() {
            part.nest(4, |part| links.iter().for_each(|link| part.name(1, link))); // NFTA_HOOK_DEVS { NFTA_DEVICE_NAME }
        }
    });
    part.be32(5, ACCEPT); // NFTA_CHAIN_POLICY
    part.name(7, "filter"); // NFTA_CHAIN_TYPE
}

impl Verdict {
    /// How far behind other rules of brunt's it comes, whichever was there first. A queue: what it sends again they have seen
    /// already. A class, which is the wire itself: what a queue takes and sends again passes it once.
    fn priority(self) -> i32 {
        match self {
            Self::Queue { .. } => 1,
            Self::Priority(_) | Self::Redirect { .. } => 2,
            Self::Drop | Self::Count | Self::Spare => 0,
        }
    }
}

/// The packets that the counters of a dumped rule have seen.
fn counted(rule: &[u8]) -> impl Iterator<Item = u64> {
    let expressions = rule.get(HEAD..).and_then(|rule| find(rule, 4)).unwrap_or(&[]); // NFTA_RULE_EXPRESSIONS
    attributes(expressions).filter_map(|(_, expression)| {
        if find(expression, 1)? != b"counter\0" {
            return None;
        }
        let packets = find(find(expression, 2)?, 2)?; // NFTA_EXPR_DATA, NFTA_COUNTER_PACKETS
        Some(u64::from_be_bytes(packets.try_into().ok()?))
    })
}

#[cfg(test)]
mod tests;
