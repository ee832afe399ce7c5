//! The write-ahead journal of undo: one file a run, JSON lines, each on the disk before what it undoes is done.
//!
//! The live run creates the file and holds a lock (flock) on it; the lock ends with the runner's process, however that
//! ends, and says to `cleanup` whether anybody still looks after the run. The agent never shares that lock: it gets the
//! path, not the descriptor, and appends what it has undone through an own handle (O_APPEND keeps lines whole). Whoever
//! undoes the last entry after the runner's death removes the file, so that a crash that was healed leaves nothing.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::{DirBuilderExt, MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

use rustix::fs::{FlockOperation, OFlags, flock};
use serde::{Deserialize, Serialize};

use crate::error::Error;
use crate::fault::Undo;
use crate::process::{ProcessId, boot_id};

/// The entry of the network of isolated services; no fault can have this name.
pub const NETWORK: &str = "(network)";
/// The entry that undoes all services of a run together; no fault can have this name.
pub const SERVICES: &str = "(services)";

/// The entry of the job that sends the load; no fault can have this name.
pub const WORKERS: &str = "(workers)";

/// One line of the file.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
enum Line {
    /// The first one: whose journal this is.
    Opened(Header),
    /// The agent that undoes it if the runner dies.
    Agent(ProcessId),
    /// Something is about to be done.
    Doing(Entry),
    /// It is undone.
    Undone { fault: String, by: String },
}

/// Whose journal this is.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Header {
    /// The run.
    pub run_id: String,
    /// Pids mean something else after a reboot.
    pub boot_id: String,
    /// The process that holds the lock.
    pub runner: ProcessId,
}

/// A change that may be in place, and what undoes it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Entry {
    /// The fault's id, or [`SERVICES`], or [`NETWORK`], or [`WORKERS`].
    pub fault: String,
    /// Its kind.
    pub kind: String,
    /// What undoes it.
    pub undo: Vec<Undo>,
}

/// A journal as it was found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Found {
    /// Whose it is.
    pub header: Header,
    /// The agent, once it had been started.
    pub agent: Option<ProcessId>,
    /// What was done and not yet undone, in the order in which it was done.
    pub open: Vec<Entry>,
}

/// The journal of the live run.
#[derive(Debug)]
pub struct Journal {
    file: File,
    path: PathBuf,
}

impl Journal {
    /// Creates the file (and its folder, for this user only), locks it and writes the first line to the disk.
    pub fn create(folder: &Path, run_id: &str) -> Result<Self, Error> {
        let failed = |action| move |source| Error::Journal { action, path: folder.to_owned(), source };
        fs::DirBuilder::new().recursive(true).mode(0o700).create(folder).map_err(failed("create the folder of"))?;
        let path = folder.join(format!("{run_id}.journal"));
        let file = OpenOptions::new()
            .append(true)
            .create_new(true)
            .mode(0o600)
            .custom_flags(OFlags::NOFOLLOW.bits() as i32)
            .open(&path)
            .map_err(|source| Error::Journal { action: "create", path: path.clone(), source })?;
        let mut journal = Self { file, path };
        if let Err(error) = journal.begin(run_id, folder) {
            // The name was free a moment ago, so this removes only what this call has made.
            let _ = fs::remove_file(&journal.path);
            return Err(error);
        }
        Ok(journal)
    }

    fn begin(&mut self, run_id: &str, folder: &Path) -> Result<(), Error> {
        flock(&self.file, FlockOperation::NonBlockingLockExclusive)
            .map_err(|error| self.error("lock", error.into()))?;
        let boot_id = boot_id().map_err(|source| self.error("name the boot in", source))?;
        let runner = ProcessId::own().map_err(|source| self.error("name the runner in", source))?;
        self.append(&Line::Opened(Header { run_id: run_id.to_owned(), boot_id, runner }))?;
        // The name itself must survive a power loss as well.
        File::open(folder)
            .and_then(|folder| folder.sync_all())
            .map_err(|source| self.error("sync the folder of", source))
    }

    /// The file.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Names the agent.
    pub fn agent(&mut self, agent: ProcessId) -> Result<(), Error> {
        self.append(&Line::Agent(agent))
    }

    /// Writes down what is about to be done. When this returns, it is on the disk; when it fails, it must not be done.
    pub fn doing(&mut self, entry: &Entry) -> Result<(), Error> {
        self.append(&Line::Doing(entry.clone()))
    }

    /// Writes down that it is undone.
    pub fn undone(&mut self, fault: &str) -> Result<(), Error> {
        self.append(&Line::Undone { fault: fault.to_owned(), by: "runner".into() })
    }

    /// The run is over and nothing is left: the file goes.
    pub fn remove(self) -> Result<(), Error> {
        fs::remove_file(&self.path).map_err(|source| self.error("remove", source))
    }

    fn append(&mut self, line: &Line) -> Result<(), Error> {
        write_line(&mut self.file, line).map_err(|source| self.error("write", source))
    }

    fn error(&self, action: &'static str, source: io::Error) -> Error {
        Error::Journal { action, path: self.path.clone(), source }
    }
}

fn write_line(file: &mut File, line: &Line) -> io::Result<()> {
    let mut text = serde_json::to_vec(line)?;
    text.push(b'\n');
    file.write_all(&text)?;
    file.sync_data()
}

/// Notes in somebody else's journal that an entry is undone; `by` says who did it (`agent`, `cleanup`).
pub fn note_undone(path: &Path, fault: &str, by: &str) -> Result<(), Error> {
    let failed = |source| Error::Journal { action: "append to", path: path.to_owned(), source };
    let mut file =
        OpenOptions::new().append(true).custom_flags(OFlags::NOFOLLOW.bits() as i32).open(path).map_err(failed)?;
    write_line(&mut file, &Line::Undone { fault: fault.to_owned(), by: by.to_owned() }).map_err(failed)
}

/// Whether the run that wrote it still holds its lock. Asks with a shared lock that is given back at once.
pub fn is_live(path: &Path) -> Result<bool, Error> {
    let failed = |source| Error::Journal { action: "look at the lock of", path: path.to_owned(), source };
    let file = OpenOptions::new().read(true).custom_flags(OFlags::NOFOLLOW.bits() as i32).open(path).map_err(failed)?;
    match flock(&file, FlockOperation::NonBlockingLockShared) {
        Ok(()) => Ok(false),
        Err(rustix::io::Errno::WOULDBLOCK) => Ok(true),
        Err(error) => Err(failed(error.into())),
    }
}

/// Reads a journal. One that another user owns or can write is refused: what it says to do, commands included, would be done
/// as this one.
pub fn read(path: &Path) -> Result<Found, Error> {
    let failed = |source| Error::Journal { action: "read", path: path.to_owned(), source };
    let refused = |why: String| Error::JournalRefused { path: path.to_owned(), why };
    let file = OpenOptions::new().read(true).custom_flags(OFlags::NOFOLLOW.bits() as i32).open(path).map_err(failed)?;
    let about = file.metadata().map_err(failed)?;
    let own = rustix::process::geteuid();
    if about.uid() != own.as_raw() || about.mode() & 0o022 != 0 {
        let who = if own.is_root() {
            "root does only what root".to_owned()
        } else {
            format!("uid {} does only what it", own.as_raw())
        };
        return Err(refused(format!(
            "it belongs to uid {} with mode {:o}, and {who} alone can have written",
            about.uid(),
            about.mode() & 0o777
        )));
    }
    let text = io::read_to_string(file).map_err(failed)?;
    fold(&text).map_err(refused)
}

/// A last line without its end was cut by a crash: `doing` had not returned, so nothing was done.
fn fold(text: &str) -> Result<Found, String> {
    let whole = text.rfind('\n').map_or("", |end| &text[..end]);
    let mut lines = whole.lines().enumerate().map(|(at, line)| {
        serde_json::from_str::<Line>(line).map_err(|error| format!("line {} is damaged: {error}", at + 1))
    });
    let Some(Line::Opened(header)) = lines.next().transpose()? else {
        return Err("it does not begin by saying whose it is".into());
    };
    let mut found = Found { header, agent: None, open: Vec::new() };
    for line in lines {
        match line? {
            Line::Opened(_) => return Err("it begins twice".into()),
            Line::Agent(agent) => found.agent = Some(agent),
            Line::Doing(entry) => found.open.push(entry),
            Line::Undone { fault, .. } => found.open.retain(|entry| entry.fault != fault),
        }
    }
    Ok(found)
}

/// The folder of all journals: the given one, else `$XDG_STATE_HOME/brunt`, else `/var/lib/brunt` as root, else
/// `$HOME/.local/state/brunt`. Relative values count as unset, as the XDG base directory specification asks.
pub fn state_folder(given: Option<&Path>) -> Result<PathBuf, Error> {
    let variable = |name| std::env::var_os(name).map(PathBuf::from);
    let is_root = rustix::process::geteuid().is_root();
    choose_folder(given, variable("XDG_STATE_HOME"), variable("HOME"), is_root).ok_or(Error::NoStateDir)
}

fn choose_folder(
    given: Option<&Path>,
    state: Option<PathBuf>,
    home: Option<PathBuf>,
    is_root: bool,
) -> Option<PathBuf> {
    if let Some(given) = given {
        return Some(given.to_owned());
    }
    if let Some(state) = state.filter(|path| path.is_absolute()) {
        return Some(state.join("brunt"));
    }
    if is_root {
        return Some(PathBuf::from("/var/lib/brunt"));
    }
    Some(home.filter(|path| path.is_absolute())?.join(".local/state/brunt"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn entry(fault: &str) -> Entry {
        Entry { fault: fault.into(), kind: "process.pause".into(), undo: vec![Undo::Continue { processes: vec![] }] }
    }

    #[test]
    fn what_is_done_and_not_undone_is_open_in_the_order_in_which_it_was_done() {
        let folder = tempfile::tempdir().unwrap();
        let mut journal = Journal::create(folder.path(), "r1").unwrap();
        for fault in ["a", "b", "c"] {
            journal.doing(&entry(fault)).unwrap();
        }
        journal.undone("b").unwrap();
        note_undone(journal.path(), "a", "agent").unwrap();
        journal.doing(&entry("a")).unwrap();
        let found = read(journal.path()).unwrap();
        assert_eq!(found.open, [entry("c"), entry("a")]);
        assert_eq!(found.header.runner, ProcessId::own().unwrap());
    }

    #[test]
    fn a_line_that_a_crash_cut_short_counts_as_never_written() {
        let folder = tempfile::tempdir().unwrap();
        let mut journal = Journal::create(folder.path(), "r1").unwrap();
        journal.doing(&entry("a")).unwrap();
        journal.file.write_all(br#"{"doing":{"fault":"b","ki"#).unwrap();
        assert_eq!(read(journal.path()).unwrap().open, [entry("a")]);
    }

    #[test]
    fn damage_in_the_middle_is_refused_and_named() {
        let folder = tempfile::tempdir().unwrap();
        let mut journal = Journal::create(folder.path(), "r1").unwrap();
        journal.file.write_all(b"rubbish\n").unwrap();
        let text = read(journal.path()).unwrap_err().to_string();
        assert!(text.contains("line 2 is damaged"), "{text}");
    }

    #[test]
    fn the_lock_tells_a_live_run_from_a_dead_one() {
        let folder = tempfile::tempdir().unwrap();
        let journal = Journal::create(folder.path(), "r1").unwrap();
        let path = journal.path().to_owned();
        assert!(is_live(&path).unwrap());
        drop(journal);
        assert!(!is_live(&path).unwrap());
    }

    #[test]
    fn a_full_disk_is_an_error_that_names_the_journal() {
        let full = OpenOptions::new().append(true).open("/dev/full").unwrap();
        let mut journal = Journal { file: full, path: "/dev/full".into() };
        let error = journal.doing(&entry("a")).unwrap_err();
        assert!(error.is_preflight());
        assert_eq!(error.to_string(), "cannot write the undo journal /dev/full: No space left on device (os error 28)");
    }

    #[test]
    fn the_folder_follows_the_environment_and_without_any_there_is_none() {
        let path = |text: &str| Some(PathBuf::from(text));
        let home = || path("/home/nobody");
        assert_eq!(choose_folder(Some(Path::new("x")), path("/s"), home(), true), path("x"));
        assert_eq!(choose_folder(None, path("/s"), home(), true), path("/s/brunt"));
        assert_eq!(choose_folder(None, path("relative"), home(), true), path("/var/lib/brunt"));
        assert_eq!(choose_folder(None, None, home(), false), path("/home/nobody/.local/state/brunt"));
        assert_eq!(choose_folder(None, None, None, false), None, "s10: nobody has no HOME, so no journal and no fault");
    }

    proptest::proptest! {
        #[test]
        fn no_text_makes_the_reader_panic(text in ".*", lines in "(\\{\"opened\"[^\n]{0,40}\n){0,3}") {
            let _ = fold(&text);
            let _ = fold(&lines);
        }
    }
}
