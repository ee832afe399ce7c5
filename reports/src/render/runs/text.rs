//! What a person sees in the terminal when the last of several runs has ended.

use crate::render::text::{Ink, Style, Table, in_ascii, paint};
use crate::render::{format, words};
use crate::runs::{Outcome, Runs};

use super::{exit, figure, gates_worst_first, name, seed, sentence, tally, title, verdict};

/// A terminal has room for so many; the others are in summary.md.
const GATES: usize = 4;

/// Renders the end of several runs, several lines, each ended by a newline.
pub fn render(runs: &Runs, style: Style) -> String {
    let head = if runs.exit_code == 0 { Ink::Good } else { Ink::Bad };
    let head = format!(
        "{}  {}  {}",
        paint(style, &tally(runs), head),
        paint(style, &words::printable(&title(runs)), Ink::Strong),
        paint(style, &seed(runs).unwrap_or_default(), Ink::Faint),
    );
    let mut out = format!("{}\n\n", head.trim_end());
    let gates = gates_worst_first(runs);
    let shown = &gates[..gates.len().min(GATES)];
    let first = if runs.is_one_matrix() { "cell" } else { "run" };
    let mut heads = vec![first, "", "exit"];
    heads.extend(shown);
    let heads: Vec<String> = heads.into_iter().map(words::printable).collect();
    let mut table = Table::new(&heads.iter().map(String::as_str).collect::<Vec<_>>(), 2);
    for run in &runs.runs {
        let mut cells = vec![words::printable(&name(runs, run)), verdict(run).to_owned(), exit(run)];
        cells.extend(shown.iter().map(|gate| figure(run, gate)));
        table.add(cells);
    }
    for (index, text) in table.lines().into_iter().enumerate() {
        out.push_str(&if index == 0 { paint(style, &text, Ink::Faint) } else { text });
        out.push('\n');
    }
    if gates.len() > shown.len() {
        let more = format::counted((gates.len() - shown.len()) as u64, "more gate");
        out.push_str(&paint(style, &format!("and {more} in summary.md\n"), Ink::Faint));
    }
    let unusual = runs.runs.iter().filter(|run| !matches!(&run.outcome, Outcome::Ran { exit_code: 0 | 99, .. }));
    for (index, run) in unusual.enumerate() {
        let gap = if index == 0 { "\n" } else { "" };
        out.push_str(&format!("{gap}{}: {}\n", words::printable(&name(runs, run)), words::printable(sentence(run))));
    }
    if style.ascii { in_ascii(&out) } else { out }
}
