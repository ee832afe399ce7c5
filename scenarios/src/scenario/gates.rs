//! `gates:` what CI judges.

use std::time::Duration;

use crate::decode::{Decode, Spanned, fields::exactly_one, record, words};
use crate::diagnostic::{Code, Problems};
use crate::metric::{Metric, WindowName};
use crate::units::{Factor, Share};
use crate::yaml::{Node, Value};

record! {
    /// One condition.
    Gate, "a gate", check = check, schema = crate::schema::add_gate_bounds;
    /// How it is called in outputs; default `<metric>@<window>`.
    optional id: Spanned<String>,
    /// What is measured.
    optional metric: Spanned<Metric>,
    /// The requests of this journey only.
    optional journey: Spanned<String>,
    /// The requests of this step only.
    optional step: Spanned<String>,
    /// In which window; default `run`.
    optional window: Spanned<WindowName>,
    /// At most; a value in the metric's unit, or `{ baseline: 3x, floor: 250ms }`.
    optional max: Limit,
    /// At least; a value in the metric's unit, or `{ baseline: 0.9x, floor: 100/s }`.
    optional min: Limit,
    /// Against stored runs.
    optional compare: Compare,
    /// A CEL expression over the window's metrics.
    optional expr: Spanned<String>,
    /// What too few samples mean.
    optional if_inconclusive: IfInconclusive,
}

fn check(gate: &Gate, problems: &mut Problems) {
    let given = [
        ("max", gate.max.is_some()),
        ("min", gate.min.is_some()),
        ("compare", gate.compare.is_some()),
        ("expr", gate.expr.is_some()),
    ];
    exactly_one(gate.span, "a gate", &given, problems);
    match (&gate.metric, &gate.expr) {
        (None, None) => {
            problems.error(
                Code::E012,
                gate.span,
                "a gate needs the key `metric`",
                "add `metric: latency.p99` or another one",
            );
        }
        (Some(metric), Some(_)) => {
            let help = "an expression names its metrics itself: remove `metric`";
            problems.error(Code::E013, metric.span, "`metric` and `expr` exclude each other", help);
        }
        _ => {}
    }
}

/// The bound of a gate; its number is read once the metric, and so the unit, is known.
#[derive(Debug, Clone)]
pub enum Limit {
    /// A value in the metric's unit.
    Absolute(Node),
    /// A multiple of this run's baseline.
    OfBaseline(Box<OfBaseline>),
}

impl Decode for Limit {
    const WHAT: &'static str = "a value in the metric's unit, or `{ baseline: 3x, floor: 250ms }`";

    fn decode(node: &Node, problems: &mut Problems) -> Option<Self> {
        match &node.value {
            Value::Map(_) => OfBaseline::decode(node, problems).map(|limit| Self::OfBaseline(Box::new(limit))),
            _ => Some(Self::Absolute(node.clone())),
        }
    }

    fn schema(definitions: &mut crate::schema::Definitions) -> serde_json::Value {
        serde_json::json!({ "anyOf": [crate::schema::shapes::text(), OfBaseline::schema(definitions)] })
    }
}

record! {
    /// A bound that depends on this run's baseline window.
    OfBaseline, "a bound against the baseline";
    /// Times the value of the baseline window.
    required baseline: Factor,
    /// The limit is never stricter than this.
    optional floor: Node,
}

record! {
    /// A bound against stored runs.
    Compare, "a comparison with stored runs";
    /// Which runs: a branch or a label.
    required to: String,
    /// How many of them.
    optional runs: u64,
    /// Fails if it is worse by so much.
    optional worse_by: Share,
    /// Smaller differences do not count.
    optional min_change: Duration,
}

words! {
    /// What too few samples mean.
    IfInconclusive:
    /// Exit 5.
    Fail = "fail",
    /// Said, not judged.
    Warn = "warn",
    /// Counts as passed.
    Pass = "pass",
}
