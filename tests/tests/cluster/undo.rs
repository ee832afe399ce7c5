//! Fifty trials of `kill -9` while a fault through the API is prepared, made, acts, or is taken off: the runner, its agent, or
//! both. What comes of it is looked at in the cluster, after `brunt cleanup`.
//!
//! Each trial has objects of its own, and several are made at a time. The deployments are of a scheduler that is not there, so
//! that their pods cost nobody anything, and the nodes are entries without a machine. In some trials somebody else changes the
//! object while the fault acts: what they made must still be there afterwards, and brunt must say so.
//!
//! The seed is printed. `BRUNT_UNDO_SEED=1 BRUNT_UNDO_TRIAL=17` makes the trial with that number, and no other, again.

mod kinds;
mod trial;

use std::time::Instant;

use brunt_tests::cluster::Cluster;
use brunt_tests::machine;
use brunt_tests::trials::{make, number_of, seed, tally};
use serde_json::Value;

use kinds::{KINDS, Objects};
use trial::Plan;

/// As many as the must says.
const TRIALS: usize = 50;
/// So many at the same time; more would only wait for two cores.
const AT_ONCE: usize = 6;

#[test]
fn killed_at_any_instant_a_fault_in_a_cluster_leaves_every_object_as_it_was() {
    let _machine = machine::alone();
    let cluster = Cluster::shared();
    let seed = seed();
    println!("BRUNT_UNDO_SEED={seed}");
    let all: Vec<Plan> = (0..TRIALS).map(|number| Plan::drawn(seed, number)).collect();
    let only = number_of("BRUNT_UNDO_TRIAL");
    let plans: Vec<&Plan> = all.iter().filter(|plan| only.is_none_or(|only| only == plan.number as u64)).collect();
    let objects = Objects::create(cluster, &plans);
    let before = objects.look();

    let began = Instant::now();
    let (seen, mut failures) = make(&plans, AT_ONCE, |plan| plan.make(cluster));
    let took = began.elapsed().as_secs_f64();
    let after = objects.look();
    for plan in &plans {
        let mut expected = before[&plan.number].clone();
        if plan.meddled {
            plan.kind.meddle_with(&mut expected);
        }
        if after[&plan.number] != expected {
            let differs = difference(&expected, &after[&plan.number]);
            failures.push(format!("{plan}\nthe cluster has another object than before:\n{differs}"));
        }
    }
    assert!(
        failures.is_empty(),
        "{} of {} trials failed; again with BRUNT_UNDO_SEED={seed} BRUNT_UNDO_TRIAL=<number>:\n\n{}",
        failures.len(),
        plans.len(),
        failures.join("\n\n")
    );
    println!("{} trials of {} kinds in {took:.0} s; each object is what it was", seen.len(), KINDS.len());
    println!("compared: spec, labels, annotations and quotas, without {}", kinds::DRIFTS.join(", "));
    println!("killed: {}", tally(plans.iter().map(|plan| plan.who().to_owned())));
    println!("asked for: {}", tally(plans.iter().map(|plan| plan.phase.to_string())));
    println!("the journal said then: {}", tally(seen.iter().map(|one| one.journal.to_owned())));
    println!("somebody else was at it in {}", plans.iter().filter(|plan| plan.meddled).count());
    println!("cleanup had something to do in {}", seen.iter().filter(|one| one.cleanup_found).count());
}

fn difference(expected: &Value, found: &Value) -> String {
    let text = |value| serde_json::to_string_pretty(value).expect("it was JSON");
    let (expected, found) = (text(expected), text(found));
    let gone = expected.lines().filter(|line| !found.contains(line)).map(|line| format!("- {line}\n"));
    let new = found.lines().filter(|line| !expected.contains(line)).map(|line| format!("+ {line}\n"));
    gone.chain(new).collect()
}
