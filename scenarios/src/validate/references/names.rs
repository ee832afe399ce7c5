//! A list of names that can be referred to.

use std::borrow::Cow;
use std::collections::HashMap;

use crate::decode::{Named, Spanned};
use crate::diagnostic::{Code, Diagnostic, Problems};
use crate::source::{Sources, Span};
use crate::words::nearest;

/// Among more names than this nobody finds the right one by looking at all of them.
const SHOWN: usize = 10;

/// The names of one section, with the places where they are defined.
pub(super) struct Names<'a> {
    what: &'static str,
    section: &'static str,
    code: Code,
    /// In the order of the file.
    names: Vec<Cow<'a, str>>,
    places: HashMap<Cow<'a, str>, Option<Span>>,
}

impl<'a> Names<'a> {
    pub(super) fn empty(what: &'static str, section: &'static str, code: Code) -> Self {
        Self { what, section, code, names: Vec::new(), places: HashMap::new() }
    }

    pub(super) fn of<T>(what: &'static str, section: &'static str, code: Code, things: Option<&'a Named<T>>) -> Self {
        let mut names = Self::empty(what, section, code);
        for (name, _) in things.iter().flat_map(|things| &things.0) {
            names.insert(Cow::Borrowed(&name.value), Some(name.span));
        }
        names
    }

    pub(super) fn add(&mut self, name: &str, place: Option<Span>) {
        self.insert(Cow::Owned(name.to_owned()), place);
    }

    fn insert(&mut self, name: Cow<'a, str>, place: Option<Span>) {
        if self.places.insert(name.clone(), place).is_none() {
            self.names.push(name);
        }
    }

    /// Tells when a name is not in the list.
    pub(super) fn check(&self, name: &Spanned<String>, sources: &Sources, problems: &mut Problems) {
        if self.places.contains_key(name.value.as_str()) {
            return;
        }
        let shown: String = name.value.chars().take(60).collect();
        let message = format!("unknown {} `{}`", self.what, shown.escape_debug());
        // The search for a near name costs time for each candidate; nobody reads hints that are not shown.
        let help = if problems.is_full() { String::new() } else { self.help(&name.value, sources) };
        let label = format!("not defined under `{}`", self.section);
        problems.push(Diagnostic::error(self.code, name.span, message, help).label(label));
    }

    fn help(&self, name: &str, sources: &Sources) -> String {
        if let Some(near) = nearest(name, self.names.iter().map(AsRef::as_ref)) {
            return match self.places.get(near).copied().flatten() {
                Some(place) => format!("did you mean `{near}`? ({})", sources.line(place)),
                None => format!("did you mean `{near}`?"),
            };
        }
        if self.names.is_empty() {
            return format!("define it under `{}`", self.section);
        }
        let known: Vec<String> = self.names.iter().take(SHOWN).map(|known| format!("`{known}`")).collect();
        let more = if self.names.len() > SHOWN { " ..." } else { "" };
        format!("known are {}{more}", known.join(", "))
    }
}
