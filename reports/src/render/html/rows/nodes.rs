//! Nodes that carried pods of the targets and were not well throughout.

use crate::render::format;
use crate::results::{NodeData, Results, TroubleData};

use super::{dash, since};

/// Something that was wrong with a node.
pub struct NodeRow {
    /// Its name.
    pub name: String,
    /// The targets whose pods it carried.
    pub about: String,
    /// What.
    pub what: String,
    /// In the API's own words.
    pub why: String,
    /// Since when.
    pub from: String,
    /// For how long, as far as the run has seen.
    pub lasted: String,
}

/// One row a trouble.
pub fn nodes(results: &Results) -> Vec<NodeRow> {
    let end_s = results.summary.duration_s;
    results
        .nodes
        .iter()
        .flat_map(|node| node.troubles.iter().map(move |one| row(node, one, end_s)).chain(gone(node)))
        .collect()
}

/// Why nothing was seen of nodes, one sentence a target.
pub fn unseen_nodes(results: &Results) -> Vec<String> {
    let unseen = results.events.iter().filter(|event| event.kind == "nodes.unknown");
    unseen.map(|event| format!("{}: {}", event.subject, event.text)).collect()
}

fn row(node: &NodeData, trouble: &TroubleData, end_s: f64) -> NodeRow {
    let lasted = trouble.to_s.unwrap_or(end_s) - trouble.from_s.unwrap_or(0.0);
    NodeRow {
        name: node.name.clone(),
        about: node.targets.join(", "),
        what: trouble.what.clone(),
        why: trouble.why.clone(),
        from: since(trouble.from_s),
        lasted: match trouble.to_s {
            Some(_) => format::seconds(lasted),
            None => format!("{}, to the end", format::seconds(lasted)),
        },
    }
}

fn gone(node: &NodeData) -> Option<NodeRow> {
    let gone = node.gone_s?;
    Some(NodeRow {
        name: node.name.clone(),
        about: node.targets.join(", "),
        what: "gone".to_owned(),
        why: "the cluster has it no more".to_owned(),
        from: format!("{gone:.3} s"),
        lasted: dash(),
    })
}
