//! What the API of a cluster told of the nodes that carry pods of the targets, each line stamped when it was heard.

use brunt_scenario::units::Offset;

/// One node.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct NodeFacts {
    /// Its name.
    pub name: String,
    /// Its UID.
    pub uid: String,
    /// The targets of which it carried pods.
    pub targets: Vec<String>,
    /// What was wrong with it, in the order in which it was heard.
    pub troubles: Vec<TroubleFacts>,
    /// When the API knew it no more.
    pub gone: Option<Offset>,
}

/// Something that was wrong with a node for a while.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TroubleFacts {
    /// `not ready`, `not heard of`, `memory pressure`, `cordoned`.
    pub what: String,
    /// In the API's own words.
    pub why: String,
    /// `None`: it was so when brunt first looked.
    pub from: Option<Offset>,
    /// `None`: while it lasts.
    pub to: Option<Offset>,
}
