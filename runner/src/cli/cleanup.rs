//! `brunt cleanup`: undoes what a crash, a kill or a power loss has left.

use brunt_injector::cleanup::{self, CleanupReport, How};

use super::guide::{self, Example, Guide};
use super::{Failure, print};

/// Examples and the rest of the help.
pub const GUIDE: Guide = Guide {
    examples: &[
        Example { line: "brunt cleanup", does: "says what it found, undid, and could not undo" },
        Example { line: "brunt cleanup --dry-run", does: "says what it would undo, and touches nothing" },
    ],
    exit_status: &[
        ("0", "nothing is left"),
        ("6", "something could not be undone, and it says what a person can do; or a dry run has found something"),
    ],
    files: &[guide::JOURNALS],
    environment: &[guide::STATE_HOME],
};

/// Undo what an earlier run has left; runs that are alive are not touched.
///
/// Needed only when brunt and the process beside it both ended before they could undo: a power loss, a kill of both.
#[derive(Debug, clap::Args)]
#[command(after_help = GUIDE.short(), after_long_help = GUIDE.long())]
pub struct Args {
    /// Say what would be undone, and touch nothing.
    #[arg(long)]
    dry_run: bool,
    /// Also take what bears a run's name where no journal, agent or process is left to ask: logs in the state folder.
    #[arg(long)]
    all: bool,
}

pub fn run(args: &Args) -> Result<u8, Failure> {
    let report = cleanup::cleanup_as(None, How { dry_run: args.dry_run, all: args.all })?;
    print(&text(&report))?;
    Ok(report.exit_code())
}

fn text(report: &CleanupReport) -> String {
    let mut out = String::new();
    let sections = [
        ("found", &report.found),
        ("undone", &report.undone),
        ("would", &report.would),
        ("failed", &report.failed),
        ("alive", &report.skipped_live),
    ];
    for (word, sentences) in sections {
        for sentence in sentences {
            out.push_str(&format!("{word}: {sentence}\n"));
        }
    }
    if [&report.found, &report.would, &report.failed].into_iter().all(Vec::is_empty) {
        out.push_str("nothing is left to undo\n");
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_empty_report_says_so_and_a_full_one_says_everything() {
        assert_eq!(text(&CleanupReport::default()), "nothing is left to undo\n");
        let report = CleanupReport {
            found: vec!["run a: process.pause `p`".into()],
            undone: vec!["run a: process.pause `p`: continued 12".into()],
            would: vec!["run d: process.pause `p`: continue 14, if stopped".into()],
            failed: vec!["run b: no right to signal 13".into()],
            skipped_live: vec!["run c is alive".into()],
        };
        insta::assert_snapshot!(text(&report));
    }
}
