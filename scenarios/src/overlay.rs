//! What lies over the file: `-f ci.yaml` files merged by key, then `BRUNT_VAR_*`, then `--set path=value`.

use std::collections::BTreeMap;

use crate::diagnostic::{Code, Problems};
use crate::source::{Sources, Span};
use crate::yaml::{Entry, Key, Node, Scalar, Value};

/// Variables of the environment with this prefix override `vars`: `BRUNT_VAR_RATE` is `vars.rate`.
const VAR_PREFIX: &str = "BRUNT_VAR_";

/// Lays `over` on `base`: mappings merge key by key, anything else is replaced.
pub(crate) fn merge(base: &mut Node, over: Node) {
    match (&mut base.value, over.value) {
        (Value::Map(entries), Value::Map(others)) => {
            for other in others {
                match entries.iter_mut().find(|entry| entry.key.text == other.key.text) {
                    Some(entry) => merge(&mut entry.value, other.value),
                    None => entries.push(other),
                }
            }
        }
        (_, value) => *base = Node { span: over.span, value },
    }
}

/// Overrides declared variables by `BRUNT_VAR_<NAME>`; in the name, `-` is `_` and letters are upper case.
pub(crate) fn set_vars(root: &mut Node, env: &BTreeMap<String, String>, sources: &mut Sources) {
    let Value::Map(entries) = &mut root.value else { return };
    let Some(vars) = entries.iter_mut().find(|entry| entry.key.text == "vars") else { return };
    let Value::Map(vars) = &mut vars.value.value else { return };
    for var in vars {
        let name = format!("{VAR_PREFIX}{}", var.key.text.to_uppercase().replace('-', "_"));
        if let Some(value) = env.get(&name) {
            let file = sources.add(format!("environment variable {name}"), "", value.clone());
            let span = Span { file, start: 0, end: value.len() };
            var.value = Node { span, value: Value::Scalar(Scalar::new(value.clone(), true)) };
        }
    }
}

/// Carries out one `--set path=value`. The value is a scalar that takes the type which the place wants.
pub(crate) fn set(root: &mut Node, path: &str, value: &str, sources: &mut Sources, problems: &mut Problems) {
    let argument = format!("{path}={value}");
    let file = sources.add("--set", "", argument.clone());
    let span = Span { file, start: path.len() + 1, end: argument.len() };
    let leaf = Node { span, value: Value::Scalar(Scalar::new(value, true)) };
    let parts: Vec<&str> = path.split('.').collect();
    if parts.iter().any(|part| part.is_empty()) || parts.len() > crate::yaml::MAX_DEPTH {
        let whole = Span { file, start: 0, end: path.len() };
        problems.error(Code::E008, whole, format!("`{path}` is not a path"), "write `--set vars.rate=500/s`");
        return;
    }
    let mut at = root;
    let mut offset = 0;
    for part in parts {
        let key = Key { text: part.to_owned(), span: Span { file, start: offset, end: offset + part.len() } };
        offset += part.len() + 1;
        match step(at, key, problems) {
            Some(next) => at = next,
            None => return,
        }
    }
    *at = leaf;
}

/// The node under a key or index, made when a mapping does not have it yet.
fn step<'n>(at: &'n mut Node, key: Key, problems: &mut Problems) -> Option<&'n mut Node> {
    let span = key.span;
    if at.scalar().is_some_and(Scalar::is_null) {
        at.value = Value::Map(Vec::new());
    }
    match &mut at.value {
        Value::Map(entries) => {
            let index = entries.iter().position(|entry| entry.key.text == key.text).unwrap_or(entries.len());
            if index == entries.len() {
                entries.push(Entry { key, value: Node { span, value: Value::Scalar(Scalar::new("", true)) } });
            }
            entries.get_mut(index).map(|entry| &mut entry.value)
        }
        Value::List(items) => {
            let length = items.len();
            let item = key.text.parse::<usize>().ok().and_then(|index| items.get_mut(index));
            if item.is_none() {
                let help = format!("the list has {length} items, counted from 0");
                problems.error(Code::E008, span, format!("no item `{}` in this list", key.text), help);
            }
            item
        }
        Value::Scalar(_) => {
            let help = "the path must end at the value that it sets";
            problems.error(
                Code::E008,
                span,
                format!("there is nothing below a single value, so no `{}`", key.text),
                help,
            );
            None
        }
    }
}
