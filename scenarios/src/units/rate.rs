//! Rates and factors: `200/s`, `30/m`, `1.25x`.

use std::fmt;
use std::str::FromStr;

use super::{Factor, Rate, UnitError, number_and_rest, plain_number};

impl FromStr for Rate {
    type Err = UnitError;

    fn from_str(text: &str) -> Result<Self, UnitError> {
        let per_second = |value: f64, rest: &str| match rest {
            "/s" => Some(value),
            "/m" => Some(value / 60.0),
            "/h" => Some(value / 3600.0),
            _ => None,
        };
        if let Some((value, _, rest)) = number_and_rest(text)
            && let Some(rate) = per_second(value, rest)
        {
            return Ok(Self(rate));
        }
        let help = match number_and_rest(text) {
            Some((_, number, "" | "rps" | "qps" | "/sec" | "/second" | "ps" | "req/s" | "Hz")) => {
                format!("{number}/s?")
            }
            Some((_, number, "/min" | "/minute" | "rpm")) => format!("{number}/m?"),
            _ => "a rate is a number per s, m or h: `200/s`, `30/m`".to_owned(),
        };
        Err(UnitError::new(format!("`{text}` is not a rate"), help))
    }
}

impl fmt::Display for Rate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/s", plain_number(self.0))
    }
}

impl FromStr for Factor {
    type Err = UnitError;

    fn from_str(text: &str) -> Result<Self, UnitError> {
        match number_and_rest(text) {
            Some((value, _, "x")) => Ok(Self(value)),
            found => {
                let help = match found {
                    Some((_, number, "" | "X" | "*" | "times")) => format!("{number}x?"),
                    Some((value, _, "%")) => format!("{}x?", plain_number(value / 100.0)),
                    _ => "a factor is a number with x: `3x`, `1.25x`".to_owned(),
                };
                Err(UnitError::new(format!("`{text}` is not a factor"), help))
            }
        }
    }
}

impl fmt::Display for Factor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}x", plain_number(self.0))
    }
}
