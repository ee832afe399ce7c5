//! Containers of a real Docker Engine: hit, seen, and whole again, also when nobody is left to put them back.

use std::time::{Duration, Instant};

use brunt_injector::namespace::Namespace;
use brunt_injector::netlink::nf_tables;
use brunt_tests::brunt::{Brunt, Running};
use brunt_tests::docker::{Container, Engine};
use brunt_tests::ended::{Ended, fault, window};
use brunt_tests::scenario::Scenario;
use brunt_tests::{host, machine};
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

/// The engine may be busy with containers of other tests.
pub const SOON: Duration = Duration::from_secs(15);

/// Load on a container, faults on what the target names.
pub fn scenario(on: &Container, target: &str, timeline: &str) -> Scenario {
    scenario_at(on, target, timeline, "20/s")
}

fn scenario_at(on: &Container, target: &str, timeline: &str, rate: &str) -> Scenario {
    Scenario::new(&format!(
        "
        version: 1
        name: containers
        seed: 3
        targets:
          api: {{ url: \"{}\" }}
          db: {{ docker: {target} }}
        load:
          main: {{ target: api, get: /, rate: {rate}, for: timeline, timeout: 5s }}
        timeline:
{timeline}
        gates: [ {{ metric: requests, min: 1 }} ]
        safety: {{ lease: 3s }}
        ",
        on.url(),
    ))
}

pub fn by_name(container: &Container) -> String {
    format!("{{ name: {} }}", container.name)
}

/// brunt works where the containers can be reached, and asks the tests' own engine.
pub fn run(engine: &Engine, scenario: &Scenario) -> Brunt {
    let inside = format!("--net=/run/netns/{}", engine.namespace());
    Brunt::run(scenario).env("DOCKER_HOST", engine.host()).under(["nsenter", &inside])
}

fn agent(run: &Running) -> Pid {
    let marked = host::marked(run.mark());
    let agent = marked.iter().find(|process| process.command.ends_with(" agent")).expect("brunt has an agent");
    Pid::from_raw(agent.pid.cast_signed())
}

/// A run that was looked at on its way cannot be made again; that the machine was late says nothing of its faults.
#[track_caller]
pub fn passed(ended: Ended) -> Ended {
    ended.expect_done()
}

#[test]
fn a_killed_container_is_started_again_by_its_restart_policy_and_the_window_ends_then() {
    let _machine = machine::shared();
    let engine = Engine::shared();
    let (api, db) = (engine.container(&[]), engine.container(&["--restart", "always"]));
    let before = db.pid();
    let timeline = "
          - baseline: 1s
          - { id: crash, fault: container.kill, target: db }
          - pause: 4s
        ";
    let ended = run(engine, &scenario(&api, &by_name(&db), timeline)).go().expect_code(0);

    let results = ended.results();
    let crash = fault(&results, "crash");
    assert!(crash.verified && crash.rollback_verified == Some(true) && crash.residue.is_empty(), "{crash:?}");
    assert_eq!(crash.instances, [format!("{} (pid {before})", db.name)]);
    let away = crash.removed_at_s.expect("it ended") - crash.injecting_at_s.expect("it began");
    assert!(away < 4.0, "the window ended with the run, not with the container's return: {crash:?}");
    assert_eq!((db.state().as_str(), db.inspect(".RestartCount").as_str()), ("running", "1"));
    assert_ne!(db.pid(), before);
}

#[test]
fn a_container_without_a_restart_policy_stays_down_and_the_report_says_how_to_start_it() {
    let _machine = machine::shared();
    let engine = Engine::shared();
    let (api, db) = (engine.container(&[]), engine.container(&[]));
    let timeline = "
          - { id: crash, fault: container.kill, target: db }
          - pause: 1s
        ";
    let ended = run(engine, &scenario(&api, &by_name(&db), timeline)).go();

    let results = ended.results();
    let crash = fault(&results, "crash");
    assert!(crash.verified && crash.rollback_verified.is_none(), "{crash:?}");
    let start = format!("`docker --host {} start {}`", engine.host(), db.name);
    assert!(crash.residue.iter().any(|residue| residue.contains(&start)), "{crash:?}");
    assert_eq!(db.state(), "exited");
}

#[test]
fn a_paused_container_answers_nobody_until_it_is_thawed() {
    let _machine = machine::alone();
    let engine = Engine::shared();
    let db = engine.container(&[]);
    let timeline = "
          - baseline: 1s
          - { id: freeze, fault: container.pause, target: db, for: 2s }
          - pause: 1s
        ";
    let running = run(engine, &scenario(&db, &by_name(&db), timeline)).start();
    running.wait_for("event=fault.verified fault=freeze");
    assert_eq!(db.state(), "paused");
    let ended = passed(running.wait());

    let results = ended.results();
    let freeze = fault(&results, "freeze");
    assert!(freeze.verified && freeze.rollback_verified == Some(true), "{freeze:?}");
    assert!(window(&results, "fault:freeze").latency_ms.max.is_some_and(|ms| ms > 1_500.0), "{ended}");
    assert!(window(&results, "baseline").latency_ms.p95.is_some_and(|ms| ms < 500.0), "{ended}");
    assert_eq!((db.state().as_str(), window(&results, "fault:freeze").errors), ("running", 0), "{ended}");
}

#[test]
fn a_stopped_container_refuses_its_clients_and_is_started_again() {
    let _machine = machine::shared();
    let engine = Engine::shared();
    let (api, db) = (engine.container(&[]), engine.container(&[]));
    let before = db.pid();
    let timeline = "
          - { id: away, fault: container.stop, target: db, for: 1s, with: { grace: 1s } }
          - { id: deploy, fault: container.restart, target: db, with: { grace: 1s } }
          - pause: 1s
        ";
    let running = run(engine, &scenario(&api, &by_name(&db), timeline)).start();
    running.wait_for("event=fault.verified fault=away");
    assert_eq!(db.state(), "exited");
    let ended = passed(running.wait());

    let results = ended.results();
    for (id, instance) in [("away", before), ("deploy", db.pid())] {
        let seen = fault(&results, id);
        assert!(seen.verified && seen.rollback_verified == Some(true) && seen.residue.is_empty(), "{seen:?}");
        let hit = seen.instances.first().expect("one was hit");
        assert_eq!(hit.ends_with(&format!("(pid {instance})")), id == "away", "{seen:?}");
    }
    assert_eq!(db.state(), "running");
}

/// A run whose only fault, of this kind, has acted on `db` and goes on for longer than the test looks.
fn under_fault(engine: &'static Engine, api: &Container, db: &Container, kind: &str) -> Running {
    let timeline = format!("          - {{ id: it, target: db, for: 60s, fault: {kind} }}\n");
    let running = run(engine, &scenario(api, &by_name(db), &timeline)).start();
    running.wait_for("event=fault.verified fault=it");
    running
}

#[test]
fn kill_minus_nine_of_the_runner_leaves_no_container_paused_or_stopped() {
    let _machine = machine::shared();
    let engine = Engine::shared();
    for (kind, state) in [("container.pause", "paused"), ("container.stop, with: { grace: 1s }", "exited")] {
        let (api, db) = (engine.container(&[]), engine.container(&[]));
        let running = under_fault(engine, &api, &db, kind);
        assert_eq!(db.state(), state);

        running.signal(Signal::SIGKILL);
        assert!(host::comes_true(SOON, || db.state() == "running"), "{kind}: it is left {}", db.state());
    }
}

#[test]
fn what_nobody_was_left_to_undo_cleanup_undoes_by_the_containers_id() {
    let _machine = machine::shared();
    let engine = Engine::shared();
    for (kind, state) in [("container.pause", "paused"), ("container.stop, with: { grace: 1s }", "exited")] {
        let (api, db) = (engine.container(&[]), engine.container(&[]));
        let running = under_fault(engine, &api, &db, kind);
        let home = running.home();
        // First the agent cannot act, then the runner cannot, then neither is there.
        let agent = agent(&running);
        kill(agent, Signal::SIGSTOP).expect("it is the test's own");
        running.signal(Signal::SIGKILL);
        kill(agent, Signal::SIGKILL).expect("it is the test's own");
        running.wait().expect_code(137);
        assert_eq!(db.state(), state, "nobody was left");

        // Its name may be somebody else's by now; its id is never used twice.
        engine.docker(&["rename", &db.name, &format!("{}-renamed", db.name)]);
        let cleanup = Brunt::with(["cleanup"]).state_in(&home.path().join("state")).go().expect_code(0);
        engine.docker(&["rename", &format!("{}-renamed", db.name), &db.name]);
        assert_eq!(db.state(), "running", "{cleanup}");
        let again = Brunt::with(["cleanup"]).state_in(&home.path().join("state")).go().expect_code(0);
        assert!(again.stdout.contains("nothing"), "{again}");
    }
}

#[test]
fn a_container_that_was_paused_by_somebody_else_is_refused_and_left_paused() {
    let _machine = machine::shared();
    let engine = Engine::shared();
    let (api, db) = (engine.container(&[]), engine.container(&[]));
    engine.docker(&["pause", &db.name]);
    for kind in ["container.pause, for: 1s", "container.stop, for: 1s", "container.kill", "container.restart"] {
        let timeline = format!("          - {{ id: it, target: db, fault: {kind} }}\n          - pause: 1s\n");
        let ended = run(engine, &scenario(&api, &by_name(&db), &timeline)).go().expect_code(5);
        assert!(ended.stderr.contains("refused") && ended.stderr.contains("unpause it first"), "{kind}: {ended}");
        assert_eq!(db.state(), "paused", "{kind}");
    }
}

#[test]
fn a_fault_on_a_container_that_does_nothing_is_found_out() {
    let _machine = machine::shared();
    let engine = Engine::shared();
    let (api, db) = (engine.container(&[]), engine.container(&[]));
    for kind in ["container.pause, for: 1s", "container.kill"] {
        let timeline = format!("          - {{ id: it, target: db, fault: {kind} }}\n          - pause: 1s\n");
        let ended = run(engine, &scenario(&api, &by_name(&db), &timeline)).env("BRUNT_TEST_NO_EFFECT", "1").go();
        let results = ended.expect_code(5).results();
        let seen = fault(&results, "it");
        assert!(!seen.verified && seen.reason.contains("absent"), "{kind}: {seen:?}");
        assert_eq!(db.state(), "running", "{kind}");
    }
}

#[test]
fn a_container_that_goes_away_between_plan_and_injection_is_named_and_nothing_else_is_hit() {
    let _machine = machine::shared();
    let engine = Engine::shared();
    let (api, db) = (engine.container(&[]), engine.container(&[]));
    let timeline = "
          - baseline: 3s
          - { id: freeze, fault: container.pause, target: db, for: 2s }
        ";
    let running = run(engine, &scenario(&api, &by_name(&db), timeline)).start();
    running.wait_for("event=baseline.started");
    engine.docker(&["rm", "--force", &db.name]);
    let ended = running.wait().expect_code(5);
    let gone = format!("no container of this host runs under the name `{}`", db.name);
    assert!(ended.stdout.contains(&gone), "{ended}");
    assert_eq!(api.state(), "running");
}

#[test]
fn a_plan_lists_the_containers_that_would_be_hit_and_spares_those_with_the_label() {
    let _machine = machine::shared();
    let engine = Engine::shared();
    let compose = ["--label", "com.docker.compose.project=shop", "--label", "com.docker.compose.service=orders"];
    let (one, two) = (engine.container(&compose), engine.container(&compose));
    let spared = engine.container(&[&compose[..], &["--label", "brunt/exempt=true"]].concat());
    let timeline = "          - { id: it, fault: container.kill, target: db, pick: all }\n          - pause: 1s\n";
    let plan = |target: &str| {
        let scenario = scenario(&spared, target, timeline);
        let plan = Brunt::with(["plan"]).arg(scenario.path()).env("DOCKER_HOST", engine.host());
        plan.go().stdout
    };

    let both = plan("{ compose_project: shop, service: orders }");
    let list = format!("2 of 2: {} (pid {}), {} (pid {})", one.name, one.pid(), two.name, two.pid());
    assert!(both.contains(&list), "{both}");
    let other = plan("{ compose_project: shop, service: payments }");
    assert!(other.contains("no container of this host runs as service `payments`"), "{other}");
    let exempt = plan(&by_name(&spared));
    assert!(exempt.contains("brunt/exempt=true") && exempt.contains(&spared.name), "{exempt}");
}

#[test]
fn without_an_engine_plan_says_why_and_run_touches_nothing() {
    let _machine = machine::shared();
    let engine = Engine::shared();
    let api = engine.container(&[]);
    let timeline = "          - { id: it, fault: container.kill, target: db }\n          - pause: 1s\n";
    let scenario = scenario(&api, &by_name(&api), timeline);
    for (host, why) in [
        ("unix:///nowhere/docker.sock", "/nowhere/docker.sock"),
        ("tcp://192.0.2.1:2375", "only containers of this host"),
    ] {
        let plan = Brunt::with(["plan"]).arg(scenario.path()).env("DOCKER_HOST", host).go().expect_code(3);
        assert!(plan.stdout.contains("cannot tell") && plan.stdout.contains(why), "{plan}");
        let inside = format!("--net=/run/netns/{}", engine.namespace());
        let run = Brunt::run(&scenario).env("DOCKER_HOST", host).under(["nsenter", &inside]).go().expect_code(3);
        assert!(run.stderr.contains(why) && !run.stderr.contains("event=run.started"), "{run}");
    }
    assert_eq!(api.state(), "running");
}

#[test]
fn a_container_loses_packets_under_load_and_its_network_is_as_before_afterwards() {
    let _machine = machine::alone();
    let engine = Engine::shared();
    let (db, other) = (engine.container(&[]), engine.container(&[]));
    let timeline = "
          - baseline: 2s
          - { id: bad-line, fault: network.loss, target: db, for: 6s, with: { loss: 5% } }
          - pause: 1s
        ";
    let scenario = scenario_at(&db, &by_name(&db), timeline, "100/s");
    let tables = |container: &Container| {
        let namespace = Namespace::of_process(container.pid()).expect("root may open it");
        namespace.inside(nf_tables::tables).expect("root may enter").expect("the kernel lists them")
    };
    let running = run(engine, &scenario).start();
    running.wait_for("event=fault.active fault=bad-line");
    assert_eq!((tables(&db).len(), tables(&other).len()), (1, 0));
    let ended = passed(running.wait());

    let results = ended.results();
    let seen = fault(&results, "bad-line");
    assert!(seen.verified && seen.rollback_verified == Some(true), "{seen:?}");
    // What was lost is sent again after 200 ms at the earliest: of a hundred requests, several.
    assert!(window(&results, "fault:bad-line").latency_ms.p99.is_some_and(|ms| ms > 190.0), "{ended}");
    assert!(window(&results, "baseline").latency_ms.p95.is_some_and(|ms| ms < 190.0), "{ended}");
    assert_eq!(tables(&db), Vec::<String>::new());
}

#[test]
fn s22_network_namespace_shared() {
    let _machine = machine::shared();
    let engine = Engine::shared();
    let api = engine.container(&[]);
    let (db, host) = (engine.container(&[]), engine.container(&["--network", "host"]));
    let sidecar = engine.beside(&db);
    let timeline = "          - { id: it, fault: network.loss, target: db, for: 1s, with: { loss: 5% } }\n";
    let refused = |container: &Container| {
        let scenario = scenario(&api, &by_name(container), timeline);
        run(engine, &scenario).go().expect_code(3).stderr
    };
    let said = refused(&db);
    assert!(said.contains("others share its network") && said.contains(&format!("pid {}", sidecar.pid())), "{said}");
    let said = refused(&host);
    assert!(said.contains("that of the host, or of brunt itself"), "{said}");
}

/// How many of these are brunt's workers in the cgroup of this container. The engine itself looks at one hierarchy of version 1
/// only, and not at those of memory and processors.
fn workers_in(container: &Container, all: &[host::Process]) -> usize {
    let id = container.inspect(".Id");
    let groups = |pid: u32| std::fs::read_to_string(format!("/proc/{pid}/cgroup")).unwrap_or_default();
    let is_inside =
        |process: &&host::Process| process.command.ends_with("--worker") && groups(process.pid).contains(&id);
    all.iter().filter(is_inside).count()
}

#[test]
fn a_container_is_weighed_on_inside_its_own_limits_and_is_alone_in_them_again() {
    let _machine = machine::alone();
    let engine = Engine::shared();
    let (api, db) = (engine.container(&[]), engine.container(&["--memory", "96m", "--cpus", "0.5"]));
    let before = db.pid();
    let timeline = "
          - { id: cpu, fault: stress.cpu, target: db, for: 2s }
          - { id: memory, fault: stress.memory, target: db, for: 1s, with: { share: 70% } }
          - pause: 500ms
        ";
    let running = run(engine, &scenario(&api, &by_name(&db), timeline)).start();
    running.wait_for("event=fault.verified fault=memory");
    let inside = workers_in(&db, &host::marked(running.mark()));
    assert!(inside > 1, "what holds memory is in the container's cgroup: {:?}", host::marked(running.mark()));
    let ended = running.wait();

    let results = ended.results();
    for id in ["cpu", "memory"] {
        let seen = fault(&results, id);
        assert!(seen.verified && seen.rollback_verified == Some(true) && seen.residue.is_empty(), "{seen:?}");
    }
    assert_eq!(host::left_by(&ended.mark), [], "nobody is left");
    assert_eq!((db.state().as_str(), db.pid()), ("running", before));

    // Without a limit it would be the memory of the whole machine.
    let told = run(engine, &scenario(&db, &by_name(&api), timeline)).go().expect_code(3);
    assert!(told.stderr.contains("no limit of memory"), "{told}");
}

#[test]
fn what_a_container_opens_waits_and_what_others_open_in_its_folders_does_not() {
    let _machine = machine::alone();
    let engine = Engine::shared();
    let db = engine.container(&[]);
    // The libraries that each program in it opens when it starts.
    let libraries = format!("/proc/{}/root/lib", db.pid());
    let folder = std::fs::read_dir(libraries).unwrap().flatten().find(|entry| entry.path().is_dir()).unwrap();
    let library = std::fs::read_dir(folder.path()).unwrap().flatten().find(|entry| entry.path().is_file()).unwrap();
    let timeline = "
          - { id: slow, fault: disk.latency, target: db, for: 8s, with: { path: /lib, latency: 200ms } }
          - pause: 500ms
        ";
    let running = run(engine, &scenario(&db, &by_name(&db), timeline)).start();
    running.wait_for("event=fault.active fault=slow");
    // Another process than the one that the engine calls the container's.
    engine.docker(&["exec", "--detach", &db.name, "/answering"]);
    running.wait_for("event=fault.verified fault=slow");
    let beside = (0..20).map(|_| {
        let began = Instant::now();
        std::fs::read(library.path()).unwrap();
        began.elapsed()
    });
    let beside = beside.min().unwrap();
    assert!(beside < Duration::from_millis(100), "another process waited {beside:?}");
    let ended = running.wait();
    let results = ended.results();
    let slow = fault(&results, "slow");
    assert!(slow.verified && slow.rollback_verified == Some(true) && slow.residue.is_empty(), "{slow:?}");
    assert_eq!(host::left_by(&ended.mark), [], "nobody is left");
}
