//! Parser events to a tree, without recursion.

use std::collections::{HashMap, HashSet};

use granit_parser::{Event, Parser, ScalarStyle, Span as Range, StructureStyle, Tag};

use super::{Entry, Key, MAX_DEPTH, MAX_NODES, MAX_TEXT, Node, Reader, Scalar, Value};
use crate::diagnostic::{Code, Diagnostic};
use crate::source::{FileId, Span};

/// A list or mapping whose end has not come yet.
struct Open {
    anchor: usize,
    span: Span,
    flow: bool,
    first_node: usize,
    first_byte: usize,
    content: Content,
}

enum Content {
    List(Vec<Node>),
    Map { entries: Vec<Entry>, seen: HashMap<String, Span>, key: Option<Key>, merges: Vec<Node> },
}

/// A finished anchored node and what a copy of it costs.
struct Anchored {
    node: Node,
    nodes: usize,
    bytes: usize,
}

/// Builds the tree of one text.
pub(super) struct Builder<'r, 'a, 't> {
    reader: &'r mut Reader<'a>,
    file: FileId,
    text: &'t str,
    open: Vec<Open>,
    anchors: HashMap<usize, Anchored>,
    root: Option<Node>,
}

/// A problem that ends the reading of this text was told.
struct Stop;

impl<'r, 'a, 't> Builder<'r, 'a, 't> {
    pub(super) fn new(reader: &'r mut Reader<'a>, file: FileId, text: &'t str) -> Self {
        Self { reader, file, text, open: Vec::new(), anchors: HashMap::new(), root: None }
    }

    /// The document, or `None` when a problem was told.
    pub(super) fn document(mut self) -> Option<Node> {
        let options = granit_parser::options! { emit_unresolved_aliases: true, disallow_directives: false };
        let mut documents = 0;
        for event in Parser::new_from_str_with_options(self.text, options) {
            let (event, range) = match event {
                Ok(pair) => pair,
                Err(error) => {
                    self.syntax_error(&error);
                    return None;
                }
            };
            let span = self.span(range);
            if matches!(event, Event::DocumentStart(..)) {
                documents += 1;
            }
            if documents > 1 {
                let help = "one scenario a file: remove the `---` between them";
                self.reader.problems.error(Code::E009, span, "the file holds more than one document", help);
                return None;
            }
            if self.event(event, span).is_err() {
                return None;
            }
        }
        if self.root.is_none() {
            let at = Span { file: self.file, start: 0, end: 0 };
            self.reader.problems.error(Code::E009, at, "the file is empty", "begin with `version: 1`");
        }
        self.root
    }

    fn event(&mut self, event: Event<'_>, span: Span) -> Result<(), Stop> {
        match event {
            Event::Scalar(text, style, anchor, tag) => self.scalar(&text, style, anchor, tag.as_deref(), span),
            Event::SequenceStart(style, anchor, tag) => {
                self.collection_tag(tag.as_deref(), "seq", span);
                self.begin(style, anchor, span, Content::List(Vec::new()))
            }
            Event::MappingStart(style, anchor, tag) => {
                self.collection_tag(tag.as_deref(), "map", span);
                let content = Content::Map { entries: Vec::new(), seen: HashMap::new(), key: None, merges: Vec::new() };
                self.begin(style, anchor, span, content)
            }
            Event::SequenceEnd | Event::MappingEnd => self.end(span),
            Event::Alias(id) => self.alias(id, span),
            Event::UnresolvedAlias(name) => {
                let help = format!("put `&{name}` before the value that it stands for, or quote the text: '*{name}'");
                self.reader.problems.error(Code::E007, span, format!("no anchor `&{name}` before this alias"), help);
                self.place(Node { span, value: Value::Scalar(Scalar { broken: true, ..Scalar::new("", true) }) }, 0)
            }
            _ => Ok(()),
        }
    }

    fn scalar(
        &mut self,
        text: &str,
        style: ScalarStyle,
        anchor: usize,
        tag: Option<&Tag>,
        span: Span,
    ) -> Result<(), Stop> {
        let mut plain = style == ScalarStyle::Plain;
        match tag.map(Tag::original).as_deref() {
            None | Some("!!int" | "!!float" | "!!bool" | "!!null") => {}
            Some("!!str" | "!") => plain = false,
            Some("!include") => {
                self.count(1, text.len(), span)?;
                let depth = self.reader.depth + self.open.len();
                let mut node = self.reader.include(text, span, depth).ok_or(Stop)?;
                // A block mapping is told by the key that it stands under, and that is in this file.
                if matches!(node.value, Value::Map(_)) {
                    node.span = self.pending_key().unwrap_or(node.span);
                }
                return self.place(node, anchor);
            }
            Some(other) => self.unknown_tag(other, span),
        }
        self.count(1, text.len(), span)?;
        self.place(Node { span, value: Value::Scalar(Scalar::new(text, plain)) }, anchor)
    }

    fn collection_tag(&mut self, tag: Option<&Tag>, fits: &str, span: Span) {
        if let Some(tag) = tag
            && !tag.is_yaml_core_schema_tag(fits)
        {
            self.unknown_tag(&tag.original(), span);
        }
    }

    fn unknown_tag(&mut self, tag: &str, span: Span) {
        let help = "the only tag is `!include ./file.yaml`; quote a text that begins with `!`";
        self.reader.problems.error(Code::E004, span, format!("unknown tag `{tag}`"), help);
    }

    fn begin(&mut self, style: StructureStyle, anchor: usize, span: Span, content: Content) -> Result<(), Stop> {
        if self.reader.depth + self.open.len() >= MAX_DEPTH {
            self.reader.too_deep(span);
            return Err(Stop);
        }
        self.count(1, 0, span)?;
        let (first_node, first_byte) = (self.reader.nodes, self.reader.bytes);
        let flow = style == StructureStyle::Flow;
        self.open.push(Open { anchor, span, flow, first_node, first_byte, content });
        Ok(())
    }

    fn end(&mut self, end: Span) -> Result<(), Stop> {
        let Some(open) = self.open.pop() else { return Ok(()) };
        let value = match open.content {
            Content::List(items) => Value::List(items),
            Content::Map { entries, merges, .. } if merges.is_empty() => Value::Map(entries),
            Content::Map { entries, merges, .. } => Value::Map(self.merged(entries, merges)),
        };
        let flow = open.flow.then_some(Span { end: end.end, ..open.span });
        let first = match &value {
            Value::Map(entries) => entries.first().map(|entry| entry.key.span),
            Value::List(items) => items.first().map(|item| item.span),
            Value::Scalar(_) => None,
        };
        let span = self.pending_key().or(flow).or(first.filter(|first| first.file == self.file)).unwrap_or(open.span);
        let cost = (1 + self.reader.nodes - open.first_node, self.reader.bytes - open.first_byte);
        self.place_at_cost(Node { span, value }, open.anchor, cost)
    }

    fn alias(&mut self, id: usize, span: Span) -> Result<(), Stop> {
        let Some(found) = self.anchors.get(&id) else {
            let help = "an alias cannot stand inside the value of its own anchor";
            self.reader.problems.error(Code::E007, span, "this alias refers to itself", help);
            return Err(Stop);
        };
        let (nodes, bytes) = (found.nodes, found.bytes);
        self.count(nodes, bytes, span)?;
        let node = self.anchors.get(&id).map(|found| found.node.clone()).ok_or(Stop)?;
        self.place(node, 0)
    }

    /// Counts what is about to be added, so that nothing large is ever built.
    fn count(&mut self, nodes: usize, bytes: usize, span: Span) -> Result<(), Stop> {
        self.reader.nodes = self.reader.nodes.saturating_add(nodes);
        self.reader.bytes = self.reader.bytes.saturating_add(bytes);
        let what = if self.reader.nodes > MAX_NODES {
            format!("more than {MAX_NODES} nodes")
        } else if self.reader.bytes > MAX_TEXT {
            format!("more than {} MiB of text", MAX_TEXT >> 20)
        } else {
            return Ok(());
        };
        let help = "aliases and includes count each time they are used; keep data rows in a CSV file under `feeders`";
        self.reader.problems.error(Code::E003, span, format!("the scenario has {what}"), help);
        Err(Stop)
    }

    fn place(&mut self, node: Node, anchor: usize) -> Result<(), Stop> {
        let bytes = node.scalar().and_then(Scalar::literal).map_or(0, str::len);
        self.place_at_cost(node, anchor, (1, bytes))
    }

    /// Puts a finished node where it belongs: root, list, key or value.
    fn place_at_cost(&mut self, node: Node, anchor: usize, (nodes, bytes): (usize, usize)) -> Result<(), Stop> {
        if anchor != 0 {
            self.anchors.insert(anchor, Anchored { node: node.clone(), nodes, bytes });
        }
        let Some(open) = self.open.last_mut() else {
            self.root = Some(node);
            return Ok(());
        };
        match &mut open.content {
            Content::List(items) => items.push(node),
            Content::Map { entries, seen, key, merges } => match key.take() {
                Some(name) if name.text == "<<" => merges.push(node),
                Some(name) => {
                    if let Some(&earlier) = seen.get(&name.text) {
                        self.duplicate(&name, earlier);
                    } else {
                        seen.insert(name.text.clone(), name.span);
                        entries.push(Entry { key: name, value: node });
                    }
                }
                None => return self.key(node),
            },
        }
        Ok(())
    }

    fn key(&mut self, node: Node) -> Result<(), Stop> {
        let Some(text) = node.scalar().and_then(Scalar::literal).map(str::to_owned) else {
            let help = match node.value {
                Value::Map(_) => "is this a template? Quote it: \"{{ name }}\"",
                _ => "a key is a single word: `key: value`; quote a text that begins with `[`",
            };
            self.reader.problems.error(Code::E004, node.span, "a key must be a single word", help);
            return Err(Stop);
        };
        if let Some(Open { content: Content::Map { key, .. }, .. }) = self.open.last_mut() {
            *key = Some(Key { text, span: node.span });
        }
        Ok(())
    }

    fn duplicate(&mut self, key: &Key, earlier: Span) {
        let message = format!("`{}` is given twice", key.text.escape_debug());
        let problem = Diagnostic::error(Code::E005, key.span, message, "remove one of them");
        self.reader.problems.push(problem.also(earlier, "first given here"));
    }

    /// Own keys first, then what `<<` brings; of several merged mappings the earlier one wins.
    fn merged(&mut self, mut entries: Vec<Entry>, merges: Vec<Node>) -> Vec<Entry> {
        let mut known: HashSet<String> = entries.iter().map(|entry| entry.key.text.clone()).collect();
        let flat = merges.into_iter().flat_map(|node| match node.value {
            Value::List(items) => items,
            _ => vec![node],
        });
        for node in flat {
            let Value::Map(brought) = node.value else {
                let help = "write `<<: *anchor`, where the anchor is on a mapping";
                self.reader.problems.error(Code::E007, node.span, "only a mapping can be merged", help);
                continue;
            };
            for entry in brought {
                if known.insert(entry.key.text.clone()) {
                    entries.push(entry);
                }
            }
        }
        entries
    }

    /// The key whose value is being read.
    fn pending_key(&self) -> Option<Span> {
        match &self.open.last()?.content {
            Content::Map { key: Some(key), .. } => Some(key.span),
            _ => None,
        }
    }

    fn span(&self, range: Range) -> Span {
        let bytes = range.byte_range().unwrap_or(0..0);
        let end = bytes.end.min(self.text.len());
        Span { file: self.file, start: bytes.start.min(end), end }
    }

    fn syntax_error(&mut self, error: &granit_parser::ScanError) {
        let at = error.marker().byte_offset().unwrap_or(0).min(self.text.len());
        let line_start = self.text[..at].rfind('\n').map_or(0, |newline| newline + 1);
        let line = self.text[line_start..].lines().next().unwrap_or_default();
        let help = syntax_help(line);
        let end = self.text[at..].chars().next().filter(|next| *next != '\n').map_or(at, |next| at + next.len_utf8());
        let span = Span { file: self.file, start: at, end };
        let message = format!("not valid YAML: {}", error.info());
        self.reader.problems.push(Diagnostic::error(Code::E004, span, message, help).label("here"));
    }
}

/// What most often breaks a line, by what the line holds.
fn syntax_help(line: &str) -> &'static str {
    let indentation = line.bytes().take_while(u8::is_ascii_whitespace).any(|byte| byte == b'\t');
    if indentation {
        "indent with spaces, not with tabs"
    } else if line.contains("{{") {
        "quote a value that holds a template: \"{{ name }}\""
    } else if line.contains("${") {
        "inside `{ }` and `[ ]` a value with `${...}` must be quoted: \"${vars.x}\""
    } else if line.contains("$.") || line.contains("$[") {
        "inside `{ }` a JSONPath with brackets must be quoted: \"$.items[0].id\", or use block style"
    } else if line.contains(": >") || line.contains(": <") {
        "bounds are words here: `max: 200ms`, `min: 99%`, `above: 60%`, `below: 10`"
    } else if line.contains(": %") || line.contains(": @") || line.contains(": `") {
        "quote a value that begins with a sign: `\"%text\"`"
    } else {
        "check the indentation, brackets and quotes of this line and of the one above"
    }
}
