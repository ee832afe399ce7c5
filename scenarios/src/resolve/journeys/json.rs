//! YAML values as JSON, and JSONPaths.

use crate::diagnostic::{Code, Problems};
use crate::plan::Json;
use crate::source::Span;
use crate::yaml::{Node, Scalar, Value};

/// A YAML value as JSON, by the core schema: what is quoted is a string.
pub(super) fn read(node: &Node, problems: &mut Problems) -> Option<Json> {
    Some(match &node.value {
        Value::Map(entries) => {
            let entries =
                entries.iter().filter_map(|entry| Some((entry.key.text.clone(), read(&entry.value, problems)?)));
            Json::Object(entries.collect())
        }
        Value::List(items) => Json::Array(items.iter().filter_map(|item| read(item, problems)).collect()),
        Value::Scalar(scalar) => single(scalar, node, problems)?,
    })
}

fn single(scalar: &Scalar, node: &Node, problems: &mut Problems) -> Option<Json> {
    if scalar.is_null() {
        return Some(Json::Null);
    }
    if let Some(value) = scalar.as_bool() {
        return Some(Json::Bool(value));
    }
    let Some(text) = scalar.literal().filter(|_| scalar.plain) else { return Some(Json::Text(scalar.text.clone())) };
    if matches!(text, ".inf" | "-.inf" | "+.inf" | ".Inf" | "-.Inf" | ".INF" | "-.INF" | ".nan" | ".NaN" | ".NAN") {
        problems.error(Code::E027, node.span, "JSON has no infinity and no NaN", "quote it to send it as a text");
        return None;
    }
    Some(number(text).map_or_else(|| Json::Text(scalar.text.clone()), Json::Number))
}

/// Numbers of the core schema: decimal, `0o17`, `0x1f`, fractions and exponents.
fn number(text: &str) -> Option<serde_json::Number> {
    let radix = |prefix: &str, radix| u64::from_str_radix(text.strip_prefix(prefix)?, radix).ok();
    if let Some(number) = radix("0x", 16).or_else(|| radix("0o", 8)) {
        return Some(number.into());
    }
    let unsigned = text.strip_prefix(['-', '+']).unwrap_or(text);
    let numeric = unsigned.starts_with(|first: char| first.is_ascii_digit() || first == '.')
        && unsigned.bytes().all(|byte| byte.is_ascii_digit() || b".eE+-".contains(&byte));
    if !numeric {
        return None;
    }
    let plain = text.strip_prefix('+').unwrap_or(text);
    if let Ok(number) = plain.parse::<u64>() {
        return Some(number.into());
    }
    if let Ok(number) = plain.parse::<i64>() {
        return Some(number.into());
    }
    serde_json::Number::from_f64(plain.parse().ok()?)
}

/// Tells when a text is not a JSONPath.
pub(super) fn check_path(path: &str, span: Span, problems: &mut Problems) {
    // The parser is recursive; a path of a person is short.
    let sound = path.len() <= 500 && path.starts_with('$') && jsonpath_rust::parser::parse_json_path(path).is_ok();
    if !sound {
        let shown: String = path.chars().take(60).collect();
        let help = if path.starts_with('$') || path.is_empty() {
            "write a path such as `$.items[0].id`".to_owned()
        } else {
            format!("did you mean `$.{}`?", shown.trim_start_matches('.'))
        };
        problems.error(Code::E047, span, format!("`{}` is not a JSONPath", shown.escape_debug()), help);
    }
}
