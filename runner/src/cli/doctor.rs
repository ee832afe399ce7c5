//! `brunt doctor`: what this machine can do for a run, what that means, and what helps.

use serde::Serialize;

use super::guide::{self, Example, Guide};
use super::{Failure, print, streams};
use crate::doctor::facts::Facts;
use crate::doctor::{self, Check, Diagnosis, Health, Rung};

/// Examples and the rest of the help.
pub const GUIDE: Guide = Guide {
    examples: &[
        Example { line: "brunt doctor", does: "half a second: it measures timers and loopback" },
        Example {
            line: "brunt doctor --format json | jq '.checks[] | select(.health != \"ok\")'",
            does: "what is not as it should be",
        },
    ],
    exit_status: &[
        ("0", "all that runs need is there; what is `weak` sets a limit"),
        ("3", "something that runs need is missing"),
        ("2", "the command line is wrong"),
    ],
    files: &[guide::JOURNALS],
    environment: &[guide::NO_COLOR, guide::STATE_HOME],
};

/// Say what this machine can do for a run, and what helps where it cannot.
///
/// Reads limits and measures how late timers wake and how long loopback takes. Changes nothing.
#[derive(Debug, clap::Args)]
#[command(after_help = GUIDE.short(), after_long_help = GUIDE.long())]
pub struct Args {
    /// How it is told.
    #[arg(long, value_name = "FORMAT", value_enum, default_value_t)]
    format: Format,
}

/// `--format`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, clap::ValueEnum)]
enum Format {
    /// Lines for a person.
    #[default]
    Human,
    /// One object: checks, faults, and the facts behind them.
    Json,
}

/// The JSON form.
#[derive(Serialize)]
struct Whole<'a> {
    schema: &'static str,
    fit: bool,
    #[serde(flatten)]
    diagnosis: &'a Diagnosis,
    facts: &'a Facts,
}

pub fn run(args: &Args) -> Result<u8, Failure> {
    let facts = doctor::look();
    let diagnosis = doctor::judge(&facts);
    let fit = diagnosis.is_fit();
    print(&match args.format {
        Format::Human => text(&diagnosis, streams::has_color()),
        Format::Json => {
            let whole = Whole { schema: "brunt.doctor/1", fit, diagnosis: &diagnosis, facts: &facts };
            serde_json::to_string_pretty(&whole)
                .map(|text| text + "\n")
                .map_err(|why| Failure::Usage(format!("the diagnosis has no JSON form: {why}")))?
        }
    })?;
    Ok(if fit { 0 } else { 3 })
}

/// As wide as the lines are, unless a word is longer.
const WIDTH: usize = 100;

fn text(diagnosis: &Diagnosis, color: bool) -> String {
    let mut out = String::new();
    let width = diagnosis.checks.iter().map(|check| check.about.len()).max().unwrap_or(0);
    for check in &diagnosis.checks {
        let lines = [("", check.found.as_str()), ("", &check.means), ("do: ", check.cure.as_deref().unwrap_or(""))];
        let mut head = format!("{}  {:width$}  ", word(check, color), check.about);
        for (before, line) in lines.iter().filter(|(_, line)| !line.is_empty()) {
            wrapped(&mut out, &head, width + 8, &format!("{before}{line}"));
            head = " ".repeat(width + 8);
        }
    }
    out.push_str("\nFaults on this machine:\n");
    let width = diagnosis.rungs.iter().map(|rung| rung.by.len()).max().unwrap_or(0);
    for rung in &diagnosis.rungs {
        let head = format!("{}  {:width$}  ", yes(rung, color), rung.by);
        wrapped(&mut out, &head, width + 8, &rung.needs);
        wrapped(&mut out, &" ".repeat(width + 8), width + 8, &rung.kinds.join(" "));
    }
    out.push('\n');
    out.push_str(&conclusion(diagnosis));
    out
}

fn conclusion(diagnosis: &Diagnosis) -> String {
    let named = |health: Health| -> Vec<&str> {
        diagnosis.checks.iter().filter(|check| check.health == health).map(|check| check.about).collect()
    };
    let (missing, weak) = (named(Health::No), named(Health::Weak));
    match (missing.is_empty(), weak.is_empty()) {
        (false, _) => format!("Not fit for a run: {}.\n", missing.join(", ")),
        (true, false) => format!("Fit for a run, with limits: {}.\n", weak.join(", ")),
        (true, true) => "Fit for a run.\n".to_owned(),
    }
}

fn word(check: &Check, color: bool) -> String {
    let (word, code) = match check.health {
        Health::Ok => ("ok  ", 32),
        Health::Weak => ("weak", 33),
        Health::No => ("no  ", 31),
    };
    painted(word, code, color)
}

fn yes(rung: &Rung, color: bool) -> String {
    if rung.works { painted("yes ", 32, color) } else { painted("no  ", 2, color) }
}

fn painted(word: &str, code: u8, color: bool) -> String {
    if color { format!("\x1b[{code}m{word}\x1b[0m") } else { word.to_owned() }
}

/// A text behind a head; what does not fit goes on below its beginning.
fn wrapped(out: &mut String, head: &str, column: usize, text: &str) {
    let mut line = String::new();
    let mut head = head.to_owned();
    for word in text.split(' ') {
        if !line.is_empty() && column + line.chars().count() + 1 + word.chars().count() > WIDTH {
            out.push_str(&format!("{head}{line}\n"));
            head = " ".repeat(column);
            line.clear();
        }
        if !line.is_empty() {
            line.push(' ');
        }
        line.push_str(word);
    }
    out.push_str(&format!("{head}{line}\n"));
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::doctor::facts::made;

    fn shown(change: impl FnOnce(&mut Facts)) -> String {
        let mut facts = made();
        change(&mut facts);
        text(&doctor::judge(&facts), false)
    }

    #[test]
    fn a_good_machine_is_told_in_a_screenful() {
        let told = shown(|_| {});
        assert!(told.lines().all(|line| line.chars().count() <= WIDTH), "{told}");
        insta::assert_snapshot!(told);
    }

    #[test]
    fn each_thing_that_is_missing_comes_with_what_helps() {
        insta::assert_snapshot!(shown(crate::doctor::facts::spoil));
    }

    #[test]
    fn colours_are_only_where_they_are_welcome() {
        let diagnosis = doctor::judge(&made());
        assert!(!text(&diagnosis, false).contains('\x1b'));
        assert!(text(&diagnosis, true).contains("\x1b[32mok"));
    }

    #[test]
    fn a_program_reads_the_same() {
        let (facts, diagnosis) = (made(), doctor::judge(&made()));
        let whole = Whole { schema: "brunt.doctor/1", fit: diagnosis.is_fit(), diagnosis: &diagnosis, facts: &facts };
        insta::assert_snapshot!(serde_json::to_string_pretty(&whole).expect("plain data"));
    }
}
