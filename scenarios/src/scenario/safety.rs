//! `safety:` and `abort_if:` where brunt may act, how much it may hit, when it must stop.

use std::time::Duration;

use crate::decode::fields::exactly_one;
use crate::decode::{Spanned, record};
use crate::diagnostic::{Code, Problems};
use crate::metric::Metric;
use crate::units::CountOrShare;
use crate::yaml::Node;

record! {
    /// Limits of what faults may do.
    Safety, "safety", check = check;
    /// Where faults may act besides this host.
    optional allow: Allow,
    /// Of any target, all active faults together; default 100%.
    optional max_affected: CountOrShare,
    /// The agent removes a fault if the runner is silent for this long; default 15s.
    optional lease: Spanned<Duration>,
}

fn check(safety: &Safety, problems: &mut Problems) {
    if let Some(lease) = safety.lease.as_ref().filter(|lease| lease.value < Duration::from_secs(1)) {
        problems.error(Code::E028, lease.span, "the lease is too short for a heartbeat", "at least 1s");
    }
}

record! {
    /// Patterns may hold `*`.
    Allow, "safety.allow";
    /// Contexts of the kubeconfig.
    optional kube_contexts: Vec<String>,
    /// Namespaces.
    optional namespaces: Vec<String>,
    /// Hosts.
    optional hosts: Vec<String>,
}

/// As for objectives: a look each 250 ms at requests in slices of 50 ms.
const SHORTEST_SPAN: Duration = Duration::from_millis(250);

record! {
    /// A guardrail: stop, roll back, exit 4.
    AbortIf, "a guardrail", check = check_guardrail, schema = crate::schema::add_bounds;
    /// How it is called in outputs.
    optional id: Spanned<String>,
    /// What is measured.
    required metric: Spanned<Metric>,
    /// The requests of this journey only.
    optional journey: Spanned<String>,
    /// The requests of this step only.
    optional step: Spanned<String>,
    /// Broken above this.
    optional above: Node,
    /// Broken below this.
    optional below: Node,
    /// The sliding span; default 5s.
    optional over: Spanned<Duration>,
    /// Broken at every look for this long.
    optional lasts as "for": Spanned<Duration>,
}

fn check_guardrail(guardrail: &AbortIf, problems: &mut Problems) {
    let given = [("above", guardrail.above.is_some()), ("below", guardrail.below.is_some())];
    exactly_one(guardrail.span, "a guardrail", &given, problems);
    if let Some(over) = guardrail.over.as_ref().filter(|over| over.value < SHORTEST_SPAN) {
        problems.error(Code::E028, over.span, "the span is too short to look at", "at least 250ms");
    }
}
