//! Problems for people: the offending line, a caret under the place, and what to do.

use std::ops::Range;

use annotate_snippets::renderer::DecorStyle;
use annotate_snippets::{AnnotationKind, Group, Level, Origin, Renderer, Snippet};

use super::{Diagnostic, Diagnostics, Severity};
use crate::source::{FileId, Sources, Span};

/// Longer lines are not shown, only named: a file without line breaks would fill the screen.
const MAX_LINE: usize = 400;
/// Wide enough that no message of ours wraps in the middle of a word.
const WIDTH: usize = 160;

pub(super) fn render(all: &Diagnostics, color: bool) -> String {
    let renderer = if color { Renderer::styled() } else { Renderer::plain() };
    let renderer = renderer.decor_style(DecorStyle::Ascii).term_width(WIDTH);
    let mut out = String::new();
    for problem in &all.problems {
        out.push_str(&one(&renderer, problem, &all.sources));
        out.push_str("\n\n");
    }
    if all.left_out > 0 {
        out.push_str(&format!("and {} more\n", all.left_out));
    }
    out.truncate(out.trim_end().len());
    out.push('\n');
    out
}

/// One problem: its line, and the lines of other places that have to do with it.
fn one(renderer: &Renderer, problem: &Diagnostic, sources: &Sources) -> String {
    let level = match problem.severity {
        Severity::Error => Level::ERROR,
        Severity::Warning => Level::WARNING,
    };
    let report = Group::with_title(level.primary_title(problem.message.as_str()).id(problem.code.id()));
    let marks = std::iter::once((problem.span, problem.label.as_str()))
        .chain(problem.also.iter().map(|(span, label)| (*span, label.as_str())));
    let mut lines: Vec<Line<'_>> = Vec::new();
    for (number, (span, label)) in marks.enumerate() {
        let line = Line::of(span, sources);
        let kind = if number == 0 { AnnotationKind::Primary } else { AnnotationKind::Context };
        let mark = (kind, line.mark(span), label);
        match lines.iter_mut().find(|known| known.is(&line)) {
            Some(known) => known.marks.push(mark),
            None => lines.push(Line { marks: vec![mark], ..line }),
        }
    }
    let report = lines.into_iter().fold(report, |report, line| line.add_to(report));
    renderer.render(&[report.element(Level::HELP.message(problem.help.as_str()))])
}

/// The first line of a place. The renderer looks at everything that it is given, so it is given no more.
struct Line<'s> {
    file: FileId,
    name: &'s str,
    number: usize,
    column: usize,
    text: &'s str,
    /// Its first byte in the file.
    start: usize,
    marks: Vec<(AnnotationKind, Range<usize>, &'s str)>,
}

impl<'s> Line<'s> {
    fn of(span: Span, sources: &'s Sources) -> Self {
        let source = sources.get(span.file);
        let text = source.text.as_str();
        let at = span.start.min(text.len());
        let start = text[..at].rfind('\n').map_or(0, |at| at + 1);
        let end = text[at..].find(['\r', '\n']).map_or(text.len(), |end| at + end);
        let (number, column) = sources.position(span);
        Self { file: span.file, name: &source.name, number, column, text: &text[start..end], start, marks: Vec::new() }
    }

    fn is(&self, other: &Self) -> bool {
        (self.file, self.start) == (other.file, other.start)
    }

    /// The bytes of the place in this line.
    fn mark(&self, span: Span) -> Range<usize> {
        let from = span.start.saturating_sub(self.start).min(self.text.len());
        from..span.end.saturating_sub(self.start).min(self.text.len()).max(from)
    }

    fn add_to(self, report: Group<'s>) -> Group<'s> {
        if self.text.len() > MAX_LINE {
            let place = Origin::path(self.name).line(self.number).char_column(self.column);
            let label = self.marks.first().map_or("", |(_, _, label)| *label);
            return report.element(place).element(Level::NOTE.message(label));
        }
        let snippet = Snippet::source(self.text).line_start(self.number).path(self.name);
        report.element(
            self.marks
                .into_iter()
                .fold(snippet, |snippet, (kind, at, label)| snippet.annotation(kind.span(at).label(label))),
        )
    }
}
