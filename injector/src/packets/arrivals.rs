//! Queues for what arrives: the kernel has them only for what leaves.
//!
//! So what arrives at the links of a namespace is sent out by a link of brunt's own there, an intermediate functional block
//! (IFB), whose queue then acts on it; when it has left, the block gives it back to the link that it was taken from, which goes
//! on as if nothing had been.
//! What sends it there is a leased rule at the links' doors (`fwd` of nf_tables), and not a filter of tc, which would be
//! looked at before any rule and has no lease: so when nobody renews it, what arrives passes by, and a block that a death has left does
//! nothing.
//!
//! There is one block of brunt's in a namespace: what it gives back is seen by no door again, and so by no second block.

use std::fs;
use std::io;

use crate::netlink::link::{self, Link};
use crate::netlink::tc::Refused;
use crate::netlink::tc::shaped::{Shape, Shaped};

/// What the block is called, in any namespace.
pub const NAME: &str = "brunt-ifb";
/// How the text beside it begins.
pub const ALIAS: &str = "brunt, faults on what arrives: ";

/// The block of a fault, in its namespace.
#[derive(Debug)]
pub struct Arrivals {
    link: u32,
}

impl Arrivals {
    /// Makes it in the calling thread's namespace, with its queue. Nothing is sent there yet. `whose` a person reads beside it.
    ///
    /// # Errors
    /// What the kernel refused; nothing is left then.
    pub fn make(whose: &str, shape: &Shape) -> Result<(Self, Shaped), Refused> {
        let refused = |what: &str| {
            let request = format!("{what} the link {NAME}");
            move |why| Refused { request, why }
        };
        let mut socket = link::open().map_err(refused("make"))?;
        link::add_ifb(&mut socket, NAME).map_err(refused("make"))?;
        let mut made = || -> Result<(Self, Shaped), Refused> {
            let index = link::by_name(&mut socket, NAME).map_err(refused("find"))?.index;
            link::set_alias(&mut socket, index, &format!("{ALIAS}{whose}")).map_err(refused("put a text beside"))?;
            without_addresses().map_err(refused("keep addresses of IPv6 from"))?;
            link::set_up(&mut socket, index).map_err(refused("set up"))?;
            let shaped = Shaped::prepare(|queues| queues.link == index);
            let mut shaped = shaped.map_err(io::Error::other).map_err(refused("look at"))?;
            shaped.install(shape)?;
            Ok((Self { link: index }, shaped))
        };
        made().inspect_err(|_| drop(remove()))
    }

    /// Its number.
    pub fn link(&self) -> u32 {
        self.link
    }
}

/// With addresses of its own it would be a place to send multicasts to.
fn without_addresses() -> io::Result<()> {
    match fs::write(format!("/proc/sys/net/ipv6/conf/{NAME}/disable_ipv6"), "1") {
        // A kernel without IPv6.
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
        done => done,
    }
}

/// The block in the calling thread's namespace, whoever has made it.
///
/// # Errors
/// The kernel does not answer.
pub fn find() -> io::Result<Option<Link>> {
    let links = link::all(&mut link::open()?)?;
    Ok(links.into_iter().find(|link| link.name == NAME && link.alias.starts_with(ALIAS)))
}

/// Removes it from the calling thread's namespace, and what it holds with it. Says whether there was one.
///
/// # Errors
/// What the kernel refused.
pub fn remove() -> io::Result<bool> {
    let mut socket = link::open()?;
    let mut all = link::all(&mut socket)?.into_iter();
    // Until it has its text, only its name tells: nobody else's begins like this.
    let Some(found) = all.find(|link| link.name == NAME && (link.alias.is_empty() || link.alias.starts_with(ALIAS)))
    else {
        return Ok(false);
    };
    match link::remove(&mut socket, found.index) {
        Err(error) if error.raw_os_error() == Some(nix::libc::ENODEV) => Ok(false),
        removed => removed.map(|()| true),
    }
}

#[cfg(test)]
mod tests {
    use std::net::UdpSocket;
    use std::os::fd::AsFd;
    use std::process::Command;
    use std::time::Duration;

    use super::*;
    use crate::namespace::Namespace;
    use crate::netlink::nf_tables::{Hook, Leased, Match, Rule, Verdict};
    use crate::netlink::tc::flow::Family;
    use crate::netlink::tc::rate::Rate;
    use crate::netlink::tc::shaped::CLASS;
    use crate::netlink::testing::in_a_namespace;

    fn sh(line: &str) {
        assert!(Command::new("sh").args(["-ec", line]).status().unwrap().success(), "{line}");
    }

    #[test]
    fn what_arrives_passes_the_block_as_long_as_the_lease_lives_and_comes_out_where_it_was_taken() {
        in_a_namespace(
            "packets::arrivals::tests::\
             what_arrives_passes_the_block_as_long_as_the_lease_lives_and_comes_out_where_it_was_taken",
            || {
                let there = Namespace::new().unwrap();
                link::add_pair(&mut link::open().unwrap(), "va", "", there.as_fd(), "vb").unwrap();
                let up = |name: &str, last: u8| {
                    format!(
                        "ip addr add 10.9.0.{last}/24 dev {name}; ip addr add fd09::{last}/64 dev {name} nodad; ip link set {name} up"
                    )
                };
                sh(&up("va", 1));
                there.inside(|| sh(&up("vb", 2))).unwrap();
                // Wide enough that nothing waits.
                let shape = Shape::Rate(Rate { bytes_per_second: 100_000_000 });
                let (arrivals, mut shaped) = Arrivals::make("a test", &shape).unwrap();
                assert_eq!(find().unwrap().map(|link| (link.index, link.up)), Some((arrivals.link(), true)));
                let verdict = Verdict::Redirect { link: arrivals.link(), class: CLASS };
                let spare =
                    Rule { hook: Hook::Ingress, matches: vec![Match::NeighbourDiscovery], verdict: Verdict::Spare };
                let v4 = Rule { hook: Hook::Ingress, matches: vec![Match::Of(Family::V4)], verdict };
                let lease = Duration::from_secs(100);
                let mut table = Leased::install_at(&["va".into()], "brunt-test", lease, &[spare, v4]).unwrap();
                let through = |to: &str, many: u32| {
                    let receiver = UdpSocket::bind((to, 4711)).unwrap();
                    receiver.set_read_timeout(Some(Duration::from_secs(2))).unwrap();
                    let any = if to.contains(':') { "::" } else { "0.0.0.0" };
                    let sender = there.inside(|| UdpSocket::bind((any, 0))).unwrap().unwrap();
                    (0..many).for_each(|_| assert_eq!(sender.send_to(b"?", (to, 4711)).unwrap(), 1));
                    (0..many).filter(|_| receiver.recv(&mut [0; 8]).is_ok()).count()
                };
                let mut counted = |table: &mut Leased| {
                    (table.counts(Hook::Ingress).unwrap()[1], shaped.statistics().unwrap().packets)
                };
                // IPv6 is not meant, and neither is ARP, without which nothing would come.
                assert_eq!((through("fd09::1", 20), counted(&mut table)), (20, (0, 0)));
                assert_eq!((through("10.9.0.1", 20), counted(&mut table)), (20, (20, 20)));
                table.pause().unwrap();
                assert_eq!((through("10.9.0.1", 20), counted(&mut table)), (20, (20, 20)));
                table.beat().unwrap();
                assert_eq!((through("10.9.0.1", 20), counted(&mut table)), (20, (40, 40)));
                table.remove().unwrap();
                assert_eq!((remove().unwrap(), remove().unwrap(), find().unwrap()), (true, false, None));
                assert_eq!(through("10.9.0.1", 20), 20);
            },
        );
    }
}
