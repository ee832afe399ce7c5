//! What goes wrong with containers while faults are on them: each is told in words, and nothing is left.

use brunt_injector::namespace::Namespace;
use brunt_injector::netlink::nf_tables;
use brunt_tests::brunt::Brunt;
use brunt_tests::docker::{Container, Engine};
use brunt_tests::ended::fault;
use brunt_tests::scenario::Scenario;
use brunt_tests::{host, machine};
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

use crate::docker::{SOON, by_name, run, scenario};

fn tables(container: &Container) -> Vec<String> {
    let namespace = Namespace::of_process(container.pid()).expect("root may open it");
    namespace.inside(nf_tables::tables).expect("root may enter").expect("the kernel lists them")
}

#[test]
fn a_name_that_no_container_has_is_found_out_by_plan_and_by_run_before_anything_is_touched() {
    let _machine = machine::shared();
    let engine = Engine::shared();
    let (api, db) = (engine.container(&[]), engine.container(&[]));
    let nobody = "no container of this host runs under the name `no-such-container`";
    let hit = "          - { id: it, fault: network.loss, target: db, for: 1s, with: { loss: 5% } }\n";
    let from = "          - { id: it, fault: network.loss, target: db, from: peer, for: 1s, with: { loss: 5% } }\n";
    let peer = ["--set", "targets.peer.docker.name=no-such-container"];
    for (scenario, more) in [
        (scenario(&api, "{ name: no-such-container }", hit), &[][..]),
        (scenario(&api, &by_name(&db), from), &peer[..]),
    ] {
        let plan = Brunt::with(["plan"]).arg(scenario.path()).args(more).env("DOCKER_HOST", engine.host()).go();
        assert!(plan.stdout.contains(nobody), "{plan}");
        plan.expect_code(3);
        let run = run(engine, &scenario).args(more).go().expect_code(3);
        assert!(run.stderr.contains(nobody) && !run.stderr.contains("event=run.started"), "{run}");
    }
    assert_eq!(tables(&db), Vec::<String>::new());
}

#[test]
fn a_container_that_is_removed_while_a_fault_is_on_it_ends_the_run_which_says_so() {
    let _machine = machine::shared();
    let engine = Engine::shared();
    for kind in ["network.latency, with: { latency: 50ms }", "network.loss, with: { loss: 50% }", "container.pause"] {
        let (api, db) = (engine.container(&[]), engine.container(&[]));
        let timeline = format!("          - {{ id: it, target: db, for: 60s, fault: {kind} }}\n");
        let running = run(engine, &scenario(&api, &by_name(&db), &timeline)).start();
        running.wait_for("event=fault.active fault=it");
        engine.docker(&["rm", "--force", &db.name]);
        let ended = running.wait().expect_code(5);
        let results = ended.results();
        let seen = fault(&results, "it");
        assert!(
            !seen.verified && seen.reason.contains("has ended") && seen.reason.contains(&db.name),
            "{kind}: {seen:?}"
        );
        assert_eq!(seen.rollback_verified, Some(true), "{kind}: {seen:?}");
        assert_eq!(host::left_by(&ended.mark), []);
        assert_eq!(api.state(), "running");
    }
}

#[test]
fn two_faults_on_the_packets_of_one_container_act_both_and_the_end_of_one_loses_nothing_of_the_other() {
    let _machine = machine::alone();
    let engine = Engine::shared();
    let db = engine.container(&[]);
    // The lossy one comes and goes, with its table, while the other holds packets.
    let timeline = "
          - baseline: 1s
          - parallel:
              - { id: far, fault: network.latency, target: db, for: 5s, with: { latency: 150ms } }
              - { id: lossy, fault: network.loss, target: db, delay: 1s, for: 1s, with: { loss: 20% } }
              - { id: twice, fault: network.duplicate, target: db, delay: 3s, for: 1s, with: { duplicate: 50% } }
          - pause: 1s
        ";
    let running = run(engine, &scenario(&db, &by_name(&db), timeline)).start();
    running.wait_for("event=fault.removed fault=far");
    assert_eq!(tables(&db), Vec::<String>::new());
    let ended = crate::docker::passed(running.wait());
    let results = ended.results();
    for id in ["far", "lossy", "twice"] {
        let seen = fault(&results, id);
        assert!(seen.verified && seen.rollback_verified == Some(true), "{seen:?}");
    }
}

/// The daemon of the tests' engine, stopped; it goes on when this is dropped.
struct Silent(Pid);

impl Silent {
    fn of(engine: &Engine) -> Self {
        let daemon = Pid::from_raw(engine.daemon().cast_signed());
        kill(daemon, Signal::SIGSTOP).expect("it is the tests' own");
        Self(daemon)
    }
}

impl Drop for Silent {
    fn drop(&mut self) {
        let _ = kill(self.0, Signal::SIGCONT);
    }
}

#[test]
fn an_engine_that_answers_no_more_holds_no_packets_and_what_it_alone_can_undo_is_told() {
    // Others need the engine.
    let _machine = machine::alone();
    let engine = Engine::shared();
    let (api, db) = (engine.container(&[]), engine.container(&[]));
    let lossy = "          - { id: it, fault: network.loss, target: db, for: 2s, with: { loss: 50% } }\n";
    let running = run(engine, &scenario(&db, &by_name(&db), lossy)).start();
    running.wait_for("event=fault.verified fault=it");
    let silent = Silent::of(engine);
    let ended = crate::docker::passed(running.wait());
    drop(silent);
    assert_eq!(fault(&ended.results(), "it").rollback_verified, Some(true), "{ended}");
    assert_eq!(tables(&db), Vec::<String>::new());

    let frozen = "          - { id: it, fault: container.pause, target: db, for: 2s }\n";
    let story: Scenario = scenario(&api, &by_name(&db), frozen);
    let running = run(engine, &story).start();
    running.wait_for("event=fault.verified fault=it");
    let silent = Silent::of(engine);
    let home = running.home();
    let ended = running.wait().expect_code(6);
    let by_hand = format!("docker --host {} unpause {}", engine.host(), db.name);
    assert!(ended.stdout.contains("no answer within") && ended.stdout.contains(&by_hand), "{ended}");
    assert_eq!(fault(&ended.results(), "it").rollback_verified, Some(false), "{ended}");
    drop(silent);
    // Whoever is left has tried, or `cleanup` does.
    Brunt::with(["cleanup"]).state_in(&home.path().join("state")).go().expect_code(0);
    assert!(host::comes_true(SOON, || db.state() == "running"), "it is left {}", db.state());
}
