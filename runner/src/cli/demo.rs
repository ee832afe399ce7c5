//! `brunt demo`: the toy shop breaks on purpose, then the same scenario with the resilient shop passes.

use std::fs;
use std::path::{Path, PathBuf};

use brunt_report::render::text::{self, Style};
use brunt_report::results::{GateVerdict, Results, Verdict};
use brunt_scenario::plan::Plan;

use super::guide::{self, Example, Guide};
use super::image::Image;
use super::run::carry_out;
use super::scenario::{self, Overrides};
use super::{Failure, complain, folded, print, streams};
use crate::demo::{PACKETS, SCENARIO};
use crate::isolation;
use crate::run::Options;
use crate::ui;

/// The gate that the naive shop has to fail.
const EXPECTED_TO_FAIL: &str = "slow-payment-is-contained";
/// Where the reports lie, unless told otherwise.
const DEFAULT_OUT: &str = "results/demo";
/// How the scenario is called in messages.
const NAME: &str = "shop.brunt.yaml";
/// The same of `--packets`.
const PACKETS_NAME: &str = "packets.brunt.yaml";

/// Examples and the rest of the help.
pub const GUIDE: Guide = Guide {
    examples: &[
        Example { line: "brunt demo", does: "two runs, about a minute; reports in results/demo/" },
        Example { line: "brunt demo --out /tmp/shop", does: "" },
        Example {
            line: "brunt demo --packets",
            does: "real packets are lost between two services, with or without root",
        },
        Example { line: "brunt demo --scenario > shop.brunt.yaml", does: "the scenario, to read and to change" },
    ],
    exit_status: &[
        ("0", "the naive shop failed its gate on slow payments, the resilient one passed: as it should be"),
        ("1", "it went otherwise"),
        ("3", "the shop could not be started; nothing was injected"),
        ("130, 143", "stopped by a signal, rolled back"),
    ],
    files: &[("results/demo/{naive,resilient}/", "the files of both runs, report.html among them"), guide::JOURNALS],
    environment: &[guide::NO_COLOR, guide::STATE_HOME],
};

const INTRODUCTION: &str = "\
A toy shop on this machine: gateway -> orders -> payments (three instances). brunt starts it,
puts its proxy between orders and payments, and sends shoppers. Then it slows one payment
instance down by 400 ms, and later kills one.

First the naive shop: no time limit, no retry, plain round robin. It should fail a gate.

";

const SECOND: &str = "
Now the same scenario with the resilient shop (--set vars.resilient=true): 100 ms a try, retries
at another instance within a budget, a sick instance is left out for a while. It should pass.

";

/// What is said before the shop whose wires lose packets.
const LOSSY: &str = "\
The toy shop, each instance in a network namespace of its own. For ten seconds 5 % of the packets
between orders and payments are lost: TCP sends them again, 200 ms later at the earliest. Most orders
do not notice; a few are late by that much or more, and as soon as the fault is gone nobody is.

";

/// See a toy shop break, and the same shop that does not (about a minute).
///
/// Starts a gateway, orders and three payment instances on this machine, slows one instance down, later kills it, and judges;
/// once with a shop that has no time limits, once with one that has. Needs no rights and nothing installed.
#[derive(Debug, clap::Args)]
#[command(after_help = GUIDE.short(), after_long_help = GUIDE.long())]
pub struct Args {
    /// Folder of the files [default: results/demo, or the temporary folder if that cannot be written].
    #[arg(long, value_name = "DIR", value_hint = clap::ValueHint::DirPath)]
    out: Option<PathBuf>,
    /// Write the scenario to stdout and end.
    #[arg(long)]
    scenario: bool,
    /// The shop in network namespaces, while 5 % of the packets between orders and payments are lost.
    ///
    /// Half a minute. Without root it runs in a user namespace.
    #[arg(long)]
    packets: bool,
}

pub fn run(args: &Args) -> Result<u8, Failure> {
    if args.scenario {
        print(if args.packets { PACKETS } else { SCENARIO })?;
        return Ok(0);
    }
    if args.packets {
        return lossy(&out_folder(args.out.as_deref())?.join("packets"));
    }
    let out = out_folder(args.out.as_deref())?;
    print(&folded::for_reader(INTRODUCTION.to_owned()))?;
    let naive = half(&out.join("naive"), "false")?;
    if interrupted(&naive) {
        return Ok(naive.summary.exit_code);
    }
    print(&folded::for_reader(SECOND.to_owned()))?;
    let resilient = half(&out.join("resilient"), "true")?;
    if interrupted(&resilient) {
        return Ok(resilient.summary.exit_code);
    }
    print(&folded::for_reader(conclusion(&naive, &resilient, &out)))?;
    Ok(u8::from(!(failed_as_expected(&naive) && resilient.summary.verdict == Verdict::Pass)))
}

/// The shop whose wires lose packets.
fn lossy(out: &Path) -> Result<u8, Failure> {
    print(&folded::for_reader(LOSSY.to_owned()))?;
    let plan = scenario::plan_of_text(PACKETS_NAME, PACKETS, &[], &Overrides::default(), &[])?;
    isolation::enter(std::slice::from_ref(&plan))?;
    let results = show(plan, out)?;
    let report = out.join("report.html");
    print(&format!("\nThe latency of that half minute is drawn in {}\n", report.display()))?;
    Ok(results.summary.exit_code)
}

/// Runs the shop once and prints its summary.
fn half(out: &Path, resilient: &str) -> Result<Results, Failure> {
    let overrides = Overrides::set_one("vars.resilient", resilient);
    show(scenario::plan_of_text(NAME, SCENARIO, &[], &overrides, &[])?, out)
}

/// Runs a plan and prints its summary.
fn show(plan: Plan, out: &Path) -> Result<Results, Failure> {
    let options = Options {
        out: Some(out.to_owned()),
        workers: None,
        pods: None,
        insecure: false,
        no_faults: false,
        allow_exec: false,
        image: Image::of_this_version().name,
        ui: ui::Choice::automatic(),
        command: scenario::command_line(),
    };
    let outcome = carry_out(plan, options)?;
    print(&text::render(&outcome.results, Style { color: streams::has_color(), ascii: false }))?;
    for problem in &outcome.unwritten {
        complain(&format!("error: {problem}"));
    }
    Ok(outcome.results)
}

fn interrupted(results: &Results) -> bool {
    matches!(results.summary.exit_code, 130 | 143 | 6)
}

fn failed_as_expected(results: &Results) -> bool {
    let gates = &results.summary.gates;
    results.summary.verdict == Verdict::Fail
        && gates.iter().any(|gate| gate.id == EXPECTED_TO_FAIL && gate.verdict == GateVerdict::Fail)
}

/// What to look at, or what went differently.
fn conclusion(naive: &Results, resilient: &Results, out: &Path) -> String {
    let mut text = String::from("\n");
    if failed_as_expected(naive) {
        text.push_str(&format!(
            "The naive shop failed `{EXPECTED_TO_FAIL}`, as it should: every third order waits for the slow instance.\n"
        ));
    } else {
        text.push_str(&format!(
            "The naive shop should have failed `{EXPECTED_TO_FAIL}`, and did not: {}\n",
            naive.summary.sentence
        ));
    }
    if resilient.summary.verdict == Verdict::Pass {
        text.push_str("The resilient shop passed: the same instance was as slow, and its shoppers did not notice.\n");
    } else {
        text.push_str(&format!("The resilient shop should have passed, and did not: {}\n", resilient.summary.sentence));
    }
    text.push_str(&format!(
        "
Look at the timeline of both reports: the fault bands stand on the same clock as the latency below them.
  {}
  {}

Next:
  brunt demo --scenario > {NAME}    the scenario that you have just seen
  brunt plan {NAME}                 what it does, when, to whom
  brunt run http://localhost:8080 --rate 50/s --for 10s
",
        out.join("naive/report.html").display(),
        out.join("resilient/report.html").display(),
    ));
    text
}

/// The folder of the reports. Somebody may try the demo where nothing can be written; it should still run.
fn out_folder(given: Option<&Path>) -> Result<PathBuf, Failure> {
    if let Some(given) = given {
        return Ok(given.to_owned());
    }
    let here = PathBuf::from(DEFAULT_OUT);
    let Err(why) = fs::create_dir_all(&here) else { return Ok(here) };
    let elsewhere = std::env::temp_dir().join(format!("brunt-demo-{}", std::process::id()));
    complain(&format!("note: cannot write to {}: {why}; the reports go to {}", here.display(), elsewhere.display()));
    Ok(elsewhere)
}
