//! What was asked for, in words.

use brunt_scenario::plan::{Load, Model, Plan, Stage};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::seconds_of;
use crate::render::format;

/// What was asked for, in words: for the report's reader and for comparing runs.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize, JsonSchema)]
pub struct PlanData {
    /// The file or URL as it was given.
    pub source: String,
    /// The scenario's description.
    pub description: String,
    /// `shoppers: open, poisson, ramp to 200/s over 3 s (warm-up), then 200/s`.
    pub load: Vec<String>,
    /// The title of the steady state.
    pub steady_state: Option<String>,
    /// The scenario after includes, variables and masking.
    pub resolved_yaml: String,
}

/// The plan as the report's reader sees it.
pub fn plan_data(plan: &Plan) -> PlanData {
    PlanData {
        source: plan.source.clone(),
        description: plan.description.clone(),
        load: plan.load.iter().map(load).collect(),
        steady_state: plan.steady_state.as_ref().map(|steady| steady.title.clone()),
        resolved_yaml: plan.resolved_yaml.clone(),
    }
}

/// `shoppers: open, poisson, ramp to 200/s over 3 s (warm-up), then 200/s as long as the timeline`.
fn load(load: &Load) -> String {
    let model = match load.model {
        Model::OpenConstant => "open, constant",
        Model::OpenPoisson => "open, poisson",
        Model::Closed => "closed",
    };
    let stages: Vec<String> = load.stages.iter().map(|one| stage(one, load.model)).collect();
    format!("{}: {model}, {}", load.name, stages.join(", then "))
}

fn stage(stage: &Stage, model: Model) -> String {
    let level = match model {
        Model::Closed => format::counted(stage.to.round() as u64, "user"),
        Model::OpenConstant | Model::OpenPoisson => format::per_second(stage.to),
    };
    let length = stage.length.map(|length| format::seconds(seconds_of(length)));
    let ramp = stage.from != stage.to;
    let text = match (ramp, length) {
        (true, Some(length)) => format!("ramp to {level} over {length}"),
        (false, Some(length)) => format!("{level} for {length}"),
        (_, None) => format!("{level} as long as the timeline"),
    };
    if stage.warmup { format!("{text} (warm-up)") } else { text }
}
