//! A `brunt` that has ended, and what it left.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use brunt_report::results::{FaultData, GateData, Health, Results, WindowData};
use tempfile::TempDir;

/// What is known of a command after its end. Its folder lives as long as this value.
#[derive(Debug)]
pub struct Ended {
    /// The exit code, or 128 + the signal that ended it, as a shell says it.
    pub code: i32,
    /// Standard output.
    pub stdout: String,
    /// Standard error.
    pub stderr: String,
    /// From start to end.
    pub took: Duration,
    /// The mark of its processes: see [`crate::host::marked`].
    pub mark: String,
    /// The folder that was given by `--out`, if a scenario was run.
    pub out: PathBuf,
    /// The folder in which it was started: what it names without a `/` in front is there.
    pub folder: PathBuf,
    /// Keeps the folders.
    pub(crate) _home: Arc<TempDir>,
}

impl Ended {
    /// Fails with everything that the command said, unless it ended with this code.
    #[track_caller]
    pub fn expect_code(self, code: i32) -> Self {
        assert_eq!(self.code, code, "exit code; the command said:\n{self}");
        self
    }

    /// Fails unless the run passed, or could not be trusted only because the machine was late: for stories that ask what was
    /// done and not how fast.
    #[track_caller]
    pub fn expect_done(self) -> Self {
        if self.only_the_machine_was_late() { self } else { self.expect_code(0) }
    }

    /// Fails unless both streams together hold this text.
    #[track_caller]
    pub fn expect_said(self, text: &str) -> Self {
        assert!(self.stderr.contains(text) || self.stdout.contains(text), "nothing says {text:?}:\n{self}");
        self
    }

    /// results.json.
    #[track_caller]
    pub fn results(&self) -> Results {
        let path = self.out.join("results.json");
        let text = fs::read_to_string(&path)
            .unwrap_or_else(|why| panic!("{}: {why}; the command said:\n{self}", path.display()));
        serde_json::from_str(&text).unwrap_or_else(|why| panic!("{}: {why}", path.display()))
    }

    /// Whether every run that was distrusted is so for this reason alone: see [`only_the_machine_was_late`].
    pub fn only_the_machine_was_late(&self) -> bool {
        let named = self.stderr.lines().filter_map(|line| line.strip_prefix("files: "));
        let folders = named.map(|name| self.folder.join(name)).chain([self.out.clone()]);
        let texts = folders.filter_map(|folder| fs::read_to_string(folder.join("results.json")).ok());
        let runs: Vec<Results> = texts.filter_map(|text| serde_json::from_str(&text).ok()).collect();
        let mut distrusted = runs.iter().map(|run| &run.summary.health).filter(|health| !health.valid).peekable();
        self.code == 5 && distrusted.peek().is_some() && distrusted.all(only_the_machine_was_late)
    }

    /// A file of the run, as text.
    #[track_caller]
    pub fn file(&self, name: &str) -> String {
        let path = self.out.join(name);
        fs::read_to_string(&path).unwrap_or_else(|why| panic!("{}: {why}; the command said:\n{self}", path.display()))
    }

    /// The path of a file of the run.
    pub fn path(&self, name: &str) -> PathBuf {
        self.out.join(name)
    }
}

impl std::fmt::Display for Ended {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(
            f,
            "exit code {} after {:.1} s\n--- stdout\n{}\n--- stderr\n{}",
            self.code,
            self.took.as_secs_f64(),
            self.stdout,
            self.stderr
        )
    }
}

/// Whether a measurement is distrusted for this reason alone: the machine let brunt handle arrivals late.
pub fn only_the_machine_was_late(health: &Health) -> bool {
    !health.reasons.is_empty() && health.reasons.iter().all(|reason| reason.contains("were handled more than"))
}

/// The window of that name.
#[track_caller]
pub fn window<'a>(results: &'a Results, name: &str) -> &'a WindowData {
    let windows = &results.summary.windows;
    windows.get(name).unwrap_or_else(|| panic!("no window {name}, only {:?}", windows.keys()))
}

/// The gate of that id.
#[track_caller]
pub fn gate<'a>(results: &'a Results, id: &str) -> &'a GateData {
    let gates = &results.summary.gates;
    gates.iter().find(|gate| gate.id == id).unwrap_or_else(|| panic!("no gate {id} among {gates:#?}"))
}

/// The fault of that id.
#[track_caller]
pub fn fault<'a>(results: &'a Results, id: &str) -> &'a FaultData {
    let faults = &results.summary.faults;
    faults.iter().find(|fault| fault.id == id).unwrap_or_else(|| panic!("no fault {id} among {faults:#?}"))
}

/// Every file below a folder, relative to it, sorted.
pub fn files_below(folder: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    let mut folders = vec![folder.to_owned()];
    while let Some(next) = folders.pop() {
        for entry in fs::read_dir(&next).into_iter().flatten().flatten() {
            match entry.file_type() {
                Ok(kind) if kind.is_dir() => folders.push(entry.path()),
                _ => found.extend(entry.path().strip_prefix(folder).map(Path::to_owned)),
            }
        }
    }
    found.sort();
    found
}
