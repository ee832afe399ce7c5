//! What a help and a man page say besides the flags: examples, exit status, files, environment. Each command keeps its own
//! [`Guide`] beside its flags; `brunt COMMAND --help` and `brunt man` are made from it, so that they cannot disagree.

use std::fmt::Write as _;

use clap::builder::{StyledStr, Styles};

/// So many examples stand in the short help (`-h`); `--help` has all of them.
const SHORT: usize = 3;

/// A line to type, and what comes of it.
#[derive(Debug, Clone, Copy)]
pub struct Example {
    /// As a shell takes it.
    pub line: &'static str,
    /// In a few words; empty where the line says it.
    pub does: &'static str,
}

/// A word (an exit code, a path, a variable) and what it means.
pub type Meaning = (&'static str, &'static str);

/// What somebody wants to know about a command who has read its flags.
#[derive(Debug, Clone, Copy)]
pub struct Guide {
    /// The first ones are those of the short help.
    pub examples: &'static [Example],
    /// Exit codes.
    pub exit_status: &'static [Meaning],
    /// What it reads and writes.
    pub files: &'static [Meaning],
    /// Variables that it heeds.
    pub environment: &'static [Meaning],
}

/// Variables that every command heeds which prints for people.
pub const NO_COLOR: Meaning = ("NO_COLOR", "set to anything: no colours");
/// Where the journals lie, and what for.
pub const JOURNALS: Meaning = (
    "$XDG_STATE_HOME/brunt/*.journal",
    "what must be undone, written before it is done; removed when it is undone (default ~/.local/state/brunt, as root \
     /var/lib/brunt)",
);
/// The variable behind [`JOURNALS`].
pub const STATE_HOME: Meaning = ("XDG_STATE_HOME", "where the folder of the journals lies");
/// The variables that change a scenario's `vars`.
pub const VARIABLES: Meaning = ("BRUNT_VAR_<NAME>", "instead of the scenario's vars.<name>; --set is stronger");
/// The variables that a scenario asks for.
pub const ANY_OTHER: Meaning = ("any other", "a scenario reads it as ${env.NAME}, or masked as ${secret.env.NAME}");
/// Nothing but success and a wrong command line.
pub const OK_OR_USAGE: &[Meaning] = &[("0", "done"), ("2", "the command line is wrong")];

impl Guide {
    /// What stands below the flags in `-h`.
    pub fn short(&self) -> StyledStr {
        let mut out = String::new();
        heading(&mut out, "Examples");
        for example in self.examples.iter().take(SHORT) {
            let _ = writeln!(out, "  {}", example.line);
        }
        StyledStr::from(out.trim_end().to_owned())
    }

    /// What stands below the flags in `--help`.
    pub fn long(&self) -> StyledStr {
        let mut out = String::new();
        heading(&mut out, "Examples");
        for example in self.examples {
            let _ = writeln!(out, "  {}", example.line);
            if !example.does.is_empty() {
                let _ = writeln!(out, "      {}", example.does);
            }
        }
        for (title, rows) in self.sections() {
            out.push('\n');
            heading(&mut out, title);
            list(&mut out, rows);
        }
        StyledStr::from(out.trim_end().to_owned())
    }

    /// The lists below the examples that are not empty, with their titles.
    pub fn sections(&self) -> impl Iterator<Item = (&'static str, &'static [Meaning])> {
        let all = [("Exit status", self.exit_status), ("Files", self.files), ("Environment", self.environment)];
        all.into_iter().filter(|(_, rows)| !rows.is_empty())
    }
}

/// A title in the style of clap's own.
fn heading(out: &mut String, title: &str) {
    let style = *Styles::styled().get_header();
    let _ = writeln!(out, "{style}{title}:{style:#}");
}

/// Columns; a meaning that is too long goes on below its beginning.
fn list(out: &mut String, rows: &[Meaning]) {
    /// Wider words have their meaning on the next line.
    const WIDEST: usize = 22;
    /// As wide as clap's own text.
    const LINE: usize = 98;
    let fits = rows.iter().map(|(word, _)| word.chars().count()).filter(|width| *width <= WIDEST);
    let column = fits.max().unwrap_or(4);
    for (word, meaning) in rows {
        let mut line = format!("  {word:<column$}  ");
        if word.chars().count() > column {
            let _ = writeln!(out, "  {word}");
            line = " ".repeat(column + 4);
        }
        for text in meaning.split(' ') {
            if line.chars().count() + text.chars().count() > LINE {
                let _ = writeln!(out, "{}", line.trim_end());
                line = " ".repeat(column + 4);
            }
            line.push_str(text);
            line.push(' ');
        }
        let _ = writeln!(out, "{}", line.trim_end());
    }
}
