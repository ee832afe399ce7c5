//! Whom the faults of a plan would hit now: looked for once, for the page and for the exit code. A cluster is asked each time.

use brunt_injector::{ResolveError, Victims, resolve_dry};
use brunt_scenario::plan::{Fault, Item, Plan};

/// A plan, and each of its faults with whom it would hit.
#[derive(Debug)]
pub struct Look<'a> {
    pub plan: &'a Plan,
    pub faults: Vec<(&'a Fault, Result<Victims, ResolveError>)>,
}

impl<'a> Look<'a> {
    /// Looks, at this machine and at the clusters; agents in pods would be of this image.
    pub fn at(plan: &'a Plan, image: &str) -> Self {
        let mut faults = Vec::new();
        collect(&plan.timeline, &mut faults);
        let faults = faults.into_iter().map(|fault| (fault, resolve_dry(plan, fault, image))).collect();
        Self { plan, faults }
    }

    /// Whether every fault has someone to hit, as far as can be told before the run.
    pub fn finds_all(&self) -> bool {
        self.faults.iter().all(|(_, victims)| victims.is_ok())
    }
}

fn collect<'a>(items: &'a [Item], all: &mut Vec<&'a Fault>) {
    for item in items {
        match item {
            Item::Fault(fault) => all.push(fault),
            Item::Parallel(members) => {
                members.iter().for_each(|member| collect(std::slice::from_ref(&member.item), all));
            }
            Item::Baseline(_) | Item::Pause(_) | Item::Load(_) | Item::Recover { .. } => {}
        }
    }
}
