//! Where the packets of a victim pass, and how they are told from those of others there.
//!
//! An isolated service: what passes the namespace in the middle of its network (FORWARD) to or from one of its addresses,
//! whichever process lives there at the moment; nobody is told of what is dropped there.
//!
//! A network namespace of its own: all packets that come in by a device or leave by one. A process that shares its namespace
//! with others: those of the TCP ports on which it (or its process group) listens, and no others; neither the owner of a socket
//! nor its control group tells them apart on the way in. Connections that the process itself opens are therefore not hit.
//!
//! What comes to the victim is looked at before it is known whether it stays (PREROUTING), so a router loses what it would pass
//! on; what comes from it where it is made (OUTPUT). On the loopback each packet passes each of them once.

use crate::agent::services::{Key, Services};
use crate::error::Error;
use crate::fault::process::process_of;
use crate::namespace::Namespace;
use crate::netlink::nf_tables::{Addresses, Hook, Match, Transport};
use crate::netlink::tc::flow::Family;
use crate::target::process::{has_alone, ports_of};
use crate::target::{Victim, netns};

/// Where name servers listen.
const DNS: u16 = 53;

/// A network namespace, and the two ways of a victim's packets through it.
#[derive(Debug, Clone)]
pub struct Site {
    /// Where the rules belong.
    pub namespace: Namespace,
    /// What goes to the victim. A packet that fits several passages fits the first of them.
    pub to: Vec<Passage>,
    /// What comes from it.
    pub from: Vec<Passage>,
}

/// Packets at one point of their way.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Passage {
    /// The point.
    pub hook: Hook,
    /// Which packets.
    pub matches: Vec<Match>,
}

impl Site {
    /// Of this victim, as it is now.
    ///
    /// # Errors
    /// It is gone, or its packets cannot be told from those of others.
    pub fn of(victim: &Victim, services: &Services) -> Result<Self, Error> {
        match victim {
            Victim::Namespace { .. } | Victim::Container { .. } => Ok(Self::whole(netns::open(victim)?)),
            Victim::OwnNetwork { name } => {
                let gone = |error: std::io::Error| Error::NamespaceGone { name: name.clone(), why: error.to_string() };
                Ok(Self::whole(Namespace::current().map_err(gone)?))
            }
            Victim::Process { .. } | Victim::Instance { .. } => {
                if let Some(isolated) = victim.instance().and_then(|key| Self::isolated(&key, services)) {
                    return Ok(isolated);
                }
                Self::listening(victim, process_of(victim, services)?.pid)
            }
            Victim::Listener { .. } | Victim::Kubernetes(_) => {
                let why = format!("the packets of {victim} cannot be hit");
                Err(Error::Unfit { kind: "network.*".into(), why })
            }
        }
    }

    /// Where answers of name servers (UDP, from port 53) come to this victim. On the loopback, too: there is the server of a
    /// container, and what is held there belongs to no socket any more.
    ///
    /// # Errors
    /// It is gone, or others have its network, too: a question comes from any port, so nothing tells whose answer it is.
    pub fn of_answers(victim: &Victim, services: &Services) -> Result<Self, Error> {
        let site = match (victim, victim.instance().and_then(|key| Self::isolated(&key, services))) {
            (_, Some(isolated)) => isolated,
            (Victim::Process { .. } | Victim::Instance { .. }, None) => {
                let pid = process_of(victim, services)?.pid;
                has_alone(victim, pid).map_err(|why| Error::Unfit { kind: "network.dns".into(), why })?;
                let gone =
                    |error: std::io::Error| Error::ProcessGone { process: victim.to_string(), why: error.to_string() };
                Self::whole(Namespace::of_process(pid).map_err(gone)?)
            }
            (_, None) => Self::of(victim, services)?,
        };
        let answers = |passage: Passage| {
            let others = passage.matches.into_iter().filter(|one| *one != Match::ArrivedFromOutside);
            let matches = others.chain([Match::Transport(Transport::Udp), Match::From(DNS)]).collect();
            Passage { hook: passage.hook, matches }
        };
        Ok(Self { namespace: site.namespace, to: site.to.into_iter().map(answers).collect(), from: Vec::new() })
    }

    fn isolated(key: &Key, services: &Services) -> Option<Self> {
        let network = services.network()?;
        let addresses = network.addresses(key)?;
        let passages = |of: fn(Addresses) -> Match| -> Vec<Passage> {
            let own = addresses.each().map(|own| vec![of(Addresses::from(own))]);
            own.map(|matches| Passage { hook: Hook::Forward, matches }).collect()
        };
        let (to, from) = (passages(Match::Destination), passages(Match::Source));
        Some(Self { namespace: network.hub().clone(), to, from })
    }

    fn whole(namespace: Namespace) -> Self {
        let passage = |hook, outside| vec![Passage { hook, matches: vec![outside] }];
        Self {
            namespace,
            to: passage(Hook::Prerouting, Match::ArrivedFromOutside),
            from: passage(Hook::Output, Match::LeavesForOutside),
        }
    }

    fn listening(victim: &Victim, pid: u32) -> Result<Self, Error> {
        let gone = |error: std::io::Error| Error::ProcessGone { process: victim.to_string(), why: error.to_string() };
        let namespace = Namespace::of_process(pid).map_err(gone)?;
        let ports = ports_of(&[pid]);
        if ports.is_empty() {
            let why = format!("{victim} listens on no TCP port, so its packets cannot be told from those of others");
            return Err(Error::Unfit { kind: "network.*".into(), why });
        }
        let tcp = |hook, of: fn(u16) -> Match| {
            let passage =
                move |port: &u16| Passage { hook, matches: vec![Match::Transport(Transport::Tcp), of(*port)] };
            ports.iter().map(passage).collect()
        };
        Ok(Self { to: tcp(Hook::Prerouting, Match::To), from: tcp(Hook::Output, Match::From), namespace })
    }

    /// Only what is exchanged with the peers that the rules are told of (`Leased::meet`).
    #[must_use]
    pub fn between(self) -> Self {
        let each = |passages: Vec<Passage>, of: fn(Family) -> Match| -> Vec<Passage> {
            let with = |passage: &Passage, family| {
                let matches = [passage.matches.as_slice(), &[of(family)]].concat();
                Passage { hook: passage.hook, matches }
            };
            let both = |passage| [Family::V4, Family::V6].map(|family| with(passage, family));
            passages.iter().flat_map(both).collect()
        };
        Self { to: each(self.to, Match::FromPeer), from: each(self.from, Match::ToPeer), namespace: self.namespace }
    }
}
