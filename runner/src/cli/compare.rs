//! `brunt compare FIRST SECOND`: two runs beside each other. Compares; does not judge.

use std::fs;
use std::path::{Path, PathBuf};

use brunt_report::compare::Comparison;
use brunt_report::render::compare::{html, text};

use super::guide::{Example, Guide};
use super::report::read;
use super::{Failure, print};
use crate::files::write_whole;

/// Examples and the rest of the help.
pub const GUIDE: Guide = Guide {
    examples: &[
        Example {
            line: "brunt compare results/shop-20260102T030405Z results/shop-20260103T030405Z",
            does: "windows, gates and faults beside each other",
        },
        Example {
            line: "brunt compare before/results.json after/results.json --out compared",
            does: "and compared/compare.html, with the charts on the same scales",
        },
    ],
    exit_status: &[
        ("0", "compared, whatever came of it: two runs show a difference, not its cause"),
        ("1", "compare.html could not be written"),
        ("2", "a file is not there or is no results.json"),
    ],
    files: &[("compare.html", "only with --out")],
    environment: &[],
};

/// The page's name.
const PAGE: &str = "compare.html";

/// Hold one run against another.
#[derive(Debug, clap::Args)]
#[command(after_help = GUIDE.short(), after_long_help = GUIDE.long())]
pub struct Args {
    /// The yardstick: results.json, or the folder of a run.
    #[arg(value_name = "FIRST", value_hint = clap::ValueHint::AnyPath)]
    first: PathBuf,
    /// What is held against it.
    #[arg(value_name = "SECOND", value_hint = clap::ValueHint::AnyPath)]
    second: PathBuf,
    /// Also write compare.html, here.
    #[arg(long, value_name = "DIR", value_hint = clap::ValueHint::DirPath)]
    out: Option<PathBuf>,
}

pub fn run(args: &Args) -> Result<u8, Failure> {
    let [first, second] = [&args.first, &args.second].map(|path| file_of(path));
    let (one, two) = (read(&first)?, read(&second)?);
    let comparison = Comparison::of(&one, &two);
    let names = [&args.first, &args.second].map(|path| path.display().to_string());
    let names = [names[0].as_str(), names[1].as_str()];
    print(&text::render(&comparison, names))?;
    if let Some(out) = &args.out {
        let cannot = |what: PathBuf, source| Failure::File { action: "write", path: what, source };
        fs::create_dir_all(out).map_err(|source| cannot(out.clone(), source))?;
        write_whole(out, PAGE, &html::render(&comparison, names)).map_err(|source| cannot(out.join(PAGE), source))?;
        print(&format!("\n{}\n", out.join(PAGE).display()))?;
    }
    Ok(0)
}

/// A folder stands for the results in it.
fn file_of(path: &Path) -> PathBuf {
    if path.is_dir() { path.join("results.json") } else { path.to_owned() }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::clock::Clock;
    use crate::files::Files;
    use crate::files::tests::{plan, results};

    fn args(first: &Path, second: &Path, out: Option<&Path>) -> Args {
        Args { first: first.to_owned(), second: second.to_owned(), out: out.map(Path::to_owned) }
    }

    #[test]
    fn folders_and_files_are_compared_and_the_page_is_written() {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let of_run = folder.path().join("run");
        let files = Files::prepare(&plan("shop"), Some(&of_run), Clock::start()).expect("the folder can be made");
        assert!(files.write(&results()).is_empty());
        let out = folder.path().join("out");
        let args = args(&of_run, &of_run.join("results.json"), Some(&out));
        assert_eq!(run(&args).expect("they can be compared"), 0);
        assert!(fs::read_to_string(out.join(PAGE)).expect("it is there").contains("Two runs beside each other"));
    }

    #[test]
    fn what_cannot_be_read_is_exit_2() {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let empty = folder.path().join("empty");
        fs::create_dir(&empty).expect("it can be made");
        let broken = folder.path().join("results.json");
        fs::write(&broken, "no json").expect("it can be written");
        for (first, second) in [(&empty, &broken), (&broken, &broken)] {
            let told = run(&args(first, second, None)).expect_err("it cannot be read");
            assert_eq!(told.exit_code(), 2, "{told}");
        }
    }
}
