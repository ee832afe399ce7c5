//! What an instance writes. Its end is what a person looks at first when the instance did not behave, so it goes into
//! findings and messages: bounded, secrets masked, harmless for a terminal, whatever bytes it was made of.

use std::fs::File;
use std::io::{Read as _, Seek as _, SeekFrom};
use std::path::{Path, PathBuf};

use crate::secrets::Secrets;

/// So many lines are told.
const LINES: usize = 20;
/// The end of a log in which they are looked for.
const TAIL: u64 = 64 * 1024;

/// Where an instance's output goes.
pub fn path(logs: &Path, service: &str, index: usize) -> PathBuf {
    logs.join(format!("{service}-{index}.log"))
}

/// What an instance writes, from the start of its present life on.
#[derive(Debug)]
pub struct Log {
    /// Where it lies.
    pub path: PathBuf,
    /// Bytes that an earlier life, or an earlier run into the same folder, has left there: a line of theirs says nothing
    /// about this one.
    pub from: u64,
}

impl Log {
    /// All of it.
    ///
    /// # Errors
    /// When it cannot be read.
    pub fn text(&self) -> std::io::Result<String> {
        let mut file = File::open(&self.path)?;
        file.seek(SeekFrom::Start(self.from))?;
        let mut bytes = Vec::new();
        file.read_to_end(&mut bytes)?;
        Ok(String::from_utf8_lossy(&bytes).into_owned())
    }

    /// The last 20 lines that are not empty, as they may be shown. What cannot be read is said in place of them.
    pub fn last_lines(&self, secrets: &Secrets) -> Vec<String> {
        match self.tail() {
            // Masked before it is cut into lines: a secret may hold a line break.
            Ok(tail) => last_of(&secrets.masked(tail), secrets),
            Err(error) => vec![format!("({} cannot be read: {error})", self.path.display())],
        }
    }

    /// The end of it, from the beginning of a line on: half a line might hold half a secret.
    fn tail(&self) -> std::io::Result<String> {
        let mut file = File::open(&self.path)?;
        let end = file.metadata()?.len();
        let begin = end.saturating_sub(TAIL).max(self.from.min(end));
        file.seek(SeekFrom::Start(begin))?;
        let mut bytes = Vec::new();
        file.take(TAIL).read_to_end(&mut bytes)?;
        let whole = match begin > self.from {
            true => bytes.iter().position(|byte| *byte == b'\n').map_or(bytes.len(), |at| at + 1),
            false => 0,
        };
        Ok(String::from_utf8_lossy(&bytes[whole..]).into_owned())
    }
}

fn last_of(text: &str, secrets: &Secrets) -> Vec<String> {
    let lines: Vec<&str> = text.lines().filter(|line| !line.trim().is_empty()).collect();
    lines[lines.len().saturating_sub(LINES)..].iter().map(|line| secrets.said(line)).collect()
}

#[cfg(test)]
mod tests {
    use std::io::Write as _;

    use super::*;

    fn log(bytes: &[u8], from: u64) -> (tempfile::NamedTempFile, Log) {
        let mut file = tempfile::NamedTempFile::new().expect("a temporary file");
        file.write_all(bytes).expect("it can be written");
        let log = Log { path: file.path().to_owned(), from };
        (file, log)
    }

    #[test]
    fn the_last_twenty_lines_of_this_life_are_told() {
        let text: String = (1..=30).map(|line| format!("line {line}\n\n")).collect();
        let (_file, whole) = log(text.as_bytes(), 0);
        let lines = whole.last_lines(&Secrets::default());
        assert_eq!((lines.len(), lines[0].as_str(), lines[19].as_str()), (20, "line 11", "line 30"));
        let (_file, second) = log(b"an earlier life\nthis one\n", 16);
        assert_eq!(second.last_lines(&Secrets::default()), ["this one"]);
        let (_file, silent) = log(b"an earlier life\n", 16);
        assert_eq!(silent.last_lines(&Secrets::default()), [""; 0]);
    }

    #[test]
    fn secrets_escapes_and_bytes_that_are_no_text_do_no_harm() {
        let secrets = Secrets::known(&["hunter2", "two\nlines"]);
        let (_file, log) = log(b"login hunter2\n\x1b[31mred\x1b[0m \xff\xfe end\nkey two\nlines!\n", 0);
        assert_eq!(log.last_lines(&secrets), ["login ***", " [31mred [0m \u{fffd}\u{fffd} end", "key ***!"]);
    }

    #[test]
    fn endless_lines_and_endless_logs_are_bounded() {
        let (_file, long) = log(format!("{}\n", "x".repeat(5000)).as_bytes(), 0);
        assert_eq!(long.last_lines(&Secrets::default())[0].len(), 304);
        let (_file, huge) = log(&[b"secret\n".repeat(100_000), vec![b'y'; 70_000]].concat(), 0);
        assert_eq!(huge.last_lines(&Secrets::default()), [""; 0], "no line begins in the tail");
    }

    #[test]
    fn a_log_that_cannot_be_read_says_so() {
        let gone = Log { path: "/nowhere/at-all.log".into(), from: 0 };
        assert!(gone.last_lines(&Secrets::default())[0].contains("cannot be read"));
    }
}
