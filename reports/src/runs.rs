//! Several runs of one command: the cells of a matrix, or several scenario files. `runs.json`, and what `brunt run` prints
//! at its end when there was more than one.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::results::{GateData, Summary};

/// The schema's name, in the field `schema`.
pub const SCHEMA: &str = "brunt.runs/1";

/// All runs of one command, in their order.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Runs {
    /// [`SCHEMA`].
    pub schema: String,
    /// The strongest of all runs: how the process exits.
    pub exit_code: u8,
    /// One for each cell, or each file.
    pub runs: Vec<RunData>,
}

/// One of several runs.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct RunData {
    /// The scenario's name.
    pub scenario: String,
    /// Its file.
    pub source: String,
    /// `added_latency=100ms,rate=50/s`, as `--only-cell` takes it; empty without a matrix.
    pub cell: String,
    /// The same by axis.
    pub matrix: BTreeMap<String, String>,
    /// Its seed.
    pub seed: u64,
    /// Its folder, seen from the folder of this file; absolute if it lies elsewhere.
    pub folder: String,
    /// How far it came.
    #[serde(flatten)]
    pub outcome: Outcome,
}

/// How far a run came.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "state", rename_all = "snake_case")]
pub enum Outcome {
    /// It has results.
    Ran {
        /// How it would have exited alone.
        exit_code: u8,
        /// As in its results.json.
        summary: Box<Summary>,
    },
    /// It could not begin: it has no results.
    NotBegun {
        /// How it would have exited alone.
        exit_code: u8,
        /// Why not.
        why: String,
    },
    /// Its turn never came.
    NotRun {
        /// Why not.
        why: String,
    },
}

impl Runs {
    /// All of them with the strongest exit code.
    pub fn new(exit_code: u8, runs: Vec<RunData>) -> Self {
        Self { schema: SCHEMA.to_owned(), exit_code, runs }
    }

    /// The ids of all gates, in the order of the first run that has them: cells have the same ones, files may not.
    pub fn gate_ids(&self) -> Vec<&str> {
        let mut ids: Vec<&str> = Vec::new();
        for gate in self.runs.iter().flat_map(|run| run.gates()) {
            if !ids.contains(&gate.id.as_str()) {
                ids.push(&gate.id);
            }
        }
        ids
    }

    /// The seed that all of them have, if they have one.
    pub fn seed(&self) -> Option<u64> {
        let first = self.runs.first()?.seed;
        self.runs.iter().all(|run| run.seed == first).then_some(first)
    }

    /// Whether all are cells of one scenario.
    pub fn is_one_matrix(&self) -> bool {
        self.runs.iter().all(|run| !run.cell.is_empty() && run.source == self.runs[0].source)
    }
}

impl RunData {
    /// Its gates, judged; none without results.
    pub fn gates(&self) -> &[GateData] {
        match &self.outcome {
            Outcome::Ran { summary, .. } => &summary.gates,
            _ => &[],
        }
    }

    /// How it would have exited alone; `None` when its turn never came.
    pub fn exit_code(&self) -> Option<u8> {
        match &self.outcome {
            Outcome::Ran { exit_code, .. } | Outcome::NotBegun { exit_code, .. } => Some(*exit_code),
            Outcome::NotRun { .. } => None,
        }
    }
}
