//! `${...}`, filled at load time. What exists only when the run starts (ports, addresses) becomes a late [`Piece`].

mod secrets;

use std::collections::BTreeMap;

use crate::diagnostic::{Code, Problems};
use crate::plan::{Piece, Text};
use crate::source::{Sources, Span};
use crate::words::nearest;
use crate::yaml::{MAX_TEXT, Node, Scalar, Value};

/// Variables may refer to variables so many levels deep.
const MAX_LEVELS: usize = 32;

/// A use of a service's or link's address, to be checked once services and links are known.
#[derive(Debug, Clone)]
pub(crate) struct AddressUse {
    pub span: Span,
    /// `services` or `links`.
    pub section: &'static str,
    pub name: String,
    pub all: bool,
}

/// What filling in yields besides the changed tree.
#[derive(Debug, Clone, Default)]
pub(crate) struct Filled {
    pub addresses: Vec<AddressUse>,
}

/// Fills in every `${...}` of the tree, with these values of the matrix. The matrix itself is left alone: see
/// [`fill_matrix`].
pub(crate) fn interpolate(
    root: &mut Node,
    matrix: BTreeMap<String, Node>,
    env: &BTreeMap<String, String>,
    sources: &Sources,
    problems: &mut Problems,
) -> Filled {
    let mut filler = Filler::new(root, matrix, env, sources, problems);
    filler.walk(root, &mut Vec::new());
    filler.filled
}

/// Fills in the values of the matrix, once, before there are cells.
pub(crate) fn fill_matrix(root: &mut Node, env: &BTreeMap<String, String>, sources: &Sources, problems: &mut Problems) {
    let mut filler = Filler::new(root, BTreeMap::new(), env, sources, problems);
    let Value::Map(entries) = &mut root.value else { return };
    if let Some(matrix) = entries.iter_mut().find(|entry| entry.key.text == "matrix") {
        filler.in_matrix = true;
        filler.walk(&mut matrix.value, &mut vec!["matrix".to_owned()]);
    }
}

struct Filler<'a> {
    vars: BTreeMap<String, Node>,
    matrix: BTreeMap<String, Node>,
    env: &'a BTreeMap<String, String>,
    sources: &'a Sources,
    problems: &'a mut Problems,
    /// Variables that are being filled in.
    open: Vec<String>,
    /// Bytes that variables have added.
    bytes: usize,
    filled: Filled,
    /// The values of the matrix themselves are being filled in.
    in_matrix: bool,
}

impl<'a> Filler<'a> {
    fn new(
        root: &Node,
        matrix: BTreeMap<String, Node>,
        env: &'a BTreeMap<String, String>,
        sources: &'a Sources,
        problems: &'a mut Problems,
    ) -> Self {
        let vars = root.get("vars").and_then(Node::entries).unwrap_or_default();
        let vars = vars.iter().map(|entry| (entry.key.text.clone(), entry.value.clone())).collect();
        let (open, filled) = (Vec::new(), Filled::default());
        Self { vars, matrix, env, sources, problems, open, bytes: 0, filled, in_matrix: false }
    }
}

impl Filler<'_> {
    /// The tree is at most `MAX_DEPTH` deep, so recursion is safe.
    fn walk(&mut self, node: &mut Node, path: &mut Vec<String>) {
        match &mut node.value {
            Value::Map(entries) => {
                for entry in entries.iter_mut() {
                    // x-* keys only hold anchors; what is wrong in them matters where they are used. The matrix was filled
                    // in before there were cells.
                    if path.is_empty() && (entry.key.text.starts_with("x-") || entry.key.text == "matrix") {
                        continue;
                    }
                    path.push(entry.key.text.clone());
                    self.walk(&mut entry.value, path);
                    path.pop();
                }
            }
            Value::List(items) => items.iter_mut().for_each(|item| self.walk(item, path)),
            Value::Scalar(scalar) => {
                let in_service = path.first().is_some_and(|top| top == "services");
                let own_var = (path.len() == 2 && path[0] == "vars").then(|| path[1].clone());
                self.open.extend(own_var.clone());
                if let Some(filled) = self.scalar(scalar, node.span, in_service) {
                    *scalar = filled;
                }
                if own_var.is_some() {
                    self.open.pop();
                }
            }
        }
    }

    /// The scalar with everything filled in; `None` when there is nothing to fill in.
    fn scalar(&mut self, scalar: &Scalar, span: Span, in_service: bool) -> Option<Scalar> {
        let text = scalar.literal()?;
        if !text.contains("${") {
            return None;
        }
        let mut pieces = Vec::new();
        let mut plain = scalar.plain;
        let mut broken = false;
        let mut rest = text;
        while let Some(at) = rest.find("${") {
            let offset = text.len() - rest.len() + at;
            if rest[..at].ends_with('$') {
                literal(&mut pieces, &rest[..at - 1]);
                literal(&mut pieces, "${");
                rest = &rest[at + 2..];
                continue;
            }
            literal(&mut pieces, &rest[..at]);
            let Some(length) = rest[at..].find('}') else {
                let help = "close it with `}`, or write `$${` for a literal `${`";
                self.problems.error(Code::E043, self.part(span, text, offset, text.len()), "`${` is not closed", help);
                return Some(Scalar { text: Text(pieces), plain, broken: true });
            };
            let place = self.part(span, text, offset, offset + length + 1);
            let whole = at == 0 && offset == 0 && length + 1 == text.len();
            let filled = self.expression(&rest[at + 2..at + length], place, in_service);
            // A value that is nothing but one `${...}` takes the type which the place wants, quoted or not.
            broken |= filled.as_ref().is_none_or(|value| value.broken);
            plain = filled.as_ref().map_or(plain, |value| if whole { value.plain } else { plain });
            pieces.extend(filled.map(|value| value.text.0).unwrap_or_default());
            rest = &rest[at + length + 1..];
        }
        literal(&mut pieces, rest);
        self.bytes +=
            pieces.iter().map(|piece| if let Piece::Literal(text) = piece { text.len() } else { 0 }).sum::<usize>();
        if self.bytes > MAX_TEXT {
            let help = "variables that hold variables grow quickly; shorten them";
            self.problems.error(Code::E003, span, "variables expand to too much text", help);
            return Some(Scalar { broken: true, ..Scalar::new("", false) });
        }
        Some(Scalar { text: Text(joined(pieces)), plain, broken })
    }

    /// The part of a scalar's span, where the file holds the text as it is (no escapes, one line).
    fn part(&self, span: Span, text: &str, start: usize, end: usize) -> Span {
        let written = self.sources.get(span.file).text.get(span.start..span.end).unwrap_or_default();
        match written.find(text) {
            Some(at) => Span { start: span.start + at + start, end: span.start + at + end, ..span },
            None => span,
        }
    }

    fn expression(&mut self, expression: &str, at: Span, in_service: bool) -> Option<Scalar> {
        let expression = expression.trim();
        if let Some(name) = expression.strip_prefix("env.") {
            return self.env(name, at);
        }
        if let Some(source) = expression.strip_prefix("secret.") {
            return secrets::read(source, self.env, self.sources, at, self.problems)
                .map(|secret| late(Piece::Secret(secret)));
        }
        if expression == "brunt.exe" {
            return Some(late(Piece::BruntExe));
        }
        if let Some(own) = own_part(expression) {
            if !in_service {
                let help = "use `${services.<name>.url}` for the address of a service";
                let message = format!("`${{{expression}}}` has a meaning only inside of a service");
                self.problems.error(Code::E040, at, message, help);
                return None;
            }
            return Some(late(own));
        }
        match expression.split('.').collect::<Vec<_>>().as_slice() {
            ["vars", name] => self.named(name, at, "vars"),
            ["matrix", _] if self.in_matrix => {
                let help = "one axis cannot hang on another one; use `${vars.x}`, or combine them where they are used";
                self.problems.error(Code::E044, at, "a value of the matrix refers to the matrix", help);
                None
            }
            ["matrix", name] => self.named(name, at, "matrix"),
            ["services", name, word @ ("url" | "urls")] => Some(self.address("services", name, *word == "urls", at)),
            ["links", name, word @ ("url" | "urls")] => Some(self.address("links", name, *word == "urls", at)),
            _ => {
                self.unknown(expression, at);
                None
            }
        }
    }

    fn unknown(&mut self, expression: &str, at: Span) {
        let help = if self.vars.contains_key(expression) {
            format!("did you mean `${{vars.{expression}}}`?")
        } else if self.env.contains_key(expression) {
            format!("did you mean `${{env.{expression}}}`?")
        } else {
            "known are vars.x, matrix.x, env.NAME, secret.env.X, secret.file.path, brunt.exe, port, address, services.x.url(s), \
             links.x.url(s); `$${` is a literal `${`"
                .to_owned()
        };
        self.problems.error(Code::E040, at, format!("`${{{}}}` is not known", expression.escape_debug()), help);
    }

    fn address(&mut self, section: &'static str, name: &str, all: bool, span: Span) -> Scalar {
        self.filled.addresses.push(AddressUse { span, section, name: name.to_owned(), all });
        let name = name.to_owned();
        late(if section == "services" { Piece::Service { name, all } } else { Piece::Link { name, all } })
    }

    fn named(&mut self, name: &str, at: Span, section: &'static str) -> Option<Scalar> {
        let values = if section == "vars" { &self.vars } else { &self.matrix };
        let Some(value) = values.get(name).cloned() else {
            let help = match nearest(name, values.keys().map(String::as_str)) {
                Some(near) => format!("did you mean `{section}.{near}`?"),
                None => format!("define it under `{section}`"),
            };
            self.problems.error(Code::E040, at, format!("`{section}.{name}` is not defined"), help);
            return None;
        };
        let Some(scalar) = value.scalar() else {
            let help = "a variable holds a single value; for more use an anchor, `x-a: &a [1, 2]`, and its alias, `*a`";
            self.problems.error(Code::E010, at, format!("`{section}.{name}` is {}", value.describe()), help);
            return None;
        };
        if section == "matrix" {
            // Filled in already.
            return Some(scalar.clone());
        }
        if self.open.iter().any(|open| open == name) || self.open.len() >= MAX_LEVELS {
            let help =
                format!("give one of them a value of its own; the way here is `{} -> {name}`", self.open.join(" -> "));
            self.problems.error(Code::E044, at, format!("`{section}.{name}` refers to itself"), help);
            return None;
        }
        self.open.push(name.to_owned());
        let filled = self.scalar(scalar, value.span, false);
        self.open.pop();
        let filled = filled.unwrap_or_else(|| scalar.clone());
        // Filled in once: the next use finds it ready, so chains do not cost more each time.
        if let Some(stored) = self.vars.get_mut(name) {
            stored.value = Value::Scalar(filled.clone());
        }
        Some(filled)
    }

    fn env(&mut self, text: &str, at: Span) -> Option<Scalar> {
        let (name, default, message) = match (text.split_once(":-"), text.split_once(":?")) {
            (Some((name, default)), _) => (name, Some(default), None),
            (_, Some((name, message))) => (name, None, Some(message)),
            _ => (text, None, None),
        };
        let set = self.env.get(name).filter(|value| !value.is_empty() || (default.is_none() && message.is_none()));
        if let Some(value) = set.map(String::as_str).or(default) {
            return Some(Scalar::new(value, true));
        }
        let help = format!("set it (`{name}=... brunt ...`), or give a default: `${{env.{name}:-default}}`");
        let message = match message.filter(|message| !message.is_empty()) {
            Some(message) => format!("environment variable `{name}` is not set: {message}"),
            None => format!("environment variable `{name}` is not set"),
        };
        self.problems.error(Code::E041, at, message, help);
        None
    }
}

/// What an instance of a service is told about itself.
fn own_part(expression: &str) -> Option<Piece> {
    match expression {
        "port" => Some(Piece::OwnPort),
        "address" => Some(Piece::OwnAddress),
        _ => None,
    }
}

fn late(piece: Piece) -> Scalar {
    Scalar { text: Text(vec![piece]), plain: true, broken: false }
}

fn literal(pieces: &mut Vec<Piece>, text: &str) {
    if !text.is_empty() {
        pieces.push(Piece::Literal(text.to_owned()));
    }
}

/// Neighbouring literals become one, so that a text without late parts is a single piece.
fn joined(pieces: Vec<Piece>) -> Vec<Piece> {
    let mut out: Vec<Piece> = Vec::new();
    for piece in pieces {
        match (out.last_mut(), piece) {
            (Some(Piece::Literal(before)), Piece::Literal(text)) => before.push_str(&text),
            (_, piece) => out.push(piece),
        }
    }
    out
}
