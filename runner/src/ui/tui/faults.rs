//! Page 4: every turn of every fault, and the one line of it that the overview shows.

use super::frame::clock;
use super::look::Tone;
use super::state::State;
use super::table::{Row, Table, text};
use crate::ui::snapshot::{Fault, FaultStep, Seen, Snapshot};
use brunt_report::render::format;

const COLUMNS: [&str; 6] = ["fault", "state", "time", "seen", "hit", "what"];

/// The turn that is selected, by its index in the timeline.
pub fn selected(snapshot: &Snapshot, state: &State) -> Option<usize> {
    table(snapshot).selected(state)
}

/// The page.
pub fn table(snapshot: &Snapshot) -> Table<'static> {
    let rows = snapshot.faults.iter().enumerate().map(|(index, fault)| row(index, fault, snapshot.at_s)).collect();
    Table { columns: &COLUMNS, rows, empty: "the scenario injects no faults" }
}

fn row(index: usize, fault: &Fault, at_s: f64) -> Row {
    let (word, tone) = standing(fault);
    let (seen, seen_tone) = seen(fault);
    let what = if fault.with.is_empty() { fault.kind.clone() } else { format!("{} {}", fault.kind, fault.with) };
    Row {
        index,
        cells: vec![
            text(name(fault), Tone::Plain),
            text(word, tone),
            text(time(fault, at_s), Tone::Plain),
            text(seen, seen_tone),
            text(hit(fault), Tone::Plain),
            text(what.clone(), Tone::Plain),
        ],
        details: vec![
            format!("{}: {what}, by {}", name(fault), fault.mechanism),
            format!("hits {}", hit(fault)),
            match &fault.seen {
                Seen::Unknown => "its effect has not been looked at".to_owned(),
                Seen::Verified(how) => format!("verified: {how}"),
                Seen::NotExercised(why) => format!("not exercised: {why}"),
                Seen::Absent(why) => format!("absent: {why}"),
            },
            match fault.undone {
                Some(true) if fault.lasts_s.is_none() => "over: the target is whole again".to_owned(),
                Some(true) => "undone: everything is as it was before".to_owned(),
                Some(false) => "NOT undone: run `brunt cleanup`".to_owned(),
                None => "nothing has been undone".to_owned(),
            },
        ],
    }
}

/// `kill 2/3`: the fault, and which of its rounds.
pub fn name(fault: &Fault) -> String {
    if fault.rounds > 1 { format!("{} {}/{}", fault.id, fault.round, fault.rounds) } else { fault.id.clone() }
}

/// Where it stands, in a word.
pub fn standing(fault: &Fault) -> (&'static str, Tone) {
    match fault.step {
        FaultStep::Planned => ("planned", Tone::Dim),
        FaultStep::Injecting => ("injecting", Tone::Warn),
        FaultStep::Active if fault.lasts_s.is_none() => ("done, waits", Tone::Fault),
        FaultStep::Active => ("active", Tone::Fault),
        FaultStep::Removing => ("removing", Tone::Warn),
        FaultStep::Removed => ("removed", Tone::Good),
        FaultStep::Failed => ("FAILED", Tone::Bad),
    }
}

/// `00:32 / 01:00` while it is active, when it was afterwards.
pub fn time(fault: &Fault, at_s: f64) -> String {
    match (fault.from_s, fault.to_s, fault.lasts_s) {
        (Some(from), None, Some(lasts)) => format!("{} / {}", clock(at_s - from), clock(lasts)),
        (Some(from), None, None) => clock(at_s - from),
        (Some(from), Some(to), _) => format!("{} - {}", clock(from), clock(to)),
        (None, _, Some(lasts)) => format!("for {}", format::seconds(lasts)),
        (None, _, None) => String::new(),
    }
}

/// What was seen of it, in a word or two.
pub fn seen(fault: &Fault) -> (&'static str, Tone) {
    match fault.seen {
        Seen::Unknown => ("", Tone::Dim),
        Seen::Verified(_) => ("verified", Tone::Good),
        Seen::NotExercised(_) => ("not exercised", Tone::Warn),
        Seen::Absent(_) => ("absent", Tone::Bad),
    }
}

/// Its target, and who of it was hit.
pub fn hit(fault: &Fault) -> String {
    if fault.instances.is_empty() { fault.target.clone() } else { fault.instances.join(", ") }
}
