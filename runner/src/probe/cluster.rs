//! Probes of a Kubernetes cluster: what they may see is asked before the run, as the rights of faults are; a probe that
//! would fail for want of a right says nothing of the system.

use brunt_kubernetes::finding;
use brunt_kubernetes::rights::Right;
use brunt_scenario::plan::{Expect, Plan, PodMatch, Probe, ProbeKind, Target};

/// The probes that ask a cluster, with what they ask.
pub fn all(plan: &Plan) -> impl Iterator<Item = (&Probe, &PodMatch, Expect)> {
    plan.steady_state.iter().flat_map(|steady| &steady.probes).filter_map(|probe| {
        let ProbeKind::Kubernetes { target, expect } = &probe.kind else { return None };
        match plan.targets.get(target) {
            Some(Target::Kubernetes(wanted)) => Some((probe, wanted, *expect)),
            _ => None,
        }
    })
}

/// Asks the clusters whether every probe may see what it asks about; blocks.
///
/// # Errors
/// In words, for the first probe that may not, or whose cluster cannot be asked.
pub fn check(plan: &Plan) -> Result<(), String> {
    all(plan).try_for_each(|(probe, wanted, expect)| check_one(probe, wanted, expect))
}

/// The same of one probe.
///
/// # Errors
/// As for [`check`].
pub fn check_one(probe: &Probe, wanted: &PodMatch, expect: Expect) -> Result<(), String> {
    let missing = finding::missing_to_see(expect, wanted).map_err(|error| format!("probe `{}`: {error}", probe.id))?;
    if missing.is_empty() {
        return Ok(());
    }
    let missing: Vec<String> = missing.iter().map(Right::to_string).collect();
    let help = "`brunt kube rbac` prints the least role";
    Err(format!("probe `{}` needs rights that are not there: {}; {help}", probe.id, missing.join(", ")))
}
