//! `steady_state:` the hypothesis and its probes.

use std::time::Duration;

use crate::decode::fields::exactly_one;
use crate::decode::{Name, Spanned, record, words};
use crate::diagnostic::{Code, Problems};
use crate::plan::Text;
use crate::units::CountOrShare;
use crate::yaml::Node;

record! {
    /// What must be true for the system to count as well.
    SteadyState, "the steady state", check = check;
    /// In words.
    optional title: String,
    /// Names under `slos`.
    optional all_of: Vec<Spanned<String>>,
    /// Checks from outside of the load.
    optional probes: Vec<Probe>,
    /// It must hold this long before anything is injected.
    optional before: Before,
}

fn check(state: &SteadyState, problems: &mut Problems) {
    if state.all_of.is_none() && state.probes.is_none() {
        problems.error(Code::E012, state.span, "nothing says what steady means", "add `all_of: [an-slo]` or `probes:`");
    }
}

record! {
    /// How long it must hold.
    Before, "before", check = check_before;
    /// Without a break.
    required hold_for: Duration,
    /// Gives up after this long; default 5 x hold_for.
    optional within: Spanned<Duration>,
}

fn check_before(before: &Before, problems: &mut Problems) {
    if let Some(within) = before.within.as_ref().filter(|within| within.value < before.hold_for) {
        problems.error(
            Code::E066,
            within.span,
            "`within` is shorter than `hold_for`: it could never hold long enough",
            format!("write `within: {}` or more", crate::units::print_duration(before.hold_for)),
        );
    }
}

record! {
    /// A check from outside of the load.
    Probe, "a probe", check = check_probe;
    /// How it is called in outputs.
    required id: Spanned<Name>,
    /// A GET answers with a status.
    optional http: HttpProbe,
    /// A TCP connection opens.
    optional tcp: TcpProbe,
    /// A command ends with an exit code.
    optional command: Spanned<CommandProbe>,
    /// The API of a cluster tells something of a target.
    optional kubernetes: KubernetesProbe,
    /// A query of Prometheus stays within bounds.
    optional prometheus: Spanned<PrometheusProbe>,
    /// From one start to the next; default 1s.
    optional every: Spanned<Duration>,
    /// Longer counts as failed; default 1s.
    optional timeout: Spanned<Duration>,
}

fn check_probe(probe: &Probe, problems: &mut Problems) {
    let given = [
        ("http", probe.http.is_some()),
        ("tcp", probe.tcp.is_some()),
        ("command", probe.command.is_some()),
        ("kubernetes", probe.kubernetes.is_some()),
        ("prometheus", probe.prometheus.is_some()),
    ];
    exactly_one(probe.span, "a probe", &given, problems);
    for span in [&probe.every, &probe.timeout].into_iter().flatten() {
        if span.value < Duration::from_millis(10) {
            problems.error(Code::E028, span.span, "too short for a probe", "at least 10ms");
        }
    }
}

record! {
    /// A GET.
    HttpProbe, "an http probe";
    /// A target of kind `url` or `service`; may be left out if there is exactly one.
    optional target: Spanned<String>,
    /// The path.
    required get: Spanned<String>,
    /// The expected status; default 200.
    optional status: Spanned<u16>,
}

record! {
    /// A TCP connection.
    TcpProbe, "a tcp probe";
    /// `host:port`.
    required address: Spanned<Text>,
}

record! {
    /// A command of this host.
    CommandProbe, "a command probe", check = check_command;
    /// Program and arguments.
    required run: Vec<Text>,
    /// The expected exit code; default 0.
    optional exit: Spanned<u64>,
}

fn check_command(probe: &CommandProbe, problems: &mut Problems) {
    if let Some(exit) = probe.exit.as_ref().filter(|exit| exit.value > u64::from(u8::MAX)) {
        problems.error(Code::E028, exit.span, "no process ends with that code", "an exit code is from 0 to 255");
    }
}

record! {
    /// What the API of a cluster tells.
    KubernetesProbe, "a kubernetes probe", check = check_kubernetes;
    /// A target of kind `kubernetes`.
    required target: Spanned<String>,
    /// What must be true of it.
    required expect: Spanned<Expect>,
    /// Of so many of its pods or replicas; default: all.
    optional at_least: Spanned<CountOrShare>,
}

words! {
    /// What a cluster should say.
    Expect:
    /// Its pods are ready.
    PodsReady = "pods_ready",
    /// The replicas of its `owner` are available, by the owner's own account.
    ReplicasAvailable = "replicas_available",
    /// Its deployment has all pods of its newest template available, and no others.
    RolledOut = "rolled_out",
    /// Its job is complete.
    JobDone = "job_done",
}

fn check_kubernetes(probe: &KubernetesProbe, problems: &mut Problems) {
    let Some(at_least) = &probe.at_least else { return };
    if matches!(probe.expect.value, Expect::RolledOut | Expect::JobDone) {
        let help = "it goes with `expect: pods_ready` and `expect: replicas_available`";
        problems.error(Code::E066, at_least.span, "there is only one of them: `at_least` has no meaning", help);
    }
    let none = matches!(at_least.value, CountOrShare::Count(0))
        || matches!(at_least.value, CountOrShare::Share(share) if share.0 <= 0.0);
    if none {
        problems.error(Code::E028, at_least.span, "none would always be there", "at least `one`");
    }
}

record! {
    /// A PromQL query.
    PrometheusProbe, "a prometheus probe", check = check_prometheus;
    /// The server.
    required url: Text,
    /// PromQL.
    required query: String,
    /// At most.
    optional max: Node,
    /// At least.
    optional min: Node,
}

fn check_prometheus(probe: &PrometheusProbe, problems: &mut Problems) {
    let given = [("max", probe.max.is_some()), ("min", probe.min.is_some())];
    exactly_one(probe.span, "a prometheus probe", &given, problems);
}
