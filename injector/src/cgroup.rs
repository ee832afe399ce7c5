//! Which cgroup a process is in, and where its files lie: on version 2, on version 1, and where both are mounted.

pub mod site;

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

/// The cgroups of one process, as `/proc/<pid>/cgroup` lists them (cgroups(7)).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Membership(Vec<Line>);

/// Its place in one hierarchy.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Line {
    /// Empty for version 2.
    controllers: Vec<String>,
    path: String,
}

/// A hierarchy that is mounted where we can see it.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Mount {
    /// Empty for version 2.
    controllers: Vec<String>,
    /// Which of its cgroups is mounted: `/` but for containers.
    root: String,
    at: PathBuf,
}

impl Membership {
    /// Of this process now.
    pub fn of(pid: u32) -> io::Result<Self> {
        Ok(Self::parse(&fs::read_to_string(format!("/proc/{pid}/cgroup"))?))
    }

    fn parse(text: &str) -> Self {
        let line = |line: &str| {
            let mut fields = line.splitn(3, ':').skip(1);
            let controllers = words(fields.next()?);
            Some(Line { controllers, path: fields.next()?.to_owned() })
        };
        Self(text.lines().filter_map(line).collect())
    }

    /// Whether one of its cgroups has this text in its path, as that of a container has its id.
    pub fn names(&self, text: &str) -> bool {
        self.0.iter().any(|line| line.path.contains(text))
    }

    /// The paths in all hierarchies, to compare two processes by.
    pub fn paths(&self) -> impl Iterator<Item = &str> {
        self.0.iter().map(|line| line.path.as_str())
    }

    /// The folder of its cgroup under this controller of version 1, if that is mounted.
    pub fn folder(&self, controller: &str) -> Option<PathBuf> {
        self.locate(|controllers| controllers.iter().any(|one| one == controller))
    }

    /// The folder of its cgroup of version 2, if that is mounted.
    pub fn unified(&self) -> Option<PathBuf> {
        self.locate(<[String]>::is_empty)
    }

    fn locate(&self, wanted: impl Fn(&[String]) -> bool) -> Option<PathBuf> {
        let line = self.0.iter().find(|line| wanted(&line.controllers))?;
        let mounts = mounts(&fs::read_to_string("/proc/self/mountinfo").ok()?);
        let mount = mounts.iter().find(|mount| wanted(&mount.controllers))?;
        mount.folder_of(&line.path).filter(|folder| folder.is_dir())
    }

    /// Whether all of its cgroup is frozen; an error when no freezer can be read.
    pub fn is_frozen(&self) -> io::Result<bool> {
        if let Some(folder) = self.folder("freezer") {
            return Ok(fs::read_to_string(folder.join("freezer.state"))?.trim() == "FROZEN");
        }
        let none = || io::Error::new(io::ErrorKind::NotFound, "no cgroup file system with a freezer is mounted here");
        let folder = self.unified().ok_or_else(none)?;
        let events = fs::read_to_string(folder.join("cgroup.events"))?;
        Ok(events.lines().any(|line| line == "frozen 1"))
    }
}

impl Mount {
    fn folder_of(&self, path: &str) -> Option<PathBuf> {
        let below = if self.root == "/" { path } else { path.strip_prefix(&self.root)? };
        Some(self.at.join(Path::new(below.trim_start_matches('/'))))
    }
}

fn words(list: &str) -> Vec<String> {
    list.split(',').filter(|word| !word.is_empty()).map(str::to_owned).collect()
}

/// The cgroup file systems of a mountinfo (proc_pid_mountinfo(5)). Options that are no controllers are harmless: nobody asks
/// for a controller named `rw`.
fn mounts(mountinfo: &str) -> Vec<Mount> {
    let mount = |line: &str| {
        let (head, tail) = line.split_once(" - ")?;
        let mut head = head.split(' ').skip(3);
        let (root, at) = (head.next()?.to_owned(), PathBuf::from(head.next()?));
        let mut tail = tail.split(' ');
        match tail.next()? {
            "cgroup2" => Some(Mount { controllers: Vec::new(), root, at }),
            "cgroup" => Some(Mount { controllers: words(tail.nth(1)?), root, at }),
            _ => None,
        }
    };
    mountinfo.lines().filter_map(mount).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    const BOTH: &str = "\
25 21 0:22 / /sys/fs/cgroup ro,nosuid - tmpfs tmpfs ro,mode=755
26 25 0:23 / /sys/fs/cgroup/unified rw,nosuid shared:5 - cgroup2 cgroup2 rw,nsdelegate
27 25 0:24 / /sys/fs/cgroup/cpu,cpuacct rw - cgroup cgroup rw,cpu,cpuacct
28 25 0:25 /docker/abc /sys/fs/cgroup/freezer rw - cgroup cgroup rw,freezer
29 25 0:26 / /sys/fs/cgroup/systemd rw - cgroup cgroup rw,name=systemd
";

    #[test]
    fn the_files_of_a_cgroup_lie_below_the_mount_of_their_hierarchy() {
        let mounts = mounts(BOTH);
        let at = |controller: &str, path: &str| {
            let mount = mounts.iter().find(|mount| mount.controllers.iter().any(|one| one == controller)).unwrap();
            mount.folder_of(path)
        };
        assert_eq!(at("cpuacct", "/docker/x"), Some("/sys/fs/cgroup/cpu,cpuacct/docker/x".into()));
        assert_eq!(at("freezer", "/docker/abc/y"), Some("/sys/fs/cgroup/freezer/y".into()));
        assert_eq!(at("freezer", "/docker/other"), None, "it is outside of what is mounted");
        assert_eq!(mounts[0].folder_of("/user.slice"), Some("/sys/fs/cgroup/unified/user.slice".into()));
    }

    #[test]
    fn a_path_may_hold_colons_and_every_hierarchy_counts() {
        let of = Membership::parse("4:cpu,cpuacct:/a:b\n1:name=systemd:/docker/0123\n0::/\n");
        assert!(of.names("0123") && of.names("a:b") && !of.names("4567"));
        assert_eq!(of.paths().collect::<Vec<_>>(), ["/a:b", "/docker/0123", "/"]);
        assert_eq!(of.0[2].controllers, Vec::<String>::new());
        assert!(Membership::of(std::process::id()).unwrap().paths().count() > 0);
    }
}
