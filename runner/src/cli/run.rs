//! `brunt run FILE...` and `brunt run URL`: traffic, faults, verdict, files.

mod several;

use std::path::PathBuf;

use brunt_report::render::text::{self, Style};
use brunt_report::results::Results;
use brunt_scenario::plan::Plan;
use tokio::runtime::Runtime;

use super::guide::{self, Example, Guide};
use super::image::Image;
use super::on::On;
use super::scenario::{self, Overrides};
use super::url::{self, UrlArgs};
use super::{Failure, complain, not_a_file, print, streams, values};
use crate::exit;
use crate::isolation;
use crate::run::{self, Options};
use crate::ui;

/// Examples and the rest of the help.
pub const GUIDE: Guide = Guide {
    examples: &[
        Example { line: "brunt run shop.brunt.yaml", does: "a scenario; its files go to results/shop-<time>/" },
        Example { line: "brunt run http://localhost:8080 --rate 50/s --for 10s", does: "one URL, no file needed" },
        Example {
            line: "brunt run http://localhost:8080 --for 30s --fault 'latency 200ms +-20ms at 10s for 10s'",
            does: "the same while its wire is slow for ten seconds",
        },
        Example {
            line: "brunt run http://localhost:8080/api --users 20 --for 30s --gate 'latency.p99 < 200ms'",
            does: "twenty users who wait for their replies; exit code 99 if the gate fails",
        },
        Example {
            line: "brunt run https://localhost:8443/orders --insecure --method POST --json '{\"sku\":\"A1\"}'",
            does: "",
        },
        Example {
            line: "brunt run shop.brunt.yaml --set vars.resilient=true --seed 7 --out results/resilient",
            does: "another value than the file's, the same dice, a folder of one's own choice",
        },
        Example {
            line: "brunt run checkout.brunt.yaml --only-cell 'added_latency=100ms'",
            does: "of a matrix, the cells that have this value",
        },
        Example {
            line: "brunt run *.brunt.yaml -f ci.yaml --ui json --format json > summary.json",
            does: "one after the other, as a pipeline wants it",
        },
        Example { line: "brunt run shop.brunt.yaml --no-faults", does: "is the noise of a quiet run below the gates?" },
        Example {
            line: "brunt run shop.brunt.yaml --on kubernetes --workers 4 --image registry.example/brunt:1",
            does: "the load from four pods of the current cluster, everything else from here",
        },
    ],
    exit_status: exit::MEANINGS,
    files: &[
        ("results.json", "all figures of the run; its `summary` is made for jq"),
        ("report.html", "for people: one file, no network"),
        ("summary.md, junit.xml", "for pull requests and CI systems"),
        ("events.jsonl", "what happened, written as it happens: a run that was killed can still be reported"),
        ("scenario.resolved.yaml", "the scenario as it was understood, secrets masked"),
        guide::JOURNALS,
    ],
    environment: &[guide::NO_COLOR, guide::STATE_HOME, guide::VARIABLES, guide::ANY_OTHER],
};

/// Run scenarios, or load one URL.
///
/// Sends the traffic, injects the faults, measures on one clock, judges by the gates, undoes everything, and leaves a report.
/// The exit code is the verdict. stdout holds the summary, stderr what happens meanwhile.
#[derive(Debug, clap::Args)]
#[command(after_help = GUIDE.short(), after_long_help = GUIDE.long())]
pub struct Args {
    /// Scenario files, one run after the other; or one http(s) URL.
    ///
    /// A URL is loaded with the flags of `With a URL` below; a scenario says these things itself.
    #[arg(required = true, value_name = "FILE|URL", add = values::scenarios())]
    what: Vec<String>,
    #[command(flatten)]
    overrides: Overrides,
    /// Threads that send the load [default: one a core]; with --on kubernetes as many pods.
    #[arg(long, value_name = "N", help_heading = "Load", value_parser = clap::value_parser!(u16).range(1..=1024))]
    workers: Option<u16>,
    /// Send the load and walk the timeline, but inject nothing.
    ///
    /// How noisy is the system when nothing is broken?
    #[arg(long, help_heading = "Faults")]
    no_faults: bool,
    /// Of a matrix only these cells: 'added_latency=100ms', or several values with commas between them.
    #[arg(long, value_name = "CELL", help_heading = "Scenario")]
    only_cell: Option<String>,
    /// Run the commands of the scenario's exec faults.
    ///
    /// Without it a scenario with exec faults is refused: read the commands first, they run with your rights.
    #[arg(long, help_heading = "Faults")]
    allow_exec: bool,
    /// Compare with a stored run. Not built yet.
    #[arg(long, value_name = "RUN", hide = true)]
    baseline: Option<PathBuf>,
    /// Folder of the files [default: results/<name>-<time>].
    ///
    /// Files of an earlier run in it are overwritten. Several scenarios or cells: a folder each below it, and a summary of all.
    #[arg(long, value_name = "DIR", value_hint = clap::ValueHint::DirPath, help_heading = "Output")]
    out: Option<PathBuf>,
    /// What is shown on stderr during the run.
    ///
    /// auto is the terminal screen (docs/the-screen.md) where stderr is a terminal, TERM is not `dumb` and CI is not set, else plain.
    #[arg(long, value_enum, default_value_t, help_heading = "Output")]
    ui: Screen,
    /// The summary on stdout.
    #[arg(long, value_enum, default_value_t, help_heading = "Output")]
    format: Format,
    /// Do not check certificates.
    ///
    /// For services with certificates of their own making. The report shows it in red.
    #[arg(long, help_heading = "Load")]
    insecure: bool,
    /// A host where faults may act, besides this one (repeatable; `*` matches any part).
    ///
    /// Load may go anywhere; a fault that acts on another machine than this one must be allowed by name.
    #[arg(long, value_name = "HOST", help_heading = "Faults")]
    allow_host: Vec<String>,
    #[command(flatten)]
    image: Image,
    #[command(flatten)]
    on: On,
    #[command(flatten)]
    url: UrlArgs,
}

/// `--ui`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, clap::ValueEnum)]
enum Screen {
    /// What suits best.
    #[default]
    Auto,
    /// The terminal screen.
    Tui,
    /// key=value lines.
    Plain,
    /// JSON lines.
    Json,
    /// Nothing.
    None,
}

/// `--format`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, clap::ValueEnum)]
enum Format {
    /// Lines for a person.
    #[default]
    Human,
    /// The object `summary` of results.json; of several runs the whole of runs.json.
    Json,
}

pub fn run(args: &Args) -> Result<u8, Failure> {
    refuse_unbuilt(args)?;
    let mut plans = plans(args)?;
    let workers = args.workers.map(usize::from);
    let pods = args.on.how(&plans, workers, &args.image)?;
    // From here on there may be more than one thread, and then it is too late.
    isolation::enter(&plans)?;
    let options = Options {
        out: args.out.clone(),
        workers,
        pods,
        insecure: args.insecure,
        no_faults: args.no_faults,
        allow_exec: args.allow_exec,
        image: args.image.name.clone(),
        ui: args.ui.choice()?,
        command: scenario::command_line(),
    };
    match plans.pop() {
        Some(only) if plans.is_empty() => one(only, options, args.format),
        last => {
            plans.extend(last);
            several::run(plans, &options, args.format)
        }
    }
}

/// Runs one plan and shows its summary.
fn one(plan: Plan, options: Options, format: Format) -> Result<u8, Failure> {
    let title = plan.title();
    match carry_out(plan, options) {
        Ok(outcome) => {
            print(&summary(&outcome.results, format)?)?;
            complain(&format!("files: {}", outcome.out.display()));
            Ok(told(&title, &outcome))
        }
        Err(failure) => {
            complain(&format!("error: {title}: {}", super::in_full(&failure)));
            Ok(failure.exit_code())
        }
    }
}

/// Says what could not be written; returns how the run exits.
fn told(title: &str, outcome: &run::Outcome) -> u8 {
    for problem in &outcome.unwritten {
        complain(&format!("error: {title}: {problem}"));
    }
    let unwritten = (!outcome.unwritten.is_empty()).then_some(1);
    // The third signal leaves what is still in place to `brunt cleanup`.
    let gave_up = outcome.gave_up.then_some(6);
    let code = outcome.results.summary.exit_code;
    exit::strongest([Some(code), unwritten, gave_up].into_iter().flatten())
}

/// Runs one plan on a runtime of its own.
pub fn carry_out(plan: Plan, options: Options) -> Result<run::Outcome, Failure> {
    Ok(runtime()?.block_on(run::execute(plan, options))?)
}

fn runtime() -> Result<Runtime, Failure> {
    tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .enable_all()
        .build()
        .map_err(|source| Failure::Machine { what: "cannot start the run's threads", source })
}

fn summary(results: &Results, format: Format) -> Result<String, Failure> {
    match format {
        Format::Human => Ok(text::render(results, Style { color: streams::has_color(), ascii: false })),
        Format::Json => serde_json::to_string_pretty(&results.summary)
            .map(|text| text + "\n")
            .map_err(|why| Failure::Usage(format!("the summary has no JSON form: {why}"))),
    }
}

fn plans(args: &Args) -> Result<Vec<Plan>, Failure> {
    if let [only] = args.what.as_slice()
        && url::is_url(only)
    {
        return Ok(vec![url::plan(only, &args.url, &args.overrides, &args.allow_host)?]);
    }
    if let Some(url) = args.what.iter().find(|what| url::is_url(what)) {
        return Err(Failure::Usage(format!("`{url}` is a URL: give one URL, or scenario files, not both")));
    }
    if let Some(flag) = args.url.first_given() {
        if let [only] = args.what.as_slice()
            && let Some(why) = not_a_file::meant("run", only)
        {
            return Err(Failure::Usage(why));
        }
        return Err(Failure::Usage(format!(
            "{flag} belongs to `brunt run URL`; a scenario file says it itself (or use --set)"
        )));
    }
    scenario::plans("run", &args.what, &args.overrides, &args.allow_host, args.only_cell.as_deref())
}

fn refuse_unbuilt(args: &Args) -> Result<(), Failure> {
    let not_built = |what: &str| Err(Failure::Usage(format!("{what} is not built yet in this version")));
    if args.baseline.is_some() {
        return not_built("--baseline (comparing with stored runs)");
    }
    Ok(())
}

impl Screen {
    fn choice(self) -> Result<ui::Choice, Failure> {
        match self {
            Self::Auto => Ok(ui::Choice::automatic()),
            Self::Plain => Ok(ui::Choice::Plain),
            Self::Json => Ok(ui::Choice::Json),
            Self::None => Ok(ui::Choice::None),
            Self::Tui => match ui::no_terminal() {
                None => Ok(ui::Choice::Tui),
                Some(why) => Err(Failure::Usage(format!(
                    "--ui tui draws on a terminal, and {why}; use --ui plain, or leave it to --ui auto"
                ))),
            },
        }
    }
}
