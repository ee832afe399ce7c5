//! What happens when.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::{Params, Target};
use crate::units::CountOrShare;

/// One item of the timeline.
#[derive(Debug, Clone)]
pub enum Item {
    /// Nothing is injected: the reference window.
    Baseline(Duration),
    /// Nothing happens.
    Pause(Duration),
    /// Waits for the steady state; measures the recovery of every fault since the last `recover`.
    Recover {
        /// At most this long.
        within: Duration,
    },
    /// One fault.
    Fault(Box<Fault>),
    /// Loads get another level, until the next change; over when that is in force, [`LOAD_CHANGE`] after its turn.
    Load(Vec<LoadChange>),
    /// Items that start together, each after its delay; ends when the last one has ended.
    Parallel(Vec<Delayed>),
}

/// A load that gets another level.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct LoadChange {
    /// Name of the load entry.
    pub load: String,
    /// So many times the level that its stages say, whatever an earlier change was.
    #[serde(with = "super::sending::bits")]
    pub factor: f64,
}

/// So long before it is in force a load change is told to the workers: all of them have looked by then, so that all change
/// at the same instant.
pub const LOAD_CHANGE: Duration = Duration::from_millis(100);

/// A member of a parallel group.
#[derive(Debug, Clone)]
pub struct Delayed {
    /// After the group has started.
    pub delay: Duration,
    /// What happens then.
    pub item: Item,
}

/// One fault of the timeline.
#[derive(Debug, Clone)]
pub struct Fault {
    /// Unique in the scenario.
    pub id: String,
    /// The kind, as in the catalogue: `network.latency`.
    pub kind: &'static str,
    /// The name of the target.
    pub target: String,
    /// How many of its members; already defaulted (all listeners of a link, one of anything else).
    pub pick: CountOrShare,
    /// How many of the target's members all active faults together may hit.
    pub max_affected: CountOrShare,
    /// No member found is not an error.
    pub allow_empty: bool,
    /// Members that replace one that is gone while it is active are hit, too: as many are hit as were picked.
    pub follow: bool,
    /// How long it stays active, each round; `None` for instant faults.
    pub lasts: Option<Duration>,
    /// Again and again; `None` is once.
    pub repeat: Option<Repeat>,
    /// What `with:` says, defaults filled in.
    pub with: Params,
    /// Only traffic between the target and this one: a name among the targets, and what it is.
    pub from: Option<(String, Target)>,
    /// `file:line` of the fault.
    pub place: String,
}

/// `repeat:` a fault in several rounds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Repeat {
    /// How many rounds; at least 2.
    pub times: u32,
    /// From the beginning of one round to that of the next. A round that takes longer is waited for.
    pub every: Duration,
}

impl Fault {
    /// How many rounds it has.
    pub fn rounds(&self) -> u32 {
        self.repeat.map_or(1, |repeat| repeat.times)
    }

    /// One round (counted from 1) as a fault of its own, which is how it is resolved, journalled, injected and undone: its
    /// id is [`round_id`], so every round picks its victims anew, and one that still waits for its target to be whole
    /// is not mistaken for the next.
    pub fn in_round(&self, round: u32) -> Self {
        Self { id: round_id(&self.id, round), ..self.clone() }
    }
}

/// What a round of a fault is called: the first one as the fault itself, so that repeating a fault moves no victim of its
/// first round; later ones `kill#2`, `kill#3`. No id that a person may write holds a `#`.
pub fn round_id(id: &str, round: u32) -> String {
    if round <= 1 { id.to_owned() } else { format!("{id}#{round}") }
}
