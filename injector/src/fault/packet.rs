//! Faults on packets, through the four verbs: the same for every kind, because a kind is only a [`Treatment`].
//!
//! The rules lie in a table of the target's network namespace that the agent's socket owns: the kernel removes it when the
//! agent is gone, and its rules stop acting when nobody renews its lease. So there is nothing to restore, and the undo record
//! says so. IPv6 neighbour discovery is never touched.
//!
//! Which packets a victim's are, `packets/site.rs` says. What is dropped where it is made (OUTPUT) is told to the sender of a
//! datagram (EPERM); TCP takes it for a loss.

pub mod bandwidth;
pub mod blackhole;
pub mod corrupt;
pub mod dns;
pub mod duplicate;
pub mod emulated;
pub mod ladder;
pub mod latency;
pub mod loss;
pub mod partition;
pub mod queued;
pub mod reorder;
mod shares;

use std::collections::BTreeSet;
use std::net::IpAddr;
use std::sync::Arc;

use brunt_scenario::plan::{Fault as PlannedFault, Params};

use crate::agent::network::Layout;
use crate::agent::protocol::Order;
use crate::agent::services::Services;
use crate::error::Error;
use crate::fault::link::{self, amount, grouped};
use crate::fault::{Change, Fault, Reverted, Seen, Undo};
use crate::namespace::Namespace;
use crate::netlink::nf_tables::{self, Hook, Match, Rule, Verdict};
use crate::packets::{Beats, Effect, Loss, Site, Table, Treatment, chains, queue};
use crate::target::{Victim, peers};

/// What a kind of the catalogue does to packets; `None` for kinds that do not act on packets (or are not built).
pub fn treatment(kind: &str, with: &Params) -> Option<Result<Treatment, Error>> {
    Some(match kind {
        loss::KIND => loss::from_params(with),
        partition::KIND => partition::from_params(with),
        blackhole::KIND => blackhole::from_params(with),
        latency::KIND => latency::from_params(with),
        duplicate::KIND => duplicate::from_params(with),
        reorder::KIND => reorder::from_params(with),
        corrupt::KIND => corrupt::from_params(with),
        dns::KIND => dns::from_params(with),
        bandwidth::KIND => bandwidth::queued(with),
        _ => return None,
    })
}

/// Whether a thread of the agent decides about the packets; of a network namespace with a name the kernel itself may do what
/// that thread does for others, see [`bandwidth::is_shaped`].
pub fn is_queued(fault: &PlannedFault) -> bool {
    let queued =
        |treatment: Result<Treatment, Error>| matches!(treatment, Ok(Treatment { effect: Effect::Queued(_), .. }));
    treatment(fault.kind, &fault.with).is_some_and(queued)
}

/// What happens to the packets of a fault's victims, with the addresses of those whom `from` means as they are now; `None` for
/// faults that do not act on packets. Blocks: a name may have to be looked up.
pub fn order(fault: &PlannedFault, network: Option<&Layout>) -> Result<Option<Treatment>, Error> {
    let Some(treatment) = treatment(fault.kind, &fault.with) else { return Ok(None) };
    let peers = fault.from.as_ref().map(|(name, target)| peers::addresses(name, target, network)).transpose()?;
    Ok(Some(Treatment { peers, ..treatment? }))
}

/// A link's faults can spare some of its connections; the kernel's rules know packets, and of these the kind hits all.
fn spares_none(kind: &str, with: &Params) -> Result<(), Error> {
    if link::share(with) < 1.0 {
        let why = "`share` picks connections of a link; on packets there are none to pick from: leave it out, or use \
                   `network.loss` for a share of the packets";
        return Err(Error::Unfit { kind: kind.into(), why: why.into() });
    }
    Ok(())
}

/// A share of packets, by the parameter of this name, and its `correlation` (none).
fn correlated(kind: &str, with: &Params, name: &str) -> Result<queue::Share, Error> {
    let missing = || Error::Unfit { kind: kind.into(), why: format!("`{name}` is missing, as in `{name}: 5%`") };
    let share = with.share(name).ok_or_else(missing)?;
    Ok(queue::Share { share, correlation: with.share("correlation").unwrap_or_default() })
}

/// A fault on the packets of its victims' namespaces.
pub struct PacketFault {
    id: String,
    /// How the tables of this run begin, and those of this fault, which has one for each victim.
    run: String,
    table: String,
    victims: Vec<Victim>,
    treatment: Treatment,
    loss: Loss,
    beats: Arc<Beats>,
    places: Vec<Place>,
}

/// Where a victim's packets pass, and the table there while the fault is active.
struct Place {
    site: Site,
    name: String,
    table: Option<(Arc<Table>, Vec<Rule>)>,
}

/// Packets that came along, and how many of them were lost.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
struct Count {
    came: u64,
    lost: u64,
}

impl PacketFault {
    /// What the order asks for.
    pub fn new(order: &Order, loss: Loss, treatment: Treatment, run_id: &str, beats: Arc<Beats>) -> Self {
        let run = format!("brunt-{run_id}-");
        Self {
            id: order.fault.clone(),
            table: format!("{run}{}", order.fault),
            run,
            victims: order.victims.clone(),
            treatment,
            loss,
            beats,
            places: Vec::new(),
        }
    }

    /// What `nft list ruleset` shows of it: at each hook what is spared, then each passage counted and dropped.
    fn rules(&self, site: &Site, change: Change) -> Vec<Rule> {
        let ways = [(self.treatment.ways.to, &site.to), (self.treatment.ways.from, &site.from)];
        let mut rules: Vec<Rule> = Vec::new();
        for passage in ways.into_iter().filter(|(meant, _)| *meant).flat_map(|(_, passages)| passages) {
            let hook = passage.hook;
            let rule = |matches, verdict| Rule { hook, matches, verdict };
            // Copies that the queue of another fault sends again came along here before.
            let again = (hook == Hook::Output).then_some(Match::Unmarked(queue::MARK));
            let meant: Vec<Match> = again.into_iter().chain(passage.matches.iter().cloned()).collect();
            if !rules.iter().any(|rule| rule.hook == hook) {
                rules.push(rule(vec![Match::NeighbourDiscovery], Verdict::Spare));
            }
            rules.push(rule(meant.clone(), Verdict::Count));
            if change == Change::Make {
                rules.push(rule([meant, share(self.loss)].concat(), Verdict::Drop));
            }
        }
        rules
    }

    /// Its rules mean those at the other end, if the fault is between two.
    fn tell_peers(&self) -> Result<(), Error> {
        let Some(peers) = &self.treatment.peers else { return Ok(()) };
        let mut tables = self.places.iter().filter_map(|place| place.table.as_ref());
        tables.try_for_each(|(table, _)| table.meet(peers)).map_err(|refused| self.failed("tell the peers to", refused))
    }

    /// Over all victims and both directions.
    fn count(&self) -> Result<Count, Error> {
        let mut sum = Count::default();
        for (table, rules) in self.places.iter().filter_map(|place| place.table.as_ref()) {
            let hooks: BTreeSet<Hook> = rules.iter().map(|rule| rule.hook).collect();
            for hook in hooks {
                let counts = table.counts(hook).map_err(|source| self.failed("read the counters of", source))?;
                for (rule, count) in rules.iter().filter(|rule| rule.hook == hook).zip(counts) {
                    match rule.verdict {
                        Verdict::Count => sum.came += count,
                        Verdict::Drop => sum.lost += count,
                        _ => {}
                    }
                }
            }
        }
        Ok(sum)
    }

    fn failed(&self, action: &'static str, source: impl std::error::Error) -> Error {
        failed(action, &self.table, &self.victims, &source)
    }

    /// Removes the tables that are left and looks whether they are gone; sentences of what is not.
    fn remove(&mut self) -> Vec<String> {
        let mut left = Vec::new();
        for place in &mut self.places {
            let Some((table, _)) = place.table.take() else { continue };
            if let Err(refused) = table.remove() {
                left.push(refused.to_string());
            }
            left.extend(left_behind(&place.site.namespace, &place.name));
        }
        left
    }
}

/// Where the victim's packets pass, if no other run than this one acts there.
fn free(victim: &Victim, run: &str, table: &str, treatment: &Treatment, services: &Services) -> Result<Site, Error> {
    let mut site = match treatment.effect {
        Effect::Queued(queue::Treatment::Answers(_)) => Site::of_answers(victim, services)?,
        _ => Site::of(victim, services)?,
    };
    if treatment.peers.is_some() {
        site = site.between();
    }
    let victims = std::slice::from_ref(victim);
    let tables = site
        .namespace
        .inside(nf_tables::tables)
        .map_err(|source| failed("enter the namespace for", table, victims, &source))?
        .map_err(|refused| failed("look for others than", table, victims, &refused))?;
    if let Some(other) = tables.iter().find(|name| name.starts_with("brunt-") && !name.starts_with(run)) {
        let text = format!(
            "another run acts on the packets of {victim} (nf_tables table `{other}`); two that do not know of each other \
             cannot be told apart in what is measured. Wait for its end"
        );
        return Err(Error::Refused(text));
    }
    Ok(site)
}

/// The namespace is held open here; a container that was started again has another one.
fn ended(victims: &[Victim]) -> Option<Seen> {
    let ended = |victim: &&Victim| matches!(victim, Victim::Container { process: Some(it), .. } if !it.is_alive());
    let victim = victims.iter().find(ended)?;
    Some(Seen::Absent(format!("container {victim} has ended, and its network with it")))
}

fn failed(action: &'static str, table: &str, victims: &[Victim], source: &dyn std::error::Error) -> Error {
    let victims: Vec<String> = victims.iter().map(ToString::to_string).collect();
    Error::Packets { action, table: table.to_owned(), victims: victims.join(", "), why: source.to_string() }
}

/// Whether a table of this name is still in the namespace, and nothing stands in the way of its end: what a person can do about it.
fn left_behind(namespace: &Namespace, table: &str) -> Option<String> {
    if chains::waits(namespace.identity(), table) {
        return None;
    }
    match namespace.inside(nf_tables::tables) {
        Ok(Ok(tables)) if tables.iter().any(|name| name == table) => {
            Some(format!("table `{table}` is still there; it goes with the agent"))
        }
        Ok(Ok(_)) => None,
        Ok(Err(refused)) => Some(refused.to_string()),
        Err(error) => Some(format!("cannot look whether `{table}` is gone: {error}")),
    }
}

fn share(loss: Loss) -> Vec<Match> {
    match loss {
        Loss::All => Vec::new(),
        Loss::Uniform(share) => vec![Match::Share { millionths: (share * 1e6).round() as u32 }],
    }
}

impl Fault<Services> for PacketFault {
    fn prepare(&mut self, services: &mut Services) -> Result<Vec<Undo>, Error> {
        self.places.clear();
        for (number, victim) in self.victims.iter().enumerate() {
            let site = free(victim, &self.run, &self.table, &self.treatment, services)?;
            self.places.push(Place { site, name: format!("{}-{number}", self.table), table: None });
        }
        Ok(vec![Undo::EndsWithAgent { what: format!("nf_tables tables `{}-*`", self.table) }])
    }

    fn inject(&mut self, _: &mut Services, change: Change) -> Result<(), Error> {
        for at in 0..self.places.len() {
            if self.places[at].table.is_some() {
                continue;
            }
            let rules = self.rules(&self.places[at].site, change);
            let installed = self.beats.install(&self.places[at].site.namespace, &self.places[at].name, &rules);
            let table = installed.map_err(|refused| self.failed("install", refused))?;
            self.places[at].table = Some((table, rules));
        }
        self.tell_peers()
    }

    fn meet(&mut self, _: &mut Services, peers: &[IpAddr]) -> Result<(), Error> {
        self.treatment.peers = Some(peers.to_vec());
        self.tell_peers()
    }

    fn verify(&mut self, _: &mut Services) -> Result<Seen, Error> {
        match ended(&self.victims) {
            Some(seen) => Ok(seen),
            None => Ok(judge(self.loss, self.count()?)),
        }
    }

    fn revert(&mut self, _: &mut Services) -> Reverted {
        let held = self.places.iter().any(|place| place.table.is_some());
        let count = self.count();
        let residue = count.iter().filter(|count| count.lost > 0).map(|count| format!("{} lost", packets(count.lost)));
        let residue = residue.collect();
        let effect = match count {
            Ok(count) => judge(self.loss, count),
            Err(error) => Seen::Absent(error.to_string()),
        };
        let left = self.remove();
        let error = (!left.is_empty()).then(|| format!("{}: {}", self.id, left.join("; ")));
        Reverted { effect, rollback_verified: held.then_some(error.is_none()), residue, error }
    }
}

fn packets(number: u64) -> String {
    amount(number, "packet")
}

/// What the counters say. The kernel drops, and it counts what it drops; what must be shown is that it drops as many as it
/// was asked to.
fn judge(loss: Loss, Count { came, lost }: Count) -> Seen {
    if came == 0 {
        return Seen::NotExercised("no packet came along".into());
    }
    let of = format!("{} of {}", grouped(lost), packets(came));
    match loss {
        // One may have been counted by the first rule and not by the second yet.
        Loss::All if lost + 1 >= came => Seen::Yes(format!("lost {of}")),
        Loss::All => Seen::Absent(format!("{of} were lost, and all should have been")),
        Loss::Uniform(share) => {
            let (came, lost) = (came as f64, lost as f64);
            // Below ten losses the share cannot be told; that there were any is enough to see that it acts.
            if came * share < 10.0 {
                return match lost > 0.0 {
                    true => Seen::Yes(format!("lost {of}")),
                    false => Seen::NotExercised(format!("{of} were lost: too few came along for a share of {share}")),
                };
            }
            let [low, high] = shares::interval(lost / came, came);
            let (text, asked) =
                (format!("{of} ({:.2} %, asked for {:.2} %)", 100.0 * lost / came, 100.0 * share), share);
            if (low..=high).contains(&asked) {
                Seen::Yes(format!("lost {text}"))
            } else {
                Seen::Absent(format!("{text} were lost"))
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_share_of_connections_is_refused_where_there_are_only_packets() {
        let with = |share| {
            Params(
                [("share", brunt_scenario::plan::ParamValue::Percent(brunt_scenario::units::Share(share)))]
                    .into_iter()
                    .collect(),
            )
        };
        for kind in [partition::KIND, blackhole::KIND] {
            assert!(treatment(kind, &with(1.0)).is_some_and(|treatment| treatment.is_ok()), "{kind}");
            let refused = treatment(kind, &with(0.5)).expect("it acts on packets").unwrap_err().to_string();
            assert!(refused.contains("`share` picks connections of a link"), "{refused}");
        }
    }

    #[test]
    fn a_share_that_chance_explains_is_seen_and_one_that_it_does_not_is_absent() {
        let of = |lost, came| judge(Loss::Uniform(0.05), Count { came, lost });
        assert_eq!(of(0, 0), Seen::NotExercised("no packet came along".into()));
        assert_eq!(
            of(0, 100),
            Seen::NotExercised("0 of 100 packets were lost: too few came along for a share of 0.05".into())
        );
        assert_eq!(of(1, 100), Seen::Yes("lost 1 of 100 packets".into()));
        assert_eq!(of(1010, 20_000), Seen::Yes("lost 1,010 of 20,000 packets (5.05 %, asked for 5.00 %)".into()));
        // 31 per packet-root is one standard deviation; six of them are no chance.
        assert!(matches!(of(1190, 20_000), Seen::Absent(_)));
        assert!(matches!(of(820, 20_000), Seen::Absent(_)));
        assert!(matches!(of(0, 20_000), Seen::Absent(_)));
    }

    #[test]
    fn what_passes_a_partition_is_told() {
        let of = |lost, came| judge(Loss::All, Count { came, lost });
        assert_eq!(of(12, 12), Seen::Yes("lost 12 of 12 packets".into()));
        assert_eq!(of(11, 12), Seen::Yes("lost 11 of 12 packets".into()));
        assert_eq!(of(0, 12), Seen::Absent("0 of 12 packets were lost, and all should have been".into()));
    }
}
