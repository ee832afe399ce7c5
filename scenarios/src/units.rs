//! The units of the language: one grammar for parser, printer and schema.
//!
//! A bare number never stands where a unit matters. Each type parses from the text that people write (`250us`, `5%`,
//! `200/s`, `64KiB`, `10mbit`, `3x`, `50%`, `1s..3s`) and prints back to a text that parses to the same value.

mod duration;
mod rate;
mod share;
mod size;
mod spread;

use serde::{Deserialize, Serialize};

pub use duration::{parse_duration, print_duration};

/// A text that is not a value of the unit, and what to write instead.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{wrong}: {help}")]
pub struct UnitError {
    /// What is wrong: "`30` has no unit".
    pub wrong: String,
    /// What to write: "30s or 30ms?".
    pub help: String,
}

impl UnitError {
    fn new(wrong: impl Into<String>, help: impl Into<String>) -> Self {
        Self { wrong: wrong.into(), help: help.into() }
    }
}

/// Splits `12.5abc` into its number and what follows; `None` without a number in front. The grammar of all units:
/// `\d+(\.\d+)?`, no sign, no exponent.
fn number_and_rest(text: &str) -> Option<(f64, &str, &str)> {
    let digits = |text: &str| text.bytes().take_while(u8::is_ascii_digit).count();
    let whole = digits(text);
    if whole == 0 {
        return None;
    }
    let mut end = whole;
    if text.as_bytes().get(whole) == Some(&b'.') {
        let fraction = digits(&text[whole + 1..]);
        if fraction == 0 {
            return None;
        }
        end = whole + 1 + fraction;
    }
    let value = text[..end].parse::<f64>().ok().filter(|value| value.is_finite())?;
    Some((value, &text[..end], &text[end..]))
}

/// A number without the noise of binary fractions: `0.995 * 100` is `99.5`.
fn plain_number(value: f64) -> String {
    let rounded = format!("{value:.9}");
    rounded.trim_end_matches('0').trim_end_matches('.').to_owned()
}

/// An instant of the run: nanoseconds since run zero, on CLOCK_MONOTONIC.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Offset(pub u64);

impl Offset {
    /// Seconds since run zero.
    pub fn as_secs_f64(self) -> f64 {
        self.0 as f64 / 1e9
    }

    /// The offset `seconds` after run zero; negative values become zero.
    pub fn from_secs_f64(seconds: f64) -> Self {
        Self((seconds.max(0.0) * 1e9).round() as u64)
    }

    /// The instant `span` later.
    pub fn after(self, span: std::time::Duration) -> Self {
        Self(self.0.saturating_add(u64::try_from(span.as_nanos()).unwrap_or(u64::MAX)))
    }

    /// The time from `earlier` to this instant; zero when `earlier` is later.
    pub fn since(self, earlier: Self) -> std::time::Duration {
        std::time::Duration::from_nanos(self.0.saturating_sub(earlier.0))
    }
}

/// A share of a whole, as a fraction from 0 to 1 (and above, where a percentage may exceed 100 %).
#[derive(Debug, Clone, Copy, PartialEq, PartialOrd, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Share(pub f64);

/// Events a second.
#[derive(Debug, Clone, Copy, PartialEq, PartialOrd, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Rate(pub f64);

/// Multiplies something: `3x`.
#[derive(Debug, Clone, Copy, PartialEq, PartialOrd, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Factor(pub f64);

/// Bytes: `64KiB`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Size(pub u64);

/// Bits a second, as tc writes them: `10mbit`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Bandwidth(pub u64);

/// How many members of a target: `one`, `all`, `2` or `50%`.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum CountOrShare {
    /// Every member.
    All,
    /// Exactly so many.
    Count(usize),
    /// A share of the members, rounded up, so never zero of a non-empty target.
    Share(Share),
}

impl CountOrShare {
    /// How many of `total` members this means.
    pub fn of(self, total: usize) -> usize {
        match self {
            Self::All => total,
            Self::Count(n) => n,
            Self::Share(share) => ((share.0 * total as f64) - 1e-9).ceil().max(0.0) as usize,
        }
    }
}

/// A random span of time: think times.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Spread {
    /// Always the same.
    Constant(std::time::Duration),
    /// Evenly between two bounds: `1s..3s`.
    Uniform(std::time::Duration, std::time::Duration),
    /// Exponential with a mean: `exp(2s)`.
    Exponential(std::time::Duration),
    /// Normal with mean and standard deviation, cut at zero: `normal(2s, 500ms)`.
    Normal(std::time::Duration, std::time::Duration),
}
