//! `brunt validate FILE...`: everything that is wrong, at once, with the place and what to write instead.

use brunt_report::render::format::counted;

use super::guide::{self, Example, Guide};
use super::scenario::{self, Overrides};
use super::{Failure, complain, print, values};

/// Examples and the rest of the help.
pub const GUIDE: Guide = Guide {
    examples: &[
        Example { line: "brunt validate shop.brunt.yaml", does: "" },
        Example {
            line: "brunt validate *.brunt.yaml -f ci.yaml --set vars.rate=500/s",
            does: "as a pipeline will run them",
        },
    ],
    exit_status: &[("0", "all are valid"), ("2", "at least one is not, or cannot be read")],
    files: &[],
    environment: &[guide::NO_COLOR, guide::VARIABLES, guide::ANY_OTHER],
};

/// Check scenarios without running them.
///
/// Tells everything that is wrong at once, each problem with its line and with what to write instead. Touches nothing.
#[derive(Debug, clap::Args)]
#[command(after_help = GUIDE.short(), after_long_help = GUIDE.long())]
pub struct Args {
    /// Scenario files.
    #[arg(required = true, value_name = "FILE", add = values::scenarios())]
    files: Vec<String>,
    #[command(flatten)]
    overrides: Overrides,
}

pub fn run(args: &Args) -> Result<u8, Failure> {
    let mut code = 0;
    for file in &args.files {
        match scenario::cells(file, &args.overrides, &[]) {
            Ok(cells) => {
                // Cells differ in values; what the scenario is made of is the same in each.
                let plan = &cells[0];
                let mut sizes = vec![
                    counted(plan.journeys.len() as u64, "journey"),
                    counted(plan.load.len() as u64, "load"),
                    counted(plan.timeline.len() as u64, "timeline item"),
                    counted(plan.gates.len() as u64, "gate"),
                ];
                if !plan.cell.is_empty() {
                    sizes.push(counted(cells.len() as u64, "cell"));
                }
                print(&format!("ok: {file}: {}\n", sizes.join(", ")))?;
                let mut told = Vec::new();
                for missing in cells.iter().flat_map(|cell| &cell.not_built) {
                    if !told.contains(&missing) {
                        print(&format!("note: {}: {} (`brunt run` will refuse it)\n", missing.place, missing.what))?;
                        told.push(missing);
                    }
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
