//! The safety cases: each test has the number of its case.

use std::io::{BufRead, BufReader};
use std::process::{Child, Command, Stdio};

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

use super::*;
use crate::netlink::queue;

const SHORT: Duration = Duration::from_secs(1);

/// In the process of the owner: loses everything until it is killed.
fn own() {
    let here = Namespace::current().unwrap();
    let mut queue = Queue::start(&here, &arriving(), &lose(1.0), 1, "brunt-test", SHORT).unwrap();
    println!("owned");
    loop {
        std::thread::sleep(SHORT / 10);
        // While it was stopped its thread has not been awake, and a beat says so.
        let _ = queue.beat();
    }
}

/// Ends with the test, also with one that fails: it could be stopped, and hold the test's output open for ever.
struct Owner(Child);

impl Owner {
    fn signal(&self, signal: Signal) {
        kill(Pid::from_raw(self.0.id().cast_signed()), signal).unwrap();
    }
}

impl Drop for Owner {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// The test of this name again, in a process of its own in this namespace, as the owner of a queue.
fn owner(name: &str) -> Owner {
    let mut command = Command::new(std::env::current_exe().unwrap());
    command.args(["--exact", name, "--nocapture"]).env("BRUNT_TEST_OWNER", "1").stdout(Stdio::piped());
    let mut child = command.spawn().unwrap();
    let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
    let owner = Owner(child);
    assert!(lines.any(|line| line.unwrap().ends_with("owned")), "the owner has ended");
    owner
}

fn is_owner() -> bool {
    std::env::var_os("BRUNT_TEST_OWNER").is_some()
}

/// Sends until something comes through, and says how long that took.
fn flows_again(traffic: &mut Traffic) -> Duration {
    let began = Instant::now();
    until("the return of traffic", || {
        traffic.send(1);
        std::thread::sleep(Duration::from_millis(1));
        !traffic.received().is_empty()
    });
    began.elapsed()
}

#[test]
fn s1_agent_stopped_traffic_flows() {
    let name = here!("s1_agent_stopped_traffic_flows");
    in_a_namespace(name, || {
        if is_owner() {
            own();
        }
        let mut traffic = Traffic::new("127.0.0.1", PORT);
        let owner = owner(name);
        traffic.send(20);
        owner.signal(Signal::SIGSTOP);
        let took = flows_again(&mut traffic);
        // A tick of the kernel's timeouts (at most 10 ms), and this machine's own delays.
        assert!(took < SHORT + Duration::from_millis(500), "after {took:?}, with a lease of {SHORT:?}");
        assert!(took > SHORT / 2, "after {took:?} already: the rule did not act");
    });
}

#[test]
fn s2_both_killed_no_rule_left() {
    let name = here!("s2_both_killed_no_rule_left");
    in_a_namespace(name, || {
        if is_owner() {
            own();
        }
        let mut traffic = Traffic::new("127.0.0.1", PORT);
        let mut owner = owner(name);
        traffic.send(20);
        assert!(traffic.received().is_empty());
        owner.signal(Signal::SIGKILL);
        owner.0.wait().unwrap();
        let took = flows_again(&mut traffic);
        assert!(took < SHORT / 2, "after {took:?}: that was the lease");
        // The name is free, so the table is gone; so is the queue.
        start(&arriving(), &lose(0.0));
    });
}

#[test]
fn s7_queue_number_taken() {
    in_a_namespace(here!("s7_queue_number_taken"), || {
        let mut foreign = queue::Queue::bind(FIRST, Copied::Head, 10).unwrap();
        let mut traffic = Traffic::new("127.0.0.1", PORT);
        let queue = start(&arriving(), &lose(0.0));
        assert_eq!(queue.number(), FIRST + 1);
        assert_eq!(traffic.pass(&queue, 50).len(), 50);
        assert_eq!(foreign.read(|_| ()).unwrap(), 0, "a stranger was given our packets");
        drop(queue);
        let all: Vec<_> =
            (FIRST + 1..FIRST + NUMBERS).map(|number| queue::Queue::bind(number, Copied::Head, 10).unwrap()).collect();
        let here = Namespace::current().unwrap();
        let refused = Queue::start(&here, &arriving(), &lose(0.1), 1, "brunt-test", LEASE).map(|_| ()).unwrap_err();
        assert!(matches!(refused, Error::Bind(BindError::Taken(_))), "{refused}");
        // Nothing was left behind.
        traffic.send(10);
        assert_eq!(traffic.receive(10).len(), 10);
        drop(all);
    });
}

/// Whoever takes the number of an owner that was killed is given nothing by it: the rule went with the owner.
#[test]
fn s7_foreign_queue_listener() {
    let name = here!("s7_foreign_queue_listener");
    in_a_namespace(name, || {
        if is_owner() {
            own();
        }
        let mut traffic = Traffic::new("127.0.0.1", PORT);
        let mut owner = owner(name);
        owner.signal(Signal::SIGKILL);
        owner.0.wait().unwrap();
        let mut foreign = queue::Queue::bind(FIRST, Copied::Head, 10).unwrap();
        let began = Instant::now();
        flows_again(&mut traffic);
        // Within the lease, in which a rule that stood there still would have acted.
        while began.elapsed() < SHORT / 2 {
            traffic.send(1);
            assert_eq!(foreign.read(|_| ()).unwrap(), 0, "a stranger was given packets by a rule of brunt's");
            std::thread::sleep(Duration::from_millis(5));
        }
    });
}

/// A rule of nf_tables that drops at the sender tells it (EPERM, and TCP takes it for congestion of its own); the queue does not.
#[test]
fn rule_8_who_sends_is_not_told_what_the_queue_drops() {
    in_a_namespace(here!("rule_8_who_sends_is_not_told_what_the_queue_drops"), || {
        let mut traffic = Traffic::new("127.0.0.1", PORT);
        let leaving = to_port(Hook::Output, Transport::Udp);
        let mut queue = start(&leaving, &lose(1.0));
        // Fails if one of them is refused.
        traffic.send(200);
        until("the loss of all", || queue.counters().acted == 200);
        assert!(traffic.received().is_empty());
        queue.release().unwrap();
        let matches = vec![Match::Transport(Transport::Udp), Match::To(PORT)];
        let dropping =
            Leased::install("brunt-test", LEASE, &[Rule { hook: Hook::Output, matches, verdict: Verdict::Drop }]);
        let told = traffic.sender.send(b"1234").unwrap_err();
        assert_eq!(told.kind(), io::ErrorKind::PermissionDenied);
        drop(dropping);
    });
}

/// What a namespace as a whole is hit by (packets that come in by a device, or leave by one) never hits its loopback, where
/// each packet would pass both rules.
#[test]
fn rule_14_the_loopback_is_spared() {
    in_a_namespace(here!("rule_14_the_loopback_is_spared"), || {
        let mut traffic = Traffic::new("127.0.0.1", PORT);
        let ways = [(Hook::Prerouting, Match::ArrivedFromOutside), (Hook::Output, Match::LeavesForOutside)];
        let rules = ways.map(|(hook, way)| Rule { hook, matches: vec![way], verdict: Verdict::Drop });
        let table = Leased::install("brunt-other", LEASE, &rules).unwrap();
        traffic.send(50);
        assert_eq!(traffic.receive(50).len(), 50);
        drop(table);
        // And one that has a direction passes the loopback once.
        let queue = start(&arriving(), &lose(0.0));
        assert_eq!(traffic.pass(&queue, 50).len(), 50);
        assert_eq!(queue.counters().came, 50);
    });
}

#[test]
fn s14_held_packets_on_revert() {
    in_a_namespace(here!("s14_held_packets_on_revert"), || {
        let mut traffic = Traffic::new("127.0.0.1", PORT);
        let mut queue = start(&arriving(), &delay(60_000));
        traffic.send(500);
        // Some of them may not have been read yet.
        let began = Instant::now();
        let counters = queue.release().unwrap();
        assert!(traffic.receive(500).into_iter().eq(0..500));
        assert!(began.elapsed() < PATIENCE, "{:?}", began.elapsed());
        assert_eq!((counters.came, counters.held, counters.trouble()), (500, 0, None));
        traffic.send(5);
        assert!(traffic.receive(5).into_iter().eq(500..505));
        assert_eq!(queue.release().unwrap(), counters, "a second time does nothing");
    });
}

/// With any chain that goes the kernel drops what waits in all queues of the namespace.
#[test]
fn the_end_of_one_fault_loses_nothing_that_another_one_holds() {
    in_a_namespace(here!("the_end_of_one_fault_loses_nothing_that_another_one_holds"), || {
        let here = Namespace::current().unwrap();
        let mut traffic = Traffic::new("127.0.0.1", PORT);
        let mut queue = start(&arriving(), &delay(60_000));
        let elsewhere = Path { any_of: vec![vec![Match::Transport(Transport::Tcp)]], ..arriving() };
        let mut second = Queue::start(&here, &elsewhere, &delay(60_000), 42, "brunt-second", LEASE).unwrap();
        let drops = Rule { hook: Hook::Input, matches: vec![Match::Transport(Transport::Tcp)], verdict: Verdict::Drop };
        let rules = crate::packets::Beats::new(LEASE).install(&here, "brunt-rules", &[drops]).unwrap();
        traffic.send(100);
        until("the arrival of all", || queue.counters().came == 100);
        second.release().unwrap();
        rules.remove().unwrap();
        let waiting = |table: &str| chains::waits(here.identity(), table);
        assert!(waiting("brunt-second") && waiting("brunt-rules"));

        let counters = queue.release().unwrap();
        assert_eq!((counters.came, counters.trouble()), (100, None));
        assert!(traffic.receive(100).into_iter().eq(0..100));
        assert_eq!(crate::netlink::nf_tables::tables().unwrap(), Vec::<String>::new());
    });
}

#[test]
fn packets_that_another_program_made_vanish_are_trouble() {
    in_a_namespace(here!("packets_that_another_program_made_vanish_are_trouble"), || {
        let mut traffic = Traffic::new("127.0.0.1", PORT);
        let other_rule =
            Rule { hook: Hook::Input, matches: vec![Match::Transport(Transport::Tcp)], verdict: Verdict::Drop };
        let other = Leased::install("other", LEASE, &[other_rule]).unwrap();
        let mut queue = start(&arriving(), &delay(60_000));
        traffic.send(100);
        until("the arrival of all", || queue.counters().came == 100);
        drop(other);
        let counters = queue.release().unwrap();
        let trouble = counters.trouble().unwrap_or_default();
        assert!(trouble.contains("100 packets were thrown away while they waited"), "{counters:?}");
        assert!(traffic.received().is_empty());
    });
}

#[test]
fn when_the_thread_has_ended_the_lease_is_not_renewed_and_packets_pass() {
    in_a_namespace(here!("when_the_thread_has_ended_the_lease_is_not_renewed_and_packets_pass"), || {
        let mut traffic = Traffic::new("127.0.0.1", PORT);
        let mut queue = start(&arriving(), &lose(1.0));
        queue.beat().unwrap();
        queue.shared.ending.store(true, Relaxed);
        until("the end of the thread", || queue.worker.as_ref().is_some_and(JoinHandle::is_finished));
        let refused = queue.beat().unwrap_err();
        assert_eq!(refused.to_string(), "the thread that decides about packets has ended");
        // Nobody is bound any more, so the rule lets them pass.
        traffic.send(10);
        assert_eq!(traffic.receive(10).len(), 10);
    });
}
