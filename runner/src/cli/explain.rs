//! `brunt explain [WORD]`: what a code, a metric, a fault, a key, a window, a verdict or an exit code means.
//!
//! What is said comes from the tables that everything else works with (codes, metrics, faults, the schema); only words
//! that are in none of them stand here, in `words`.

mod keys;
mod lines;
mod words;

use brunt_scenario::catalogue::FaultKind;
use brunt_scenario::diagnostic::example::{Example, whole};
use brunt_scenario::metric::Metric;
use brunt_scenario::words::foreign::Place;
use brunt_scenario::words::{meant, nearest};
use brunt_scenario::{Code, catalogue};

use super::guide::{self, Guide};
use super::{Failure, faults, print, values};
pub use lines::rows;
use lines::{indented, wrapped};

/// Examples and the rest of the help.
pub const GUIDE: Guide = Guide {
    examples: &[
        guide::Example { line: "brunt explain", does: "all that can be asked" },
        guide::Example { line: "brunt explain E020", does: "a code: a wrong and a right example" },
        guide::Example { line: "brunt explain recovery_time", does: "a metric" },
        guide::Example { line: "brunt explain network.latency", does: "a fault" },
        guide::Example { line: "brunt explain listen", does: "a key of a scenario, and where it may stand" },
        guide::Example { line: "brunt explain baseline", does: "a window; so are verdicts, and exit codes" },
    ],
    exit_status: &[("0", "told"), ("2", "nothing is known by that word")],
    files: &[],
    environment: &[],
};

/// Say what a code, a metric, a fault, a key or a word of the outputs means.
#[derive(Debug, clap::Args)]
#[command(after_help = GUIDE.short(), after_long_help = GUIDE.long())]
pub struct Args {
    /// E020, latency.p99, network.latency, listen, baseline, inconclusive, 99 ...; without it all that can be asked.
    #[arg(value_name = "WORD", add = values::words())]
    word: Option<String>,
}

pub fn run(args: &Args) -> Result<u8, Failure> {
    let text = match &args.word {
        None => everything(),
        Some(word) => explained(word).ok_or_else(|| Failure::Usage(unknown(word)))?,
    };
    print(&text)?;
    Ok(0)
}

/// The page of a word; `None` when there is none.
fn explained(word: &str) -> Option<String> {
    let word = word.trim();
    if let Some(code) = Code::find(word) {
        return Some(code_page(code));
    }
    let lower = word.to_ascii_lowercase();
    if let Ok(metric) = lower.parse::<Metric>() {
        return Some(metric_page(metric));
    }
    if let Some(kind) = FaultKind::find(&lower) {
        return Some(fault_page(kind));
    }
    if lower == "example" {
        return Some(format!("What the examples stand on:\n\n{}", indented(&whole(""))));
    }
    // `baseline` is a window and a key, `selector` a key here and of other tools at another place.
    let pages = [words::page(&lower).or_else(|| family(&lower)), keys::page(&lower), elsewhere(word)];
    let pages: Vec<String> = pages.into_iter().flatten().collect();
    (!pages.is_empty()).then(|| pages.join("\n"))
}

/// A word of other tools, and what to write instead.
fn elsewhere(word: &str) -> Option<String> {
    let meant: Vec<(String, String)> = meant(word)
        .map(|known| {
            let at = match known.at {
                Place::Key(what) => format!("in {what}"),
                Place::With => "under `with`".to_owned(),
                Place::Fault => "as a fault".to_owned(),
                Place::Metric => "as a metric".to_owned(),
                Place::OneOf(_) => "as a value".to_owned(),
            };
            let from = if known.from.is_empty() { String::new() } else { format!(" ({})", known.from) };
            (at, format!("{}{from}", known.here))
        })
        .collect();
    (!meant.is_empty()).then(|| format!("{word}: a word of other tools\n{}", rows(&meant)))
}

/// `latency`, `network`: what begins so.
fn family(word: &str) -> Option<String> {
    let prefix = format!("{word}.");
    let metrics = Metric::all().into_iter().map(|metric| metric.to_string());
    let all: Vec<String> = metrics
        .chain(catalogue::ALL.iter().map(|kind| kind.name.to_owned()))
        .filter(|name| name.starts_with(&prefix))
        .collect();
    (!all.is_empty()).then(|| format!("Which one?\n{}", wrapped(&all.join("  "), 2)))
}

fn code_page(code: Code) -> String {
    let kind = if code.id().starts_with('W') { "; a warning, refused by `validate --strict`" } else { "" };
    let mut out = format!("{}: {}{kind}\n\n{}\n", code.id(), code.label(), wrapped(code.explanation(), 0));
    for (title, example) in [("Wrong", code.wrong()), ("Right", code.right())] {
        out.push_str(&format!("{title}:\n\n{}\n", indented(example.text())));
    }
    if matches!(code.wrong(), Example::Scenario(_)) {
        out.push_str("Examples leave out what does not matter: `brunt explain example` shows what they stand on.\n");
    }
    out
}

fn metric_page(metric: Metric) -> String {
    let mut about = vec![("counts", metric.counts().to_owned())];
    if !metric.statistic_in_words().is_empty() {
        about.insert(0, ("is", metric.statistic_in_words().to_owned()));
    }
    about.push(("over", metric.scope().to_owned()));
    about.push(("bounds", metric.unit_in_words().to_owned()));
    format!("{metric}\n{}\nExample:\n\n{}", rows(&about), indented(&metric.example()))
}

fn fault_page(kind: &FaultKind) -> String {
    format!("{}\nA scenario with it:\n\n{}", faults::details(kind), indented(&kind.example()))
}

fn everything() -> String {
    let codes = |letter: char| {
        let all = Code::ALL.iter().filter(move |code| code.id().starts_with(letter));
        all.map(|code| (code.id(), code.label().to_owned())).collect::<Vec<_>>()
    };
    let mut out = "What `brunt explain WORD` knows.\n\nMetrics:\n".to_owned();
    let metrics: Vec<String> = Metric::all().iter().map(ToString::to_string).collect();
    out.push_str(&wrapped(&metrics.join("  "), 2));
    out.push_str("\nWindows, verdicts, exit codes and other words:\n");
    out.push_str(&wrapped(&words::names().join("  "), 2));
    out.push_str("\nFaults (`brunt faults` says what each does):\n");
    let faults: Vec<&str> = catalogue::ALL.iter().map(|kind| kind.name).collect();
    out.push_str(&wrapped(&faults.join("  "), 2));
    out.push_str("\nKeys of a scenario:\n");
    out.push_str(&wrapped(&keys::names().join("  "), 2));
    out.push_str("\nErrors in scenarios:\n");
    out.push_str(&rows(&codes('E')));
    out.push_str("\nWarnings about scenarios (`validate --strict` refuses them):\n");
    out.push_str(&rows(&codes('W')));
    out
}

/// The words that are neither codes, metrics nor faults, keys of a scenario among them.
pub fn words() -> Vec<String> {
    let mut all: Vec<String> = words::names().into_iter().map(str::to_owned).collect();
    let more: Vec<String> = keys::names().into_iter().filter(|key| !all.contains(key)).collect();
    all.extend(more);
    all
}

fn unknown(word: &str) -> String {
    let metrics: Vec<String> = Metric::all().iter().map(ToString::to_string).collect();
    let candidates = Code::ALL.iter().map(|code| code.id()).chain(metrics.iter().map(String::as_str));
    let others = words();
    let candidates =
        candidates.chain(catalogue::ALL.iter().map(|kind| kind.name)).chain(others.iter().map(String::as_str));
    let shown: String = word.chars().take(60).collect();
    match nearest(word, candidates.clone()).or_else(|| nearest(&word.to_ascii_uppercase(), candidates)) {
        Some(near) => format!("nothing is known by `{}`; did you mean `{near}`?", shown.escape_debug()),
        None => format!("nothing is known by `{}`; `brunt explain` lists what can be asked", shown.escape_debug()),
    }
}

#[cfg(test)]
mod tests;
