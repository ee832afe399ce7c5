//! An API server that is away, or has other certificates, while a fault is there.

use std::time::{Duration, Instant};

use brunt_tests::answering::program;
use brunt_tests::brunt::Brunt;
use brunt_tests::cluster::{Asked, Cluster, SHOP_IMAGE};
use brunt_tests::ended::fault;
use brunt_tests::scenario::Scenario;
use brunt_tests::{host, machine};
use nix::sys::signal::Signal;
use serde_json::json;

use crate::shopping::asked_by_brunt;

/// As long as the must says.
const AWAY: Duration = Duration::from_secs(10);

/// A deployment of two pods in a namespace of its own; dropping it takes the namespace away. Its pods are of a scheduler that
/// is not there: here it counts what is asked for, and what the controllers make of it.
struct Crowd<'cluster> {
    cluster: &'cluster Cluster,
    namespace: &'static str,
}

impl<'cluster> Crowd<'cluster> {
    fn gather(cluster: &'cluster Cluster, namespace: &'static str) -> Self {
        cluster.kubectl(&["create", "namespace", namespace]);
        let crowd = Self { cluster, namespace };
        let deployment = json!({
            "apiVersion": "apps/v1",
            "kind": "Deployment",
            "metadata": { "name": "crowd" },
            "spec": {
                "replicas": 2,
                "selector": { "matchLabels": { "app": "crowd" } },
                "template": {
                    "metadata": { "labels": { "app": "crowd" } },
                    "spec": { "schedulerName": "none", "containers": [{ "name": "none", "image": SHOP_IMAGE }] },
                },
            },
        });
        cluster.create(namespace, &[deployment]);
        crowd
    }

    fn replicas(&self) -> String {
        let path = "--output=jsonpath={.spec.replicas}";
        self.cluster.kubectl(&["get", "deployment", "crowd", "--namespace", self.namespace, path])
    }

    /// What brunt has asked for, and was given, in order of time.
    fn scaled(&self) -> Vec<Asked> {
        asked_by_brunt(self.cluster, |asked| asked.namespace == self.namespace && asked.code < 400)
    }

    /// Two become one for that long. The lease is shorter than any outage: it has nothing to do with who is away.
    fn fewer(&self, length: &str) -> Scenario {
        Scenario::new(&format!(
            "
        version: 1
        name: outage
        seed: 7
        services: {{ own: {{ run: [ \"{program}\", --port, \"${{port}}\" ] }} }}
        targets:
          api: {{ service: own }}
          crowd: {{ kubernetes: {{ namespace: {namespace}, owner: deployment/crowd }} }}
        load: {{ main: {{ target: api, get: /, rate: 20/s, for: timeline }} }}
        timeline:
          - pause: 500ms
          - {{ id: fewer, fault: deployment.scale, target: crowd, for: {length}, with: {{ replicas: 1 }} }}
          - pause: 1s
        gates: [ {{ metric: error_rate, max: 1% }} ]
        safety: {{ lease: 2s, allow: {{ namespaces: [ {namespace} ] }} }}
        ",
            namespace = self.namespace,
            program = program().display(),
        ))
    }
}

impl Drop for Crowd<'_> {
    fn drop(&mut self) {
        let _ = self.cluster.command(&["delete", "namespace", self.namespace, "--wait=false"]).output();
    }
}

#[test]
fn an_api_server_that_is_away_for_ten_seconds_takes_no_fault_off_and_loses_no_undo() {
    let _machine = machine::alone();
    let cluster = Cluster::shared();
    let crowd = Crowd::gather(cluster, "away");
    let run = cluster.run(&crowd.fewer("14s")).start();
    run.wait_for("event=fault.verified");
    let stopped = cluster.stopped("apiserver");
    std::thread::sleep(AWAY);
    drop(stopped);
    let ended = run.wait().expect_done();

    let results = ended.results();
    let fewer = fault(&results, "fewer");
    assert!(fewer.verified && fewer.rollback_verified == Some(true), "{fewer:#?}");
    let (active, removing) = (fewer.active_at_s.expect("it was"), fewer.removing_at_s.expect("it was"));
    assert!(removing - active >= 14.0, "it was taken off early: {fewer:#?}");
    let scaled = crowd.scaled();
    assert_eq!(scaled.len(), 2, "once there and once back: {scaled:#?}");
    assert!(scaled[1].at - scaled[0].at >= 14.0, "it was given back early: {scaled:#?}");
    assert_eq!(crowd.replicas(), "2");
}

#[test]
fn an_undo_that_falls_into_an_outage_is_made_when_the_server_is_back_also_when_the_runner_is_dead() {
    let _machine = machine::alone();
    let cluster = Cluster::shared();
    let crowd = Crowd::gather(cluster, "due");
    for kills in [false, true] {
        let length = if kills { "60s" } else { "2s" };
        let run = cluster.run(&crowd.fewer(length)).start();
        let mark = run.mark().to_owned();
        run.wait_for("event=fault.verified");
        let stopped = cluster.stopped("apiserver");
        let began = Instant::now();
        if kills {
            run.signal(Signal::SIGKILL);
            // What is on this host waits for nobody elsewhere.
            let service = program().display().to_string();
            let is_gone = || !host::marked(&mark).iter().any(|process| process.command.contains(&service));
            assert!(host::comes_true(Duration::from_secs(2), is_gone), "{:?}", host::marked(&mark));
        } else {
            run.wait_for("event=fault.removing");
        }
        std::thread::sleep(AWAY.saturating_sub(began.elapsed()));
        drop(stopped);
        let ended = run.wait();
        if !kills {
            let results = ended.expect_done().results();
            let fewer = fault(&results, "fewer");
            assert!(fewer.verified && fewer.rollback_verified == Some(true), "{fewer:#?}");
        }
        let over = host::comes_true(Duration::from_secs(60), || host::marked(&mark).is_empty());
        assert!(over, "its agent still tries: {:?}", host::marked(&mark));
        assert_eq!(crowd.replicas(), "2", "the runner was killed: {kills}");
    }
}

#[test]
fn a_new_certificate_of_the_same_authority_works_and_one_of_another_is_not_believed() {
    let _machine = machine::alone();
    let cluster = Cluster::shared();
    let crowd = Crowd::gather(cluster, "renewed");
    let run = cluster.run(&crowd.fewer("4s")).start();
    run.wait_for("event=fault.verified");
    cluster.certificate("own");
    let ended = run.wait().expect_done();
    assert_eq!(crowd.replicas(), "2", "{ended}");

    let folder = tempfile::tempdir().expect("a temporary folder");
    let state = folder.path();
    let cleanup = || cluster.beside(Brunt::with(["cleanup"])).state_in(state).start().wait();
    let run = cluster.run(&crowd.fewer("3s")).state_in(state).start();
    run.wait_for("event=fault.verified");
    cluster.certificate("strange");
    // Whoever stands there now gets no request, and a person gets the command.
    let by_hand = "kubectl scale --context";
    let refused = run.wait();
    let cleaned = cleanup();
    cluster.certificate("own");
    refused.expect_code(6).expect_said("certificate").expect_said(by_hand);
    cleaned.expect_code(6).expect_said("certificate").expect_said(by_hand);
    assert_eq!(crowd.replicas(), "1", "somebody has put it back");
    cleanup().expect_code(0);
    assert_eq!(crowd.replicas(), "2");
}
