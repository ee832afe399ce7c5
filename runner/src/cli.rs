//! The command line: one command a file. A command returns the exit code of the process, or a [`Failure`] that knows its own.

mod agent;
mod cleanup;
mod compare;
mod completions;
mod demo;
mod demo_service;
mod doctor;
mod explain;
mod faults;
mod folded;
mod guide;
mod image;
mod init;
mod kube;
mod man;
mod not_a_file;
mod on;
mod plan;
mod report;
mod run;
mod scenario;
mod schema;
mod streams;
mod url;
mod validate;
mod values;
mod worker;

use std::ffi::OsString;
use std::io;
use std::path::PathBuf;
use std::process::ExitCode;

use brunt_kubernetes::in_full;
use clap::{CommandFactory as _, Parser, Subcommand};

use guide::{Example, Guide};
use streams::{complain, print};

use crate::demo::DemoError;
use crate::exit;
use crate::run::RunError;

/// What stands below the list of commands: what `brunt` alone shows.
const TRY_FIRST: &str = "\
Try first:
  brunt demo
      a toy shop that breaks, and the same shop that does not (about a minute)
  brunt run http://localhost:8080 --rate 50/s --for 10s
      load something of yours

Then `brunt init` writes a scenario. `brunt COMMAND --help` has more examples, and exit codes.";

/// The guide of the program as a whole.
const GUIDE: Guide = Guide {
    examples: &[
        Example {
            line: "brunt demo",
            does: "a toy shop that breaks, and the same shop that does not (about a minute)",
        },
        Example { line: "brunt run http://localhost:8080 --rate 50/s --for 10s", does: "load something of yours" },
        Example { line: "brunt init --url http://localhost:8080", does: "write a scenario to start from" },
        Example { line: "brunt run http.brunt.yaml", does: "run it: load, faults, gates" },
    ],
    exit_status: exit::MEANINGS,
    files: &[("*.brunt.yaml", "scenarios"), ("results/<name>-<time>/", "the files of a run"), guide::JOURNALS],
    environment: &[guide::NO_COLOR, guide::STATE_HOME, guide::VARIABLES, guide::ANY_OTHER],
};

/// Load and chaos on one clock: know what your services can bear.
///
/// A scenario (YAML) says what traffic to send, which faults to inject meanwhile, and what must still be true. brunt sends
/// the traffic, breaks things, measures, judges, undoes what it did, and leaves a report.
#[derive(Debug, Parser)]
#[command(
    name = "brunt",
    version,
    after_help = TRY_FIRST,
    after_long_help = GUIDE.long(),
    max_term_width = 100,
    disable_help_subcommand = true
)]
struct Cli {
    #[command(subcommand)]
    command: Option<Command>,
}

#[derive(Debug, Subcommand)]
enum Command {
    Run(Box<run::Args>),
    Demo(demo::Args),
    Init(init::Args),
    Validate(validate::Args),
    Plan(plan::Args),
    Report(report::Args),
    Compare(compare::Args),
    Faults(faults::Args),
    Explain(explain::Args),
    Schema(schema::Args),
    Kube(kube::Args),
    Doctor(doctor::Args),
    Cleanup(cleanup::Args),
    Completions(completions::Args),
    Man(man::Args),
    #[command(hide = true)]
    DemoService(demo_service::Args),
    #[command(hide = true)]
    Agent(agent::Args),
    #[command(hide = true)]
    Worker(worker::Args),
}

/// Why a command could not do its work.
#[derive(Debug, thiserror::Error)]
pub enum Failure {
    /// The command line asks for something that cannot be.
    #[error("{0}")]
    Usage(String),
    /// Scenarios have problems; all of them, rendered with their places.
    #[error("{0}")]
    Scenario(String),
    /// The run did not begin.
    #[error(transparent)]
    Run(Box<RunError>),
    /// Isolated services cannot be had here, or not with the rest of the run.
    #[error(transparent)]
    Isolation(#[from] crate::isolation::Impossible),
    /// Journals could not be read.
    #[error("cannot clean up")]
    Cleanup(#[from] brunt_injector::Error),
    /// The folder of several runs could not be had.
    #[error(transparent)]
    Files(#[from] crate::files::FilesError),
    /// A file could not be read or written.
    #[error("cannot {action} {}", .path.display())]
    File {
        /// read or write
        action: &'static str,
        /// Which one.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// A service of the demo shop could not run.
    #[error(transparent)]
    Demo(#[from] DemoError),
    /// Standard output took no more, and not because its reader left.
    #[error("cannot write to standard output")]
    Stdout(#[source] io::Error),
    /// The machine refuses what every run needs.
    #[error("{what}")]
    Machine {
        /// What was tried.
        what: &'static str,
        /// What the system said.
        source: io::Error,
    },
}

impl From<RunError> for Failure {
    fn from(error: RunError) -> Self {
        Self::Run(Box::new(error))
    }
}

impl Failure {
    /// As the process exits.
    fn exit_code(&self) -> u8 {
        match self {
            Self::Usage(_) | Self::Scenario(_) | Self::Demo(DemoError::Environment { .. }) => 2,
            Self::Demo(DemoError::Listen { .. }) | Self::Files(_) | Self::Isolation(_) => 3,
            Self::Run(error) => error.exit_code(),
            Self::Cleanup(_) => 6,
            Self::File { action: "read", .. } => 2,
            Self::File { .. } | Self::Demo(DemoError::Start(_)) | Self::Stdout(_) | Self::Machine { .. } => 1,
        }
    }

    /// As it stands on stderr. Problems of a scenario begin with the word error themselves.
    fn text(&self) -> String {
        match self {
            Self::Scenario(text) => text.clone(),
            other => format!("error: {}", in_full(other)),
        }
    }
}

/// Parses the arguments (the first one is the program), runs the command, says what went wrong on stderr.
pub fn main(arguments: impl IntoIterator<Item = OsString>) -> ExitCode {
    let arguments: Vec<OsString> = arguments.into_iter().collect();
    match completions::answer(&arguments) {
        Ok(true) => return ExitCode::SUCCESS,
        Ok(false) => {}
        Err(why) => {
            complain(&format!("error: {why}"));
            return ExitCode::from(2);
        }
    }
    let cli = match Cli::try_parse_from(arguments) {
        Ok(cli) => cli,
        Err(answer) => {
            // Help and version are answers, not errors. A reader that left does not want them.
            let _ = answer.print();
            if let Some(tip) = unknown_command(&answer) {
                complain(&tip);
            }
            return ExitCode::from(u8::try_from(answer.exit_code()).unwrap_or(2));
        }
    };
    let outcome = match cli.command {
        None => print(&Cli::command().render_help().to_string()).map(|()| 0),
        Some(command) => command.run(),
    };
    match outcome {
        Ok(code) => ExitCode::from(code),
        Err(failure) => {
            complain(&failure.text());
            ExitCode::from(failure.exit_code())
        }
    }
}

/// The guide of a command, by its name; `None` for what nobody types.
fn guide_of(command: &str) -> Option<&'static Guide> {
    Some(match command {
        "brunt" => &GUIDE,
        "run" => &run::GUIDE,
        "demo" => &demo::GUIDE,
        "init" => &init::GUIDE,
        "validate" => &validate::GUIDE,
        "plan" => &plan::GUIDE,
        "report" => &report::GUIDE,
        "compare" => &compare::GUIDE,
        "faults" => &faults::GUIDE,
        "explain" => &explain::GUIDE,
        "schema" => &schema::GUIDE,
        "kube" => &kube::GUIDE,
        "doctor" => &doctor::GUIDE,
        "cleanup" => &cleanup::GUIDE,
        "completions" => &completions::GUIDE,
        "man" => &man::GUIDE,
        _ => return None,
    })
}

impl Command {
    fn run(self) -> Result<u8, Failure> {
        match self {
            Self::Run(args) => run::run(&args),
            Self::Demo(args) => demo::run(&args),
            Self::Init(args) => init::run(&args),
            Self::Validate(args) => validate::run(&args),
            Self::Plan(args) => plan::run(&args),
            Self::Faults(args) => faults::run(&args),
            Self::Explain(args) => explain::run(&args),
            Self::Schema(args) => schema::run(&args),
            Self::Kube(args) => kube::run(&args),
            Self::Doctor(args) => doctor::run(&args),
            Self::Cleanup(args) => cleanup::run(&args),
            Self::Report(args) => report::run(&args),
            Self::Completions(args) => completions::run(&args),
            Self::Man(args) => man::run(&args),
            Self::Compare(args) => compare::run(&args),
            Self::DemoService(args) => demo_service::run(&args),
            Self::Agent(args) => Ok(agent::run(&args)),
            Self::Worker(args) => Ok(worker::run(&args)),
        }
    }
}

/// What to type instead of a command that there is not, where clap itself has no idea.
fn unknown_command(answer: &clap::Error) -> Option<String> {
    use clap::error::{ContextKind, ContextValue};
    let Some(ContextValue::String(word)) = answer.get(ContextKind::InvalidSubcommand) else { return None };
    if url::is_url(word) || word.ends_with(values::ENDING) {
        return Some(format!("\nTo run it: brunt run {}", scenario::quoted(word)));
    }
    if answer.get(ContextKind::SuggestedSubcommand).is_some() {
        return None;
    }
    let program = Cli::command();
    let names = program.get_subcommands().filter(|command| !command.is_hide_set()).map(clap::Command::get_name);
    let close = brunt_scenario::words::nearest(word, names)?;
    Some(format!("\nDid you mean: brunt {close}"))
}

#[cfg(test)]
mod tests;
