//! What autoscalers of the targets' owners decided, and what kept them from it.

use super::since;
use crate::results::{AutoscalerData, Results};

/// A decision of an autoscaler, or a change of one of its conditions.
pub struct AutoscalerRow {
    /// Its name.
    pub name: String,
    /// What it scales, and between what.
    pub about: String,
    /// When; in seconds.
    pub at: String,
    /// What.
    pub what: String,
}

/// In order of time, autoscaler by autoscaler.
pub fn autoscalers(results: &Results) -> Vec<AutoscalerRow> {
    results.autoscalers.iter().flat_map(rows).collect()
}

fn rows(autoscaler: &AutoscalerData) -> Vec<AutoscalerRow> {
    let mut told: Vec<(Option<f64>, String)> = Vec::new();
    for one in &autoscaler.decisions {
        let wants = one.desired.map_or_else(|| "has decided nothing".to_owned(), |wanted| format!("wants {wanted}"));
        told.push((one.at_s, format!("{wants}, has {}", one.current)));
    }
    for one in &autoscaler.conditions {
        told.push((one.at_s, format!("{} is {}: {}: {}", one.kind, one.status, one.reason, one.message)));
    }
    told.extend(autoscaler.gone_s.map(|at| (Some(at), "gone".to_owned())));
    // What was so before the run comes first.
    told.sort_by(|(a, _), (b, _)| a.unwrap_or(-1.0).total_cmp(&b.unwrap_or(-1.0)));
    let AutoscalerData { name, scales, min, max, .. } = autoscaler;
    let row = |(at, what): (Option<f64>, String)| AutoscalerRow {
        name: name.clone(),
        about: format!("{scales}, {min} to {max}"),
        at: since(at),
        what,
    };
    told.into_iter().map(row).collect()
}
