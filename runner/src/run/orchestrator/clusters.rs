//! What the APIs of clusters tell of the pods that the scenario names, and of what surrounds them.

use std::collections::BTreeSet;

use brunt_kubernetes::watching::Told;
use brunt_scenario::units::Offset;

use super::Orchestrator;
use super::autoscalers::Autoscalers;
use super::nodes::Nodes;
use super::pods::Pods;

/// What to say: kind, subject, sentence.
pub(super) type Say = (&'static str, String, String);

/// All that was told.
#[derive(Debug, Default)]
pub(super) struct Clusters {
    pub pods: Pods,
    pub nodes: Nodes,
    pub autoscalers: Autoscalers,
}

impl Orchestrator {
    /// Takes in what was told of a target's pods and of what surrounds them.
    pub(super) fn cluster_told(&mut self, target: &str, told: Told, at: Offset) {
        for (kind, subject, text) in self.clusters.told(target, told, at) {
            self.say(at, kind, &subject, text);
        }
    }
}

impl Clusters {
    pub(super) fn told(&mut self, target: &str, told: Told, at: Offset) -> Vec<Say> {
        let unseen = |kind, what: &str, why: String| vec![(kind, target.to_owned(), format!("{what}: {why}"))];
        match told {
            Told::Pod(pod) => self.pods.pod(target, pod, at),
            Told::PodGone { uid } => self.pods.gone(target, &uid, at),
            Told::Slice { name, ready } => self.pods.slice(target, name, ready, at),
            Told::SliceGone { name } => self.pods.slice(target, name, BTreeSet::new(), at),
            Told::NoSlices(why) => unseen("pods.unknown", "when Services send to its pods is not known", why),
            Told::Node(node) => self.nodes.now(target, node, at),
            Told::NodeGone { uid } => self.nodes.gone(target, &uid, at),
            Told::NoNodes(why) => unseen("nodes.unknown", "how the nodes of its pods are was not seen", why),
            Told::Autoscaler(autoscaler) => self.autoscalers.now(target, &autoscaler, at),
            Told::AutoscalerGone { uid } => self.autoscalers.gone(target, &uid, at),
            Told::NoAutoscalers(why) => {
                unseen("autoscalers.unknown", "what autoscalers decide about its owner was not seen", why)
            }
            Told::Known => self.pods.known(target),
            Told::Unknown(why) => {
                let what = "what happens to its pods is not known until it is said that it is again";
                unseen("pods.unknown", what, why)
            }
        }
    }
}
