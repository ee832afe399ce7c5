//! `brunt plan FILE...`: what would happen, when, to whom, with which rights, and how it is undone. Touches nothing.

mod cells;
mod load;
mod look;
mod parts;
mod times;

use brunt_report::render::format;
use brunt_scenario::plan::Plan;
use look::Look;

use super::guide::{self, Example, Guide};
use super::image::Image;
use super::on::On;
use super::scenario::{self, Overrides};
use super::{Failure, folded, print, values};
use crate::exit;
use crate::isolation::{self, Way};
use crate::load::pods::How;
use crate::run::{RunError, permission};

/// Examples and the rest of the help.
pub const GUIDE: Guide = Guide {
    examples: &[
        Example { line: "brunt plan shop.brunt.yaml", does: "" },
        Example { line: "brunt plan shop.brunt.yaml --set vars.resilient=true", does: "" },
        Example {
            line: "brunt plan checkout.brunt.yaml -f ci.yaml --seed 7",
            does: "victims and arrivals that seed 7 decides",
        },
        Example { line: "brunt plan checkout.brunt.yaml --only-cell 'added_latency=400ms'", does: "" },
        Example {
            line: "brunt plan pods.brunt.yaml --on kubernetes --workers 4 --namespace load",
            does: "would the cluster let these pods send the load?",
        },
    ],
    exit_status: &[
        ("0", "it can be run"),
        ("2", "the scenario is wrong, or asks for what is not built in this version"),
        ("3", "a fault has nobody to hit, may not act there, or it or a probe lacks a right"),
    ],
    files: &[],
    environment: &[guide::NO_COLOR, guide::VARIABLES, guide::ANY_OTHER],
};

/// Show what a scenario would do: times, load, victims, rights, undo.
///
/// Looks at the machine (who would be hit?) and touches nothing.
#[derive(Debug, clap::Args)]
#[command(after_help = GUIDE.short(), after_long_help = GUIDE.long())]
pub struct Args {
    /// Scenario files.
    #[arg(required = true, value_name = "FILE", add = values::scenarios())]
    files: Vec<String>,
    #[command(flatten)]
    overrides: Overrides,
    /// Of a matrix only these cells: 'added_latency=100ms', or several values with commas between them.
    #[arg(long, value_name = "CELL", help_heading = "Scenario")]
    only_cell: Option<String>,
    /// A host where faults may act, besides this one (repeatable; `*` matches any part).
    #[arg(long, value_name = "HOST", help_heading = "Faults")]
    allow_host: Vec<String>,
    /// With --on kubernetes: how many pods send the load.
    #[arg(long, value_name = "N", help_heading = "Load", value_parser = clap::value_parser!(u16).range(1..=1024))]
    workers: Option<u16>,
    #[command(flatten)]
    image: Image,
    #[command(flatten)]
    on: On,
}

pub fn run(args: &Args) -> Result<u8, Failure> {
    let plans = scenario::plans("plan", &args.files, &args.overrides, &args.allow_host, args.only_cell.as_deref())?;
    let image = &args.image.name;
    let looks: Vec<Look<'_>> = plans.iter().map(|plan| Look::at(plan, image)).collect();
    // Cells of one file follow each other.
    let described: Vec<String> = looks
        .chunk_by(|one, next| !next.plan.cell.is_empty() && one.plan.source == next.plan.source)
        .map(|cells| file(cells, image))
        .collect();
    print(&folded::for_reader(described.join("\n")))?;
    let isolated = isolated(&plans)?;
    let pods = args.on.how(&plans, args.workers.map(usize::from), &args.image)?;
    let pods = match (pods, plans.first()) {
        (Some(how), Some(plan)) => from_pods(&how, plan)?,
        _ => None,
    };
    let forbidden = forbidden(&plans)?;
    let missing = plans.iter().flat_map(|plan| &plan.not_built).map(|missing| missing.exit_code);
    let resolves = |look: &Look<'_>| look.finds_all() && parts::all_may_ask(look.plan);
    let unresolved = looks.iter().filter(|look| !resolves(look)).map(|_| 3);
    Ok(exit::strongest(missing.chain(unresolved).chain(isolated).chain(pods).chain(forbidden)))
}

/// Says where faults would act that may not act there, each place once; the exit code if there is one. Commands say it themselves.
fn forbidden(plans: &[Plan]) -> Result<Option<u8>, Failure> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    let runtime = runtime.map_err(|source| RunError::System { what: "starting the runtime", source })?;
    let mut said: Vec<String> = Vec::new();
    for plan in plans {
        let allowed = runtime.block_on(permission::places(plan));
        if let Err(error @ (RunError::NotAllowed { .. } | RunError::ClusterNotAllowed { .. })) = allowed
            && !said.contains(&error.to_string())
        {
            said.push(error.to_string());
        }
    }
    said.iter().try_for_each(|why| print(&folded::for_reader(format!("\n`brunt run` will refuse this: {why}\n"))))?;
    Ok((!said.is_empty()).then_some(3))
}

/// Says how isolated services would be had on this machine, by an attempt that nobody sees; the exit code if they cannot.
fn isolated(plans: &[Plan]) -> Result<Option<u8>, Failure> {
    if !plans.iter().any(isolation::is_wanted) {
        return Ok(None);
    }
    let said = match isolation::look(plans) {
        Ok(Way::Here) => return Ok(None),
        Ok(Way::Apart) => {
            "without root: services and load live in a user namespace, with a network of its own".to_owned()
        }
        Err(impossible) => {
            print(&format!("\ncannot be run here: {impossible}\n"))?;
            return Ok(Some(3));
        }
    };
    print(&format!("\n{said}\n")).map(|()| None)
}

/// Says where the load would come from, once the cluster has said that it would take such a Job; the exit code if it would not.
fn from_pods(how: &How, plan: &Plan) -> Result<Option<u8>, Failure> {
    let asked = how.look(plan);
    let text = match &asked {
        Ok((namespace, cluster)) => format!(
            "\nload from the cluster: {} of a Job in the namespace `{namespace}` of {cluster}, image {}; the cluster would admit it\n",
            format::counted(how.workers as u64, "pod"),
            how.image
        ),
        Err(why) => format!("\ncannot be run: {why}\n"),
    };
    print(&text).map(|()| asked.err().map(|_| 3))
}

/// One scenario: its plan, or an overview of its cells and the first of them.
fn file(cells: &[Look<'_>], image: &str) -> String {
    match cells {
        [only] => describe(only, image),
        several => cells::describe(several) + &describe(&several[0], image),
    }
}

/// The whole plan in words; agents in pods would be of this image.
fn describe(look: &Look<'_>, image: &str) -> String {
    let plan = look.plan;
    let mut page = Page::default();
    page.line(&format!("{} · seed {} · {}", plan.title(), plan.seed, plan.source));
    if !plan.description.is_empty() {
        page.line(plan.description.trim());
    }
    let schedule = times::Schedule::of(plan);
    parts::services(&mut page, plan);
    parts::network(&mut page, plan);
    parts::links(&mut page, plan);
    load::write(&mut page, plan, &schedule);
    parts::steady_state(&mut page, plan);
    times::write(&mut page, &schedule);
    parts::faults(&mut page, look, image);
    parts::guardrails(&mut page, plan);
    parts::gates(&mut page, plan);
    parts::not_built(&mut page, plan);
    page.text
}

/// Sections of rows whose columns are as wide as their widest cell.
#[derive(Debug, Default)]
pub struct Page {
    text: String,
}

impl Page {
    fn line(&mut self, line: &str) {
        self.text.push_str(line.trim_end());
        self.text.push('\n');
    }

    /// A heading and its rows; nothing without rows.
    fn section(&mut self, heading: &str, rows: &[Vec<String>]) {
        if rows.is_empty() {
            return;
        }
        self.line("");
        self.line(heading);
        let columns = rows.iter().map(Vec::len).max().unwrap_or(0);
        let width = |column: usize| {
            // The last cell of a row may be as long as it likes: nothing follows it.
            let cells = rows.iter().filter(|row| row.len() > column + 1).map(|row| row[column].chars().count());
            cells.max().unwrap_or(0)
        };
        let widths: Vec<usize> = (0..columns).map(width).collect();
        for row in rows {
            let mut line = String::from(" ");
            for (cell, width) in row.iter().zip(&widths) {
                line.push_str(&format!(" {cell:<width$} "));
            }
            self.line(&line);
        }
    }
}

#[cfg(test)]
mod tests;
