//! What goes wrong while a fault acts: it is said in a sentence, and undone all the same.

use std::process::Command;
use std::time::Duration;

use brunt_tests::answering::Answering;
use brunt_tests::brunt::{Brunt, Running};
use brunt_tests::ended::{Ended, fault};
use brunt_tests::namespaces::Namespaces;
use brunt_tests::scenario::Scenario;
use brunt_tests::{host, machine};

fn scenario(network: &Namespaces, service: &Answering, lease: &str, timeline: &str) -> Scenario {
    Scenario::new(&format!(
        "
        version: 1
        name: bad-moments
        seed: 2
        targets:
          api: {{ url: \"http://{}:{}\" }}
          lab: {{ netns: {} }}
          stranger: {{ process: {{ pid: {} }} }}
        load: {{ main: {{ target: api, get: /, rate: 20/s, for: timeline, timeout: 1s }} }}
        timeline:
{timeline}
        safety: {{ lease: {lease} }}
        ",
        Namespaces::SERVER,
        service.port(),
        network.server,
        service.pid(),
    ))
}

fn run(network: &Namespaces, scenario: &Scenario) -> Running {
    Brunt::run(scenario).under(["ip", "netns", "exec", &network.client]).start()
}

/// It did not fail to undo, nothing of it runs, and `cleanup` finds nothing.
#[track_caller]
fn clean(ended: Ended) -> Ended {
    assert_ne!(ended.code, 6, "{ended}");
    assert_eq!(host::left_by(&ended.mark), [], "{ended}");
    let journals = ended.out.parent().map(|home| brunt_tests::ended::files_below(&home.join("state")));
    assert_eq!(journals, Some(Vec::new()), "{ended}");
    ended
}

#[test]
fn a_process_that_dies_between_plan_and_injection_is_named() {
    let _machine = machine::shared();
    let network = Namespaces::pair();
    let service = Answering::inside(&network.server);
    let victim = Answering::at_once();
    let timeline = "
          - pause: 2s
          - { id: frozen, fault: process.pause, target: stranger, for: 1s }
        ";
    let story = scenario(&network, &service, "2s", timeline);
    let pid = format!("targets.stranger.process.pid={}", victim.pid());
    let run = Brunt::run(&story).args(["--set", &pid]).under(["ip", "netns", "exec", &network.client]).start();
    run.wait_for("event=run.started");
    let gone = victim.pid();
    drop(victim);
    let ended = clean(run.wait());
    assert_ne!(ended.code, 0, "{ended}");
    ended.expect_said("stranger").expect_said(&gone.to_string());
}

#[test]
fn a_namespace_that_vanishes_while_the_fault_acts_takes_the_fault_with_it() {
    let _machine = machine::shared();
    let network = Namespaces::pair();
    let service = Answering::inside(&network.server);
    let timeline = "
          - parallel:
              - { id: thin, fault: network.bandwidth, target: lab, for: 3s, with: { rate: 1mbit, direction: from } }
              - { id: late, fault: network.latency, target: lab, for: 3s, with: { latency: 20ms } }
        ";
    let run = run(&network, &scenario(&network, &service, "2s", timeline));
    run.wait_for("event=fault.active fault=late ");
    run.wait_for("event=fault.active fault=thin ");
    drop(service);
    let deleted = Command::new("ip").args(["netns", "delete", &network.server]).status();
    assert!(deleted.is_ok_and(|status| status.success()));
    clean(run.wait());
}

#[test]
fn two_faults_on_one_path_act_together_and_come_off_one_by_one() {
    let _machine = machine::alone();
    let network = Namespaces::pair();
    let service = Answering::inside(&network.server);
    // Those that hold packets come off first: the kernel throws away all that waits when any chain of the namespace goes.
    let timeline = "
          - parallel:
              - { id: late, fault: network.latency, target: lab, for: 1s, with: { latency: 30ms } }
              - { id: lossy, fault: network.loss, target: lab, for: 2s, with: { loss: 30% } }
              - { id: twice, fault: network.duplicate, target: lab, for: 3s, with: { duplicate: 50% } }
        ";
    let ended = clean(run(&network, &scenario(&network, &service, "2s", timeline)).wait());
    for id in ["late", "lossy", "twice"] {
        let seen = fault(&ended.results(), id).clone();
        assert!(seen.verified && seen.rollback_verified == Some(true), "{ended}");
    }
    // One link has one root: the second rate is refused in words, and the first comes off.
    let twice = "
          - parallel:
              - { id: thin, fault: network.bandwidth, target: lab, for: 2s, with: { rate: 1mbit, direction: from } }
              - { id: thinner, fault: network.bandwidth, target: lab, for: 2s, delay: 1s, with: { rate: 500kbit, direction: from } }
        ";
    let ended = clean(run(&network, &scenario(&network, &service, "2s", twice)).wait());
    assert_ne!(ended.code, 0, "{ended}");
    assert_eq!(fault(&ended.results(), "thin").rollback_verified, Some(true), "{ended}");
    ended.expect_said("brunt does not replace it");
}

#[test]
fn a_lease_that_is_shorter_than_the_round_trip_holds() {
    let _machine = machine::alone();
    let network = Namespaces::pair();
    let service = Answering::inside(&network.server);
    let timeline = "
          - { id: far, fault: network.latency, target: lab, for: 4s, with: { latency: 1500ms, direction: both } }
        ";
    let story = scenario(&network, &service, "1s", timeline);
    let run =
        Brunt::run(&story).args(["--set", "load.main.timeout=5s"]).under(["ip", "netns", "exec", &network.client]);
    let ended = clean(run.start().wait());
    let seen = fault(&ended.results(), "far").clone();
    assert!(seen.verified && seen.rollback_verified == Some(true), "{ended}");
    let lasted = seen.removed_at_s.zip(seen.active_at_s).map(|(removed, active)| removed - active);
    assert!(lasted.is_some_and(|lasted| lasted >= 4.0), "{ended}");
    // And one that is shorter than the agent can notice is refused.
    let short = Brunt::run(&story).args(["--set", "safety.lease=100ms"]).within(Duration::from_secs(20)).start().wait();
    short.expect_code(2).expect_said("lease");
}

#[test]
fn an_interface_that_is_not_there_is_refused_where_it_is_written() {
    let _machine = machine::shared();
    let network = Namespaces::pair();
    let service = Answering::inside(&network.server);
    let timeline = "
          - { id: cut, fault: network.partition, target: lab, for: 1s, with: { interface: eth9 } }
        ";
    let story = scenario(&network, &service, "2s", timeline);
    let ended = Brunt::run(&story).start().wait().expect_code(2);
    ended.expect_said("`interface`");
}
