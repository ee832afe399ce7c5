//! The cgroup of a target, as the place for somebody who is to weigh on it.
//!
//! Everybody who is in it, or below it, feels that. So the root cgroup is refused, for that is the whole machine, and so is
//! one that brunt itself is in: what is measured, and what undoes, must not starve with the target.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use rustix::fs::{Access, access};

use super::Membership;
use crate::process::ProcessId;

/// What is needed of a cgroup: the controller of version 1, and a file that tells that version 2 has it, too.
#[derive(Debug, Clone, Copy)]
pub struct Needed {
    /// `memory`
    pub controller: &'static str,
    /// `memory.current`
    pub file: &'static str,
}

/// The processors' time, and who used it.
pub const CPU: &[Needed] =
    &[Needed { controller: "cpu", file: "cpu.stat" }, Needed { controller: "cpuacct", file: "cpu.stat" }];
/// Memory.
pub const MEMORY: &[Needed] = &[Needed { controller: "memory", file: "memory.current" }];
/// Disks.
pub const IO: &[Needed] = &[Needed { controller: "blkio", file: "io.stat" }];

/// The folders of a target's cgroup, one for each hierarchy that matters.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Site {
    folders: Vec<PathBuf>,
    /// Of the first controller that was asked for.
    path: String,
}

impl Site {
    /// The cgroup of this process, if somebody may be put there.
    ///
    /// # Errors
    /// Why not, and what would help.
    pub fn of(target: ProcessId, needed: &[Needed]) -> Result<Self, String> {
        let read =
            |pid: u32| Membership::of(pid).map_err(|error| format!("cannot tell the cgroup of pid {pid}: {error}"));
        let (there, own) = (read(target.pid)?, read(std::process::id())?);
        let mut folders: Vec<PathBuf> = Vec::new();
        let mut first = None;
        for one in needed {
            let place = there
                .place(one)
                .ok_or_else(|| format!("no cgroup file system with `{}` is mounted here", one.controller))?;
            let of_brunt = own.place(one).map(|place| place.0).unwrap_or_default();
            check(&place.0, &of_brunt, one.controller)?;
            if !folders.contains(&place.1) {
                folders.push(place.1);
            }
            first.get_or_insert(place.0);
        }
        // Which processors it may use is part of what the target has.
        if let Some((path, folder)) = there.place(&Needed { controller: "cpuset", file: "cpuset.cpus" })
            && path != "/"
            && !folders.contains(&folder)
        {
            folders.push(folder);
        }
        for folder in &folders {
            let procs = folder.join("cgroup.procs");
            access(&procs, Access::WRITE_OK).map_err(|error| {
                format!(
                    "brunt may not put a process into its cgroup ({}: {}); run brunt as root",
                    procs.display(),
                    io::Error::from(error)
                )
            })?;
        }
        if !target.is_alive() {
            return Err("it has ended".into());
        }
        Ok(Self { folders, path: first.unwrap_or_default() })
    }

    /// Puts a process there.
    ///
    /// # Errors
    /// The kernel's, with the file.
    pub fn admit(&self, process: ProcessId) -> io::Result<()> {
        for folder in &self.folders {
            let procs = folder.join("cgroup.procs");
            fs::write(&procs, process.pid.to_string())
                .map_err(|error| io::Error::new(error.kind(), format!("{}: {error}", procs.display())))?;
        }
        Ok(())
    }

    /// Whether it still is where [`Site::admit`] has put it.
    pub fn has(&self, process: ProcessId) -> bool {
        self.folders.iter().all(|folder| {
            let procs = fs::read_to_string(folder.join("cgroup.procs")).unwrap_or_default();
            procs.lines().any(|line| line.parse() == Ok(process.pid))
        })
    }

    /// How many processes are in it.
    pub fn processes(&self) -> usize {
        let procs = self.folders.first().and_then(|folder| fs::read_to_string(folder.join("cgroup.procs")).ok());
        procs.map_or(0, |procs| procs.lines().count())
    }

    /// `/docker/0123`
    pub fn path(&self) -> &str {
        &self.path
    }

    /// The processor time that all in it have used, in nanoseconds.
    ///
    /// # Errors
    /// When the kernel does not say.
    pub fn processor_time(&self) -> io::Result<u64> {
        for folder in &self.folders {
            if let Some(used) = number(&folder.join("cpuacct.usage")) {
                return Ok(used);
            }
            if let Some(used) = field(&folder.join("cpu.stat"), "usage_usec") {
                return Ok(used * 1000);
            }
        }
        Err(io::Error::new(io::ErrorKind::NotFound, "neither cpuacct.usage nor usage_usec of cpu.stat is there"))
    }

    /// How many processors' worth of time it may use at most, by its own quota or one above it.
    pub fn processors_allowed(&self) -> Option<f64> {
        let quota = |folder: &Path| {
            if let Ok(text) = fs::read_to_string(folder.join("cpu.max")) {
                let (allowed, period) = text.trim().split_once(' ')?;
                return Some(allowed.parse::<f64>().ok()? / period.parse::<f64>().ok()?);
            }
            let allowed = fs::read_to_string(folder.join("cpu.cfs_quota_us")).ok()?.trim().parse::<f64>().ok()?;
            let period = number(&folder.join("cpu.cfs_period_us"))? as f64;
            (allowed > 0.0).then_some(allowed / period)
        };
        self.upwards().filter_map(quota).min_by(f64::total_cmp)
    }

    /// How many bytes of memory it may have at most, by its own limit or one above it.
    pub fn memory_allowed(&self) -> Option<u64> {
        let limit = |folder: &Path| {
            number(&folder.join("memory.max")).or_else(|| {
                // Without a limit it says the largest number of pages that there could be.
                number(&folder.join("memory.limit_in_bytes")).filter(|limit| *limit < 1 << 60)
            })
        };
        self.upwards().filter_map(limit).min()
    }

    /// The memory that it uses and that cannot just be dropped: without pages of files that nobody has used lately.
    ///
    /// # Errors
    /// When the kernel does not say.
    pub fn memory_used(&self) -> io::Result<u64> {
        let none =
            || io::Error::new(io::ErrorKind::NotFound, "neither memory.current nor memory.usage_in_bytes is there");
        let of = |folder: &PathBuf| {
            let used =
                number(&folder.join("memory.current")).or_else(|| number(&folder.join("memory.usage_in_bytes")))?;
            let stat = folder.join("memory.stat");
            let files = field(&stat, "total_inactive_file").or_else(|| field(&stat, "inactive_file")).unwrap_or(0);
            Some(used.saturating_sub(files))
        };
        self.folders.iter().find_map(of).ok_or_else(none)
    }

    /// Whether the kernel would kill all of it where one of it has to go.
    pub fn dies_together(&self) -> bool {
        self.upwards().any(|folder| number(&folder.join("memory.oom.group")) == Some(1))
    }

    /// Its folders and those above them that are cgroups, too.
    fn upwards(&self) -> impl Iterator<Item = &Path> {
        let is_cgroup = |folder: &&Path| folder.join("cgroup.procs").exists();
        self.folders.iter().flat_map(move |folder| folder.ancestors().take_while(is_cgroup))
    }
}

/// Whether this process may put others into cgroups: those that it is in itself stand for all.
///
/// # Errors
/// Which file may not be written, or which controller is not mounted.
pub fn try_rights() -> Result<(), String> {
    let own = Membership::of(std::process::id()).map_err(|error| format!("cannot tell its own cgroup: {error}"))?;
    for needed in CPU.iter().chain(MEMORY).chain(IO) {
        let none = || format!("no cgroup file system with `{}` is mounted", needed.controller);
        let (_, folder) = own.place(needed).ok_or_else(none)?;
        let procs = folder.join("cgroup.procs");
        let told = |error: rustix::io::Errno| format!("{}: {}", procs.display(), io::Error::from(error));
        access(&procs, Access::WRITE_OK).map_err(told)?;
    }
    Ok(())
}

impl Membership {
    /// The path and the folder of its cgroup, of version 1 where that has the controller.
    fn place(&self, needed: &Needed) -> Option<(String, PathBuf)> {
        let of = |wanted: &dyn Fn(&[String]) -> bool, folder: PathBuf| {
            let line = self.0.iter().find(|line| wanted(&line.controllers))?;
            Some((line.path.clone(), folder))
        };
        if let Some(folder) = self.folder(needed.controller) {
            return of(&|names: &[String]| names.iter().any(|name| name == needed.controller), folder);
        }
        let folder = self.unified().filter(|folder| folder.join(needed.file).exists())?;
        of(&<[String]>::is_empty, folder)
    }
}

/// Whether somebody may be put into the cgroup at this path.
fn check(path: &str, own: &str, controller: &str) -> Result<(), String> {
    if path == "/" {
        return Err(format!(
            "it is in the root cgroup of `{controller}`, which is the whole machine; start it in a cgroup of its own \
             (a container, a systemd unit, `systemd-run --scope`)"
        ));
    }
    let below = own.strip_prefix(path).is_some_and(|rest| rest.is_empty() || rest.starts_with('/'));
    if below {
        return Err(format!(
            "brunt itself is in its cgroup ({path}) and would starve with it; start it in a cgroup of its own \
             (a container, a systemd unit, `systemd-run --scope`)"
        ));
    }
    Ok(())
}

fn number(path: &Path) -> Option<u64> {
    fs::read_to_string(path).ok()?.trim().parse().ok()
}

/// `usage_usec 17`
fn field(path: &Path, name: &str) -> Option<u64> {
    let text = fs::read_to_string(path).ok()?;
    text.lines().find_map(|line| line.strip_prefix(name)?.trim().parse().ok())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_root_cgroup_and_those_that_brunt_is_in_are_refused() {
        assert!(check("/docker/a", "/", "cpu").is_ok());
        assert!(check("/docker/a", "/docker/ab", "cpu").is_ok(), "a name that only begins like it is another one");
        assert!(check("/", "/user", "cpu").unwrap_err().contains("the whole machine"));
        for own in ["/user", "/user/shell"] {
            assert!(check("/user", own, "cpu").unwrap_err().contains("brunt itself"), "{own}");
        }
    }

    #[test]
    fn a_process_that_shares_the_cgroup_of_brunt_is_refused() {
        let told = Site::of(ProcessId::own().unwrap(), CPU).unwrap_err();
        assert!(told.contains("the whole machine") || told.contains("brunt itself"), "{told}");
    }
}
