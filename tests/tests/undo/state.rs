//! What can be left: everything of both network namespaces that other programs can see, the service's cgroup, and files.

use std::fmt::Write as _;
use std::path::Path;
use std::process::Command;
use std::time::Duration;

use brunt_injector::namespace::Namespace;
use brunt_injector::netlink::nf_tables;
use brunt_tests::ended::files_below;
use brunt_tests::host;
use brunt_tests::namespaces::Namespaces;

use crate::weight::Weight;

/// Told by iproute2, nft and iptables: none of them is brunt's.
const LOOK: &str = "
    ip -details link; ip address; ip rule; ip -6 rule; ip route show table all; ip -6 route show table all
    tc qdisc; for link in lo cable; do tc class show dev $link; tc filter show dev $link; done
    nft list ruleset; iptables-save; ip6tables-save
";

/// As text, so that a difference can be read.
#[derive(Debug, PartialEq, Eq)]
pub struct State(String);

impl State {
    /// Of both namespaces, the service's cgroup, the state folder of brunt, and the folder of its scenario.
    pub fn of(network: &Namespaces, weight: &Weight, folders: [&Path; 2]) -> Self {
        let mut text = weight.cgroup();
        let up = |namespace: &Namespace| {
            let look = || Command::new("ip").args(["-o", "link", "show", "cable"]).output();
            let output = namespace.inside(look).expect("root may enter").expect("ip is there");
            String::from_utf8_lossy(&output.stdout).contains("state UP")
        };
        let both = || up(&network.of_client()) && up(&network.of_server());
        assert!(host::comes_true(Duration::from_secs(20), both), "the cable does not come up");
        for (namespace, name) in [(network.of_client(), &network.client), (network.of_server(), &network.server)] {
            let look = || Command::new("sh").args(["-c", LOOK]).output();
            let output = namespace.inside(look).expect("root may enter").expect("there is a shell");
            let said = String::from_utf8_lossy(&output.stdout);
            assert!(said.contains("qdisc"), "{output:?}");
            let tables = namespace.inside(nf_tables::tables).expect("root may enter").expect("they are listed");
            let _ = writeln!(text, "{}\ntables {tables:?}", lasting(&said));
            let processes = Command::new("ip").args(["netns", "pids", name]).output().expect("ip is there");
            let _ = writeln!(text, "processes {:?}", String::from_utf8_lossy(&processes.stdout));
        }
        for folder in folders {
            let _ = writeln!(text, "{} {:?}", folder.display(), files_below(folder));
        }
        Self(text)
    }

    /// The lines in which another one differs: `-` before, `+` after. Empty when both are equal.
    pub fn changes(&self, after: &Self) -> String {
        let (before, after): (Vec<_>, Vec<_>) = (self.0.lines().collect(), after.0.lines().collect());
        let gone = before.iter().filter(|line| !after.contains(line)).map(|line| format!("- {line}\n"));
        let new = after.iter().filter(|line| !before.contains(line)).map(|line| format!("+ {line}\n"));
        let changes: String = gone.chain(new).collect();
        if changes.is_empty() && before != after { "the same lines in another order or number".into() } else { changes }
    }
}

/// Without what changes by itself: the kernel gives a cable its link-local addresses when it gets round to it, and
/// iptables-save writes the time.
fn lasting(said: &str) -> String {
    let lines = said.lines().filter(|line| !line.starts_with('#') && !line.contains("fe80::"));
    lines.map(|line| line.to_owned() + "\n").collect()
}
