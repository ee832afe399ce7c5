//! `--gate 'METRIC <|<=|>|>= VALUE [in WINDOW]'`: what must hold.

use std::fmt::Write as _;

use brunt_scenario::metric::{Metric, Unit, WindowName};
use brunt_scenario::units::{Rate, Share, parse_duration};

use super::super::Failure;

/// One gate of the command line.
#[derive(Debug, Clone, PartialEq)]
pub struct GateText {
    metric: Metric,
    /// `max` or `min`.
    bound: &'static str,
    value: String,
    window: WindowName,
}

impl GateText {
    /// Reads one. `<` and `<=` mean the same: a measured value is never exact to the last digit.
    pub fn parse(text: &str) -> Result<Self, Failure> {
        let wrong = |why: String| {
            Failure::Usage(format!(
                "--gate '{text}': {why}; for example --gate 'latency.p99 < 200ms' or --gate 'error_rate <= 1% in fault:latency'"
            ))
        };
        let at = text.find(['<', '>']).ok_or_else(|| wrong("no <, <=, > or >=".into()))?;
        let bound = if text[at..].starts_with('<') { "max" } else { "min" };
        let metric: Metric =
            text[..at].trim().parse().map_err(|why: brunt_scenario::metric::UnknownMetric| wrong(why.to_string()))?;
        let rest = text[at + 1..].trim_start_matches('=');
        let mut words = rest.split_whitespace();
        let value = words.next().ok_or_else(|| wrong("no value".into()))?.to_owned();
        check(metric.unit(), &value).map_err(&wrong)?;
        let window = match (words.next(), words.next(), words.next()) {
            (None, ..) => WindowName::Run,
            (Some("in"), Some(window), None) => {
                window.parse().map_err(|why: brunt_scenario::metric::UnknownWindow| wrong(why.to_string()))?
            }
            (Some(word), ..) => {
                return Err(wrong(format!("`{word}` is not understood; after the value comes `in WINDOW`")));
            }
        };
        Ok(Self { metric, bound, value, window })
    }
}

/// Says what is wrong with a value for this unit.
fn check(unit: Unit, value: &str) -> Result<(), String> {
    match unit {
        Unit::Milliseconds | Unit::Seconds => parse_duration(value).map(drop).map_err(|why| why.to_string()),
        Unit::Fraction => value.parse::<Share>().map(drop).map_err(|why| why.to_string()),
        Unit::PerSecond => value.parse::<Rate>().map(drop).map_err(|why| why.to_string()),
        Unit::Count => value.parse::<u64>().map(drop).map_err(|_| format!("`{value}` is not a count")),
    }
}

/// Writes the gates; without any the scenario's default is judged.
pub fn write(out: &mut String, gates: &[GateText]) {
    if gates.is_empty() {
        return;
    }
    out.push_str("gates:\n");
    for gate in gates {
        let _ = writeln!(
            out,
            "  - {{ metric: {}, window: \"{}\", {}: {} }}",
            gate.metric, gate.window, gate.bound, gate.value
        );
    }
}
