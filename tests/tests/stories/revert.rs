//! Many faults come off at once, and what other programs have in the same namespace is as it was.

use std::io::{Read as _, Write as _};
use std::net::{SocketAddr, TcpStream, UdpSocket};
use std::process::Command;
use std::time::Duration;

use brunt_tests::answering::{Answering, program};
use brunt_tests::brunt::{Brunt, Running};
use brunt_tests::ended::fault;
use brunt_tests::machine;
use brunt_tests::namespaces::Namespaces;
use brunt_tests::scenario::Scenario;
use nix::sys::signal::Signal;

/// Load from the client's namespace on the server's, which is `lab`.
fn scenario(network: &Namespaces, service: &Answering, more: &str, timeline: &str) -> Scenario {
    Scenario::new(&format!(
        "
        version: 1
        name: revert
        seed: 11
        {more}
        load: {{ main: {{ target: api, get: /, rate: 20/s, for: timeline, timeout: 5s }} }}
        timeline:
{timeline}
        targets:
          api: {{ url: \"http://{}:{}\" }}
          lab: {{ netns: {} }}
          wire: {{ link: wire }}
          own: {{ service: own }}
          stranger: {{ process: {{ pid: {} }} }}
        services: {{ own: {{ run: [ \"{}\", --port, \"${{port}}\" ] }} }}
        links: {{ wire: {{ to: own }} }}
        ",
        Namespaces::SERVER,
        service.port(),
        network.server,
        service.pid(),
        program().display(),
    ))
}

fn run(network: &Namespaces, scenario: &Scenario) -> Running {
    Brunt::run(scenario).under(["ip", "netns", "exec", &network.client]).start()
}

/// What a shell in the server's namespace says.
#[track_caller]
fn shell(network: &Namespaces, line: &str) -> String {
    let look = || Command::new("sh").args(["-c", line]).output();
    let output = network.of_server().inside(look).expect("root may enter").expect("there is a shell");
    assert!(output.status.success(), "{line}: {output:?}");
    String::from_utf8_lossy(&output.stdout).into_owned()
}

const RULES: &str = "nft list ruleset; iptables-save | grep -v '^#'; ip6tables-save | grep -v '^#'; true";

#[test]
fn ten_faults_come_off_within_a_second_of_sigterm_and_what_was_held_goes_on_in_order() {
    let _machine = machine::alone();
    let network = Namespaces::pair();
    let service = Answering::inside(&network.server);
    let packets = [
        "network.latency, target: lab, with: { latency: 20s, direction: to }",
        "network.latency, target: lab, with: { latency: 5ms }",
        "network.loss, target: lab, with: { loss: 0.01% }",
        "network.loss, target: lab, with: { p: 0.01%, r: 50%, model: gilbert_elliott }",
        "network.duplicate, target: lab, with: { duplicate: 0.01% }",
        "network.corrupt, target: lab, with: { corrupt: 0.01% }",
        "network.bandwidth, target: lab, with: { rate: 100mbit, direction: from }",
        "network.latency, target: wire, with: { latency: 100ms }",
        "http.error, target: wire, with: { status: 503, share: 50% }",
        "process.pause, target: own",
    ];
    let faults: String = packets
        .iter()
        .enumerate()
        .map(|(number, fault)| format!("              - {{ id: f{number}, fault: {fault}, for: 60s }}\n"))
        .collect();
    let story = scenario(&network, &service, "", &format!("          - parallel:\n{faults}"));
    let run = run(&network, &story);
    for number in 0..packets.len() {
        run.wait_for(&format!("event=fault.active fault=f{number} "));
    }
    let bind = || UdpSocket::bind("0.0.0.0:0").expect("a port is free");
    let receiver = network.of_server().inside(bind).expect("root may enter");
    let sender = network.of_client().inside(bind).expect("root may enter");
    let to = SocketAddr::from((Namespaces::SERVER, receiver.local_addr().expect("it is bound").port()));
    for number in 0..200_u32 {
        sender.send_to(&number.to_le_bytes(), to).expect("nothing is lost here");
    }
    receiver.set_read_timeout(Some(Duration::from_millis(300))).expect("it is not zero");
    let mut bytes = [0; 4];
    assert!(receiver.recv(&mut bytes).is_err(), "they are held");
    run.signal(Signal::SIGTERM);
    receiver.set_read_timeout(Some(Duration::from_secs(5))).expect("it is not zero");
    // Beside the one that holds them others may lose, damage or repeat one in ten thousand.
    let came: Vec<u32> =
        std::iter::from_fn(|| receiver.recv(&mut bytes).ok().map(|_| u32::from_le_bytes(bytes))).take(195).collect();
    assert!(came.len() >= 195 && came.is_sorted(), "{came:?}");
    let ended = run.wait().expect_code(143);
    let results = ended.results();
    let times: Vec<(f64, f64)> = (0..packets.len())
        .map(|number| {
            let seen = fault(&results, &format!("f{number}"));
            assert_eq!(seen.rollback_verified, Some(true), "{seen:?}");
            (seen.removing_at_s.expect("it was removed"), seen.removed_at_s.expect("it was removed"))
        })
        .collect();
    let first = times.iter().map(|(removing, _)| *removing).fold(f64::MAX, f64::min);
    let last = times.iter().map(|(_, removed)| *removed).fold(0.0, f64::max);
    println!("ten faults came off within {:.3} s", last - first);
    assert!(last - first <= 1.0, "{times:?}");
    assert_eq!(shell(&network, RULES), "");
}

#[test]
fn s15_redirect_leaves_no_conntrack() {
    let _machine = machine::shared();
    let network = Namespaces::pair();
    let service = Answering::inside(&network.server);
    // From now on connections are tracked there.
    shell(
        &network,
        "nft 'add table inet watch; add chain inet watch seen { type filter hook prerouting priority 0; }; \
         add rule inet watch seen ct state new counter'",
    );
    let address = SocketAddr::from((Namespaces::SERVER, service.port()));
    let connect = || TcpStream::connect(address).expect("the service listens");
    let mut flow = network.of_client().inside(connect).expect("root may enter");
    let asks = |flow: &mut TcpStream| {
        flow.set_read_timeout(Some(Duration::from_secs(10))).expect("it is not zero");
        flow.write_all(b"GET / HTTP/1.1\r\nHost: a\r\n\r\n").expect("it is connected");
        let mut bytes = [0; 512];
        let read = flow.read(&mut bytes).expect("the service answers");
        assert!(bytes[..read].starts_with(b"HTTP/1.1 200 OK"), "{:?}", String::from_utf8_lossy(&bytes[..read]));
    };
    asks(&mut flow);
    let timeline = "
          - { id: late, fault: network.latency, target: lab, for: 1s, with: { latency: 50ms } }
          - { id: lost, fault: network.loss, target: lab, for: 1s, with: { loss: 5% } }
          - { id: cut, fault: network.partition, target: lab, for: 1s }
        ";
    let run = run(&network, &scenario(&network, &service, "", timeline));
    for id in ["late", "lost", "cut"] {
        run.wait_for(&format!("event=fault.active fault={id} "));
        let rules = shell(&network, "nft list ruleset");
        assert!(rules.contains("brunt-"), "{rules}");
        for word in ["redirect", "dnat", "snat", "masquerade", "tproxy", "type nat"] {
            assert!(!rules.contains(word), "{id} sends packets elsewhere, by {word}:\n{rules}");
        }
        if id != "cut" {
            asks(&mut flow);
        }
    }
    run.wait().expect_code(0);
    asks(&mut flow);
}

#[test]
fn s23_iptables_front_end_leftovers() {
    let _machine = machine::shared();
    let network = Namespaces::pair();
    let service = Answering::inside(&network.server);
    // iptables itself leaves its table behind (rule 15): here nothing of it was ever there.
    assert_eq!(shell(&network, RULES), "");
    let timeline = "
          - { id: late, fault: network.latency, target: lab, for: 300ms, with: { latency: 5ms } }
          - { id: cut, fault: network.partition, target: lab, for: 300ms }
          - { id: thin, fault: network.bandwidth, target: lab, for: 300ms, with: { rate: 1mbit, direction: from } }
        ";
    let run = run(&network, &scenario(&network, &service, "", timeline));
    for id in ["late", "cut", "thin"] {
        run.wait_for(&format!("event=fault.active fault={id} "));
        let rules = shell(&network, "nft list tables");
        assert!(rules.lines().all(|line| line.contains(" brunt-")), "not only tables of brunt's own:\n{rules}");
    }
    run.wait();
    assert_eq!(shell(&network, RULES), "", "this is rule 15, too");
}

#[test]
fn rule_15_and_rule_5_the_rules_of_others_are_as_they_left_them() {
    let _machine = machine::shared();
    let network = Namespaces::pair();
    let service = Answering::inside(&network.server);
    shell(
        &network,
        "iptables -A INPUT -p tcp --dport 9 -j DROP; nft 'add table inet theirs; add chain inet theirs c; add rule inet theirs c counter'",
    );
    let before = shell(&network, RULES);
    let timeline = "
          - { id: cut, fault: network.partition, target: lab, for: 1s }
        ";
    let run = run(&network, &scenario(&network, &service, "", timeline));
    run.wait_for("event=fault.active fault=cut ");
    // Whoever deletes by position would now delete another rule than its own.
    shell(&network, "iptables -I INPUT 1 -p tcp --dport 10 -j DROP; nft insert rule inet theirs c accept");
    run.wait();
    shell(
        &network,
        "iptables -D INPUT -p tcp --dport 10 -j DROP; nft flush chain inet theirs c; nft add rule inet theirs c counter",
    );
    assert_eq!(shell(&network, RULES), before);
}

#[test]
fn rule_9_an_established_flow_does_not_escape_a_partition() {
    let _machine = machine::shared();
    let network = Namespaces::pair();
    let service = Answering::inside(&network.server);
    let address = SocketAddr::from((Namespaces::SERVER, service.port()));
    let connect = || TcpStream::connect(address).expect("the service listens");
    let mut flow = network.of_client().inside(connect).expect("root may enter");
    let timeline = "
          - { id: cut, fault: network.partition, target: lab, for: 2s }
          - pause: 3s
        ";
    let run = run(&network, &scenario(&network, &service, "", timeline));
    run.wait_for("event=fault.active fault=cut ");
    flow.write_all(b"GET / HTTP/1.1\r\nHost: a\r\n\r\n").expect("it goes into the buffer");
    let mut bytes = [0; 512];
    flow.set_read_timeout(Some(Duration::from_secs(1))).expect("it is not zero");
    assert!(flow.read(&mut bytes).is_err(), "a byte came through");
    run.wait_for("event=fault.removed fault=cut ");
    flow.set_read_timeout(Some(Duration::from_secs(20))).expect("it is not zero");
    assert!(flow.read(&mut bytes).is_ok_and(|read| read > 0), "and goes on when it is healed");
    run.wait();
}

#[test]
fn rule_12_brunt_keeps_hold_of_a_fault_that_cuts_off_its_own_namespace() {
    let _machine = machine::shared();
    let network = Namespaces::pair();
    let service = Answering::inside(&network.server);
    let timeline = "
          - { id: cut, fault: network.partition, target: lab, for: 3s }
        ";
    let story = scenario(&network, &service, "safety: { lease: 1s }", timeline);
    let here = format!("targets.lab.netns={}", network.client);
    let run = Brunt::run(&story).args(["--set", &here]).under(["ip", "netns", "exec", &network.client]).start();
    let ended = run.wait();
    let seen = fault(&ended.results(), "cut").clone();
    // Heartbeat, lease and undo do not go by the network.
    assert!(seen.verified && seen.rollback_verified == Some(true), "{ended}");
    assert!(
        seen.removed_at_s.zip(seen.active_at_s).is_some_and(|(removed, active)| removed - active >= 3.0),
        "{ended}"
    );
}
