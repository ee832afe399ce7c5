//! All folders below one, on its file system, without following a link.

use std::ffi::{CStr, CString};
use std::io;
use std::os::fd::{AsFd as _, BorrowedFd, OwnedFd};
use std::path::Path;
use std::rc::Rc;

use rustix::fs::{Dir, FileType, Mode, OFlags, fstat, openat};
use rustix::io::Errno;

use super::Folder;

/// Finding and marking more folders than these would take longer than a fault may take to begin.
const MOST: usize = 10_000;

/// Which folder it is, by whatever path.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Inode {
    device: u64,
    number: u64,
}

impl Inode {
    /// Of one that is open.
    ///
    /// # Errors
    /// The kernel's.
    pub fn of(folder: BorrowedFd<'_>) -> io::Result<Self> {
        let stat = fstat(folder)?;
        Ok(Self { device: stat.st_dev, number: stat.st_ino })
    }

    /// Of the folder in which this path is, or would be.
    pub fn of_place(path: &Path) -> Option<Self> {
        use std::os::unix::fs::MetadataExt as _;
        let there = path.ancestors().filter_map(|path| std::fs::metadata(path).ok()).find(std::fs::Metadata::is_dir)?;
        Some(Self { device: there.dev(), number: there.ino() })
    }
}

/// Hands every folder over, itself first, and returns how many there were. Those that go away meanwhile are left out, and so is
/// what is mounted on one of them.
///
/// # Errors
/// It cannot be opened, is or has a link in its path, or there are too many below it; or `each` has failed. As a sentence.
pub fn walk(folder: &Folder, mut each: impl FnMut(BorrowedFd<'_>) -> io::Result<()>) -> Result<usize, String> {
    let told = |error: io::Error| format!("{folder}: {error}");
    let first = openat(folder.open()?, ".", FLAGS, Mode::empty()).map_err(|error| told(error.into()))?;
    let device = Inode::of(first.as_fd()).map_err(told)?.device;
    let mut found = 0;
    let mut left: Vec<(Rc<OwnedFd>, CString)> = vec![(Rc::new(first), c".".to_owned())];
    while let Some((parent, name)) = left.pop() {
        let Some(here) = below(&parent, &name).map_err(told)? else { continue };
        if Inode::of(here.as_fd()).map_err(told)?.device != device {
            continue;
        }
        found += 1;
        if found > MOST {
            return Err(format!("{folder} has more than {MOST} folders below it; name a smaller one"));
        }
        each(here.as_fd()).map_err(told)?;
        let here = Rc::new(here);
        let entries = Dir::read_from(here.as_fd()).map_err(|error| told(error.into()))?;
        for entry in entries {
            let entry = entry.map_err(|error| told(error.into()))?;
            let name = entry.file_name();
            let may_be = matches!(entry.file_type(), FileType::Directory | FileType::Unknown);
            if may_be && name != c"." && name != c".." {
                left.push((Rc::clone(&here), name.to_owned()));
            }
        }
    }
    Ok(found)
}

const FLAGS: OFlags = OFlags::RDONLY.union(OFlags::DIRECTORY).union(OFlags::NOFOLLOW).union(OFlags::CLOEXEC);

fn below(parent: &OwnedFd, name: &CStr) -> io::Result<Option<OwnedFd>> {
    match openat(parent, name, FLAGS, Mode::empty()) {
        Ok(folder) => Ok(Some(folder)),
        // Gone, or no folder (any more).
        Err(Errno::NOENT | Errno::NOTDIR | Errno::LOOP) => Ok(None),
        Err(error) => Err(error.into()),
    }
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;
    use crate::process::ProcessId;

    fn folder(path: &Path) -> Folder {
        Folder { process: ProcessId::own().unwrap(), path: path.display().to_string() }
    }

    #[test]
    fn all_folders_below_it_are_found_and_links_lead_nowhere() {
        let (place, elsewhere) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
        let real = place.path().canonicalize().unwrap();
        fs::create_dir_all(real.join("a/b")).unwrap();
        fs::create_dir(real.join("c")).unwrap();
        fs::write(real.join("a/file"), "x").unwrap();
        fs::create_dir(elsewhere.path().join("d")).unwrap();
        std::os::unix::fs::symlink(elsewhere.path(), real.join("link")).unwrap();
        let mut seen = Vec::new();
        let walked = walk(&folder(&real), |found| Inode::of(found).map(|inode| seen.push(inode)));
        assert_eq!(walked, Ok(4));
        for path in ["", "a", "a/b", "c"] {
            assert!(seen.contains(&Inode::of_place(&real.join(path)).unwrap()), "{path}");
        }
        assert_eq!(Inode::of_place(&real.join("a/file")), Inode::of_place(&real.join("a")), "a file is in its folder");
        assert_eq!(
            Inode::of_place(&real.join("a/x/y")),
            Inode::of_place(&real.join("a")),
            "and what will be made there"
        );
        let file = walk(&folder(&real.join("a/file")), |_| Ok(())).unwrap_err();
        assert!(file.contains("Not a directory"), "{file}");
    }
}
