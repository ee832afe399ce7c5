//! What a fault did to the objectives: how soon it showed, how long they were broken, when they held again.
//!
//! All of it is judged on span starts: an objective is broken at `t` when it does not hold over [t, t + over]. Recovered is
//! the earliest `t` after the removal at which every objective of the steady state holds; it is found looking back, so that
//! the length of the span is not added to it.

use brunt_scenario::units::Offset;

use crate::facts::{Facts, FaultFacts, RecoverFacts};
use crate::recorder::slo::{GRID, Objectives, State, TICK};
use crate::recorder::trouble::Troubles;
use crate::results::{rounded_seconds, seconds_of};

/// What one fault did.
#[derive(Debug, Clone, PartialEq)]
pub struct Resilience {
    /// Injection to the first failed request, or the first one that outlived an objective's bound. `None`: nothing was seen.
    pub time_to_detect_s: Option<f64>,
    /// First to last broken span start, each 250 ms; 0 if none broke. `None` without objectives.
    pub degraded_for_s: Option<f64>,
    /// When the steady state held again.
    pub recovery: Recovery,
    /// Where `recovery:<id>` lies, a span a round; empty without a `recover` after the fault.
    pub windows: Vec<(Offset, Offset)>,
}

impl Resilience {
    /// Of two rounds of a fault: the worst of each measure, and the windows of both.
    pub fn worse_of(mut self, later: Self) -> Self {
        let worst = |a: Option<f64>, b: Option<f64>| a.zip(b).map_or(a.or(b), |(a, b)| Some(a.max(b)));
        let recovery = match (self.recovery, later.recovery) {
            (Recovery::After(a), Recovery::After(b)) => Recovery::After(a.max(b)),
            (Recovery::NotWithin(a), _) | (_, Recovery::NotWithin(a)) => Recovery::NotWithin(a),
            (Recovery::NotMeasured(why), _) | (_, Recovery::NotMeasured(why)) => Recovery::NotMeasured(why),
        };
        self.windows.extend(later.windows);
        Self {
            time_to_detect_s: worst(self.time_to_detect_s, later.time_to_detect_s),
            degraded_for_s: worst(self.degraded_for_s, later.degraded_for_s),
            recovery,
            windows: self.windows,
        }
    }
}

/// Whether and when the steady state held again.
#[derive(Debug, Clone, PartialEq)]
pub enum Recovery {
    /// So many seconds after the removal (instant faults: after the act was done).
    After(f64),
    /// Not within so many seconds.
    NotWithin(f64),
    /// It cannot be told; says why.
    NotMeasured(Unmeasured),
}

/// Why a recovery cannot be told.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Unmeasured {
    /// No `recover` followed, or it was cut short.
    NoRecover,
    /// There is no objective, or no span had enough requests to know.
    NoData,
}

/// What a resilience measure is taken from.
#[derive(Debug, Clone, Copy)]
pub struct Observed<'a> {
    /// All spans judged.
    pub objectives: &'a Objectives,
    /// First signs.
    pub troubles: &'a Troubles,
    /// The run.
    pub facts: &'a Facts,
}

impl Observed<'_> {
    /// What a fault that was injected did, or one round of it; `None` for one that was not.
    pub fn of(&self, fault: &FaultFacts) -> Option<Resilience> {
        let injected = fault.injecting_at?;
        let recover = self.facts.recovers.iter().find(|recover| recover.faults.contains(&fault.id));
        let group = self.together_with(fault);
        let limit = recover.map_or_else(|| self.next_injection(fault, &group), |recover| recover.to);
        // What shows after the next round has begun is that one's.
        let signs_until = self.round_after(fault, injected).unwrap_or(limit).min(limit);
        let seen = self.troubles.first(&fault.id, injected).filter(|at| *at <= signs_until);
        let broken = self.broken_since(injected, self.limit_of_round(fault, &group, limit));
        let degraded = match broken {
            _ if self.objectives.steady.is_empty() => None,
            Some((first, last)) => Some(rounded_seconds(((last - first) * GRID) as f64 / 1e9)),
            None => Some(0.0),
        };
        let (recovery, window) = match recover {
            None => (Recovery::NotMeasured(Unmeasured::NoRecover), None),
            Some(recover) => self.recovery(recover, &group, broken.is_some()),
        };
        let next = last_removal(&group).and_then(|removed| self.round_after(fault, removed));
        let window = window.map(|(from, to)| (from, next.map_or(to, |next| to.min(next)).max(from)));
        Some(Resilience {
            time_to_detect_s: seen.map(|at| seconds_of(at.since(injected))),
            degraded_for_s: degraded,
            recovery,
            windows: window.into_iter().collect(),
        })
    }

    /// When the next round of the same fault was injected, after an instant.
    fn round_after(&self, fault: &FaultFacts, at: Offset) -> Option<Offset> {
        let rounds = self.facts.faults.iter().filter(|other| other.id == fault.id);
        rounds.filter_map(|other| other.injecting_at).filter(|injected| *injected > at).min()
    }

    /// Up to where broken spans are a round's own: until the next round. If the steady state was not back by then, until it
    /// was, however many rounds came meanwhile: cut into rounds, a system that never got well would look well soon.
    fn limit_of_round(&self, fault: &FaultFacts, group: &[&FaultFacts], limit: Offset) -> Offset {
        let Some(removed) = last_removal(group) else { return limit };
        let Some(next) = self.round_after(fault, removed) else { return limit };
        let since = group.iter().filter_map(counts_from).max().unwrap_or(removed);
        let spans = self.objectives.steady.iter().map(|index| self.objectives.over(*index)).max().unwrap_or(0);
        match self.first_hold(since, limit) {
            Some(held) if held <= next => next.min(limit),
            Some(held) => Offset(held.0 + spans * GRID).min(limit),
            None => limit,
        }
    }

    /// The faults of a parallel group: whose windows overlap, the fault itself included.
    fn together_with(&self, fault: &FaultFacts) -> Vec<&FaultFacts> {
        let span =
            |fault: &FaultFacts| fault.injecting_at.map(|from| (from, fault.removed_at.unwrap_or(self.facts.ended)));
        let Some((from, to)) = span(fault) else { return Vec::new() };
        let overlaps = |other: &&FaultFacts| span(other).is_some_and(|(start, end)| start <= to && end >= from);
        self.facts.faults.iter().filter(overlaps).collect()
    }

    /// When the next fault outside the group is injected, other rounds of this one aside; without one, when the load ended.
    fn next_injection(&self, fault: &FaultFacts, group: &[&FaultFacts]) -> Offset {
        let last = last_removal(group).unwrap_or(self.facts.load_ended);
        let others = self.facts.faults.iter().filter(|other| other.id != fault.id);
        let later = others.filter_map(|other| other.injecting_at).filter(|at| *at > last).min();
        later.unwrap_or(self.facts.load_ended)
    }

    /// First and last broken span of the steady state, of those that end by `limit`. The span that holds the injection
    /// counts, because trouble of less than a quarter of a second would otherwise fall between two looks.
    fn broken_since(&self, injected: Offset, limit: Offset) -> Option<(u64, u64)> {
        let from = injected.0 / (GRID * TICK) * TICK;
        let mut found: Option<(u64, u64)> = None;
        for index in &self.objectives.steady {
            let end = (limit.0 / GRID + 1).saturating_sub(self.objectives.over(*index));
            for (first, last) in self.objectives.history(*index).broken(TICK) {
                let (first, last) = (first.max(from), last.min(end.saturating_sub(1) / TICK * TICK));
                if first <= last && first < end {
                    let (known_first, known_last) = found.unwrap_or((first, last));
                    found = Some((known_first.min(first), known_last.max(last)));
                }
            }
        }
        found
    }

    fn recovery(
        &self,
        recover: &RecoverFacts,
        group: &[&FaultFacts],
        broke: bool,
    ) -> (Recovery, Option<(Offset, Offset)>) {
        let Some(removed) = last_removal(group) else {
            return (Recovery::NotMeasured(Unmeasured::NoRecover), None);
        };
        let since = group.iter().filter_map(counts_from).max().unwrap_or(removed);
        let deadline = if recover.cut_short { recover.to } else { recover.from.after(recover.within) };
        let held = self.first_hold(since, deadline);
        let recovery = match held {
            Some(_) if !broke => Recovery::After(0.0),
            Some(at) => Recovery::After(seconds_of(at.since(since))),
            None if recover.cut_short => Recovery::NotMeasured(Unmeasured::NoRecover),
            None if !broke => Recovery::NotMeasured(Unmeasured::NoData),
            None => Recovery::NotWithin(seconds_of(recover.within)),
        };
        let end = match (held, &recovery) {
            (_, Recovery::After(seconds)) if *seconds == 0.0 => removed,
            (Some(at), _) => at.min(recover.to).max(removed),
            (None, _) => recover.to.max(removed),
        };
        (recovery, Some((removed, end)))
    }

    /// The earliest instant of the grid at which every objective of the steady state holds.
    fn first_hold(&self, since: Offset, deadline: Offset) -> Option<Offset> {
        if self.objectives.steady.is_empty() {
            return None;
        }
        let holds =
            |at: &u64| self.objectives.steady.iter().all(|slo| self.objectives.history(*slo).at(*at) == State::Holds);
        (since.0.div_ceil(GRID)..=deadline.0 / GRID).find(holds).map(|at| Offset(at * GRID))
    }
}

/// From when a fault's recovery counts: its removal, or the act where the fault is one.
fn counts_from(fault: &&FaultFacts) -> Option<Offset> {
    if fault.instant { fault.active_at } else { fault.removed_at }
}

fn last_removal(group: &[&FaultFacts]) -> Option<Offset> {
    group.iter().filter_map(|fault| fault.removed_at).max()
}
