//! The timeline.

use super::targets::resolved;
use super::{MAX_AFFECTED, PREFLIGHT, Resolver};
use crate::address::Url;
use crate::catalogue::{self, FaultKind, Lasts, TargetKind};
use crate::decode::{Pairs, Spanned};
use crate::diagnostic::Code;
use crate::plan::{Delayed, Fault, Item, LoadChange, ParamValue, Params, Piece, Repeat, Target, Text};
use crate::scenario::timeline as written;
use crate::source::Span;
use crate::units::{CountOrShare, Factor};
use crate::validate;

impl Resolver<'_> {
    pub(super) fn timeline(&mut self) -> Vec<Item> {
        let mut ids = validate::fault_ids(self.root).into_iter().map(|(id, _)| id);
        let items = self.root.timeline.iter().flatten();
        items.filter_map(|item| self.item(item, &mut ids)).collect()
    }

    fn item(&mut self, item: &written::Item, ids: &mut impl Iterator<Item = String>) -> Option<Item> {
        if let Some(length) = &item.baseline {
            return Some(Item::Baseline(length.value));
        }
        if let Some(length) = &item.pause {
            return Some(Item::Pause(length.value));
        }
        if let Some(recover) = &item.recover {
            return Some(Item::Recover { within: recover.within.value });
        }
        if let Some(load) = &item.load {
            return Some(Item::Load(self.load_changes(load)));
        }
        if let Some(fault) = &item.fault {
            let id = ids.next()?;
            return self.fault(fault, id).map(|fault| Item::Fault(Box::new(fault)));
        }
        let group = item.parallel.as_ref()?;
        let mut delayed = Vec::new();
        for inner in &group.value {
            if let Some(item) = self.item(inner, ids) {
                let delay = inner.delay.as_ref().map(|delay| delay.value).unwrap_or_default();
                delayed.push(Delayed { delay, item });
            }
        }
        Some(Item::Parallel(delayed))
    }

    /// A mapping whose only factor could not be read is empty as well, so this is asked only of what is valid otherwise.
    fn load_changes(&mut self, load: &Spanned<Pairs<Spanned<Factor>>>) -> Vec<LoadChange> {
        if load.value.0.is_empty() {
            let help = "name an entry: `load: { shoppers: 2x }`";
            self.problems.error(Code::E028, load.span, "a change of no load", help);
        }
        let changes = load.value.0.iter();
        changes.map(|(name, factor)| LoadChange { load: name.value.clone(), factor: factor.value.0 }).collect()
    }

    fn fault(&mut self, fault: &written::Fault, id: String) -> Option<Fault> {
        let kind = FaultKind::find(&fault.kind.value)?;
        let mut with = self.params(kind, fault);
        if kind.name == "exec" {
            self.place_command(&mut with);
        }
        let target = self.root.targets.as_ref().and_then(|targets| targets.get(&fault.target.value));
        let target_kind = target.and_then(|target| target.kind());
        self.check_built(kind, fault, target_kind);
        let own = fault.max_affected.or(self.root.safety.as_ref().and_then(|safety| safety.max_affected));
        let default = if target_kind == Some(TargetKind::Link) { CountOrShare::All } else { CountOrShare::Count(1) };
        Some(Fault {
            id,
            kind: kind.name,
            target: fault.target.value.clone(),
            pick: fault.pick.as_ref().map_or(default, |pick| pick.value),
            max_affected: own.unwrap_or(MAX_AFFECTED),
            allow_empty: fault.allow_empty.unwrap_or(false),
            follow: fault.follow.as_ref().is_some_and(|follow| follow.value),
            lasts: fault.lasts.as_ref().map(|lasts| lasts.value),
            repeat: fault.repeat.as_ref().and_then(|repeat| repeat_of(&repeat.value)),
            with,
            from: self.peer(fault),
            place: self.sources.line(fault.span),
        })
    }

    /// The parameters; a `direction:` at the fault counts as one under `with:`.
    fn params(&mut self, kind: &'static FaultKind, fault: &written::Fault) -> Params {
        let mut with = catalogue::read(kind, fault.with.as_ref(), fault.kind.span, self.problems);
        if with.durations("table").is_some() {
            with.0.insert("distribution", ParamValue::Word("table"));
        }
        let Some(direction) = &fault.direction else { return with };
        let given_twice = fault.with.as_ref().is_some_and(|with| with.get("direction").is_some());
        if given_twice {
            let help = "keep one of them";
            self.problems.error(Code::E054, direction.span, "`direction` is also given under `with`", help);
        } else if kind.param("direction").is_none() {
            let message = format!("`{}` has no direction", kind.name);
            self.problems.error(Code::E054, direction.span, message, "remove `direction`");
        }
        with.0.insert("direction", ParamValue::Word(direction.value.word()));
        with
    }

    /// Commands work where the scenario lies, as services do, wherever brunt was started.
    fn place_command(&self, with: &mut Params) {
        let given = with.text("cwd").cloned();
        let cwd = match given {
            Some(Text(pieces)) => match pieces.as_slice() {
                [Piece::Literal(path)] => self.folder.join(path),
                _ => return,
            },
            None => self.folder.clone(),
        };
        with.0.insert("cwd", ParamValue::Text(Text::literal(cwd.display().to_string())));
    }

    /// What this version cannot do about a fault, each with the place of what asks for it.
    fn check_built(&mut self, kind: &FaultKind, fault: &written::Fault, target: Option<TargetKind>) {
        self.check_follow(kind, fault, target);
        self.check_peer(kind, fault, target);
        self.check_container(kind, fault);
        self.check_who(kind, fault);
        let Some(target) = target.filter(|target| kind.takes.contains(target)) else { return };
        if kind.needs_packets(target) && !kind.built.contains(&target) {
            let what = format!(
                "`{}` on a {} target acts on packets and needs {}, which is not built yet; on a link it can act on streams",
                kind.name,
                target.word(),
                kind.missing_rung()
            );
            self.cannot(fault.kind.span, what, PREFLIGHT);
        } else if !kind.built.contains(&target) {
            let mut what = format!("`{}` on a {} target is not built yet", kind.name, target.word());
            if let (TargetKind::Docker, Some(act)) = (target, kind.name.strip_prefix("process.")) {
                what += &format!("; `container.{act}` does that to containers");
            }
            self.not_built(fault.kind.span, what);
        } else {
            self.check_tls(kind, &fault.target, fault.kind.span);
        }
    }

    /// Whoever replaces a victim is known of pods only, and only what an agent does inside of them is done to another one, too.
    fn check_follow(&mut self, kind: &FaultKind, fault: &written::Fault, target: Option<TargetKind>) {
        let Some(follow) = fault.follow.as_ref().filter(|follow| follow.value) else { return };
        let inside = kind.name.starts_with("network.") || matches!(kind.name, "process.pause" | "stress.cpu");
        if kind.lasts == Lasts::Instant {
            let message = format!("`{}` is over at once, so that nothing can be followed", kind.name);
            self.problems.error(Code::E054, follow.span, message, "remove `follow`");
        } else if let Some(target) = target.filter(|target| *target != TargetKind::Kubernetes || !inside) {
            let what = match target {
                TargetKind::Kubernetes => {
                    format!(
                        "`follow` at `{}` is not built yet; faults on packets, `process.pause` and `stress.cpu` in pods have it",
                        kind.name
                    )
                }
                other => format!("`follow` on a {} target is not built yet; kubernetes targets have it", other.word()),
            };
            self.not_built(follow.span, what);
        }
    }

    /// A fault through the API has no use for one container of a pod; containers of a pod share its network. Processes are for
    /// faults on processes, and those need them.
    fn check_container(&mut self, kind: &FaultKind, fault: &written::Fault) {
        let target = self.root.targets.as_ref().and_then(|targets| targets.get(&fault.target.value));
        let Some(pods) = target.and_then(|target| target.kubernetes.as_ref()) else { return };
        if !kind.takes.contains(&TargetKind::Kubernetes) {
            return;
        }
        let on_processes = kind.name.starts_with("process.");
        match &pods.process {
            None if on_processes => {
                let help = "say which, in the target: `process: { name: worker }`";
                self.problems.error(
                    Code::E013,
                    fault.target.span,
                    "nothing says which processes of the pods are meant",
                    help,
                );
            }
            Some(_) if !on_processes => {
                let message = format!("`{}` acts on whole pods, and this target means processes in them", kind.name);
                let help = "use another target, without `process`";
                self.problems.error(Code::E054, fault.target.span, message, help);
            }
            _ => {}
        }
        let inside = on_processes || kind.needs_packets(TargetKind::Kubernetes);
        if let Some(container) = pods.container.as_ref().filter(|_| !inside) {
            let what = format!(
                "`{}` on one container of a pod (`container`) is not built yet; it acts on whole pods",
                kind.name
            );
            self.not_built(container.span, what);
        }
    }

    fn peer(&self, fault: &written::Fault) -> Option<(String, Target)> {
        let name = &fault.from.as_ref()?.value;
        let target = self.root.targets.as_ref()?.get(name)?;
        Some((name.clone(), resolved(target)?))
    }

    /// A target that is a whole namespace is for faults on namespaces, and those take no other one. Those on deployments want
    /// the name of one.
    fn check_who(&mut self, kind: &FaultKind, fault: &written::Fault) {
        let named = self.root.targets.as_ref().and_then(|targets| targets.get(&fault.target.value));
        let Some(Target::Kubernetes(wanted)) = named.and_then(resolved) else { return };
        match (kind.name.starts_with("namespace."), wanted.is_whole_namespace()) {
            (true, false) => {
                let message = format!("`{}` acts on a whole namespace, and this target is part of one", kind.name);
                let help = "use a target with `namespace`, and without `selector` and the like";
                self.problems.error(Code::E013, fault.target.span, message, help);
            }
            (false, true) => {
                let help = "give the target a `selector`, `fields`, an `owner`, a `node` or a `zone`";
                self.problems.error(Code::E013, fault.target.span, "nothing says which pods are meant", help);
            }
            (false, false) if kind.name.starts_with("deployment.") && !wanted.names_a_deployment() => {
                let message = format!("`{}` acts on a deployment, and this target names none", kind.name);
                let help = "name it in the target: `owner: deployment/payment`";
                self.problems.error(Code::E013, fault.target.span, message, help);
            }
            _ => {}
        }
    }

    /// `from` tells packets apart by the address at their other end: there must be packets, and an address.
    fn check_peer(&mut self, kind: &FaultKind, fault: &written::Fault, target: Option<TargetKind>) {
        let Some(from) = &fault.from else { return };
        if target.is_some_and(|target| !kind.needs_packets(target)) {
            let help = match target {
                Some(TargetKind::Link) => {
                    "remove `from`: a link is between two already, so give each pair a link of its own"
                }
                _ => "remove `from`",
            };
            self.problems.error(Code::E054, from.span, format!("`{}` on this target has no `from`", kind.name), help);
            return;
        }
        let named = self.root.targets.as_ref().and_then(|targets| targets.get(&from.value));
        let service = named.and_then(|target| self.root.services.as_ref()?.get(&target.service.as_ref()?.value));
        if service.is_some_and(|service| service.isolate.as_ref().is_some_and(|isolate| isolate.value)) {
            return;
        }
        let peer = named.and_then(|target| target.kind());
        let has_addresses = |peer: &TargetKind| {
            matches!(peer, TargetKind::Url | TargetKind::Netns | TargetKind::Docker | TargetKind::Kubernetes)
        };
        if let Some(peer) = peer.filter(|peer| !has_addresses(peer)) {
            let what = format!(
                "`from` a {} target is not built yet; a url, netns, docker or kubernetes target is, and a \
                 service with `isolate: true`",
                peer.word()
            );
            self.not_built(from.span, what);
        }
    }

    /// `http.*` needs to read what passes.
    fn check_tls(&mut self, kind: &FaultKind, target: &Spanned<String>, at: Span) {
        if !kind.name.starts_with("http.") {
            return;
        }
        let link = self.root.targets.as_ref().and_then(|targets| targets.get(&target.value)?.link.as_ref());
        let link = link.and_then(|link| Some((link, self.root.links.as_ref()?.get(&link.value)?)));
        if let Some((name, link)) = link
            && link.to.value.parse::<Url>().is_ok_and(|url| url.https)
        {
            let what = format!("`{}` cannot act on the link `{}`: what passes there is TLS", kind.name, name.value);
            self.cannot(at, what, PREFLIGHT);
        }
    }
}

/// Once is no repetition.
fn repeat_of(repeat: &written::Repeat) -> Option<Repeat> {
    let times = u32::try_from(repeat.times.value).ok().filter(|times| *times > 1)?;
    Some(Repeat { times, every: repeat.every.value })
}
