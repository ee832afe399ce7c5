//! What the report says of an autoscaler, beside what the API server has written down itself. The cluster has nobody who measures
//! pods, so an autoscaler here can say that, and keep to its bounds, and nothing else.

use brunt_tests::cluster::{Asked, Cluster, Shop, seconds_since_1970};
use brunt_tests::machine;
use nix::sys::signal::Signal;
use serde_json::{Value, json};

use crate::shopping::{heard, payments, scenario};

fn autoscaler() -> Value {
    let cpu = json!({ "name": "cpu", "target": { "type": "Utilization", "averageUtilization": 80 } });
    json!({
        "apiVersion": "autoscaling/v2",
        "kind": "HorizontalPodAutoscaler",
        "metadata": { "name": "payments-by-load" },
        "spec": {
            "scaleTargetRef": { "apiVersion": "apps/v1", "kind": "Deployment", "name": "payments" },
            "minReplicas": 1,
            "maxReplicas": 4,
            "metrics": [{ "type": "Resource", "resource": cpu }],
        },
    })
}

#[test]
fn an_autoscaler_that_cannot_measure_says_so_and_its_decisions_are_told_with_what_came_of_them() {
    let _machine = machine::alone();
    let cluster = Cluster::shared();
    let shop = Shop::open(cluster, "scaled", 2);
    cluster.create("scaled", &[autoscaler()]);
    let blind = "--for=condition=ScalingActive=False";
    shop.kubectl(&["wait", blind, "horizontalpodautoscaler/payments-by-load", "--timeout=60s"]);
    let timeline = "\n          - baseline: 2s\n          - pause: 300s";
    let run = cluster.run(&scenario(&shop, &payments(&shop), timeline, "")).start();
    run.wait_for("ScalingActive is False: FailedGetResourceMetric");
    run.wait_for("baseline.ended");
    let more = json!({ "spec": { "minReplicas": 3 } }).to_string();
    shop.kubectl(&["patch", "horizontalpodautoscaler/payments-by-load", "--patch", &more]);
    run.wait_for("deployment/payments has 3 pods, and it wants 3");
    run.signal(Signal::SIGINT);
    let ended = run.wait();
    let results = ended.results();

    let [autoscaler] = results.autoscalers.as_slice() else { panic!("there is one: {:#?}", results.autoscalers) };
    let about = (autoscaler.name.as_str(), autoscaler.scales.as_str(), autoscaler.min, autoscaler.max);
    assert_eq!(about, ("payments-by-load", "deployment/payments", 3, 4));
    let decisions: Vec<_> = autoscaler.decisions.iter().map(|one| (one.current, one.desired)).collect();
    assert_eq!(decisions, [(2, None), (2, Some(3)), (3, Some(3))]);

    let zero = seconds_since_1970(&results.summary.started_at);
    let decides = |asked: &Asked| {
        let is_status = asked.resource == "horizontalpodautoscalers/status" && asked.namespace == "scaled";
        is_status && asked.body["status"]["desiredReplicas"] == 3
    };
    let first = cluster.asked("a decision to be written down", decides);
    let told = zero + autoscaler.decisions[1].at_s.expect("it was decided in the run") - first.at;
    heard(&results, "the decision, heard after it was written down", [told]);
    let said = results.events.iter().find(|event| event.kind == "autoscaler.decided").expect("it is an event");
    assert!(said.text.contains("wants 3 pods of deployment/payments: SucceededRescale"), "{said:?}");
    assert!(ended.file("report.html").contains("id=\"autoscalers\""));
}
