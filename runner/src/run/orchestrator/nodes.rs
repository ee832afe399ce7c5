//! What the API of a cluster tells of the nodes that carry pods of the targets: it becomes events and the troubles of nodes.

use std::collections::BTreeMap;

use brunt_kubernetes::watching::{NodeNow, Trouble};
use brunt_report::facts::{NodeFacts, TroubleFacts};
use brunt_scenario::units::Offset;

use super::clusters::Say;

/// The nodes of all targets.
#[derive(Debug, Default)]
pub(super) struct Nodes {
    /// In the order in which they were first heard of.
    all: Vec<NodeFacts>,
    /// By UID. Targets may share a node, and each hears of it; only the first one's word counts, as the others' is the same a
    /// moment sooner or later.
    by_uid: BTreeMap<String, usize>,
}

impl Nodes {
    pub(super) fn into_facts(self) -> Vec<NodeFacts> {
        self.all
    }

    pub(super) fn now(&mut self, target: &str, now: NodeNow, at: Offset) -> Vec<Say> {
        let known = self.by_uid.get(&now.uid).copied();
        let index = *self.by_uid.entry(now.uid.clone()).or_insert_with(|| {
            self.all.push(NodeFacts { name: now.name.clone(), uid: now.uid.clone(), ..NodeFacts::default() });
            self.all.len() - 1
        });
        let node = &mut self.all[index];
        if !node.targets.iter().any(|one| one == target) {
            node.targets.push(target.to_owned());
        }
        if node.targets[0] != target {
            return Vec::new();
        }
        let mut says = over(node, &now, at);
        for (trouble, why) in now.troubles {
            if node.troubles.iter().any(|one| one.what == trouble.word() && one.to.is_none()) {
                continue;
            }
            let since = if known.is_some() { "" } else { ", since before brunt looked" };
            says.push((began(trouble), now.name.clone(), format!("{}{since}: {why}", trouble.word())));
            let from = known.map(|_| at);
            node.troubles.push(TroubleFacts { what: trouble.word().to_owned(), why, from, to: None });
        }
        says
    }

    pub(super) fn gone(&mut self, target: &str, uid: &str, at: Offset) -> Vec<Say> {
        let Some(node) = self.by_uid.get(uid).map(|index| &mut self.all[*index]) else { return Vec::new() };
        if node.targets[0] != target || node.gone.is_some() {
            return Vec::new();
        }
        node.gone = Some(at);
        for trouble in node.troubles.iter_mut().filter(|one| one.to.is_none()) {
            trouble.to = Some(at);
        }
        vec![("node.gone", node.name.clone(), "the cluster has it no more".to_owned())]
    }
}

/// Ends the troubles that a node has no more.
fn over(node: &mut NodeFacts, now: &NodeNow, at: Offset) -> Vec<Say> {
    let mut says = Vec::new();
    for trouble in Trouble::ALL.into_iter().filter(|trouble| !now.troubles.contains_key(trouble)) {
        let had = node.troubles.iter_mut().find(|one| one.what == trouble.word() && one.to.is_none());
        let Some(had) = had else { continue };
        had.to = Some(at);
        says.extend(ended(trouble, now).map(|(kind, text)| (kind, now.name.clone(), text)));
    }
    says
}

/// The event of a trouble's beginning.
fn began(trouble: Trouble) -> &'static str {
    match trouble {
        Trouble::NotReady => "node.unready",
        Trouble::Unknown => "node.unknown",
        Trouble::MemoryPressure => "node.memory_pressure",
        Trouble::DiskPressure => "node.disk_pressure",
        Trouble::PidPressure => "node.pid_pressure",
        Trouble::NetworkUnavailable => "node.network_unavailable",
        Trouble::Cordoned => "node.cordoned",
    }
}

/// That of its end; `None` where one follows the other and the node is no better.
fn ended(trouble: Trouble, now: &NodeNow) -> Option<(&'static str, String)> {
    let still = [Trouble::NotReady, Trouble::Unknown].iter().any(|one| now.troubles.contains_key(one));
    match trouble {
        Trouble::NotReady | Trouble::Unknown if still => None,
        Trouble::NotReady | Trouble::Unknown => Some(("node.ready", "ready again".to_owned())),
        Trouble::Cordoned => Some(("node.uncordoned", "it takes new pods again".to_owned())),
        other => Some(("node.relieved", format!("no {} any more", other.word()))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(seconds: f64) -> Offset {
        Offset::from_secs_f64(seconds)
    }

    fn node(troubles: &[Trouble]) -> NodeNow {
        let troubles = troubles.iter().map(|trouble| (*trouble, "why".to_owned())).collect();
        NodeNow { name: "n2".into(), uid: "uid-n2".into(), troubles }
    }

    /// What is said of it all, and what is left.
    fn story(told: &[(f64, &str, &[Trouble])]) -> (Vec<&'static str>, NodeFacts) {
        let mut nodes = Nodes::default();
        let mut said = Vec::new();
        for (seconds, target, troubles) in told {
            said.extend(nodes.now(target, node(troubles), at(*seconds)).into_iter().map(|(kind, _, _)| kind));
        }
        (said, nodes.into_facts().remove(0))
    }

    #[test]
    fn a_node_that_is_well_is_no_news() {
        let (said, facts) = story(&[(0.0, "payments", &[]), (2.0, "payments", &[])]);
        assert!(said.is_empty() && facts.troubles.is_empty());
    }

    #[test]
    fn a_node_that_is_drained_and_lost_is_told_step_by_step() {
        use Trouble::{Cordoned, NotReady, Unknown};
        let (said, facts) = story(&[
            (0.0, "payments", &[]),
            (1.0, "payments", &[Cordoned]),
            (2.0, "payments", &[Cordoned, Unknown]),
            (3.0, "payments", &[Cordoned, NotReady]),
            (4.0, "payments", &[Cordoned]),
            (5.0, "payments", &[]),
        ]);
        assert_eq!(said, ["node.cordoned", "node.unknown", "node.unready", "node.ready", "node.uncordoned"]);
        let spans: Vec<_> = facts.troubles.iter().map(|one| (one.what.as_str(), one.from, one.to)).collect();
        let wanted = [
            ("cordoned", Some(at(1.0)), Some(at(5.0))),
            ("not heard of", Some(at(2.0)), Some(at(3.0))),
            ("not ready", Some(at(3.0)), Some(at(4.0))),
        ];
        assert_eq!(spans, wanted);
    }

    #[test]
    fn what_was_wrong_before_has_no_beginning() {
        let (said, facts) = story(&[(0.0, "payments", &[Trouble::DiskPressure]), (2.0, "payments", &[])]);
        assert_eq!(said, ["node.disk_pressure", "node.relieved"]);
        assert_eq!((facts.troubles[0].from, facts.troubles[0].to), (None, Some(at(2.0))));
    }

    #[test]
    fn of_two_targets_on_a_node_the_second_ones_late_word_changes_nothing() {
        let cordoned: &[Trouble] = &[Trouble::Cordoned];
        let (said, facts) = story(&[
            (0.0, "payments", &[]),
            (0.1, "orders", &[]),
            (1.0, "payments", cordoned),
            (1.1, "payments", &[]),
            (1.2, "orders", cordoned),
        ]);
        assert_eq!(said, ["node.cordoned", "node.uncordoned"]);
        assert_eq!(facts.targets, ["payments", "orders"]);
    }

    #[test]
    fn a_node_that_the_cluster_forgets_has_no_trouble_any_more() {
        let mut nodes = Nodes::default();
        nodes.now("payments", node(&[Trouble::Unknown]), at(0.0));
        assert_eq!(nodes.gone("payments", "uid-n2", at(3.0)).len(), 1);
        let facts = nodes.into_facts().remove(0);
        assert_eq!((facts.gone, facts.troubles[0].to), (Some(at(3.0)), Some(at(3.0))));
    }
}
