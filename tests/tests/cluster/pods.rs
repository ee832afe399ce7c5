//! Pods of the shop that are killed and evicted while people order.

use brunt_report::results::FaultData;
use brunt_tests::cluster::{Asked, Cluster, Shop, seconds_since_1970};
use brunt_tests::ended::fault;
use brunt_tests::machine;
use serde_json::Value;

use crate::shopping::{agrees, asked_by_brunt, close, payments, scenario};

/// UID by name.
fn uids(pods: &[Value]) -> Vec<(String, String)> {
    let text = |pod: &Value, key: &str| pod["metadata"][key].as_str().expect("every pod has it").to_owned();
    pods.iter().map(|pod| (text(pod, "name"), text(pod, "uid"))).collect()
}

/// Fails unless each of these names one of the pods, by its name and its UID, and none twice.
#[track_caller]
fn hit_only(asked: &[Asked], before: &[(String, String)], uid: impl Fn(&Asked) -> Value) {
    for one in asked {
        let known = before.iter().find(|(name, _)| *name == one.name);
        let (_, known) = known.unwrap_or_else(|| panic!("{} was none of {before:?}", one.name));
        assert_eq!(uid(one), Value::String(known.clone()), "{one:#?}");
    }
    let mut names: Vec<&str> = asked.iter().map(|one| one.name.as_str()).collect();
    names.sort_unstable();
    names.dedup();
    assert_eq!(names.len(), asked.len(), "one was hit twice: {asked:#?}");
}

fn deletes(cluster: &Cluster, shop: &Shop<'_>) -> Vec<Asked> {
    let here = |asked: &Asked| asked.namespace == shop.namespace && asked.verb == "delete" && asked.resource == "pods";
    asked_by_brunt(cluster, here)
}

fn acted_and_whole_again(fault: &FaultData) -> bool {
    fault.verified && fault.rollback_verified == Some(true) && fault.recovered == Some(true)
}

#[test]
fn a_payment_pod_that_is_killed_is_replaced_and_people_go_on_ordering() {
    let _machine = machine::alone();
    let cluster = Cluster::shared();
    let shop = Shop::open(cluster, "kill-one", 3);
    let before = uids(&shop.pods("payments"));
    let timeline = "
          - baseline: 3s
          - { id: kill, fault: pod.kill, target: payments, with: { grace: 1s } }
          - recover: { within: 40s }
    ";
    let gates = "          - { id: recovers, metric: recovery_time, window: 'fault:kill', max: 30s }";
    let ended = cluster.run(&scenario(&shop, &payments(&shop), timeline, gates)).start().wait().expect_done();

    let results = ended.results();
    let kill = fault(&results, "kill");
    assert!(acted_and_whole_again(kill), "{kill:#?}");
    assert_eq!(kill.instances.len(), 1, "{kill:#?}");
    let asked = deletes(cluster, &shop);
    assert_eq!(asked.len(), 1, "{asked:#?}");
    hit_only(&asked, &before, |asked| asked.body["preconditions"]["uid"].clone());
    agrees(&results, kill, &asked);
    let after = uids(&shop.pods("payments"));
    assert_eq!(after.len(), 3, "{after:?}");
    assert_eq!(after.iter().filter(|pod| before.contains(pod)).count(), 2, "{before:?} {after:?}");
}

#[test]
fn all_payment_pods_that_are_killed_at_once_are_missed_until_others_are_ready() {
    let _machine = machine::alone();
    let cluster = Cluster::shared();
    let shop = Shop::open(cluster, "kill-all", 3);
    let before = uids(&shop.pods("payments"));
    let timeline = "
          - baseline: 3s
          - { id: kill, fault: pod.kill, target: payments, pick: all, with: { grace: 0s } }
          - recover: { within: 60s }
    ";
    // Nobody is there to take money for a second or two.
    let gates = "          - { id: missed, metric: error_rate, window: 'fault:kill', min: 5% }";
    let ended = cluster.run(&scenario(&shop, &payments(&shop), timeline, gates)).start().wait().expect_done();

    let results = ended.results();
    let kill = fault(&results, "kill");
    assert!(acted_and_whole_again(kill) && kill.instances.len() == 3, "{kill:#?}");
    let asked = deletes(cluster, &shop);
    assert_eq!(asked.len(), 3, "{asked:#?}");
    hit_only(&asked, &before, |asked| asked.body["preconditions"]["uid"].clone());
    agrees(&results, kill, &asked);
    assert!(uids(&shop.pods("payments")).iter().all(|pod| !before.contains(pod)));
}

#[test]
fn pods_that_are_killed_one_behind_the_other_are_never_all_away() {
    let _machine = machine::alone();
    let cluster = Cluster::shared();
    let shop = Shop::open(cluster, "kill-rolling", 3);
    let timeline = "
          - baseline: 3s
          - { id: kill, fault: pod.kill, target: payments, repeat: { times: 3, every: 8s }, with: { grace: 1s } }
          - recover: { within: 40s }
    ";
    let gates = "          - { id: sells, metric: error_rate, window: 'fault:kill', max: 20% }";
    let ended = cluster.run(&scenario(&shop, &payments(&shop), timeline, gates)).start().wait().expect_done();

    let results = ended.results();
    let kill = fault(&results, "kill");
    assert!(kill.verified && kill.rounds.len() == 3, "{kill:#?}");
    let asked = deletes(cluster, &shop);
    assert_eq!(asked.len(), 3, "{asked:#?}");
    for (round, asked) in kill.rounds.iter().zip(&asked) {
        let zero = seconds_since_1970(&results.summary.started_at);
        close(
            &results,
            "a round's first asked after its beginning",
            asked.at - zero - round.injecting_at_s.expect("it began"),
        );
        let active = zero + round.active_at_s.expect("it acted");
        close(&results, "a round acted after it was answered", active - asked.answered);
    }
    for pair in asked.windows(2) {
        let apart = pair[1].at - pair[0].at;
        assert!((7.5..8.5).contains(&apart), "the rounds are {apart} s apart");
    }
}

#[test]
fn an_eviction_that_a_budget_refuses_is_told_and_not_forced() {
    let _machine = machine::alone();
    let cluster = Cluster::shared();
    let shop = Shop::open(cluster, "evict", 3);
    shop.keep("payments", 3);
    let before = uids(&shop.pods("payments"));
    let timeline = "
          - baseline: 2s
          - { id: evict, fault: pod.evict, target: payments, with: { grace: 1s } }
          - pause: 1s
    ";
    let ended = cluster.run(&scenario(&shop, &payments(&shop), timeline, "")).start().wait();

    assert_ne!(ended.code, 0, "{ended}");
    // The server's own words name the budget, too: what counts is what brunt made of its 429.
    let ended = ended.expect_said("a PodDisruptionBudget does not allow it now");
    let here = |asked: &Asked| asked.namespace == shop.namespace;
    let asked = asked_by_brunt(cluster, here);
    // A server that throttles would have been asked again.
    assert_eq!(asked.len(), 1, "{asked:#?}\n{ended}");
    assert!(asked.iter().all(|one| one.resource == "pods/eviction" && one.code == 429), "{asked:#?}");
    assert_eq!(uids(&shop.pods("payments")), before);
}

#[test]
fn pods_are_evicted_as_far_as_their_budget_allows_and_by_their_uid() {
    let _machine = machine::alone();
    let cluster = Cluster::shared();
    let shop = Shop::open(cluster, "evict-one", 3);
    shop.keep("payments", 2);
    let before = uids(&shop.pods("payments"));
    let timeline = "
          - baseline: 3s
          - { id: evict, fault: pod.evict, target: payments, with: { grace: 1s } }
          - recover: { within: 40s }
    ";
    let ended = cluster.run(&scenario(&shop, &payments(&shop), timeline, "")).start().wait().expect_done();

    let results = ended.results();
    let evict = fault(&results, "evict");
    assert!(acted_and_whole_again(evict), "{evict:#?}");
    let here = |asked: &Asked| asked.namespace == shop.namespace;
    let asked = asked_by_brunt(cluster, here);
    assert!(asked.len() == 1 && asked[0].resource == "pods/eviction" && asked[0].code == 201, "{asked:#?}");
    hit_only(&asked, &before, |asked| asked.body["deleteOptions"]["preconditions"]["uid"].clone());
    agrees(&results, evict, &asked);
}
