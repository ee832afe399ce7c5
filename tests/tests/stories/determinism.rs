//! The same seed gives the same run: the schedule, the victims, and what every fault on a link decided about every message,
//! whatever the number of load workers and whoever came first.

use std::collections::BTreeMap;

use brunt_report::results::Results;
use brunt_tests::answering::program;
use brunt_tests::brunt::Brunt;
use brunt_tests::machine;
use brunt_tests::scenario::Scenario;

fn scenario(seed: u64) -> Scenario {
    Scenario::new(&format!(
        "
        version: 1
        name: determinism
        seed: {seed}
        services:
          shop: {{ run: [ \"{program}\", --port, \"${{port}}\" ] }}
          pool: {{ run: [ \"{program}\", --port, \"${{port}}\" ], instances: 8 }}
        links: {{ wire: {{ to: shop }} }}
        targets:
          api: {{ url: \"${{links.wire.url}}\" }}
          wire: {{ link: wire }}
          pool: {{ service: pool }}
        load:
          main: {{ target: api, get: /, rate: 150/s, arrivals: poisson, for: timeline }}
        timeline:
          - baseline: 500ms
          - parallel:
              - {{ id: slow, fault: network.latency, target: wire, for: 2s, with: {{ latency: 20ms, jitter: 15ms, share: 40% }} }}
              - {{ id: refuse, fault: http.error, target: wire, for: 2s, with: {{ share: 30% }} }}
              - {{ id: late, fault: http.latency, target: wire, for: 2s, with: {{ latency: 10ms, jitter: 5ms, share: 20% }} }}
              - {{ id: asleep, fault: process.pause, target: pool, pick: 3, for: 1s, max_affected: all }}
        gates:
          - {{ metric: error_rate, max: 100% }}
        ",
        program = program().display(),
    ))
}

/// Whether a message was hit, and for how many nanoseconds it was to be held.
type Decision = (bool, u64);

/// What was decided, by `fault link listener connection message`.
type Decisions = BTreeMap<String, Decision>;

fn run(seed: u64, workers: u32) -> (Results, Decisions) {
    let brunt = Brunt::run(&scenario(seed)).args(["--workers", &workers.to_string()]);
    let written = brunt.home().join("decisions");
    let ended = brunt.env("BRUNT_DECISIONS", &written).go();
    // On a busy machine the run may be invalid, and end early: what was decided until then is decided all the same.
    assert!([0, 5].contains(&ended.code), "{ended}");
    let text = std::fs::read_to_string(&written).expect("the decisions");
    let decisions = text.lines().map(|line| {
        let words: Vec<_> = line.split(' ').collect();
        let [who @ .., hit, hold] = words.as_slice() else { panic!("not a decision: {line}") };
        assert_eq!(who.len(), 5, "{line}");
        (who.join(" "), (*hit == "1", hold.parse().expect("nanoseconds")))
    });
    (ended.results(), decisions.collect())
}

/// Who was hit, without the process ids, which are new in every run.
fn victims(results: &Results) -> Vec<(String, Vec<String>)> {
    let name = |victim: &String| victim.split(" (pid").next().unwrap_or_default().to_owned();
    let faults = results.summary.faults.iter();
    faults.map(|fault| (fault.id.clone(), fault.instances.iter().map(name).collect())).collect()
}

/// What both runs decided about.
fn common<'d>(one: &'d Decisions, other: &'d Decisions) -> Vec<(&'d str, Decision, Decision)> {
    one.iter().filter_map(|(who, said)| Some((who.as_str(), *said, *other.get(who)?))).collect()
}

#[test]
fn the_same_seed_makes_the_same_decisions_with_one_worker_and_with_two() {
    let _machine = machine::alone();
    let (first, decided) = run(11, 1);
    let hit = decided.values().filter(|(hit, _)| *hit).count();
    assert!(hit > 20 && decided.len() - hit > 20, "{hit} of {} were hit", decided.len());
    assert!(decided.iter().any(|(who, (hit, hold))| who.starts_with("slow ") && *hit && *hold > 20_000_000));
    assert!(
        first.summary.faults.iter().any(|fault| fault.id == "asleep" && fault.instances.len() == 3),
        "{:?}",
        victims(&first)
    );
    for workers in [1, 2] {
        let (again, decisions) = run(11, workers);
        assert_eq!(again.summary.schedule_digest, first.summary.schedule_digest, "{workers} workers");
        assert_eq!(victims(&again), victims(&first), "{workers} workers");
        let common = common(&decided, &decisions);
        assert!(common.len() > 30, "both runs reached only {} messages, {workers} workers", common.len());
        for (who, one, other) in common {
            assert_eq!(one, other, "{who}, {workers} workers");
        }
    }
    let (other, decisions) = run(12, 1);
    assert_ne!(other.summary.schedule_digest, first.summary.schedule_digest);
    let common = common(&decided, &decisions);
    let differing = common.iter().filter(|(_, one, other)| one.0 != other.0).count();
    assert!(differing * 10 > common.len(), "{differing} of {} differ with another seed", common.len());
}
