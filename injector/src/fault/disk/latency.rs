//! `disk.latency`: opening and reading the files below a folder takes longer, for the victims alone.
//!
//! The service feels: each open waits, and each read; also where the page cache has the data. Writes, folders that are listed, and
//! what is mapped into memory do not wait. Since Linux 6.14 reads wait only from files that were opened while somebody wanted to be
//! asked about them: for services that is so from their start on (`watch.rs`), for others from the beginning of the fault. Folders
//! that are made meanwhile are left alone. Privilege: CAP_SYS_ADMIN of the host. Mechanism: permission events of fanotify,
//! answered late by a worker (`agent/worker/gate.rs`). Verified: accesses of the victims were held, and half of them for as long
//! as they should within 5 ms, or 5 %. Undone by the end of the worker: the kernel then lets all pass. It ends with the agent,
//! with its lease, and where it is stopped by a timer of the kernel's.
//!
//! There is no way by blkio: it makes reads and writes of a whole device rarer, not later, and only those past the page cache.

use std::path::{Component, Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use brunt_scenario::plan::{Fault as PlannedFault, Piece};
use nix::errno::Errno;
use nix::fcntl::AT_FDCWD;
use nix::sys::fanotify::{MarkFlags, MaskFlags};
use serde::{Deserialize, Serialize};

use super::Folder;
use super::tree::{self, Inode};
use crate::agent::protocol::Order;
use crate::agent::services::Services;
use crate::agent::worker::gate::{self, Hold, Tally, Whose};
use crate::agent::worker::{self, Task, Worker};
use crate::cgroup::Membership;
use crate::error::{Error, ResolveError};
use crate::fault::link::{grouped, share};
use crate::fault::stress::target_of;
use crate::fault::{Change, Fault, Reverted, Seen, Undo};
use crate::journal;
use crate::packets::Beats;
use crate::process::ProcessId;
use crate::target::Victim;
use crate::undo;

/// The kind, as in the catalogue.
pub const KIND: &str = "disk.latency";

/// A process answers, and that takes its time.
const TOLERANCE: Duration = Duration::from_millis(5);
/// How long the worker may take to mark some thousand folders.
const TO_BEGIN: Duration = Duration::from_secs(3);
/// How long it may take to say what it has come to.
const ANSWER: Duration = Duration::from_millis(500);

/// What is asked for.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Slow {
    /// A folder, as the victim sees it.
    pub path: String,
    /// How long each access is held.
    pub latency: Duration,
    /// The share of the accesses that is held.
    pub share: f64,
    /// What the run writes to: brunt's own files are left alone.
    pub kept: Vec<PathBuf>,
}

/// What a fault asks for, if it is of this kind.
///
/// # Errors
/// A path from which brunt keeps away, or no latency.
pub fn order(fault: &PlannedFault, kept: &[PathBuf]) -> Result<Option<Slow>, Error> {
    if fault.kind != KIND {
        return Ok(None);
    }
    let unfit = |why: String| Error::Unfit { kind: KIND.into(), why };
    let path = match fault.with.text("path").map(|text| text.0.as_slice()) {
        Some([Piece::Literal(path)]) => path.clone(),
        _ => return Err(unfit("`path` is where the target sees it, from its root: `/var/lib/data`".into())),
    };
    check_path(Path::new(&path)).map_err(unfit)?;
    match fault.with.duration("latency") {
        Some(latency) if !latency.is_zero() => {
            Ok(Some(Slow { path, latency, share: share(&fault.with), kept: kept.to_vec() }))
        }
        _ => Err(unfit("a `latency` above zero is needed, as in `latency: 30ms`".into())),
    }
}

/// Everybody's accesses there are asked about, so it must be a place of the target's.
fn check_path(path: &Path) -> Result<(), String> {
    if !path.is_absolute() || path.components().any(|part| part == Component::ParentDir) {
        return Err(format!("`path: {}` must begin with `/` and have no `..`", path.display()));
    }
    match path.components().nth(1).and_then(|first| first.as_os_str().to_str()) {
        None => Err("`path: /` is everybody's; name the folder of the data that is meant".into()),
        Some(first @ ("proc" | "sys" | "dev")) => Err(format!("below /{first} there are no files that a disk holds")),
        Some(_) => Ok(()),
    }
}

/// Whether this process may hold accesses, by an attempt that nobody feels.
///
/// # Errors
/// What is missing, and what helps.
pub fn may_hold() -> Result<(), String> {
    // The mark is on the root folder alone, not on what is in it, and nobody is asked about opening a folder.
    let mark = |group: nix::sys::fanotify::Fanotify| {
        group.mark(MarkFlags::FAN_MARK_ADD, MaskFlags::FAN_OPEN_PERM, AT_FDCWD, Some("/"))
    };
    match gate::group().and_then(mark) {
        Ok(()) => Ok(()),
        Err(Errno::EPERM) => {
            Err("holding accesses to files (fanotify) needs CAP_SYS_ADMIN of the host: run brunt as root".into())
        }
        Err(Errno::ENOSYS | Errno::EINVAL) => {
            Err("this kernel cannot hold accesses to files (fanotify): it needs one that \
                                                   was built with CONFIG_FANOTIFY_ACCESS_PERMISSIONS"
                .into())
        }
        Err(error) => Err(format!("accesses to files cannot be held (fanotify): {}", error.desc())),
    }
}

/// Whether the accesses of these members can be held; starts nothing and changes nothing.
///
/// # Errors
/// Whose cannot, and why; or nobody's can be here.
pub fn check(fault: &PlannedFault, members: &[Victim], kept: &[PathBuf]) -> Result<(), ResolveError> {
    let unfit = |why: String| ResolveError::Unfit { kind: fault.kind.into(), target: fault.target.clone(), why };
    let slow = order(fault, kept).map_err(|error| match error {
        Error::Unfit { why, .. } => unfit(why),
        other => unfit(other.to_string()),
    })?;
    let Some(slow) = slow else { return Ok(()) };
    may_hold().map_err(|why| ResolveError::Search { target: fault.target.clone(), why })?;
    for victim in members {
        let process = match victim {
            Victim::Process { process, .. } | Victim::Container { process: Some(process), .. } => *process,
            _ => continue,
        };
        slow.look(victim, process).map_err(|why| unfit(format!("{victim}: {why}")))?;
    }
    Ok(())
}

impl Slow {
    /// Whose accesses are meant, and where. Counts the folders, and sees that none of brunt's own is among them.
    fn look(&self, victim: &Victim, process: ProcessId) -> Result<(Whose, Folder), String> {
        let folder = Folder { process, path: self.path.clone() };
        // Before a run it is not known where its files will lie, only where they do as a rule.
        let usual = journal::state_folder(None).ok();
        let own: Vec<Inode> = self.kept.iter().chain(&usual).filter_map(|path| Inode::of_place(path)).collect();
        tree::walk(&folder, |found| {
            if own.contains(&Inode::of(found)?) {
                let text = "brunt's own journal or results lie there, too; name the folder of the target's data";
                return Err(std::io::Error::other(text));
            }
            Ok(())
        })?;
        let whose = match victim {
            Victim::Instance { .. } => Whose::Group(process.pid),
            Victim::Container { id, .. } if Membership::of(std::process::id()).is_ok_and(|of| of.names(id)) => {
                return Err("brunt itself runs in it, and would wait for its own answers".into());
            }
            Victim::Container { id, .. } => Whose::Container(id.clone()),
            _ => Whose::One(process),
        };
        Ok((whose, folder))
    }
}

/// Accesses that are held by a worker.
pub struct DiskLatency {
    victims: Vec<Victim>,
    slow: Slow,
    seed: u64,
    run_id: String,
    mark: String,
    beats: Arc<Beats>,
    hold: Option<Hold>,
    worker: Option<Worker>,
    /// What the worker has said last.
    tally: Tally,
}

impl DiskLatency {
    /// What an order asks for.
    pub fn new(order: &Order, slow: Slow, run_id: &str, beats: Arc<Beats>) -> Self {
        Self {
            victims: order.victims.clone(),
            slow,
            seed: order.seed,
            run_id: run_id.to_owned(),
            mark: worker::mark_of(run_id, &order.fault),
            beats,
            hold: None,
            worker: None,
            tally: Tally::default(),
        }
    }

    fn begin(&mut self, hold: Hold) -> Result<(), String> {
        let started = Worker::start(&self.run_id, &self.mark, &self.beats);
        let started = started.map_err(|error| format!("cannot start a worker: {error}"))?;
        // From here on it ends with this fault, whatever fails.
        let worker = self.worker.insert(started);
        let begun = worker.begin(Task::HoldAccesses(Box::new(hold)), &self.beats);
        // Once it answers all folders are marked.
        match begun.and_then(|()| worker.ask(TO_BEGIN)) {
            Ok(tally) => self.tally = tally,
            Err(error) => return Err(worker.ended().unwrap_or_else(|| format!("the worker says nothing: {error}"))),
        }
        Ok(())
    }

    /// What it has come to; `Err` when nobody holds anything any more.
    fn look(&mut self) -> Result<(), String> {
        let worker = self.worker.as_mut().ok_or("nobody holds accesses")?;
        match worker.ask(ANSWER) {
            Ok(tally) => self.tally = tally,
            Err(error) => {
                let ended = worker.ended().map(|why| format!("the worker that held accesses has ended: {why}"));
                return Err(ended.unwrap_or_else(|| format!("the worker that holds accesses says nothing: {error}")));
            }
        }
        Ok(())
    }

    fn seen(&mut self) -> Seen {
        match self.look() {
            Ok(()) => judge(self.slow.latency, &self.tally),
            Err(why) => Seen::Absent(why),
        }
    }
}

impl Fault<Services> for DiskLatency {
    fn prepare(&mut self, services: &mut Services) -> Result<Vec<Undo>, Error> {
        may_hold().map_err(Error::Refused)?;
        let (mut whose, mut folders) = (Vec::new(), Vec::new());
        for victim in &self.victims {
            let process = target_of(KIND, victim, services)?;
            let unfit = |why| Error::Unfit { kind: KIND.into(), why: format!("{victim}: {why}") };
            let (one, folder) = self.slow.look(victim, process).map_err(unfit)?;
            whose.push(one);
            folders.push(folder);
        }
        let Slow { latency, share, .. } = self.slow;
        self.hold = Some(Hold { folders, whose, latency, share, seed: self.seed });
        Ok(vec![Undo::EndWorkers { mark: self.mark.clone() }])
    }

    fn inject(&mut self, _: &mut Services, change: Change) -> Result<(), Error> {
        let Some(mut hold) = self.hold.take() else { return Ok(()) };
        if change == Change::Skip {
            hold.latency = Duration::ZERO;
        }
        self.begin(hold).map_err(|why| Error::Unfit { kind: KIND.into(), why })
    }

    fn verify(&mut self, _: &mut Services) -> Result<Seen, Error> {
        Ok(self.seen())
    }

    fn revert(&mut self, _: &mut Services) -> Reverted {
        let effect = self.seen();
        let Some(worker) = &mut self.worker else { return Reverted::nothing(effect) };
        let failed = match worker.end() {
            Ok(()) => {
                worker::find(&self.mark).into_iter().find_map(|left| undo::end(left).err().map(|why| (left, why)))
            }
            Err(error) => Some((worker.id, error)),
        };
        if failed.is_none() {
            self.worker = None;
        }
        let error =
            failed.map(|(left, why)| format!("the worker {left} does not end: {why}; run `kill -9 {}`", left.pid));
        Reverted { effect, rollback_verified: Some(error.is_none()), residue: Vec::new(), error }
    }
}

/// `1 access`, `1,204 accesses`
fn accesses(number: u64) -> String {
    if number == 1 { "1 access".into() } else { format!("{} accesses", grouped(number)) }
}

/// What was measured, in a sentence.
fn judge(asked: Duration, tally: &Tally) -> Seen {
    let Tally { came, spared, held, median, waiting, early } = *tally;
    if early > 0 {
        let text = "came faster than they can be held";
        return Seen::Absent(format!("{} {text}: {} of them had to be let go early", accesses(came), grouped(early)));
    }
    if came == spared {
        let none = match came {
            0 => "nothing below the folder was opened, or read after it was opened there; files that were open before do not count"
                .to_owned(),
            came => format!("{} came, and `share` has spared each", accesses(came)),
        };
        return Seen::NotExercised(none);
    }
    let Some(median) = median else {
        return match waiting {
            0 => Seen::Absent(format!("none of {} was held", accesses(came))),
            waiting => {
                Seen::NotExercised(format!("{} waiting, none was held for its whole time yet", accesses(waiting)))
            }
        };
    };
    let ms = |time: Duration| time.as_secs_f64() * 1e3;
    let text = format!(
        "held {}, half of them for at most {:.1} ms ({:.1} ms asked for)",
        accesses(held),
        ms(median),
        ms(asked)
    );
    if median >= asked && median <= asked + TOLERANCE.max(asked.mul_f64(0.05)) {
        Seen::Yes(text)
    } else {
        Seen::Absent(text)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn everybodys_folders_and_those_that_no_disk_holds_are_refused() {
        for (path, why) in [
            ("/", "everybody's"),
            ("/proc/1", "no files that a disk holds"),
            ("data", "must begin with `/`"),
            ("/var/../etc", "no `..`"),
        ] {
            let refused = check_path(Path::new(path)).unwrap_err();
            assert!(refused.contains(why), "{refused}");
        }
        assert_eq!(check_path(Path::new("/var/lib/db")), Ok(()));
    }

    #[test]
    fn what_was_not_held_for_its_time_is_not_seen() {
        let asked = Duration::from_millis(30);
        let of = |came, spared, median: Option<u64>| {
            let held = if median.is_some() { came - spared } else { 0 };
            judge(asked, &Tally { came, spared, held, median: median.map(Duration::from_millis), ..Tally::default() })
        };
        let text = "held 1,200 accesses, half of them for at most 31.0 ms (30.0 ms asked for)";
        assert_eq!(of(1203, 3, Some(31)), Seen::Yes(text.into()));
        for late_or_early in [Some(36), Some(29), None] {
            assert!(matches!(of(3, 0, late_or_early), Seen::Absent(_)), "{late_or_early:?}");
        }
        for nothing in [of(0, 0, None), of(2, 2, None)] {
            assert!(matches!(nothing, Seen::NotExercised(_)), "{nothing:?}");
        }
        let begun = Tally { came: 1, waiting: 1, ..Tally::default() };
        assert!(matches!(judge(asked, &begun), Seen::NotExercised(_)));
        let many = Tally { came: 9, early: 1, held: 8, median: Some(asked), ..Tally::default() };
        assert!(matches!(judge(asked, &many), Seen::Absent(_)));
    }
}
