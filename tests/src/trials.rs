//! What trials with drawn instants have in common, whatever it is that they kill: when they strike, the seed, and making many
//! at a time.

use std::collections::BTreeMap;
use std::fmt;
use std::hash::{BuildHasher as _, Hasher as _, RandomState};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};

/// When.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Phase {
    /// From the agent's start to just before the fault.
    Prepare,
    /// In the first moments of the fault.
    Inject,
    /// While it acts.
    Active,
    /// In the first moments of its removal.
    Revert,
}

impl fmt::Display for Phase {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Prepare => "prepare",
            Self::Inject => "inject",
            Self::Active => "active",
            Self::Revert => "revert",
        })
    }
}

/// What a variable of the environment says, if it is there.
///
/// # Panics
/// When it is no number.
pub fn number_of(variable: &str) -> Option<u64> {
    let text = std::env::var(variable).ok()?;
    Some(text.parse().unwrap_or_else(|_| panic!("{variable}={text} is no number")))
}

/// `BRUNT_UNDO_SEED`, else drawn anew each time, so that many runs of the tests see many instants.
///
/// # Panics
/// When the variable is no number.
pub fn seed() -> u64 {
    number_of("BRUNT_UNDO_SEED").unwrap_or_else(|| u64::from(RandomState::new().build_hasher().finish() as u32))
}

/// Makes all of them, so many at once: what each has seen, and of those that panicked which they were and why.
pub fn make<Plan: fmt::Display + Sync, Seen: Send>(
    plans: &[&Plan],
    at_once: usize,
    trial: impl Fn(&Plan) -> Seen + Sync,
) -> (Vec<Seen>, Vec<String>) {
    let next = AtomicUsize::new(0);
    let (seen, failures) = (Mutex::new(Vec::new()), Mutex::new(Vec::new()));
    std::thread::scope(|scope| {
        for _ in 0..at_once {
            scope.spawn(|| {
                while let Some(plan) = plans.get(next.fetch_add(1, Ordering::Relaxed)) {
                    match catch_unwind(AssertUnwindSafe(|| trial(plan))) {
                        Ok(one) => seen.lock().expect("nothing panics with it").push(one),
                        Err(why) => {
                            let text = why.downcast_ref::<String>().cloned();
                            let why = text.or_else(|| why.downcast_ref::<&str>().map(|&text| text.to_owned()));
                            let why = why.unwrap_or_default();
                            failures.lock().expect("nothing panics with it").push(format!("{plan}\n{why}"));
                        }
                    }
                }
            });
        }
    });
    (seen.into_inner().expect("nothing panics with it"), failures.into_inner().expect("nothing panics with it"))
}

/// How often each of them was met, told in a line.
pub fn tally(words: impl Iterator<Item = String>) -> String {
    let mut counts: BTreeMap<String, usize> = BTreeMap::new();
    words.for_each(|word| *counts.entry(word).or_default() += 1);
    counts.iter().map(|(word, count)| format!("{word} {count}")).collect::<Vec<_>>().join(", ")
}
