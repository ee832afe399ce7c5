//! Several runs together: one row each, the verdict, the figures of the gates, where the files lie. The terminal, the pull
//! request and the page that leads to the reports say the same.

pub mod index;
pub mod summary;
pub mod text;

use crate::render::{format, words};
use crate::results::{GateData, GateVerdict, Verdict};
use crate::runs::{Outcome, RunData, Runs};

/// `PASS`, `FAIL`..., or that it did not come that far.
pub fn verdict(run: &RunData) -> &'static str {
    match &run.outcome {
        Outcome::Ran { summary, .. } => words::verdict(summary.verdict),
        Outcome::NotBegun { .. } => "NOT BEGUN",
        Outcome::NotRun { .. } => "NOT RUN",
    }
}

/// The word for all runs together: that of the run which decides the exit code; a signal between two runs decides too.
fn word(runs: &Runs) -> &'static str {
    let decides = runs.runs.iter().find(|run| run.exit_code() == Some(runs.exit_code));
    match (runs.exit_code, decides) {
        (_, Some(run)) => verdict(run),
        (130 | 143, None) => words::verdict(Verdict::Aborted),
        (0, None) => words::verdict(Verdict::Pass),
        (_, None) => words::verdict(Verdict::Fail),
    }
}

/// The run's sentence, or why there is none.
fn sentence(run: &RunData) -> &str {
    match &run.outcome {
        Outcome::Ran { summary, .. } => &summary.sentence,
        Outcome::NotBegun { why, .. } | Outcome::NotRun { why } => why,
    }
}

/// What the runs are called together: the scenario, or how many there are.
fn title(runs: &Runs) -> String {
    match runs.runs.as_slice() {
        [first, ..] if runs.is_one_matrix() => {
            format!("{}, {}", first.scenario, format::counted(runs.runs.len() as u64, "cell"))
        }
        all => format::counted(all.len() as u64, "run"),
    }
}

/// `2 of 4 passed, 1 failed, 1 not run`, in the order of the verdicts' weight.
fn tally(runs: &Runs) -> String {
    let passed = runs.runs.iter().filter(|run| verdict(run) == "PASS").count();
    let mut parts = vec![format!("{passed} of {} passed", runs.runs.len())];
    for (word, said) in [
        (words::verdict(Verdict::Fail), "failed"),
        (words::verdict(Verdict::Invalid), "invalid"),
        (words::verdict(Verdict::Inconclusive), "inconclusive"),
        (words::verdict(Verdict::Aborted), "aborted"),
        ("NOT BEGUN", "could not begin"),
        ("NOT RUN", "not run"),
    ] {
        let count = runs.runs.iter().filter(|run| verdict(run) == word).count();
        if count > 0 {
            parts.push(format!("{count} {said}"));
        }
    }
    parts.join(", ")
}

/// The name of a run in the table: its cell, its scenario, or both where there are several of both.
fn name(runs: &Runs, run: &RunData) -> String {
    match (run.cell.is_empty(), runs.is_one_matrix()) {
        (true, _) => run.scenario.clone(),
        (false, true) => run.cell.clone(),
        (false, false) => format!("{} · {}", run.scenario, run.cell),
    }
}

/// What a gate measured in this run, and its limit where it did not hold: `310 ms`, `1.28 s > 930 ms`, `no value`.
fn figure(run: &RunData, gate: &str) -> String {
    let Some(gate) = run.gates().iter().find(|known| known.id == gate) else { return format::NONE.to_owned() };
    match gate.verdict {
        GateVerdict::Pass => words::sides(gate).0,
        GateVerdict::Fail => words::comparison(gate),
        GateVerdict::Inconclusive if gate.actual.is_none() => "no value".to_owned(),
        GateVerdict::Inconclusive => format!("{} ?", words::sides(gate).0),
        GateVerdict::NotReached => "not reached".to_owned(),
    }
}

/// Whether every run has the same seed, in words.
fn seed(runs: &Runs) -> Option<String> {
    let seed = runs.seed()?;
    Some(format!("seed {seed} in each"))
}

/// The gates, those that failed anywhere first: where there is room for a few only, these are they.
fn gates_worst_first(runs: &Runs) -> Vec<&str> {
    let held = |id: &str| {
        let mut all = runs.runs.iter().flat_map(|run| run.gates()).filter(|gate: &&GateData| gate.id == id);
        all.all(|gate| gate.verdict == GateVerdict::Pass)
    };
    let mut ids = runs.gate_ids();
    ids.sort_by_key(|id| held(id));
    ids
}

/// How the run exits, or that it never came so far.
fn exit(run: &RunData) -> String {
    run.exit_code().map_or_else(|| format::NONE.to_owned(), |code| code.to_string())
}
