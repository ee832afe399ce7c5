//! `brunt faults [KIND]`: the catalogue.

use std::fmt::Write as _;

use brunt_injector::catalogue::{self, Entry};

use super::{Failure, print};

const EXAMPLES: &str = "\
Examples:
  brunt faults
  brunt faults network.latency
  brunt faults process";

/// List the faults: what each hits, which rights it needs, how it is verified and undone.
#[derive(Debug, clap::Args)]
#[command(after_help = EXAMPLES)]
pub struct Args {
    /// One kind, or a family such as `network`: everything there is to know about it.
    kind: Option<String>,
}

pub fn run(args: &Args) -> Result<u8, Failure> {
    let Some(wanted) = &args.kind else {
        print(&table(catalogue::ALL))?;
        return Ok(0);
    };
    let family = format!("{wanted}.");
    let found: Vec<String> = catalogue::ALL
        .iter()
        .filter(|entry| entry.kind == wanted || entry.kind.starts_with(&family))
        .map(details)
        .collect();
    if found.is_empty() {
        return Err(Failure::Usage(format!("no fault is called `{wanted}`; `brunt faults` lists them")));
    }
    print(&found.join("\n"))?;
    Ok(0)
}

fn table(all: &[Entry]) -> String {
    let (built, planned): (Vec<&Entry>, Vec<&Entry>) = all.iter().partition(|entry| entry.built);
    let width = all.iter().map(|entry| entry.kind.len()).max().unwrap_or(0);
    let hits = built.iter().map(|entry| entry.hits.len()).max().unwrap_or(0);
    let mut out = format!("{:width$}  {:hits$}  what the service feels\n", "fault", "hits");
    for entry in built {
        let _ = writeln!(out, "{:width$}  {:hits$}  {}", entry.kind, entry.hits, entry.does);
    }
    out.push_str("\nNot built yet in this version:\n");
    for entry in planned {
        let _ = writeln!(out, "{:width$}  {}", entry.kind, entry.does);
    }
    out.push_str("\n`brunt faults KIND` says more: rights, mechanism, verification, undo.\n");
    out
}

fn details(entry: &Entry) -> String {
    let built = if entry.built { "" } else { "  (not built yet in this version)" };
    let rows = [
        ("does", entry.does),
        ("hits", entry.hits),
        ("rights", entry.privilege),
        ("mechanism", entry.rung),
        ("verified", entry.verified),
        ("undone", entry.undone),
    ];
    let mut out = format!("{}{built}\n", entry.kind);
    for (name, text) in rows {
        let _ = writeln!(out, "  {name:<10} {text}");
    }
    out
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
        insta::assert_snapshot!(details(catalogue::find("process.pause").expect("it is in the catalogue")));
        insta::assert_snapshot!(details(catalogue::find("network.loss").expect("it is in the catalogue")));
    }

    #[test]
    fn a_fault_that_nobody_knows_is_a_usage_error() {
        let told = run(&Args { kind: Some("network.lag".into()) }).expect_err("there is none");
        assert_eq!(told.exit_code(), 2);
    }
}
