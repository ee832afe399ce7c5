//! Two network namespaces that a test makes for itself, joined by a virtual cable: a client's and a server's. Nothing of the
//! host's own network is touched. Making them needs root.

use std::net::{IpAddr, Ipv4Addr};
use std::process::Command;
use std::sync::atomic::{AtomicU32, Ordering};

use brunt_injector::namespace::Namespace;

/// The pair; dropping it removes both.
#[derive(Debug)]
pub struct Namespaces {
    /// Name of the client's.
    pub client: String,
    /// Name of the server's.
    pub server: String,
}

impl Namespaces {
    /// The server's address on the cable.
    pub const SERVER: IpAddr = IpAddr::V4(Ipv4Addr::new(10, 77, 0, 2));

    /// Makes them. TCP uses reno there, which every machine has (cubic is often not allowed outside
    /// of the first namespace): how a loss is felt depends on that.
    ///
    /// # Panics
    /// Without root, or without `ip`.
    pub fn pair() -> Self {
        static COUNT: AtomicU32 = AtomicU32::new(0);
        let number = COUNT.fetch_add(1, Ordering::Relaxed);
        let name = |end: &str| format!("brunt-test-{}-{number}-{end}", std::process::id());
        let pair = Self { client: name("c"), server: name("s") };
        for namespace in [&pair.client, &pair.server] {
            ip(&["netns", "add", namespace]);
            ip(&["-n", namespace, "link", "set", "lo", "up"]);
            let reno = "echo reno > /proc/sys/net/ipv4/tcp_congestion_control";
            ip(&["netns", "exec", namespace, "sh", "-c", reno]);
        }
        ip(&["-n", &pair.server, "link", "add", "cable", "type", "veth", "peer", "cable", "netns", &pair.client]);
        for (namespace, host) in [(&pair.client, 1), (&pair.server, 2)] {
            ip(&["-n", namespace, "addr", "add", &format!("10.77.0.{host}/24"), "dev", "cable"]);
            ip(&["-n", namespace, "addr", "add", &format!("fd77::{host}/64"), "dev", "cable", "nodad"]);
            ip(&["-n", namespace, "link", "set", "cable", "up"]);
        }
        pair
    }

    /// The server's, to do something inside.
    pub fn of_server(&self) -> Namespace {
        Namespace::named(&self.server).expect("the test has made it")
    }

    /// The client's, to do something inside.
    pub fn of_client(&self) -> Namespace {
        Namespace::named(&self.client).expect("the test has made it")
    }
}

impl Drop for Namespaces {
    fn drop(&mut self) {
        for name in [&self.client, &self.server] {
            let _ = Command::new("ip").args(["netns", "delete", name]).status();
        }
    }
}

#[track_caller]
fn ip(args: &[&str]) {
    let output = Command::new("ip").args(args).output().expect("`ip` of iproute2 is there");
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "ip {} failed (this test needs root): {said}", args.join(" "));
}
