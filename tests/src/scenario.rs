//! A scenario in a folder of its own.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use tempfile::TempDir;

/// A scenario file. Its folder goes away with this value and with every command that was made for it.
#[derive(Debug)]
pub struct Scenario {
    folder: Arc<TempDir>,
    path: PathBuf,
}

impl Scenario {
    /// Writes a scenario under the name `story.brunt.yaml`. Indentation that all lines share is taken away.
    pub fn new(text: &str) -> Self {
        Self::from_bytes(unindented(text).as_bytes())
    }

    /// Writes whatever bytes these are.
    pub fn from_bytes(bytes: &[u8]) -> Self {
        let folder = tempfile::Builder::new().prefix("brunt-scenario-").tempdir().expect("a temporary folder");
        let folder = Arc::new(folder);
        let path = folder.path().join("story.brunt.yaml");
        std::fs::write(&path, bytes).expect("the temporary folder can be written to");
        Self { folder, path }
    }

    /// One more file beside it.
    pub fn beside(self, name: &str, bytes: &[u8]) -> Self {
        std::fs::write(self.folder.path().join(name), bytes).expect("the temporary folder can be written to");
        self
    }

    /// The file.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Its folder.
    pub fn folder(&self) -> Arc<TempDir> {
        Arc::clone(&self.folder)
    }
}

fn unindented(text: &str) -> String {
    let indent = |line: &str| line.len() - line.trim_start_matches(' ').len();
    let least = text.lines().filter(|line| !line.trim().is_empty()).map(indent).min().unwrap_or(0);
    let lines = text.lines().map(|line| line.get(least..).unwrap_or("").to_owned() + "\n");
    lines.collect::<String>().trim_start_matches('\n').to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_scenario_may_be_indented_with_the_test_that_holds_it() {
        assert_eq!(unindented("\n    version: 1\n    load:\n      main: {}\n"), "version: 1\nload:\n  main: {}\n");
    }
}
