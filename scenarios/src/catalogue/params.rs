//! `with:` the parameters of a fault, by the catalogue.

use std::time::Duration;

use super::{FaultKind, Param, ParamType};
use crate::decode::{Decode, OneOrMany, Pairs, word, wrong_type};
use crate::diagnostic::{Code, Diagnostic, Problems};
use crate::plan::{ParamValue, Params, Piece, Text};
use crate::source::Span;
use crate::units::{Bandwidth, Share, Size};
use crate::words::foreign::Place;
use crate::words::{instead, nearest};
use crate::yaml::{Entry, Node, Scalar, Value};

/// Reads `with:`, tells what does not fit the kind, and fills in defaults. `at` is the place of the fault's kind.
pub(crate) fn read(kind: &FaultKind, with: Option<&Node>, at: Span, problems: &mut Problems) -> Params {
    let mut params = Params::default();
    let entries = match with {
        None => &[],
        Some(node) => match node.entries() {
            Some(entries) => entries,
            None => {
                wrong_type(node, "a mapping of parameters", problems);
                return params;
            }
        },
    };
    let given = |name: &str| entries.iter().any(|entry| entry.key.text == name);
    for entry in entries {
        match kind.param(&entry.key.text) {
            Some(param) => {
                if let Some(other) = param.unless.iter().find(|other| given(other)) {
                    excluded(kind, param.name, other, entry, problems);
                } else if let Some(value) = value(param.ty, &entry.value, problems) {
                    params.0.insert(param.name, value);
                }
            }
            None => unknown(kind, &entry.key.text, entry.key.span, problems),
        }
    }
    if kind.name.starts_with("http.") {
        super::http::check(kind, entries, with.map_or(at, |with| with.span), problems);
    }
    for param in kind.params {
        if given(param.name) || param.unless.iter().any(|other| given(other)) {
            continue;
        }
        if param.required {
            missing(kind, param, with.map_or(at, |with| with.span), problems);
        } else if let Some(default) = param.default {
            let node = Node { span: at, value: Value::Scalar(Scalar::new(default, true)) };
            params.0.extend(value(param.ty, &node, problems).map(|value| (param.name, value)));
        }
    }
    params
}

fn value(ty: ParamType, node: &Node, problems: &mut Problems) -> Option<ParamValue> {
    Some(match ty {
        ParamType::Duration => ParamValue::Duration(Duration::decode(node, problems)?),
        ParamType::Percent => ParamValue::Percent(Share::decode(node, problems)?),
        ParamType::Number => ParamValue::Number(u64::decode(node, problems)?),
        ParamType::Status => {
            let status = u64::decode(node, problems)?;
            if !(100..=599).contains(&status) {
                let help = "a status is from 100 to 599";
                problems.error(Code::E028, node.span, format!("{status} is not an HTTP status"), help);
            }
            ParamValue::Number(status)
        }
        ParamType::Size => ParamValue::Size(Size::decode(node, problems)?.0),
        ParamType::Bandwidth => ParamValue::Bandwidth(Bandwidth::decode(node, problems)?.0),
        ParamType::Word(words) => ParamValue::Word(word(node, words, problems)?),
        ParamType::Text => ParamValue::Text(Text::decode(node, problems)?),
        ParamType::Pairs => {
            let pairs = Pairs::<String>::decode(node, problems)?;
            ParamValue::Pairs(pairs.0.into_iter().map(|(name, value)| (name.value, value)).collect())
        }
        ParamType::Names => ParamValue::Names(OneOrMany::<String>::decode(node, problems)?.0),
        ParamType::Durations => ParamValue::Durations(Vec::decode(node, problems)?),
        ParamType::Command => ParamValue::Command(command(node, problems)?),
    })
}

/// A program and its arguments. What undoes a fault lies on the disk before the fault acts, so nothing in it may be secret.
fn command(node: &Node, problems: &mut Problems) -> Option<Vec<Text>> {
    let words = Vec::<Text>::decode(node, problems)?;
    if words.iter().flat_map(|word| &word.0).any(|piece| matches!(piece, Piece::Secret(_))) {
        let help = "let the command read it itself: brunt's environment is the command's too, and so are files";
        problems.error(Code::E055, node.span, "a secret cannot stand in a command", help);
    }
    let program = words.first()?;
    if program.0.is_empty() || *program == Text::literal("") {
        problems.error(Code::E014, node.span, "the command names no program", "write `[program, argument]`");
        return None;
    }
    Some(words)
}

fn unknown(kind: &FaultKind, name: &str, at: Span, problems: &mut Problems) {
    let names: Vec<String> = kind.params.iter().map(|param| format!("`{}`", param.name)).collect();
    let help = match (nearest(name, kind.params.iter().map(|param| param.name)), instead(name, Place::With)) {
        (_, Some(here)) => here.to_owned(),
        (Some(near), None) => format!("did you mean `{near}`?"),
        (None, None) if names.is_empty() => format!("`{}` takes no parameters", kind.name),
        (None, None) => format!("it takes {}", names.join(", ")),
    };
    let shown: String = name.chars().take(60).collect();
    let message = format!("`{}` has no parameter `{}`", kind.name, shown.escape_debug());
    problems.error(Code::E052, at, message, help);
}

fn excluded(kind: &FaultKind, name: &str, other: &str, entry: &Entry, problems: &mut Problems) {
    let message = format!("`{name}` and `{other}` of `{}` exclude each other", kind.name);
    problems.error(Code::E013, entry.key.span, message, format!("remove `{name}`, or `{other}`"));
}

fn missing(kind: &FaultKind, param: &Param, at: Span, problems: &mut Problems) {
    let message = format!("`{}` needs the parameter `{}`", kind.name, param.name);
    let instead: String = param.unless.iter().map(|other| format!(", or give `{other}`")).collect();
    let help = format!("write `with: {{ {}: {} }}`{instead}", param.name, param.ty.example());
    problems.push(Diagnostic::error(Code::E012, at, message, help).label(format!("`{}` is missing", param.name)));
}
