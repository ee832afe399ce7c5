//! Gates.

use std::collections::HashMap;

use super::steady_state::scope;
use super::{DEFAULT_ERROR_RATE, Resolver, bound};
use crate::diagnostic::Code;
use crate::metric::{Metric, Unit, WindowName};
use crate::plan::{Bound, Gate, IfInconclusive, Limit, Scope};
use crate::scenario::gates as written;
use crate::validate;

impl Resolver<'_> {
    pub(super) fn gates(&mut self) -> Vec<Gate> {
        let mut gates: Vec<Gate> = Vec::new();
        for gate in self.root.gates.iter().flatten() {
            if gate.expr.is_some() {
                self.not_built(gate.span, "gates with `expr` are not built yet");
            }
            if let Some(compare) = &gate.compare {
                self.not_built(compare.span, "gates that `compare` with stored runs are not built yet");
            }
            if let Some(gate) = self.gate(gate) {
                gates.push(gate);
            }
        }
        if self.root.gates.is_none() {
            gates.push(default_gate());
        }
        make_unique(&mut gates);
        gates
    }

    fn gate(&mut self, gate: &written::Gate) -> Option<Gate> {
        let metric = gate.metric.as_ref()?;
        let scope = scope(gate.journey.as_ref(), gate.step.as_ref());
        self.check_scope(metric, &scope, gate);
        let window = gate.window.as_ref().map_or(WindowName::Run, |window| window.value.clone());
        let max = gate.max.as_ref().and_then(|max| self.limit(metric.value, max, true));
        let min = gate.min.as_ref().and_then(|min| self.limit(metric.value, min, false));
        let id = gate.id.as_ref().map(|id| id.value.clone());
        let line = self.from_file && self.sources.is_main(gate.span);
        Some(Gate {
            id: id.unwrap_or_else(|| format!("{}@{window}", metric.value)),
            metric: metric.value,
            scope,
            window,
            limit: max.or(min)?,
            if_inconclusive: match gate.if_inconclusive {
                None | Some(written::IfInconclusive::Fail) => IfInconclusive::Fail,
                Some(written::IfInconclusive::Warn) => IfInconclusive::Warn,
                Some(written::IfInconclusive::Pass) => IfInconclusive::Pass,
            },
            line: line.then(|| self.sources.position(gate.span).0),
        })
    }

    /// Metrics of the run as a whole have no journey and no step; a journey as a whole has no step.
    fn check_scope(&mut self, metric: &crate::decode::Spanned<Metric>, scope: &Scope, gate: &written::Gate) {
        let of_run = metric.value.is_resilience() || matches!(metric.value, Metric::GeneratorCpu | Metric::SendLagP99);
        if of_run && (scope.journey.is_some() || scope.step.is_some()) {
            let at = gate.journey.as_ref().or(gate.step.as_ref()).map_or(metric.span, |name| name.span);
            let message = format!("`{}` is not taken of single requests", metric.value);
            self.problems.error(Code::E068, at, message, "remove `journey` and `step`");
        }
        if let (Metric::Iteration(_) | Metric::Dropped, Some(step)) = (metric.value, &gate.step) {
            let message = format!("`{}` is taken of whole journeys", metric.value);
            self.problems.error(Code::E068, step.span, message, "remove `step`");
        }
    }

    fn limit(&mut self, metric: Metric, limit: &written::Limit, is_max: bool) -> Option<Limit> {
        let of_baseline = match limit {
            written::Limit::Absolute(node) => {
                let value = bound::read(metric, node, self.problems)?;
                return Some(Limit::Absolute(if is_max { Bound::Max(value) } else { Bound::Min(value) }));
            }
            written::Limit::OfBaseline(of_baseline) => of_baseline,
        };
        if !validate::has_baseline(self.root) {
            let help = "add `- baseline: 60s` to the timeline";
            self.problems.error(Code::E034, of_baseline.span, "there is no window `baseline` to compare with", help);
        }
        if metric.is_resilience() || metric.unit() == Unit::Count {
            let message = format!("`{metric}` has no baseline");
            let help = "windows differ in length, and nothing recovers in the baseline: write a fixed bound";
            self.problems.error(Code::E068, of_baseline.span, message, help);
        }
        let floor = match &of_baseline.floor {
            Some(floor) => Some(bound::read(metric, floor, self.problems)?),
            None => None,
        };
        let factor = of_baseline.baseline.0;
        Some(if is_max { Limit::MaxOfBaseline { factor, floor } } else { Limit::MinOfBaseline { factor, floor } })
    }
}

fn default_gate() -> Gate {
    Gate {
        id: format!("{}@{}", Metric::ErrorRate, WindowName::Run),
        metric: Metric::ErrorRate,
        scope: Scope::default(),
        window: WindowName::Run,
        limit: Limit::Absolute(Bound::Max(DEFAULT_ERROR_RATE)),
        if_inconclusive: IfInconclusive::Fail,
        line: None,
    }
}

/// Ids that were not given may be the same for several steps: they get a number.
fn make_unique(gates: &mut [Gate]) {
    let mut used: HashMap<String, usize> = HashMap::new();
    for gate in gates {
        let own = gate.id.clone();
        let mut number = used.get(&own).copied().unwrap_or(0);
        while used.contains_key(&gate.id) {
            number += 1;
            gate.id = format!("{own}#{}", number + 1);
        }
        used.insert(own, number);
        used.entry(gate.id.clone()).or_insert(0);
    }
}
