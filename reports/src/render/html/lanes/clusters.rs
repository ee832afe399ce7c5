//! What clusters told: pods of each target, nodes that had trouble, autoscalers.

use super::Lanes;
use crate::render::format;
use crate::render::svg::Svg;
use crate::results::{AutoscalerData, NodeData, Results, autoscalers, nodes, pods};

/// How many lanes these are at most.
pub fn most(results: &Results) -> usize {
    pods::targets(&results.pods).len() + troubled(results).count() + results.autoscalers.len()
}

/// Draws them from `top` on; answers how high they are together.
pub fn draw(lanes: &Lanes<'_>, svg: &mut Svg, top: f64) -> f64 {
    let mut y = top;
    for target in pods::targets(&lanes.results.pods) {
        y += if lanes.pods(svg, y, target) { lanes.height } else { 0.0 };
    }
    for node in troubled(lanes.results) {
        lanes.node(svg, y, node);
        y += lanes.height;
    }
    for autoscaler in &lanes.results.autoscalers {
        lanes.autoscaler(svg, y, autoscaler);
        y += lanes.height;
    }
    y - top
}

/// A target may have pods on hundreds of nodes: those that were well throughout need no line each.
fn troubled(results: &Results) -> impl Iterator<Item = &NodeData> {
    results.nodes.iter().filter(|node| !node.troubles.is_empty() || node.gone_s.is_some())
}

impl Lanes<'_> {
    /// Whether as many pods of a target were ready as when the run began; answers whether there is something to say.
    fn pods(&self, svg: &mut Svg, top: f64, target: &str) -> bool {
        let end_s = self.results.summary.duration_s;
        let Some((wanted, fewer)) = pods::fewer_ready(&self.results.pods, target, end_s) else { return false };
        let remark = format!("{} ready", format::counted(wanted as u64, "pod"));
        let said = if fewer.is_empty() {
            "held".to_owned()
        } else {
            let total: f64 = fewer.iter().map(|[from, to]| to - from).sum();
            format!("fewer pods for {}", format::seconds(total))
        };
        self.held(svg, top, (target, &remark), &fewer, said);
        true
    }

    /// When something was wrong with a node, and what.
    fn node(&self, svg: &mut Svg, top: f64, node: &NodeData) {
        let (spans, words) = nodes::troubled(node, self.results.summary.duration_s);
        self.held(svg, top, (&node.name, "node"), &spans, words.join(", "));
    }

    /// When there were not as many pods as an autoscaler wanted, and how many those were.
    fn autoscaler(&self, svg: &mut Svg, top: f64, autoscaler: &AutoscalerData) {
        let unsatisfied = autoscalers::unsatisfied(autoscaler, self.results.summary.duration_s);
        let wanted: Vec<String> = autoscalers::wanted(autoscaler).iter().map(ToString::to_string).collect();
        let said = match (autoscalers::cannot_decide(autoscaler), wanted.as_slice()) {
            (Some(why), []) => format!("decides nothing: {}", why.reason),
            (_, []) => "has decided nothing".to_owned(),
            (_, wanted) => format!("wants {} pods", wanted.join(", then ")),
        };
        let remark = format!("scales {}", autoscaler.scales);
        self.held(svg, top, (&autoscaler.name, &remark), &unsatisfied, said);
    }
}
