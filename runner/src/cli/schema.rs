//! `brunt schema [WHAT]`: JSON Schemas, for editors and for programs that read results.

use super::guide::{Example, Guide};
use super::{Failure, print};

/// Examples and the rest of the help.
pub const GUIDE: Guide = Guide {
    examples: &[
        Example { line: "brunt schema > brunt.schema.json", does: "the language, for editors" },
        Example { line: "brunt schema results", does: "results.json, for programs that read it" },
    ],
    exit_status: super::guide::OK_OR_USAGE,
    files: &[],
    environment: &[],
};

/// Print the JSON Schema of the scenario language, or of results.json.
///
/// Draft-07, made from the types that scenarios are read with and results are written from: keys with what they mean, units, words, and the parameters of
/// each fault. With it an editor completes, explains and checks while you write.
#[derive(Debug, clap::Args)]
#[command(after_help = GUIDE.short(), after_long_help = GUIDE.long())]
pub struct Args {
    /// Of what.
    #[arg(value_enum, default_value_t, value_name = "WHAT")]
    what: What,
}

/// What can be described.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, clap::ValueEnum)]
enum What {
    /// A scenario file.
    #[default]
    Scenario,
    /// results.json
    Results,
}

pub fn run(args: &Args) -> Result<u8, Failure> {
    match args.what {
        What::Scenario => print(&brunt_scenario::schema::text())?,
        What::Results => print(&format!("{:#}\n", brunt_report::results::schema()))?,
    }
    Ok(0)
}
