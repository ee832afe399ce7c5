//! The undo trials: runner, agent or both are killed or stopped at a drawn instant, again and again, and nothing may be left.
//!
//! Each trial has two network namespaces of its own with a cable between them, a service, and a scenario with one fault. It
//! waits for a drawn instant (before the fault, while it is made, while it acts, while it is taken off), sends SIGKILL or
//! SIGSTOP, and looks twice: when the lease and a second are over no rule may act (a probe goes through the path), and after
//! `brunt cleanup` the state of both namespaces, the processes and the files compare equal with the snapshot before.
//!
//! The seed is printed. `BRUNT_UNDO_SEED=1 BRUNT_UNDO_TRIAL=17` makes the trial with that number, and no other, again.

mod kinds;
mod probe;
mod state;
mod trial;
mod weight;

use std::time::{Duration, Instant};

use brunt_tests::machine;
use brunt_tests::trials::{self, number_of, seed, tally};
use kinds::KINDS;
use trial::{Hit, Plan, Seen};

/// Of each kind.
const TRIALS: usize = 11;
/// So many trials run at the same time, each in namespaces of its own.
const AT_ONCE: usize = 8;
/// As long as the whole may take on a machine with two cores; it is told and not judged, as all that is speed.
const WITHIN: Duration = Duration::from_secs(6 * 60);

/// Makes all of them, eight at once, and says what became of each.
fn make(seed: u64, plans: &[Plan]) -> Vec<Seen> {
    let only = number_of("BRUNT_UNDO_TRIAL");
    let plans: Vec<&Plan> = plans.iter().filter(|plan| only.is_none_or(|only| only == plan.number as u64)).collect();
    let (seen, failures) = trials::make(&plans, AT_ONCE, Plan::make);
    assert!(
        failures.is_empty(),
        "{} of {} trials failed; again with BRUNT_UNDO_SEED={seed} BRUNT_UNDO_TRIAL=<number>:\n\n{}",
        failures.len(),
        plans.len(),
        failures.join("\n\n")
    );
    seen
}

#[test]
fn killed_or_stopped_at_any_instant_it_leaves_nothing() {
    let _machine = machine::alone();
    let seed = seed();
    println!("BRUNT_UNDO_SEED={seed}");
    let plans: Vec<Plan> = (0..KINDS.len() * TRIALS)
        .map(|number| Plan::drawn(seed, number, &KINDS[number % KINDS.len()], number / KINDS.len()))
        .collect();
    assert!(plans.len() >= 200, "{} trials", plans.len());
    let began = Instant::now();
    let seen = make(seed, &plans);
    let (took, within) = (began.elapsed().as_secs_f64(), WITHIN.as_secs_f64());
    println!("{} trials of {} kinds in {took:.0} s of {within:.0} s, no leftover", seen.len(), KINDS.len());
    println!("hit: {}", tally(plans.iter().map(|plan| plan.hit.to_string())));
    println!("asked for: {}", tally(plans.iter().map(|plan| plan.phase.to_string())));
    println!("the journal said then: {}", tally(seen.iter().map(|one| one.journal.to_owned())));
    println!("cleanup had something to do in {}", seen.iter().filter(|one| one.cleanup_found).count());
}

#[test]
fn with_a_lease_of_fifteen_seconds_it_leaves_nothing_either() {
    let _machine = machine::alone();
    let seed = seed();
    println!("BRUNT_UNDO_SEED={seed}");
    let plans: Vec<Plan> = KINDS.iter().enumerate().map(|(number, kind)| Plan::long(seed, number, kind)).collect();
    assert!(plans.iter().all(|plan| matches!(plan.hit, Hit { stop: true, .. })), "only who is stopped needs the lease");
    make(seed, &plans);
}
