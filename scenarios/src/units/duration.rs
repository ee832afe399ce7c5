//! Durations: `250us`, `1m30s`, `1.5h`.

use std::time::Duration;

use super::UnitError;

/// Unit and its nanoseconds, longest first.
const UNITS: [(&str, u128); 7] = [
    ("d", 86_400_000_000_000),
    ("h", 3_600_000_000_000),
    ("m", 60_000_000_000),
    ("s", 1_000_000_000),
    ("ms", 1_000_000),
    ("us", 1_000),
    ("ns", 1),
];

/// Parses `(\d+(\.\d+)?(ns|us|ms|s|m|h|d))+`, exact to the nanosecond.
///
/// # Errors
/// Anything else, with a hint that fits the mistake.
pub fn parse_duration(text: &str) -> Result<Duration, UnitError> {
    let wrong = || UnitError::new(format!("`{text}` is not a duration"), help(text));
    let mut rest = text;
    let mut total: u128 = 0;
    if rest.is_empty() {
        return Err(wrong());
    }
    while !rest.is_empty() {
        let (_, number, after) = super::number_and_rest(rest).ok_or_else(wrong)?;
        let letters = after.bytes().take_while(u8::is_ascii_alphabetic).count();
        let nanos = UNITS.iter().find(|(unit, _)| *unit == &after[..letters]).ok_or_else(wrong)?.1;
        total = scaled(number, nanos).and_then(|part| total.checked_add(part)).ok_or_else(wrong)?;
        rest = &after[letters..];
    }
    u64::try_from(total).map(Duration::from_nanos).map_err(|_| wrong())
}

/// `number` (digits with an optional fraction) times `nanos`, rounded down to a whole nanosecond; `None` on overflow.
fn scaled(number: &str, nanos: u128) -> Option<u128> {
    let (whole, fraction) = number.split_once('.').unwrap_or((number, ""));
    let mut total = whole.parse::<u128>().ok()?.checked_mul(nanos)?;
    let fraction = &fraction[..fraction.len().min(18)];
    if !fraction.is_empty() {
        let scale = 10_u128.pow(u32::try_from(fraction.len()).ok()?);
        total = total.checked_add(fraction.parse::<u128>().ok()?.checked_mul(nanos)? / scale)?;
    }
    Some(total)
}

fn help(text: &str) -> String {
    let example = "a duration is a number with a unit: `250us`, `40ms`, `3s`, `1m30s`";
    if super::number_and_rest(text).is_some_and(|(_, _, rest)| rest.is_empty()) {
        return format!("{text}s or {text}ms?");
    }
    if let Some((minutes, seconds)) = text.split_once(':')
        && let (Ok(minutes), Ok(seconds)) = (minutes.parse::<u32>(), seconds.parse::<u32>())
    {
        return format!("{minutes}m{seconds}s?");
    }
    match super::number_and_rest(text) {
        Some((_, number, "sec" | "secs" | "second" | "seconds" | "S")) => format!("{number}s?"),
        Some((_, number, "min" | "mins" | "minute" | "minutes" | "M")) => format!("{number}m?"),
        Some((_, number, "µs" | "μs")) => format!("{number}us?"),
        Some((_, number, "hour" | "hours" | "H")) => format!("{number}h?"),
        _ => example.to_owned(),
    }
}

/// Prints a duration so that [`parse_duration`] reads the same one: `1m30s`, `1.5s`, `250ms`, `0s`.
pub fn print_duration(value: Duration) -> String {
    let mut rest = value.as_nanos();
    let mut out = String::new();
    for (unit, nanos) in UNITS {
        let last = nanos <= UNITS[3].1;
        if rest < nanos {
            continue;
        }
        out.push_str(&(rest / nanos).to_string());
        rest %= nanos;
        if last && rest > 0 {
            let width = nanos.ilog10() as usize;
            out.push('.');
            out.push_str(format!("{rest:0width$}").trim_end_matches('0'));
        }
        out.push_str(unit);
        if last {
            return out;
        }
    }
    if out.is_empty() { "0s".to_owned() } else { out }
}
