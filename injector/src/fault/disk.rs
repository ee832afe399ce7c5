//! Faults on what lies on disks. They act on a folder as a process of the target sees it.

pub mod fill;
pub mod latency;
pub mod tree;
pub mod watch;

use std::fmt;
use std::fs;
use std::io;
use std::os::fd::OwnedFd;

use rustix::fs::{Mode, OFlags, ResolveFlags, StatFs, StatVfs, fstatfs, fstatvfs, openat, openat2};
use rustix::io::Errno;
use serde::{Deserialize, Serialize};

use crate::process::ProcessId;

/// A folder in the file tree of a process. No part of its path may be a link: whoever can write to the target's disk could
/// otherwise lead a fault, and root with it, to another one.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Folder {
    /// Whose file tree.
    pub process: ProcessId,
    /// From the root of that tree.
    pub path: String,
}

impl fmt::Display for Folder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} of {}", self.path, self.process)
    }
}

impl Folder {
    /// Opens it.
    ///
    /// # Errors
    /// Why it cannot be had, as a sentence.
    pub fn open(&self) -> Result<OwnedFd, String> {
        let told = |error: io::Error| format!("cannot open the folder {self}: {error}");
        let only_look = OFlags::PATH | OFlags::DIRECTORY | OFlags::CLOEXEC;
        let root = rustix::fs::open(format!("/proc/{}/root", self.process.pid), only_look, Mode::empty());
        let root = root.map_err(|error| told(error.into()))?;
        let resolve = ResolveFlags::IN_ROOT | ResolveFlags::NO_SYMLINKS | ResolveFlags::NO_MAGICLINKS;
        let opened = openat2(&root, self.path.as_str(), only_look, Mode::empty(), resolve);
        if !self.process.is_alive() {
            return Err(format!("{} has ended", self.process));
        }
        opened.map_err(|error| match error {
            Errno::LOOP => {
                format!("the folder {self} is, or lies below, a link, and brunt follows none; name where it leads")
            }
            error => told(error.into()),
        })
    }

    /// A file in it that has no name and so ends with whoever holds it, also if that dies.
    ///
    /// # Errors
    /// Why it cannot be had, as a sentence.
    pub fn file_without_name(&self, more: OFlags) -> Result<OwnedFd, String> {
        let folder = self.open()?;
        let flags = OFlags::TMPFILE | OFlags::RDWR | OFlags::CLOEXEC | more;
        openat(&folder, ".", flags, Mode::RUSR | Mode::WUSR).map_err(|error| match error {
            Errno::OPNOTSUPP | Errno::ISDIR | Errno::NOENT => format!(
                "the file system of {self} has no files without a name (O_TMPFILE), and with a name one could outlive brunt"
            ),
            Errno::INVAL if !more.is_empty() => format!("the file system of {self} has no direct writes (O_DIRECT)"),
            error => format!("cannot make a file without a name in {self}: {}", io::Error::from(error)),
        })
    }

    /// How much room its file system has.
    ///
    /// # Errors
    /// Why that cannot be told.
    pub fn room(&self) -> Result<Room, String> {
        let told = |error: Errno| format!("cannot tell the room of {self}: {}", io::Error::from(error));
        fstatvfs(self.open()?).map(|stat| Room::of(&stat)).map_err(told)
    }

    /// Whether it lies in memory.
    ///
    /// # Errors
    /// Why that cannot be told.
    pub fn is_in_memory(&self) -> Result<bool, String> {
        const TMPFS: u32 = 0x0102_1994;
        const RAMFS: u32 = 0x8584_58f6;
        let told = |error: Errno| format!("cannot tell the file system of {self}: {}", io::Error::from(error));
        let stat: StatFs = fstatfs(self.open()?).map_err(told)?;
        Ok([TMPFS, RAMFS].contains(&(stat.f_type as u32)))
    }
}

/// The room of a file system, in bytes, as `df` counts it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Room {
    /// All that there is.
    pub size: u64,
    /// Used, what is kept for root not counted.
    pub used: u64,
    /// For everybody.
    pub free: u64,
}

impl Room {
    fn of(stat: &StatVfs) -> Self {
        let bytes = |blocks: u64| blocks.saturating_mul(stat.f_frsize);
        let used = bytes(stat.f_blocks.saturating_sub(stat.f_bfree));
        Self { size: bytes(stat.f_blocks), used, free: bytes(stat.f_bavail) }
    }

    /// Of a path of brunt's own; `None` where it is not there.
    pub fn at(path: &std::path::Path) -> Option<Self> {
        let there = path.ancestors().find(|path| fs::metadata(path).is_ok())?;
        rustix::fs::statvfs(there).ok().map(|stat| Self::of(&stat))
    }

    /// How full it is, from 0 to 1.
    pub fn share(&self) -> f64 {
        self.used as f64 / (self.used + self.free).max(1) as f64
    }
}
