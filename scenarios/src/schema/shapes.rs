//! Scalars as editors check them. `errorMessage` and `patternErrorMessage` are words of the editors' own (VS Code and the
//! YAML language server): what to write instead, where draft-07 would only say that a pattern does not match.

use serde_json::{Value, json};

/// A text that `${...}` is filled into before anybody looks at it.
const LATE: &str = r"\$\{";

/// Any single value that is not nothing.
pub(crate) fn text() -> Value {
    json!({ "type": ["string", "number", "boolean"], "errorMessage": "write a single value" })
}

/// This, or a text that holds `${...}`.
pub(crate) fn or_late(schema: Value, what: &str) -> Value {
    let late = json!({ "type": "string", "pattern": LATE, "patternErrorMessage": format!("write {}", plain(what)) });
    json!({ "anyOf": [schema, late] })
}

/// A text of a unit. Numbers and truth values are never one.
pub(crate) fn unit(pattern: &str, help: &str) -> Value {
    let types = if pattern.contains("|[0-9]+|") { json!(["string", "integer"]) } else { json!("string") };
    json!({
        "type": types,
        "pattern": format!("{pattern}|{LATE}"),
        "errorMessage": plain(help),
        "patternErrorMessage": plain(help),
    })
}

/// Any single value whose text looks so; numbers are not looked at.
pub(crate) fn scalar_with_pattern(pattern: &str, help: &str) -> Value {
    json!({
        "type": ["string", "number", "boolean"],
        "pattern": format!("{pattern}|{LATE}"),
        "patternErrorMessage": plain(help),
    })
}

/// One of these, each with what it means.
pub(crate) fn words(all: &[(&str, &str)]) -> Value {
    let names: Vec<&str> = all.iter().map(|(name, _)| *name).collect();
    let meanings: Vec<&str> = all.iter().map(|(_, meaning)| meaning.trim()).collect();
    or_late(json!({ "enum": names, "enumDescriptions": meanings }), &format!("one of {}", names.join(", ")))
}

/// One of these words, or something else.
pub(crate) fn either(words: &[&str], other: Value, help: &str) -> Value {
    let late = json!({ "type": "string", "pattern": LATE, "patternErrorMessage": plain(help) });
    json!({ "anyOf": [{ "enum": words }, other, late], "errorMessage": plain(help) })
}

/// Editors show messages as they are: without marks for code.
fn plain(text: &str) -> String {
    text.replace('`', "")
}
