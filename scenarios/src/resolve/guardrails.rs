//! Guardrails: when the run must stop.

use std::time::Duration;

use super::steady_state::scope;
use super::{Resolver, SLO_OVER, bound};
use crate::decode::Spanned;
use crate::diagnostic::Code;
use crate::metric::Metric;
use crate::plan::{Bound, Guardrail};
use crate::scenario::safety::AbortIf;

impl Resolver<'_> {
    pub(super) fn guardrails(&mut self) -> Vec<Guardrail> {
        let root = self.root;
        let mut taken: Vec<String> =
            root.abort_if.iter().flatten().filter_map(|guard| guard.id.as_ref()).map(|id| id.value.clone()).collect();
        let mut guardrails = Vec::new();
        for written in root.abort_if.iter().flatten() {
            self.check_guarded(written);
            let metric = written.metric.value;
            let above = written.above.as_ref().and_then(|at| bound::read(metric, at, self.problems)).map(Bound::Max);
            let below = written.below.as_ref().and_then(|at| bound::read(metric, at, self.problems)).map(Bound::Min);
            let Some(bound) = above.or(below) else { continue };
            let line = self.from_file && self.sources.is_main(written.span);
            guardrails.push(Guardrail {
                id: written.id.as_ref().map_or_else(|| free_id(metric, &mut taken), |id| id.value.clone()),
                metric,
                scope: scope(written.journey.as_ref(), written.step.as_ref()),
                bound,
                over: written.over.as_ref().map_or(SLO_OVER, |over| over.value),
                lasts: written.lasts.as_ref().map_or(Duration::ZERO, |lasts| lasts.value),
                line: line.then(|| self.sources.position(written.span).0),
            });
        }
        guardrails
    }

    /// What has no value while the run goes on cannot stop it; what is not taken of requests has no journey.
    fn check_guarded(&mut self, guard: &AbortIf) {
        let metric = guard.metric.value;
        let why_not = match metric {
            Metric::RecoveryTime | Metric::DegradedFor | Metric::TimeToDetect => Some("is known only after the fault"),
            Metric::Unfinished => Some("is known only when the load has ended"),
            _ => None,
        };
        if let Some(why) = why_not {
            let message = format!("`{metric}` {why}, too late for a guardrail");
            let help = "guard latency.*, error_rate, rate.*, dropped, check_failures or generator.cpu; judge this one in `gates`";
            self.problems.error(Code::E068, guard.metric.span, message, help);
            return;
        }
        let named = |name: Option<&Spanned<String>>| name.map(|name| name.span);
        let (journey, step) = (named(guard.journey.as_ref()), named(guard.step.as_ref()));
        let odd = match metric {
            Metric::GeneratorCpu => {
                journey.or(step).map(|at| (at, "is brunt's own, of no request", "remove `journey` and `step`"))
            }
            Metric::Iteration(_) | Metric::Dropped | Metric::SendLagP99 => {
                step.map(|at| (at, "is taken of whole journeys", "remove `step`"))
            }
            _ => None,
        };
        if let Some((at, why, help)) = odd {
            self.problems.error(Code::E068, at, format!("`{metric}` {why}"), help);
        }
    }
}

/// The metric's name, with a number where it is taken.
fn free_id(metric: Metric, taken: &mut Vec<String>) -> String {
    let own = metric.to_string();
    let mut numbers = 2..;
    let mut id = own.clone();
    while taken.contains(&id) {
        id = format!("{own}#{}", numbers.next().unwrap_or_default());
    }
    taken.push(id.clone());
    id
}
