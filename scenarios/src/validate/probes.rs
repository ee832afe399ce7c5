//! Probes of a cluster: that their target can tell what they ask.

use crate::catalogue::TargetKind;
use crate::diagnostic::{Code, Problems};
use crate::plan::{Owner, OwnerKind};
use crate::scenario::Root;
use crate::scenario::steady_state::{Expect, KubernetesProbe};

pub(super) fn check(root: &Root, problems: &mut Problems) {
    let probes = root.steady_state.iter().flat_map(|state| state.probes.iter().flatten());
    probes.filter_map(|probe| probe.kubernetes.as_ref()).for_each(|probe| check_one(root, probe, problems));
}

fn check_one(root: &Root, probe: &KubernetesProbe, problems: &mut Problems) {
    let name = &probe.target;
    // One that is not there is told where names are looked up.
    let Some(target) = root.targets.as_ref().and_then(|targets| targets.get(&name.value)) else { return };
    let Some(pods) = &target.kubernetes else {
        if let Some(kind) = target.kind().filter(|kind| *kind != TargetKind::Kubernetes) {
            let message = format!("`{}` is of kind `{}`: no cluster tells of it", name.value, kind.word());
            problems.error(Code::E066, name.span, message, "name a target of kind `kubernetes`");
        }
        return;
    };
    let tellers = tellers(probe.expect.value);
    let owner = pods.owner.as_ref().and_then(|owner| Owner::parse(&owner.value));
    if tellers.is_empty() || owner.as_ref().is_some_and(|owner| tellers.contains(&owner.kind)) {
        return;
    }
    let what = match &owner {
        Some(owner) => format!("{owner} tells no such thing"),
        None => format!("nothing says what tells it: `{}` has no `owner`", name.value),
    };
    let owners: Vec<String> = tellers.iter().map(|kind| format!("`owner: {}/NAME`", kind.word())).collect();
    let help = format!("give the target {}", owners.join(" or "));
    problems.error(Code::E066, probe.expect.span, what, help);
}

/// Who can tell; nobody is asked where pods themselves are looked at.
fn tellers(expect: Expect) -> &'static [OwnerKind] {
    match expect {
        Expect::PodsReady => &[],
        Expect::ReplicasAvailable => &[OwnerKind::Deployment, OwnerKind::StatefulSet, OwnerKind::ReplicaSet],
        Expect::RolledOut => &[OwnerKind::Deployment],
        Expect::JobDone => &[OwnerKind::Job],
    }
}
