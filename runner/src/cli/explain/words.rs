//! Words of the outputs that are in no other table: verdicts, and what a report calls things.

use brunt_scenario::metric::WindowName;

use super::lines::wrapped;
use crate::exit;

/// Names under which a word is known, the first of them is shown; what it means.
const WORDS: &[(&[&str], &str)] = &[
    (&["pass"], "Verdict: every gate held, on a measurement that can be trusted. Exit code 0."),
    (&["fail"], "Verdict: a gate failed. Exit code 99."),
    (
        &["invalid"],
        "Verdict: the measurement cannot be trusted, whatever the gates say: brunt could not keep up, dropped arrivals, a \
         fault did not take effect, or the steady state was not met to begin with. Exit code 5 (or 3 when nothing was \
         injected).",
    ),
    (
        &["inconclusive"],
        "Verdict: too little data. A gate on a percentile with fewer than ten requests beyond it decides nothing; a fault \
         that nobody has seen act proves nothing. No data is never a pass: exit code 5, unless the gate says \
         `if_inconclusive: warn` or `pass`.",
    ),
    (
        &["aborted"],
        "Verdict: a guardrail (`abort_if`) or a person stopped the run. Everything was rolled back. Exit code 4, \
         or 130 and 143 for signals.",
    ),
    (
        &["not_reached", "not-reached"],
        "Of a gate: its window was never reached, because the run ended before. It does not count.",
    ),
    (
        &["verified"],
        "Of a fault: its effect was seen in the target, not only asked for. `brunt explain KIND` says by what.",
    ),
    (
        &["open"],
        "Load model: iterations start by the clock, whatever the system does, as users of the internet come. Latency counts \
         from the start that the clock intended.",
    ),
    (
        &["closed"],
        "Load model: a fixed number of users who wait for their replies. They send less when the system is slow, so a gate \
         on latency sees less of the slow moments (W003).",
    ),
    (
        &["intended-start", "intended_start"],
        "When the schedule says that a request starts. Latency counts from there, so that a stall is felt by every request \
         that should have been sent meanwhile, and not by one.",
    ),
];

/// The page of a word.
pub fn page(word: &str) -> Option<String> {
    let window = WindowName::EXPLAINED.iter().find(|(name, _)| {
        *name == word
            || name
                .strip_suffix("<id>")
                .is_some_and(|family| word.starts_with(family) || word == family.trim_end_matches(':'))
    });
    if let Some((name, text)) = window {
        return Some(format!("{name}\n\n{}", wrapped(&format!("Window. {text}"), 0)));
    }
    if let Some((_, meaning)) = exit::MEANINGS.iter().find(|(codes, _)| codes.split(", ").any(|code| code == word)) {
        return Some(format!("{word}\n\n{}", wrapped(&format!("Exit code of a run: {meaning}."), 0)));
    }
    let (names, text) = WORDS.iter().find(|(names, _)| names.contains(&word))?;
    Some(format!("{}\n\n{}", names[0], wrapped(text, 0)))
}

/// Every word, as it is shown.
pub fn names() -> Vec<&'static str> {
    let windows = WindowName::EXPLAINED.iter().map(|(name, _)| *name);
    let codes = exit::MEANINGS.iter().flat_map(|(codes, _)| codes.split(", "));
    windows.chain(WORDS.iter().map(|(names, _)| names[0])).chain(codes).collect()
}
