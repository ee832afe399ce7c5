//! `brunt completions SHELL`: what a shell reads so that Tab knows commands, flags, faults, metrics and scenario files.
//!
//! The scripts ask the binary itself ([`VARIABLE`] is set then), so that they know as much as the version that is installed.

use std::ffi::OsString;
use std::io;

use clap::CommandFactory as _;
use clap_complete::CompleteEnv;
use clap_complete::env::{Bash, EnvCompleter, Fish, Powershell, Zsh};

use super::guide::{Example, Guide};
use super::{Cli, Failure, print};

/// By this variable a shell's script says which shell asks.
const VARIABLE: &str = "BRUNT_COMPLETE";

/// Examples and the rest of the help.
pub const GUIDE: Guide = Guide {
    examples: &[
        Example {
            line: "brunt completions bash > ~/.local/share/bash-completion/completions/brunt",
            does: "with bash-completion; without: source <(brunt completions bash) in ~/.bashrc",
        },
        Example { line: "brunt completions zsh > ~/.zfunc/_brunt", does: "any folder of $fpath" },
        Example { line: "brunt completions fish > ~/.config/fish/completions/brunt.fish", does: "" },
        Example { line: "brunt completions powershell >> $PROFILE", does: "" },
    ],
    exit_status: super::guide::OK_OR_USAGE,
    files: &[],
    environment: &[(VARIABLE, "set by these scripts when they ask for candidates; nothing to set by hand")],
};

/// Print what makes Tab work in a shell.
///
/// Commands, flags and values: kinds of faults, metrics of gates, scenario files. A new shell knows them after the line below.
#[derive(Debug, clap::Args)]
#[command(after_help = GUIDE.short(), after_long_help = GUIDE.long())]
pub struct Args {
    /// Which shell.
    #[arg(value_enum, value_name = "SHELL")]
    shell: Shell,
}

/// The shells that brunt knows.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
enum Shell {
    Bash,
    Zsh,
    Fish,
    Powershell,
}

pub fn run(args: &Args) -> Result<u8, Failure> {
    let script = script(args.shell).map_err(Failure::Stdout)?;
    print(&script)?;
    Ok(0)
}

fn script(shell: Shell) -> io::Result<String> {
    let mut out = Vec::new();
    let writer: &dyn EnvCompleter = match shell {
        Shell::Bash => &Bash,
        Shell::Zsh => &Zsh,
        Shell::Fish => &Fish,
        Shell::Powershell => &Powershell,
    };
    writer.write_registration(VARIABLE, "brunt", "brunt", "brunt", &mut out)?;
    String::from_utf8(out).map_err(io::Error::other)
}

/// Answers a shell that asks for candidates; false when this is a usual call.
pub fn answer(arguments: &[OsString]) -> clap::error::Result<bool> {
    let here = std::env::current_dir().ok();
    CompleteEnv::with_factory(Cli::command)
        .var(VARIABLE)
        .bin("brunt")
        .completer("brunt")
        .try_complete(arguments.iter().cloned(), here.as_deref())
}
