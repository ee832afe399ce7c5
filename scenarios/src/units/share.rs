//! Shares of a whole: `5%`, and how many of a target: `one`, `all`, `2`, `50%`.

use std::fmt;
use std::str::FromStr;

use super::{CountOrShare, Share, UnitError, number_and_rest, plain_number};

impl FromStr for Share {
    type Err = UnitError;

    fn from_str(text: &str) -> Result<Self, UnitError> {
        match number_and_rest(text) {
            Some((value, _, "%")) => Ok(Self(value / 100.0)),
            found => {
                let help = match found {
                    Some((value, _, "")) if value > 0.0 && value < 1.0 => {
                        format!("{}%? (or `{text}%`)", plain_number(value * 100.0))
                    }
                    Some((_, number, "" | "percent" | " %" | "pct")) => format!("{number}%?"),
                    _ => "a percentage is a number with %: `5%`, `0.1%`".to_owned(),
                };
                Err(UnitError::new(format!("`{text}` is not a percentage"), help))
            }
        }
    }
}

impl fmt::Display for Share {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}%", plain_number(self.0 * 100.0))
    }
}

impl FromStr for CountOrShare {
    type Err = UnitError;

    fn from_str(text: &str) -> Result<Self, UnitError> {
        let wrong = |help: &str| UnitError::new(format!("`{text}` does not say how many"), help);
        match text {
            "all" => return Ok(Self::All),
            "one" => return Ok(Self::Count(1)),
            _ => {}
        }
        if text.ends_with('%') {
            let share: Share = text.parse()?;
            return if share.0 > 1.0 { Err(wrong("at most `100%`, or `all`")) } else { Ok(Self::Share(share)) };
        }
        if !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit()) {
            return text.parse().map(Self::Count).map_err(|_| wrong("a number this large is not needed"));
        }
        let help = match number_and_rest(text) {
            Some((value, _, "")) if value < 1.0 => format!("{}%?", plain_number(value * 100.0)),
            _ => "`one`, `all`, a whole number, or a percentage: `2`, `50%`".to_owned(),
        };
        Err(wrong(&help))
    }
}

impl fmt::Display for CountOrShare {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::All => f.write_str("all"),
            Self::Count(1) => f.write_str("one"),
            Self::Count(count) => write!(f, "{count}"),
            Self::Share(share) => write!(f, "{share}"),
        }
    }
}
