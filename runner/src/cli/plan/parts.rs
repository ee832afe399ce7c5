//! Services, links, steady state, faults, gates: one row each.

use brunt_injector::catalogue::{self, Entry};
use brunt_injector::{ResolveError, Victims, resolve_dry};
use brunt_scenario::catalogue::TargetKind;
use brunt_scenario::metric::{Metric, Unit};
use brunt_scenario::plan::{Bound, Fault, Gate, Limit, LinkTo, Plan, ProbeKind, Ready, Scope, SteadyState};
use brunt_scenario::units::print_duration;

use super::Page;
use super::look::Look;
use crate::probe::cluster;
use crate::run::permission::command_line;

/// Processes that brunt will start.
pub fn services(page: &mut Page, plan: &Plan) {
    let rows: Vec<Vec<String>> = plan
        .services
        .iter()
        .map(|service| {
            let command: Vec<String> = service.run.iter().map(ToString::to_string).collect();
            let ready = match &service.ready {
                Ready::Http(path) => format!("GET {path}"),
                Ready::Tcp => "its port accepts".to_owned(),
                Ready::Log(regex) => format!("it prints /{regex}/"),
            };
            let within = print_duration(service.ready_within);
            vec![
                service.name.clone(),
                plural(service.instances, "instance") + if service.isolated { ", isolated" } else { "" },
                format!("`{}`, ready when {ready} within {within}", command.join(" ")),
            ]
        })
        .collect();
    page.section("services, started and stopped by brunt", &rows);
}

/// The network of isolated services: what is made on this host, and what becomes of it.
pub fn network(page: &mut Page, plan: &Plan) {
    let isolated = plan.services.iter().filter(|service| service.isolated).map(|service| service.instances).sum();
    if isolated == 0 {
        return;
    }
    let row = |word: &str, text: String| vec![word.to_owned(), text];
    let namespaces = format!("one for {}, and one between them that routes", plural(isolated, "instance"));
    let rows = [
        row("namespaces", namespaces),
        row(
            "addresses",
            "a range of 10.0.0.0/8 or 198.18.0.0/15 that no route of this host touches, and IPv6 twins".into(),
        ),
        row("on this host", "an interface brunt-XXXXXXXX with a route to that range, nothing else".into()),
        row("undone", "all of it ends with the agent, however that ends".into()),
    ];
    page.section("network of the isolated services", &rows);
}

/// Wires that brunt will put between them.
pub fn links(page: &mut Page, plan: &Plan) {
    let rows: Vec<Vec<String>> = plan
        .links
        .iter()
        .map(|link| {
            let to = match &link.to {
                LinkTo::Service(name) => format!("{name}, {}", plural(members(plan, name), "listener")),
                LinkTo::Address { host, port, .. } => format!("{host}:{port}, 1 listener"),
            };
            let listen = link.listen.as_ref().map(|listen| format!("{listen} ")).unwrap_or_default();
            vec![link.name.clone(), format!("{listen}-> {to}")]
        })
        .collect();
    page.section("links, through brunt's proxy", &rows);
}

/// The hypothesis.
pub fn steady_state(page: &mut Page, plan: &Plan) {
    let Some(steady) = &plan.steady_state else { return };
    let heading = match steady.title.as_str() {
        "" => "steady state".to_owned(),
        title => format!("steady state: {title}"),
    };
    page.section(&heading, &hypothesis(plan, steady));
}

fn hypothesis(plan: &Plan, steady: &SteadyState) -> Vec<Vec<String>> {
    let slos = steady.slos.iter().filter_map(|index| plan.slos.get(*index)).map(|slo| {
        let bound = bound(slo.bound, slo.metric.unit());
        vec![slo.id.clone(), format!("{} {bound} over {}", slo.metric, print_duration(slo.over))]
    });
    let probes = steady.probes.iter().map(|probe| {
        let may = cluster::all(plan).find(|(other, ..)| other.id == probe.id);
        let may_not = may.and_then(|(probe, wanted, expect)| cluster::check_one(probe, wanted, expect).err());
        let may_not = may_not.map_or_else(String::new, |why| format!("; cannot be asked: {why}"));
        let text = format!("{}, every {}{may_not}", asks(&probe.kind), print_duration(probe.every));
        vec![probe.id.clone(), text]
    });
    slos.chain(probes).collect()
}

/// Whether every probe may ask what it asks, as far as can be told before the run.
pub fn all_may_ask(plan: &Plan) -> bool {
    cluster::check(plan).is_ok()
}

/// What a probe asks.
fn asks(kind: &ProbeKind) -> String {
    match kind {
        ProbeKind::Http { target, path, status } => format!("GET {path} of {target} answers {status}"),
        ProbeKind::Tcp { address } => format!("{address} accepts a connection"),
        ProbeKind::Kubernetes { target, expect } => format!("{target} {expect}"),
        ProbeKind::Command { run, exit, .. } => {
            let words: Vec<String> = run.iter().map(ToString::to_string).collect();
            format!("`{}` ends with {exit}", words.join(" "))
        }
    }
}

/// Who is hit, how, with which rights, and how it is undone.
pub fn faults(page: &mut Page, look: &Look<'_>, image: &str) {
    let plan = look.plan;
    let mut rows = Vec::new();
    for (fault, found) in &look.faults {
        let cluster = found.as_ref().ok().and_then(|victims| victims.picked.first()?.object());
        let cluster = cluster.map(|object| vec![String::new(), "in".into(), object.cluster.to_string()]);
        rows.push(vec![fault.id.clone(), "hits".into(), in_words(found)]);
        rows.extend(cluster);
        if let Some((name, _)) = &fault.from {
            let text = format!("only what is exchanged with the addresses of `{name}`, as they are at that time");
            rows.push(vec![String::new(), "of that".into(), text]);
        }
        if fault.follow {
            let text = "and pods that replace one of them, once they are ready: as many are hit as were picked";
            rows.push(vec![String::new(), "follows".into(), text.into()]);
        }
        rows.extend(later_rounds(plan, fault, image));
        if let Some(run) = command_line(fault, "run") {
            let row = |word: &str, text: String| vec![String::new(), word.to_owned(), text];
            rows.push(row("runs", format!("`{run}` (needs --allow-exec)")));
            rows.push(row("undone", format!("by `{}`", command_line(fault, "undo").unwrap_or_default())));
            rows.push(row(
                "seen",
                match command_line(fault, "verify") {
                    Some(verify) => format!("while `{verify}` ends with exit status 0"),
                    None => "never: without `verify` the run is inconclusive (exit 5) at best".to_owned(),
                },
            ));
        } else if let Some((target, entry)) = mechanism(plan, fault) {
            let limit = entry.limit().map(|limit| format!(", {limit}")).unwrap_or_default();
            let inside = match entry.is_in_pods(target) {
                true => format!(", by an agent in an ephemeral container of each pod (image {image})"),
                false => String::new(),
            };
            let by = format!("{}{inside}{limit}; rights: {}", entry.rung, entry.privilege);
            rows.push(vec![String::new(), "by".into(), by]);
            rows.push(vec![String::new(), "seen".into(), entry.verified.to_owned()]);
            rows.push(vec![String::new(), "undone".into(), entry.undone.to_owned()]);
        }
    }
    page.section(&format!("faults (undone within {} if brunt dies)", print_duration(plan.safety.lease)), &rows);
}

/// How a fault is carried out, on which kind of target.
fn mechanism(plan: &Plan, fault: &Fault) -> Option<(TargetKind, Entry)> {
    let target = plan.targets.get(&fault.target)?.kind();
    Some((target, catalogue::of_fault(fault, target)?))
}

/// Whom the rounds after the first one hit, as far as it can be told before the run: an instance that is still down when a
/// later round begins cannot be hit again. The first ones of very many.
fn later_rounds(plan: &Plan, fault: &Fault, image: &str) -> Vec<Vec<String>> {
    const SHOWN: u32 = 20;
    let last = fault.rounds().min(SHOWN);
    let mut rows: Vec<Vec<String>> = (2..=last)
        .map(|round| {
            vec![String::new(), format!("round {round}"), in_words(&resolve_dry(plan, &fault.in_round(round), image))]
        })
        .collect();
    if fault.rounds() > SHOWN {
        rows.push(vec![String::new(), "rounds".into(), format!("{} more, each picked anew", fault.rounds() - SHOWN)]);
    }
    rows
}

/// `1 of 3: payments-1`, by the same seeded pick as the run's.
fn in_words(found: &Result<Victims, ResolveError>) -> String {
    match found {
        Ok(victims) if victims.picked.is_empty() => {
            "nobody: the target is empty, which `allow_empty` permits".to_owned()
        }
        Ok(victims) => victims.to_string(),
        Err(why) => format!("cannot tell: {why}"),
    }
}

fn members(plan: &Plan, service: &str) -> usize {
    plan.services.iter().find(|other| other.name == service).map_or(0, |service| service.instances)
}

/// What stops the run.
pub fn guardrails(page: &mut Page, plan: &Plan) {
    let rows: Vec<Vec<String>> = plan
        .guardrails
        .iter()
        .map(|guard| {
            let (word, limit) = match guard.bound {
                Bound::Max(limit) => ("above", limit),
                Bound::Min(limit) => ("below", limit),
            };
            let lasts = match guard.lasts.is_zero() {
                true => "at the first look".to_owned(),
                false => format!("at every look for {}", print_duration(guard.lasts)),
            };
            let text = format!(
                "{}{} over {}: {word} {} {lasts}",
                guard.metric,
                scope(&guard.scope),
                print_duration(guard.over),
                value(limit, guard.metric.unit())
            );
            vec![guard.id.clone(), text]
        })
        .collect();
    page.section("guardrails: stop, undo every fault, exit 4; warm-up included", &rows);
}

/// What is judged.
pub fn gates(page: &mut Page, plan: &Plan) {
    let rows: Vec<Vec<String>> = plan
        .gates
        .iter()
        .map(|gate| {
            let unit = gate.metric.unit();
            let limit = match gate.limit {
                Limit::Absolute(limit) => bound(limit, unit),
                Limit::MaxOfBaseline { factor, floor } => relative("at most", factor, "at least", floor, unit),
                Limit::MinOfBaseline { factor, floor } => relative("at least", factor, "at most", floor, unit),
            };
            let scope = scope(&gate.scope);
            let default = if is_default(gate, plan) { " (the default: the scenario has no gates)" } else { "" };
            vec![gate.id.clone(), format!("{}{scope} in {}: {limit}{default}", gate.metric, gate.window)]
        })
        .collect();
    page.section("gates", &rows);
}

fn scope(scope: &Scope) -> String {
    match (&scope.journey, &scope.step) {
        (Some(journey), Some(step)) => format!(" of {journey}.{step}"),
        (Some(only), None) | (None, Some(only)) => format!(" of {only}"),
        (None, None) => String::new(),
    }
}

/// The gate that is filled in where none is given. A scenario that is no file has no lines, so the bound decides too.
fn is_default(gate: &Gate, plan: &Plan) -> bool {
    plan.gates.len() == 1
        && gate.line.is_none()
        && gate.metric == Metric::ErrorRate
        && gate.limit == Limit::Absolute(Bound::Max(0.01))
}

/// "at most 3 x baseline, but that is at least 150 ms"
fn relative(word: &str, factor: f64, other: &str, floor: Option<f64>, unit: Unit) -> String {
    let floor = floor.map(|floor| format!(" (taken as {other} {})", value(floor, unit))).unwrap_or_default();
    format!("{word} {factor} x baseline{floor}")
}

fn bound(bound: Bound, unit: Unit) -> String {
    match bound {
        Bound::Max(limit) => format!("<= {}", value(limit, unit)),
        Bound::Min(limit) => format!(">= {}", value(limit, unit)),
    }
}

fn value(value: f64, unit: Unit) -> String {
    brunt_report::render::format::value(value, unit.word())
}

/// What this version cannot do; `run` refuses it.
pub fn not_built(page: &mut Page, plan: &Plan) {
    let rows: Vec<Vec<String>> = plan
        .not_built
        .iter()
        .map(|missing| vec![missing.place.clone(), format!("{} (exit {})", missing.what, missing.exit_code)])
        .collect();
    page.section("not built yet in this version: `brunt run` will refuse this scenario", &rows);
}

fn plural(count: usize, noun: &str) -> String {
    if count == 1 { format!("1 {noun}") } else { format!("{count} {noun}s") }
}
