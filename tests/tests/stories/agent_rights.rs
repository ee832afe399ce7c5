//! The agent of root has the rights that its faults need and no other; the services that it starts have what they would have
//! without brunt.

use std::fs;

use brunt_injector::agent::rights::KEPT;
use brunt_tests::answering::{Answering, program};
use brunt_tests::brunt::Brunt;
use brunt_tests::namespaces::Namespaces;
use brunt_tests::scenario::Scenario;
use brunt_tests::{host, machine};
use nix::sys::signal::Signal;

/// A set of capabilities in `/proc/<pid>/status`, or of one of its threads.
fn set(status: &str, name: &str) -> u64 {
    let line = status.lines().find(|line| line.starts_with(name)).unwrap_or_else(|| panic!("no {name} in {status}"));
    u64::from_str_radix(line.split_whitespace().nth(1).expect("it has a value"), 16).expect("it is hexadecimal")
}

#[test]
fn the_agent_keeps_only_the_capabilities_that_its_faults_need_and_services_all_of_theirs() {
    let _machine = machine::shared();
    let scenario = Scenario::new(&format!(
        "
        version: 1
        name: rights
        seed: 1
        services: {{ api: {{ run: [ \"{}\", --port, \"${{port}}\" ] }} }}
        targets: {{ api: {{ service: api }} }}
        load: {{ main: {{ target: api, get: /, rate: 20/s, for: timeline }} }}
        timeline: [ {{ id: gone, fault: process.kill, target: api, with: {{ restart_after: 100ms }} }}, pause: 60s ]
        ",
        program().display()
    ));
    let run = Brunt::run(&scenario).start();
    // Started again by the agent, long after it has dropped what it does not need.
    run.wait_for("event=service.started");
    let own = fs::read_to_string("/proc/self/status").expect("it is there");
    let kept = KEPT.iter().fold(0, |all, one| all | one.bits());
    let processes = host::marked(run.mark());
    let status = |end: &str| {
        let found = processes.iter().find(|process| process.command.contains(end) && !process.command.contains("run "));
        let pid = found.unwrap_or_else(|| panic!("no {end} among {processes:?}")).pid;
        (pid, fs::read_to_string(format!("/proc/{pid}/status")).expect("it lives"))
    };
    let (pid, agent) = status(" agent");
    for name in ["CapPrm", "CapEff", "CapBnd"] {
        assert_eq!(
            set(&agent, name),
            set(&own, name) & kept,
            "{name} of the agent, of {:#x} that we have",
            set(&own, name)
        );
    }
    assert_eq!((set(&agent, "CapInh"), set(&agent, "CapAmb")), (0, 0));
    // No thread of it may do more; the one that starts programs can only pass on what it cannot use.
    for thread in fs::read_dir(format!("/proc/{pid}/task")).expect("it lives").flatten() {
        let status = fs::read_to_string(thread.path().join("status")).unwrap_or_default();
        if !status.is_empty() {
            assert_eq!(set(&status, "CapPrm") & !kept, 0, "{status}");
        }
    }
    let (_, service) = status("answering");
    for name in ["CapPrm", "CapEff", "CapBnd"] {
        assert_eq!(set(&service, name), set(&own, name), "{name} of a service");
    }
    run.signal(Signal::SIGTERM);
    run.wait();
}

/// SCHED_FIFO, in the 41st field of a thread's `stat`.
const FIRST: &str = "1";

#[test]
fn the_thread_that_holds_packets_is_woken_before_all_others() {
    let _machine = machine::shared();
    let network = Namespaces::pair();
    let service = Answering::inside(&network.server);
    let scenario = Scenario::new(&format!(
        "
        version: 1
        name: in time
        seed: 1
        targets: {{ api: {{ url: \"http://{}:{}\" }}, lab: {{ netns: {} }} }}
        load: {{ main: {{ target: api, get: /, rate: 20/s, for: timeline }} }}
        timeline: [ {{ id: slow, fault: network.latency, target: lab, with: {{ latency: 5ms }}, for: 60s }} ]
        ",
        Namespaces::SERVER,
        service.port(),
        network.server,
    ));
    let run = Brunt::run(&scenario).under(["ip", "netns", "exec", &network.client]).start();
    run.wait_for("event=fault.active");
    let policies = host::marked(run.mark()).into_iter().flat_map(|process| {
        let threads = fs::read_dir(format!("/proc/{}/task", process.pid)).into_iter().flatten().flatten();
        threads.filter_map(|thread| fs::read_to_string(thread.path().join("stat")).ok())
    });
    let policies: Vec<(String, String)> = policies
        .map(|stat| {
            let (name, rest) = stat.rsplit_once(") ").expect("the name stands in brackets");
            (name.to_owned(), rest.split(' ').nth(38).expect("there are 52 fields").to_owned())
        })
        .collect();
    let first: Vec<_> = policies.iter().filter(|(_, policy)| policy == FIRST).collect();
    assert!(first.len() == 1 && first[0].0.ends_with("(brunt-packets"), "{policies:?}");
    run.signal(Signal::SIGTERM);
    run.wait();
}
