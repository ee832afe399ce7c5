//! `validate --strict`: scenarios that will run, but may not show what they seem to show.

use crate::diagnostic::{Code, Diagnostic, Problems};
use crate::metric::{Metric, Statistic, WindowName};
use crate::plan::{Model, Plan, Target};
use crate::scenario::Root;
use crate::source::Span;

/// Samples beyond a percentile below which it says little.
const SAMPLES_BEYOND: f64 = 10.0;

/// Tells what is worth a look. `plan` is the plan of this tree.
pub(crate) fn lint(root: &Root, plan: &Plan, problems: &mut Problems) {
    let Some(load) = &root.load else { return };
    let mut warn = |at: Span, message: String, help: &str| {
        problems.push(Diagnostic::warning(Code::W001, at, message, help));
    };
    if root.gates.is_none() {
        let help = "add `gates`: what must hold for CI to pass";
        warn(load.span, "no gates: only `error_rate <= 1%` is judged".to_owned(), help);
    }
    for (name, _) in root.loads() {
        let Some(load) = plan.load.iter().find(|load| load.name == name.value) else { continue };
        if !load.stages.iter().any(|stage| stage.warmup) {
            let help = "begin with `{ ramp_to: 200/s, over: 10s, warmup: true }`";
            warn(name.span, format!("`{}` has no warm-up: cold caches and connections count", name.value), help);
        }
    }
    let only_closed = plan.load.iter().all(|load| load.model == Model::Closed);
    for gate in root.gates.iter().flatten() {
        let Some(metric) = &gate.metric else { continue };
        if only_closed && matches!(metric.value, Metric::Latency(_)) {
            let help = "users who wait send less when the system is slow; judge latency under `model: open`";
            warn(metric.span, "a latency gate on a closed model hides slowness".to_owned(), help);
        }
        if matches!(metric.value, Metric::Latency(Statistic::P99_9) | Metric::Service(Statistic::P99_9))
            && let Some(requests) = requests_in(plan, gate.window.as_ref().map(|window| &window.value))
            && requests / 1000.0 < SAMPLES_BEYOND
        {
            let message = format!("p99.9 of about {requests:.0} requests rests on fewer than {SAMPLES_BEYOND} of them");
            warn(metric.span, message, "judge p99, or send more for longer");
        }
    }
    crate::validate::for_each_fault(root, |fault| {
        let verified = fault.with.as_ref().is_some_and(|with| with.get("verify").is_some());
        if fault.kind.value == "exec" && !verified {
            let help = "add `verify: [program, argument]`, which ends with 0 while the effect is there and only then";
            warn(
                fault.span,
                "an `exec` without `verify` makes the run inconclusive: nobody sees its effect".into(),
                help,
            );
        }
    });
    for (name, target) in root.targets.iter().flat_map(|targets| targets.iter()) {
        if let (Some(url), Some(Target::Url(text))) = (&target.url, plan.targets.get(&name.value)) {
            let text = text.to_string();
            let parts = text.split(['.', '-', '/', ':']);
            if parts.into_iter().any(|part| matches!(part, "prod" | "production" | "live")) {
                warn(url.span, format!("`{}` looks like production", name.value), "is that meant?");
            }
        }
    }
}

/// About how many requests fall into a window of known length; `None` where nobody can tell.
fn requests_in(plan: &Plan, window: Option<&WindowName>) -> Option<f64> {
    let level: f64 = plan.load.iter().filter(|load| load.model != Model::Closed).map(highest).sum();
    let seconds = match window {
        None | Some(WindowName::Run) => {
            let lengths = plan.load.iter().flat_map(|load| &load.stages).map(|stage| stage.length);
            lengths.collect::<Option<Vec<_>>>()?.iter().map(std::time::Duration::as_secs_f64).sum()
        }
        Some(WindowName::Baseline) => plan.timeline.iter().find_map(|item| match item {
            crate::plan::Item::Baseline(length) => Some(length.as_secs_f64()),
            _ => None,
        })?,
        Some(_) => return None,
    };
    (level > 0.0).then_some(level * seconds)
}

fn highest(load: &crate::plan::Load) -> f64 {
    load.stages.iter().map(|stage| stage.to).fold(0.0, f64::max)
}
