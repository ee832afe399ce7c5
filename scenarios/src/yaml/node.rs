//! The tree: what was written, and where.

use crate::plan::{Piece, Text};
use crate::source::Span;

/// A value with its place. Of a mapping or list in block style the place is the key that it stands under.
#[derive(Debug, Clone)]
pub struct Node {
    pub span: Span,
    pub value: Value,
}

/// What a node holds.
#[derive(Debug, Clone)]
pub enum Value {
    Scalar(Scalar),
    List(Vec<Node>),
    Map(Vec<Entry>),
}

/// A single value: one literal piece, until variables are filled in.
#[derive(Debug, Clone)]
pub struct Scalar {
    pub text: Text,
    /// Written without quotes, so that it may be a number, a truth value or null.
    pub plain: bool,
    /// A `${...}` in it could not be filled in; that was told, and nothing more is to be said about this value.
    pub broken: bool,
}

/// A key of a mapping with its value.
#[derive(Debug, Clone)]
pub struct Entry {
    pub key: Key,
    pub value: Node,
}

/// A key.
#[derive(Debug, Clone)]
pub struct Key {
    pub text: String,
    pub span: Span,
}

impl Scalar {
    pub(crate) fn new(text: impl Into<String>, plain: bool) -> Self {
        Self { text: Text::literal(text), plain, broken: false }
    }

    /// The text, unless a part of it is secret or known only when the run starts.
    pub(crate) fn literal(&self) -> Option<&str> {
        match self.text.0.as_slice() {
            [] => Some(""),
            [Piece::Literal(text)] => Some(text),
            _ => None,
        }
    }

    /// Null in the core schema: nothing, `~` or `null`, without quotes.
    pub(crate) fn is_null(&self) -> bool {
        self.plain && matches!(self.literal(), Some("" | "~" | "null" | "Null" | "NULL"))
    }

    /// A truth value in the core schema.
    pub(crate) fn as_bool(&self) -> Option<bool> {
        match self.literal().filter(|_| self.plain)? {
            "true" | "True" | "TRUE" => Some(true),
            "false" | "False" | "FALSE" => Some(false),
            _ => None,
        }
    }
}

impl Node {
    /// The mapping, if it is one.
    pub(crate) fn entries(&self) -> Option<&[Entry]> {
        match &self.value {
            Value::Map(entries) => Some(entries),
            _ => None,
        }
    }

    /// The value under a key of a mapping.
    pub(crate) fn get(&self, key: &str) -> Option<&Node> {
        self.entries()?.iter().find(|entry| entry.key.text == key).map(|entry| &entry.value)
    }

    /// The single value, if it is one.
    pub(crate) fn scalar(&self) -> Option<&Scalar> {
        match &self.value {
            Value::Scalar(scalar) => Some(scalar),
            _ => None,
        }
    }

    /// What it is, for messages: secrets stay masked.
    pub(crate) fn describe(&self) -> String {
        match &self.value {
            Value::Map(_) => "a mapping".to_owned(),
            Value::List(_) => "a list".to_owned(),
            Value::Scalar(scalar) if scalar.is_null() => "nothing".to_owned(),
            Value::Scalar(scalar) => {
                let text = scalar.text.to_string();
                match text.char_indices().nth(60) {
                    Some((at, _)) => format!("`{}...`", text[..at].escape_debug()),
                    None => format!("`{}`", text.escape_debug()),
                }
            }
        }
    }
}
