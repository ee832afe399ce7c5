//! Bounds have the unit of the metric beside them.

use serde_json::{Map, Value, json};

use super::Definitions;
use crate::decode::Decode;
use crate::metric::{Metric, Unit};
use crate::scenario::gates::OfBaseline;
use crate::units::{Rate, Share};

/// Of guardrails: `above` and `below`; of objectives: `max` and `min`.
pub(crate) fn add_bounds(schema: &mut Map<String, Value>, definitions: &mut Definitions) {
    add(schema, definitions, |bound, _| bound);
}

/// Of gates: `max` and `min`, which may be multiples of the baseline too.
pub(crate) fn add_gate_bounds(schema: &mut Map<String, Value>, definitions: &mut Definitions) {
    add(schema, definitions, |bound, definitions| json!({ "anyOf": [bound, OfBaseline::schema(definitions)] }));
}

fn add(schema: &mut Map<String, Value>, definitions: &mut Definitions, wrap: fn(Value, &mut Definitions) -> Value) {
    let units = [Unit::Milliseconds, Unit::Seconds, Unit::Fraction, Unit::Count, Unit::PerSecond];
    let rules = units.map(|unit| {
        let metrics: Vec<String> =
            Metric::all().iter().filter(|metric| metric.unit() == unit).map(ToString::to_string).collect();
        let bound = match unit {
            Unit::Milliseconds | Unit::Seconds => std::time::Duration::schema(definitions),
            Unit::Fraction => Share::schema(definitions),
            Unit::Count => u64::schema(definitions),
            Unit::PerSecond => Rate::schema(definitions),
        };
        let bound = wrap(bound, definitions);
        let keys = ["max", "min", "above", "below"].into_iter().filter(|key| schema["properties"].get(key).is_some());
        let properties: Map<String, Value> = keys.map(|key| (key.to_owned(), bound.clone())).collect();
        json!({
            "if": { "properties": { "metric": { "enum": metrics } }, "required": ["metric"] },
            "then": { "properties": properties },
        })
    });
    schema.insert("allOf".into(), json!(rules));
}
