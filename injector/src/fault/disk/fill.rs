//! `disk.fill`: a file without a name takes room on a file system.
//!
//! The service feels: writes fail with "no space left on device" (at `share: 100%`), or what watches disks sounds its alarm.
//! The room is taken without writing (fallocate), by a worker that holds the file: as it has no name, it ends with the
//! worker, however that comes. The folder is the one that the target sees, and no part of its path may be a link.
//! Privilege: to write there, as the target's user or root. What is kept for root is not touched. Where brunt's own journal
//! and results lie on the same file system some room is kept for them. Everybody else on that file system feels it, too.
//! Verified by the file system itself: how full it says that it is.

use std::path::PathBuf;

use rustix::fs::OFlags;

use super::{Folder, Room};
use crate::agent::worker::Task;
use crate::cgroup::site::Site;
use crate::fault::stress::{Level, Pressure};
use crate::journal;
use crate::process::ProcessId;

/// What brunt keeps for its own files.
const RESERVE: u64 = 64 << 20;
/// A file system keeps some of the room for its own books, and counts in blocks.
const TOLERANCE: f64 = 0.01;

/// See the module.
pub(in crate::fault) struct Fill {
    folder: Folder,
    level: Level,
    kept: Vec<PathBuf>,
    before: Option<Room>,
    bytes: u64,
}

impl Fill {
    pub(in crate::fault) fn new(target: ProcessId, path: &str, level: Level, kept: &[PathBuf]) -> Self {
        Self {
            folder: Folder { process: target, path: path.to_owned() },
            level,
            kept: kept.to_vec(),
            before: None,
            bytes: 0,
        }
    }

    fn measure(&self) -> Result<(Room, u64), String> {
        let room = self.folder.room()?;
        // Before a run it is not known where its files will lie, only where they do as a rule.
        let usual = [journal::state_folder(None).ok(), std::env::current_dir().ok(), Some(std::env::temp_dir())];
        let own = self.kept.iter().cloned().chain(usual.into_iter().flatten());
        let is_own = own.filter_map(|path| Room::at(&path)).any(|own| is_same(room, own));
        amount(self.level, room, if is_own { RESERVE } else { 0 }).map(|bytes| (room, bytes))
    }
}

/// Whether two folders lie on one file system. Their numbers do not tell: a container's overlay has one of its own, and takes
/// its room from what is below it. Two of the same size with the same room left are taken for one.
fn is_same(one: Room, other: Room) -> bool {
    one.size == other.size && one.free.abs_diff(other.free) < RESERVE
}

/// How much has to be taken.
fn amount(level: Level, room: Room, reserve: u64) -> Result<u64, String> {
    let mib = |bytes: u64| format!("{:.0} MiB", bytes as f64 / f64::from(1 << 20));
    let state = format!("its file system is {:.0} % full with {} free", room.share() * 100.0, mib(room.free));
    let taken = match level {
        Level::Bytes(bytes) => bytes,
        Level::Full(share) => {
            (((room.used + room.free) as f64 * share) as u64).saturating_sub(room.used).min(room.free)
        }
    };
    if taken == 0 {
        return Err(format!("{state}, which is as much as was asked for already"));
    }
    let free = room.free.saturating_sub(reserve);
    match (taken > free, reserve) {
        (false, _) => Ok(taken),
        (true, 0) => Err(format!("{state}, less than {}", mib(taken))),
        (true, _) => Err(format!(
            "{state}; brunt's own journal and results lie there, too, and {} are kept for them, so at most {} can be taken",
            mib(reserve),
            mib(free)
        )),
    }
}

impl Pressure for Fill {
    fn ready(&mut self) -> Result<(), String> {
        self.folder.file_without_name(OFlags::empty())?;
        self.measure().map(|(_, bytes)| self.bytes = bytes)
    }

    /// A file system is shared by all that see it; who takes its room does not matter to it.
    fn site(&self) -> Option<&Site> {
        None
    }

    fn task(&mut self) -> Result<Task, String> {
        let (before, bytes) = self.measure()?;
        self.before = Some(before);
        self.bytes = bytes;
        Ok(Task::Fill { folder: self.folder.clone(), bytes })
    }

    fn seen(&mut self, _: ProcessId) -> Result<String, String> {
        let before = self.before.ok_or("nothing was taken")?;
        let now = self.folder.room()?;
        let told = format!(
            "its file system is {:.0} % full, {} MiB are free; {} MiB were taken",
            now.share() * 100.0,
            now.free >> 20,
            self.bytes >> 20
        );
        let slack = (now.size as f64 * TOLERANCE) as u64;
        if now.free <= before.free.saturating_sub(self.bytes) + slack.min(self.bytes / 2) {
            Ok(told)
        } else {
            Err(told)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MIB: u64 = 1 << 20;

    fn room(used: u64, free: u64) -> Room {
        Room { size: (used + free) * MIB, used: used * MIB, free: free * MIB }
    }

    #[test]
    fn what_is_taken_is_what_is_missing_and_a_reserve_is_kept_for_brunts_own_files() {
        assert_eq!(amount(Level::Full(0.9), room(100, 900), 0), Ok(800 * MIB));
        assert_eq!(amount(Level::Full(1.0), room(100, 900), 0), Ok(900 * MIB));
        assert_eq!(amount(Level::Bytes(10 * MIB), room(100, 900), RESERVE), Ok(10 * MIB));
        assert!(amount(Level::Bytes(1000 * MIB), room(100, 900), 0).unwrap_err().contains("less than 1000 MiB"));
        let told = amount(Level::Full(1.0), room(100, 900), RESERVE).unwrap_err();
        assert!(told.contains("64 MiB are kept for them, so at most 836 MiB"), "{told}");
        assert!(amount(Level::Full(0.05), room(100, 900), 0).unwrap_err().contains("already"));
    }

    #[test]
    fn an_overlay_is_known_by_the_room_that_it_shares() {
        assert!(is_same(room(100, 900), room(100, 900)));
        assert!(!is_same(room(100, 900), room(500, 500)));
    }
}
