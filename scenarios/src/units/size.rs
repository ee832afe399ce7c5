//! Sizes in bytes (`64KiB`) and bandwidths in bits a second (`10mbit`, as tc writes them: powers of ten).

use std::fmt;
use std::str::FromStr;

use super::{Bandwidth, Size, UnitError, number_and_rest};

/// Largest first, so that printing finds the shortest whole number.
const SIZES: [(&str, u64); 9] = [
    ("TiB", 1 << 40),
    ("TB", 1_000_000_000_000),
    ("GiB", 1 << 30),
    ("GB", 1_000_000_000),
    ("MiB", 1 << 20),
    ("MB", 1_000_000),
    ("KiB", 1 << 10),
    ("kB", 1_000),
    ("B", 1),
];
const BANDWIDTHS: [(&str, u64); 5] =
    [("tbit", 1_000_000_000_000), ("gbit", 1_000_000_000), ("mbit", 1_000_000), ("kbit", 1_000), ("bit", 1)];

fn parse(text: &str, units: &[(&str, u64)]) -> Option<u64> {
    let (value, number, rest) = number_and_rest(text)?;
    let scale = units.iter().find(|(unit, _)| *unit == rest)?.1;
    match number.parse::<u64>() {
        Ok(whole) => whole.checked_mul(scale),
        Err(_) => Some(value * scale as f64).filter(|bytes| *bytes < 2_f64.powi(63)).map(|bytes| bytes.round() as u64),
    }
}

fn print(f: &mut fmt::Formatter<'_>, value: u64, units: &[(&str, u64)]) -> fmt::Result {
    let whole = units.iter().find(|(_, scale)| value >= *scale && value.is_multiple_of(*scale));
    let (unit, scale) = whole.or(units.last()).copied().unwrap_or(("", 1));
    write!(f, "{}{unit}", value / scale)
}

impl FromStr for Size {
    type Err = UnitError;

    fn from_str(text: &str) -> Result<Self, UnitError> {
        parse(text, &SIZES).map(Self).ok_or_else(|| {
            let help = match number_and_rest(text) {
                Some((_, number, "")) => format!("{number}B or {number}KiB?"),
                Some((_, number, "k" | "K" | "KB" | "Ki" | "kib")) => format!("{number}KiB?"),
                Some((_, number, "m" | "M" | "Mi" | "mb" | "mib")) => format!("{number}MiB or {number}MB?"),
                Some((_, number, "g" | "G" | "Gi" | "gb" | "gib")) => format!("{number}GiB or {number}GB?"),
                _ => "a size is a number with a unit: `512B`, `64KiB`, `1MiB`".to_owned(),
            };
            UnitError::new(format!("`{text}` is not a size"), help)
        })
    }
}

impl fmt::Display for Size {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        print(f, self.0, &SIZES)
    }
}

impl FromStr for Bandwidth {
    type Err = UnitError;

    fn from_str(text: &str) -> Result<Self, UnitError> {
        parse(text, &BANDWIDTHS).map(Self).ok_or_else(|| {
            let help = match number_and_rest(text) {
                Some((_, number, "")) => format!("{number}kbit or {number}mbit?"),
                Some((_, number, "k" | "K" | "kbps" | "Kbit" | "kb")) => format!("{number}kbit?"),
                Some((_, number, "m" | "M" | "mbps" | "Mbps" | "Mbit")) => format!("{number}mbit?"),
                Some((_, number, "g" | "G" | "gbps" | "Gbps" | "Gbit")) => format!("{number}gbit?"),
                _ => "a bandwidth is a number with a unit as in tc: `512kbit`, `10mbit`".to_owned(),
            };
            UnitError::new(format!("`{text}` is not a bandwidth"), help)
        })
    }
}

impl fmt::Display for Bandwidth {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        print(f, self.0, &BANDWIDTHS)
    }
}
