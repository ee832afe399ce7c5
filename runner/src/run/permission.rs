//! Where faults may act: on this host without asking, on another one only where `safety.allow.hosts` or `--allow-host`
//! names it, and in a cluster only where `safety.allow.namespaces` or `safety.allow.kube_contexts` does. Load needs no permission:
//! who typed a host meant it. Commands of a scenario (`exec` faults) are run only with `--allow-exec`: a scenario is data that people pass around, and a command can do anything that its reader can.

use brunt_injector::ResolveError;
use brunt_kubernetes::{finding, is_own};
use brunt_scenario::plan::{Fault, Link, LinkTo, Plan, PodMatch, Target};

use super::RunError;
use crate::timeline;

/// An `exec` fault that asks for permission.
#[derive(Debug, PartialEq, Eq)]
pub struct Wanted {
    /// The fault.
    pub fault: String,
    /// Where it stands.
    pub place: String,
    /// What it runs.
    pub run: String,
    /// What undoes that.
    pub undo: String,
}

/// Checks every fault of the timeline before anything is started.
///
/// # Errors
/// [`RunError::ExecNotAllowed`] for all faults that run commands, if nobody has allowed that; [`RunError::NotAllowed`] for
/// the first fault on a link that leads to another host which nobody has allowed; [`RunError::ClusterNotAllowed`] for the first one
/// in a cluster.
pub async fn check(plan: &Plan, allow_exec: bool) -> Result<(), RunError> {
    let wanted = commands(plan);
    if !allow_exec && !wanted.is_empty() {
        return Err(RunError::ExecNotAllowed(wanted));
    }
    places(plan).await
}

/// The same for where faults act, without the commands: what `brunt plan` looks at, too.
///
/// # Errors
/// As [`check`].
pub async fn places(plan: &Plan) -> Result<(), RunError> {
    for fault in timeline::faults_of(&plan.timeline) {
        if let Some(Target::Kubernetes(wanted)) = plan.targets.get(&fault.target) {
            in_cluster(plan, fault, wanted)?;
        }
        let Some(Target::Link(name)) = plan.targets.get(&fault.target) else { continue };
        let Some(Link { to: LinkTo::Address { host, .. }, .. }) = plan.links.iter().find(|link| link.name == *name)
        else {
            continue;
        };
        if !plan.safety.allow_hosts.iter().any(|pattern| matches(pattern, host)) && !is_this_host(host).await {
            let (fault, place, link) = (fault.id.clone(), fault.place.clone(), name.clone());
            return Err(RunError::NotAllowed { fault, place, link, host: host.clone() });
        }
    }
    Ok(())
}

/// A cluster needs permission as another host does.
fn in_cluster(plan: &Plan, fault: &Fault, wanted: &PodMatch) -> Result<(), RunError> {
    let told =
        |source| RunError::Target { fault: fault.id.clone(), place: fault.place.clone(), source: Box::new(source) };
    let (context, namespace) = finding::place(wanted)
        .map_err(|error| ResolveError::Search { target: fault.target.clone(), why: error.to_string() })
        .map_err(told)?;
    if is_allowed(plan, context.as_deref(), &namespace) {
        return Ok(());
    }
    let context = context.map_or_else(|| "the one that brunt runs in".into(), |name| format!("of context `{name}`"));
    let (fault, place) = (fault.id.clone(), fault.place.clone());
    Err(RunError::ClusterNotAllowed { fault, place, namespace, context })
}

/// Whether faults may act in that namespace of that cluster: where contexts are named its own must be among them, where
/// namespaces are its own, and one of both must be.
fn is_allowed(plan: &Plan, context: Option<&str>, namespace: &str) -> bool {
    let among = |names: &[String], name: &str| names.iter().any(|pattern| matches(pattern, name));
    let in_context = plan.safety.allow_contexts.as_ref().map(|names| context.is_some_and(|name| among(names, name)));
    let in_namespace = plan.safety.allow_namespaces.as_ref().map(|names| among(names, namespace));
    matches!((in_context, in_namespace), (Some(true), Some(true) | None) | (None, Some(true)))
}

/// All commands that the timeline would run.
pub fn commands(plan: &Plan) -> Vec<Wanted> {
    let faults = timeline::faults_of(&plan.timeline).into_iter().filter(|fault| fault.kind == "exec");
    let wanted = faults.map(|fault| Wanted {
        fault: fault.id.clone(),
        place: fault.place.clone(),
        run: command_line(fault, "run").unwrap_or_default(),
        undo: command_line(fault, "undo").unwrap_or_default(),
    });
    wanted.collect()
}

/// A command of a fault as people read it, late parts as `<...>`.
pub fn command_line(fault: &Fault, name: &str) -> Option<String> {
    let words: Vec<String> = fault.with.command(name)?.iter().map(ToString::to_string).collect();
    Some(words.join(" "))
}

/// Whether the whole host is what the pattern says; `*` stands for any characters, and case does not count.
fn matches(pattern: &str, host: &str) -> bool {
    let (pattern, host) = (pattern.to_ascii_lowercase(), host.to_ascii_lowercase());
    let Some((first, rest)) = pattern.split_once('*') else { return pattern == host };
    let Some(mut left) = host.strip_prefix(first) else { return false };
    let (middle, last) = rest.rsplit_once('*').unwrap_or(("", rest));
    for part in middle.split('*') {
        // The leftmost place leaves the most for the parts that follow.
        let Some(at) = left.find(part) else { return false };
        left = &left[at + part.len()..];
    }
    left.ends_with(last)
}

/// Whether every address of a host is one of this machine. What cannot be resolved is not known to be.
async fn is_this_host(host: &str) -> bool {
    let host = host.trim_matches(['[', ']']);
    if host.eq_ignore_ascii_case("localhost") {
        return true;
    }
    let Ok(addresses) = tokio::net::lookup_host((host, 0)).await else { return false };
    let mut addresses = addresses.map(|address| address.ip()).peekable();
    addresses.peek().is_some() && addresses.all(is_own)
}

#[cfg(test)]
mod tests {
    use brunt_scenario::{LoadOptions, load_text};

    use super::*;

    fn plan(to: &str, allowed: &[&str]) -> Plan {
        let text = format!(
            "version: 1\nlinks:\n  wire: {{ to: '{to}' }}\n\
             targets:\n  wire: {{ link: wire }}\n  site: {{ url: 'http://127.0.0.1:1' }}\n\
             load:\n  main: {{ target: site, get: /, rate: 1/s, for: timeline }}\n\
             timeline:\n  - baseline: 1s\n  \
             - {{ id: slow, fault: network.latency, target: wire, for: 1s, with: {{ latency: 1ms }} }}\n"
        );
        let scenario = load_text("a.brunt.yaml", &text, &LoadOptions::default());
        let scenario = scenario.unwrap_or_else(|problems| panic!("{}", problems.render(false)));
        let mut plan = scenario.plan().unwrap_or_else(|problems| panic!("{}", problems.render(false)));
        plan.safety.allow_hosts = allowed.iter().map(|host| (*host).to_owned()).collect();
        plan
    }

    #[tokio::test]
    async fn a_fault_on_the_way_to_another_host_needs_its_permission() {
        // TEST-NET-1 (RFC 5737): an address that no machine has.
        let refused = check(&plan("192.0.2.7:5432", &["192.0.3.*"]), false).await.unwrap_err();
        assert_eq!(refused.exit_code(), 3);
        let text = refused.to_string();
        assert!(text.contains("`slow`") && text.contains("--allow-host 192.0.2.7"), "{text}");
        check(&plan("192.0.2.7:5432", &["192.0.2.*"]), false).await.unwrap();
    }

    #[test]
    fn a_cluster_needs_its_permission_by_namespace_or_by_context() {
        let mut plan = plan("127.0.0.1:1", &[]);
        let names = |names: &[&str]| Some(names.iter().map(|name| (*name).to_owned()).collect::<Vec<_>>());
        let cases = [
            (None, None, false),
            (None, names(&["shop-*"]), true),
            (None, names(&["other"]), false),
            (names(&["lab"]), None, true),
            (names(&["prod"]), None, false),
            (names(&["lab"]), names(&["shop-7"]), true),
            (names(&["prod"]), names(&["shop-7"]), false),
            (names(&["lab"]), names(&["other"]), false),
        ];
        for (contexts, namespaces, expected) in cases {
            (plan.safety.allow_contexts, plan.safety.allow_namespaces) = (contexts.clone(), namespaces.clone());
            let allowed = is_allowed(&plan, Some("lab"), "shop-7");
            assert_eq!(allowed, expected, "{contexts:?} {namespaces:?}");
        }
        (plan.safety.allow_contexts, plan.safety.allow_namespaces) = (names(&["*"]), None);
        assert!(!is_allowed(&plan, None, "shop-7"), "the cluster that brunt runs in is no context");
    }

    #[tokio::test]
    async fn this_host_needs_none() {
        for to in ["127.0.0.1:5432", "localhost:5432", "http://[::1]:80", "127.8.9.1:80"] {
            check(&plan(to, &[]), false).await.unwrap();
        }
    }

    #[test]
    fn a_pattern_is_held_against_the_whole_host() {
        let cases = [
            ("db.example", "db.example", true),
            ("db.example", "DB.Example", true),
            ("db.example", "mydb.example", false),
            ("*.example", "a.b.example", true),
            ("*.example", "example", false),
            ("db-*.example", "db-7.example", true),
            ("db-*-eu*.example", "db-7-eu-west.example", true),
            ("db-*-eu*.example", "db-7-us-west.example", false),
            ("a*a", "a", false),
            ("*", "anything", true),
        ];
        for (pattern, host, expected) in cases {
            assert_eq!(matches(pattern, host), expected, "{pattern} {host}");
        }
    }
}
