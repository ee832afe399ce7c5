//! A network namespace that faults hit, another one that talks with it, and what goes between them.

use std::net::UdpSocket;
use std::path::Path;
use std::time::{Duration, Instant};

use brunt_injector::namespace::Namespace;
use brunt_injector::netlink::nf_tables;
use brunt_injector::netlink::tc::Tc;
use brunt_injector::netlink::tc::tree::Tree;
use brunt_injector::packets::arrivals;
use brunt_injector::{Injector, Reverted, Seen};
use brunt_scenario::plan::{Fault, ParamValue, Params, Target};
use brunt_scenario::units::Share;

use crate::inside::{near, sh};
use crate::scene;

/// Where the machine has the program that stands in for brunt.
pub const STAND_IN: &str = "/bin/stand-in";
pub const LEASE: Duration = Duration::from_secs(2);
pub const PORT: u16 = 4711;
/// Of the namespace that faults hit, and of who talks with it.
pub const VICTIM: [&str; 2] = ["10.9.0.1", "fd09::1"];
pub const PEER: [&str; 2] = ["10.9.0.2", "fd09::2"];
pub const OTHER: [&str; 2] = ["10.9.0.3", "fd09::3"];

/// Two namespaces with names: `victim`, which faults hit, and `peer`, which has two addresses of each family.
pub struct Place {
    pub victim: Namespace,
    pub peer: Namespace,
    pub state: tempfile::TempDir,
    pub before: Tree,
}

impl Place {
    pub fn new() -> Self {
        sh("for name in victim peer; do ip netns del $name 2>/dev/null || true; ip netns add $name; done");
        sh("ip -n victim link add va type veth peer name vb netns peer");
        for (namespace, link, all) in [("victim", "va", vec![VICTIM]), ("peer", "vb", vec![PEER, OTHER])] {
            sh(&format!("ip -n {namespace} link set lo up; ip -n {namespace} link set {link} up"));
            for [v4, v6] in all {
                sh(&format!(
                    "ip -n {namespace} addr add {v4}/24 dev {link}; ip -n {namespace} addr add {v6}/64 dev {link} nodad"
                ));
            }
        }
        let named = |name| Namespace::named(name).unwrap();
        let (victim, peer, state) = (named("victim"), named("peer"), tempfile::tempdir().unwrap());
        let before = Tree::default();
        let mut this = Self { victim, peer, state, before };
        // Both sides learn the other's hardware address before anything is counted.
        for address in [PEER, OTHER].concat() {
            let until = Instant::now() + Duration::from_secs(10);
            while this.leaves(address, 1).is_empty() {
                assert!(Instant::now() < until, "nothing reaches {address}");
            }
        }
        this.before = this.tree();
        this
    }

    pub fn tree(&self) -> Tree {
        self.victim.inside(|| Tree::of(&mut Tc::open().unwrap()).unwrap()).unwrap()
    }

    /// What is left of any fault, in words; nothing is.
    pub fn left(&self) -> Vec<String> {
        let tables = self.victim.inside(|| nf_tables::tables().unwrap()).unwrap();
        let link = self.victim.inside(|| arrivals::find().unwrap()).unwrap();
        let differs = self.tree().differences(&self.before);
        tables.into_iter().chain(link.map(|link| link.name)).chain(differs).collect()
    }

    /// How long each took of so many datagrams that leave the victim for an address; those that do not come are left out.
    pub fn leaves(&self, to: &str, many: u32) -> Vec<Duration> {
        times(&self.victim, &self.peer, to, many)
    }

    /// The same of what comes to the victim from this address of the peer.
    pub fn arrives(&self, from: &str, many: u32) -> Vec<Duration> {
        let to = VICTIM[usize::from(from.contains(':'))];
        times_from(&self.peer, from, &self.victim, to, many)
    }

    pub async fn start(&self, name: &str) -> Injector {
        let options = scene::options(Path::new(STAND_IN), self.state.path(), name, LEASE);
        Injector::start(options).await.unwrap().0
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        sh("ip netns del victim; ip netns del peer");
    }
}

pub fn times(here: &Namespace, there: &Namespace, to: &str, many: u32) -> Vec<Duration> {
    let any = if to.contains(':') { "::" } else { "0.0.0.0" };
    times_from(here, any, there, to, many)
}

/// One after the other; one that has not come 700 ms after it was sent is lost. A thousand and more are sent in one go, and only
/// counted.
pub fn times_from(here: &Namespace, from: &str, there: &Namespace, to: &str, many: u32) -> Vec<Duration> {
    let receiver = there.inside(|| UdpSocket::bind((to, PORT))).unwrap().unwrap();
    let sender = here.inside(|| UdpSocket::bind((from, 0))).unwrap().unwrap();
    sender.connect((to, PORT)).unwrap();
    let mut came = Vec::new();
    let mut buffer = [0; 8];
    if many < 1000 {
        receiver.set_read_timeout(Some(Duration::from_millis(700))).unwrap();
        for number in 0..many {
            let began = Instant::now();
            sender.send(&number.to_be_bytes()).unwrap();
            came.extend(receiver.recv(&mut buffer).ok().map(|_| began.elapsed()));
        }
        return came;
    }
    receiver.set_nonblocking(true).unwrap();
    let mut last = Instant::now();
    for number in 0..many {
        // No loss on the way may be told to who sends.
        sender.send(&number.to_be_bytes()).unwrap();
        while receiver.recv(&mut buffer).is_ok() {
            came.push(Duration::ZERO);
            last = Instant::now();
        }
    }
    while came.len() < many as usize && last.elapsed() < Duration::from_millis(100) {
        match receiver.recv(&mut buffer) {
            Ok(_) => (came.push(Duration::ZERO), last = Instant::now()).1,
            Err(_) => std::thread::sleep(Duration::from_millis(1)),
        }
    }
    came
}

pub fn block<T>(story: impl Future<Output = T>) -> T {
    assert!(std::env::var_os("BRUNT_TEST_IN_MACHINE").is_some(), "this is told inside the virtual machine");
    tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap().block_on(story)
}

pub fn target() -> Target {
    Target::Netns("victim".into())
}

pub fn fault(kind: &'static str, direction: &'static str, with: &[(&'static str, ParamValue)]) -> Fault {
    let direction = ("direction", ParamValue::Word(direction));
    let with = Params(with.iter().cloned().chain([direction]).collect());
    Fault { with, ..scene::fault("line", kind, "victim") }
}

pub fn time(milliseconds: u64) -> (&'static str, ParamValue) {
    ("latency", ParamValue::Duration(Duration::from_millis(milliseconds)))
}

pub fn percent(name: &'static str, share: f64) -> (&'static str, ParamValue) {
    (name, ParamValue::Percent(Share(share)))
}

pub async fn inject(injector: &Injector, fault: &Fault) {
    let victims = injector.resolve(fault, &target()).await.unwrap();
    injector.inject(fault, &victims).await.unwrap();
}

/// Which rung serves it, and why no higher one.
pub fn rung(injector: &Injector) -> (String, String) {
    let rung = injector.rung("line").unwrap();
    (rung.by, rung.why_not_higher.unwrap_or_default())
}

pub fn undone(reverted: &Reverted) {
    assert_eq!((reverted.rollback_verified, &reverted.error), (Some(true), &None), "{reverted:?}");
    assert!(matches!(reverted.effect, Seen::Yes(_)), "{reverted:?}");
    println!("{:?}; left: {:?}", reverted.effect, reverted.residue);
}

/// All took so long, within what the emulated machine needs for itself.
pub fn took(times: &[Duration], many: usize, milliseconds: u64) {
    let asked = Duration::from_millis(milliseconds);
    let late = asked + Duration::from_millis(3);
    assert_eq!(times.len(), many, "{times:?}");
    assert!(times.iter().all(|time| (asked..late).contains(time)), "{times:?} instead of {asked:?}");
}

pub fn lost(many: u32, came: &[Duration], share: f64) {
    let lost = many - u32::try_from(came.len()).unwrap();
    println!("{lost} of {many} lost, asked for {share}");
    assert!(near(lost, many, share), "{lost} of {many} lost at {share}");
}
