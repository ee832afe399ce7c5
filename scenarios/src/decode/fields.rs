//! The keys of one mapping: which are there, which are unknown, which are missing.

use std::cell::Cell;

use super::Decode;
use crate::diagnostic::{Code, Diagnostic, Problems};
use crate::source::Span;
use crate::words::foreign::Place;
use crate::words::{at_the_top, instead, nearest};
use crate::yaml::{Entry, Node};

/// A key of a record, for the list of known keys, the schema and the documentation.
#[derive(Debug, Clone, Copy)]
pub(crate) struct KeyDoc {
    /// As it is written.
    pub key: &'static str,
    /// What it means.
    pub doc: &'static str,
    /// What it holds.
    pub what: &'static str,
    /// Whether it must be there.
    pub required: bool,
}

/// A mapping whose keys are all known.
pub(crate) struct Fields<'n> {
    entries: &'n [Entry],
    span: Span,
    /// How many errors there were before this mapping was looked at.
    errors_before: usize,
    /// A value was there and could not be read, for a reason that was told elsewhere.
    unread: Cell<bool>,
}

impl<'n> Fields<'n> {
    /// The mapping of a node; tells keys that are not in `known`.
    pub(crate) fn of(node: &'n Node, what: &'static str, known: &[KeyDoc], problems: &mut Problems) -> Option<Self> {
        let Some(entries) = node.entries() else {
            let keys = some_keys(known.get(..MANY_KEYS).unwrap_or(known));
            if node.scalar().is_some_and(|scalar| scalar.broken) {
                return None;
            }
            let message = format!("expected {what}, found {}", node.describe());
            let label = "expected a mapping";
            let more = if known.len() > MANY_KEYS { " ..." } else { "" };
            let help = format!("{what} is a mapping, with the keys {keys}{more}");
            problems.push(Diagnostic::error(Code::E010, node.span, message, help).label(label));
            return None;
        };
        let errors_before = problems.errors();
        for entry in entries {
            if !known.iter().any(|known| known.key == entry.key.text) {
                unknown_key(entry, what, known, problems);
            }
        }
        Some(Self { entries, span: node.span, errors_before, unread: Cell::new(false) })
    }

    /// Whether nothing in this mapping was wrong so far.
    pub(crate) fn sound_so_far(&self, problems: &Problems) -> bool {
        !self.unread.get() && problems.errors() == self.errors_before
    }

    pub(crate) fn span(&self) -> Span {
        self.span
    }

    fn get(&self, key: &str) -> Option<&'n Node> {
        self.entries.iter().find(|entry| entry.key.text == key).map(|entry| &entry.value)
    }

    /// Whether one of these keys is there.
    pub(crate) fn has_any(&self, keys: &[KeyDoc]) -> bool {
        keys.iter().any(|known| self.get(known.key).is_some())
    }

    fn read<T: Decode>(&self, node: &Node, problems: &mut Problems) -> Option<T> {
        let value = T::decode(node, problems);
        self.unread.set(self.unread.get() || value.is_none());
        value
    }

    pub(crate) fn optional<T: Decode>(&self, key: &str, problems: &mut Problems) -> Option<T> {
        self.read(self.get(key)?, problems)
    }

    pub(crate) fn required<T: Decode>(&self, key: &str, what: &str, problems: &mut Problems) -> Option<T> {
        match self.get(key) {
            Some(node) => self.read(node, problems),
            None => {
                let help = format!("add `{key}:` with {}", T::WHAT);
                let message = format!("{what} needs the key `{key}`");
                problems
                    .push(Diagnostic::error(Code::E012, self.span, message, help).label(format!("`{key}` is missing")));
                None
            }
        }
    }
}

/// More keys are not listed to somebody who has not written a mapping at all.
const MANY_KEYS: usize = 12;
/// So many keys can be shown at a glance.
const FEW_KEYS: usize = 5;

fn unknown_key(entry: &Entry, what: &'static str, known: &[KeyDoc], problems: &mut Problems) {
    let key = entry.key.text.as_str();
    let near = nearest(key, known.iter().map(|known| known.key));
    let help = match (instead(key, Place::Key(what)), near) {
        (Some(here), _) => here.to_owned(),
        (None, Some(near)) => format!("did you mean `{near}`?"),
        // A short list says more than a guess about another place.
        (None, None) => match at_the_top(key).filter(|_| known.len() > FEW_KEYS) {
            Some(here) => format!("{here} (at the top of the file)"),
            None => format!("known keys: {}", some_keys(known)),
        },
    };
    let shown: String = key.chars().take(60).collect();
    let message = format!("unknown key `{}` in {what}", shown.escape_debug());
    problems.push(Diagnostic::error(Code::E011, entry.key.span, message, help).label("not known here"));
}

fn some_keys(known: &[KeyDoc]) -> String {
    let keys: Vec<String> = known.iter().map(|known| format!("`{}`", known.key)).collect();
    keys.join(", ")
}

/// Tells unless exactly one of these alternatives is given; says which were.
pub(crate) fn exactly_one(span: Span, what: &str, alternatives: &[(&str, bool)], problems: &mut Problems) {
    let names: Vec<String> = alternatives.iter().map(|(name, _)| format!("`{name}`")).collect();
    let given: Vec<String> =
        alternatives.iter().filter(|(_, given)| *given).map(|(name, _)| format!("`{name}`")).collect();
    let (message, label) = match given.len() {
        1 => return,
        0 => (format!("{what} needs one of {}", names.join(", ")), "none of them is here"),
        _ => (format!("{what} has {}, but only one of them can hold", given.join(" and ")), "more than one"),
    };
    let help = format!("give exactly one of {}", names.join(", "));
    problems.push(Diagnostic::error(Code::E013, span, message, help).label(label));
}
