//! What happens to the packets of a path, as data: the runner reads it from the scenario, the agent carries it out.

use std::net::IpAddr;

use serde::{Deserialize, Serialize};

use super::queue;
use crate::proxy::Ways;

/// What a fault does to packets, and in which direction, seen from the target.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Treatment {
    /// To the target, from it, or both.
    pub ways: Ways,
    /// Only of what is exchanged with these addresses; `None`: with anybody.
    pub peers: Option<Vec<IpAddr>>,
    /// And what.
    pub effect: Effect,
}

/// What happens, and by which means.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Effect {
    /// The kernel's own rules drop them.
    Lost(Loss),
    /// They wait until a thread of the agent has decided about each.
    Queued(queue::Treatment),
}

/// Which packets are lost.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Loss {
    /// All of them.
    All,
    /// Each with this chance, from 0 to 1, whatever became of the one before.
    Uniform(f64),
}
