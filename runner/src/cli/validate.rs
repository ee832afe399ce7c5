//! `brunt validate FILE...`: everything that is wrong, at once, with the place and what to write instead; for people, or for
//! programs that show it at that place.

use brunt_report::render::format::counted;
use brunt_scenario::{Code, Diagnostics, Scenario, diagnostic};

use super::guide::{self, Example, Guide};
use super::scenario::{self, Overrides};
use super::{Failure, complain, not_a_file, print, url, values};

/// Examples and the rest of the help.
pub const GUIDE: Guide = Guide {
    examples: &[
        Example { line: "brunt validate shop.brunt.yaml", does: "" },
        Example {
            line: "brunt validate *.brunt.yaml -f ci.yaml --set vars.rate=500/s",
            does: "as a pipeline will run them",
        },
        Example {
            line: "brunt validate --strict shop.brunt.yaml",
            does: "refuses too what will run, but may not show what it seems to show",
        },
        Example {
            line: "brunt validate --message-format github *.brunt.yaml",
            does: "annotations at the lines of a pull request",
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
    /// How problems are told.
    #[arg(long, value_enum, default_value_t, value_name = "FORMAT")]
    message_format: MessageFormat,
    /// Warnings (no gates, no warm-up, a percentile of too few requests, ...) are errors.
    #[arg(long)]
    strict: bool,
    #[command(flatten)]
    overrides: Overrides,
}

/// How problems are told.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, clap::ValueEnum)]
enum MessageFormat {
    /// With the line and a mark below it, on stderr; what is valid on stdout.
    #[default]
    Human,
    /// One object a line, on stdout.
    Json,
    /// `::error file=...::` on stdout.
    Github,
    /// One document for all files, on stdout.
    Sarif,
}

pub fn run(args: &Args) -> Result<u8, Failure> {
    let mut code = 0;
    let mut all = Vec::new();
    for file in &args.files {
        if let Some(why) = not_a_file::meant("validate", file).filter(|_| url::is_url(file)) {
            return Err(Failure::Usage(why));
        }
        let read = scenario::read(file, &args.overrides)?;
        let problems = match &read {
            Ok(scenario) => scenario.lint(),
            Err(problems) => problems.clone(),
        };
        let problems = if args.strict { problems.strict() } else { problems };
        if problems.has_errors() {
            code = 2;
        }
        match args.message_format {
            MessageFormat::Human => tell(file, read.ok().filter(|_| !problems.has_errors()), &problems)?,
            MessageFormat::Json => print(&problems.json())?,
            MessageFormat::Github => print(&problems.github())?,
            MessageFormat::Sarif => all.push(problems),
        }
    }
    if args.message_format == MessageFormat::Sarif {
        print(&diagnostic::sarif(&all, env!("CARGO_PKG_VERSION")))?;
    }
    Ok(code)
}

/// Errors in full; of a scenario without any, what it is made of and a line for each warning.
fn tell(file: &str, valid: Option<Scenario>, problems: &Diagnostics) -> Result<(), Failure> {
    let Some(scenario) = valid else {
        complain(&scenario::rendered(problems));
        return Ok(());
    };
    let cells = scenario.plans().map_err(|problems| Failure::Scenario(scenario::rendered(&problems)))?;
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
    for problem in problems.iter() {
        let (place, what) = (problems.place(problem), &problem.message);
        let more = if problem.code == Code::W008 { " (`brunt run` will refuse it)" } else { "" };
        print(&format!("note[{}]: {place}: {what}{more}\n", problem.code.id()))?;
    }
    Ok(())
}
