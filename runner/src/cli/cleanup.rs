//! `brunt cleanup`: undoes what a crash, a kill or a power loss has left.

use brunt_injector::cleanup::{self, CleanupReport};

use super::guide::{self, Example, Guide};
use super::{Failure, print};

/// Examples and the rest of the help.
pub const GUIDE: Guide = Guide {
    examples: &[Example { line: "brunt cleanup", does: "says what it found, undid, and could not undo" }],
    exit_status: &[("0", "nothing is left"), ("6", "something could not be undone; it says what a person can do")],
    files: &[guide::JOURNALS],
    environment: &[guide::STATE_HOME],
};

/// Undo what an earlier run has left; runs that are alive are not touched.
///
/// Needed only when brunt and the process beside it both ended before they could undo: a power loss, a kill of both.
#[derive(Debug, clap::Args)]
#[command(after_help = GUIDE.short(), after_long_help = GUIDE.long())]
pub struct Args {}

pub fn run(_: &Args) -> Result<u8, Failure> {
    let report = cleanup::cleanup(None)?;
    print(&text(&report))?;
    Ok(report.exit_code())
}

fn text(report: &CleanupReport) -> String {
    let mut out = String::new();
    let sections = [
        ("found", &report.found),
        ("undone", &report.undone),
        ("failed", &report.failed),
        ("alive", &report.skipped_live),
    ];
    for (word, sentences) in sections {
        for sentence in sentences {
            out.push_str(&format!("{word}: {sentence}\n"));
        }
    }
    if report.found.is_empty() && report.failed.is_empty() {
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
            failed: vec!["run b: no right to signal 13".into()],
            skipped_live: vec!["run c is alive".into()],
        };
        insta::assert_snapshot!(text(&report));
    }
}
