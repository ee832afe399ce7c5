//! `network.bandwidth` on packets: what comes to a target, or leaves it, goes no faster than a rate.
//!
//! *What the service feels*: a thin wire, one for each direction. A queue builds up before it (100 ms of the rate, at least 128 KiB), so everything that
//! passes is late, and what does not fit into the queue is lost; TCP slows down to the rate, UDP does not and loses the rest.
//! The rate is that of bytes on the wire, Ethernet's header included: full TCP segments carry 95.6 % of it.
//!
//! There are two rungs. **htb** serves what leaves a network namespace with a name (`direction: from`, for anybody): any rate, and
//! each link has it for itself; the loopback is never touched. Where the kernel has netem, too, it also serves what arrives,
//! both ways, one peer, and containers that share their network with nobody (`emulated.rs`). **NFQUEUE** serves all else (these
//! without netem, and always the packets of services and processes): a thread of the agent lets them go on one after another
//! (`packets/queue/rate.rs`), each victim's and each direction's for themselves. Each packet goes through that thread, so above
//! [`MOST`] it is refused: what a queue loses by itself is not the fault that was asked for.
//!
//! *Privileges*: CAP_NET_ADMIN in the target's network namespace and CAP_SYS_ADMIN to enter it. *Verified*:
//! packets had to wait, and what passed in the time in which there were any was the rate, by the kernel's counters (no more
//! than it) or the thread's own (no less either).
//!
//! *Undone*, NFQUEUE: as all that is queued, see `packets/queue`. htb, whose class only a leased rule of nf_tables leads into: what waits is let go at once and in order, the links get back what they had, and that is compared. A class that is
//! left behind by a death is not reached by anything; `brunt cleanup` removes it. A link whose root somebody set is refused.
//! While a link changes its root the kernel loses what is sent in that moment: up to 0.7 ms of it were seen, at 70,000 packets a
//! second.

use std::sync::Arc;
use std::time::{Duration, Instant};

use brunt_scenario::plan::{Fault as PlannedFault, Params};
use serde::{Deserialize, Serialize};

use crate::agent::protocol::Order;
use crate::agent::services::Services;
use crate::error::Error;
use crate::fault::link::{amount, grouped, share, ways};
use crate::fault::{Change, Fault, Reverted, Seen, Undo};
use crate::namespace::{Namespace, path_of};
use crate::netlink::nf_tables::{self, Hook, Match, Rule, Verdict};
use crate::netlink::tc::rate::Rate;
use crate::netlink::tc::shaped::{CLASS, Cannot, Shape, Shaped, burst};
use crate::netlink::tc::statistics::Statistics;
use crate::netlink::tc::tree::Restored;
use crate::packets::{Beats, Effect, Table, Treatment, queue};
use crate::proxy::Ways;
use crate::target::{Victim, netns};

/// The kind, as in the catalogue.
pub const KIND: &str = "network.bandwidth";

/// How far what passed may be from the rate before it is called absent.
const TOLERANCE: f64 = 1.05;
/// A packet on Ethernet.
const FRAME: u32 = 1514;
/// One that its sender leaves to the link to cut.
const UNCUT: u32 = 64 * 1024;

/// Bits a second that go through the agent, at most: 17,000 full packets, about half of what a queue holds up to on two slow
/// processors.
pub const MOST: u64 = 200_000_000;

/// How late the last of those that waited may go on, beside [`TOLERANCE`], each time that the wire gets free.
const LATE: Duration = Duration::from_millis(5);

/// What is asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Bandwidth {
    /// Bits a second; at least 8.
    pub rate: u64,
}

/// Reads `rate`, `direction` (`both`) and `share` (which must be all), for packets that go through the agent.
pub fn queued(with: &Params) -> Result<Treatment, Error> {
    let Bandwidth { rate } = from_params(with)?;
    if rate > MOST {
        let why = format!(
            "above {} Mbit/s the agent, through which each packet goes, could not keep up. The kernel can limit any rate of what \
             leaves a network namespace: use a `netns` target with `direction: from`, and no `from`",
            MOST / 1_000_000
        );
        return Err(Error::Unfit { kind: KIND.into(), why });
    }
    let effect = Effect::Queued(queue::Treatment::Rate(queue::Rate { bytes_per_second: rate / 8 }));
    Ok(Treatment { ways: ways(KIND, with, "both")?, peers: None, effect })
}

/// Whether the kernel's own queue does it, on a network namespace with a name: on what leaves, for anybody.
pub fn is_shaped(fault: &PlannedFault) -> bool {
    matches!(order(fault), Ok(Some(_)))
}

/// Reads `rate`, and `share` (which must be all).
fn from_params(with: &Params) -> Result<Bandwidth, Error> {
    let unfit = |why: &str| Error::Unfit { kind: KIND.into(), why: why.into() };
    let rate = with.number("rate").ok_or_else(|| unfit("`rate` is missing, as in `rate: 10mbit`"))?;
    if rate < 8 {
        return Err(unfit("below 8 bits a second nothing passes: use network.partition"));
    }
    if share(with) < 1.0 {
        return Err(unfit("on packets it acts on all of them: remove `share`"));
    }
    Ok(Bandwidth { rate })
}

/// What a fault on a network namespace with a name asks for, where the kernel's own queue does it; `None` where it does not, and
/// for other kinds.
pub fn order(fault: &PlannedFault) -> Result<Option<Bandwidth>, Error> {
    let leaves = Ways { to: false, from: true };
    if fault.kind != KIND || fault.from.is_some() || ways(KIND, &fault.with, "both")? != leaves {
        return Ok(None);
    }
    from_params(&fault.with).map(Some)
}

/// A rate on what leaves its victims' namespaces, by htb.
pub struct BandwidthFault {
    id: String,
    /// How the tables of this run begin, and this fault's own.
    run: String,
    table: String,
    victims: Vec<Victim>,
    rate: Rate,
    beats: Arc<Beats>,
    places: Vec<Place>,
}

/// A victim's namespace.
struct Place {
    namespace: Namespace,
    shaped: Shaped,
    table: Option<Arc<Table>>,
    /// When the rate was put on.
    since: Option<Instant>,
}

impl BandwidthFault {
    /// What the order asks for.
    pub fn new(order: &Order, bandwidth: Bandwidth, run_id: &str, beats: Arc<Beats>) -> Self {
        let run = format!("brunt-{run_id}-");
        Self {
            id: order.fault.clone(),
            table: format!("{run}{}", order.fault),
            run,
            victims: order.victims.clone(),
            rate: Rate { bytes_per_second: bandwidth.rate / 8 },
            beats,
            places: Vec::new(),
        }
    }

    /// The class is there before anything leads into it is harmless, and so is the other way round: a packet with the priority
    /// of a class that does not exist is sent as any other.
    fn rules(&self, change: Change) -> Vec<Rule> {
        let rule = |matches, verdict| Rule { hook: Hook::Postrouting, matches, verdict };
        let verdict = if change == Change::Make { Verdict::Priority(CLASS) } else { Verdict::Count };
        vec![rule(vec![Match::NeighbourDiscovery], Verdict::Spare), rule(vec![Match::LeavesForOutside], verdict)]
    }

    fn failed(&self, action: &'static str, why: impl ToString) -> Error {
        let victims: Vec<String> = self.victims.iter().map(ToString::to_string).collect();
        Error::Queues { action, victims: victims.join(", "), why: why.to_string() }
    }

    /// Packets that came along, and what went through the classes, over all victims; how long the rate has been there.
    fn count(&mut self) -> Result<(u64, Statistics, Duration), Error> {
        let (mut came, mut sum, mut time) = (0, Statistics::default(), Duration::ZERO);
        for at in 0..self.places.len() {
            let place = &mut self.places[at];
            let Some(table) = &place.table else { continue };
            let counted = table.counts(Hook::Postrouting);
            // Without the change there is no class.
            let through = place.since.map(|since| (since.elapsed(), place.shaped.statistics()));
            let counted = counted.map_err(|error| self.failed("read the counters of", error))?;
            // Spared, came: as in `rules`.
            came += counted.get(1).copied().unwrap_or_default();
            if let Some((elapsed, statistics)) = through {
                sum = sum.and(statistics.map_err(|error| self.failed("read the counters of", error))?);
                time += elapsed * u32::try_from(self.places[at].shaped.before().len()).unwrap_or(u32::MAX);
            }
        }
        Ok((came, sum, time))
    }

    /// Puts everything back; sentences of what is not as it was, and how many bytes were lost on the way.
    fn remove(&mut self) -> (Vec<String>, u32) {
        let (mut left, mut lost) = (Vec::new(), 0);
        for place in &mut self.places {
            // The class first, then what leads into it (rule 6).
            match place.shaped.restore() {
                Ok((restored, bytes)) => {
                    lost += bytes;
                    place.since = None;
                    left.extend(restored.into_iter().filter_map(|one| match one {
                        Restored::Yes(_) => None,
                        Restored::Differs(differences) => Some(differences.join("; ")),
                    }));
                }
                Err(refused) => left.push(refused.to_string()),
            }
            if let Some(Err(refused)) = place.table.take().map(|table| table.remove()) {
                left.push(refused.to_string());
            }
        }
        (left, lost)
    }
}

impl Fault<Services> for BandwidthFault {
    fn prepare(&mut self, _: &mut Services) -> Result<Vec<Undo>, Error> {
        self.places.clear();
        let mut undo = Vec::new();
        for victim in &self.victims {
            let namespace = netns::open(victim)?;
            let looked = namespace.inside(|| {
                let tables = nf_tables::tables().map_err(|refused| self.failed("look at", refused))?;
                refuse_others(&tables, &self.run, victim)?;
                Shaped::prepare(|queues| queues.name != "lo").map_err(|cannot| match cannot {
                    Cannot::Taken(taken) => Error::Refused(format!("{victim}: {taken}; brunt does not replace it")),
                    other => self.failed("look at", other),
                })
            });
            let shaped = looked.map_err(|error| self.failed("look at", error))??;
            if let Victim::Namespace { name, .. } = victim {
                let links = shaped.before().to_vec();
                undo.push(Undo::Queues { at: path_of(name), namespace: namespace.identity(), links });
            }
            self.places.push(Place { namespace, shaped, table: None, since: None });
        }
        undo.push(Undo::EndsWithAgent { what: format!("nf_tables table `{}`", self.table) });
        Ok(undo)
    }

    fn inject(&mut self, _: &mut Services, change: Change) -> Result<(), Error> {
        let rules = self.rules(change);
        let shape = Shape::Rate(self.rate);
        for at in 0..self.places.len() {
            if self.places[at].table.is_none() {
                // First: who finds a class of brunt's beside a table of brunt's leaves both alone.
                let installed = self.beats.install(&self.places[at].namespace, &self.table, &rules);
                self.places[at].table = Some(installed.map_err(|refused| self.failed("put a rule beside", refused))?);
            }
            if change == Change::Make && self.places[at].since.is_none() {
                self.places[at].since = Some(Instant::now());
                let installed = self.places[at].shaped.install(&shape);
                installed.map_err(|refused| self.failed("put a rate on", refused))?;
            }
        }
        Ok(())
    }

    fn verify(&mut self, _: &mut Services) -> Result<Seen, Error> {
        let (came, through, time) = self.count()?;
        Ok(judge(self.rate, came, through, time))
    }

    fn revert(&mut self, _: &mut Services) -> Reverted {
        let held = self.places.iter().any(|place| place.table.is_some() || place.since.is_some());
        let count = self.count();
        let (left, waiting) = self.remove();
        let drops = count.as_ref().map_or(0, |(_, through, _)| through.drops);
        let mut residue = Vec::new();
        if drops > 0 {
            residue.push(format!("{} lost, for which the queue had no room", amount(drops.into(), "packet")));
        }
        if waiting > 0 {
            residue.push(format!("{} that still waited when it came off lost", amount(waiting.into(), "byte")));
        }
        let effect = match count {
            Ok((came, through, time)) => judge(self.rate, came, through, time),
            Err(error) => Seen::Absent(error.to_string()),
        };
        let error = (!left.is_empty()).then(|| format!("{}: {}", self.id, left.join("; ")));
        Reverted { effect, rollback_verified: held.then_some(error.is_none()), residue, error }
    }
}

/// Two runs that do not know of each other cannot be told apart in what is measured.
fn refuse_others(tables: &[String], run: &str, victim: &Victim) -> Result<(), Error> {
    let other = tables.iter().find(|name| name.starts_with("brunt-") && !name.starts_with(run));
    other.map_or(Ok(()), |other| {
        let text = format!("another run acts on the packets of {victim} (nf_tables table `{other}`). Wait for its end");
        Err(Error::Refused(text))
    })
}

/// What the counters say. `time` is how long the rate has been there, once for each link that has it.
pub(super) fn judge(rate: Rate, came: u64, through: Statistics, time: Duration) -> Seen {
    if came == 0 {
        return Seen::NotExercised("no packet left".into());
    }
    let passed = amount(through.bytes, "byte");
    let rate_is = format!("{} bytes/s", grouped(rate.bytes_per_second));
    if through.packets == 0 && through.backlog == 0 {
        return Seen::Absent(format!("{} left, and none of them through the class", amount(came, "packet")));
    }
    if through.overlimits == 0 {
        return Seen::NotExercised(format!("{passed} left, too few to fill a wire of {rate_is}"));
    }
    // A class lets a packet go as long as it has anything left to give, so the last one may be owed whole.
    let owed = if through.bytes > u64::from(FRAME) * through.packets { UNCUT } else { FRAME };
    let may = rate.bytes_per_second as f64 * time.as_secs_f64() * TOLERANCE + f64::from(burst(rate) + owed);
    if through.bytes as f64 > may {
        return Seen::Absent(format!("{passed} passed in {:.1} s, more than {rate_is}", time.as_secs_f64()));
    }
    let lost =
        if through.drops > 0 { format!(", {} lost", amount(through.drops.into(), "packet")) } else { String::new() };
    Seen::Yes(format!("{passed} passed in {:.1} s at {rate_is}, packets had to wait{lost}", time.as_secs_f64()))
}

/// What the agent's own wires say, over all of them: how many packets came, how many had to wait for others, and what was
/// carried. A rate that is seen was there while packets waited, and ended in time.
pub(super) fn judge_queued(rate: queue::Rate, came: u64, waited: u64, carried: queue::Carried) -> Seen {
    let passed = amount(carried.bytes, "byte");
    let asked = format!("{} bytes/s", grouped(rate.bytes_per_second));
    if waited == 0 && carried.bytes > 0 {
        return Seen::NotExercised(format!("{passed} came along, too few to fill a wire of {asked}"));
    }
    if carried.bytes == 0 {
        let came = amount(came, "packet");
        return match waited {
            0 => Seen::Absent(format!("{came} came along, and none had to pass the wire")),
            _ => Seen::NotExercised(format!("of {came} none has passed the wire yet")),
        };
    }
    let busy = carried.busy.as_secs_f64();
    let should = carried.bytes as f64 / rate.bytes_per_second as f64;
    let lost =
        if carried.dropped > 0 { format!(", {} lost", amount(carried.dropped, "packet")) } else { String::new() };
    let text = format!(
        "{passed} passed in the {busy:.1} s in which there were any, {} bytes/s of {asked}; {} had to wait{lost}",
        grouped((carried.bytes as f64 / busy.max(1e-9)) as u64),
        amount(waited, "packet"),
    );
    let late = LATE.as_secs_f64() * carried.times as f64;
    let right = (should / TOLERANCE..=should * TOLERANCE + late).contains(&busy);
    if right { Seen::Yes(text) } else { Seen::Absent(text) }
}

#[cfg(test)]
mod tests {
    use brunt_scenario::plan::ParamValue;

    use super::*;

    const RATE: Rate = Rate { bytes_per_second: 1_000_000 };

    #[test]
    fn a_rate_is_seen_when_packets_waited_and_no_more_than_it_passed() {
        let of = |came, bytes, overlimits| {
            let through = Statistics { bytes, packets: came, overlimits, ..Statistics::default() };
            judge(RATE, came, through, Duration::from_secs(2))
        };
        assert_eq!(of(0, 0, 0), Seen::NotExercised("no packet left".into()));
        assert_eq!(
            of(7, 7000, 0),
            Seen::NotExercised("7,000 bytes left, too few to fill a wire of 1,000,000 bytes/s".into())
        );
        let yes = "1,990,000 bytes passed in 2.0 s at 1,000,000 bytes/s, packets had to wait";
        assert_eq!(of(1500, 1_990_000, 9), Seen::Yes(yes.into()));
        assert!(matches!(of(3000, 2_900_000, 9), Seen::Absent(_)));
        let thin = Rate { bytes_per_second: 2500 };
        let three = Statistics { bytes: 3604, packets: 3, overlimits: 2, ..Statistics::default() };
        let seen = judge(thin, 4, three, Duration::from_millis(200));
        assert!(matches!(seen, Seen::Yes(_)), "two at once, and the third is owed: {seen:?}");
        let none = judge(RATE, 5, Statistics::default(), Duration::ZERO);
        assert_eq!(none, Seen::Absent("5 packets left, and none of them through the class".into()));
    }

    #[test]
    fn what_cannot_be_done_is_refused_with_what_can() {
        let told = |with: &[(&'static str, ParamValue)]| match queued(&Params(with.iter().cloned().collect())) {
            Ok(treatment) => format!("{treatment:?}"),
            Err(error) => error.to_string(),
        };
        let rate = ("rate", ParamValue::Bandwidth(10_000_000));
        let from = ("direction", ParamValue::Word("from"));
        assert!(told(&[rate.clone(), from.clone()]).contains("Ways { to: false, from: true }"));
        assert!(told(std::slice::from_ref(&rate)).contains("Rate { bytes_per_second: 1250000 }"));
        assert!(told(&[from]).contains("`rate` is missing"));
        assert!(told(&[("rate", ParamValue::Bandwidth(7))]).contains("use network.partition"));
        let half = ("share", ParamValue::Percent(brunt_scenario::units::Share(0.5)));
        assert!(told(&[rate, half]).contains("remove `share`"));
        let most = |more| told(&[("rate", ParamValue::Bandwidth(MOST + more))]);
        assert!(
            most(0).contains("Rate") && most(1).contains("above 200 Mbit/s") && most(1).contains("`direction: from`")
        );
    }

    #[test]
    fn a_wire_in_the_agent_is_seen_by_the_bytes_that_passed_while_others_waited() {
        let rate = queue::Rate { bytes_per_second: 1_000_000 };
        let of = |came, waited, bytes, millis, dropped| {
            let busy = Duration::from_millis(millis);
            judge_queued(rate, came, waited, queue::Carried { bytes, busy, times: 4, dropped })
        };
        let yes = "1,990,000 bytes passed in the 2.0 s in which there were any, 995,000 bytes/s of 1,000,000 bytes/s; \
                   1,400 packets had to wait, 9 packets lost";
        assert_eq!(of(1500, 1400, 1_990_000, 2_000, 9), Seen::Yes(yes.into()));
        // Faster than asked, slower than lateness explains, and a little late each time.
        assert!(matches!(of(1500, 1400, 2_200_000, 2_000, 0), Seen::Absent(_)));
        assert!(matches!(of(1500, 1400, 1_800_000, 2_000, 0), Seen::Absent(_)));
        assert!(matches!(of(40, 20, 40_000, 59, 0), Seen::Yes(_)));
        let few = "7,000 bytes came along, too few to fill a wire of 1,000,000 bytes/s";
        assert_eq!(of(7, 0, 7_000, 8, 0), Seen::NotExercised(few.into()));
        assert_eq!(of(9, 0, 0, 0, 0), Seen::Absent("9 packets came along, and none had to pass the wire".into()));
        assert!(matches!(of(9, 8, 0, 0, 0), Seen::NotExercised(_)));
    }
}
