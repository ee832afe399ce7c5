//! `brunt faults [KIND]`: the catalogue.

use std::fmt::Write as _;

use brunt_injector::catalogue as carried_out;
use brunt_scenario::catalogue::{self, FaultKind, Lasts, Param, TargetKind};
use brunt_scenario::words::nearest;

use super::explain::rows;
use super::guide::{self, Example, Guide};
use super::{Failure, folded, print, values};

/// Examples and the rest of the help.
pub const GUIDE: Guide = Guide {
    examples: &[
        Example { line: "brunt faults", does: "all of them, and which are not built in this version" },
        Example { line: "brunt faults network.latency", does: "one: rights, mechanism, verification, undo" },
        Example { line: "brunt faults process", does: "a family" },
    ],
    exit_status: guide::OK_OR_USAGE,
    files: &[],
    environment: &[],
};

/// List the faults: what each hits, which rights it needs, how it is verified and undone.
#[derive(Debug, clap::Args)]
#[command(after_help = GUIDE.short(), after_long_help = GUIDE.long())]
pub struct Args {
    /// One kind, or a family such as `network`: everything there is to know about it.
    #[arg(value_name = "KIND", add = values::fault_kinds())]
    kind: Option<String>,
}

pub fn run(args: &Args) -> Result<u8, Failure> {
    let Some(wanted) = &args.kind else {
        print(&folded::for_reader(table(catalogue::ALL)))?;
        return Ok(0);
    };
    let family = format!("{wanted}.");
    let found: Vec<String> = catalogue::ALL
        .iter()
        .filter(|kind| kind.name == wanted || kind.name.starts_with(&family))
        .map(details)
        .collect();
    if found.is_empty() {
        let near = nearest(wanted, catalogue::ALL.iter().map(|kind| kind.name));
        let near =
            near.map_or_else(|| "`brunt faults` lists them".to_owned(), |near| format!("did you mean `{near}`?"));
        return Err(Failure::Usage(format!("no fault is called `{wanted}`; {near}")));
    }
    print(&found.join("\n"))?;
    Ok(0)
}

fn table(all: &[FaultKind]) -> String {
    let planned: Vec<&FaultKind> = all.iter().filter(|kind| !kind.is_built()).collect();
    let width = all.iter().map(|kind| kind.name.len()).max().unwrap_or(0);
    let hits = carried_out::ALL.iter().map(|entry| words(entry.on).len()).max().unwrap_or(0);
    let mut out = format!("{:width$}  {:hits$}  what the service feels\n", "fault", "hits");
    for entry in carried_out::ALL {
        let _ = writeln!(out, "{:width$}  {:hits$}  {}", entry.kind, words(entry.on), entry.feels);
    }
    out.push_str("\nNot built yet in this version:\n");
    for kind in planned {
        let _ = writeln!(out, "{:width$}  {}", kind.name, kind.does);
    }
    out.push_str("\n`brunt faults KIND` says more: parameters, rights, mechanism, verification, undo.\n");
    out
}

fn words(kinds: &[TargetKind]) -> String {
    kinds.iter().map(|kind| kind.word()).collect::<Vec<_>>().join(", ")
}

/// Everything there is to know about a kind.
pub fn details(kind: &FaultKind) -> String {
    let entries: Vec<_> = carried_out::of(kind.name).collect();
    let mut about = vec![("does", kind.does.to_owned()), ("hits", hits(kind))];
    about.push((
        "lasts",
        match kind.lasts {
            Lasts::Until => "until it is removed: needs `for:`".to_owned(),
            Lasts::Instant => "over at once: must not have `for:`".to_owned(),
        },
    ));
    for entry in &entries {
        if entries.len() > 1 {
            about.push(("", String::new()));
            about.push(("on", words(entry.on)));
        }
        about.push(("feels", entry.feels.to_owned()));
        about.push(("rights", entry.privilege.to_owned()));
        let limit = entry.limit().map(|limit| format!(", {limit}")).unwrap_or_default();
        about.push(("mechanism", format!("{}{limit}", entry.rung)));
        about.push(("verified", entry.verified.to_owned()));
        about.push(("undone", entry.undone.to_owned()));
        if entry.is_in_pods(TargetKind::Kubernetes) && entry.on.contains(&TargetKind::Kubernetes) && entry.on.len() > 1
        {
            let inside = entry.on_target(TargetKind::Kubernetes);
            about.push(("in pods", format!("by an agent in an ephemeral container; rights: {}", inside.privilege)));
            about.push(("", format!("undone: {}", inside.undone)));
        }
    }
    if let Some((_, why)) = carried_out::WHY_NOT.iter().find(|(name, _)| *name == kind.name) {
        about.push(("why not", (*why).to_owned()));
    }
    if let Some((_, why)) = carried_out::NOT_IN_PODS.iter().find(|(name, _)| *name == kind.name) {
        about.push(("not in pods", (*why).to_owned()));
    }
    let built = if kind.is_built() { "" } else { "  (not built yet in this version)" };
    let mut out = format!("{}{built}\n{}", kind.name, rows(&about));
    if kind.params.is_empty() {
        out.push_str("\nIt takes no parameters.\n");
    } else {
        out.push_str("\nParameters (`with:`):\n");
        out.push_str(&rows(&kind.params.iter().map(parameter).collect::<Vec<_>>()));
    }
    out
}

/// Targets, and which of them only a later version hits.
fn hits(kind: &FaultKind) -> String {
    let later: Vec<TargetKind> = kind.takes.iter().copied().filter(|target| !kind.built.contains(target)).collect();
    match (kind.is_built(), later.is_empty()) {
        (true, true) => words(kind.built),
        (true, false) => format!("{} (not built yet: {})", words(kind.built), words(&later)),
        (false, _) => words(kind.takes),
    }
}

fn parameter(param: &Param) -> (&'static str, String) {
    let need = match (param.default, param.required, param.unless) {
        (Some(default), ..) => format!(", default {default}"),
        (None, true, []) => ", required".to_owned(),
        (None, true, others) => {
            let others: Vec<String> = others.iter().map(|other| format!("`{other}`")).collect();
            format!(", required without {}", others.join(" or "))
        }
        (None, false, _) => String::new(),
    };
    (param.name, format!("{} ({}{need})", param.about, param.ty.what()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_table_is_what_people_read_first() {
        insta::assert_snapshot!(table(catalogue::ALL));
    }

    #[test]
    fn a_kind_tells_everything_about_itself() {
        insta::assert_snapshot!(details(FaultKind::find("process.pause").expect("it is in the catalogue")));
        insta::assert_snapshot!(details(FaultKind::find("network.loss").expect("it is in the catalogue")));
        insta::assert_snapshot!(details(FaultKind::find("clock.skew").expect("it is in the catalogue")));
    }

    #[test]
    fn a_fault_that_nobody_knows_is_a_usage_error() {
        let told = run(&Args { kind: Some("network.lag".into()) }).expect_err("there is none");
        assert_eq!(told.exit_code(), 2);
    }
}
