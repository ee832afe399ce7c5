//! What `validate` warns about and `validate --strict` refuses: scenarios that will run, but may not show what they seem to
//! show. A scenario that is wrong is never told of here; each of these has a meaning that somebody may want.

use std::time::Duration;

use crate::diagnostic::{Code, Diagnostic, Problems};
use crate::metric::{Metric, Statistic, WindowName};
use crate::plan::{Feeder, Item, Load, Model, Plan, Step, Strategy, Target};
use crate::scenario::Root;
use crate::scenario::gates::Gate;
use crate::source::Span;
use crate::validate::worst_case;

/// Samples beyond a percentile below which it says little; the judge calls a gate with fewer inconclusive.
const SAMPLES_BEYOND: f64 = 10.0;

/// Tells what is worth a look. `plan` is the plan of this tree.
pub(crate) fn lint(root: &Root, plan: &Plan, problems: &mut Problems) {
    for missing in &plan.not_built {
        let help = "`brunt run` refuses it; `brunt faults` says which faults are built";
        problems.push(Diagnostic::warning(Code::W008, missing.span, missing.what.as_str(), help));
    }
    let Some(load) = &root.load else { return };
    if root.gates.is_none() {
        let help = "add `gates`: what must hold for CI to pass, `- { metric: latency.p99, max: 200ms }`";
        problems.push(Diagnostic::warning(Code::W001, load.span, "no gates: only `error_rate <= 1%` is judged", help));
    }
    warm_up(root, plan, problems);
    let only_closed = plan.load.iter().all(|load| load.model == Model::Closed);
    for gate in root.gates.iter().flatten() {
        let Some(metric) = &gate.metric else { continue };
        if only_closed && matches!(metric.value, Metric::Latency(_)) {
            let help = "users who wait send less when the system is slow; judge latency under `model: open`";
            let message = "a latency gate on a closed model hides slowness";
            problems.push(Diagnostic::warning(Code::W003, metric.span, message, help));
        }
        too_few(root, gate, metric.span, plan, problems);
    }
    blind_exec(root, problems);
    production(root, plan, problems);
    load_ends_first(root, plan, problems);
}

/// Each load has a stage that is not judged.
fn warm_up(root: &Root, plan: &Plan, problems: &mut Problems) {
    for (name, _) in root.loads() {
        let Some(load) = plan.load.iter().find(|load| load.name == name.value) else { continue };
        if !load.stages.iter().any(|stage| stage.warmup) {
            let high = match load.model {
                Model::Closed => format!("{}", highest(load)),
                _ => crate::units::Rate(highest(load)).to_string(),
            };
            let help = format!("begin with a stage `{{ ramp_to: {high}, over: 10s, warmup: true }}`");
            let message = format!("`{}` has no warm-up: cold caches and connections count", name.value);
            problems.push(Diagnostic::warning(Code::W002, name.span, message, help));
        }
    }
}

/// A percentile needs requests beyond it.
fn too_few(root: &Root, gate: &Gate, at: Span, plan: &Plan, problems: &mut Problems) {
    let Some(Metric::Latency(statistic) | Metric::Service(statistic)) = gate.metric.as_ref().map(|metric| metric.value)
    else {
        return;
    };
    let Some(quantile) = statistic.quantile().filter(|_| statistic != Statistic::Max) else { return };
    let window = gate.window.as_ref().map_or(&WindowName::Run, |window| &window.value);
    let Some(requests) = requests_in(root, plan, window, gate.step.is_some()) else { return };
    if requests * (1.0 - quantile) < SAMPLES_BEYOND - 1e-6 {
        let percentile = statistic.word().replace('_', ".");
        let needed = (SAMPLES_BEYOND / (1.0 - quantile)).round();
        let message =
            format!("{percentile} of about {requests:.0} requests rests on fewer than {SAMPLES_BEYOND} of them");
        let help = format!("judge a lower percentile, or send {needed} requests or more in `{window}`");
        problems.push(Diagnostic::warning(Code::W004, at, message, help));
    }
}

/// An `exec` fault is seen by its `verify`.
fn blind_exec(root: &Root, problems: &mut Problems) {
    crate::validate::for_each_fault(root, |fault| {
        let verified = fault.with.as_ref().is_some_and(|with| with.get("verify").is_some());
        if fault.kind.value == "exec" && !verified {
            let message = "an `exec` without `verify` makes the run inconclusive: nobody sees its effect";
            let help = "add `verify: [program, argument]`, which ends with 0 while the effect is there and only then";
            problems.push(Diagnostic::warning(Code::W005, fault.span, message, help));
        }
    });
}

fn production(root: &Root, plan: &Plan, problems: &mut Problems) {
    for (name, target) in root.targets.iter().flat_map(|targets| targets.iter()) {
        if let (Some(url), Some(Target::Url(text))) = (&target.url, plan.targets.get(&name.value)) {
            let text = text.to_string();
            let mut parts = text.split(['.', '-', '/', ':']);
            if let Some(part) = parts.find(|part| matches!(*part, "prod" | "production" | "live")) {
                let message = format!("`{}` looks like production: `{part}`", name.value);
                let help = "is that meant? If not, take the host from outside: `${env.SHOP_URL:?which shop}`";
                problems.push(Diagnostic::warning(Code::W006, url.span, message, help));
            }
        }
    }
}

/// Rows that come once may be used up while faults still act.
fn load_ends_first(root: &Root, plan: &Plan, problems: &mut Problems) {
    let mut faults = 0;
    crate::validate::for_each_fault(root, |_| faults += 1);
    for (name, _) in root.loads().filter(|_| faults > 0) {
        let Some(load) = plan.load.iter().find(|load| load.name == name.value && load.model != Model::Closed) else {
            continue;
        };
        let feeds = load.mix.iter().filter_map(|portion| plan.journeys.get(portion.journey));
        let unique = |feeder: &&Feeder| feeder.strategy == Strategy::Unique;
        let fewest = feeds
            .flat_map(|journey| journey.feed.iter().filter_map(|feed| plan.feeders.get(*feed)).filter(unique))
            .min_by_key(|feeder| feeder.rows.count());
        let Some((feeder, iterations)) = fewest.zip(iterations(load, root, true)) else { continue };
        let rows = feeder.rows.count();
        if iterations > rows as f64 {
            let message = format!(
                "`{}` ends after the {rows} rows of `{}`, and would start up to {iterations:.0} iterations",
                name.value, feeder.name
            );
            let help = "add rows, or take another `strategy`: faults that act later would hit no traffic";
            problems.push(Diagnostic::warning(Code::W007, name.span, message, help));
        }
    }
}

/// About how many iterations a load of the open model starts at most: recoveries take all of their time.
fn iterations(load: &Load, root: &Root, with_warmup: bool) -> Option<f64> {
    let stage = |stage: &crate::plan::Stage| {
        let length = stage.length.or_else(|| root.timeline.as_deref().map(worst_case))?;
        Some(f64::midpoint(stage.from, stage.to) * length.as_secs_f64())
    };
    load.stages.iter().filter(|stage| with_warmup || !stage.warmup).map(stage).sum()
}

/// About how many requests fall into a window of known length; `None` where nobody can tell.
fn requests_in(root: &Root, plan: &Plan, window: &WindowName, of_a_step: bool) -> Option<f64> {
    let open = || plan.load.iter().filter(|load| load.model != Model::Closed);
    let iterations: f64 = match window {
        WindowName::Run => open().map(|load| iterations(load, root, false)).sum::<Option<f64>>()?,
        WindowName::Baseline => {
            let baseline = |item: &Item| if let Item::Baseline(length) = item { length.as_secs_f64() } else { 0.0 };
            open().map(highest).sum::<f64>() * plan.timeline.iter().map(baseline).sum::<f64>()
        }
        WindowName::Fault(id) => {
            let lasts = plan.timeline.iter().find_map(|item| fault_length(item, id))?;
            open().map(highest).sum::<f64>() * lasts.as_secs_f64()
        }
        WindowName::Warmup | WindowName::Recovery(_) => return None,
    };
    let steps = plan
        .journeys
        .iter()
        .map(|journey| journey.steps.iter().filter(|step| matches!(step, Step::Request(_))).count());
    let each = if of_a_step { 1 } else { steps.max().unwrap_or(1) };
    (iterations > 0.0).then_some(iterations * each as f64)
}

fn highest(load: &Load) -> f64 {
    load.stages.iter().map(|stage| stage.to).fold(0.0, f64::max)
}

/// How long the fault with this id acts, all rounds together.
fn fault_length(item: &Item, id: &str) -> Option<Duration> {
    match item {
        Item::Fault(fault) if fault.id == id => Some(fault.lasts? * fault.repeat.map_or(1, |repeat| repeat.times)),
        Item::Parallel(group) => group.iter().find_map(|member| fault_length(&member.item, id)),
        _ => None,
    }
}
