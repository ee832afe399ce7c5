//! `isolate: true`: the shop in network namespaces, each instance in its own; and that nothing of them is left, whoever dies.
//!
//! As root: in a network namespace that the test makes, so that every interface and every route can be compared. A test that
//! is not run by root makes it in a user namespace, where it is root.

use std::collections::{BTreeMap, BTreeSet};
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use brunt_report::results::Results;
use brunt_tests::brunt::{Brunt, Running, binary};
use brunt_tests::ended::{Ended, fault, only_the_machine_was_late};
use brunt_tests::scenario::Scenario;
use brunt_tests::{host, machine};
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

/// The lease of these runs, and what the machine may need on top to take everything down.
const GONE_WITHIN: Duration = Duration::from_secs(10);

fn shop(timeline: &str) -> Scenario {
    Scenario::new(&format!(
        "
        version: 1
        name: isolated
        seed: 7
        services:
          payments:
            run: [ \"${{brunt.exe}}\", demo-service, payments, --port, \"${{port}}\", --address, \"${{address}}\" ]
            instances: 2
            isolate: true
            port: 8080
            ready: {{ http: /healthz }}
          orders:
            run: [ \"${{brunt.exe}}\", demo-service, orders, --port, \"${{port}}\", --address, \"${{address}}\" ]
            env: {{ PAYMENTS_URLS: \"${{services.payments.urls}}\", RESILIENT: \"true\" }}
            isolate: true
            ready: {{ http: /healthz }}
          gateway:
            run: [ \"${{brunt.exe}}\", demo-service, gateway, --port, \"${{port}}\", --address, \"${{address}}\" ]
            env: {{ ORDERS_URL: \"${{links.gateway-orders.url}}\" }}
            isolate: true
        links: {{ gateway-orders: {{ to: orders }} }}
        targets:
          shop: {{ service: gateway }}
          payments: {{ service: payments }}
          wire: {{ link: gateway-orders }}
        load:
          buy:
            target: shop
            post: /orders
            json: {{ sku: A1, amount: 3 }}
            headers: {{ Idempotency-Key: \"{{{{ uuid() }}}}\" }}
            rate: 50/s
            for: timeline
            timeout: 2s
        safety: {{ lease: 1s }}
        timeline:
        {timeline}
        gates:
          - {{ id: quiet, metric: error_rate, window: baseline, max: 0% }}
        "
    ))
}

/// A network namespace of the test's own, held by a process that sleeps.
struct Lab(Child);

impl Lab {
    fn new() -> Self {
        let mut command = Command::new("unshare");
        if !nix::unistd::geteuid().is_root() {
            command.args(["--user", "--map-root-user"]);
        }
        command.args(["--net", "--", "sh", "-c", "ip link set lo up && echo up && exec sleep 600"]);
        let mut child = command.stdout(Stdio::piped()).spawn().expect("unshare is part of util-linux");
        let mut said = [0; 3];
        let mut stdout = child.stdout.take().expect("stdout is piped");
        std::io::Read::read_exact(&mut stdout, &mut said).expect("the namespace is made");
        Self(child)
    }

    /// What stands before a command that is to work there.
    fn prefix(&self) -> Vec<String> {
        let mut words = vec!["nsenter".to_owned(), "-t".to_owned(), self.0.id().to_string(), "-n".to_owned()];
        if !nix::unistd::geteuid().is_root() {
            words.extend(["-U".to_owned(), "--preserve-credentials".to_owned()]);
        }
        words
    }

    /// Interfaces, addresses and routes of both families, as `ip` shows them.
    fn state(&self) -> String {
        let show = |what: &[&str]| {
            let words = [self.prefix(), vec!["ip".to_owned()], what.iter().map(|word| (*word).to_owned()).collect()];
            let words = words.concat();
            let output = Command::new(&words[0]).args(&words[1..]).output().expect("nsenter and ip are there");
            assert!(output.status.success(), "{words:?}: {output:?}");
            String::from_utf8_lossy(&output.stdout).into_owned()
        };
        [show(&["-o", "address"]), show(&["-o", "link"]), show(&["route", "show", "table", "all"])].concat()
            + &show(&["-6", "route", "show", "table", "all"])
    }
}

impl Drop for Lab {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// Which network namespace a process is in; `None` when the process is gone.
fn namespace(pid: u32) -> Option<PathBuf> {
    std::fs::read_link(format!("/proc/{pid}/ns/net")).ok()
}

/// The services of a run: their command (with port and address) and the namespace that each is in.
fn services(run: &Running) -> BTreeMap<String, PathBuf> {
    let all = host::marked(run.mark()).into_iter().filter(|process| process.command.contains("demo-service"));
    all.filter_map(|process| Some((process.command, namespace(process.pid)?))).collect()
}

fn agent(run: &Running) -> u32 {
    let all = host::marked(run.mark());
    let agent = all.iter().find(|process| process.command.ends_with(" agent"));
    agent.unwrap_or_else(|| panic!("no agent among {all:?}")).pid
}

/// No process of the host is in one of these namespaces.
fn deserted(namespaces: &[PathBuf]) -> bool {
    let pids = std::fs::read_dir("/proc").expect("/proc is mounted");
    let pids = pids.filter_map(|entry| entry.ok()?.file_name().to_str()?.parse().ok());
    !pids.filter_map(namespace).any(|inhabited| namespaces.contains(&inhabited))
}

#[test]
fn the_shop_runs_in_namespaces_under_load_and_an_instance_comes_back_where_it_was() {
    let _machine = machine::shared();
    let lab = Lab::new();
    let before = lab.state();
    let scenario = shop(
        "
          - baseline: 2s
          - { id: killed, fault: process.kill, target: payments, pick: one, with: { restart_after: 500ms } }
          - { id: slow, fault: network.latency, target: wire, for: 2s, with: { latency: 20ms } }
        ",
    );
    let run = Brunt::run(&scenario).under(lab.prefix()).start();
    run.wait_for("event=baseline.started");
    let first = services(&run);
    assert_eq!(first.len(), 4, "{first:?}");
    let places: BTreeSet<_> = first.values().chain(&namespace(run.pid())).cloned().collect();
    assert_eq!(places.len(), 5, "each in its own, and none with brunt: {first:?}");
    assert_eq!(first.keys().filter(|command| command.contains("payments --port 8080")).count(), 2, "one port for both");

    run.wait_for("event=service.ready");
    assert_eq!(services(&run), first, "the same commands, hence addresses, in the same namespaces");
    let ended = run.wait().expect_done();
    let results = ended.results();
    for fault in &results.summary.faults {
        assert!(fault.verified, "{}", fault.id);
    }
    assert_eq!(host::left_by(&ended.mark), []);
    assert_eq!(lab.state(), before);
}

#[test]
fn whoever_is_killed_no_process_no_namespace_no_interface_and_no_route_is_left() {
    let _machine = machine::shared();
    for victims in ["runner", "agent", "both"] {
        let lab = Lab::new();
        let before = lab.state();
        let scenario = shop("  - baseline: 60s");
        let run = Brunt::run(&scenario).under(lab.prefix()).start();
        run.wait_for("event=baseline.started");
        assert_ne!(lab.state(), before, "there is a wire");
        let namespaces: Vec<PathBuf> = services(&run).into_values().collect();
        assert_eq!(namespaces.len(), 4);
        let agent = Pid::from_raw(agent(&run).cast_signed());
        let mark = run.mark().to_owned();
        if victims != "agent" {
            run.signal(Signal::SIGKILL);
        }
        if victims != "runner" {
            kill(agent, Signal::SIGKILL).expect("the agent is there");
        }
        let home = run.home();
        let ended = run.wait();
        let gone = || host::marked(&mark).is_empty() && deserted(&namespaces) && lab.state() == before;
        assert!(
            host::comes_true(GONE_WITHIN, gone),
            "{victims} killed: {:?}, deserted: {}, before:\n{before}after:\n{}{ended}",
            host::marked(&mark),
            deserted(&namespaces),
            lab.state()
        );
        let cleanup = Brunt::with(["cleanup"]).under(lab.prefix()).state_in(&home.path().join("state")).go();
        assert!(cleanup.expect_code(0).stdout.contains("nothing"), "{victims} killed");
    }
}

/// A run by a user without any right.
fn by_nobody(scenario: &Scenario) -> Brunt {
    if nix::unistd::geteuid().is_root() {
        open(scenario.folder().path(), None);
    }
    as_nobody(Brunt::run(scenario))
}

/// Root becomes `nobody` for it; whoever else runs the tests is one already.
fn as_nobody(brunt: Brunt) -> Brunt {
    if !nix::unistd::geteuid().is_root() {
        return brunt;
    }
    open(brunt.home(), Some(NOBODY));
    // Where the binary lies nobody may look.
    let copy = brunt.home().join("brunt");
    std::fs::copy(binary(), &copy).expect("there is room for it");
    open(&copy, None);
    let user = NOBODY.to_string();
    brunt.binary(copy).under(["setpriv", "--reuid", &user, "--regid", &user, "--clear-groups"])
}

/// Everybody may look there, and it may be given away.
fn open(path: &Path, user: Option<u32>) {
    std::fs::set_permissions(path, std::fs::Permissions::from_mode(0o755)).expect("root may");
    std::os::unix::fs::chown(path, user, user).expect("root may");
}

const NOBODY: u32 = 65534;

/// The capabilities that a process has, and its user as itself and its user namespace see it.
fn rights(pid: u32) -> (String, String) {
    let status = std::fs::read_to_string(format!("/proc/{pid}/status")).expect("it runs");
    let line = |name: &str| status.lines().find(|line| line.starts_with(name)).expect("every status has it").to_owned();
    (line("CapPrm"), line("Uid"))
}

#[test]
fn without_root_the_shop_runs_in_namespaces_as_the_user_that_started_it() {
    let _machine = machine::shared();
    let scenario = shop(
        "
          - baseline: 2s
          - { id: killed, fault: process.kill, target: payments, pick: one, with: { restart_after: 500ms } }
          - { id: slow, fault: network.latency, target: wire, for: 2s, with: { latency: 20ms } }
        ",
    );
    let run = by_nobody(&scenario).start();
    run.wait_for("event=baseline.started");
    let first = services(&run);
    let places: BTreeSet<_> = first.values().chain(&namespace(run.pid())).cloned().collect();
    assert_eq!(places.len(), 5, "each in its own, and none with brunt: {first:?}");
    assert_ne!(namespace(run.pid()), namespace(std::process::id()), "and brunt is not in that of this host");
    let own = rights(run.pid()).1;
    for service in host::marked(run.mark()).iter().filter(|process| process.command.contains("demo-service")) {
        let (capabilities, user) = rights(service.pid);
        assert_eq!(capabilities, "CapPrm:\t0000000000000000", "{service:?}");
        assert_eq!(user, own, "{service:?}");
    }
    run.wait_for("event=service.ready");
    assert_eq!(services(&run), first, "the same commands, hence addresses, in the same namespaces");
    let ended = run.wait().expect_done();
    assert!(ended.results().summary.faults.iter().all(|fault| fault.verified), "{ended}");
    assert_eq!(host::left_by(&ended.mark), []);
}

#[test]
fn without_root_nothing_is_left_either_whoever_is_killed() {
    let _machine = machine::shared();
    for victims in ["runner", "agent", "both"] {
        let run = by_nobody(&shop("  - baseline: 60s")).start();
        run.wait_for("event=baseline.started");
        let mut namespaces: Vec<PathBuf> = services(&run).into_values().collect();
        namespaces.extend(namespace(run.pid()));
        assert_eq!(namespaces.len(), 5);
        let agent = Pid::from_raw(agent(&run).cast_signed());
        let mark = run.mark().to_owned();
        if victims != "agent" {
            run.signal(Signal::SIGKILL);
        }
        if victims != "runner" {
            kill(agent, Signal::SIGKILL).expect("the agent is there");
        }
        let ended = run.wait();
        let gone = || host::marked(&mark).is_empty() && deserted(&namespaces);
        assert!(host::comes_true(GONE_WITHIN, gone), "{victims} killed: {:?}\n{ended}", host::marked(&mark));
    }
}

#[test]
fn without_root_what_needs_the_network_of_this_host_is_refused_before_anything_is_touched() {
    let scenario = Scenario::new(
        "
        version: 1
        services: { web: { run: [ web ], isolate: true } }
        targets: { web: { service: web }, api: { url: \"http://10.9.8.7:80\" } }
        load: { main: { target: web, get: /, rate: 1/s, for: 1s } }
        ",
    );
    let ended = by_nobody(&scenario).start().wait().expect_code(3);
    ended.expect_said("the run needs it for target `api` (http://10.9.8.7:80)");
}

/// Without capabilities, and where user namespaces are switched off.
const FORBIDDEN: &str = "echo 0 > /proc/sys/user/max_user_namespaces && \
                         exec setpriv --bounding-set=-all --inh-caps=-all --ambient-caps=-all -- \"$@\"";

#[test]
fn where_user_namespaces_are_off_plan_says_so_and_run_touches_nothing() {
    let scenario = shop("  - baseline: 1s");
    let forbidden = ["unshare", "--user", "--map-root-user", "--", "sh", "-c", FORBIDDEN, "sh"];
    let path = scenario.path().display().to_string();
    let plan = Brunt::with(["plan", path.as_str()]).under(forbidden).start().wait().expect_code(3);
    let told = "sysctl -w user.max_user_namespaces=10000` as root, or run as root";
    assert!(plan.stdout.contains("cannot be run here") && plan.stdout.contains(told), "{plan}");
    let run = Brunt::run(&scenario).under(forbidden).start();
    let home = run.home();
    run.wait().expect_code(3).expect_said(told);
    assert!(!home.path().join("state").exists(), "not even a journal");
}

/// Orders and payments are reached over IPv6; beside the shoppers others ask payments, over the same family.
#[test]
fn whatever_is_done_to_the_packets_of_two_isolated_services_is_felt_by_these_two_alone_over_ipv6() {
    let _machine = machine::alone();
    let faults = [
        ("far", "latency, with: { latency: 120ms, jitter: 20ms, distribution: normal }", "held"),
        ("twice", "duplicate, with: { duplicate: 20% }", "sent twice"),
        ("mixed", "reorder, with: { reorder: 30%, latency: 5ms }", "let pass in front"),
        ("bursts", "loss, with: { model: gilbert_elliott, p: 5%, r: 25% }", "lost"),
        ("damage", "corrupt, with: { corrupt: 10% }", "damaged"),
        ("thin", "bandwidth, with: { rate: 160kbit }", "had to wait"),
    ];
    let timeline = faults.map(|(id, with, _)| {
        format!("          - {{ id: {id}, target: payments, from: orders, for: 3s, fault: network.{with} }}\n")
    });
    let spared = faults.map(|(id, ..)| {
        format!(
            "          - {{ id: {id}-spares, journey: beside, metric: latency.p95, window: 'fault:{id}', max: 100ms }}\n"
        )
    });
    let scenario = Scenario::new(&format!(
        "
        version: 1
        name: isolated-over-ipv6
        seed: 7
        services:
          payments:
            run: [ \"${{brunt.exe}}\", demo-service, payments, --port, \"${{port}}\", --address, \"${{address}}\" ]
            isolate: true
            family: ipv6
            ready: {{ http: /healthz }}
          orders:
            run: [ \"${{brunt.exe}}\", demo-service, orders, --port, \"${{port}}\", --address, \"${{address}}\" ]
            env: {{ PAYMENTS_URLS: \"${{services.payments.url}}\" }}
            isolate: true
            family: ipv6
            ready: {{ http: /healthz }}
        targets:
          orders: {{ service: orders }}
          payments: {{ service: payments }}
        load:
          shoppers:
            target: orders
            post: /orders
            json: {{ sku: A1, amount: 3 }}
            headers: {{ Idempotency-Key: \"{{{{ uuid() }}}}\" }}
            rate: 100/s
            for: timeline
            timeout: 5s
          beside: {{ target: payments, get: /healthz, rate: 90/s, for: timeline, timeout: 5s }}
        timeline:
          - baseline: 2s
{}
        gates:
          - {{ id: felt-far, journey: shoppers, metric: latency.p50, window: 'fault:far', min: 100ms }}
          - {{ id: felt-bursts, journey: shoppers, metric: latency.p95, window: 'fault:bursts', min: 180ms }}
          - {{ id: felt-damage, journey: shoppers, metric: latency.p95, window: 'fault:damage', min: 180ms }}
          - {{ id: felt-thin, journey: shoppers, metric: latency.p50, window: 'fault:thin', min: 100ms }}
{}
        safety: {{ lease: 5s }}
        ",
        timeline.concat(),
        spared.concat(),
    ));
    let run = by_nobody(&scenario).start();
    run.wait_for("event=baseline.started");
    let services = services(&run);
    assert!(services.keys().all(|command| command.contains("--address fd")), "{services:?}");
    let ended = run.wait();
    let ended = if ended.only_the_machine_was_late() { ended } else { ended.expect_code(0) };
    let results = ended.results();
    for (id, _, done) in faults {
        let seen = fault(&results, id);
        assert!(seen.verified && seen.rollback_verified == Some(true) && seen.reason.contains(done), "{seen:?}");
    }
    assert_eq!(host::left_by(&ended.mark), []);
}

/// The kernel tells an ordinary user nothing of what a queue drops because it is full; so none gets full.
#[test]
fn without_root_a_queue_that_has_no_room_left_makes_the_run_invalid_as_well() {
    let _machine = machine::alone();
    let scenario = Scenario::new(
        r#"
        version: 1
        name: overflow
        services:
          payments:
            run: [ "${brunt.exe}", demo-service, payments, --port, "${port}", --address, "${address}" ]
            isolate: true
            ready: { http: /healthz }
          flood:
            run:
              - bash
              - -c
              - 'echo begins; IFS=/: read -r _ _ _ host _ <<< "$0"; while :; do echo > /dev/udp/$host/9; done 2> /dev/null'
              - "${services.payments.url}"
            isolate: true
            ready: { log: begins }
        targets:
          payments: { service: payments }
        load:
          main: { target: payments, get: /healthz, rate: 20/s, for: timeline, timeout: 5s }
        timeline:
          - { id: far, fault: network.latency, target: payments, for: 100s, with: { latency: 100s, direction: to } }
        gates: [ { metric: requests, min: 1 } ]
        safety: { lease: 5s }
        "#,
    );
    let ended = by_nobody(&scenario).start().wait().expect_code(5);
    let results = ended.results();
    let far = fault(&results, "far");
    assert!(!far.verified && far.reason.contains("because there were too many at a time"), "{far:?}");
    assert_eq!(far.rollback_verified, Some(true), "{far:?}");
    assert_eq!(host::left_by(&ended.mark), []);
}

/// The scenario of `brunt demo --packets`: 5 % of the packets between orders and payments are lost.
fn lossy_shop() -> Scenario {
    let scenario = Brunt::with(["demo", "--packets", "--scenario"]).start().wait().expect_code(0);
    Scenario::new(&scenario.stdout)
}

/// What retransmission looks like, and that it is over with the fault.
fn lossy(ended: &Ended) {
    let summary = ended.results().summary;
    let fault = &summary.faults[0];
    assert!(fault.verified && fault.rollback_verified == Some(true), "{ended}");
    assert_eq!(fault.instances.len(), 3, "{ended}");
    assert!(fault.recovery_time_s.is_some(), "{ended}");
    let told = |quantile: Option<f64>| quantile.unwrap_or_else(|| panic!("no such figure: {ended}"));
    let (faulty, before) = (&summary.windows["fault:lossy-wire"].latency_ms, &summary.windows["baseline"].latency_ms);
    // TCP waits for at least 200 ms before it sends again; the usual request waits for nothing.
    assert!(told(faulty.p99) > 200.0 && told(faulty.p50) < 100.0, "{ended}");
    assert!(told(before.p95) < 100.0, "{ended}");
    assert_eq!(host::left_by(&ended.mark), []);
}

#[test]
fn real_packets_are_lost_between_two_services_and_the_tails_are_those_of_retransmission() {
    let _machine = machine::alone();
    let lab = Lab::new();
    let before = lab.state();
    lossy(&Brunt::run(&lossy_shop()).under(lab.prefix()).go().expect_code(0));
    assert_eq!(lab.state(), before);
}

#[test]
fn without_root_real_packets_are_lost_as_well() {
    let _machine = machine::alone();
    lossy(&by_nobody(&lossy_shop()).go().expect_code(0));
}

/// `brunt demo --packets` as a person calls it.
fn demo(brunt: impl FnOnce(Brunt) -> Brunt) {
    let demo = brunt(Brunt::with(["demo", "--packets", "--out", "reports"]));
    let reports = demo.home().join("reports/packets");
    let ended = demo.start().wait();
    assert!([0, 5].contains(&ended.code), "{ended}");
    let told = ["each instance in a network namespace of its own", "5 % of the packets", "report.html"];
    assert!(told.iter().all(|told| ended.stdout.contains(told)), "{ended}");
    let text = std::fs::read_to_string(reports.join("results.json")).expect("it has said where");
    let results: Results = serde_json::from_str(&text).expect("it is results.json");
    // A busy machine says nothing of packets; whatever else makes a demonstration fail is a bug.
    if ended.code == 0 {
        assert!(ended.stdout.contains("PASS"), "{ended}");
    } else {
        assert!(only_the_machine_was_late(&results.summary.health), "{ended}");
    }
    let seen = fault(&results, "lossy-wire");
    assert!(seen.verified && seen.rollback_verified == Some(true), "{ended}");
    assert!(ended.stdout.contains("lossy-wire") && ended.stdout.contains("network.loss"), "{ended}");
    assert!(reports.join("report.html").exists());
    assert_eq!(host::left_by(&ended.mark), []);
}

#[test]
fn the_demonstration_of_lossy_packets_goes_well_and_says_where_to_look() {
    let _machine = machine::alone();
    let lab = Lab::new();
    let before = lab.state();
    demo(|brunt| brunt.under(lab.prefix()));
    assert_eq!(lab.state(), before);
}

#[test]
fn without_root_the_demonstration_of_lossy_packets_goes_as_well() {
    let _machine = machine::alone();
    demo(as_nobody);
}
