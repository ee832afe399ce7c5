//! Rules of the timeline, of the load beside it, and of gates about faults.

use std::collections::{HashMap, HashSet};
use std::time::Duration;

use crate::catalogue::{FaultKind, Lasts, TargetKind};
use crate::diagnostic::{Code, Diagnostic, Problems};
use crate::metric::{Metric, WindowName};
use crate::scenario::Root;
use crate::scenario::load::{Length, Load};
use crate::scenario::timeline::{Fault, Item};
use crate::source::Span;
use crate::words::foreign::Place;
use crate::words::{instead, nearest};

pub(super) fn check(root: &Root, problems: &mut Problems) {
    for item in root.timeline.iter().flatten() {
        check_item(root, item, false, problems);
    }
    for_each_fault(root, |fault| check_kind(root, fault, problems));
    check_ids(root, problems);
    check_recovery(root, problems);
    check_load(root, problems);
}

/// Calls for every fault of the timeline, in its order.
pub(crate) fn for_each_fault<'r>(root: &'r Root, mut each: impl FnMut(&'r Fault)) {
    let mut open: Vec<&Item> = root.timeline.iter().flatten().rev().collect();
    while let Some(item) = open.pop() {
        item.fault.iter().for_each(&mut each);
        open.extend(item.parallel.iter().flat_map(|group| group.value.iter().rev()));
    }
}

/// The ids of all faults with their places; a fault without one is called by its kind and its place in the order.
pub(crate) fn fault_ids(root: &Root) -> Vec<(String, Span)> {
    let mut ids = Vec::new();
    for_each_fault(root, |fault| {
        let id = match &fault.id {
            Some(id) => (id.value.0.clone(), id.span),
            None => (format!("{}-{}", fault.kind.value.replace('.', "-"), ids.len() + 1), fault.span),
        };
        ids.push(id);
    });
    ids
}

pub(crate) fn has_baseline(root: &Root) -> bool {
    root.timeline.iter().flatten().any(|item| item.baseline.is_some())
}

fn check_item(root: &Root, item: &Item, in_group: bool, problems: &mut Problems) {
    if let (false, Some(delay)) = (in_group, &item.delay) {
        let help = "the timeline runs in order: put `- pause: 10s` before it";
        problems.error(Code::E060, delay.span, "`delay` has a meaning only inside of `parallel`", help);
    }
    if let (true, Some(span)) =
        (in_group, item.baseline.as_ref().map(|it| it.span).or(item.recover.as_ref().map(|it| it.span)))
    {
        let help = "put it before or after the group";
        problems.error(Code::E060, span, "`baseline` and `recover` cannot stand inside of `parallel`", help);
    }
    if let (Some(recover), true) = (&item.recover, root.steady_state.is_none()) {
        let help = "add `steady_state: { all_of: [an-slo] }`, or use `pause`";
        problems.error(Code::E060, recover.span, "`recover` waits for the steady state, and there is none", help);
    }
    if let (Some(recover), false) = (&item.recover, in_group)
        && recover.within.value.is_zero()
    {
        problems.error(Code::E028, recover.within.span, "no time to recover", "give it some time: `within: 30s`");
    }
    check_load_change(root, item, problems);
    for inner in item.parallel.iter().flat_map(|group| &group.value) {
        check_item(root, inner, true, problems);
    }
}

/// The load entries exist, and stay within what any load may be.
fn check_load_change(root: &Root, item: &Item, problems: &mut Problems) {
    let Some(changes) = &item.load else { return };
    for (name, factor) in &changes.value.0 {
        let Some((_, load)) = root.loads().find(|(known, _)| known.value == name.value) else {
            let help = match nearest(&name.value, root.loads().map(|(known, _)| known.value.as_str())) {
                Some(near) => format!("did you mean `{near}`?"),
                None => "name an entry under `load`".to_owned(),
            };
            let message = format!("unknown load entry `{}`", name.value);
            problems.push(Diagnostic::error(Code::E039, name.span, message, help).label("not defined under `load`"));
            continue;
        };
        let (limit, unit) = load.most();
        let level = crate::resolve::load::peak(load) * factor.value.0;
        if load.sound && level > limit {
            let message = format!("{} makes {level}{unit} of `{}`", factor.value, name.value);
            problems.error(Code::E028, factor.span, message, format!("at most {limit}{unit}"));
        }
    }
}

/// The kind exists, takes this target, and has a length if it needs one.
fn check_kind(root: &Root, fault: &Fault, problems: &mut Problems) {
    let name = &fault.kind;
    let Some(kind) = FaultKind::find(&name.value) else {
        let shown: String = name.value.chars().take(60).collect();
        let message = format!("unknown fault `{}`", shown.escape_debug());
        problems.error(Code::E050, name.span, message, unknown_kind_help(&name.value));
        return;
    };
    match (kind.lasts, &fault.lasts) {
        (Lasts::Instant, Some(lasts)) => {
            let help = "remove `for`; its window is from the act until the target is whole again";
            problems.error(Code::E053, lasts.span, format!("`{}` is over at once", kind.name), help);
        }
        (Lasts::Until, None) => {
            let message = format!("`{}` lasts, but nothing says how long", kind.name);
            problems.error(Code::E053, name.span, message, "add `for: 30s`");
        }
        _ => {}
    }
    super::parameters::check(kind, fault, problems);
    let target = root.targets.as_ref().and_then(|targets| targets.get(&fault.target.value)).and_then(|it| it.kind());
    let Some(target) = target else { return };
    if !kind.takes.contains(&target) {
        let message =
            format!("`{}` cannot hit `{}`, a target of kind `{}`", kind.name, fault.target.value, target.word());
        problems.error(Code::E051, fault.target.span, message, takes_help(kind, target));
    }
    let restart = fault.with.as_ref().and_then(|with| {
        with.entries()?.iter().find(|entry| entry.key.text == "restart_after").map(|entry| entry.key.span)
    });
    if let (Some(span), "process.kill", true) = (restart, kind.name, target != TargetKind::Service) {
        let help = "only services that brunt starts can be started again; leave it to the process's own supervisor";
        problems.error(Code::E051, span, "`restart_after` needs a `service` target", help);
    }
}

fn takes_help(kind: &FaultKind, target: TargetKind) -> String {
    let takes: Vec<String> = kind.takes.iter().map(|kind| format!("`{}`", kind.word())).collect();
    let takes = format!("it takes targets of kind {}", takes.join(", "));
    match target {
        TargetKind::Link if kind.name.starts_with("network.") => {
            format!("a proxy passes a stream and cannot touch single packets; {takes}")
        }
        TargetKind::Docker if kind.name.starts_with("process.") => {
            format!("`{}` does that to containers; {takes}", kind.name.replace("process.", "container."))
        }
        TargetKind::Kubernetes if ["stress.memory", "stress.io"].contains(&kind.name) => {
            format!(
                "an ephemeral container has a cgroup of its own, so what it took would be the node's, and no limit of the pod's \
                 containers would count; {takes}"
            )
        }
        TargetKind::Kubernetes if kind.name == "process.restart" => {
            format!(
                "brunt does not know how a process in a pod is started; `deployment.restart` starts pods anew; {takes}"
            )
        }
        TargetKind::Url => format!("put a link in front of the address and hit that; {takes}"),
        TargetKind::Service if kind.takes.contains(&TargetKind::Link) => {
            format!("put a link in front of the service and hit that; {takes}")
        }
        _ => takes,
    }
}

/// What people call faults elsewhere, or may have mistyped.
fn unknown_kind_help(name: &str) -> String {
    if let Some(here) = instead(name, Place::Fault) {
        return here.to_owned();
    }
    let last = name.rsplit(['.', '-', '_']).next().unwrap_or(name);
    let mut kinds = crate::catalogue::ALL.iter().map(|kind| kind.name);
    let near = nearest(name, kinds.clone()).or_else(|| kinds.find(|kind| kind.ends_with(&format!(".{last}"))));
    match near {
        Some(near) => format!("did you mean `{near}`?"),
        None => "`brunt faults` prints the catalogue: network.latency, network.partition, process.kill, http.error ..."
            .to_owned(),
    }
}

/// Ids of faults, gates, probes, guardrails and steps are unique.
fn check_ids(root: &Root, problems: &mut Problems) {
    unique("fault", fault_ids(root), problems);
    let gates = root.gates.iter().flatten().filter_map(|gate| gate.id.as_ref());
    unique("gate", gates.map(|id| (id.value.clone(), id.span)), problems);
    let guards = root.abort_if.iter().flatten().filter_map(|guard| guard.id.as_ref());
    unique("guardrail", guards.map(|id| (id.value.clone(), id.span)), problems);
    let probes = root.steady_state.iter().flat_map(|state| state.probes.iter().flatten());
    unique("probe", probes.map(|probe| (probe.id.value.0.clone(), probe.id.span)), problems);
    for (_, journey) in root.journeys.iter().flat_map(|journeys| journeys.iter()) {
        let steps = journey.steps.iter().enumerate().filter(|(_, step)| step.think.is_none());
        let ids = steps.map(|(index, step)| {
            (super::references::step_id(index, step), step.id.as_ref().map_or(step.span, |id| id.span))
        });
        unique("step", ids, problems);
    }
}

fn unique(what: &str, ids: impl IntoIterator<Item = (String, Span)>, problems: &mut Problems) {
    let mut seen = HashMap::new();
    for (id, span) in ids {
        if let Some(first) = seen.get(&id) {
            let message = format!("the {what} id `{id}` is used twice");
            let problem = Diagnostic::error(Code::E064, span, message, format!("give each its own id, as in `{id}-2`"));
            problems.push(problem.also(*first, "first used here"));
        } else {
            seen.insert(id, span);
        }
    }
}

/// Gates about recovery: a fault window, a `recover` after it, a steady state to recover to.
fn check_recovery(root: &Root, problems: &mut Problems) {
    let recovered = recovered(root);
    let known: HashSet<String> = fault_ids(root).into_iter().map(|(id, _)| id).collect();
    for gate in root.gates.iter().flatten() {
        let Some(metric) = &gate.metric else { continue };
        let window = gate.window.as_ref().map_or(&WindowName::Run, |window| &window.value);
        let at = gate.window.as_ref().map_or(metric.span, |window| window.span);
        if metric.value.is_resilience() && !matches!(window, WindowName::Fault(_)) {
            let message = format!("`{}` is taken of a fault", metric.value);
            problems.error(Code::E068, at, message, "write `window: fault:<id>`");
            continue;
        }
        let id = match window {
            WindowName::Fault(id) if metric.value == Metric::RecoveryTime => id,
            WindowName::Recovery(id) => id,
            _ => continue,
        };
        if known.contains(id) && !recovered.contains(id) {
            let help = "add `- recover: { within: 30s }` after it to the timeline";
            problems.error(Code::E062, at, format!("no `recover` follows the fault `{id}`"), help);
        }
    }
}

/// The faults that a `recover` follows.
fn recovered(root: &Root) -> HashSet<String> {
    let ids = fault_ids(root);
    let mut faults = 0;
    let mut recovered = 0;
    for item in root.timeline.iter().flatten() {
        faults += faults_in(item);
        if item.recover.is_some() {
            recovered = faults;
        }
    }
    ids.into_iter().take(recovered).map(|(id, _)| id).collect()
}

fn faults_in(item: &Item) -> usize {
    let nested = item.parallel.iter().flat_map(|group| &group.value).map(faults_in).sum::<usize>();
    usize::from(item.fault.is_some()) + nested
}

/// How long the timeline takes at most: every recovery needs all of its time.
pub(crate) fn worst_case(items: &[Item]) -> Duration {
    items.iter().map(item_length).fold(Duration::ZERO, Duration::saturating_add)
}

fn item_length(item: &Item) -> Duration {
    let own = [&item.baseline, &item.pause].into_iter().flatten().map(|span| span.value);
    let recover = item.recover.iter().map(|recover| recover.within.value);
    let group = item.parallel.iter().map(|group| group.value.iter().map(item_length).max().unwrap_or_default());
    let fault = item.fault.iter().map(|fault| {
        let lasts = fault.lasts.as_ref().map_or(Duration::ZERO, |lasts| lasts.value);
        let again = fault.repeat.as_ref().map(|repeat| {
            repeat
                .value
                .every
                .value
                .saturating_mul(u32::try_from(repeat.value.times.value.saturating_sub(1)).unwrap_or(u32::MAX))
        });
        lasts.saturating_add(again.unwrap_or_default())
    });
    let change = item.load.iter().map(|_| crate::plan::LOAD_CHANGE);
    let delay = item.delay.as_ref().map_or(Duration::ZERO, |delay| delay.value);
    own.chain(recover).chain(group).chain(fault).chain(change).fold(delay, Duration::saturating_add)
}

/// Each load covers the timeline.
fn check_load(root: &Root, problems: &mut Problems) {
    let warmup = root.loads().map(|(_, load)| warmup(load)).max().unwrap_or_default();
    let before = root.steady_state.iter().filter_map(|state| state.before.as_ref()).map(|before| {
        before.within.as_ref().map_or(before.hold_for * crate::resolve::BEFORE_WITHIN_FACTOR, |within| within.value)
    });
    let before = before.fold(Duration::ZERO, Duration::saturating_add);
    let timeline = root.timeline.as_deref().map(worst_case);
    for (name, load) in root.loads().filter(|(_, load)| load.sound) {
        let lengths = lengths(load);
        for (length, span) in lengths.iter().rev().skip(1) {
            if *length == Length::Timeline {
                let help = "give the earlier stages a fixed length, as in `for: 30s`";
                problems.error(Code::E066, *span, "only the last stage can last as long as the timeline", help);
            }
        }
        let endless = lengths.iter().find(|(length, _)| *length == Length::Timeline);
        match (timeline, endless) {
            // A timeline that could not be read is there all the same.
            (None, _) if !root.sound => {}
            (None, Some((_, span))) => {
                problems.error(Code::E063, *span, "there is no timeline", "write a duration: `for: 30s`");
            }
            (None, None) if lengths.is_empty() && (load.rate.is_some() || load.users.is_some()) => {
                let message = "nothing says how long the load lasts";
                problems.error(Code::E012, name.span, message, "add `for: 30s`");
            }
            (Some(timeline), None) if !lengths.is_empty() => {
                let total = lengths.iter().map(|(length, _)| match length {
                    Length::Fixed(length) => *length,
                    Length::Timeline => Duration::ZERO,
                });
                let total = total.fold(Duration::ZERO, Duration::saturating_add);
                let needed = warmup.saturating_add(before).saturating_add(timeline);
                if total < needed {
                    let at = lengths.last().map_or(name.span, |(_, span)| *span);
                    let print = crate::units::print_duration;
                    let message = format!("the load lasts {}, the timeline up to {}", print(total), print(needed));
                    problems.error(Code::E061, at, message, "write `for: timeline`");
                }
            }
            _ => {}
        }
    }
}

/// The lengths of the pieces of a load with their places; empty when it says nothing.
fn lengths(load: &Load) -> Vec<(Length, Span)> {
    let Some(stages) = &load.stages else {
        return load.lasts.iter().map(|lasts| (lasts.value, lasts.span)).collect();
    };
    let stages = stages.value.iter().filter_map(|stage| {
        let ramp = stage.over.as_ref().map(|over| (Length::Fixed(over.value), over.span));
        let hold = stage.lasts.as_ref().map(|lasts| (lasts.value, lasts.span));
        let step = stage.step.as_ref().map(|step| (Length::Fixed(step.length()), stage.span));
        let spike = stage.spike.as_ref().map(|spike| (Length::Fixed(spike.lasts), stage.span));
        ramp.or(hold).or(step).or(spike)
    });
    stages.collect()
}

fn warmup(load: &Load) -> Duration {
    let stages = load.stages.iter().flat_map(|stages| &stages.value).zip(lengths(load));
    let warm = stages.filter(|(stage, _)| stage.warmup == Some(true)).map(|(_, (length, _))| match length {
        Length::Fixed(length) => length,
        Length::Timeline => Duration::ZERO,
    });
    warm.fold(Duration::ZERO, Duration::saturating_add)
}
