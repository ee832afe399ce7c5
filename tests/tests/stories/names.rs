//! `network.dns`: what a program in the target's network namespace learns when it asks a real name server.

use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

use brunt_injector::namespace::Namespace;
use brunt_injector::netlink::nf_tables;
use brunt_report::results::Results;
use brunt_tests::answering::Answering;
use brunt_tests::brunt::{Brunt, Running};
use brunt_tests::ended::fault;
use brunt_tests::name_server::{self, Learnt, V4, V6, ask};
use brunt_tests::namespaces::Namespaces;
use brunt_tests::scenario::Scenario;
use brunt_tests::{host, machine};
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

/// Longer than any answer is held here, on any machine.
const PATIENCE: Duration = Duration::from_secs(10);
/// Nothing comes; on a slow machine nothing comes, either.
const SHORTLY: Duration = Duration::from_millis(500);
/// Another service, at a port that no resolver asks.
const ELSEWHERE: u16 = 5300;

/// A namespace in which names are asked for, and one with the servers that answer.
struct Lab {
    network: Namespaces,
    service: Answering,
}

impl Lab {
    fn new() -> Self {
        let network = Namespaces::pair();
        for port in [53, ELSEWHERE] {
            name_server::start(&network.of_client(), "::", port);
        }
        let service = Answering::inside(&network.client);
        Self { service, network }
    }

    fn ask_at(&self, server: (&str, u16), name: &str, v6: bool, patience: Duration) -> (Learnt, Duration) {
        let server = SocketAddr::new(server.0.parse().expect("an address"), server.1);
        ask(&self.network.of_server(), server, name, v6, patience)
    }

    /// What is learnt of a name from the usual server.
    fn learn(&self, name: &str, v6: bool) -> Learnt {
        self.ask_at(("10.77.0.1", 53), name, v6, PATIENCE).0
    }

    /// This fault on a target, for longer than any test looks.
    fn scenario(&self, target: &str, with: &str) -> Scenario {
        Scenario::new(&format!(
            "
            version: 1
            name: names
            targets:
              api: {{ url: \"http://10.77.0.1:{}\" }}
              lab: {target}
            load:
              main: {{ target: api, get: /, rate: 10/s, for: timeline, timeout: 5s }}
            timeline:
              - {{ id: names, fault: network.dns, target: lab, for: 120s, with: {with} }}
            safety: {{ lease: 2s }}
            ",
            self.service.port(),
        ))
    }

    fn brunt(&self, scenario: &Scenario) -> Brunt {
        Brunt::run(scenario).under(["ip", "netns", "exec", &self.network.client])
    }

    /// On the namespace that asks.
    fn start(&self, with: &str) -> Running {
        let target = format!("{{ netns: {} }}", self.network.server);
        let run = self.brunt(&self.scenario(&target, with)).start();
        run.wait_for("event=fault.active");
        run
    }

    /// The same; and what the results say after it was asked to stop.
    fn during(&self, with: &str, look: impl FnOnce()) -> Results {
        let run = self.start(with);
        look();
        run.signal(Signal::SIGTERM);
        run.wait().expect_code(143).results()
    }

    fn tables(&self) -> Vec<String> {
        self.network.of_server().inside(nf_tables::tables).expect("root may enter").expect("the kernel lists them")
    }
}

fn addresses(of: &[IpAddr]) -> Learnt {
    Learnt::Addresses(of.to_vec())
}

#[test]
fn a_name_that_is_gone_is_gone_for_both_families_and_no_other_name_or_port_is() {
    let _machine = machine::shared();
    let lab = Lab::new();
    let results = lab.during("{ names: [ db.shop.test, '*.pay.test' ], answer: nxdomain }", || {
        for name in ["db.shop.test.", "DB.Shop.test.", "eu.pay.test."] {
            for (server, v6) in [("10.77.0.1", false), ("10.77.0.1", true), ("fd77::1", false), ("fd77::1", true)] {
                assert_eq!(lab.ask_at((server, 53), name, v6, PATIENCE).0, Learnt::NoSuchName, "{name} {server} {v6}");
            }
        }
        for name in ["shop.test.", "pay.test.", "x.db.shop.test."] {
            assert_eq!(lab.learn(name, false), addresses(&[V4]), "{name}");
        }
        for server in ["10.77.0.1", "fd77::1"] {
            assert_eq!(lab.ask_at((server, ELSEWHERE), "db.shop.test.", true, PATIENCE).0, addresses(&[V6]));
        }
    });
    let seen = fault(&results, "names");
    assert!(seen.verified && seen.rollback_verified == Some(true), "{seen:?}");
    // Three names by four ways; and three others.
    assert!(
        format!("{seen:?}").contains("12 of 15 answers of name servers rewritten: there is no such name"),
        "{seen:?}"
    );
    assert_eq!(lab.learn("db.shop.test.", false), addresses(&[V4]), "and it is back");
    assert_eq!(lab.tables(), Vec::<String>::new());
}

#[test]
fn a_name_resolves_elsewhere_in_both_families_also_at_a_server_of_the_same_namespace() {
    let _machine = machine::shared();
    let lab = Lab::new();
    for address in ["127.0.0.53", "::1"] {
        name_server::start(&lab.network.of_server(), address, 53);
    }
    let results = lab.during("{ answer: address, address: [ 10.9.9.9, 'fd99::9' ] }", || {
        let [four, six]: [IpAddr; 2] = ["10.9.9.9", "fd99::9"].map(|text| text.parse().expect("an address"));
        for server in ["10.77.0.1", "fd77::1", "127.0.0.53", "::1"] {
            assert_eq!(lab.ask_at((server, 53), "db.test.", false, PATIENCE).0, addresses(&[four]), "{server}");
            assert_eq!(lab.ask_at((server, 53), "db.test.", true, PATIENCE).0, addresses(&[six]), "{server}");
        }
    });
    let seen = fault(&results, "names");
    assert!(seen.verified && seen.rollback_verified == Some(true), "{seen:?}");
    assert_eq!(lab.learn("db.test.", true), addresses(&[V6]));
}

#[test]
fn answers_are_late_by_what_was_asked_or_never_come_or_tell_of_a_server_that_failed() {
    let _machine = machine::shared();
    let lab = Lab::new();
    let late = lab.during("{ names: db.test, latency: 300ms }", || {
        for (server, v6) in [("10.77.0.1", false), ("fd77::1", true)] {
            let (learnt, took) = lab.ask_at((server, 53), "db.test.", v6, PATIENCE);
            assert_eq!(learnt, addresses(&[if v6 { V6 } else { V4 }]));
            assert!(took >= Duration::from_millis(300), "{took:?}");
        }
        // Others do not wait behind those that are held.
        let all = (0..5).map(|_| lab.ask_at(("10.77.0.1", 53), "web.test.", false, PATIENCE).1);
        assert!(all.min().is_some_and(|took| took < Duration::from_millis(250)));
    });
    let seen = fault(&late, "names");
    assert!(seen.verified && format!("{seen:?}").contains("held 2 packets, for 300.0 ms on average"), "{seen:?}");
    let silent = lab.during("{ answer: timeout }", || {
        assert_eq!(lab.ask_at(("10.77.0.1", 53), "db.test.", false, SHORTLY).0, Learnt::Nothing);
    });
    assert!(fault(&silent, "names").verified, "{silent:?}");
    let failed = lab.during("{}", || assert_eq!(lab.learn("db.test.", false), Learnt::Failed));
    assert!(fault(&failed, "names").verified, "{failed:?}");
}

#[test]
fn a_fault_on_names_that_nobody_asks_for_is_not_verified() {
    let _machine = machine::shared();
    let lab = Lab::new();
    let results = lab.during("{ names: db.test }", || assert_eq!(lab.learn("web.test.", false), addresses(&[V4])));
    let seen = fault(&results, "names");
    assert!(!seen.verified && seen.rollback_verified == Some(true), "{seen:?}");
    assert!(format!("{seen:?}").contains("none was about a name that is meant"), "{seen:?}");
}

#[test]
fn whoever_is_killed_names_resolve_again_and_no_rule_is_left() {
    let _machine = machine::shared();
    for victims in ["agent", "both"] {
        let lab = Lab::new();
        let run = lab.start("{ answer: nxdomain }");
        assert_eq!(lab.learn("db.test.", false), Learnt::NoSuchName);
        let marked = host::marked(run.mark());
        let agent = marked.iter().find(|process| process.command.ends_with(" agent")).expect("brunt has an agent");
        if victims == "both" {
            run.signal(Signal::SIGKILL);
        }
        kill(Pid::from_raw(agent.pid.cast_signed()), Signal::SIGKILL).expect("it is alive");
        assert!(host::comes_true(PATIENCE, || lab.tables().is_empty()), "{victims}: {:?}", lab.tables());
        assert_eq!(lab.learn("db.test.", false), addresses(&[V4]), "{victims}");
        run.wait();
    }
}

#[test]
fn names_of_a_process_are_hit_where_it_has_a_network_of_its_own_and_refused_where_not() {
    let _machine = machine::shared();
    let lab = Lab::new();
    let of = |service: &Answering| {
        lab.scenario(&format!("{{ process: {{ pid: {} }} }}", service.pid()), "{ answer: nxdomain }")
    };
    let alone = Answering::inside(&lab.network.server);
    let run = lab.brunt(&of(&alone)).start();
    run.wait_for("event=fault.active");
    assert_eq!(lab.learn("db.test.", false), Learnt::NoSuchName);
    run.signal(Signal::SIGTERM);
    run.wait().expect_code(143);
    // This one lives in the network of the test itself.
    let among_others = Answering::at_once();
    let refused = lab.brunt(&of(&among_others)).go().expect_code(3);
    refused.expect_said("shares its network with").expect_said("with a `netns` target");
}

/// An isolated service's namespace, and its address there.
fn isolated(run: &Running, port: u16) -> (Namespace, IpAddr) {
    let marked = host::marked(run.mark());
    let listens = format!("--port {port} --address ");
    let service = marked.iter().find(|process| process.command.contains(&listens));
    let service = service.unwrap_or_else(|| panic!("nobody listens on {port} among {marked:?}"));
    let (_, address) = service.command.split_once(&listens).expect("it was found by that");
    let namespace = Namespace::of_process(service.pid).expect("root may open it");
    (namespace, address.trim().parse().expect("an address"))
}

#[test]
fn a_name_is_gone_for_one_isolated_service_and_for_no_other() {
    let _machine = machine::shared();
    let network = Namespaces::pair();
    let service = |name: &str, port: u16| {
        format!(
            "{name}: {{ run: [ \"${{brunt.exe}}\", demo-service, payments, --port, \"${{port}}\", --address, \"${{address}}\" ], \
             isolate: true, port: {port}, ready: {{ http: /healthz }} }}"
        )
    };
    let story = Scenario::new(&format!(
        "
        version: 1
        name: names-of-services
        services:
          {}
          {}
          {}
        targets: {{ asks: {{ service: asks }} }}
        load: {{ main: {{ target: asks, get: /healthz, rate: 10/s, for: timeline, timeout: 5s }} }}
        timeline:
          - {{ id: names, fault: network.dns, target: asks, for: 120s, with: {{ names: db.shop.test, answer: nxdomain }} }}
        safety: {{ lease: 5s }}
        ",
        service("asks", 8081),
        service("asks-too", 8082),
        service("knows", 8083),
    ));
    let run = Brunt::run(&story).under(["ip", "netns", "exec", &network.client]).start();
    run.wait_for("event=fault.active fault=names");
    let [(asks, _), (asks_too, _), (knows, server)] = [8081, 8082, 8083].map(|port| isolated(&run, port));
    name_server::start(&knows, &server.to_string(), 53);
    let learn = |who: &Namespace, name: &str| ask(who, SocketAddr::new(server, 53), name, false, PATIENCE).0;
    assert_eq!(learn(&asks, "db.shop.test."), Learnt::NoSuchName);
    assert_eq!(learn(&asks, "web.shop.test."), addresses(&[V4]));
    assert_eq!(learn(&asks_too, "db.shop.test."), addresses(&[V4]));
    run.signal(Signal::SIGTERM);
    let results = run.wait().expect_code(143).results();

    let seen = fault(&results, "names");
    assert!(seen.verified && seen.rollback_verified == Some(true), "{seen:?}");
    assert!(seen.reason.contains("1 of 2 answers of name servers rewritten"), "{seen:?}");
    for namespace in [&asks, &knows, &network.of_client()] {
        let left = namespace.inside(nf_tables::tables).expect("it is held open").expect("the kernel lists them");
        assert_eq!(left, Vec::<String>::new());
    }
}

#[test]
fn where_nothing_can_be_decided_about_packets_plan_says_so_and_a_run_touches_nothing() {
    let _machine = machine::shared();
    let lab = Lab::new();
    let target = format!("{{ netns: {} }}", lab.network.server);
    let story = lab.scenario(&target, "{ answer: nxdomain }");
    let client = lab.network.client.as_str();
    // Root without the right to raw sockets, which the queue's other half needs; rules it may still make.
    let bare = ["ip", "netns", "exec", client, "setpriv", "--bounding-set=-net_raw", "--inh-caps=-net_raw", "--"];
    let told = "network.dns needs NFQUEUE, by which brunt decides about packets, and that does not work here";
    let plan = Brunt::with(["plan"]).arg(story.path()).under(bare).go().expect_code(3);
    plan.expect_said(told).expect_said("modprobe -a nfnetlink_queue xt_NFQUEUE");
    let run = Brunt::run(&story).under(bare);
    let state = run.home().join("state");
    let run = run.start().wait().expect_code(3).expect_said(told);
    assert!(!run.stderr.contains("event=fault."), "no fault has begun: {run}");
    assert_eq!(lab.tables(), Vec::<String>::new());
    assert!(
        Brunt::with(["cleanup"]).state_in(&state).go().expect_code(0).stdout.contains("nothing"),
        "nothing is open"
    );
    // What rules alone can do is not refused.
    let text = std::fs::read_to_string(story.path()).expect("the test has written it");
    let cut =
        Scenario::new(&text.replace("network.dns", "network.partition").replace(", with: { answer: nxdomain }", ""));
    Brunt::with(["plan"]).arg(cut.path()).under(bare).go().expect_code(0);
}
