//! Problems for programs: one JSON object a line, so that a reader can begin before the last one is there.
//!
//! ```json
//! {"file": "a.yaml", "severity": "error", "code": "E020", "title": "not a duration", "message": "`30` is not a duration",
//!  "label": "not a duration", "help": "30s or 30ms?", "also": [],
//!  "span": {"start": 61, "end": 63, "line": 3, "column": 41, "end_line": 3, "end_column": 43}}
//! ```
//!
//! `start` and `end` are bytes from 0, lines and columns count from 1, columns in characters; ends are the first that does not
//! belong to it. `also` has other places, each with `file`, `span` and `label`. Of more than 100 problems of a file the last
//! line is `{"file": ..., "severity": "error", "left_out": 23}`.

use serde_json::{Value, json};

use super::Diagnostics;
use crate::source::{FileId, Sources, Span};

pub(super) fn render(all: &Diagnostics) -> String {
    let mut out = String::new();
    for problem in &all.problems {
        let also = problem.also.iter().map(|(at, label)| {
            json!({ "file": all.sources.get(at.file).name, "span": span(*at, &all.sources), "label": label })
        });
        let object = json!({
            "file": all.sources.get(problem.span.file).name,
            "severity": problem.severity.word(),
            "code": problem.code.id(),
            "title": problem.code.label(),
            "message": problem.message,
            "label": problem.label,
            "help": problem.help,
            "span": span(problem.span, &all.sources),
            "also": also.collect::<Vec<_>>(),
        });
        out.push_str(&format!("{object}\n"));
    }
    if all.left_out > 0 {
        let file = &all.sources.get(FileId::MAIN).name;
        out.push_str(&format!("{}\n", json!({ "file": file, "severity": "error", "left_out": all.left_out })));
    }
    out
}

fn span(at: Span, sources: &Sources) -> Value {
    let ((line, column), (end_line, end_column)) = (sources.position(at), sources.end_position(at));
    json!({
        "start": at.start, "end": at.end,
        "line": line, "column": column, "end_line": end_line, "end_column": end_column,
    })
}
