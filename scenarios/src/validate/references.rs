//! Every name that refers to something must find it.

use crate::catalogue::TargetKind;
use crate::decode::Spanned;
use crate::diagnostic::{Code, Diagnostic, Problems};
use crate::interpolate::Filled;
use crate::metric::WindowName;
use crate::scenario::Root;
use crate::scenario::journeys::Step;
use crate::source::{Sources, Span};
use crate::words::nearest;

/// One list of names that can be referred to.
struct Names<'a> {
    what: &'static str,
    section: &'static str,
    code: Code,
    names: Vec<(&'a str, Option<Span>)>,
}

impl Names<'_> {
    /// Tells when a name is not in the list.
    fn check(&self, name: &Spanned<String>, sources: &Sources, problems: &mut Problems) {
        if self.names.iter().any(|(known, _)| *known == name.value) {
            return;
        }
        let near = nearest(&name.value, self.names.iter().map(|(known, _)| *known));
        let help = match near {
            Some(near) => {
                let place = self.names.iter().find(|(known, _)| *known == near).and_then(|(_, place)| *place);
                match place {
                    Some(place) => format!("did you mean `{near}`? ({})", sources.line(place)),
                    None => format!("did you mean `{near}`?"),
                }
            }
            None if self.names.is_empty() => format!("define it under `{}`", self.section),
            None => {
                let known: Vec<String> = self.names.iter().take(10).map(|(known, _)| format!("`{known}`")).collect();
                format!("known are {}", known.join(", "))
            }
        };
        let shown: String = name.value.chars().take(60).collect();
        let message = format!("unknown {} `{}`", self.what, shown.escape_debug());
        let label = format!("not defined under `{}`", self.section);
        problems.push(Diagnostic::error(self.code, name.span, message, help).label(label));
    }
}

fn names<'a, T>(
    what: &'static str,
    section: &'static str,
    code: Code,
    things: Option<&'a crate::decode::Named<T>>,
) -> Names<'a> {
    let names =
        things.iter().flat_map(|things| things.0.iter().map(|(name, _)| (name.value.as_str(), Some(name.span))));
    Names { what, section, code, names: names.collect() }
}

pub(super) fn check(root: &Root, filled: &Filled, sources: &Sources, problems: &mut Problems) {
    let targets = names("target", "targets", Code::E031, root.targets.as_ref());
    let services = names("service", "services", Code::E037, root.services.as_ref());
    let links = names("link", "links", Code::E038, root.links.as_ref());
    let auth = names("identity", "auth", Code::E039, root.auth.as_ref());
    let feeders = names("feeder", "feeders", Code::E039, root.feeders.as_ref());
    for (_, target) in root.targets.iter().flat_map(|targets| targets.iter()) {
        target.service.iter().for_each(|name| services.check(name, sources, problems));
        target.link.iter().for_each(|name| links.check(name, sources, problems));
    }
    for (name, journey) in root.journeys.iter().flat_map(|journeys| journeys.iter()) {
        load_target(root, journey.target.as_ref(), name.span, &targets, sources, problems);
        journey.auth.iter().for_each(|name| auth.check(name, sources, problems));
        for name in journey.feed.iter().flat_map(|feed| &feed.value.0) {
            feeders.check(name, sources, problems);
        }
    }
    check_load(root, (&targets, &auth, &feeders), sources, problems);
    check_scopes(root, sources, problems);
    for probe in root.steady_state.iter().flat_map(|state| state.probes.iter().flatten()) {
        if let Some(http) = &probe.http {
            load_target(root, http.target.as_ref(), probe.id.span, &targets, sources, problems);
        }
    }
    let slos = names("objective", "slos", Code::E036, root.slos.as_ref());
    for name in root.steady_state.iter().flat_map(|state| state.all_of.iter().flatten()) {
        slos.check(name, sources, problems);
    }
    super::timeline::for_each_fault(root, |fault| {
        targets.check(&fault.target, sources, problems);
        fault.from.iter().for_each(|name| targets.check(name, sources, problems));
    });
    check_addresses(root, filled, (&services, &links), sources, problems);
}

fn check_load(
    root: &Root,
    (targets, auth, feeders): (&Names<'_>, &Names<'_>, &Names<'_>),
    sources: &Sources,
    problems: &mut Problems,
) {
    let journeys = names("journey", "journeys", Code::E032, root.journeys.as_ref());
    for (name, load) in root.loads() {
        load.journey.iter().for_each(|name| journeys.check(name, sources, problems));
        for (name, _) in load.mix.iter().flat_map(|mix| &mix.value.0) {
            journeys.check(name, sources, problems);
        }
        if let Some(mix) = &load.mix {
            let sum: f64 = mix.value.0.iter().map(|(_, share)| share.value.0).sum();
            if (sum - 1.0).abs() > 1e-6 {
                let message = format!("the shares of the mix add up to {:.4}%", sum * 100.0);
                problems.error(Code::E028, mix.span, message, "they must add up to 100%");
            }
        }
        if load.step.is_some() {
            load_target(root, load.target.as_ref(), name.span, targets, sources, problems);
            load.auth.iter().for_each(|name| auth.check(name, sources, problems));
            for name in load.feed.iter().flat_map(|feed| &feed.value.0) {
                feeders.check(name, sources, problems);
            }
            if let Some(twin) = root.journeys.as_ref().and_then(|journeys| journeys.place_of(&name.value)) {
                let message = format!("`{}` is also the name of a journey", name.value);
                let help = format!("rename one of them; the journey is at {}", sources.line(twin));
                problems.error(Code::E064, name.span, message, help);
            }
        }
    }
}

/// Load goes to a `url` or a `service`: the one that is named, or the only one there is.
fn load_target(
    root: &Root,
    name: Option<&Spanned<String>>,
    at: Span,
    targets: &Names<'_>,
    sources: &Sources,
    problems: &mut Problems,
) {
    let Some(name) = name else {
        if root.default_target().is_none() && root.targets_are_sound() {
            let message = "which target does the load go to?";
            let help = "write `target:`; it may be left out if exactly one target is a `url` or a `service`";
            problems.error(Code::E065, at, message, help);
        }
        return;
    };
    targets.check(name, sources, problems);
    let kind = root.targets.as_ref().and_then(|targets| targets.get(&name.value)).and_then(|target| target.kind());
    if let Some(kind) = kind.filter(|kind| !matches!(kind, TargetKind::Url | TargetKind::Service)) {
        let message = format!("load cannot go to `{}`, which is a {}", name.value, kind.word());
        problems.push(
            Diagnostic::error(Code::E065, name.span, message, "name a target of kind `url` or `service`")
                .label("cannot take requests"),
        );
    }
}

/// `journey:`, `step:` and `window:` of objectives, guardrails and gates.
fn check_scopes(root: &Root, sources: &Sources, problems: &mut Problems) {
    let slos = root.slos.iter().flat_map(|slos| slos.iter()).map(|(_, slo)| (&slo.journey, &slo.step));
    let guards = root.abort_if.iter().flatten().map(|guard| (&guard.journey, &guard.step));
    let gates = root.gates.iter().flatten().map(|gate| (&gate.journey, &gate.step));
    for (journey, step) in slos.chain(guards).chain(gates) {
        let mut known = names("journey", "journeys", Code::E032, root.journeys.as_ref());
        let short = root.loads().filter(|(_, load)| load.step.is_some());
        known.names.extend(short.map(|(name, _)| (name.value.as_str(), Some(name.span))));
        journey.iter().for_each(|journey| known.check(journey, sources, problems));
        if let Some(step) = step {
            let journey = journey.as_ref().map(|journey| journey.value.as_str());
            let owned = step_ids(root, journey);
            let steps = owned.iter().map(|id| (id.as_str(), None)).collect();
            let steps = Names { what: "step", section: "steps", code: Code::E033, names: steps };
            steps.check(step, sources, problems);
        }
    }
    for gate in root.gates.iter().flatten() {
        if let Some(window) = &gate.window {
            check_window(root, window, sources, problems);
        }
    }
}

/// The ids of the requests of one journey, or of all.
fn step_ids(root: &Root, journey: Option<&str>) -> Vec<String> {
    let wanted = |name: &str| journey.is_none_or(|journey| journey == name);
    let journeys = root.journeys.iter().flat_map(|journeys| journeys.iter());
    let of_journeys = journeys
        .filter(|(name, _)| wanted(&name.value))
        .flat_map(|(_, journey)| journey.steps.iter().enumerate())
        .filter(|(_, step)| step.think.is_none())
        .map(|(index, step)| step_id(index, step));
    let of_loads = root
        .loads()
        .filter(|(name, _)| wanted(&name.value))
        .filter_map(|(_, load)| load.step.as_ref())
        .map(|step| step.id.as_ref().map_or_else(|| "main".to_owned(), |id| id.value.0.clone()));
    of_journeys.chain(of_loads).collect()
}

/// The id of a step: its own, or by its position.
pub(crate) fn step_id(index: usize, step: &Step) -> String {
    step.id.as_ref().map_or_else(|| format!("step-{}", index + 1), |id| id.value.0.clone())
}

fn check_window(root: &Root, window: &Spanned<WindowName>, sources: &Sources, problems: &mut Problems) {
    let missing = match &window.value {
        WindowName::Run => return,
        WindowName::Fault(id) | WindowName::Recovery(id) => {
            let ids = super::timeline::fault_ids(root);
            let names = ids.iter().map(|(id, span)| (id.as_str(), Some(*span))).collect();
            let names = Names { what: "fault", section: "timeline", code: Code::E034, names };
            names.check(&Spanned { value: id.clone(), span: window.span }, sources, problems);
            return;
        }
        WindowName::Baseline => !super::timeline::has_baseline(root),
        WindowName::Warmup => !root.loads().any(|(_, load)| {
            load.stages.iter().flat_map(|stages| &stages.value).any(|stage| stage.warmup == Some(true))
        }),
    };
    if missing {
        let help = if window.value == WindowName::Baseline {
            "add `- baseline: 60s` to the timeline"
        } else {
            "mark a stage of the load with `warmup: true`"
        };
        problems.error(Code::E034, window.span, format!("there is no window `{}`", window.value), help);
    }
}

/// `${services.x.url}` and `${links.x.url}`: the thing exists, and stands for one address where one is wanted.
fn check_addresses(
    root: &Root,
    filled: &Filled,
    (services, links): (&Names<'_>, &Names<'_>),
    sources: &Sources,
    problems: &mut Problems,
) {
    let instances = |service: &str| {
        let service = root.services.as_ref().and_then(|services| services.get(service));
        service.and_then(|service| service.instances.as_ref()).map_or(1, |instances| instances.value)
    };
    for used in &filled.addresses {
        let name = Spanned { value: used.name.clone(), span: used.span };
        let count = if used.section == "services" {
            services.check(&name, sources, problems);
            instances(&used.name)
        } else {
            links.check(&name, sources, problems);
            let link = root.links.as_ref().and_then(|links| links.get(&used.name));
            link.map_or(1, |link| instances(&link.to.value))
        };
        if count > 1 && !used.all {
            let message = format!("`{}.{}` has {count} addresses", used.section, used.name);
            let help = format!("`${{{}.{}.urls}}` gives all of them, comma-separated", used.section, used.name);
            problems.error(Code::E069, used.span, message, help);
        }
    }
}
