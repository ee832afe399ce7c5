//! `brunt validate FILE...`: everything that is wrong, at once, with the place and what to write instead.

use brunt_report::render::format::counted;

use super::scenario::{self, Overrides};
use super::{Failure, complain, print};

const EXAMPLES: &str = "\
Examples:
  brunt validate shop.brunt.yaml
  brunt validate *.brunt.yaml -f ci.yaml --set vars.rate=500/s

Exit codes: 0 all are valid · 2 at least one is not";

/// Check scenarios without running them.
#[derive(Debug, clap::Args)]
#[command(after_help = EXAMPLES)]
pub struct Args {
    /// Scenario files.
    #[arg(required = true, value_name = "FILE")]
    files: Vec<String>,
    #[command(flatten)]
    overrides: Overrides,
}

pub fn run(args: &Args) -> Result<u8, Failure> {
    let mut code = 0;
    for file in &args.files {
        match scenario::plan(file, &args.overrides, &[]) {
            Ok(plan) => {
                let sizes = [
                    counted(plan.journeys.len() as u64, "journey"),
                    counted(plan.load.len() as u64, "load"),
                    counted(plan.timeline.len() as u64, "timeline item"),
                    counted(plan.gates.len() as u64, "gate"),
                ];
                print(&format!("ok: {file}: {}\n", sizes.join(", ")))?;
                for missing in &plan.not_built {
                    print(&format!("note: {}: {} (`brunt run` will refuse it)\n", missing.place, missing.what))?;
                }
            }
            Err(failure) => {
                complain(&failure.text());
                code = failure.exit_code();
            }
        }
    }
    Ok(code)
}
