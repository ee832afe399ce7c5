//! Random spans: `2s`, `1s..3s`, `exp(2s)`, `normal(2s, 500ms)`.

use std::fmt;
use std::str::FromStr;

use super::{Spread, UnitError, parse_duration, print_duration};

impl FromStr for Spread {
    type Err = UnitError;

    fn from_str(text: &str) -> Result<Self, UnitError> {
        let wrong = || {
            let help = match parse_duration(text) {
                Err(error) if error.help.ends_with('?') => error.help,
                _ => "a random span is `2s`, `1s..3s`, `exp(2s)` or `normal(2s, 500ms)`".to_owned(),
            };
            UnitError::new(format!("`{text}` is not a span of time"), help)
        };
        let arguments = |name: &str| text.strip_prefix(name)?.strip_prefix('(')?.strip_suffix(')');
        let duration = |part: &str| parse_duration(part.trim()).map_err(|_| wrong());
        if let Some((from, to)) = text.split_once("..") {
            let (from, to) = (duration(from)?, duration(to)?);
            let swapped = || format!("{}..{}?", print_duration(to), print_duration(from));
            return if from > to {
                Err(UnitError::new(format!("`{text}` ends before it begins"), swapped()))
            } else {
                Ok(Self::Uniform(from, to))
            };
        }
        if let Some(mean) = arguments("exp") {
            return duration(mean).map(Self::Exponential);
        }
        if let Some((mean, deviation)) = arguments("normal").and_then(|both| both.split_once(',')) {
            return Ok(Self::Normal(duration(mean)?, duration(deviation)?));
        }
        duration(text).map(Self::Constant)
    }
}

impl fmt::Display for Spread {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match *self {
            Self::Constant(span) => f.write_str(&print_duration(span)),
            Self::Uniform(from, to) => write!(f, "{}..{}", print_duration(from), print_duration(to)),
            Self::Exponential(mean) => write!(f, "exp({})", print_duration(mean)),
            Self::Normal(mean, deviation) => {
                write!(f, "normal({}, {})", print_duration(mean), print_duration(deviation))
            }
        }
    }
}
