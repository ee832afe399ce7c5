//! Faults on packets that the kernel's own queues carry out (netem, for a rate htb), through the four verbs.
//!
//! *What leaves* a victim's namespace goes through a class of each of its links, into which only a leased rule leads (see
//! `netlink/tc/shaped`); *what arrives*, through the same on a link of brunt's own (`packets/arrivals`). So the rules act as
//! long as somebody renews their lease, and queues that are left behind by a death hold nothing; `brunt cleanup` removes them.
//!
//! The order of things: the rule is there before the queue, for it does no harm alone, and who finds a queue of brunt's beside
//! a table of brunt's leaves both alone. At the end the rule's lease ends first, so that nothing new is held; what is held goes
//! on at its time (at most `emulation::LONGEST`), then the queue goes, and the rule's table last (rule 6).
//!
//! It is for whoever has a network namespace to himself. A link whose root somebody has set, or that carries what another link
//! carries, too, is refused here, and the next rung of the ladder serves.

use std::net::IpAddr;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, Instant};

use super::queued::{LATE, LATE_SHARE};
use super::{bandwidth, ended, failed, free, shares};
use crate::agent::protocol::Order;
use crate::agent::services::Services;
use crate::error::Error;
use crate::fault::link::amount;
use crate::fault::{Change, Fault, Reverted, Seen, Undo};
use crate::namespace::path_of;
use crate::netlink::link;
use crate::netlink::nf_tables::{Hook, Match, Rule, Verdict};
use crate::netlink::tc::flow::Family;
use crate::netlink::tc::shaped::{CLASS, Cannot, Shape, Shaped};
use crate::netlink::tc::statistics::Statistics;
use crate::netlink::tc::tree::Restored;
use crate::packets::arrivals::{self, Arrivals};
use crate::packets::probe::{self, Probe};
use crate::packets::{Beats, Effect, Passage, Site, Table, Treatment, queue};
use crate::target::Victim;

/// A fault on the packets of its victims' namespaces.
pub struct EmulatedFault {
    id: String,
    /// How the tables of this run begin, and those of this fault.
    run: String,
    table: String,
    victims: Vec<Victim>,
    asked: Treatment,
    shape: Shape,
    beats: Arc<Beats>,
    places: Vec<Place>,
    /// What was counted until it came off.
    ended: Sum,
}

/// A victim's namespace, and its links but for the loopback.
struct Place {
    site: Site,
    links: Vec<String>,
    /// What leaves, what arrives, as far as it is meant.
    wires: Vec<Wire>,
}

/// One direction.
struct Wire {
    arrives: bool,
    /// What the queues are on; of what arrives, once the link is made.
    shaped: Option<Shaped>,
    table: Option<(Arc<Table>, Vec<Rule>)>,
    /// When the queue was put there.
    since: Option<Instant>,
    /// Of each link, where packets are held.
    probes: Vec<Probe>,
}

/// Over all victims and both directions.
#[derive(Debug, Clone, Copy, Default)]
struct Sum {
    came: u64,
    through: Statistics,
    time: Duration,
}

impl Sum {
    fn and(self, other: Self) -> Self {
        Self { came: self.came + other.came, through: self.through.and(other.through), time: self.time + other.time }
    }
}

impl Wire {
    fn new(arrives: bool, shaped: Option<Shaped>) -> Self {
        Self { arrives, shaped, table: None, since: None, probes: Vec::new() }
    }

    fn hook(&self, site: &Site) -> Hook {
        if self.arrives { Hook::Ingress } else { site.from.first().map_or(Hook::Output, |passage| passage.hook) }
    }

    /// Neighbour discovery is spared; all else that is meant goes into the class, or is only counted.
    fn rules(&self, site: &Site, verdict: Verdict) -> Vec<Rule> {
        let hook = self.hook(site);
        let meant = if self.arrives { at_the_door(&site.to) } else { matches_of(&site.from) };
        let spare = Rule { hook, matches: vec![Match::NeighbourDiscovery], verdict: Verdict::Spare };
        let rules = meant.into_iter().map(|matches| Rule { hook, matches, verdict });
        std::iter::once(spare).chain(rules).collect()
    }

    fn count(&mut self, site: &Site) -> std::io::Result<Sum> {
        let Some((table, rules)) = &self.table else { return Ok(Sum::default()) };
        // Before what came, which goes on rising meanwhile: nothing is seen lost that has not come.
        let through = match (&mut self.shaped, self.since) {
            (Some(shaped), Some(_)) => shaped.statistics()?,
            _ => Statistics::default(),
        };
        let counts = table.counts(self.hook(site))?;
        let meant = rules.iter().zip(counts).filter(|(rule, _)| rule.verdict != Verdict::Spare);
        let links = self.shaped.as_ref().map_or(0, |shaped| shaped.before().len());
        let time = self.since.map(|since| since.elapsed()).unwrap_or_default();
        Ok(Sum {
            came: meant.map(|(_, count)| count).sum(),
            through,
            time: time * u32::try_from(links).unwrap_or(u32::MAX),
        })
    }
}

fn matches_of(passages: &[Passage]) -> Vec<Vec<Match>> {
    passages.iter().map(|passage| passage.matches.clone()).collect()
}

/// There all comes from outside; but it may be something else than IP, which needs another condition.
fn at_the_door(passages: &[Passage]) -> Vec<Vec<Match>> {
    let mut all = Vec::new();
    for passage in passages {
        let matches: Vec<Match> =
            passage.matches.iter().copied().filter(|one| *one != Match::ArrivedFromOutside).collect();
        if matches.iter().any(|one| matches!(one, Match::Source(_) | Match::FromPeer(_))) {
            all.push(matches);
        } else {
            all.extend([Family::V4, Family::V6].map(|family| [&[Match::Of(family)], &matches[..]].concat()));
        }
    }
    all
}

impl EmulatedFault {
    /// What the order asks for, in this shape.
    pub fn new(order: &Order, shape: Shape, asked: Treatment, run_id: &str, beats: Arc<Beats>) -> Self {
        let run = format!("brunt-{run_id}-");
        Self {
            id: order.fault.clone(),
            table: format!("{run}{}", order.fault),
            run,
            victims: order.victims.clone(),
            asked,
            shape,
            beats,
            places: Vec::new(),
            ended: Sum::default(),
        }
    }

    /// The mechanism, as the catalogue names it.
    pub fn rung(&self) -> &'static str {
        match self.shape {
            Shape::Rate(_) => crate::catalogue::HTB,
            Shape::Netem(_) => crate::catalogue::NETEM,
        }
    }

    /// Whether its victims have a network namespace to themselves.
    pub fn is_for(victims: &[Victim]) -> bool {
        victims.iter().all(|victim| matches!(victim, Victim::Namespace { .. } | Victim::Container { .. }))
    }

    /// As [`Fault::prepare`]; the inner error says why another rung must serve.
    pub fn try_prepare(&mut self, services: &mut Services) -> Result<Result<Vec<Undo>, String>, Error> {
        self.places.clear();
        let mut undo = Vec::new();
        for victim in &self.victims {
            let site = free(victim, &self.run, &self.table, &self.asked, services)?;
            let at = match victim {
                Victim::Namespace { name, .. } => path_of(name),
                _ => PathBuf::from(format!("/proc/{}/ns/net", victim.pid().unwrap_or_default())),
            };
            let looked = site.namespace.inside(|| look(self.asked.ways.from, self.asked.ways.to));
            let (links, shaped) = match looked.map_err(|error| self.failed("look at the links for", &error))? {
                Ok(looked) => looked,
                Err(why) => return Ok(Err(format!("{victim}: {why}"))),
            };
            let namespace = site.namespace.identity();
            let mut wires = Vec::new();
            if self.asked.ways.to {
                undo.push(Undo::Arrivals { at: at.clone(), namespace });
                wires.push(Wire::new(true, None));
            }
            if let Some(shaped) = shaped {
                undo.push(Undo::Queues { at, namespace, links: shaped.before().to_vec() });
                wires.push(Wire::new(false, Some(shaped)));
            }
            self.places.push(Place { site, links, wires });
        }
        undo.push(Undo::EndsWithAgent { what: format!("nf_tables tables `{}-*`", self.table) });
        Ok(Ok(undo))
    }

    /// Makes what is not there yet at one place.
    fn install(&mut self, at: usize, change: Change) -> Result<(), Error> {
        let name = |arrives: bool| format!("{}-{at}-{}", self.table, if arrives { "to" } else { "from" });
        let Place { site, links, wires } = &mut self.places[at];
        for wire in wires.iter_mut().filter(|wire| wire.table.is_none()) {
            let table = name(wire.arrives);
            let says = |action: &'static str| {
                let (table, victims) = (table.clone(), self.victims.clone());
                move |why: &dyn std::error::Error| failed(action, &table, &victims, why)
            };
            let mut verdict = Verdict::Count;
            if change == Change::Make {
                verdict = Verdict::Priority(CLASS);
                if wire.arrives {
                    let whose = format!("{} of run {}", self.id, self.run.trim_end_matches('-'));
                    let made = site.namespace.inside(|| Arrivals::make(&whose, &self.shape));
                    let made = made.map_err(|error| says("make a queue beside")(&error))?;
                    let (arrivals, shaped) = made.map_err(|refused| says("make a queue beside")(&refused))?;
                    verdict = Verdict::Redirect { link: arrivals.link(), class: CLASS };
                    wire.shaped = Some(shaped);
                    wire.since = Some(Instant::now());
                }
            }
            let rules = wire.rules(site, verdict);
            let installed = match wire.arrives {
                true => self.beats.install_at(&site.namespace, links, &table, &rules),
                false => self.beats.install(&site.namespace, &table, &rules),
            };
            wire.table = Some((installed.map_err(|refused| says("install")(&refused))?, rules));
            if let (Some(shaped), Change::Make, false) = (&mut wire.shaped, change, wire.arrives) {
                wire.since = Some(Instant::now());
                shaped.install(&self.shape).map_err(|refused| says("put a queue beside")(&refused))?;
            }
            if let (Some(shaped), Some(_), Some(_)) = (&wire.shaped, wire.since, latency_of(&self.asked.effect)) {
                let links: Vec<u32> = shaped.before().iter().map(|queues| queues.link).collect();
                let probes = site.namespace.inside(|| probes(&links)).and_then(|probes| probes);
                wire.probes = probes.map_err(|error| says("send probes beside")(&error))?;
            }
        }
        Ok(())
    }

    /// Its rules mean those at the other end, if the fault is between two.
    fn tell_peers(&self) -> Result<(), Error> {
        let Some(peers) = &self.asked.peers else { return Ok(()) };
        let wires = self.places.iter().flat_map(|place| &place.wires);
        let mut tables = wires.filter_map(|wire| wire.table.as_ref());
        tables
            .try_for_each(|(table, _)| table.meet(peers))
            .map_err(|refused| self.failed("tell the peers to", &refused))
    }

    fn failed(&self, action: &'static str, source: &dyn std::error::Error) -> Error {
        failed(action, &self.table, &self.victims, source)
    }

    fn sum(&mut self) -> Result<Sum, Error> {
        let mut sum = self.ended;
        for at in 0..self.places.len() {
            let Place { site, wires, .. } = &mut self.places[at];
            let counted: std::io::Result<Vec<Sum>> = wires.iter_mut().map(|wire| wire.count(site)).collect();
            sum = counted.map_err(|error| self.failed("read the counters of", &error))?.into_iter().fold(sum, Sum::and);
        }
        Ok(sum)
    }

    /// What was counted and, of a latency, what probes have seen.
    fn judge(&self, sum: &Sum) -> Seen {
        let seen = judge(&self.asked.effect, sum);
        let (Some(asked), Seen::Yes(text)) = (latency_of(&self.asked.effect), &seen) else { return seen };
        let probes = || self.places.iter().flat_map(|place| &place.wires).flat_map(|wire| &wire.probes);
        match probe::middle(probes()) {
            None if probes().next().is_none() => seen,
            None => Seen::NotExercised(format!("{text}; no probe of brunt's own has passed it yet")),
            Some((middle, number)) => held(text, asked, middle, number),
        }
    }

    /// Takes everything off; sentences of what is left, and how many bytes were lost on the way.
    fn remove(&mut self) -> (Vec<String>, u32) {
        let (mut left, mut lost) = (Vec::new(), 0);
        // All at once, so that what is held by one goes on while another is waited for.
        let wires = self.places.iter().flat_map(|place| &place.wires);
        let ended = wires.filter_map(|wire| wire.table.as_ref()?.0.end().err());
        left.extend(ended.map(|refused| refused.to_string()));
        for Place { site, wires, .. } in &mut self.places {
            for wire in wires {
                if wire.since.is_some() {
                    match wire.take_off(site) {
                        Ok((differs, bytes)) => {
                            lost += bytes;
                            left.extend(differs);
                            wire.since = None;
                        }
                        Err(why) => left.push(why),
                    }
                }
                if let Some((table, _)) = wire.table.take()
                    && let Err(refused) = table.remove()
                {
                    left.push(refused.to_string());
                }
            }
        }
        (left, lost)
    }
}

impl Wire {
    /// Waits until what is held has gone on, for a moment at most; then the queue goes.
    fn take_off(&mut self, site: &Site) -> Result<(Vec<String>, u32), String> {
        let Some(shaped) = &mut self.shaped else { return Ok((Vec::new(), 0)) };
        let (restored, lost) = shaped.restore().map_err(|refused| refused.to_string())?;
        self.probes.iter_mut().for_each(Probe::read);
        if self.arrives {
            let removed = site.namespace.inside(arrivals::remove).and_then(|removed| removed);
            removed.map_err(|error| format!("cannot remove the link {}: {error}", arrivals::NAME))?;
            self.shaped = None;
            return Ok((Vec::new(), lost));
        }
        let differs = restored.into_iter().filter_map(|one| match one {
            Restored::Yes(_) => None,
            Restored::Differs(differences) => Some(differences.join("; ")),
        });
        Ok((differs.collect(), lost))
    }
}

/// On a thread that has entered a namespace: its links but for the loopback and, if what leaves is meant, what they have.
///
/// # Errors
/// Why queues cannot be put there.
fn look(leaves: bool, arrives: bool) -> Result<(Vec<String>, Option<Shaped>), String> {
    let cannot = |error: std::io::Error| format!("cannot look at its links: {error}");
    let all = link::all(&mut link::open().map_err(cannot)?).map_err(cannot)?;
    if let Some(stacked) = all.iter().find(|link| link.is_stacked) {
        return Err(format!(
            "its link {} carries what another one carries, too: a packet would be hit twice",
            stacked.name
        ));
    }
    let links: Vec<String> = all.into_iter().map(|link| link.name).filter(|name| name != "lo").collect();
    if arrives && links.iter().any(|name| name == arrivals::NAME) {
        return Err(format!("another fault of brunt acts on what arrives there (the link {})", arrivals::NAME));
    }
    if links.is_empty() {
        return Err("it has no link but the loopback".into());
    }
    let shaped = leaves.then(|| Shaped::prepare(|queues| queues.name != "lo" && queues.name != arrivals::NAME));
    let shaped = shaped.transpose().map_err(|cannot| match cannot {
        Cannot::Taken(taken) => taken.to_string(),
        other => other.to_string(),
    })?;
    Ok((links, shaped))
}

impl Fault<Services> for EmulatedFault {
    fn prepare(&mut self, services: &mut Services) -> Result<Vec<Undo>, Error> {
        self.try_prepare(services)?.map_err(Error::Refused)
    }

    fn inject(&mut self, _: &mut Services, change: Change) -> Result<(), Error> {
        (0..self.places.len()).try_for_each(|at| self.install(at, change))?;
        self.tell_peers()
    }

    fn meet(&mut self, _: &mut Services, peers: &[IpAddr]) -> Result<(), Error> {
        self.asked.peers = Some(peers.to_vec());
        self.tell_peers()
    }

    fn verify(&mut self, _: &mut Services) -> Result<Seen, Error> {
        match ended(&self.victims) {
            Some(seen) => Ok(seen),
            None => {
                if let Some(asked) = latency_of(&self.asked.effect) {
                    let wires = self.places.iter_mut().flat_map(|place| &mut place.wires);
                    wires.flat_map(|wire| &mut wire.probes).for_each(|probe| probe.go_on(asked));
                }
                let sum = self.sum()?;
                Ok(self.judge(&sum))
            }
        }
    }

    /// What is held goes on at its time, and nothing new is held.
    fn cease(&mut self, _: &mut Services) {
        let wires = self.places.iter().flat_map(|place| &place.wires);
        wires.filter_map(|wire| wire.table.as_ref()).for_each(|(table, _)| {
            // `revert` tries again and says why it cannot.
            let _ = table.end();
        });
    }

    fn revert(&mut self, _: &mut Services) -> Reverted {
        let held =
            self.places.iter().flat_map(|place| &place.wires).any(|wire| wire.table.is_some() || wire.since.is_some());
        let sum = self.sum();
        let (left, waiting) = self.remove();
        let effect = match &sum {
            Ok(sum) => self.judge(sum),
            Err(error) => Seen::Absent(error.to_string()),
        };
        self.ended = sum.unwrap_or(self.ended);
        let drops = self.ended.through.drops;
        let mut residue = Vec::new();
        if drops > 0 {
            let room = if self.rung() == crate::catalogue::HTB { ", for which the queue had no room" } else { "" };
            residue.push(format!("{} lost{room}", amount(drops.into(), "packet")));
        }
        if waiting > 0 {
            residue.push(format!("{} that still waited when it came off lost", amount(waiting.into(), "byte")));
        }
        let error = (!left.is_empty()).then(|| format!("{}: {}", self.id, left.join("; ")));
        Reverted { effect, rollback_verified: held.then_some(error.is_none()), residue, error }
    }
}

/// How long packets are to be held.
fn latency_of(effect: &Effect) -> Option<Duration> {
    match effect {
        Effect::Queued(queue::Treatment::Delay(delays)) => delays.constant(),
        _ => None,
    }
}

/// On a thread that has entered the links' namespace.
fn probes(links: &[u32]) -> std::io::Result<Vec<Probe>> {
    let all = link::all(&mut link::open()?)?;
    let meant = all.iter().filter(|link| links.contains(&link.index));
    meant.filter_map(|link| Probe::new(link, CLASS.number()).transpose()).collect()
}

/// What the probes say, of which half were held for no longer than `middle`.
fn held(text: &str, asked: Duration, middle: Duration, number: usize) -> Seen {
    let milliseconds = middle.as_secs_f64() * 1e3;
    let text = format!("{text}, half of {} for {milliseconds:.2} ms at most", amount(number as u64, "probe"));
    let off = middle.abs_diff(asked);
    if off <= LATE.max(asked.mul_f64(LATE_SHARE)) { Seen::Yes(text) } else { Seen::Absent(text) }
}

/// What the counters say: of the rule, what came; of the queue, what became of it.
fn judge(effect: &Effect, Sum { came, through, time }: &Sum) -> Seen {
    let (came, drops) = (*came, u64::from(through.drops));
    if came == 0 {
        return Seen::NotExercised("no packet came along".into());
    }
    if through.packets == 0 && through.backlog == 0 && drops == 0 {
        return Seen::Absent(format!("{} came along, and none went through the queue", amount(came, "packet")));
    }
    let treatment = match effect {
        Effect::Lost(loss) => {
            let share = if let crate::packets::Loss::Uniform(share) = loss { *share } else { 1.0 };
            return shares::judge(came, drops, ("lost", share, 1.0));
        }
        Effect::Queued(treatment) => treatment,
    };
    match treatment {
        queue::Treatment::Lose(loss) => shares::judge(came, drops, ("lost", loss.share(), loss.runs())),
        queue::Treatment::Rate(rate) => {
            let rate = crate::netlink::tc::rate::Rate { bytes_per_second: rate.bytes_per_second };
            bandwidth::judge(rate, came, *through, *time)
        }
        _ if drops > 0 => {
            Seen::Absent(format!("{} lost, because more waited than there was room for", amount(drops, "packet")))
        }
        queue::Treatment::Reorder(share, _) => {
            shares::judge(came, through.overtook.into(), ("let pass in front of others", share.share, 1.0))
        }
        _ => Seen::Yes(format!("{} went through the queue that holds them", amount(came, "packet"))),
    }
}
