//! The part of a plan that sends load, as it goes to workers in pods: they get no scenario file, no variables and no data
//! files, but what was made of them here.

use std::collections::BTreeMap;
use std::time::Duration;

use serde::{Deserialize, Deserializer, Serialize};

use super::{Feeder, Item, Journey, Load, LoadChange, Outputs, Plan, Safety, Target, Text};
use crate::matrix::Cell;

/// See the module. It holds the values of secrets, so it is never printed and never written to a file.
#[derive(Clone, Serialize, Deserialize)]
pub struct Sending {
    seed: u64,
    feeders: Vec<Feeder>,
    journeys: Vec<Journey>,
    load: Vec<Load>,
    /// Where requests may go, by the names of the targets.
    urls: BTreeMap<String, Text>,
    /// The timeline's load changes: how high a load may get.
    changes: Vec<LoadChange>,
    lease: Duration,
}

impl Sending {
    /// That of a plan.
    pub fn of(plan: &Plan) -> Self {
        let urls = plan.targets.iter().filter_map(|(name, target)| match target {
            Target::Url(url) => Some((name.clone(), url.clone())),
            _ => None,
        });
        let mut changes = Vec::new();
        collect(&plan.timeline, &mut changes);
        Self {
            seed: plan.seed,
            feeders: plan.feeders.clone(),
            journeys: plan.journeys.clone(),
            load: plan.load.clone(),
            urls: urls.collect(),
            changes,
            lease: plan.safety.lease,
        }
    }

    /// A plan that does nothing but send this load.
    pub fn into_plan(self) -> Plan {
        let safety =
            Safety { allow_hosts: Vec::new(), allow_contexts: None, allow_namespaces: None, lease: self.lease };
        let outputs = Outputs { dir: None, html: false, json: false, junit: false };
        Plan {
            name: String::new(),
            cell: Cell::default(),
            description: String::new(),
            labels: BTreeMap::new(),
            seed: self.seed,
            source: String::new(),
            scenario_sha256: String::new(),
            resolved_yaml: String::new(),
            services: Vec::new(),
            links: Vec::new(),
            targets: self.urls.into_iter().map(|(name, url)| (name, Target::Url(url))).collect(),
            feeders: self.feeders,
            journeys: self.journeys,
            load: self.load,
            slos: Vec::new(),
            steady_state: None,
            timeline: vec![Item::Load(self.changes)],
            safety,
            guardrails: Vec::new(),
            gates: Vec::new(),
            outputs,
            not_built: Vec::new(),
        }
    }
}

fn collect(items: &[Item], changes: &mut Vec<LoadChange>) {
    for item in items {
        match item {
            Item::Load(more) => changes.extend(more.iter().cloned()),
            Item::Parallel(members) => {
                members.iter().for_each(|member| collect(std::slice::from_ref(&member.item), changes));
            }
            Item::Baseline(_) | Item::Pause(_) | Item::Recover { .. } | Item::Fault(_) => {}
        }
    }
}

/// A request's method: one of those that the language knows.
pub(super) fn method<'de, D: Deserializer<'de>>(deserializer: D) -> Result<&'static str, D::Error> {
    let word = String::deserialize(deserializer)?;
    let known = ["GET", "POST", "PUT", "PATCH", "DELETE", "HEAD"].into_iter().find(|known| *known == word);
    known.ok_or_else(|| serde::de::Error::custom(format!("`{word}` is no method")))
}

/// Numbers that decide a schedule, bit by bit: a decimal form that is read back a last place away would be another schedule.
pub(super) mod bits {
    use serde::{Deserialize, Deserializer, Serializer};

    pub(in super::super) fn serialize<S: Serializer>(number: &f64, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_u64(number.to_bits())
    }

    pub(in super::super) fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<f64, D::Error> {
        u64::deserialize(deserializer).map(f64::from_bits)
    }
}
