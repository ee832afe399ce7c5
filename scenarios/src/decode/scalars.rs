//! Single values: texts, numbers, truth values, words, and everything with a unit.

use std::str::FromStr;
use std::time::Duration;

use serde_json::{Value, json};

use super::{Decode, wrong_type};
use crate::diagnostic::{Code, Problems};
use crate::metric::{Metric, WindowName};
use crate::schema::{Definitions, shapes};
use crate::units::{Bandwidth, CountOrShare, Factor, Rate, Share, Size, Spread, UnitError, parse_duration};
use crate::words::foreign::Place;
use crate::words::{instead, instead_of_one, nearest};
use crate::yaml::Node;

/// A duration, as the parser of units reads it.
pub(crate) const DURATION: &str = r"^([0-9]+(\.[0-9]+)?(ns|us|ms|s|m|h|d))+$";
/// A spread, loosely.
const SPREAD: &str = r"^([0-9]|exp\(|normal\().*[a-z)]$";
/// The longest duration of the language.
const MAX_DURATION: Duration = Duration::from_secs(30 * 86_400);
/// The highest rate of the language, a second.
pub(crate) const MAX_RATE: f64 = 10_000_000.0;

/// The text of a single value that must be known now: not null, not secret, not an address that the run will bring.
fn text<'n>(node: &'n Node, what: &str, problems: &mut Problems) -> Option<&'n str> {
    let scalar = node.scalar().filter(|scalar| !scalar.is_null());
    match scalar.map(|scalar| (scalar.literal(), scalar.broken)) {
        Some((Some(text), false)) => Some(text),
        Some((_, true)) => None,
        Some((None, false)) => {
            let help =
                "secrets, ports and addresses of services and links can stand in texts that are used while it runs";
            problems.error(Code::E010, node.span, format!("{what} must be known before the run starts"), help);
            None
        }
        None => {
            wrong_type(node, what, problems);
            None
        }
    }
}

impl Decode for String {
    const WHAT: &'static str = "a text";

    fn decode(node: &Node, problems: &mut Problems) -> Option<Self> {
        text(node, Self::WHAT, problems).map(str::to_owned)
    }

    fn schema(_: &mut Definitions) -> Value {
        shapes::text()
    }
}

impl Decode for bool {
    const WHAT: &'static str = "`true` or `false`";

    fn decode(node: &Node, problems: &mut Problems) -> Option<Self> {
        let found = node.scalar().and_then(|scalar| scalar.as_bool());
        let text = node.scalar().and_then(|scalar| scalar.literal()).unwrap_or_default().to_ascii_lowercase();
        // What YAML 1.1 took for truth values.
        let meant = match text.as_str() {
            "yes" | "on" | "true" => Some("true"),
            "no" | "off" | "false" => Some("false"),
            _ => None,
        };
        match (found, meant) {
            (None, Some(meant)) => {
                let message = format!("expected {}, found {}", Self::WHAT, node.describe());
                problems.error(
                    Code::E010,
                    node.span,
                    message,
                    format!("write `{meant}`, in small letters without quotes"),
                );
            }
            (None, None) => wrong_type(node, Self::WHAT, problems),
            (Some(_), _) => {}
        }
        found
    }

    fn schema(_: &mut Definitions) -> Value {
        shapes::or_late(json!({ "type": "boolean" }), "`true` or `false`")
    }
}

/// A whole number, written without quotes, unit, sign or fraction.
impl Decode for u64 {
    const WHAT: &'static str = "a whole number";

    fn decode(node: &Node, problems: &mut Problems) -> Option<Self> {
        let found = text(node, Self::WHAT, problems)?;
        let plain = node.scalar().is_some_and(|scalar| scalar.plain);
        let digits = !found.is_empty() && found.bytes().all(|byte| byte.is_ascii_digit());
        if let (true, true, Ok(number)) = (plain, digits, found.parse()) {
            return Some(number);
        }
        let help = match (plain, digits) {
            (false, true) => format!("write it without quotes: {found}"),
            (true, true) => format!("the number is too large: at most {}", u64::MAX),
            _ if found.ends_with("xx") => {
                "list them: `[200, 201, 204]`; without `status` all below 400 are fine".to_owned()
            }
            _ => "write a whole number, 0 or more, without a unit".to_owned(),
        };
        problems.error(Code::E027, node.span, format!("expected a whole number, found {}", node.describe()), help);
        None
    }

    fn schema(_: &mut Definitions) -> Value {
        shapes::or_late(
            json!({ "type": "integer", "minimum": 0 }),
            "a whole number, 0 or more, without quotes and unit",
        )
    }
}

macro_rules! small_number {
    ($($ty:ty),*) => {$(
        impl Decode for $ty {
            const WHAT: &'static str = "a whole number";

            fn decode(node: &Node, problems: &mut Problems) -> Option<Self> {
                let number = u64::decode(node, problems)?;
                let small = Self::try_from(number).ok();
                if small.is_none() {
                    let help = format!("at most {}", Self::MAX);
                    problems.error(Code::E028, node.span, format!("`{number}` is too large"), help);
                }
                small
            }

            fn schema(definitions: &mut Definitions) -> Value {
                u64::schema(definitions)
            }
        }
    )*};
}

small_number!(u16, u32, usize);

/// A finite number that is not negative.
impl Decode for f64 {
    const WHAT: &'static str = "a number";

    fn decode(node: &Node, problems: &mut Problems) -> Option<Self> {
        let found = text(node, Self::WHAT, problems)?;
        let number = found.parse::<Self>().ok().filter(|number| number.is_finite() && *number >= 0.0);
        if number.is_none() {
            let help = "write a number, 0 or more, without a unit";
            problems.error(Code::E027, node.span, format!("expected a number, found {}", node.describe()), help);
        }
        number
    }

    fn schema(_: &mut Definitions) -> Value {
        json!({ "type": ["number", "string"] })
    }
}

/// Reads a value with a unit; tells what is wrong with it under the code of the unit.
fn unit<T>(
    node: &Node,
    what: &str,
    code: Code,
    parse: impl Fn(&str) -> Result<T, UnitError>,
    problems: &mut Problems,
) -> Option<T> {
    let found = text(node, what, problems)?;
    match parse(found) {
        Ok(value) => Some(value),
        Err(error) if found.len() <= 100 => {
            problems.error(code, node.span, error.wrong, error.help);
            None
        }
        Err(_) => {
            problems.error(code, node.span, format!("expected {what}"), format!("write {what}"));
            None
        }
    }
}

impl Decode for Duration {
    const WHAT: &'static str = "a duration such as `3s`";

    fn decode(node: &Node, problems: &mut Problems) -> Option<Self> {
        let value = unit(node, Self::WHAT, Code::E020, parse_duration, problems)?;
        if value > MAX_DURATION {
            problems.error(Code::E028, node.span, format!("{} is too long", node.describe()), "at most 30d");
            return None;
        }
        Some(value)
    }

    fn schema(_: &mut Definitions) -> Value {
        shapes::unit(DURATION, "a duration has a unit: 250us, 40ms, 3s, 1m30s, 2h, 1d")
    }
}

impl Decode for Rate {
    const WHAT: &'static str = "a rate such as `200/s`";

    fn decode(node: &Node, problems: &mut Problems) -> Option<Self> {
        let value: Self = unit(node, Self::WHAT, Code::E022, str::parse, problems)?;
        if value.0 > MAX_RATE {
            problems.error(Code::E028, node.span, format!("{} is too high", node.describe()), "at most 10000000/s");
            return None;
        }
        Some(value)
    }

    fn schema(_: &mut Definitions) -> Value {
        shapes::unit("^[0-9]+(\\.[0-9]+)?/(s|m|h)$", "a rate is a number per s, m or h: 200/s, 30/m")
    }
}

/// A share of a whole: at most 100 %.
impl Decode for Share {
    const WHAT: &'static str = "a percentage such as `5%`";

    fn decode(node: &Node, problems: &mut Problems) -> Option<Self> {
        let value: Self = unit(node, Self::WHAT, Code::E021, str::parse, problems)?;
        if value.0 > 1.0 {
            problems.error(
                Code::E028,
                node.span,
                format!("{} is more than the whole", node.describe()),
                "at most 100%",
            );
            return None;
        }
        Some(value)
    }

    fn schema(_: &mut Definitions) -> Value {
        shapes::unit("^[0-9]+(\\.[0-9]+)?%$", "a percentage has its sign: 5%, 0.1%")
    }
}

macro_rules! unit_types {
    ($($ty:ty, $what:literal, $code:ident, $pattern:expr;)*) => {$(
        impl Decode for $ty {
            const WHAT: &'static str = $what;

            fn decode(node: &Node, problems: &mut Problems) -> Option<Self> {
                unit(node, Self::WHAT, Code::$code, str::parse, problems)
            }

            fn schema(_: &mut Definitions) -> Value {
                shapes::unit($pattern, concat!("write ", $what))
            }
        }
    )*};
}

unit_types! {
    Factor, "a factor such as `3x`", E024, "^[0-9]+(\\.[0-9]+)?x$";
    Size, "a size such as `64KiB`", E023, "^[0-9]+(\\.[0-9]+)?(B|kB|KiB|MB|MiB|GB|GiB|TB|TiB)$";
    Bandwidth, "a bandwidth such as `10mbit`", E023, "^[0-9]+(\\.[0-9]+)?(bit|kbit|mbit|gbit|tbit)$";
    CountOrShare, "`one`, `all`, a number or a percentage", E025, "^(one|all|[0-9]+|[0-9]+(\\.[0-9]+)?%)$";
    Spread, "a span of time such as `2s` or `1s..3s`", E026, SPREAD;
}

impl Decode for Metric {
    const WHAT: &'static str = "a metric such as `latency.p99`";

    fn decode(node: &Node, problems: &mut Problems) -> Option<Self> {
        let found = text(node, Self::WHAT, problems)?;
        let metric = Self::from_str(found).ok();
        if metric.is_none() {
            let names: Vec<String> = Self::all().iter().map(ToString::to_string).collect();
            let help = match (instead(found, Place::Metric), nearest(found, names.iter().map(String::as_str))) {
                (Some(here), _) => here.to_owned(),
                (None, Some(near)) => format!("did you mean `{near}`?"),
                (None, None) => {
                    "latency.p99, service.p99, iteration.p99, error_rate, success_rate, recovery_time ...".to_owned()
                }
            };
            problems.error(Code::E035, node.span, format!("no metric is called {}", node.describe()), help);
        }
        metric
    }

    fn schema(_: &mut Definitions) -> Value {
        let all: Vec<(String, &str)> = Self::all().iter().map(|metric| (metric.to_string(), metric.counts())).collect();
        let all: Vec<(&str, &str)> = all.iter().map(|(name, counts)| (name.as_str(), *counts)).collect();
        shapes::words(&all)
    }
}

impl Decode for WindowName {
    const WHAT: &'static str = "a window such as `baseline` or `fault:<id>`";

    fn decode(node: &Node, problems: &mut Problems) -> Option<Self> {
        let found = text(node, Self::WHAT, problems)?;
        let window = Self::from_str(found).ok();
        if window.is_none() {
            let help = match nearest(found, ["warmup", "baseline", "run"]) {
                Some(near) => format!("did you mean `{near}`?"),
                None => "windows are `warmup`, `baseline`, `fault:<id>`, `recovery:<id>` and `run`".to_owned(),
            };
            problems.error(Code::E034, node.span, format!("no window is called {}", node.describe()), help);
        }
        window
    }

    fn schema(_: &mut Definitions) -> Value {
        let fixed: Vec<(&str, &str)> = Self::EXPLAINED.into_iter().filter(|(name, _)| !name.contains('<')).collect();
        let of_faults = json!({
            "type": "string", "pattern": r"^(fault|recovery):.|\$\{",
            "patternErrorMessage": "windows are warmup, baseline, fault:<id>, recovery:<id> and run",
        });
        json!({ "anyOf": [shapes::words(&fixed), of_faults] })
    }
}

/// One of these words.
pub(crate) fn word(node: &Node, words: &[&'static str], problems: &mut Problems) -> Option<&'static str> {
    let list = || words.iter().map(|word| format!("`{word}`")).collect::<Vec<_>>().join(", ");
    let found = text(node, &format!("one of {}", list()), problems)?;
    let known = words.iter().copied().find(|word| *word == found);
    if known.is_none() {
        let help = match (instead_of_one(found, words), nearest(found, words.iter().copied())) {
            (Some(here), _) => here.to_owned(),
            (None, Some(near)) => format!("did you mean `{near}`?"),
            (None, None) => format!("write one of {}", list()),
        };
        problems.error(Code::E029, node.span, format!("{} is not one of {}", node.describe(), list()), help);
    }
    known
}
