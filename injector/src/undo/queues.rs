//! Puts back the queues of links in a network namespace: what a fault that shapes has changed.
//!
//! A namespace that is gone took its links with it. One that stands at the same place but is another (its cookie differs, even
//! where its inode is the same) is left alone: whatever it has is not ours.

use std::io;
use std::path::Path;

use crate::namespace::{Identity, Namespace};
use crate::netlink::tc::Tc;
use crate::netlink::tc::tree::{Queues, Restored};
use crate::packets::arrivals;

/// Does it. `Ok` says what was done or was found not to be needed, `Err` what a person must do.
pub fn restore(at: &Path, identity: Identity, links: &[Queues]) -> Result<Vec<String>, String> {
    in_that(at, identity, "queues", || by_hand(at, links), || inside(links))
}

/// The same of the link that what arrives was sent through.
pub fn remove_arrivals(at: &Path, identity: Identity) -> Result<Vec<String>, String> {
    let by_hand = || format!("remove it by `nsenter --net={} ip link del {}`", at.display(), arrivals::NAME);
    let remove = || {
        let gone = if arrivals::remove()? { "removed" } else { "was gone already" };
        Ok(vec![format!("the link {} {gone}", arrivals::NAME)])
    };
    in_that(at, identity, "links", by_hand, remove)
}

/// Does something in the namespace, if it is still the same.
fn in_that(
    at: &Path,
    identity: Identity,
    what: &str,
    by_hand: impl Fn() -> String,
    undo: impl FnOnce() -> io::Result<Vec<String>> + Send,
) -> Result<Vec<String>, String> {
    let namespace = match Namespace::at(at) {
        Ok(namespace) => namespace,
        // A process that is gone has no namespace, and what `ip netns` has removed is no longer one but a file.
        Err(error) if error.kind() == io::ErrorKind::NotFound || error.raw_os_error() == Some(EINVAL) => {
            return Ok(vec![format!("{} is gone, and its {what} with it", at.display())]);
        }
        Err(error) => {
            return Err(format!("cannot enter the network namespace {}: {error}; {}", at.display(), by_hand()));
        }
    };
    if namespace.identity() != identity {
        return Ok(vec![format!("{} is another network namespace by now; nothing was touched", at.display())]);
    }
    let outcome = namespace.inside(undo).and_then(|outcome| outcome);
    outcome.map_err(|error| format!("{error}; {}", by_hand()))
}

/// As the kernel's headers have it: the file is no network namespace.
const EINVAL: i32 = nix::libc::EINVAL;

/// On a thread that has entered the namespace.
fn inside(links: &[Queues]) -> io::Result<Vec<String>> {
    let mut tc = Tc::open()?;
    let mut done = Vec::new();
    for queues in links {
        match queues.restore(&mut tc).map_err(io::Error::other)? {
            Restored::Yes(what) => done.push(what),
            Restored::Differs(differences) => {
                return Err(io::Error::other(format!("brunt's queues are gone, and {}", differences.join("; "))));
            }
        }
    }
    Ok(done)
}

fn by_hand(at: &Path, links: &[Queues]) -> String {
    let one = |queues: &Queues| format!("`nsenter --net={} tc qdisc del dev {} root`", at.display(), queues.name);
    format!(
        "look with `nsenter --net={} tc qdisc`, remove by {}",
        at.display(),
        links.iter().map(one).collect::<Vec<_>>().join(", ")
    )
}

#[cfg(test)]
mod tests {
    use std::process::Command;

    use super::*;
    use crate::fault::Undo;
    use crate::netlink::tc::rate::Rate;
    use crate::netlink::tc::shaped::{Shape, Shaped};
    use crate::netlink::tc::tree::Tree;
    use crate::netlink::testing::in_a_namespace;

    /// The namespace of a process that sleeps, with a veth in it, its pid, and what undoes a shaping of it.
    fn shaped() -> (Sleeper, Tree, Undo) {
        let sleeper = Sleeper::start();
        let at = sleeper.namespace();
        let namespace = Namespace::at(&at).unwrap();
        let (before, links) = namespace
            .inside(|| {
                let made =
                    Command::new("ip").args(["link", "add", "va", "type", "veth", "peer", "name", "vb"]).status();
                assert!(made.unwrap().success());
                let before = Tree::of(&mut Tc::open().unwrap()).unwrap();
                let mut shaped = Shaped::prepare(|queues| queues.name != "lo").unwrap();
                shaped.install(&Shape::Rate(Rate { bytes_per_second: 1000 })).unwrap();
                (before, shaped.before().to_vec())
            })
            .unwrap();
        (sleeper, before, Undo::Queues { at, namespace: namespace.identity(), links })
    }

    struct Sleeper(std::process::Child);

    impl Sleeper {
        /// In a network namespace of its own, once it has said so.
        fn start() -> Self {
            use std::io::Read;
            let mut command = Command::new("unshare");
            command.args(["--net", "sh", "-c", "echo; exec sleep 600"]).stdout(std::process::Stdio::piped());
            let mut child = command.spawn().unwrap();
            child.stdout.as_mut().unwrap().read_exact(&mut [0]).unwrap();
            Self(child)
        }

        fn namespace(&self) -> std::path::PathBuf {
            format!("/proc/{}/ns/net", self.0.id()).into()
        }
    }

    impl Drop for Sleeper {
        fn drop(&mut self) {
            let _ = self.0.kill();
            let _ = self.0.wait();
        }
    }

    fn now(at: &Path) -> Tree {
        Namespace::at(at).unwrap().inside(|| Tree::of(&mut Tc::open().unwrap()).unwrap()).unwrap()
    }

    #[test]
    fn what_the_journal_says_puts_the_queues_back_and_does_it_once() {
        in_a_namespace("undo::queues::tests::what_the_journal_says_puts_the_queues_back_and_does_it_once", || {
            let (sleeper, before, undo) = shaped();
            let at = sleeper.namespace();
            assert_ne!(now(&at), before);
            let read: Undo = serde_json::from_str(&serde_json::to_string(&undo).unwrap()).unwrap();
            let sentence = |name: &str, did: &str| format!("the queues of {name} {did}");
            let both = |did: &str| vec![sentence("vb", did), sentence("va", did)];
            assert_eq!(crate::undo::apply(&read), Ok(both("are as they were")));
            assert_eq!(now(&at), before);
            assert_eq!(crate::undo::apply(&read), Ok(both("were as before already")));
        });
    }

    #[test]
    fn s9_another_namespace_at_the_same_place_is_left_alone() {
        in_a_namespace("undo::queues::tests::s9_another_namespace_at_the_same_place_is_left_alone", || {
            let (sleeper, _, undo) = shaped();
            let (other, _, _) = shaped();
            let Undo::Queues { namespace, links, .. } = undo else { panic!() };
            let (at, shaped) = (other.namespace(), now(&other.namespace()));
            let told = restore(&at, namespace, &links).unwrap().join("");
            assert_eq!(told, format!("{} is another network namespace by now; nothing was touched", at.display()));
            assert_eq!(now(&at), shaped);
            // The same inode is not enough.
            let real = Namespace::at(&at).unwrap().identity();
            let reused = Identity { cookie: real.cookie + 1, ..real };
            assert!(restore(&at, reused, &links).unwrap().join("").ends_with("nothing was touched"));
            assert_eq!(now(&at), shaped);
            let gone = sleeper.namespace();
            drop(sleeper);
            let told = restore(&gone, namespace, &links).unwrap().join("");
            assert_eq!(told, format!("{} is gone, and its queues with it", gone.display()));
        });
    }
}
