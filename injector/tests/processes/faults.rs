//! Kill, pause and restart, through the facade that the runner uses.

use std::time::{Duration, Instant};

use brunt_injector::{Event, Injector, Seen};
use brunt_scenario::plan::{Fault, ParamValue, Params, Target};

use crate::lab::{self, Bystander, Lab, runs, state_of};
use crate::scene::{fault, process, shell};

fn payments() -> Target {
    Target::Service("payments".into())
}

async fn three_payments(lab: &Lab, injector: &Injector) -> Vec<u32> {
    let mut pids = Vec::new();
    for index in 0..3 {
        let instance = injector.start_instance(shell(lab.state(), "payments", index, "sleep 1000")).await.unwrap();
        pids.push(instance.process.pid);
    }
    pids
}

#[tokio::test]
async fn a_paused_instance_is_stopped_and_seen_so_and_runs_after_revert() {
    let lab = Lab::new();
    let (injector, _events) = lab.start("pause").await;
    three_payments(&lab, &injector).await;
    let pause = fault("frozen", "process.pause", "payments");
    let victims = injector.resolve(&pause, &payments()).await.unwrap();
    assert_eq!((victims.of, victims.picked.len()), (3, 1));
    injector.inject(&pause, &victims).await.unwrap();
    let pid = lab::pid_of(&victims.picked[0]);
    assert_eq!(state_of(pid), Some('T'));
    let Seen::Yes(text) = injector.verify("frozen").await.unwrap() else { panic!("not seen") };
    assert!(text.ends_with("in state T"), "{text}");

    let started = Instant::now();
    let reverted = injector.revert("frozen").await;
    assert!(started.elapsed() < Duration::from_secs(1));
    assert!(matches!(reverted.effect, Seen::Yes(_)), "{reverted:?}");
    assert_eq!((reverted.rollback_verified, reverted.error.as_deref()), (Some(true), None));
    assert!(runs(pid));
    assert_eq!(injector.revert("frozen").await, reverted, "again changes nothing");
    injector.close().await.unwrap();
    assert_eq!(state_of(pid), None);
    assert_eq!(lab.journals(), 0);
}

#[tokio::test]
async fn a_killed_instance_comes_back_with_the_same_program_when_its_time_has_come() {
    let lab = Lab::new();
    let (injector, mut events) = lab.start("kill").await;
    let before = three_payments(&lab, &injector).await;
    let with = Params([("restart_after", ParamValue::Duration(Duration::from_millis(300)))].into());
    let kill = Fault { with, ..fault("crash", "process.kill", "payments") };
    let victims = injector.resolve(&kill, &payments()).await.unwrap();
    let pid = lab::pid_of(&victims.picked[0]);
    let started = Instant::now();
    injector.inject(&kill, &victims).await.unwrap();
    assert!(matches!(injector.verify("crash").await.unwrap(), Seen::Yes(_)));
    let Some(Event::InstanceExited { index, pid: gone, status, by_fault, .. }) = events.recv().await else {
        panic!("no exit")
    };
    assert_eq!((gone, status.as_str(), by_fault.as_deref()), (pid, "killed by SIGKILL", Some("crash")));
    assert_eq!(before[index], pid);
    let Some(Event::InstanceStarted { index: back, pid: new, .. }) = events.recv().await else { panic!("no start") };
    assert_eq!(back, index);
    assert!(started.elapsed() >= Duration::from_millis(300));
    assert_ne!(new, pid);
    assert_eq!(injector.revert("crash").await.rollback_verified, Some(true));
    injector.close().await.unwrap();
}

#[tokio::test]
async fn a_kill_that_is_reverted_early_starts_the_instance_at_once() {
    let lab = Lab::new();
    let (injector, mut events) = lab.start("early").await;
    three_payments(&lab, &injector).await;
    let with = Params([("restart_after", ParamValue::Duration(Duration::from_secs(600)))].into());
    let kill = Fault { with, ..fault("crash", "process.kill", "payments") };
    let victims = injector.resolve(&kill, &payments()).await.unwrap();
    injector.inject(&kill, &victims).await.unwrap();
    let reverted = injector.revert("crash").await;
    assert_eq!((reverted.rollback_verified, reverted.error), (Some(true), None));
    assert!(matches!(events.recv().await, Some(Event::InstanceExited { .. })));
    assert!(matches!(events.recv().await, Some(Event::InstanceStarted { .. })));
    injector.close().await.unwrap();
}

#[tokio::test]
async fn a_restart_lets_the_instance_say_goodbye_and_starts_it_again() {
    let lab = Lab::new();
    let (injector, mut events) = lab.start("restart").await;
    let script = "trap 'echo goodbye; exit 0' TERM; echo hello; while :; do sleep 0.05; done";
    injector.start_instance(shell(lab.state(), "payments", 0, script)).await.unwrap();
    let log = lab.state().join("payments-0.log");
    lab::eventually("it says hello", || std::fs::read_to_string(&log).is_ok_and(|text| text == "hello\n"));
    let restart = fault("again", "process.restart", "payments");
    let victims = injector.resolve(&restart, &payments()).await.unwrap();
    injector.inject(&restart, &victims).await.unwrap();
    let Seen::Yes(text) = injector.verify("again").await.unwrap() else { panic!("not seen") };
    assert!(text.starts_with("started again: payments-0 (pid "), "{text}");
    let Some(Event::InstanceExited { status, by_fault, .. }) = events.recv().await else { panic!("no exit") };
    assert_eq!((status.as_str(), by_fault.as_deref()), ("exit status 0", Some("again")));
    // The signal goes to the whole group, so the shell's `sleep` ends as well, and the shell may say so in between.
    lab::eventually("it says hello again", || {
        let text = std::fs::read_to_string(&log).unwrap();
        text.contains("goodbye\n") && text.ends_with("hello\n")
    });
    assert_eq!(injector.revert("again").await.rollback_verified, Some(true));
    injector.close().await.unwrap();
}

#[tokio::test]
async fn an_instance_that_ends_by_itself_is_told_with_its_status() {
    let lab = Lab::new();
    let (injector, mut events) = lab.start("exit").await;
    injector.start_instance(shell(lab.state(), "payments", 0, "exit 3")).await.unwrap();
    let Some(Event::InstanceExited { service, status, by_fault, .. }) = events.recv().await else { panic!("no exit") };
    assert_eq!((service.as_str(), status.as_str(), by_fault), ("payments", "exit status 3", None));
    let empty = injector.resolve(&fault("x", "process.kill", "payments"), &payments()).await.unwrap_err();
    assert!(empty.to_string().contains("nothing of it runs"), "{empty}");
    injector.close().await.unwrap();
}

#[tokio::test]
async fn services_stop_in_reverse_order_and_the_stubborn_are_killed() {
    let lab = Lab::new();
    let (injector, _events) = lab.start("stop").await;
    let stubborn = "trap '' TERM; echo ready; while :; do sleep 0.05; done";
    let mut first = shell(lab.state(), "first", 0, stubborn);
    first.stop_within = Duration::from_millis(200);
    injector.start_instance(first).await.unwrap();
    injector.start_instance(shell(lab.state(), "second", 0, "sleep 1000")).await.unwrap();
    let log = lab.state().join("first-0.log");
    lab::eventually("its trap is set", || std::fs::read_to_string(&log).is_ok_and(|text| text == "ready\n"));
    let reports = injector.stop_services().await;
    let told: Vec<_> = reports.iter().map(|r| (r.service.as_str(), r.status.as_str(), r.killed)).collect();
    assert_eq!(told, [("second", "killed by SIGTERM", false), ("first", "killed by SIGKILL", true)]);
    injector.close().await.unwrap();
}

#[tokio::test]
async fn a_process_of_this_host_is_paused_alone_and_killed_without_a_way_back() {
    let lab = Lab::new();
    let bystander = Bystander::start();
    let (injector, _events) = lab.start("host").await;
    let pause = fault("frozen", "process.pause", "other");
    let victims = injector.resolve(&pause, &process(bystander.pid())).await.unwrap();
    injector.inject(&pause, &victims).await.unwrap();
    assert_eq!(state_of(bystander.pid()), Some('T'));
    assert_eq!(injector.revert("frozen").await.rollback_verified, Some(true));
    let kill = fault("crash", "process.kill", "other");
    injector.inject(&kill, &victims).await.unwrap();
    let reverted = injector.revert("crash").await;
    assert!(matches!(reverted.effect, Seen::Yes(_)), "{reverted:?}");
    assert_eq!(reverted.rollback_verified, None);
    let left = format!(
        "sleep (pid {}) was killed; whether another one takes its place is up to what started it",
        bystander.pid()
    );
    assert_eq!(reverted.residue, [left]);
    injector.close().await.unwrap();
}

#[tokio::test]
async fn a_fault_that_is_kept_from_acting_is_seen_to_be_absent() {
    let lab = Lab::new();
    let mut options = lab.options("hook");
    options.force_no_effect = true;
    let (injector, _events) = Injector::start(options).await.unwrap();
    let pids = three_payments(&lab, &injector).await;
    for (id, kind) in [("p", "process.pause"), ("k", "process.kill"), ("r", "process.restart")] {
        let fault = fault(id, kind, "payments");
        let victims = injector.resolve(&fault, &payments()).await.unwrap();
        injector.inject(&fault, &victims).await.unwrap();
        let seen = injector.verify(id).await.unwrap();
        assert!(matches!(seen, Seen::Absent(_)), "{kind}: {seen:?}");
        assert_eq!(injector.revert(id).await.rollback_verified, None);
    }
    assert!(pids.iter().all(|pid| state_of(*pid) == Some('S')));
    injector.close().await.unwrap();
}

#[tokio::test]
async fn a_service_that_cannot_start_says_what_is_missing() {
    let lab = Lab::new();
    let (injector, _events) = lab.start("missing").await;
    let mut spec = shell(lab.state(), "payments", 0, "true");
    spec.program = "/no/such/program".into();
    let text = injector.start_instance(spec).await.unwrap_err().to_string();
    assert_eq!(text, "cannot start payments-0: `/no/such/program`: No such file or directory (os error 2)");
    let mut spec = shell(lab.state(), "payments", 0, "true");
    spec.cwd = "/no/such/folder".into();
    let text = injector.start_instance(spec).await.unwrap_err().to_string();
    assert_eq!(text, "cannot start payments-0: its working folder /no/such/folder: no such folder");
    injector.close().await.unwrap();
}

#[tokio::test]
async fn when_the_agent_is_killed_the_runner_ends_what_it_held() {
    let lab = Lab::new();
    let (injector, mut events) = lab.start("orphan").await;
    let instance = injector.start_instance(shell(lab.state(), "payments", 0, "sleep 1000")).await.unwrap();
    lab::kill(injector.agent().pid);
    let Some(Event::AgentLost { .. }) = events.recv().await else { panic!("not told") };
    lab::eventually("the runner has ended what its agent held", || state_of(instance.process.pid).is_none());
    injector.close().await.unwrap();
}
