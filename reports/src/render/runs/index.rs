//! index.html: one page that leads to the reports of several runs. No script, no network, the looks of the report.

use askama::Template;

use crate::render::words;
use crate::results::GateVerdict;
use crate::runs::{Outcome, RunData, Runs};

use super::{exit, figure, name, seed, sentence, tally, title, verdict, word};

#[derive(Template)]
#[template(path = "runs.html")]
struct Page {
    css: &'static str,
    title: String,
    tally: String,
    seed: String,
    exit_code: u8,
    class: String,
    word: &'static str,
    first: &'static str,
    gates: Vec<String>,
    rows: Vec<Row>,
}

struct Row {
    name: String,
    /// Where the report lies; none without one.
    href: Option<String>,
    verdict: &'static str,
    class: &'static str,
    exit: String,
    sentence: String,
    figures: Vec<Figure>,
}

struct Figure {
    text: String,
    bad: bool,
}

/// Renders the page. `has_report` says whether a run wrote its report.html.
pub fn render(runs: &Runs, has_report: impl Fn(&RunData) -> bool) -> String {
    let gates = runs.gate_ids();
    let row = |run: &RunData| Row {
        name: name(runs, run),
        href: (matches!(run.outcome, Outcome::Ran { .. }) && has_report(run)).then(|| href(&run.folder)),
        verdict: verdict(run),
        class: class(run.exit_code()),
        exit: exit(run),
        sentence: sentence(run).to_owned(),
        figures: gates.iter().map(|gate| Figure { text: figure(run, gate), bad: failed(run, gate) }).collect(),
    };
    let page = Page {
        css: include_str!("../../../assets/report.css"),
        title: title(runs),
        tally: tally(runs),
        seed: seed(runs).unwrap_or_default(),
        exit_code: runs.exit_code,
        class: word(runs).to_lowercase().replace("not begun", "fail"),
        word: word(runs),
        first: if runs.is_one_matrix() { "Cell" } else { "Run" },
        rows: runs.runs.iter().map(row).collect(),
        gates: gates.iter().map(|gate| (*gate).to_owned()).collect(),
    };
    let page = page.render().expect("writing to a string cannot fail");
    page.split('\n').map(words::printable).collect::<Vec<_>>().join("\n")
}

fn failed(run: &RunData, gate: &str) -> bool {
    run.gates().iter().any(|known| known.id == gate && known.verdict == GateVerdict::Fail)
}

fn class(exit_code: Option<u8>) -> &'static str {
    match exit_code {
        Some(0) => "good",
        Some(5) | None => "doubtful",
        Some(_) => "bad",
    }
}

/// The report below a folder as a relative address: what has a meaning in an address is written as its bytes.
fn href(folder: &str) -> String {
    let mut out = if folder.starts_with('/') { "file://".to_owned() } else { String::from("./") };
    for byte in folder.bytes() {
        match byte {
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'.' | b'_' | b'-' | b'=' | b',' | b'/' => out.push(byte.into()),
            _ => out.push_str(&format!("%{byte:02X}")),
        }
    }
    out + "/report.html"
}
