//! summary.md of several runs: what a pull request shows.

use crate::render::summary::text;
use crate::runs::{Outcome, Runs};

use super::{exit, figure, name, seed, sentence, tally, title, verdict};

/// Renders the runs as GitHub-flavoured Markdown.
pub fn render(runs: &Runs) -> String {
    let mut out = format!("## {}\n\n{}", text(&title(runs)), tally(runs));
    out.extend(seed(runs).map(|seed| format!(", {seed}")));
    out.push_str(".\n\n");
    let gates = runs.gate_ids();
    let heads: String = gates.iter().map(|gate| format!(" {} |", text(gate))).collect();
    let first = if runs.is_one_matrix() { "cell" } else { "run" };
    out.push_str(&format!("| {first} | | exit |{heads}\n|---|---|---:|{}\n", "---:|".repeat(gates.len())));
    for run in &runs.runs {
        let figures: String = gates.iter().map(|gate| format!(" {} |", text(&figure(run, gate)))).collect();
        out.push_str(&format!("| {} | {} | {} |{figures}\n", text(&name(runs, run)), verdict(run), exit(run)));
    }
    let unusual: Vec<_> =
        runs.runs.iter().filter(|run| !matches!(&run.outcome, Outcome::Ran { exit_code: 0, .. })).collect();
    if !unusual.is_empty() {
        out.push('\n');
    }
    for run in unusual {
        out.push_str(&format!("- **{}**: {}\n", text(&name(runs, run)), text(sentence(run))));
    }
    out
}
