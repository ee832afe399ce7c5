//! Faults: what was done, whether it was seen, and how the system came back.

use crate::render::html::frame::style;
use crate::render::html::rows::dash;
use crate::render::{format, words};
use crate::results::{FaultData, Results, RoundData};

/// One fault.
pub struct FaultRow {
    /// Its colour and dash.
    pub style: String,
    /// Its id.
    pub id: String,
    /// What it did to whom.
    pub about: String,
    /// Who was hit.
    pub instances: String,
    /// Whether its effect was seen.
    pub effect: String,
    /// How it was seen.
    pub reason: String,
    /// The effect was not seen.
    pub doubtful: bool,
    /// When and how long, a line a round.
    pub spans: Vec<String>,
    /// Injection to the first sign.
    pub detection: String,
    /// Steady state lost for.
    pub degraded: String,
    /// Removal to recovery.
    pub recovery: String,
    /// It did not recover.
    pub lost: bool,
    /// Undo.
    pub rollback: String,
    /// Undo failed.
    pub stuck: bool,
}

/// All faults.
pub fn faults(results: &Results) -> Vec<FaultRow> {
    let row = |(index, fault): (usize, &FaultData)| FaultRow {
        style: style(index),
        id: fault.id.clone(),
        about: words::about(fault),
        instances: words::instances(fault),
        effect: if fault.verified { "verified".to_owned() } else { words::verification(fault) },
        reason: if fault.verified { fault.reason.clone() } else { String::new() },
        doubtful: !fault.verified,
        spans: fault_spans(fault),
        detection: words::detection(fault),
        degraded: words::degraded(fault),
        recovery: match (fault.recovered, fault.recovery_time_s) {
            (Some(true), Some(seconds)) if fault.rounds.len() < 2 => format::seconds(seconds),
            _ => words::recovery(fault),
        },
        lost: fault.recovered == Some(false),
        rollback: match fault.residue.is_empty() {
            true => words::rollback(fault).to_owned(),
            false => format!("{}; left: {}", words::rollback(fault), fault.residue.join("; ")),
        },
        stuck: fault.rollback_verified == Some(false),
    };
    results.summary.faults.iter().enumerate().map(row).collect()
}

/// When each round was and how long; the first ones of many.
fn fault_spans(fault: &FaultData) -> Vec<String> {
    const SHOWN: usize = 4;
    let rounds = fault.each_round();
    let mut spans: Vec<String> = rounds.iter().take(SHOWN).map(round_span).collect();
    if rounds.len() > SHOWN {
        spans.push(format!("{} more", rounds.len() - SHOWN));
    }
    spans
}

fn round_span(round: &RoundData) -> String {
    match (round.injecting_at_s, round.removed_at_s) {
        (Some(from), Some(to)) => format!("{} for {}", format::seconds(from), format::seconds(to - from)),
        (Some(from), None) => format!("{}, not removed", format::seconds(from)),
        (None, _) => dash(),
    }
}
