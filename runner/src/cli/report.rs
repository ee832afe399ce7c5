//! `brunt report FILE`: the files of a run again, byte for byte, from its results; or what there is, from its events.

use std::fs;
use std::path::{Path, PathBuf};

use brunt_report::results::{self, Results};

use super::guide::{Example, Guide};
use super::{Failure, print};
use crate::files::{RENDERINGS, events, story, write_whole};

/// Examples and the rest of the help.
pub const GUIDE: Guide = Guide {
    examples: &[
        Example { line: "brunt report results/shop-20260102T030405Z/results.json", does: "" },
        Example { line: "brunt report results.json --out again", does: "in another folder" },
        Example {
            line: "brunt report results/shop-20260102T030405Z/events.jsonl",
            does: "what there is of a run that was killed",
        },
    ],
    exit_status: &[
        ("0", "written"),
        ("1", "could not be written"),
        ("2", "the file is not there or is no results.json"),
    ],
    files: &[("report.html, junit.xml, summary.md", "byte for byte as the run wrote them")],
    environment: &[],
};

/// Make report.html, junit.xml and summary.md from the results of a run.
#[derive(Debug, clap::Args)]
#[command(after_help = GUIDE.short(), after_long_help = GUIDE.long())]
pub struct Args {
    /// results.json, or events.jsonl of a run that was killed.
    #[arg(value_name = "FILE", value_hint = clap::ValueHint::FilePath)]
    file: PathBuf,
    /// Where to [default: beside the file].
    #[arg(long, value_name = "DIR", value_hint = clap::ValueHint::DirPath)]
    out: Option<PathBuf>,
}

pub fn run(args: &Args) -> Result<u8, Failure> {
    let results = read(&args.file)?;
    let beside = args.file.parent().map_or_else(PathBuf::new, Path::to_path_buf);
    let out = args.out.clone().unwrap_or(beside);
    let out = if out.as_os_str().is_empty() { PathBuf::from(".") } else { out };
    let cannot = |what: PathBuf, source| Failure::File { action: "write", path: what, source };
    fs::create_dir_all(&out).map_err(|source| cannot(out.clone(), source))?;
    for rendering in &RENDERINGS {
        let text = (rendering.render)(&results);
        write_whole(&out, rendering.file, &text).map_err(|source| cannot(out.join(rendering.file), source))?;
        print(&format!("{}\n", out.join(rendering.file).display()))?;
    }
    Ok(0)
}

/// The results of a run: of results.json, or what events.jsonl knows.
pub(super) fn read(path: &Path) -> Result<Results, Failure> {
    let text =
        fs::read_to_string(path).map_err(|source| Failure::File { action: "read", path: path.to_owned(), source })?;
    let wrong = |why: String| Failure::Usage(format!("{}: {why}", path.display()));
    if path.extension().is_some_and(|extension| extension == "jsonl") {
        let (header, events) = events::parse(&text).map_err(|why| wrong(super::in_full(&why)))?;
        return Ok(story::results(header, events));
    }
    results::read(&text).map_err(|why| wrong(super::in_full(&why)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::clock::Clock;
    use crate::files::Files;
    use crate::files::tests::{event, plan, results};

    fn report(file: PathBuf, out: &Path) -> Result<u8, Failure> {
        run(&Args { file, out: Some(out.to_owned()) })
    }

    #[test]
    fn the_files_are_the_same_byte_for_byte() {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let (first, again) = (folder.path().join("first"), folder.path().join("again"));
        let files = Files::prepare(&plan("shop"), Some(&first), Clock::start()).expect("the folder can be made");
        assert!(files.write(&results()).is_empty());
        assert_eq!(report(first.join("results.json"), &again).expect("it can be rendered"), 0);
        for rendering in &RENDERINGS {
            let [was, is] = [&first, &again].map(|folder| fs::read(folder.join(rendering.file)).expect("it is there"));
            assert_eq!(was, is, "{}", rendering.file);
        }
    }

    #[test]
    fn a_run_that_was_killed_still_has_a_report() {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let mut files =
            Files::prepare(&plan("shop"), Some(folder.path()), Clock::start()).expect("the folder is there");
        files.event(&event(0.5, "fault.injecting"));
        drop(files);
        let out = folder.path().join("out");
        assert_eq!(report(folder.path().join("events.jsonl"), &out).expect("it can be rendered"), 0);
        let summary = fs::read_to_string(out.join("summary.md")).expect("it is there");
        assert!(summary.contains("did not come to its end"), "{summary}");
    }

    #[test]
    fn another_file_is_refused_with_the_reason() {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let file = folder.path().join("results.json");
        let cases = [
            ("no json", "not a results.json"),
            ("{\"schema\":\"brunt.results/9\"}", "this is `brunt.results/9`"),
            ("{\"schema\":\"brunt.results/1\"}", "not a whole brunt.results/1"),
        ];
        for (text, reason) in cases {
            fs::write(&file, text).expect("it can be written");
            let told = report(file.clone(), folder.path()).expect_err("it is no results.json");
            assert!(told.to_string().contains(reason), "{told}");
            assert_eq!(told.exit_code(), 2);
        }
        assert_eq!(report(folder.path().join("gone.json"), folder.path()).expect_err("it is gone").exit_code(), 2);
    }
}
