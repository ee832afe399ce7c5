//! Reading files, and the files that they include.

use std::path::{Path, PathBuf};

use super::build::Builder;
use super::{MAX_DEPTH, Node};
use crate::diagnostic::{Code, Problems};
use crate::source::{FileId, MAX_FILE_BYTES, Sources, Span, Unreadable};

/// Reads texts into trees. One for a whole scenario, because the limits hold for all of its files together.
pub(crate) struct Reader<'a> {
    pub sources: &'a mut Sources,
    pub problems: &'a mut Problems,
    /// The files that are being read, outermost first: an include of one of them is a loop.
    open: Vec<PathBuf>,
    /// Nodes and bytes of text so far.
    pub(super) nodes: usize,
    pub(super) bytes: usize,
    /// Depth at which the file that is being read was included.
    pub(super) depth: usize,
}

impl<'a> Reader<'a> {
    pub(crate) fn new(sources: &'a mut Sources, problems: &'a mut Problems) -> Self {
        Self { sources, problems, open: Vec::new(), nodes: 0, bytes: 0, depth: 0 }
    }

    /// Reads a file. `None`: a problem was told.
    pub(crate) fn file(&mut self, path: &Path) -> Option<Node> {
        let (id, read) = self.sources.read(path);
        if let Err((why, at)) = read {
            self.unreadable(path, &why, at);
            return None;
        }
        self.open.push(identity(path));
        let node = self.text(id);
        self.open.pop();
        node
    }

    /// Reads a text that is already among the sources.
    pub(crate) fn text(&mut self, id: FileId) -> Option<Node> {
        let text = self.sources.get(id).text.clone();
        Builder::new(self, id, &text).document()
    }

    /// Reads the file that an `!include` names, at this depth of the including file.
    pub(super) fn include(&mut self, name: &str, at: Span, depth: usize) -> Option<Node> {
        let path = self.sources.get(at.file).folder.join(name);
        if self.open.contains(&identity(&path)) {
            let loop_of = format!("`{name}` includes itself");
            self.problems.error(
                Code::E006,
                at,
                loop_of,
                "break the circle: one of the files must not include the other",
            );
            return None;
        }
        if depth >= MAX_DEPTH || self.open.len() >= MAX_DEPTH {
            self.too_deep(at);
            return None;
        }
        let why = match std::fs::metadata(&path) {
            Err(error) => Some(error.to_string()),
            Ok(found) if found.is_dir() => Some("it is a folder".to_owned()),
            Ok(_) => None,
        };
        if let Some(why) = why {
            let message = format!("cannot include `{name}`: {why}");
            let help = format!("paths are relative to the including file: looked for `{}`", path.display());
            self.problems.error(Code::E001, at, message, help);
            return None;
        }
        let outer = std::mem::replace(&mut self.depth, depth);
        let node = self.file(&path);
        self.depth = outer;
        node
    }

    pub(super) fn too_deep(&mut self, at: Span) {
        let help = "no part of the language needs this depth; is a bracket missing?";
        self.problems.error(Code::E003, at, format!("nested more than {MAX_DEPTH} deep"), help);
    }

    fn unreadable(&mut self, path: &Path, why: &Unreadable, at: Span) {
        let name = path.display();
        let (code, message, help) = match why {
            Unreadable::Io(error) => {
                (Code::E001, format!("cannot read `{name}`: {error}"), "check the path and its permissions".to_owned())
            }
            Unreadable::TooLarge => (
                Code::E003,
                format!("`{name}` is larger than {} MiB", MAX_FILE_BYTES >> 20),
                "is this a scenario? Keep data rows in a CSV file and name it under `feeders`".to_owned(),
            ),
            Unreadable::NotUtf8 => (
                Code::E002,
                format!("`{name}` is not UTF-8 text"),
                "save it as UTF-8, for example with `iconv -t utf-8`".to_owned(),
            ),
            Unreadable::Nul => (Code::E002, format!("`{name}` holds a NUL byte"), "is this a binary file?".to_owned()),
        };
        self.problems.error(code, at, message, help);
    }
}

/// The same for every way to write the path of one file.
fn identity(path: &Path) -> PathBuf {
    std::fs::canonicalize(path).unwrap_or_else(|_| path.to_path_buf())
}
