//! What happens to the packets of a path, as data: the runner reads it from the scenario, the agent carries it out.

use std::net::IpAddr;

use serde::{Deserialize, Serialize};

use crate::proxy::Ways;

/// What a fault does to packets, and in which direction, seen from the target.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Treatment {
    /// To the target, from it, or both.
    pub ways: Ways,
    /// Only of what is exchanged with these addresses; `None`: with anybody.
    pub peers: Option<Vec<IpAddr>>,
    /// What is lost.
    pub loss: Loss,
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
