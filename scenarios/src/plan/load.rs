//! What a load entry says beside its curve: which journeys its iterations take, and how its connections are used.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::Json;

/// One journey of a load entry and how many of its iterations take it.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Portion {
    /// Index into [`super::Plan::journeys`].
    pub journey: usize,
    /// Share of the iterations, 0 to 1. The shares of a load entry add up to 1.
    #[serde(with = "super::sending::bits")]
    pub share: f64,
}

/// How a load entry uses connections: its own ones, if anything here differs from the default.
#[derive(Debug, Clone, Copy, PartialEq, Default, Serialize, Deserialize)]
pub struct Connections {
    /// Open connections to one address at most, over all workers; `None`: as many as iterations can be open.
    pub max_per_host: Option<usize>,
    /// How many requests one connection carries.
    pub reuse: Reuse,
    /// A connection that is older takes no further request.
    pub max_age: Option<Duration>,
}

/// How many requests one connection carries.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub enum Reuse {
    /// As many as the server lets it.
    #[default]
    Always,
    /// So many at most, at least 1; 1 is `never`.
    Times(u64),
}

/// A step that asks again until the reply is as wanted.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct RetryUntil {
    /// The status must be one of these. Empty: any status below 400.
    pub status: Vec<u16>,
    /// JSONPath and the value wanted there (strings may hold templates).
    pub body: Vec<(String, Json)>,
    /// Gives up so long after the intended start of the step.
    pub within: Duration,
    /// From the start of one request to the start of the next; one that takes longer is followed at once.
    pub every: Duration,
}
