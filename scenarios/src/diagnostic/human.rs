//! Problems for people: the offending line, a caret under the place, and what to do.

use annotate_snippets::renderer::DecorStyle;
use annotate_snippets::{AnnotationKind, Level, Origin, Renderer, Snippet};

use super::{Diagnostic, Diagnostics, Severity};
use crate::source::Sources;

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

/// One problem. The snippet is cut to the first line of the span: the renderer looks at everything that it is given.
fn one(renderer: &Renderer, problem: &Diagnostic, sources: &Sources) -> String {
    let source = sources.get(problem.span.file);
    let text = source.text.as_str();
    let start = problem.span.start.min(text.len());
    let line_start = text[..start].rfind('\n').map_or(0, |at| at + 1);
    let line_end = text[start..].find(['\r', '\n']).map_or(text.len(), |at| start + at);
    let (number, column) = sources.position(problem.span);
    let level = match problem.severity {
        Severity::Error => Level::ERROR,
        Severity::Warning => Level::WARNING,
    };
    let report = level.primary_title(problem.message.as_str()).id(problem.code.id());
    let report = if line_end - line_start > MAX_LINE {
        let place = Origin::path(source.name.as_str()).line(number).char_column(column);
        report.element(place).element(Level::NOTE.message(problem.label.as_str()))
    } else {
        let at = start - line_start;
        let until = (problem.span.end.min(line_end) - line_start).max(at);
        let mark = AnnotationKind::Primary.span(at..until).label(problem.label.as_str());
        let line = &text[line_start..line_end];
        report.element(Snippet::source(line).line_start(number).path(source.name.as_str()).annotation(mark))
    };
    renderer.render(&[report.element(Level::HELP.message(problem.help.as_str()))])
}
