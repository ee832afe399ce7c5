//! `brunt man [COMMAND]`: the man pages, made from the same flags and guides as the helps.

use std::fs;
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};

use clap::CommandFactory as _;
use clap_mangen::Man;
use clap_mangen::roff::{Inline, Roff, bold, roman};

use super::guide::{Example, Guide};
use super::{Cli, Failure, guide_of, print};

/// Examples and the rest of the help.
pub const GUIDE: Guide = Guide {
    examples: &[
        Example { line: "brunt man run | man -l -", does: "read one page" },
        Example { line: "brunt man --out ~/.local/share/man/man1", does: "install all of them: then `man brunt-run`" },
    ],
    exit_status: &[("0", "done"), ("1", "a page could not be written"), ("2", "there is no such command")],
    files: &[("brunt.1, brunt-run.1, ...", "with --out: a page for the program and one a command")],
    environment: &[],
};

/// Print a man page, or write all of them.
#[derive(Debug, clap::Args)]
#[command(after_help = GUIDE.short(), after_long_help = GUIDE.long())]
pub struct Args {
    /// The page of this command [default: the program as a whole].
    #[arg(value_name = "COMMAND", conflicts_with = "out")]
    command: Option<String>,
    /// Write all pages into this folder.
    #[arg(long, value_name = "DIR", value_hint = clap::ValueHint::DirPath)]
    out: Option<PathBuf>,
}

pub fn run(args: &Args) -> Result<u8, Failure> {
    let pages = pages().map_err(Failure::Stdout)?;
    if let Some(folder) = &args.out {
        return write(&pages, folder);
    }
    let wanted = args.command.as_ref().map_or_else(|| "brunt.1".to_owned(), |name| format!("brunt-{name}.1"));
    let Some(page) = pages.iter().find(|page| page.file == wanted) else {
        let name = args.command.as_deref().unwrap_or_default();
        return Err(Failure::Usage(format!("there is no command `{name}`; `brunt --help` lists them")));
    };
    print(&page.text)?;
    Ok(0)
}

fn write(pages: &[Page], folder: &Path) -> Result<u8, Failure> {
    let cannot = |path: &Path, source| Failure::File { action: "write", path: path.to_owned(), source };
    fs::create_dir_all(folder).map_err(|source| cannot(folder, source))?;
    for page in pages {
        let path = folder.join(&page.file);
        fs::write(&path, &page.text).map_err(|source| cannot(&path, source))?;
        print(&format!("{}\n", path.display()))?;
    }
    Ok(0)
}

/// A page and its file.
struct Page {
    file: String,
    text: String,
}

/// The page of the program, then one a command that people type.
fn pages() -> io::Result<Vec<Page>> {
    let mut program = Cli::command();
    program.build();
    let names: Vec<String> = program
        .get_subcommands()
        .filter(|command| !command.is_hide_set())
        .map(|command| command.get_name().to_owned())
        .collect();
    let mut pages = vec![page("brunt", program.clone(), &names)?];
    for command in program.get_subcommands().filter(|command| !command.is_hide_set()) {
        let file = format!("brunt-{}", command.get_name());
        pages.push(page(&file, command.clone(), &names)?);
    }
    Ok(pages)
}

fn page(name: &str, command: clap::Command, names: &[String]) -> io::Result<Page> {
    let guide = guide_of(command.get_name());
    let is_program = name == "brunt";
    let mut out = Vec::new();
    top(name, command.clone()).to_writer(&mut out)?;
    let man = Man::new(command);
    man.render_description_section(&mut out)?;
    man.render_options_section(&mut out)?;
    if is_program {
        let mut roff = Roff::new();
        roff.control("SH", ["COMMANDS"]);
        for command in Cli::command().get_subcommands().filter(|command| !command.is_hide_set()) {
            roff.control("TP", []).text([bold(format!("brunt {}", command.get_name()))]);
            roff.text([roman(command.get_about().map(ToString::to_string).unwrap_or_default())]);
        }
        roff.to_writer(&mut out)?;
    }
    if let Some(guide) = guide {
        guide_sections(guide).to_writer(&mut out)?;
    }
    see_also(name, names).to_writer(&mut out)?;
    out.flush()?;
    let text = String::from_utf8(out).map_err(io::Error::other)?;
    // A line that ends in a space is a difference that nobody sees.
    let text: Vec<&str> = text.lines().map(str::trim_end).collect();
    Ok(Page { file: format!("{name}.1"), text: text.join("\n") + "\n" })
}

/// Title, name and synopsis. clap's own synopsis lists every flag, which is not what anybody types.
fn top(name: &str, mut command: clap::Command) -> Roff {
    let about = command.get_about().map(ToString::to_string).unwrap_or_default();
    let usage = command.render_usage().to_string();
    let usage = usage.trim_start_matches("Usage:").trim();
    let version = format!("brunt {}", env!("CARGO_PKG_VERSION"));
    let mut roff = Roff::new();
    roff.control("TH", [name.to_uppercase().as_str(), "1", " ", &version, "brunt"]);
    roff.control("SH", ["NAME"]).text([roman(format!("{name} - {about}"))]);
    roff.control("SH", ["SYNOPSIS"]).text([bold(usage)]);
    roff
}

fn guide_sections(guide: &Guide) -> Roff {
    let mut roff = Roff::new();
    roff.control("SH", ["EXAMPLES"]);
    for (at, example) in guide.examples.iter().enumerate() {
        if at > 0 {
            roff.control("PP", []);
        }
        if !example.does.is_empty() {
            roff.text([roman(format!("{}:", example.does))]);
            roff.control("PP", []);
        }
        roff.control("RS", ["4"]).control("nf", []).text([bold(example.line)]).control("fi", []).control("RE", []);
    }
    for (title, rows) in guide.sections() {
        roff.control("SH", [title.to_uppercase().as_str()]);
        for (word, meaning) in rows {
            roff.control("TP", []).text([bold(*word)]).text([roman(*meaning)]);
        }
    }
    roff
}

fn see_also(name: &str, names: &[String]) -> Roff {
    // Each page leads to the first one, and that to all: a new command then changes two pages, not all of them.
    let others: Vec<String> = match name {
        "brunt" => names.iter().map(|command| format!("brunt-{command}")).collect(),
        _ => vec!["brunt".to_owned()],
    };
    let mut line: Vec<Inline> = Vec::new();
    for (at, other) in others.iter().enumerate() {
        let comma = if at == 0 { "" } else { ", " };
        line.extend([roman(comma), bold(other.as_str()), roman("(1)")]);
    }
    let mut roff = Roff::new();
    roff.control("SH", ["SEE ALSO"]).text(line);
    roff
}
