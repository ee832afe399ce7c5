//! Instants of the timeline. What waits for the steady state makes them a range: from "at once" to "not before it gives up".

use std::time::Duration;

use brunt_scenario::plan::{Fault, Item, LOAD_CHANGE, LoadChange, Plan};
use brunt_scenario::units::{Factor, print_duration};

use super::Page;
use crate::timeline::rounds_take;

/// An instant, counted from the start of the load, that lies between two bounds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Between {
    /// If nothing has to be waited for.
    pub earliest: Duration,
    /// If everything is waited for as long as it may take.
    pub latest: Duration,
}

/// What happens when.
#[derive(Debug)]
pub struct Schedule {
    entries: Vec<(Between, String)>,
    /// When loads change.
    pub changes: Vec<(Between, LoadChange)>,
    /// When the timeline is over.
    pub end: Between,
}

impl Between {
    fn plus(self, span: Duration) -> Self {
        self.widened(span, span)
    }

    /// A bit later, by something between two spans.
    pub fn widened(self, least: Duration, most: Duration) -> Self {
        Self { earliest: self.earliest.saturating_add(least), latest: self.latest.saturating_add(most) }
    }

    fn max(self, other: Self) -> Self {
        Self { earliest: self.earliest.max(other.earliest), latest: self.latest.max(other.latest) }
    }

    /// `1:55.0 .. 3:10.0`
    pub fn text(self) -> String {
        if self.earliest == self.latest {
            return clock(self.earliest);
        }
        format!("{} .. {}", clock(self.earliest), clock(self.latest))
    }
}

impl Schedule {
    /// The schedule of a plan, warm-up and steady state included.
    pub fn of(plan: &Plan) -> Self {
        let mut entries = Entries::default();
        let mut now = Between::default();
        let warm_up = warm_up(plan);
        if !warm_up.is_zero() {
            entries.said.push((now, format!("warm-up for {}", print_duration(warm_up))));
            now = now.plus(warm_up);
        }
        if let Some(before) = plan.steady_state.as_ref().and_then(|steady| steady.before) {
            let (hold, within) = (print_duration(before.hold_for), print_duration(before.within));
            entries.said.push((now, format!("the steady state must hold for {hold}; given up after {within}: exit 3")));
            now = now.widened(before.hold_for, before.within);
        }
        now = walk(&plan.timeline, now, &mut entries);
        // A load of a fixed length may outlive the timeline; then the run ends with it.
        let fixed = plan.load.iter().map(|load| load.stages.iter().filter_map(|stage| stage.length).sum());
        let fixed: Duration = fixed.max().unwrap_or_default();
        let end = now.max(Between { earliest: fixed, latest: fixed });
        let Entries { said: mut entries, mut changes } = entries;
        entries.push((end, "the load ends; open requests get their drain".to_owned()));
        // Members of a parallel group stand in the order in which they begin.
        entries.sort_by_key(|(at, _)| (at.earliest, at.latest));
        changes.sort_by_key(|(at, _)| (at.earliest, at.latest));
        Self { entries, changes, end }
    }
}

/// What the walk collects.
#[derive(Default)]
struct Entries {
    said: Vec<(Between, String)>,
    changes: Vec<(Between, LoadChange)>,
}

/// How long the warm-up stages of the longest warm-up last.
fn warm_up(plan: &Plan) -> Duration {
    let of = |load: &brunt_scenario::plan::Load| -> Duration {
        load.stages.iter().filter(|stage| stage.warmup).filter_map(|stage| stage.length).sum()
    };
    plan.load.iter().map(of).max().unwrap_or_default()
}

/// Adds the items, which follow each other from `now` on; returns when the last one ends. A group nests at most as deep as
/// the language allows, so recursion is safe.
fn walk(items: &[Item], mut now: Between, entries: &mut Entries) -> Between {
    for item in items {
        now = match item {
            Item::Baseline(span) => {
                entries.said.push((now, format!("baseline for {}", print_duration(*span))));
                now.plus(*span)
            }
            Item::Pause(span) => {
                entries.said.push((now, format!("pause for {}", print_duration(*span))));
                now.plus(*span)
            }
            Item::Recover { within } => {
                let text = format!("recover: until the steady state holds, at most {}", print_duration(*within));
                entries.said.push((now, text));
                now.widened(Duration::ZERO, *within)
            }
            Item::Fault(fault) => {
                rounds(fault, now, &mut entries.said);
                now.plus(rounds_take(fault))
            }
            Item::Load(changes) => {
                let at = now.plus(LOAD_CHANGE);
                for change in changes {
                    let factor = Factor(change.factor);
                    entries.said.push((at, format!("load {}: {factor} what its stages say", change.load)));
                    entries.changes.push((at, change.clone()));
                }
                at
            }
            Item::Parallel(members) => members.iter().fold(now, |end, member| {
                end.max(walk(std::slice::from_ref(&member.item), now.plus(member.delay), entries))
            }),
        };
    }
    now
}

/// Every round of a fault with its time; of very many the first ones and the last.
fn rounds(fault: &Fault, now: Between, entries: &mut Vec<(Between, String)>) {
    const SHOWN: u32 = 20;
    let span = fault.lasts.map_or_else(|| "one act".to_owned(), |span| format!("for {}", print_duration(span)));
    let between = fault.from.as_ref().map_or_else(String::new, |(name, _)| format!(" from {name}"));
    let what = format!("{}: {} on {}{between}, {span}", fault.id, fault.kind, fault.target);
    let Some(repeat) = fault.repeat else {
        entries.push((now, what));
        return;
    };
    let at = |round: u32| now.plus(repeat.every.saturating_mul(round - 1));
    let text = |round: u32| format!("{what}, round {round} of {}", repeat.times);
    if repeat.times <= SHOWN {
        entries.extend((1..=repeat.times).map(|round| (at(round), text(round))));
        return;
    }
    entries.extend((1..SHOWN).map(|round| (at(round), text(round))));
    let left = repeat.times - SHOWN;
    entries.push((at(SHOWN), format!("{what}, {left} more rounds, one each {}", print_duration(repeat.every))));
    entries.push((at(repeat.times), text(repeat.times)));
}

/// Writes the section.
pub fn write(page: &mut Page, schedule: &Schedule) {
    let rows: Vec<Vec<String>> = schedule.entries.iter().map(|(at, text)| vec![at.text(), text.clone()]).collect();
    page.section("timeline, from the start of the load (earliest .. latest)", &rows);
}

/// `m:ss.t`, so that instants stand below each other.
fn clock(at: Duration) -> String {
    let tenths = (at.as_millis() + 50) / 100;
    format!("{}:{:02}.{}", tenths / 600, tenths / 10 % 60, tenths % 10)
}
