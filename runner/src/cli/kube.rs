//! `brunt kube rbac SCENARIO...`: the least role that the faults and probes of scenarios need in their clusters.

use std::collections::{BTreeMap, BTreeSet};

use brunt_kubernetes::finding;
use brunt_kubernetes::rights::{self, Right};
use brunt_scenario::plan::{Plan, Target};

use super::guide::{self, Example, Guide};
use super::on::On;
use super::scenario::{self, Overrides};
use super::{Failure, print, values};
use crate::{probe, timeline};

/// Examples and the rest of the help.
pub const GUIDE: Guide = Guide {
    examples: &[
        Example { line: "brunt kube rbac pods.brunt.yaml", does: "to read" },
        Example {
            line: "brunt kube rbac pods.brunt.yaml | kubectl apply -f -",
            does: "to make the roles, as somebody who may; `kubectl create rolebinding` then gives them to a user",
        },
        Example {
            line: "brunt kube rbac pods.brunt.yaml --on kubernetes --namespace load",
            does: "with what pods that send the load need there",
        },
    ],
    exit_status: &[
        ("0", "printed"),
        ("2", "the scenario is wrong, or has no fault and no probe that needs the API of a cluster"),
    ],
    files: &[],
    environment: &[guide::VARIABLES, guide::ANY_OTHER],
};

/// What stands before the roles that nothing depends on.
const REPORT: &str = "\
# No fault and no probe needs what follows: with it the report tells what happened to the pods, to their nodes and by
# autoscalers. Without it the run goes on, and says what it has not seen.
";

/// Say what a scenario needs in a Kubernetes cluster.
#[derive(Debug, clap::Args)]
#[command(after_help = GUIDE.short(), after_long_help = GUIDE.long())]
pub struct Args {
    #[command(subcommand)]
    what: What,
}

/// What is said.
#[derive(Debug, clap::Subcommand)]
enum What {
    /// Print the least Role (and ClusterRole, where nodes are hit) as YAML, and apart from it what the report reads. Asks no
    /// cluster.
    Rbac {
        /// Scenario files.
        #[arg(required = true, value_name = "FILE", add = values::scenarios())]
        files: Vec<String>,
        #[command(flatten)]
        overrides: Overrides,
        #[command(flatten)]
        on: On,
    },
}

pub fn run(args: &Args) -> Result<u8, Failure> {
    let What::Rbac { files, overrides, on } = &args.what;
    let plans = scenario::plans("kube rbac", files, overrides, &[], None)?;
    let mut contexts = needed(&plans);
    if let Some((context, namespace)) = on.place() {
        contexts.entry(context).or_default().extend(rights::of_workers(&namespace));
    }
    if contexts.is_empty() {
        let why = "no fault of it acts through the API of a cluster and no probe asks one, so it needs no rights there";
        return Err(Failure::Usage(format!("{}: {why}", files.join(", "))));
    }
    let watched = watched(&plans);
    let mut text = String::new();
    for (context, rights) in &contexts {
        if let Some(context) = context.as_ref().filter(|_| contexts.len() > 1) {
            text += &format!("# in the cluster of the context `{context}`\n");
        }
        text += &rights::roles("brunt", rights);
        if let Some(rights) = watched.get(context) {
            text += REPORT;
            text += &rights::roles("brunt-report", rights);
        }
    }
    print(&text).map(|()| 0)
}

/// What the report reads of all targets, by the context of their clusters.
fn watched(plans: &[Plan]) -> BTreeMap<Option<String>, BTreeSet<Right>> {
    let mut contexts: BTreeMap<Option<String>, BTreeSet<Right>> = BTreeMap::new();
    for target in plans.iter().flat_map(|plan| plan.targets.values()) {
        if let Target::Kubernetes(wanted) = target {
            contexts.entry(wanted.context.clone()).or_default().extend(finding::rights_to_watch(wanted));
        }
    }
    contexts
}

/// What all faults and probes together need, by the context of their clusters.
fn needed(plans: &[Plan]) -> BTreeMap<Option<String>, BTreeSet<Right>> {
    let mut contexts: BTreeMap<Option<String>, BTreeSet<Right>> = BTreeMap::new();
    for plan in plans {
        for fault in timeline::faults_of(&plan.timeline) {
            if let Some(Target::Kubernetes(wanted)) = plan.targets.get(&fault.target) {
                contexts.entry(wanted.context.clone()).or_default().extend(finding::rights(fault, wanted));
            }
            if let Some((_, Target::Kubernetes(wanted))) = &fault.from {
                contexts.entry(wanted.context.clone()).or_default().extend(finding::rights_to_meet(wanted));
            }
        }
        for (_, wanted, expect) in probe::cluster::all(plan) {
            contexts.entry(wanted.context.clone()).or_default().extend(finding::rights_to_see(expect, wanted));
        }
    }
    contexts
}
