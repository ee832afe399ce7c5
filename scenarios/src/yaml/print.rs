//! A tree back to YAML: `scenario.resolved.yaml`. The same tree always gives the same text.

use super::{Node, Value};
use crate::plan::{Piece, Text};

/// Prints a tree. Secrets print as `***`; parts that are known only when the run starts print as they were written.
pub(crate) fn print(node: &Node) -> String {
    let mut out = String::new();
    block(&mut out, node, 0);
    out
}

fn block(out: &mut String, node: &Node, indent: usize) {
    match &node.value {
        Value::Map(entries) if !entries.is_empty() => {
            for (index, entry) in entries.iter().enumerate() {
                if index > 0 {
                    out.push_str(&" ".repeat(indent));
                }
                out.push_str(&quoted_if_needed(&entry.key.text, true));
                out.push(':');
                nested(out, &entry.value, indent);
            }
        }
        Value::List(items) if !items.is_empty() => {
            for (index, item) in items.iter().enumerate() {
                if index > 0 {
                    out.push_str(&" ".repeat(indent));
                }
                out.push_str("- ");
                block(out, item, indent + 2);
            }
        }
        Value::Map(_) => out.push_str("{}\n"),
        Value::List(_) => out.push_str("[]\n"),
        Value::Scalar(scalar) => {
            let plain = scalar.plain && scalar.literal().is_some();
            out.push_str(&quoted_if_needed(&written(&scalar.text), plain));
            out.push('\n');
        }
    }
}

fn nested(out: &mut String, node: &Node, indent: usize) {
    let fills_lines = match &node.value {
        Value::Map(entries) => !entries.is_empty(),
        Value::List(items) => !items.is_empty(),
        Value::Scalar(_) => false,
    };
    if fills_lines {
        out.push('\n');
        out.push_str(&" ".repeat(indent + 2));
        block(out, node, indent + 2);
    } else {
        out.push(' ');
        block(out, node, indent);
    }
}

/// The text as it would stand in a file.
fn written(text: &Text) -> String {
    let mut out = String::new();
    for piece in &text.0 {
        match piece {
            Piece::Literal(text) => out.push_str(&text.replace("${", "$${")),
            Piece::Secret(_) => out.push_str("***"),
            Piece::BruntExe => out.push_str("${brunt.exe}"),
            Piece::OwnPort => out.push_str("${port}"),
            Piece::OwnAddress => out.push_str("${address}"),
            Piece::Service { name, all } => out.push_str(&format!("${{services.{name}.{}}}", word(*all))),
            Piece::Link { name, all } => out.push_str(&format!("${{links.{name}.{}}}", word(*all))),
        }
    }
    out
}

fn word(all: bool) -> &'static str {
    if all { "urls" } else { "url" }
}

/// Plain where every reader of YAML takes it for the same text, else in double quotes (which are JSON's). A text that was
/// quoted stays quoted when it would read as a number, a truth value or null without quotes.
fn quoted_if_needed(text: &str, plain: bool) -> String {
    let first = text.chars().next();
    let safe = first.is_some_and(|first| first.is_alphanumeric() || "_/.$<".contains(first))
        && text.chars().all(|c| c.is_alphanumeric() || " _-./%+@<>=?()$;~!^".contains(c))
        && !text.ends_with(' ')
        && !text.contains("${");
    let reads_as_something_else = !plain
        && (text.parse::<f64>().is_ok()
            || matches!(text.to_ascii_lowercase().as_str(), "null" | "true" | "false" | "yes" | "no" | "on" | "off"));
    if safe && !reads_as_something_else || plain && text.is_empty() {
        text.to_owned()
    } else {
        serde_json::to_string(text).unwrap_or_else(|_| format!("{text:?}"))
    }
}
