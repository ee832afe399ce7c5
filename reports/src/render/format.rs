//! Numbers as people read them: `310 ms`, `8.4 s`, `12,004`, `0.4 %`, `199.8/s`. One file, so that the terminal, the pull
//! request and the report never disagree about a figure.
//!
//! Nothing here prints NaN or infinity: what is not a number is [`NONE`].

/// Stands for a value that does not exist: a percentile without samples, a recovery that never came.
pub const NONE: &str = "–";

/// A span given in milliseconds.
pub fn ms(value: f64) -> String {
    if !value.is_finite() {
        return NONE.to_owned();
    }
    let size = value.abs();
    if size == 0.0 {
        "0 ms".to_owned()
    } else if size < 0.01 {
        "<0.01 ms".to_owned()
    } else if size < 0.995 {
        format!("{} ms", trimmed(value, 2))
    } else if size < 99.95 {
        format!("{} ms", trimmed(value, 1))
    } else if size < 999.5 {
        format!("{value:.0} ms")
    } else {
        seconds(value / 1e3)
    }
}

/// A span given in seconds, or an instant as its distance from run zero.
pub fn seconds(value: f64) -> String {
    if !value.is_finite() {
        return NONE.to_owned();
    }
    let size = value.abs();
    if size == 0.0 {
        "0 s".to_owned()
    } else if size < 0.9995 {
        ms(value * 1e3)
    } else if size < 9.995 {
        format!("{} s", trimmed(value, 2))
    } else if size < 59.95 {
        format!("{} s", trimmed(value, 1))
    } else {
        minutes(value)
    }
}

/// A minute and more: two units are enough for a person.
fn minutes(value: f64) -> String {
    let whole = value.round();
    let (hours, minutes, seconds) =
        ((whole / 3600.0).trunc(), (whole % 3600.0 / 60.0).trunc().abs(), (whole % 60.0).abs());
    if hours != 0.0 {
        format!("{hours:.0} h {minutes:.0} min")
    } else if seconds == 0.0 {
        format!("{minutes:.0} min")
    } else {
        format!("{minutes:.0} min {seconds:.0} s")
    }
}

/// A whole number, grouped by thousands.
pub fn count(value: u64) -> String {
    let digits = value.to_string();
    let mut grouped = String::with_capacity(digits.len() + digits.len() / 3);
    for (index, digit) in digits.chars().enumerate() {
        if index > 0 && (digits.len() - index).is_multiple_of(3) {
            grouped.push(',');
        }
        grouped.push(digit);
    }
    grouped
}

/// `1 request`, `3,204 requests`: a count with its noun, the plural made with an `s`.
pub fn counted(value: u64, noun: &str) -> String {
    format!("{} {noun}{}", count(value), if value == 1 { "" } else { "s" })
}

/// A fraction from 0 to 1 as a percentage. A share that is not quite 0 or 1 is never rounded to them: one error in a million
/// is not none.
pub fn percent(fraction: f64) -> String {
    if !fraction.is_finite() {
        return NONE.to_owned();
    }
    let value = fraction * 100.0;
    if value != 0.0 && value.abs() < 0.01 {
        return "<0.01 %".to_owned();
    }
    if value < 100.0 && value > 99.99 {
        return ">99.99 %".to_owned();
    }
    let places = if value.abs() < 1.0 || (value > 99.0 && value < 100.0) { 2 } else { 1 };
    format!("{} %", trimmed(value, places))
}

/// Events a second.
pub fn per_second(value: f64) -> String {
    if !value.is_finite() {
        return NONE.to_owned();
    }
    if value.abs() >= 1000.0 {
        format!("{}/s", number(value))
    } else if value != 0.0 && value.abs() < 1.0 {
        format!("{}/s", trimmed(value, 2))
    } else {
        format!("{}/s", trimmed(value, 1))
    }
}

/// A number without a unit, grouped.
pub fn number(value: f64) -> String {
    if !value.is_finite() {
        return NONE.to_owned();
    }
    if value.abs() < 1000.0 {
        return trimmed(value, 2);
    }
    let sign = if value < 0.0 { "-" } else { "" };
    // A float above 2^53 has no exact whole number anyway; the cast saturates.
    format!("{sign}{}", count(value.abs().round() as u64))
}

/// A value of results.json in the unit that stands beside it there (`ms`, `s`, `fraction`, `count`, `per_s`).
pub fn value(value: f64, unit: &str) -> String {
    match unit {
        "ms" => ms(value),
        "s" => seconds(value),
        "fraction" => percent(value),
        "per_s" => per_second(value),
        _ => number(value),
    }
}

/// Like [`value`], for something that may not exist.
pub fn maybe(given: Option<f64>, unit: &str) -> String {
    given.map_or_else(|| NONE.to_owned(), |number| value(number, unit))
}

/// Two values that are compared: when rounding makes them look the same although they are not, digits are added until they
/// differ, because "250 ms is above 250 ms" helps nobody.
pub fn pair(left: f64, right: f64, unit: &str) -> (String, String) {
    let rounded = (value(left, unit), value(right, unit));
    if left == right || rounded.0 != rounded.1 || !left.is_finite() || !right.is_finite() {
        return rounded;
    }
    let (scale, suffix) = match unit {
        "ms" => (1.0, " ms"),
        "s" => (1.0, " s"),
        "fraction" => (100.0, " %"),
        "per_s" => (1.0, "/s"),
        _ => (1.0, ""),
    };
    for places in 1..=6 {
        let exact = (format!("{:.places$}", left * scale), format!("{:.places$}", right * scale));
        if exact.0 != exact.1 {
            return (exact.0 + suffix, exact.1 + suffix);
        }
    }
    rounded
}

/// Fixed places, without trailing zeros, without a lone minus before zero.
fn trimmed(value: f64, places: usize) -> String {
    let fixed = format!("{value:.places$}");
    let short = if fixed.contains('.') { fixed.trim_end_matches('0').trim_end_matches('.') } else { fixed.as_str() };
    if short == "-0" { "0".to_owned() } else { short.to_owned() }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_read_like_a_person_would_say_them() {
        let said: Vec<String> =
            [0.0, 0.004, 0.08, 0.1, 4.23, 48.2, 99.97, 310.4, 999.7, 1280.0, 8400.0, 12_440.0].map(ms).into();
        assert_eq!(
            said,
            [
                "0 ms", "<0.01 ms", "0.08 ms", "0.1 ms", "4.2 ms", "48.2 ms", "100 ms", "310 ms", "1 s", "1.28 s",
                "8.4 s", "12.4 s"
            ]
        );
        assert_eq!(
            [59.97, 60.0, 92.0, 3600.0, 7384.0].map(seconds),
            ["1 min", "1 min", "1 min 32 s", "1 h 0 min", "2 h 3 min"]
        );
    }

    #[test]
    fn counts_are_grouped_by_thousands() {
        assert_eq!([0, 999, 1_000, 1_234_567].map(count), ["0", "999", "1,000", "1,234,567"]);
        assert_eq!((counted(1, "request"), counted(2, "request")), ("1 request".to_owned(), "2 requests".to_owned()));
    }

    #[test]
    fn a_share_that_is_not_quite_all_or_nothing_is_never_rounded_to_it() {
        assert_eq!(
            [0.0, 0.000_001, 0.004, 0.125, 0.9985, 0.999_999, 1.0].map(percent),
            ["0 %", "<0.01 %", "0.4 %", "12.5 %", "99.85 %", ">99.99 %", "100 %"]
        );
    }

    #[test]
    fn rates_are_grouped_too() {
        assert_eq!([0.0, 0.25, 199.84, 12_400.4].map(per_second), ["0/s", "0.25/s", "199.8/s", "12,400/s"]);
    }

    #[test]
    fn compared_values_get_digits_until_they_differ() {
        assert_eq!(pair(250.4, 250.0, "ms"), ("250.4 ms".to_owned(), "250.0 ms".to_owned()));
        assert_eq!(pair(0.010_04, 0.01, "fraction"), ("1.004 %".to_owned(), "1.000 %".to_owned()));
        assert_eq!(pair(452.0, 150.0, "ms"), ("452 ms".to_owned(), "150 ms".to_owned()));
    }

    #[test]
    fn what_is_not_a_number_is_a_dash() {
        for unit in ["ms", "s", "fraction", "per_s", "count"] {
            assert_eq!([value(f64::NAN, unit), value(f64::INFINITY, unit), maybe(None, unit)], [NONE, NONE, NONE]);
        }
    }
}
