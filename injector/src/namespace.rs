//! Network namespaces: which one is meant, and how to do something inside of it.
//!
//! A thread that has entered a namespace does not come back; whatever is to be done inside is done on a thread of its own, and
//! the sockets that it opens there belong to the namespace for good, whoever uses them later.
//!
//! Inode numbers of namespaces are used again as soon as one is gone (four that were made in turn had the same), so the
//! journal also names the kernel's cookie of the namespace, which is unique as long as the machine runs.

use std::fmt;
use std::fs::File;
use std::io;
use std::os::fd::{AsFd, BorrowedFd};
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::thread;

use nix::sched::{CloneFlags, unshare};
use rustix::net::{AddressFamily, SocketFlags, SocketType, socket_with};
use rustix::thread::{LinkNameSpaceType, move_into_link_name_space};
use serde::{Deserialize, Serialize};

use crate::sys;

/// Where `ip netns` keeps the namespaces that have a name.
const NAMED: &str = "/run/netns";

/// A network namespace that is held open: it stays as long as this value (or a clone) does.
#[derive(Debug, Clone)]
pub struct Namespace {
    file: Arc<File>,
    identity: Identity,
}

/// Which namespace: two are the same if this is equal and the machine was not started again in between.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Identity {
    /// The inode below `nsfs`, as `lsns` shows it.
    pub inode: u64,
    /// `SO_NETNS_COOKIE`, since Linux 5.14; 0 where the kernel has none.
    pub cookie: u64,
}

impl fmt::Display for Identity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "net:[{}]", self.inode)
    }
}

impl Namespace {
    /// That of the calling thread, which needs no right.
    pub fn current() -> io::Result<Self> {
        let file = Arc::new(File::open("/proc/thread-self/ns/net")?);
        let identity = Identity { inode: file.metadata()?.ino(), cookie: cookie() };
        Ok(Self { file, identity })
    }

    /// That of a process. The caller makes sure that the pid still means the process that it picked.
    pub fn of_process(pid: u32) -> io::Result<Self> {
        Self::at(Path::new(&format!("/proc/{pid}/ns/net")))
    }

    /// One with a name, as `ip netns add` gives it.
    pub fn named(name: &str) -> io::Result<Self> {
        Self::at(&path_of(name))
    }

    /// By a file that stands for it.
    ///
    /// # Errors
    /// There is none, or (EINVAL) it is no network namespace, or this user may not enter it.
    pub fn at(path: &Path) -> io::Result<Self> {
        let file = Arc::new(File::open(path)?);
        let inode = file.metadata()?.ino();
        let cookie = enter(&file, || Ok(cookie()))??;
        Ok(Self { file, identity: Identity { inode, cookie } })
    }

    /// A new one with nothing in it but a loopback that is down. It is gone with the last value that holds it.
    ///
    /// # Errors
    /// EPERM: only root, or somebody in a user namespace of their own, can make one.
    pub fn new() -> io::Result<Self> {
        let made = thread::scope(|scope| {
            let maker = thread::Builder::new().name("brunt-netns".into()).spawn_scoped(scope, || {
                unshare(CloneFlags::CLONE_NEWNET)?;
                Self::current()
            })?;
            maker.join().map_err(|_| io::Error::other("the thread that should make it has panicked"))
        });
        made?
    }

    /// Which one it is.
    pub fn identity(&self) -> Identity {
        self.identity
    }

    /// Takes the calling thread into it, from which it does not come back.
    ///
    /// # Errors
    /// As for [`Namespace::inside`].
    pub fn enter(&self) -> io::Result<()> {
        move_into(&self.file)
    }

    /// Does something inside, on a thread of its own, and waits for it.
    ///
    /// # Errors
    /// EPERM: this user may not enter it (CAP_SYS_ADMIN over it is needed, unless this process is in it already).
    pub fn inside<Out: Send>(&self, what: impl FnOnce() -> Out + Send) -> io::Result<Out> {
        enter(&self.file, || Ok(what()))?
    }
}

impl AsFd for Namespace {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.file.as_fd()
    }
}

/// Where a namespace of this name is found.
pub fn path_of(name: &str) -> PathBuf {
    Path::new(NAMED).join(name)
}

fn enter<Out: Send>(namespace: &File, what: impl FnOnce() -> io::Result<Out> + Send) -> io::Result<io::Result<Out>> {
    thread::scope(|scope| {
        let inside = thread::Builder::new().name("brunt-netns".into()).spawn_scoped(scope, || {
            move_into(namespace)?;
            what()
        })?;
        inside.join().map_err(|_| io::Error::other("the thread inside of the namespace has panicked"))
    })
}

/// An agent in a pod is where it acts, and has no right to enter anything. Both files are open, so that the inode cannot have
/// gone over to another namespace in between.
fn move_into(namespace: &File) -> io::Result<()> {
    let here = File::open("/proc/thread-self/ns/net")?.metadata()?;
    let there = namespace.metadata()?;
    if (here.dev(), here.ino()) == (there.dev(), there.ino()) {
        return Ok(());
    }
    Ok(move_into_link_name_space(namespace.as_fd(), Some(LinkNameSpaceType::Network))?)
}

/// The cookie of the calling thread's namespace; a kernel without it cannot tell.
fn cookie() -> u64 {
    socket_with(AddressFamily::UNIX, SocketType::DGRAM, SocketFlags::CLOEXEC, None)
        .map_or(Ok(0), |socket| sys::namespace_cookie(socket.as_fd()))
        .unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::netlink::testing::in_a_namespace;

    #[test]
    fn what_is_opened_inside_stays_inside() {
        in_a_namespace("namespace::tests::what_is_opened_inside_stays_inside", || {
            let other = Namespace::new().unwrap();
            let here = Namespace::current().unwrap();
            assert_ne!(other.identity(), here.identity());
            // Its loopback is down, so nothing can be reached from a socket that was made there, wherever it is used.
            let socket = other.inside(|| std::net::UdpSocket::bind("0.0.0.0:0")).unwrap().unwrap();
            assert!(socket.send_to(b"?", "127.0.0.1:9").is_err());
            assert!(std::net::UdpSocket::bind("0.0.0.0:0").unwrap().send_to(b"?", "127.0.0.1:9").is_ok());
            assert_eq!(Namespace::current().unwrap().identity(), here.identity());
        });
    }

    #[test]
    fn s9_a_namespace_that_took_the_inode_of_another_is_not_that_one() {
        in_a_namespace("namespace::tests::s9_a_namespace_that_took_the_inode_of_another_is_not_that_one", || {
            let mut seen: Vec<Identity> = Vec::new();
            for _ in 0..8 {
                let identity = Namespace::new().unwrap().identity();
                assert!(!seen.contains(&identity), "{identity:?} again, after {seen:?}");
                seen.push(identity);
            }
        });
    }

    #[test]
    fn a_file_that_is_no_namespace_is_refused() {
        let error = Namespace::at(Path::new("/proc/self/ns/uts")).unwrap_err();
        assert_eq!(error.raw_os_error(), Some(nix::libc::EINVAL), "{error}");
        assert_eq!(Namespace::named("brunt-no-such-name").unwrap_err().kind(), io::ErrorKind::NotFound);
    }
}
