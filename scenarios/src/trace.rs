//! `table: ./latencies.csv` under the `with:` of a fault becomes the list of the durations in that file, while the tree is
//! still a tree: so they are in the resolved scenario and in its digest, and a run is the same run only with the same file.
//!
//! One duration a line, with its unit; empty lines and lines that begin with `#` are left out. Values keep the file as their
//! place. A file that cannot be used is told once, and its value is marked as broken, so that nothing more is said about it.

use crate::catalogue::{FaultKind, ParamType};
use crate::diagnostic::{Code, Problems};
use crate::source::{FileId, MAX_FILE_BYTES, Sources, Span, Unreadable};
use crate::units::parse_duration;
use crate::yaml::{MAX_NODES, Node, Scalar, Value};

/// A table has at most so many durations: enough for a p99.9 with ten values beyond it.
const MAX_ROWS: usize = 10_000;

/// Reads every table that a fault of the timeline names.
pub(crate) fn read_tables(tree: &mut Node, sources: &mut Sources, problems: &mut Problems) {
    let Value::Map(entries) = &mut tree.value else { return };
    if let Some(timeline) = entries.iter_mut().find(|entry| entry.key.text == "timeline") {
        Tables { sources, problems, left: MAX_NODES }.walk(&mut timeline.value);
    }
}

struct Tables<'a> {
    sources: &'a mut Sources,
    problems: &'a mut Problems,
    /// How many durations all tables together may still bring.
    left: usize,
}

impl Tables<'_> {
    /// The tree is at most `MAX_DEPTH` deep, so recursion is safe.
    fn walk(&mut self, node: &mut Node) {
        match &mut node.value {
            Value::List(items) => items.iter_mut().for_each(|item| self.walk(item)),
            Value::Map(entries) => {
                let fault = entries.iter().find(|entry| entry.key.text == "fault");
                let kind = fault.and_then(|entry| FaultKind::find(entry.value.scalar()?.literal()?));
                for entry in entries {
                    match kind.filter(|_| entry.key.text == "with") {
                        Some(kind) => self.parameters(kind, &mut entry.value),
                        None => self.walk(&mut entry.value),
                    }
                }
            }
            Value::Scalar(_) => {}
        }
    }

    fn parameters(&mut self, kind: &FaultKind, with: &mut Node) {
        let Value::Map(entries) = &mut with.value else { return };
        for entry in entries {
            let takes_table = kind.param(&entry.key.text).is_some_and(|param| param.ty == ParamType::Durations);
            let Value::Scalar(scalar) = &entry.value.value else { continue };
            let Some(name) = scalar.literal().filter(|_| takes_table && !scalar.is_null() && !scalar.broken) else {
                continue;
            };
            entry.value.value = match self.file(name, entry.value.span) {
                Some(rows) => Value::List(rows),
                None => Value::Scalar(Scalar { broken: true, ..scalar.clone() }),
            };
        }
    }

    fn file(&mut self, name: &str, at: Span) -> Option<Vec<Node>> {
        let path = self.sources.get(at.file).folder.join(name);
        let (file, read) = self.sources.read(&path);
        if let Err((why, place)) = read {
            let message = format!("cannot read the table `{}`", name.escape_debug());
            let looked = format!("paths are relative to the file that names them: looked for `{}`", path.display());
            match why {
                Unreadable::Io(error) => self.problems.error(Code::E001, at, format!("{message}: {error}"), looked),
                Unreadable::TooLarge => {
                    let message = format!("{message}: it is larger than {} MiB", MAX_FILE_BYTES >> 20);
                    self.problems.error(Code::E003, at, message, THIN_OUT);
                }
                Unreadable::NotUtf8 | Unreadable::Nul => {
                    let help = "a table is plain text: one duration a line, with its unit, as in `12.3ms`";
                    self.problems.error(Code::E002, place, format!("{message}: it is not UTF-8 text"), help);
                }
            }
            return None;
        }
        let rows = self.rows(file)?;
        let limit = MAX_ROWS.min(self.left);
        if rows.is_empty() || rows.len() > limit {
            let (code, found, help) = match rows.len() {
                0 => (Code::E014, "no duration".to_owned(), "write one duration a line, with its unit: `12.3ms`"),
                rows => (Code::E003, format!("{rows} durations, and may hold {limit}"), THIN_OUT),
            };
            self.problems.error(code, at, format!("the table `{}` holds {found}", name.escape_debug()), help);
            return None;
        }
        self.left -= rows.len();
        Some(rows)
    }

    /// The durations of a file; `None` at the first line that is none.
    fn rows(&mut self, file: FileId) -> Option<Vec<Node>> {
        let mut rows = Vec::new();
        let mut start = 0;
        for line in self.sources.get(file).text.split_inclusive('\n') {
            let row = line.trim();
            let begin = start + line.len() - line.trim_start().len();
            start += line.len();
            if row.is_empty() || row.starts_with('#') {
                continue;
            }
            let span = Span { file, start: begin, end: begin + row.len() };
            if let Err(error) = parse_duration(row) {
                let first = rows.is_empty() && row.starts_with(|letter: char| !letter.is_ascii_digit());
                let help = if first {
                    "one duration a line, with its unit, as in `12.3ms`; a heading begins with `#`".to_owned()
                } else {
                    error.help
                };
                let shown: String = row.chars().take(60).collect();
                let message = format!("`{}` is not a duration", shown.escape_debug());
                self.problems.error(Code::E020, span, message, help);
                return None;
            }
            rows.push(Node { span, value: Value::Scalar(Scalar::new(row, true)) });
        }
        Some(rows)
    }
}

const THIN_OUT: &str = "thin it out: `awk 'NR % 10 == 0' all.csv > some.csv` keeps every tenth line";
