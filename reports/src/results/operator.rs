//! What a person did while the run went on.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::seconds;
use crate::facts::{Facts, OperatorAct, OperatorFacts};

/// Which of the things that a person can do.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum OperatorKind {
    /// The timeline was held from `at_s` to `until_s`.
    Hold,
    /// `fault` was taken off before its time.
    FaultRemoved,
    /// `fault` was injected once more, until `until_s`.
    FaultInjected,
    /// `text` was written down.
    Note,
    /// The run was ended.
    Abort,
}

/// One act. Gates of windows that a hold or an injected fault lies in, and those of a fault that was touched, are
/// inconclusive.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct OperatorData {
    /// What.
    pub kind: OperatorKind,
    /// When.
    pub at_s: f64,
    /// Its effect lasted until then; null for what has no length.
    pub until_s: Option<f64>,
    /// The fault; null for the others.
    pub fault: Option<String>,
    /// The note; empty for the others.
    pub text: String,
}

/// Every act, in order of time.
pub fn operator_data(facts: &Facts) -> Vec<OperatorData> {
    facts.operator.iter().map(|act| data(act, facts)).collect()
}

fn data(act: &OperatorFacts, facts: &Facts) -> OperatorData {
    let (kind, fault, text) = match &act.act {
        OperatorAct::Hold => (OperatorKind::Hold, None, ""),
        OperatorAct::Removed { fault } => (OperatorKind::FaultRemoved, Some(fault), ""),
        OperatorAct::Injected { fault } => (OperatorKind::FaultInjected, Some(fault), ""),
        OperatorAct::Note(text) => (OperatorKind::Note, None, text.as_str()),
        OperatorAct::Abort => (OperatorKind::Abort, None, ""),
    };
    let lasts = matches!(kind, OperatorKind::Hold | OperatorKind::FaultInjected);
    OperatorData {
        kind,
        at_s: seconds(act.from),
        until_s: lasts.then(|| seconds(act.to.unwrap_or(facts.ended))),
        fault: fault.cloned(),
        text: text.to_owned(),
    }
}
