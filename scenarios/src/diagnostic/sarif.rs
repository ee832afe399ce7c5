//! Problems as SARIF 2.1.0, which code scanners and editors read: one document for all files, a rule a code.

use serde_json::{Value, json};

use super::example::Example;
use super::{Code, Diagnostic, Diagnostics};
use crate::source::{Sources, Span};

/// The document about all of these. `version` is that of the tool.
pub fn document(all: &[Diagnostics], version: &str) -> String {
    let results: Vec<Value> =
        all.iter().flat_map(|told| told.problems.iter().map(|problem| result(problem, &told.sources))).collect();
    let left_out: usize = all.iter().map(|told| told.left_out).sum();
    let document = json!({
        "$schema": "https://json.schemastore.org/sarif-2.1.0.json",
        "version": "2.1.0",
        "runs": [{
            "tool": { "driver": {
                "name": "brunt",
                "version": version,
                "rules": Code::ALL.iter().map(|code| rule(*code)).collect::<Vec<_>>(),
            }},
            "columnKind": "unicodeCodePoints",
            "results": results,
            "properties": { "leftOut": left_out },
        }],
    });
    format!("{document:#}\n")
}

/// What there is to know about a code.
fn rule(code: Code) -> Value {
    let block = |example: Example| {
        let language = if matches!(example, Example::Scenario(_)) { "yaml" } else { "sh" };
        format!("```{language}\n{}```", example.text())
    };
    let (wrong, right) = (code.wrong(), code.right());
    let level = if code.id().starts_with('W') { "warning" } else { "error" };
    json!({
        "id": code.id(),
        "shortDescription": { "text": code.label() },
        "fullDescription": { "text": code.explanation() },
        "defaultConfiguration": { "level": level },
        "help": {
            "text": format!("{}\n\nWrong:\n\n{}\nRight:\n\n{}", code.explanation(), wrong.text(), right.text()),
            "markdown": format!("{}\n\nWrong:\n\n{}\n\nRight:\n\n{}\n", code.explanation(), block(wrong), block(right)),
        },
    })
}

fn result(problem: &Diagnostic, sources: &Sources) -> Value {
    let also = problem.also.iter().enumerate().map(|(number, (at, label))| {
        let mut place = location(*at, sources);
        place["id"] = json!(number + 1);
        place["message"] = json!({ "text": label });
        place
    });
    let mut result = json!({
        "ruleId": problem.code.id(),
        "ruleIndex": Code::ALL.iter().position(|code| *code == problem.code),
        "level": problem.severity.word(),
        "message": { "text": format!("{}\nhelp: {}", problem.message, problem.help) },
        "locations": [location(problem.span, sources)],
    });
    if !problem.also.is_empty() {
        result["relatedLocations"] = also.collect();
    }
    result
}

fn location(at: Span, sources: &Sources) -> Value {
    let ((line, column), (end_line, end_column)) = (sources.position(at), sources.end_position(at));
    json!({ "physicalLocation": {
        "artifactLocation": { "uri": uri(&sources.get(at.file).name) },
        "region": {
            "startLine": line, "startColumn": column, "endLine": end_line, "endColumn": end_column,
            "byteOffset": at.start, "byteLength": at.end - at.start,
        },
    }})
}

/// A path as a reference (RFC 3986): what is not unreserved, or separates parts of a path, is written as bytes.
fn uri(path: &str) -> String {
    let absolute = if path.starts_with('/') { "file://" } else { "" };
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-._~/".contains(&byte);
    let byte = |byte: u8| if plain(byte) { char::from(byte).to_string() } else { format!("%{byte:02X}") };
    absolute.to_owned() + &path.bytes().map(byte).collect::<String>()
}

#[cfg(test)]
mod tests {
    use super::uri;

    #[test]
    fn paths_become_references() {
        assert_eq!(uri("a b/é.yaml"), "a%20b/%C3%A9.yaml");
        assert_eq!(uri("/x/a:b.yaml"), "file:///x/a%3Ab.yaml");
    }
}
