//! What this machine can do for a run: `brunt doctor`.
//!
//! Three steps that know nothing of each other: [`look`] reads and measures ([`facts::Facts`], plain data), [`judge`] says what
//! the facts mean and what helps ([`Check`]s), and the command renders. So every judgement is tested with made facts.

pub mod facts;
mod judge;
mod look;
mod timing;

use serde::Serialize;

pub use judge::judge;
pub use look::look;

/// How good something is for what this version does.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Health {
    /// As it should be.
    Ok,
    /// Runs work, with a limit that is worth knowing.
    Weak,
    /// What runs need is missing.
    No,
}

/// One thing that was looked at.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Check {
    /// In a word or two.
    pub about: &'static str,
    /// How good it is.
    pub health: Health,
    /// What was found.
    pub found: String,
    /// What that means for a run; empty when nothing follows.
    pub means: String,
    /// What helps; there for everything that is not as it should be.
    pub cure: Option<String>,
}

/// How faults are carried out here: a row of the matrix.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Rung {
    /// The mechanism.
    pub by: &'static str,
    /// The kinds of fault.
    pub kinds: Vec<&'static str>,
    /// Whether this version can do it on this machine.
    pub works: bool,
    /// What it needs, or what it lacks.
    pub needs: String,
}

/// All that `brunt doctor` says.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Diagnosis {
    /// What was looked at.
    pub checks: Vec<Check>,
    /// How faults are carried out.
    pub rungs: Vec<Rung>,
}

impl Diagnosis {
    /// Whether all that runs need is there.
    pub fn is_fit(&self) -> bool {
        self.checks.iter().all(|check| check.health != Health::No)
    }
}

#[cfg(test)]
mod tests;
