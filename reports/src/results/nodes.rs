//! Nodes that carried pods of the targets, and what was wrong with them meanwhile.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::seconds;
use crate::facts::{NodeFacts, TroubleFacts};
use crate::spans::merged;

/// A node that carried pods of a target. Instants are those at which brunt heard of it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct NodeData {
    /// Its name.
    pub name: String,
    /// Its UID.
    pub uid: String,
    /// The targets of which it carried pods.
    pub targets: Vec<String>,
    /// What was wrong with it, in the order in which brunt heard of it; empty if it was well throughout.
    pub troubles: Vec<TroubleData>,
    /// When the API knew it no more; null if it still did.
    pub gone_s: Option<f64>,
}

/// Something that was wrong with a node for a while.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct TroubleData {
    /// `not ready`, `not heard of`, `memory pressure`, `disk pressure`, `pid pressure`, `network unavailable`, `cordoned`.
    pub what: String,
    /// In the API's own words.
    pub why: String,
    /// null if it was so when brunt first looked.
    pub from_s: Option<f64>,
    /// null if it lasted until the end of the run.
    pub to_s: Option<f64>,
}

/// All nodes in the order in which brunt first heard of them.
pub fn node_data(nodes: &[NodeFacts]) -> Vec<NodeData> {
    nodes.iter().map(data).collect()
}

fn data(node: &NodeFacts) -> NodeData {
    let trouble = |one: &TroubleFacts| TroubleData {
        what: one.what.clone(),
        why: one.why.clone(),
        from_s: one.from.map(seconds),
        to_s: one.to.map(seconds),
    };
    NodeData {
        name: node.name.clone(),
        uid: node.uid.clone(),
        targets: node.targets.clone(),
        troubles: node.troubles.iter().map(trouble).collect(),
        gone_s: node.gone.map(seconds),
    }
}

/// Spans in which something was wrong with a node, in order and without overlaps, and in one word or more what that was.
pub fn troubled(node: &NodeData, end_s: f64) -> (Vec<[f64; 2]>, Vec<&str>) {
    let troubles = node.troubles.iter().map(|one| (one.from_s.unwrap_or(0.0), one.to_s.unwrap_or(end_s)));
    let spans = merged(troubles.chain(node.gone_s.map(|gone| (gone, end_s))).collect());
    let mut words: Vec<&str> = Vec::new();
    for word in node.troubles.iter().map(|one| one.what.as_str()).chain(node.gone_s.map(|_| "gone")) {
        if !words.contains(&word) {
            words.push(word);
        }
    }
    (spans.into_iter().map(<[f64; 2]>::from).collect(), words)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn trouble(what: &str, from_s: Option<f64>, to_s: Option<f64>) -> TroubleData {
        TroubleData { what: what.into(), why: String::new(), from_s, to_s }
    }

    fn node(troubles: Vec<TroubleData>, gone_s: Option<f64>) -> NodeData {
        NodeData { name: "n2".into(), uid: "u".into(), targets: vec!["payments".into()], troubles, gone_s }
    }

    #[test]
    fn troubles_that_overlap_are_one_span_and_each_is_named_once() {
        let all = vec![
            trouble("cordoned", None, Some(2.0)),
            trouble("not heard of", Some(1.0), Some(4.0)),
            trouble("cordoned", Some(6.0), None),
        ];
        let node = node(all, None);
        let (spans, words) = troubled(&node, 9.0);
        assert_eq!(spans, [[0.0, 4.0], [6.0, 9.0]]);
        assert_eq!(words, ["cordoned", "not heard of"]);
    }

    #[test]
    fn a_node_that_is_gone_is_troubled_from_then_on() {
        assert_eq!(troubled(&node(Vec::new(), Some(3.0)), 9.0), (vec![[3.0, 9.0]], vec!["gone"]));
        assert_eq!(troubled(&node(Vec::new(), None), 9.0), (Vec::new(), Vec::new()));
    }
}
