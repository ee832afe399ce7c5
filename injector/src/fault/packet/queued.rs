//! Faults on packets that a thread of the agent decides about, through the four verbs.
//!
//! Each victim has a queue for each direction, with its rule in a table of its own: see `packets/queue` for how they begin and
//! end. *What arrives* waits in the kernel (PREROUTING). *What leaves* is copied where it is made (OUTPUT), dropped, and sent
//! again by a raw socket; nobody is told of the drop. What the queue loses by itself is no fault that was asked for, and makes
//! the run invalid.

use std::net::IpAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use super::{bandwidth, ended, failed, free, left_behind, shares};
use crate::agent::protocol::Order;
use crate::agent::services::Services;
use crate::error::Error;
use crate::fault::link::{amount, grouped};
use crate::fault::{Change, Fault, Reverted, Seen, Undo};
use crate::netlink::nf_tables::Match;
use crate::packets::queue::{Answers, Carried, Counters, Loss, Outcome, Path, Queue, Share, Treatment};
use crate::packets::{self, Beats, Leasing, Site};
use crate::proxy::fault_seed;
use crate::target::Victim;

/// Half of all packets must go on so soon after they are due, or within this share of what they were held for.
pub(super) const LATE: Duration = Duration::from_millis(5);
pub(super) const LATE_SHARE: f64 = 0.05;

/// A fault on the packets of its victims' namespaces.
pub struct QueuedFault {
    id: String,
    /// How the tables of this run begin, and this fault's own.
    run: String,
    table: String,
    victims: Vec<Victim>,
    asked: packets::Treatment,
    treatment: Treatment,
    seed: u64,
    beats: Arc<Beats>,
    places: Vec<Place>,
    /// What the queues that are gone have counted, and how late they were.
    ended: Sum,
}

/// A victim's namespace, and the queues there while the fault is active.
struct Place {
    site: Site,
    queues: Vec<(Table, Arc<Kept>)>,
}

/// The name of an nf_tables table.
type Table = String;

/// A queue whose lease the beats renew.
struct Kept {
    queue: Mutex<Queue>,
    /// Why its lease could not be renewed.
    failure: Mutex<Option<String>>,
}

fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Leasing for Kept {
    fn beat(&self) {
        if let Err(error) = locked(&self.queue).beat() {
            locked(&self.failure).get_or_insert(error.to_string());
        }
    }
}

/// Over all victims and both directions.
#[derive(Debug, Clone, Default)]
struct Sum {
    came: u64,
    acted: u64,
    held: u64,
    pushed_back: u64,
    carried: Carried,
    asked: Duration,
    /// Of the queue that was latest: half of its packets, and 99 %.
    late: [Duration; 2],
    trouble: Vec<String>,
}

impl Sum {
    fn add(&mut self, counters: &Counters, late: [Duration; 2]) {
        self.came += counters.came;
        self.acted += counters.acted;
        self.held += counters.held;
        self.pushed_back += counters.pushed_back;
        self.carried = self.carried.and(counters.carried);
        self.asked += counters.asked;
        self.late = self.late.max(late);
        self.trouble.extend(counters.trouble());
    }
}

/// Both quantiles that are told.
fn lateness(queue: &Queue) -> [Duration; 2] {
    [0.5, 0.99].map(|quantile| queue.lateness(quantile))
}

impl QueuedFault {
    /// What the order asks for.
    pub fn new(
        order: &Order,
        treatment: Treatment,
        asked: packets::Treatment,
        run_id: &str,
        beats: Arc<Beats>,
    ) -> Self {
        let run = format!("brunt-{run_id}-");
        Self {
            id: order.fault.clone(),
            table: format!("{run}{}", order.fault),
            run,
            victims: order.victims.clone(),
            asked,
            treatment,
            seed: order.seed,
            beats,
            places: Vec::new(),
            ended: Sum::default(),
        }
    }

    /// The points at which packets are caught: how the table's name ends, and which packets.
    fn paths(&self, site: &Site) -> Vec<(&'static str, Path)> {
        let ways = [("to", self.asked.ways.to, &site.to), ("from", self.asked.ways.from, &site.from)];
        let mut paths: Vec<(&'static str, Path)> = Vec::new();
        for (way, passages) in ways.into_iter().filter(|(_, meant, _)| *meant).map(|(way, _, all)| (way, all)) {
            for passage in passages {
                let matches = passage.matches.clone();
                match paths.iter_mut().find(|(name, path)| *name == way && path.hook == passage.hook) {
                    Some((_, path)) => path.any_of.push(matches),
                    // Who cannot find its neighbours has another trouble than the one that was asked for.
                    None => {
                        let but_not = vec![vec![Match::NeighbourDiscovery]];
                        paths.push((way, Path { hook: passage.hook, any_of: vec![matches], but_not }));
                    }
                }
            }
        }
        paths
    }

    fn failed(&self, action: &'static str, table: &str, source: &dyn std::error::Error) -> Error {
        failed(action, table, &self.victims, source)
    }

    /// Its rules mean those at the other end, if the fault is between two.
    fn tell_peers(&self) -> Result<(), Error> {
        let Some(peers) = &self.asked.peers else { return Ok(()) };
        self.places.iter().flat_map(|place| &place.queues).try_for_each(|(table, kept)| {
            let told = locked(&kept.queue).meet(peers);
            told.map_err(|error| self.failed("tell the peers to", table, &error))
        })
    }

    fn sum(&self) -> Result<Sum, Error> {
        let mut sum = self.ended.clone();
        for (table, kept) in self.places.iter().flat_map(|place| &place.queues) {
            if let Some(failure) = &*locked(&kept.failure) {
                return Err(self.failed("renew the lease of", table, &std::io::Error::other(failure.clone())));
            }
            let queue = locked(&kept.queue);
            sum.add(&queue.counters(), lateness(&queue));
        }
        Ok(sum)
    }

    /// Lets everything go on and removes the rules; sentences of what is left.
    fn release(&mut self) -> Vec<String> {
        let mut left = Vec::new();
        for place in &mut self.places {
            let queues = std::mem::take(&mut place.queues);
            for (_, kept) in &queues {
                let mut queue = locked(&kept.queue);
                if let Err(error) = queue.release() {
                    // Whatever has failed, packets pass: nothing is left but what could not be counted.
                    self.ended.trouble.push(error.to_string());
                }
                self.ended.add(&queue.counters(), lateness(&queue));
                self.ended.trouble.extend(locked(&kept.failure).take());
            }
            // Their tables go together, when none of them holds anything any more.
            left.extend(queues.iter().filter_map(|(table, _)| left_behind(&place.site.namespace, table)));
        }
        left
    }
}

impl Fault<Services> for QueuedFault {
    fn prepare(&mut self, services: &mut Services) -> Result<Vec<Undo>, Error> {
        self.places.clear();
        for victim in &self.victims {
            let site = free(victim, &self.run, &self.table, &self.asked, services)?;
            self.places.push(Place { site, queues: Vec::new() });
        }
        Ok(vec![Undo::EndsWithAgent { what: format!("nf_tables tables `{}-*`", self.table) }])
    }

    fn inject(&mut self, _: &mut Services, change: Change) -> Result<(), Error> {
        // Without its effect everything is looked at and nothing is lost.
        let nothing = Treatment::Lose(Loss::Share(Share { share: 0.0, correlation: 0.0 }));
        let treatment = if change == Change::Make { &self.treatment } else { &nothing };
        for at in 0..self.places.len() {
            if !self.places[at].queues.is_empty() {
                continue;
            }
            for (place, (way, path)) in self.paths(&self.places[at].site).iter().enumerate() {
                let table = format!("{}-{at}-{place}-{way}", self.table);
                let seed = fault_seed(self.seed, &self.victims[at].to_string(), place, &self.id);
                let namespace = &self.places[at].site.namespace;
                let queue = Queue::start(namespace, path, treatment, seed, &table, self.beats.lease())
                    .map_err(|error| self.failed("give packets to a queue by", &table, &error))?;
                let kept = Arc::new(Kept { queue: Mutex::new(queue), failure: Mutex::default() });
                let leasing: Arc<dyn Leasing> = Arc::<Kept>::clone(&kept);
                let started = self.beats.keep(&leasing);
                started.map_err(|error| self.failed("keep the lease alive of", &table, &error))?;
                self.places[at].queues.push((table, kept));
            }
        }
        self.tell_peers()
    }

    fn meet(&mut self, _: &mut Services, peers: &[IpAddr]) -> Result<(), Error> {
        self.asked.peers = Some(peers.to_vec());
        self.tell_peers()
    }

    fn verify(&mut self, _: &mut Services) -> Result<Seen, Error> {
        match ended(&self.victims) {
            Some(seen) => Ok(seen),
            None => Ok(judge(&self.treatment, &self.sum()?)),
        }
    }

    fn revert(&mut self, _: &mut Services) -> Reverted {
        let acted = self.places.iter().any(|place| !place.queues.is_empty());
        let left = self.release();
        let sum = &self.ended;
        let gone = match self.treatment {
            Treatment::Lose(_) => Some("lost"),
            Treatment::Corrupt(_) => Some("damaged"),
            Treatment::Duplicate(_) => Some("sent twice"),
            Treatment::Answers(ref answers) => match answers.outcome {
                Outcome::Late(_) => None,
                Outcome::Silence => Some("lost"),
                _ => Some("rewritten"),
            },
            Treatment::Delay(_) | Treatment::Reorder(..) | Treatment::Rate(_) => None,
        };
        // What was lost or made up cannot be taken back.
        let residue = gone.filter(|_| sum.acted > 0).map(|gone| format!("{} {gone}", counted(sum.acted)));
        let dropped = sum.carried.dropped;
        let no_room = (dropped > 0).then(|| format!("{} lost, for which the wire had no room", counted(dropped)));
        let error = (!left.is_empty()).then(|| format!("{}: {}", self.id, left.join("; ")));
        Reverted {
            effect: judge(&self.treatment, sum),
            rollback_verified: acted.then_some(error.is_none()),
            residue: residue.into_iter().chain(no_room).collect(),
            error,
        }
    }
}

fn counted(number: u64) -> String {
    amount(number, "packet")
}

/// What the counters say.
fn judge(treatment: &Treatment, sum: &Sum) -> Seen {
    if let [first, ..] = &sum.trouble[..] {
        return Seen::Absent(format!("the queue of packets has lost its way: {first}"));
    }
    if sum.came == 0 {
        return Seen::NotExercised("no packet came along".into());
    }
    let done = match treatment {
        Treatment::Delay(_) => return held(sum),
        Treatment::Lose(loss) => ("lost", loss.share(), loss.runs()),
        Treatment::Reorder(share, _) => ("let pass in front of others", share.share, share.runs()),
        Treatment::Corrupt(share) => ("damaged", share.share, share.runs()),
        Treatment::Duplicate(share) => ("sent twice", share.share, share.runs()),
        Treatment::Answers(answers) => return answered(answers, sum),
        Treatment::Rate(rate) => return bandwidth::judge_queued(*rate, sum.came, sum.acted, sum.carried),
    };
    shares::judge(sum.came, sum.acted, done)
}

/// Answers of name servers, of which only those about the names are meant.
fn answered(answers: &Answers, sum: &Sum) -> Seen {
    if sum.acted == 0 {
        let came = amount(sum.came, "answer");
        return Seen::NotExercised(format!("{came} of name servers came, and none was about a name that is meant"));
    }
    let done = match &answers.outcome {
        Outcome::Late(_) => return held(sum),
        Outcome::Silence => "dropped",
        Outcome::NoSuchName => "rewritten: there is no such name",
        Outcome::Failure => "rewritten: the server has failed",
        Outcome::Addresses(_) => "rewritten: other addresses",
    };
    Seen::Yes(format!("{} of {} of name servers {done}", grouped(sum.acted), amount(sum.came, "answer")))
}

fn held(sum: &Sum) -> Seen {
    if sum.acted == 0 {
        return Seen::Absent(format!("none of {} was held", counted(sum.came)));
    }
    if sum.held == sum.acted {
        return Seen::NotExercised(format!("{} are held, and none has gone on yet", counted(sum.held)));
    }
    let mean = sum.asked / u32::try_from(sum.acted).unwrap_or(u32::MAX);
    let [half, most] = sum.late;
    let mut text = format!(
        "held {}, for {:.1} ms on average; half of them went on at most {:.2} ms late, 99 % at most {:.2} ms",
        counted(sum.acted),
        mean.as_secs_f64() * 1e3,
        half.as_secs_f64() * 1e3,
        most.as_secs_f64() * 1e3,
    );
    // The order of a flow is kept, so what is drawn shorter waits for what is in front of it.
    if sum.pushed_back > 0 {
        text.push_str(&format!("; {} waited longer than drawn, behind others of its flow", counted(sum.pushed_back)));
    }
    if half <= LATE.max(mean.mul_f64(LATE_SHARE)) { Seen::Yes(text) } else { Seen::Absent(text) }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn share(share: f64) -> Share {
        Share { share, correlation: 0.0 }
    }

    fn sum(came: u64, acted: u64) -> Sum {
        Sum { came, acted, ..Sum::default() }
    }

    #[test]
    fn a_share_that_chance_explains_is_seen_and_one_that_it_does_not_is_absent() {
        let of = |acted, came| judge(&Treatment::Corrupt(share(0.05)), &sum(came, acted));
        assert_eq!(of(0, 0), Seen::NotExercised("no packet came along".into()));
        assert_eq!(of(0, 100), Seen::NotExercised("0 of 100 packets were damaged: too few came along".into()));
        assert_eq!(of(3, 100), Seen::Yes("3 of 100 packets were damaged".into()));
        let text = "1,010 of 20,000 packets were damaged (5.05 %, asked for 5.00 %)";
        assert_eq!(of(1010, 20_000), Seen::Yes(text.into()));
        assert!(matches!(of(1190, 20_000), Seen::Absent(_)));
        assert!(matches!(of(0, 20_000), Seen::Absent(_)));
    }

    #[test]
    fn losses_in_bursts_may_be_further_off_for_they_tell_less() {
        let bursts = Loss::GilbertElliott { p: 0.01, r: 0.1, loss_good: 0.0, loss_bad: 1.0 };
        let of = |lost| judge(&Treatment::Lose(bursts), &sum(20_000, lost));
        // 9.09 % on average; alone, 1,390 would be nine standard deviations.
        assert!(matches!(of(2250), Seen::Yes(_)), "{:?}", of(2250));
        assert!(matches!(of(1390), Seen::Yes(_)), "{:?}", of(1390));
        assert!(matches!(of(3200), Seen::Absent(_)), "{:?}", of(3200));
    }

    #[test]
    fn packets_that_go_on_too_late_were_not_delayed_as_asked() {
        let of = |waiting: u64, late: [u64; 2]| {
            let asked = Duration::from_millis(20) * 100;
            held(&Sum {
                came: 100,
                acted: 100,
                held: waiting,
                asked,
                late: late.map(Duration::from_micros),
                ..Sum::default()
            })
        };
        let text =
            "held 100 packets, for 20.0 ms on average; half of them went on at most 0.08 ms late, 99 % at most 0.90 ms";
        assert_eq!(of(3, [80, 900]), Seen::Yes(text.into()));
        assert!(matches!(of(0, [6_000, 9_000]), Seen::Absent(_)));
        let Seen::Yes(behind) = held(&Sum { pushed_back: 7, came: 9, acted: 9, ..Sum::default() }) else { panic!() };
        assert!(behind.ends_with("; 7 packets waited longer than drawn, behind others of its flow"), "{behind}");
        assert_eq!(of(100, [0, 0]), Seen::NotExercised("100 packets are held, and none has gone on yet".into()));
    }

    #[test]
    fn what_the_queue_loses_by_itself_is_never_the_fault_that_was_asked_for() {
        let trouble = vec!["3 packets were dropped because too many waited".into()];
        let seen = judge(&Treatment::Lose(Loss::Share(share(0.05))), &Sum { trouble, ..sum(20_000, 1000) });
        let text = "the queue of packets has lost its way: 3 packets were dropped because too many waited";
        assert_eq!(seen, Seen::Absent(text.into()));
    }
}
