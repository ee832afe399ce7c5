//! Every name that refers to something must find it.

mod names;

use std::collections::HashMap;

use names::Names;

use crate::catalogue::TargetKind;
use crate::decode::{OneOrMany, Spanned};
use crate::diagnostic::{Code, Diagnostic, Problems};
use crate::interpolate::Filled;
use crate::metric::WindowName;
use crate::scenario::Root;
use crate::scenario::feeders::Strategy;
use crate::scenario::journeys::Step;
use crate::scenario::load::Load;
use crate::source::{Sources, Span};

pub(super) fn check(root: &Root, filled: &Filled, sources: &Sources, problems: &mut Problems) {
    let mut checker = Checker::new(root, sources, problems);
    checker.targets();
    checker.journeys();
    checker.loads();
    checker.scopes();
    checker.steady_state();
    checker.faults();
    checker.addresses(filled);
}

struct Checker<'r> {
    root: &'r Root,
    problems: &'r mut Problems,
    sources: &'r Sources,
    targets: Names<'r>,
    services: Names<'r>,
    links: Names<'r>,
    auth: Names<'r>,
    feeders: Names<'r>,
    /// Load needs no target: exactly one can be meant, or nobody knows because some could not be read.
    has_default_target: bool,
}

impl<'r> Checker<'r> {
    fn new(root: &'r Root, sources: &'r Sources, problems: &'r mut Problems) -> Self {
        Self {
            root,
            problems,
            sources,
            targets: Names::of("target", "targets", Code::E031, root.targets.as_ref()),
            services: Names::of("service", "services", Code::E037, root.services.as_ref()),
            links: Names::of("link", "links", Code::E038, root.links.as_ref()),
            auth: Names::of("identity", "auth", Code::E039, root.auth.as_ref()),
            feeders: Names::of("feeder", "feeders", Code::E039, root.feeders.as_ref()),
            has_default_target: root.default_target().is_some() || !root.targets_are_sound(),
        }
    }

    fn targets(&mut self) {
        for (_, target) in self.root.targets.iter().flat_map(|targets| targets.iter()) {
            target.service.iter().for_each(|name| self.services.check(name, self.sources, self.problems));
            target.link.iter().for_each(|name| self.links.check(name, self.sources, self.problems));
        }
    }

    fn journeys(&mut self) {
        for (name, journey) in self.root.journeys.iter().flat_map(|journeys| journeys.iter()) {
            self.load_target(journey.target.as_ref(), name.span);
            journey.auth.iter().for_each(|name| self.auth.check(name, self.sources, self.problems));
            for name in journey.feed.iter().flat_map(|feed| &feed.value.0) {
                self.feeders.check(name, self.sources, self.problems);
            }
        }
    }

    fn loads(&mut self) {
        let journeys = Names::of("journey", "journeys", Code::E032, self.root.journeys.as_ref());
        for (name, load) in self.root.loads() {
            load.journey.iter().for_each(|name| journeys.check(name, self.sources, self.problems));
            for (name, _) in load.mix.iter().flat_map(|mix| &mix.value.0) {
                journeys.check(name, self.sources, self.problems);
            }
            self.mix(load);
            if load.step.is_some() {
                self.short_form(name, load);
            }
        }
        self.unique_feeders();
    }

    /// Each row of a `unique` feeder comes once; two loads that take from it would each begin at its first row.
    fn unique_feeders(&mut self) {
        let root = self.root;
        let unique = root.feeders.iter().flat_map(|feeders| feeders.iter());
        for (feeder, _) in unique.filter(|(_, feeder)| feeder.strategy == Some(Strategy::Unique)) {
            let takes = |feed: &Option<Spanned<OneOrMany<Spanned<String>>>>| {
                feed.iter().flat_map(|feed| &feed.value.0).any(|name| name.value == feeder.value)
            };
            let journeys = root.journeys.iter().flat_map(|journeys| journeys.iter());
            let journeys: Vec<&str> =
                journeys.filter(|(_, journey)| takes(&journey.feed)).map(|(name, _)| name.value.as_str()).collect();
            let mut loads = root.loads().filter(|(_, load)| {
                let mixed = load.mix.iter().flat_map(|mix| &mix.value.0).map(|(name, _)| name);
                let named = load.journey.iter().chain(mixed).any(|name| journeys.contains(&name.value.as_str()));
                named || takes(&load.feed)
            });
            let (Some((first, _)), Some((second, _))) = (loads.next(), loads.next()) else { continue };
            let message = format!("`{}` and `{}` both take each row of `{}`", first.value, second.value, feeder.value);
            let help = "`unique` rows come once: give each load a feeder of its own, or use another strategy";
            self.problems.error(Code::E066, second.span, message, help);
        }
    }

    fn mix(&mut self, load: &Load) {
        let Some(mix) = &load.mix else { return };
        let sum: f64 = mix.value.0.iter().map(|(_, share)| share.value.0).sum();
        if (sum - 1.0).abs() > 1e-6 {
            let message = format!("the shares of the mix add up to {}", crate::units::Share(sum));
            self.problems.error(Code::E028, mix.span, message, "they must add up to 100%");
        }
    }

    /// A load entry with a step of its own is a journey with the entry's name.
    fn short_form(&mut self, name: &Spanned<String>, load: &Load) {
        self.load_target(load.target.as_ref(), name.span);
        load.auth.iter().for_each(|name| self.auth.check(name, self.sources, self.problems));
        for name in load.feed.iter().flat_map(|feed| &feed.value.0) {
            self.feeders.check(name, self.sources, self.problems);
        }
        if let Some(twin) = self.root.journeys.as_ref().and_then(|journeys| journeys.place_of(&name.value)) {
            let message = format!("`{}` is also the name of a journey", name.value);
            let problem = Diagnostic::error(Code::E064, name.span, message, "rename one of them");
            self.problems.push(problem.also(twin, "the journey"));
        }
    }

    /// Load goes to a `url` or a `service`: the one that is named, or the only one there is.
    fn load_target(&mut self, name: Option<&Spanned<String>>, at: Span) {
        let Some(name) = name else {
            if !self.has_default_target {
                let message = "which target does the load go to?";
                let help = "write `target:`; it may be left out if exactly one target is a `url` or a `service`";
                self.problems.error(Code::E065, at, message, help);
            }
            return;
        };
        self.targets.check(name, self.sources, self.problems);
        let target = self.root.targets.as_ref().and_then(|targets| targets.get(&name.value));
        let kind = target.and_then(|target| target.kind());
        if let Some(kind) = kind.filter(|kind| !matches!(kind, TargetKind::Url | TargetKind::Service)) {
            let message = format!("load cannot go to `{}`, a target of kind `{}`", name.value, kind.word());
            let help = "name a target of kind `url` or `service`";
            self.problems.push(Diagnostic::error(Code::E065, name.span, message, help).label("cannot take requests"));
        }
    }

    /// `journey:`, `step:` and `window:` of objectives, guardrails and gates.
    fn scopes(&mut self) {
        let root = self.root;
        let mut journeys = Names::of("journey", "journeys", Code::E032, root.journeys.as_ref());
        for (name, load) in root.loads() {
            if load.step.is_some() {
                journeys.add(&name.value, Some(name.span));
            }
        }
        let mut steps: HashMap<Option<&str>, Option<Names<'_>>> = HashMap::new();
        let slos = root.slos.iter().flat_map(|slos| slos.iter()).map(|(_, slo)| (&slo.journey, &slo.step));
        let guards = root.abort_if.iter().flatten().map(|guard| (&guard.journey, &guard.step));
        let gates = root.gates.iter().flatten().map(|gate| (&gate.journey, &gate.step));
        for (journey, step) in slos.chain(guards).chain(gates) {
            journey.iter().for_each(|journey| journeys.check(journey, self.sources, self.problems));
            let Some(step) = step else { continue };
            let journey = journey.as_ref().map(|journey| journey.value.as_str());
            let known = steps.entry(journey).or_insert_with(|| step_names(root, journey));
            if let Some(known) = known {
                known.check(step, self.sources, self.problems);
            }
        }
        self.windows();
    }

    fn windows(&mut self) {
        let root = self.root;
        let ids = super::timeline::fault_ids(root);
        let mut faults = Names::empty("fault", "timeline", Code::E034);
        ids.iter().for_each(|(id, span)| faults.add(id, Some(*span)));
        let has_warmup = root
            .loads()
            .flat_map(|(_, load)| load.stages.iter().flat_map(|stages| &stages.value))
            .any(|stage| stage.warmup == Some(true));
        for window in root.gates.iter().flatten().filter_map(|gate| gate.window.as_ref()) {
            let help = match &window.value {
                WindowName::Fault(id) | WindowName::Recovery(id) => {
                    let id = Spanned { value: id.clone(), span: window.span };
                    faults.check(&id, self.sources, self.problems);
                    continue;
                }
                WindowName::Baseline if !super::timeline::has_baseline(root) => "add `- baseline: 60s` to the timeline",
                WindowName::Warmup if !has_warmup => "mark a stage of the load with `warmup: true`",
                WindowName::Run | WindowName::Baseline | WindowName::Warmup => continue,
            };
            self.problems.error(Code::E034, window.span, format!("there is no window `{}`", window.value), help);
        }
    }

    fn steady_state(&mut self) {
        let Some(state) = &self.root.steady_state else { return };
        for probe in state.probes.iter().flatten() {
            if let Some(http) = &probe.http {
                self.load_target(http.target.as_ref(), probe.id.span);
            }
            if let Some(kubernetes) = &probe.kubernetes {
                self.targets.check(&kubernetes.target, self.sources, self.problems);
            }
        }
        let slos = Names::of("objective", "slos", Code::E036, self.root.slos.as_ref());
        for name in state.all_of.iter().flatten() {
            slos.check(name, self.sources, self.problems);
        }
    }

    fn faults(&mut self) {
        super::timeline::for_each_fault(self.root, |fault| {
            self.targets.check(&fault.target, self.sources, self.problems);
            fault.from.iter().for_each(|name| self.targets.check(name, self.sources, self.problems));
        });
    }

    /// `${services.x.url}` and `${links.x.url}`: the thing exists, and stands for one address where one is wanted.
    fn addresses(&mut self, filled: &Filled) {
        for used in &filled.addresses {
            let name = Spanned { value: used.name.clone(), span: used.span };
            let count = if used.section == "services" {
                self.services.check(&name, self.sources, self.problems);
                self.instances(&used.name)
            } else {
                self.links.check(&name, self.sources, self.problems);
                let link = self.root.links.as_ref().and_then(|links| links.get(&used.name));
                link.map_or(1, |link| self.instances(&link.to.value))
            };
            if count > 1 && !used.all {
                let message = format!("`{}.{}` has {count} addresses", used.section, used.name);
                let help = format!("`${{{}.{}.urls}}` gives all of them, comma-separated", used.section, used.name);
                self.problems.error(Code::E069, used.span, message, help);
            }
        }
    }

    fn instances(&self, service: &str) -> u64 {
        let service = self.root.services.as_ref().and_then(|services| services.get(service));
        service.and_then(|service| service.instances.as_ref()).map_or(1, |instances| instances.value)
    }
}

/// The ids of the requests of one journey, or of all; `None` when one of them could not be read, so nobody can tell.
fn step_names<'r>(root: &'r Root, journey: Option<&str>) -> Option<Names<'r>> {
    let wanted = |name: &str| journey.is_none_or(|journey| journey == name);
    let mut names = Names::empty("step", "steps", Code::E033);
    for (name, journey) in root.journeys.iter().flat_map(|journeys| &journeys.0) {
        if wanted(&name.value) {
            let journey = journey.as_ref().filter(|journey| journey.sound)?;
            for (index, step) in journey.steps.iter().enumerate().filter(|(_, step)| step.think.is_none()) {
                names.add(&step_id(index, step), None);
            }
        }
    }
    for (name, load) in root.load.iter().flat_map(|load| &load.value.0) {
        if wanted(&name.value) {
            let load = load.as_ref().filter(|load| load.sound)?;
            if let Some(step) = &load.step {
                names.add(step.id.as_ref().map_or(crate::resolve::SHORT_STEP, |id| id.value.0.as_str()), None);
            }
        }
    }
    Some(names)
}

/// The id of a step: its own, or by its position.
pub(crate) fn step_id(index: usize, step: &Step) -> String {
    step.id.as_ref().map_or_else(|| format!("step-{}", index + 1), |id| id.value.0.clone())
}
