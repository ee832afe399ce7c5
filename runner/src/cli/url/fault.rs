//! `--fault 'KIND [VALUE] [+-JITTER] [at T] [for D]'`: one stream fault on the way to the host.

use std::fmt::Write as _;
use std::time::Duration;

use brunt_scenario::units::{Bandwidth, parse_duration, print_duration};

use super::super::Failure;
use super::duration;

/// What each kind is called in the catalogue, and which parameter its value is.
const KINDS: [(&str, &str, Option<&str>); 6] = [
    ("latency", "network.latency", Some("latency")),
    ("bandwidth", "network.bandwidth", Some("rate")),
    ("partition", "network.partition", None),
    ("blackhole", "network.blackhole", None),
    ("reset", "tcp.reset", Some("after")),
    ("error", "http.error", Some("status")),
];

/// A fault of each kind as it is typed, and what it does: what Tab offers.
pub const FAULT_EXAMPLES: [(&str, &str); 6] = [
    ("latency 200ms +-20ms at 5s for 5s", "every message is held"),
    ("bandwidth 1mbit at 5s for 5s", "bytes pass no faster"),
    ("partition at 5s for 5s", "bytes stall and are delivered afterwards"),
    ("blackhole at 5s for 5s", "bytes vanish"),
    ("reset at 5s for 5s", "connections are reset"),
    ("error 503 at 5s for 5s", "requests get this status from the proxy"),
];

/// One fault of the command line.
#[derive(Debug, Clone, PartialEq)]
pub struct LinkFault {
    word: &'static str,
    kind: &'static str,
    /// Parameter and its text.
    with: Vec<(&'static str, String)>,
    at: Duration,
    lasts: Duration,
}

impl LinkFault {
    /// Reads one; `run` is how long the load lasts, which the fault may not outlive.
    pub fn parse(text: &str, run: Duration) -> Result<Self, Failure> {
        let wrong = |why: String| {
            Failure::Usage(format!(
                "--fault '{text}': {why}; for example --fault 'latency 200ms +-20ms at 10s for 10s'"
            ))
        };
        let mut words = text.split_whitespace();
        let kind = words.next().ok_or_else(|| wrong("it is empty".into()))?;
        let known = KINDS.into_iter().find(|(word, _, _)| *word == kind);
        let (word, kind, parameter) = known.ok_or_else(|| {
            let words = KINDS.map(|(word, _, _)| word).join(", ");
            wrong(format!("`{kind}` is not one of {words}"))
        })?;
        let mut with = Vec::new();
        let (mut at, mut lasts) = (Duration::ZERO, None);
        while let Some(next) = words.next() {
            match next {
                "at" | "for" => {
                    let time = words.next().ok_or_else(|| wrong(format!("a time is missing after `{next}`")))?;
                    let time = duration("--fault", time)?;
                    if next == "at" { at = time } else { lasts = Some(time) }
                }
                jitter if jitter.starts_with("+-") || jitter.starts_with('±') => {
                    if word != "latency" {
                        return Err(wrong(format!("`{word}` has no jitter")));
                    }
                    let jitter = jitter.trim_start_matches("+-").trim_start_matches('±');
                    with.push(("jitter", print_duration(duration("--fault", jitter)?)));
                }
                value => match parameter {
                    Some(name) if with.iter().all(|(given, _)| *given != name) => {
                        with.push((name, checked(word, value).map_err(&wrong)?));
                    }
                    _ => return Err(wrong(format!("`{value}` is one word too many"))),
                },
            }
        }
        if word == "latency" && with.iter().all(|(name, _)| *name != "latency") {
            return Err(wrong("how much latency?".into()));
        }
        if word == "bandwidth" && with.is_empty() {
            return Err(wrong("how much bandwidth, as in `bandwidth 10mbit`?".into()));
        }
        let lasts = lasts.unwrap_or(run.saturating_sub(at));
        if lasts.is_zero() || at + lasts > run {
            let (at, lasts, run) = (print_duration(at), print_duration(lasts), print_duration(run));
            return Err(wrong(format!("at {at} for {lasts} does not fit into the run of {run}; see --for")));
        }
        Ok(Self { word, kind, with, at, lasts })
    }
}

/// A value in the form that the scenario takes, or what is wrong with it.
fn checked(word: &str, value: &str) -> Result<String, String> {
    if word == "error" {
        return match value.parse::<u16>() {
            Ok(status) if (200..=599).contains(&status) => Ok(status.to_string()),
            _ => Err(format!("`{value}` is not a status from 200 to 599")),
        };
    }
    if word == "bandwidth" {
        return match value.parse::<Bandwidth>() {
            Ok(Bandwidth(0)) => Err(format!("at `{value}` nothing passes: that is `partition`")),
            Ok(rate) => Ok(rate.to_string()),
            Err(why) => Err(why.to_string()),
        };
    }
    parse_duration(value).map(print_duration).map_err(|why| why.to_string())
}

/// Writes the timeline: a baseline until the first fault begins, then all faults beside each other.
pub fn write_timeline(out: &mut String, faults: &[LinkFault]) {
    let Some(first) = faults.iter().map(|fault| fault.at).min() else { return };
    out.push_str("timeline:\n");
    if !first.is_zero() {
        let _ = writeln!(out, "  - baseline: {}", print_duration(first));
    }
    out.push_str("  - parallel:\n");
    for (index, fault) in faults.iter().enumerate() {
        let same_before = faults[..index].iter().filter(|other| other.word == fault.word).count();
        let id = if same_before == 0 { fault.word.to_owned() } else { format!("{}-{}", fault.word, same_before + 1) };
        let delay = print_duration(fault.at - first);
        let lasts = print_duration(fault.lasts);
        let _ = write!(out, "      - {{ delay: {delay}, id: {id}, fault: {}, target: wire, for: {lasts}", fault.kind);
        if !fault.with.is_empty() {
            let with: Vec<String> = fault.with.iter().map(|(name, value)| format!("{name}: {value}")).collect();
            let _ = write!(out, ", with: {{ {} }}", with.join(", "));
        }
        out.push_str(" }\n");
    }
}
