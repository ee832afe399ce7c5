//! Faults on packets, in network namespaces that the test made: they act in their window, are seen, and are gone afterwards,
//! also when nobody is left to remove them.

use std::net::{SocketAddr, TcpStream};
use std::time::{Duration, Instant};

use brunt_injector::netlink::nf_tables;
use brunt_injector::netlink::tc::Tc;
use brunt_injector::netlink::tc::rate::Rate;
use brunt_injector::netlink::tc::shaped::{Shape, Shaped};
use brunt_injector::netlink::tc::tree::Tree;
use brunt_report::results::Verdict;
use brunt_tests::answering::Answering;
use brunt_tests::brunt::{Brunt, Running};
use brunt_tests::ended::{fault, window};
use brunt_tests::namespaces::Namespaces;
use brunt_tests::scenario::Scenario;
use brunt_tests::{host, machine};
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

/// Load from the client's namespace on a service in the server's, and this timeline.
fn scenario(network: &Namespaces, service: &Answering, timeline: &str) -> Scenario {
    Scenario::new(&format!(
        "
        version: 1
        name: packets
        seed: 3
        targets:
          api: {{ url: \"http://{}:{}\" }}
          lab: {{ netns: {} }}
        load:
          main: {{ target: api, get: /, rate: 200/s, for: timeline, timeout: 5s }}
        slos:
          fast: {{ metric: latency.p95, max: 100ms, over: 1s }}
        steady_state: {{ all_of: [ fast ] }}
        timeline:
{timeline}
        safety: {{ lease: 2s }}
        ",
        Namespaces::SERVER,
        service.port(),
        network.server,
    ))
}

/// brunt itself works in the client's namespace, and reaches into the server's by its name.
fn run(network: &Namespaces, scenario: &Scenario) -> Brunt {
    Brunt::run(scenario).under(["ip", "netns", "exec", &network.client])
}

/// The tables of nf_tables in the server's namespace.
fn tables(network: &Namespaces) -> Vec<String> {
    network.of_server().inside(nf_tables::tables).expect("root may enter").expect("the kernel lists them")
}

/// Whether a connection from the client's namespace is taken.
fn connects(network: &Namespaces, service: &Answering) -> bool {
    let address = SocketAddr::from((Namespaces::SERVER, service.port()));
    let connect = || TcpStream::connect_timeout(&address, Duration::from_millis(150)).is_ok();
    network.of_client().inside(connect).expect("root may enter")
}

/// Of a running brunt: its agent's process.
fn agent(run: &Running) -> i32 {
    let marked = host::marked(run.mark());
    let agent = marked.iter().find(|process| process.command.ends_with(" agent")).expect("brunt has an agent");
    i32::try_from(agent.pid).expect("a process id")
}

#[test]
fn a_fifth_of_the_packets_is_lost_in_the_window_and_none_afterwards() {
    let _machine = machine::alone();
    let network = Namespaces::pair();
    let service = Answering::inside(&network.server);
    let timeline = "
          - baseline: 3s
          - { id: bad-line, fault: network.loss, target: lab, for: 5s, with: { loss: 20% } }
          - recover: { within: 10s }
        ";
    let ended = run(&network, &scenario(&network, &service, timeline)).go().expect_code(0);

    let results = ended.results();
    assert_eq!(results.summary.verdict, Verdict::Pass);
    let seen = fault(&results, "bad-line");
    assert!(seen.verified && seen.rollback_verified == Some(true), "{seen:?}");
    assert!(ended.stdout.contains("nf_tables") || format!("{seen:?}").contains("nf_tables"), "{seen:?}");
    // A lost packet of a short exchange is sent again after 200 ms at the earliest, and many are.
    let p95 = |name: &str| window(&results, name).latency_ms.p95;
    assert!(p95("baseline").is_some_and(|ms| ms < 50.0), "{:?}", p95("baseline"));
    assert!(p95("fault:bad-line").is_some_and(|ms| ms > 190.0), "{:?}", p95("fault:bad-line"));
    assert_eq!(tables(&network), Vec::<String>::new());
}

#[test]
fn a_partition_is_felt_as_silence_and_everything_goes_on_when_it_is_healed() {
    let _machine = machine::alone();
    let network = Namespaces::pair();
    let service = Answering::inside(&network.server);
    let timeline = "
          - baseline: 2s
          - { id: cut, fault: network.partition, target: lab, for: 2s }
          - recover: { within: 10s }
        ";
    let ended = run(&network, &scenario(&network, &service, timeline)).go().expect_code(0);

    let results = ended.results();
    let seen = fault(&results, "cut");
    assert!(seen.verified && seen.rollback_verified == Some(true), "{seen:?}");
    // What was sent during the cut waited for its end: the first ones for nearly two seconds.
    assert!(window(&results, "fault:cut").latency_ms.p95.is_some_and(|ms| ms > 1_000.0), "{ended}");
    assert_eq!(window(&results, "fault:cut").errors, 0, "{ended}");
}

/// A scenario whose only fault cuts the server off for longer than the test looks.
fn cut_for_long(network: &Namespaces, service: &Answering) -> Running {
    let timeline = "
          - { id: cut, fault: network.partition, target: lab, for: 60s }
        ";
    let scenario = scenario(network, service, timeline);
    let run = run(network, &scenario).start();
    run.wait_for("event=fault.verified");
    assert!(!connects(network, service), "the server is cut off");
    run
}

fn send(signal: Signal, process: i32) {
    kill(Pid::from_raw(process), signal).expect("it is alive");
}

#[test]
fn s1_agent_stopped_traffic_flows() {
    let _machine = machine::shared();
    let network = Namespaces::pair();
    let service = Answering::inside(&network.server);
    let run = cut_for_long(&network, &service);
    let agent = agent(&run);
    // Both, so that nobody is left who could notice and remove the table: the kernel alone holds the lease.
    run.signal(Signal::SIGSTOP);
    send(Signal::SIGSTOP, agent);
    let stopped = Instant::now();
    let flows = host::comes_true(Duration::from_secs(4), || connects(&network, &service));
    let after = stopped.elapsed();
    let left = tables(&network);
    send(Signal::SIGKILL, agent);
    run.signal(Signal::SIGKILL);
    run.wait();

    assert!(flows && after < Duration::from_millis(2_700), "traffic flowed {after:?} after both were stopped");
    assert_eq!(left.len(), 1, "the table was still there, and did nothing: {left:?}");
}

#[test]
fn s2_both_killed_no_rule_left() {
    let _machine = machine::shared();
    let network = Namespaces::pair();
    let service = Answering::inside(&network.server);
    let run = cut_for_long(&network, &service);
    let agent = agent(&run);
    run.signal(Signal::SIGKILL);
    send(Signal::SIGKILL, agent);
    run.wait();

    assert!(host::comes_true(Duration::from_secs(1), || tables(&network).is_empty()), "{:?}", tables(&network));
    assert!(connects(&network, &service));
}

#[test]
fn a_namespace_that_is_not_there_is_refused_before_anything_runs() {
    let _machine = machine::shared();
    let network = Namespaces::pair();
    let service = Answering::inside(&network.server);
    let timeline = "
          - { id: cut, fault: network.partition, target: lab, for: 1s }
        ";
    let story = scenario(&network, &service, timeline);
    let gone = Brunt::run(&story).args(["--set", "targets.lab.netns=nowhere"]).go().expect_code(3);
    gone.expect_said("there is no network namespace `nowhere`").expect_said("ip netns list");

    let nobody = ["setpriv", "--reuid", "65534", "--regid", "65534", "--clear-groups", "--"];
    let plan = Brunt::with(["plan"]).arg(story.path()).under(nobody).go();
    plan.expect_said("run brunt as root");
}

#[test]
fn s8_two_runs_on_one_namespace_are_told_apart_by_refusing_the_second() {
    let _machine = machine::shared();
    let network = Namespaces::pair();
    let service = Answering::inside(&network.server);
    let first = cut_for_long(&network, &service);
    // Another user of the namespace, with another name: brunt goes by what is in the kernel.
    let timeline = "
          - { id: line, fault: network.loss, target: lab, for: 1s, with: { loss: 5% } }
        ";
    let elsewhere = Answering::inside(&network.client);
    let url = format!("targets.api.url=http://10.77.0.1:{}", elsewhere.port());
    let second = run(&network, &scenario(&network, &service, timeline)).args(["--set", &url]).go();
    let second = second.expect_said("another run acts on the packets of");
    assert_ne!(second.code, 0, "{second}");
    first.signal(Signal::SIGTERM);
    first.wait();
    assert_eq!(tables(&network), Vec::<String>::new());
}

#[test]
fn rule_10_of_a_service_that_shares_its_network_only_the_packets_of_its_own_port_are_lost() {
    let _machine = machine::alone();
    let network = Namespaces::pair();
    let service = Answering::inside(&network.server);
    // brunt, its service and a stranger share one namespace; load goes to both over the loopback.
    let stranger = Answering::inside(&network.client);
    let program = brunt_tests::answering::program();
    let story = Scenario::new(&format!(
        "
        version: 1
        name: own-port
        seed: 3
        services:
          own: {{ run: [ \"{}\", --port, \"${{port}}\" ] }}
        targets:
          own: {{ service: own }}
          stranger: {{ url: \"http://127.0.0.1:{}\" }}
        load:
          hit: {{ target: own, get: /, rate: 100/s, for: timeline, timeout: 5s }}
          beside: {{ target: stranger, get: /, rate: 100/s, for: timeline, timeout: 5s }}
        timeline:
          - baseline: 2s
          - {{ id: cut, fault: network.partition, target: own, for: 2s }}
          - pause: 2s
        gates:
          - {{ id: spared, journey: beside, metric: latency.max, max: 150ms, window: 'fault:cut' }}
          - {{ id: cut-off, journey: hit, metric: latency.p50, min: 500ms, window: 'fault:cut' }}
        ",
        program.display(),
        stranger.port(),
    ));
    let ended = run(&network, &story).go().expect_code(0);
    let seen = fault(&ended.results(), "cut").clone();
    assert!(seen.verified && seen.rollback_verified == Some(true), "{seen:?}");
    drop(service);
}

#[test]
fn from_limits_a_fault_to_the_packets_of_one_peer() {
    let _machine = machine::alone();
    let network = Namespaces::pair();
    let service = Answering::inside(&network.server);
    let cut_from = |from: &str| {
        let timeline = format!(
            "
          - baseline: 1s
          - {{ id: cut, fault: network.partition, target: lab, from: {from}, for: 1s }}
        "
        );
        let story = scenario(&network, &service, &timeline);
        let client = format!("targets.client.netns={}", network.client);
        run(&network, &story).args(["--set", &client, "--set", "targets.other.url=http://10.77.0.99"]).go()
    };
    let hit = cut_from("client");
    assert!(fault(&hit.results(), "cut").verified, "{hit}");
    // Nothing comes from there: the fault is in place and has met no packet.
    let spared = cut_from("other");
    let results = spared.results();
    assert!(!fault(&results, "cut").verified, "{spared}");
    assert!(window(&results, "fault:cut").latency_ms.max.is_some_and(|ms| ms < 200.0), "{spared}");
}

#[test]
fn a_thin_wire_holds_what_leaves_and_only_in_its_window() {
    let _machine = machine::alone();
    let network = Namespaces::pair();
    let service = Answering::inside(&network.server);
    let before = queues(&network);
    // 200 replies a second of some hundred bytes are more than 100 kbit/s.
    let timeline = "
          - baseline: 2s
          - { id: thin, fault: network.bandwidth, target: lab, for: 3s, with: { rate: 100kbit, direction: from } }
          - recover: { within: 15s }
        ";
    let ended = run(&network, &scenario(&network, &service, timeline)).go().expect_code(0);

    let results = ended.results();
    let seen = fault(&results, "thin");
    assert!(seen.verified && seen.rollback_verified == Some(true), "{seen:?}");
    let p95 = |name: &str| window(&results, name).latency_ms.p95;
    assert!(p95("baseline").is_some_and(|ms| ms < 50.0), "{:?}", p95("baseline"));
    assert!(p95("fault:thin").is_some_and(|ms| ms > 200.0), "{:?}", p95("fault:thin"));
    assert_eq!((queues(&network), tables(&network)), (before, Vec::new()));
}

/// All queues of the server's namespace.
fn queues(network: &Namespaces) -> Tree {
    let look = || Tree::of(&mut Tc::open().expect("a socket")).expect("the kernel lists them");
    network.of_server().inside(look).expect("root may enter")
}

#[test]
fn a_wire_that_everybody_left_behind_holds_nothing_and_cleanup_takes_it_off() {
    // Alone: a cleanup of another story would take it off.
    let _machine = machine::alone();
    let network = Namespaces::pair();
    let service = Answering::inside(&network.server);
    let before = queues(&network);
    let timeline = "
          - { id: thin, fault: network.bandwidth, target: lab, for: 60s, with: { rate: 20kbit, direction: from } }
        ";
    let story = scenario(&network, &service, timeline);
    let run = run(&network, &story).start();
    run.wait_for("event=fault.verified");
    let agent = agent(&run);
    run.signal(Signal::SIGKILL);
    send(Signal::SIGKILL, agent);
    let home = run.home();
    let state = home.path().join("state");
    run.wait();

    assert_ne!(queues(&network), before, "the class is still there");
    assert!(host::comes_true(Duration::from_secs(1), || tables(&network).is_empty()), "{:?}", tables(&network));
    assert!(connects(&network, &service), "and holds nothing");
    let cleanup = Brunt::with(["cleanup"]).state_in(&state).go().expect_code(0);
    cleanup.expect_said("the queues of cable are as they were");
    assert_eq!(queues(&network), before);
    // The same with no journal at all, by the handle alone.
    network
        .of_server()
        .inside(|| {
            let mut shaped = Shaped::prepare(|queues| queues.name == "cable").expect("it is free");
            shaped.install(&Shape::Rate(Rate { bytes_per_second: 1000 })).expect("the kernel has htb");
        })
        .expect("root may enter");
    let cleanup = Brunt::with(["cleanup"]).state_in(&state).go().expect_code(0);
    cleanup.expect_said("a queue of brunt's on cable");
    assert_eq!(queues(&network), before);
}

#[test]
fn a_link_that_another_tool_shapes_is_refused() {
    let _machine = machine::shared();
    let network = Namespaces::pair();
    let service = Answering::inside(&network.server);
    let timeline = "
          - { id: thin, fault: network.bandwidth, target: lab, for: 1s, with: { rate: 1mbit, direction: from } }
        ";
    let tbf = "tc qdisc add dev cable root handle 1: tbf rate 1gbit burst 1m limit 1m";
    let set = || std::process::Command::new("sh").args(["-c", tbf]).status();
    assert!(network.of_server().inside(set).expect("root may enter").expect("tc is there").success());
    let before = queues(&network);
    let taken = run(&network, &scenario(&network, &service, timeline)).go();
    assert_ne!(taken.code, 0, "{taken}");
    taken.expect_said("link cable already has tbf 1: at root, which another tool set");
    assert_eq!(queues(&network), before);
}

#[test]
fn replies_are_held_by_the_packet_and_go_on_at_once_when_it_is_over() {
    let _machine = machine::alone();
    let network = Namespaces::pair();
    let service = Answering::inside(&network.server);
    let timeline = "
          - baseline: 3s
          - { id: far, fault: network.latency, target: lab, for: 4s, with: { latency: 150ms, distribution: constant } }
          - recover: { within: 10s }
        ";
    let ended = run(&network, &scenario(&network, &service, timeline)).go().expect_code(0);

    let results = ended.results();
    let seen = fault(&results, "far");
    assert!(seen.verified && seen.rollback_verified == Some(true), "{seen:?}");
    assert!(format!("{seen:?}").contains("for 150.0 ms on average"), "{seen:?}");
    let median = |name: &str| window(&results, name).latency_ms.p50;
    assert!(median("baseline").is_some_and(|ms| ms < 50.0), "{:?}", median("baseline"));
    // A request on a connection that is open costs one round trip, a new connection two.
    assert!(median("fault:far").is_some_and(|ms| (150.0..450.0).contains(&ms)), "{:?}", median("fault:far"));
    assert_eq!(window(&results, "fault:far").errors, 0, "{ended}");
    assert_eq!(tables(&network), Vec::<String>::new());
}

#[test]
fn losses_in_bursts_and_damaged_packets_are_counted_and_felt() {
    let _machine = machine::alone();
    let network = Namespaces::pair();
    let service = Answering::inside(&network.server);
    let timeline = "
          - baseline: 2s
          - { id: bursts, fault: network.loss, target: lab, for: 4s,
              with: { model: gilbert_elliott, p: 5%, r: 25%, direction: to } }
          - recover: { within: 10s }
          - { id: states, fault: network.loss, target: lab, for: 3s,
              with: { model: four_state, p13: 4%, p31: 30%, p32: 10%, p23: 50%, p14: 2% } }
          - recover: { within: 10s }
          - { id: damage, fault: network.corrupt, target: lab, for: 3s, with: { corrupt: 10%, direction: from } }
          - recover: { within: 10s }
          - { id: twice, fault: network.duplicate, target: lab, for: 3s, with: { duplicate: 20% } }
          - { id: mixed, fault: network.reorder, target: lab, for: 3s, with: { reorder: 30%, latency: 5ms } }
          - recover: { within: 10s }
        ";
    let ended = run(&network, &scenario(&network, &service, timeline)).go().expect_code(0);

    let results = ended.results();
    let done =
        [("bursts", "lost"), ("states", "lost"), ("damage", "damaged"), ("twice", "sent twice"), ("mixed", "let pass")];
    for (id, done) in done {
        let seen = fault(&results, id);
        assert!(seen.verified && seen.rollback_verified == Some(true), "{seen:?}");
        assert!(format!("{seen:?}").contains(done), "{seen:?}");
    }
    // Both are losses to TCP, which sends again after 200 ms at the earliest.
    let p95 = |name: &str| window(&results, name).latency_ms.p95;
    assert!(p95("fault:bursts").is_some_and(|ms| ms > 150.0), "{:?}", p95("fault:bursts"));
    assert!(p95("fault:states").is_some_and(|ms| ms > 150.0), "{:?}", p95("fault:states"));
    assert!(p95("fault:damage").is_some_and(|ms| ms > 150.0), "{:?}", p95("fault:damage"));
    assert!(p95("fault:twice").is_some_and(|ms| ms < 100.0), "{:?}", p95("fault:twice"));
    assert_eq!(tables(&network), Vec::<String>::new());
}
