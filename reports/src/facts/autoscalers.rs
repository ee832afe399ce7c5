//! What the API of a cluster told of the autoscalers that decide about the targets' owners, each line stamped when it was heard.

use brunt_scenario::units::Offset;

/// The condition that says whether an autoscaler can decide at all.
pub const DECIDES: &str = "ScalingActive";

/// One autoscaler.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct AutoscalerFacts {
    /// Where it is.
    pub namespace: String,
    /// Its name.
    pub name: String,
    /// Its UID.
    pub uid: String,
    /// The targets whose owner it scales.
    pub targets: Vec<String>,
    /// `deployment/payments`.
    pub scales: String,
    /// How few it may want, as it said last.
    pub min: u32,
    /// How many it may want, as it said last.
    pub max: u32,
    /// How many there are and how many it wants: what was so at first, and every change.
    pub decisions: Vec<DecisionFacts>,
    /// Its conditions: those at first, and every change.
    pub conditions: Vec<ConditionFacts>,
    /// When the API knew it no more.
    pub gone: Option<Offset>,
}

/// How many an autoscaler has counted and wants.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct DecisionFacts {
    /// `None`: it was so when brunt first looked.
    pub at: Option<Offset>,
    /// How many there are, by its own count.
    pub current: u32,
    /// `None`: it has decided nothing.
    pub desired: Option<u32>,
}

/// A condition of an autoscaler.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ConditionFacts {
    /// `None`: it was so when brunt first looked.
    pub at: Option<Offset>,
    /// `ScalingActive`.
    pub kind: String,
    /// `True`, `False`, `Unknown`.
    pub status: String,
    /// `FailedGetResourceMetric`.
    pub reason: String,
    /// In a sentence.
    pub message: String,
}
