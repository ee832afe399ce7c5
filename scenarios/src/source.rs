//! The texts that a scenario was read from, and places in them.

use std::io::Read as _;
use std::path::{Path, PathBuf};

/// A file may have at most so many bytes.
pub const MAX_FILE_BYTES: usize = 1 << 20;

/// One of the texts in [`Sources`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct FileId(u32);

impl FileId {
    /// The scenario's own file.
    pub(crate) const MAIN: Self = Self(0);
}

/// A range of bytes in one text.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Span {
    /// The text.
    pub file: FileId,
    /// First byte.
    pub start: usize,
    /// One past the last byte.
    pub end: usize,
}

/// One text: a file, an include, an overlay, or the argument of a `--set`.
#[derive(Debug, Clone)]
pub struct Source {
    /// What messages call it.
    pub name: String,
    /// What relative paths in it start from.
    pub folder: PathBuf,
    /// What was read; of an unreadable file the part before the first offending byte.
    pub text: String,
}

/// Every text that was read, in the order of reading.
#[derive(Debug, Clone, Default)]
pub struct Sources(Vec<Source>);

/// Why a file could not be used, and how far it could be read.
#[derive(Debug)]
pub(crate) enum Unreadable {
    /// The operating system said no.
    Io(std::io::Error),
    /// More than [`MAX_FILE_BYTES`].
    TooLarge,
    /// A byte that is not UTF-8.
    NotUtf8,
    /// A NUL byte.
    Nul,
}

impl Sources {
    /// Adds a text that is already in memory.
    pub fn add(&mut self, name: impl Into<String>, folder: impl Into<PathBuf>, text: impl Into<String>) -> FileId {
        let id = FileId(u32::try_from(self.0.len()).expect("a scenario has far fewer than 2^32 texts"));
        self.0.push(Source { name: name.into(), folder: folder.into(), text: text.into() });
        id
    }

    /// As [`Sources::add`], but a file that was read before and has not changed (a table that each cell of a matrix names) is
    /// kept once, so that what is wrong in it has one place and is told once.
    fn keep(&mut self, name: String, folder: PathBuf, text: String) -> FileId {
        match self.0.iter().position(|known| known.name == name && known.text == text) {
            Some(at) => FileId(u32::try_from(at).expect("a scenario has far fewer than 2^32 texts")),
            None => self.add(name, folder, text),
        }
    }

    /// The text behind an id.
    pub fn get(&self, id: FileId) -> &Source {
        &self.0[id.0 as usize]
    }

    /// Whether a place is in the scenario's own file, and not in an include or overlay.
    pub(crate) fn is_main(&self, span: Span) -> bool {
        span.file == FileId::MAIN
    }

    /// Line and column of the span's start, both from 1, columns in characters.
    pub fn position(&self, span: Span) -> (usize, usize) {
        self.position_of(span.file, span.start)
    }

    /// The same of its end: of the character after the last one.
    pub fn end_position(&self, span: Span) -> (usize, usize) {
        self.position_of(span.file, span.end)
    }

    fn position_of(&self, file: FileId, at: usize) -> (usize, usize) {
        let before = self.get(file).text.get(..at).unwrap_or_default();
        let line_start = before.rfind('\n').map_or(0, |at| at + 1);
        (before.matches('\n').count() + 1, before[line_start..].chars().count() + 1)
    }

    /// `file:line:column` of the span's start.
    pub fn place(&self, span: Span) -> String {
        let (line, column) = self.position(span);
        format!("{}:{line}:{column}", self.get(span.file).name)
    }

    /// `file:line` of the span's start.
    pub fn line(&self, span: Span) -> String {
        format!("{}:{}", self.get(span.file).name, self.position(span).0)
    }

    /// Reads a file of at most [`MAX_FILE_BYTES`]. A file that cannot be used becomes a source all the same, so that the
    /// message about it has a place: the offending byte, or the beginning.
    pub(crate) fn read(&mut self, path: &Path) -> (FileId, Result<(), (Unreadable, Span)>) {
        let folder = path.parent().map(Path::to_path_buf).unwrap_or_default();
        let name = path.display().to_string();
        let mut bytes = Vec::new();
        let limit = MAX_FILE_BYTES as u64 + 1;
        let read = std::fs::File::open(path).and_then(|file| file.take(limit).read_to_end(&mut bytes));
        let problem = match read {
            Err(error) => Some((Unreadable::Io(error), 0)),
            Ok(_) if bytes.len() > MAX_FILE_BYTES => Some((Unreadable::TooLarge, 0)),
            Ok(_) => unusable_byte(&bytes),
        };
        let Some((why, at)) = problem else {
            let text = String::from_utf8(bytes).expect("unusable_byte has checked it");
            return (self.keep(name, folder, text), Ok(()));
        };
        let kept = bytes.get(..at).map(String::from_utf8_lossy).unwrap_or_default().into_owned();
        let id = self.keep(name, folder, kept);
        (id, Err((why, Span { file: id, start: at, end: at })))
    }
}

/// The first byte that a scenario must not contain.
fn unusable_byte(bytes: &[u8]) -> Option<(Unreadable, usize)> {
    let not_utf8 = std::str::from_utf8(bytes).err().map(|error| error.valid_up_to());
    let nul = bytes.iter().position(|&byte| byte == 0);
    match (not_utf8, nul) {
        (Some(at), Some(nul)) if nul < at => Some((Unreadable::Nul, nul)),
        (Some(at), _) => Some((Unreadable::NotUtf8, at)),
        (None, Some(nul)) => Some((Unreadable::Nul, nul)),
        (None, None) => None,
    }
}
