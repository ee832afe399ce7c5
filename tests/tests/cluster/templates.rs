//! A namespace that takes no more pods, and other templates that are rolled out while people order, each with the rights that
//! `brunt kube rbac` prints and no others.

use brunt_tests::brunt::{Brunt, binary};
use brunt_tests::cluster::{Asked, Cluster, Shop};
use brunt_tests::ended::fault;
use brunt_tests::machine;
use serde_json::{Value, json};

use crate::rights::with_printed_roles;
use crate::shopping::{asked_by_brunt, payments, scenario};

/// The same program under another name.
const OTHER_IMAGE: &str = "brunt.test/shop:2";

#[test]
fn a_namespace_that_is_full_gets_no_pod_in_place_of_one_that_is_gone_until_it_is_let() {
    let _machine = machine::alone();
    let cluster = Cluster::shared();
    let shop = Shop::open(cluster, "full", 2);
    let whole = format!("          all: {{ kubernetes: {{ namespace: full }} }}\n{}", payments(&shop));
    let timeline = "
          - baseline: 2s
          - parallel:
              - { id: full, fault: namespace.quota, target: all, for: 8s }
              - { delay: 2s, id: kill, fault: pod.kill, target: payments, with: { grace: 0s } }
          - recover: { within: 60s }
    ";
    let wanted = scenario(&shop, &whole, timeline, "");
    let kubeconfig = with_printed_roles(cluster, &shop.namespace, &wanted);
    let ended = cluster.beside(Brunt::run(&wanted)).env("KUBECONFIG", &kubeconfig).start().wait().expect_done();
    let results = ended.results();

    let events = cluster.get(&["events", "--namespace", "full"])["items"].clone();
    let refused = |event: &Value| event["message"].as_str().unwrap_or_default().contains("exceeded quota: brunt-");
    assert!(events.as_array().expect("a list").iter().any(refused), "no pod was refused: {events:#}\n{ended}");
    let kill = fault(&results, "kill");
    assert!(kill.verified && kill.recovered == Some(true), "{kill:#?}");
    let full = fault(&results, "full");
    assert!(full.verified && full.rollback_verified == Some(true), "{full:#?}");
    let quotas = cluster.get(&["resourcequotas", "--namespace", "full"]);
    assert_eq!(quotas["items"], json!([]));
    shop.rolled_out("payments");
    let is_quota = |asked: &Asked| asked.namespace == "full" && asked.resource == "resourcequotas";
    let asked = asked_by_brunt(cluster, is_quota);
    let verbs: Vec<&str> = asked.iter().map(|one| one.verb.as_str()).collect();
    assert_eq!(verbs, ["create", "delete"], "{asked:#?}");
    assert!(asked[1].body["preconditions"]["uid"].is_string(), "{:#?}", asked[1]);
}

#[test]
fn another_image_other_variables_and_lower_limits_are_rolled_out_under_load_and_back() {
    let _machine = machine::alone();
    let cluster = Cluster::shared();
    cluster.import(&binary(), OTHER_IMAGE);
    let shop = Shop::open(cluster, "rollouts", 1);
    let timeline = format!(
        "
          - baseline: 2s
          - {{ id: image, fault: deployment.image, target: payments, for: 3s, with: {{ image: {OTHER_IMAGE} }} }}
          - pause: 3s
          - {{ id: config, fault: deployment.config, target: payments, for: 3s, with: {{ set: {{ MODE: slow }} }} }}
          - pause: 3s
          - {{ id: limits, fault: deployment.limits, target: payments, for: 3s, with: {{ memory: 64MiB, cpu: 5m }} }}
          - pause: 3s
          - {{ id: bad, fault: deployment.image, target: payments, for: 3s, with: {{ image: 'brunt.test/none:1' }} }}
          - pause: 1s
        "
    );
    let wanted = scenario(&shop, &payments(&shop), &timeline, "");
    let kubeconfig = with_printed_roles(cluster, &shop.namespace, &wanted);
    let spec = || cluster.get(&["deployment", "payments", "--namespace", "rollouts"])["spec"].clone();
    let before = spec();
    let ended = cluster.beside(Brunt::run(&wanted)).env("KUBECONFIG", &kubeconfig).start().wait().expect_done();
    let results = ended.results();

    assert_eq!(spec(), before, "{ended}");
    shop.rolled_out("payments");
    let asked = asked_by_brunt(cluster, |asked| asked.namespace == "rollouts");
    let made: Vec<&Asked> = asked.iter().filter(|one| !one.uri.contains("dryRun=All")).collect();
    assert_eq!(made.len(), 8, "each there and back: {asked:#?}");
    assert!(made.iter().all(|one| one.verb == "patch" && one.code == 200), "{made:#?}");
    let tied = |one: &&Asked| {
        let meta = &one.body["metadata"];
        meta["uid"].is_string() && meta["resourceVersion"].is_string()
    };
    assert!(asked.iter().all(|one| tied(&one)), "{asked:#?}");
    let container = |one: &Asked| one.body["spec"]["template"]["spec"]["containers"][0].clone();
    assert_eq!(container(made[0])["image"], OTHER_IMAGE);
    let variables = container(made[2])["env"].clone();
    assert!(variables.as_array().expect("a list").contains(&json!({ "name": "MODE", "value": "slow" })), "{variables}");
    // What it asked for was more than that, and goes down with it.
    let resources: Value = container(made[4])["resources"].clone();
    assert_eq!(resources["limits"]["cpu"], "5m", "{resources}");
    assert_eq!(resources["requests"]["cpu"], "5m", "{resources}");
    for (id, said) in [("image", "the new `image`"), ("config", "the new `env`"), ("limits", "the new `resources`")] {
        let fault = fault(&results, id);
        assert!(fault.verified && fault.rollback_verified == Some(true), "{fault:#?}");
        assert!(ended.to_string().contains(said), "nothing says {said}:\n{ended}");
    }
    let bad = fault(&results, "bad");
    assert!(bad.verified && bad.rollback_verified == Some(true), "{bad:#?}");
    ended.expect_said("0 of them ready");
}
