//! How many come, when: the entries of the load, their curves, the journeys that their iterations take, and how they use
//! connections.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::Json;

/// One entry under `load:`.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Load {
    /// Its name.
    pub name: String,
    /// What its iterations do: never empty; with several, each iteration takes one by its share.
    pub mix: Vec<Portion>,
    /// Open or closed.
    pub model: Model,
    /// In order; a level is a rate a second (open) or a number of users (closed).
    pub stages: Vec<Stage>,
    /// Open iterations above it are dropped and make the run invalid.
    pub max_in_flight: usize,
    /// How long open requests may take after the last arrival.
    pub drain: Duration,
    /// How its connections are used.
    pub connections: Connections,
}

/// How iterations start.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum Model {
    /// By the clock, evenly spaced.
    OpenConstant,
    /// By the clock, a Poisson process.
    OpenPoisson,
    /// A number of users who wait for their replies.
    Closed,
}

/// A piece of the load curve, linear from `from` to `to`.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Stage {
    /// Level at its beginning.
    #[serde(with = "super::sending::bits")]
    pub from: f64,
    /// Level at its end.
    #[serde(with = "super::sending::bits")]
    pub to: f64,
    /// How long; `None` lasts as long as the timeline (only the last stage).
    pub length: Option<Duration>,
    /// Left out of every window but `warmup`.
    pub warmup: bool,
}

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
