//! `brunt run FILE...` and `brunt run URL`: traffic, faults, verdict, files.

mod several;

use std::path::PathBuf;

use brunt_report::render::text::{self, Style};
use brunt_report::results::Results;
use brunt_scenario::plan::Plan;
use tokio::runtime::Runtime;

use super::scenario::{self, Overrides};
use super::url::{self, UrlArgs};
use super::{Failure, complain, print, streams};
use crate::exit;
use crate::run::{self, Options};
use crate::ui;

const EXAMPLES: &str = "\
Examples:
  brunt run shop.brunt.yaml
  brunt run shop.brunt.yaml --set vars.resilient=true --out results/resilient
  brunt run checkout.brunt.yaml --only-cell 'added_latency=100ms'
  brunt run checkout.brunt.yaml -f ci.yaml --ui json --format json > summary.json
  brunt run http://localhost:8080/health --rate 50/s --for 10s
  brunt run http://localhost:8080/api --users 20 --for 30s --gate 'latency.p99 < 200ms'
  brunt run http://localhost:8080/ --for 30s --fault 'latency 200ms +-20ms at 10s for 10s'
  brunt run https://localhost:8443/orders --insecure --method POST --json '{\"sku\":\"A1\"}'

Exit codes:
  0 pass · 99 gates failed · 5 measurement invalid or inconclusive · 2 scenario invalid
  3 pre-flight failed, nothing injected · 4 aborted by a guardrail · 6 rollback incomplete
  130/143 signal, rolled back. Several files or cells of a matrix: the strongest of all.";

/// Run scenarios, or load one URL.
#[derive(Debug, clap::Args)]
#[command(after_help = EXAMPLES)]
pub struct Args {
    /// Scenario files, one run after the other; or one http(s) URL.
    #[arg(required = true, value_name = "FILE|URL")]
    what: Vec<String>,
    #[command(flatten)]
    overrides: Overrides,
    /// Load workers (threads); default: one a core.
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u16).range(1..=1024))]
    workers: Option<u16>,
    /// Send the load and walk the timeline, but inject nothing.
    #[arg(long)]
    no_faults: bool,
    /// Of a matrix only these cells: 'added_latency=100ms', or several values with commas between them.
    #[arg(long, value_name = "CELL")]
    only_cell: Option<String>,
    /// Run the commands of the scenario's exec faults.
    #[arg(long)]
    allow_exec: bool,
    /// Compare with a stored run. Not built yet.
    #[arg(long, value_name = "RUN", hide = true)]
    baseline: Option<PathBuf>,
    /// Folder of the files; default: results/<name>-<time>. Several files or cells: a folder each below it.
    #[arg(long, value_name = "DIR")]
    out: Option<PathBuf>,
    /// What is shown on stderr during the run; auto is plain in this version.
    #[arg(long, value_enum, default_value_t, hide_possible_values = false)]
    ui: Screen,
    /// The summary on stdout.
    #[arg(long, value_enum, default_value_t)]
    format: Format,
    /// Do not check certificates.
    #[arg(long)]
    insecure: bool,
    /// A host where faults may act, besides this one (repeatable; `*` matches any part).
    #[arg(long, value_name = "HOST")]
    allow_host: Vec<String>,
    #[command(flatten)]
    url: UrlArgs,
}

/// `--ui`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, clap::ValueEnum)]
enum Screen {
    /// What suits best.
    #[default]
    Auto,
    /// The terminal screen. Not built yet.
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
    let options = Options {
        out: args.out.clone(),
        workers: args.workers.map(usize::from),
        insecure: args.insecure,
        no_faults: args.no_faults,
        allow_exec: args.allow_exec,
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
        return Err(Failure::Usage(format!(
            "{flag} belongs to `brunt run URL`; a scenario file says it itself (or use --set)"
        )));
    }
    scenario::plans(&args.what, &args.overrides, &args.allow_host, args.only_cell.as_deref())
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
            Self::Auto | Self::Plain => Ok(ui::Choice::Plain),
            Self::Json => Ok(ui::Choice::Json),
            Self::None => Ok(ui::Choice::None),
            Self::Tui => Err(Failure::Usage(
                "--ui tui (the terminal screen) is not built yet in this version; plain, json and none are".into(),
            )),
        }
    }
}
