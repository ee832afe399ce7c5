//! A link's queues as data: taken before a fault, put back and compared after it.
//!
//! The data is plain, so that it can stand in the journal and be put back by another process. Options are kept as the kernel
//! dumped them: whatever kind somebody had there, the same bytes make it again.

use std::fmt;
use std::io;

use serde::{Deserialize, Serialize};

use super::super::link::{self, Link};
use super::super::message::find;
use super::{Handle, Place, Refused, Request, Tc, head};

const GET_QDISC: u16 = 38;
const GET_CLASS: u16 = 42;
const GET_FILTER: u16 = 46;

/// Root qdiscs that the kernel or a distribution puts there, and that shape nothing for anybody (rule 4).
const FREE: [&str; 5] = ["noqueue", "mq", "pfifo_fast", "fq", "fq_codel"];

/// Of brunt's own qdiscs: `b270:` to `b27f:`. What has one is brunt's, whoever finds it.
pub const OWN: std::ops::RangeInclusive<u16> = 0xb270..=0xb27f;

/// All links of a namespace.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Tree {
    /// In the order of their indices.
    pub links: Vec<Queues>,
}

/// What one link has.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Queues {
    /// Its index.
    pub link: u32,
    /// Its name.
    pub name: String,
    /// Its `txqueuelen`.
    pub length: u32,
    /// Qdiscs, parents first.
    pub qdiscs: Vec<Node>,
    /// Classes.
    pub classes: Vec<Node>,
    /// Filters.
    pub filters: Vec<Node>,
}

/// A qdisc, class or filter.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Node {
    /// `fq_codel`.
    pub kind: String,
    /// Its own; [`Handle::NONE`] for a qdisc that the kernel made by itself.
    pub handle: Handle,
    /// The one above.
    pub parent: Handle,
    /// Of a filter, preference and protocol; of others 0 (the kernel counts references there).
    pub info: u32,
    /// `TCA_OPTIONS` without its header.
    pub options: Option<Vec<u8>>,
}

impl fmt::Display for Node {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "{} {} at {}", self.kind, self.handle, self.parent)
    }
}

/// A link whose root somebody has set: a fault would have to destroy what is theirs.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
#[error("link {name} already has {what}, which {whose}")]
pub struct Taken {
    /// The link.
    pub name: String,
    /// What stands there.
    pub what: String,
    /// `another tool set`; `another fault of brunt set`.
    whose: &'static str,
}

/// What has become of a link that was to be put back.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Restored {
    /// It equals the snapshot. The sentence says what was done.
    Yes(String),
    /// It differs, by this; what was ours is gone.
    Differs(Vec<String>),
}

impl Tree {
    /// Of the namespace in which the socket was opened.
    ///
    /// # Errors
    /// The kernel does not answer, or says no.
    pub fn of(tc: &mut Tc) -> io::Result<Self> {
        let mut links = link::all(tc.socket())?;
        links.sort_by_key(|link| link.index);
        let mut qdiscs = Vec::new();
        let nowhere = Place { link: 0, parent: Handle::NONE, handle: Handle::NONE };
        tc.socket().dump(GET_QDISC, &head(nowhere, 0), |_| (), |body| qdiscs.extend(read(body)))?;
        let mut all = Vec::new();
        for link in links {
            let mine = qdiscs.iter().filter(|(index, _)| *index == link.index);
            let mine = mine.map(|(_, node)| Node { info: 0, ..node.clone() }).collect();
            all.push(Queues::of(tc, link, mine)?);
        }
        Ok(Self { links: all })
    }

    /// The link of this index and name: indices of links that are gone are used again.
    pub fn link(&self, link: u32, name: &str) -> Option<&Queues> {
        self.links.iter().find(|queues| queues.link == link && queues.name == name)
    }

    /// Where it differs from what was before, one sentence each. Links that came or went are no difference of ours.
    pub fn differences(&self, before: &Self) -> Vec<String> {
        let pairs = before.links.iter().filter_map(|before| Some((self.link(before.link, &before.name)?, before)));
        pairs.flat_map(|(now, before)| now.differences(before)).collect()
    }
}

impl Queues {
    fn of(tc: &mut Tc, link: Link, mut qdiscs: Vec<Node>) -> io::Result<Self> {
        qdiscs.sort_by_key(|node| (node.parent != Handle::ROOT, node.parent, node.handle));
        let at = |parent| Place { link: link.index, parent, handle: Handle::NONE };
        let mut classes = Vec::new();
        tc.socket().dump(GET_CLASS, &head(at(Handle::NONE), 0), |_| (), |body| classes.extend(read(body)))?;
        let mut filters = Vec::new();
        // Only what somebody made can have filters; the kernel's own have no handle to ask by.
        for qdisc in qdiscs.iter().filter(|qdisc| qdisc.handle != Handle::NONE) {
            tc.socket().dump(GET_FILTER, &head(at(qdisc.handle), 0), |_| (), |body| filters.extend(read(body)))?;
        }
        let classes = classes.into_iter().map(|(_, node)| Node { info: 0, ..node }).collect();
        let filters = filters.into_iter().map(|(_, node)| node).collect();
        Ok(Self { link: link.index, name: link.name, length: link.queue, qdiscs, classes, filters })
    }

    /// Its root.
    pub fn root(&self) -> Option<&Node> {
        self.qdiscs.iter().find(|node| node.parent == Handle::ROOT)
    }

    /// Whether a fault may replace the root: nobody shapes anything there (rule 4).
    ///
    /// # Errors
    /// Somebody does.
    pub fn free(&self) -> Result<(), Taken> {
        let taken = |what: &Node, whose| Err(Taken { name: self.name.clone(), what: what.to_string(), whose });
        let below_root = |node: &&Node| node.parent.major != Handle::INGRESS.major || node.parent == Handle::ROOT;
        for node in self.qdiscs.iter().filter(below_root) {
            if OWN.contains(&node.handle.major) {
                return taken(node, "another fault of brunt set");
            }
            if !FREE.contains(&node.kind.as_str()) {
                return taken(node, "another tool set");
            }
        }
        // Those of an ingress qdisc are not touched.
        let filter = self.filters.iter().find(|filter| filter.parent.major != Handle::INGRESS.major);
        filter.map_or(Ok(()), |filter| taken(filter, "another tool set"))
    }

    /// Whether its root is brunt's.
    pub fn is_own(&self) -> bool {
        self.root().is_some_and(|root| OWN.contains(&root.handle.major))
    }

    /// Where it differs from what was before.
    pub fn differences(&self, before: &Self) -> Vec<String> {
        let mut all = Vec::new();
        if self.length != before.length {
            all.push(format!("{}: txqueuelen is {} and was {}", self.name, self.length, before.length));
        }
        let lists = [
            ("qdisc", &self.qdiscs, &before.qdiscs),
            ("class", &self.classes, &before.classes),
            ("filter", &self.filters, &before.filters),
        ];
        for (word, now, before) in lists {
            let missing = before.iter().filter(|node| !now.contains(node));
            all.extend(missing.map(|node| format!("{}: {word} {node} is missing or changed", self.name)));
            let new = now.iter().filter(|node| !before.contains(node));
            all.extend(new.map(|node| format!("{}: {word} {node} was not there, or was different", self.name)));
        }
        all
    }

    /// Makes the link what it was: removes the root if it is ours, puts back what somebody had set, parents first, and
    /// compares. What others did meanwhile is left alone and told.
    ///
    /// # Errors
    /// The kernel refused; the error names the request, and trying again is harmless.
    pub fn restore(&self, tc: &mut Tc) -> Result<Restored, Refused> {
        let looked = |why| Refused { request: format!("look at the queues of {}", self.name), why };
        let Some(now) = Tree::of(tc).map_err(looked)?.link(self.link, &self.name).cloned() else {
            return Ok(Restored::Yes(format!("{} is gone, and its queues with it", self.name)));
        };
        let ours = now.is_own();
        if ours {
            for request in self.requests() {
                tc.ask(&request)?;
            }
        }
        // The kernel makes 1000 of a 0 when a link gets a qdisc (rule 7).
        if ours && now.length != self.length {
            let refused = |why| Refused { request: format!("set the txqueuelen of {}", self.name), why };
            link::set_queue(tc.socket(), self.link, self.length).map_err(refused)?;
        }
        let after = Tree::of(tc).map_err(looked)?;
        let Some(after) = after.link(self.link, &self.name) else {
            return Ok(Restored::Yes(format!("{} is gone, and its queues with it", self.name)));
        };
        let differences = after.differences(self);
        if !differences.is_empty() {
            return Ok(Restored::Differs(differences));
        }
        let did = if ours { "are as they were" } else { "were as before already" };
        Ok(Restored::Yes(format!("the queues of {} {did}", self.name)))
    }

    /// Removing our root makes the kernel put its own default there. What somebody had set is made again: it replaces ours
    /// without a moment in between, and then come its children.
    fn requests(&self) -> Vec<Request> {
        let root = self.root().filter(|root| root.handle != Handle::NONE);
        if root.is_none() {
            return vec![Request::delete_qdisc(Place::root(self.link, Handle::NONE))];
        }
        let set = |node: &&Node| node.handle != Handle::NONE && node.parent.major != Handle::INGRESS.major;
        let root = root.into_iter();
        let children = self.qdiscs.iter().filter(|node| node.parent != Handle::ROOT).filter(set);
        let place = |node: &Node| Place { link: self.link, parent: node.parent, handle: node.handle };
        let again = |node: &Node| Request::qdisc_as_dumped(place(node), &node.kind, node.options.as_deref());
        root.chain(children).map(again).collect()
    }
}

/// Link and node of a dumped qdisc, class or filter.
fn read(body: &[u8]) -> Option<(u32, Node)> {
    let word = |at: usize| Some(u32::from_ne_bytes(*body.get(at..)?.first_chunk()?));
    let attributes = body.get(20..)?;
    let kind = find(attributes, 1)?; // TCA_KIND
    let kind = String::from_utf8_lossy(kind).trim_end_matches('\0').to_owned();
    // TCA_OPTIONS
    let options = find(attributes, 2).map(|options| without_counters(&kind, options));
    let node = Node { kind, handle: word(8)?.into(), parent: word(12)?.into(), info: word(16)?, options };
    Some((word(4)?, node))
}

/// Some kinds dump what they have counted among their options: it changes with each packet, and is no option.
fn without_counters(kind: &str, options: &[u8]) -> Vec<u8> {
    let counters: &[u16] = match kind {
        // TCA_U32_ACT (an action's counters and times), TCA_U32_PCNT, TCA_U32_POLICE
        "u32" => &[7, 9, 6],
        // TCA_FLOWER_ACT, TCA_FLOWER_IN_HW_COUNT
        "flower" => &[3, 72],
        _ => return htb_without_counter(kind, options),
    };
    let mut kept = super::Message::default();
    for (kind, data) in super::super::message::attributes(options).filter(|(kind, _)| !counters.contains(kind)) {
        kept.attribute(kind, data);
    }
    kept.bytes().to_vec()
}

/// Options as they must be asked for to be dumped like this. fq_codel keeps times in units of 1,024 ns and dumps microseconds,
/// rounding down both ways: what is set to 7,000 us is dumped as 6,999, and set to that is dumped as 6,998. One more is exact.
pub(super) fn as_set(kind: &str, options: &[u8]) -> Vec<u8> {
    /// `TCA_FQ_CODEL_TARGET`, `TCA_FQ_CODEL_INTERVAL`, `TCA_FQ_CODEL_CE_THRESHOLD`
    const TIMES: [u16; 3] = [1, 3, 7];
    if kind != "fq_codel" {
        return options.to_vec();
    }
    let mut set = super::Message::default();
    for (kind, data) in super::super::message::attributes(options) {
        match data.try_into().map(u32::from_ne_bytes) {
            Ok(time) if TIMES.contains(&kind) => set.attribute(kind, &time.saturating_add(1).to_ne_bytes()),
            _ => set.attribute(kind, data),
        }
    }
    set.bytes().to_vec()
}

/// `struct tc_htb_glob` ends with the packets that were in no class.
fn htb_without_counter(kind: &str, options: &[u8]) -> Vec<u8> {
    let mut options = options.to_vec();
    // TCA_HTB_INIT comes first: four bytes of header, then five numbers.
    if kind == "htb" && options.get(2..4) == Some(&2_u16.to_ne_bytes()) && options.len() >= 24 {
        options[20..24].fill(0);
    }
    options
}

#[cfg(test)]
mod tests;
