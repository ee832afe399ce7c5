//! Who served what: requests, errors and latency of each destination instance in each window, so that a report can show whether
//! the load was spread evenly and whether one instance was slower than its siblings.
//!
//! Filed by the recorder's thread, never by a load worker: a sample has carried the index of its instance all along. The cost
//! is one more histogram of two digits a window, made when an instance first serves in it. Warm-up and recoveries are not
//! split: the first is not judged, and how far the second reach is known only when the run is over.

use std::collections::BTreeMap;

use brunt_scenario::metric::{Statistic, WindowName};
use brunt_scenario::plan::{Plan, Step, Target};
use hdrhistogram::Histogram;

use super::answers::{Answers, Span};
use super::cells::{micros, record, two_digits};
use super::places::WARMUP;
use crate::facts::DestinationFacts;
use crate::metric::statistic_of;
use crate::results::{ServedData, ServedWindow, rounded_seconds};
use crate::sample::Request;

/// Instances of one target with a row of their own; later ones are counted together, so that memory has a bound.
const MOST: usize = 64;
/// Where those stand.
const LATER: usize = MOST;
/// Where requests stand that reached nobody.
const NOBODY: usize = MOST + 1;

/// What one instance served in one window.
#[derive(Debug, Clone)]
struct Served {
    requests: u64,
    errors: u64,
    /// From the intended start to the end, microseconds.
    latency: Histogram<u64>,
}

impl Default for Served {
    fn default() -> Self {
        Self { requests: 0, errors: 0, latency: two_digits() }
    }
}

/// Counts by window, target and instance.
#[derive(Debug, Clone, Default)]
pub struct Instances {
    targets: Vec<String>,
    /// By series: its target. All requests of a step go to one.
    target_of: Vec<usize>,
    /// By window, target and instance.
    served: Vec<Vec<Vec<Option<Box<Served>>>>>,
    /// Only where pods are told of: nobody else asks.
    answers: Option<Answers>,
}

impl Instances {
    /// Nothing was served yet.
    pub fn new(plan: &Plan) -> Self {
        let mut targets: Vec<String> = Vec::new();
        let mut target_of = Vec::new();
        for step in plan.journeys.iter().flat_map(|journey| &journey.steps) {
            if let Step::Request(request) = step {
                let known = targets.iter().position(|target| *target == request.target);
                target_of.push(known.unwrap_or(targets.len()));
                if known.is_none() {
                    targets.push(request.target.clone());
                }
            }
        }
        let has_pods = plan.targets.values().any(|target| matches!(target, Target::Kubernetes(_)));
        Self { targets, target_of, served: Vec::new(), answers: has_pods.then(Answers::default) }
    }

    /// Files a request in every window that it belongs to.
    pub fn file(&mut self, request: &Request, belongs: &[usize]) {
        let Some(&target) = self.target_of.get(usize::from(request.series)) else { return };
        if let Some(answers) = &mut self.answers {
            answers.file(target, request);
        }
        let slot = match request.instance {
            u16::MAX => NOBODY,
            index => usize::from(index).min(LATER),
        };
        let latency = micros(request.intended, request.done);
        for &window in belongs.iter().filter(|window| **window != WARMUP) {
            let served = self.slot(window, target, slot);
            served.requests += 1;
            served.errors += u64::from(request.error.is_some());
            record(&mut served.latency, latency, 1);
        }
    }

    /// When whoever has this name answered, by what the replies said; all targets together.
    pub fn answered_by(&self, name: &str, known: &[DestinationFacts]) -> Vec<Span> {
        let of_target = |(target, called): (usize, &String)| {
            let known = known.iter().find(|known| known.target == *called)?;
            let at = known.instances.iter().position(|(instance, _)| instance == name)?;
            Some(self.answers.as_ref()?.of(target, at))
        };
        let mut spans: Vec<Span> = self.targets.iter().enumerate().filter_map(of_target).flatten().copied().collect();
        spans.sort();
        spans
    }

    fn slot(&mut self, window: usize, target: usize, slot: usize) -> &mut Served {
        let targets = self.targets.len();
        if self.served.len() <= window {
            self.served.resize_with(window + 1, Vec::new);
        }
        let row = &mut self.served[window];
        if row.is_empty() {
            row.resize_with(targets, Vec::new);
        }
        let row = &mut row[target];
        if row.len() <= slot {
            row.resize_with(slot + 1, || None);
        }
        row[slot].get_or_insert_with(Box::default)
    }

    /// Every instance of every requested target, whether it served anything or not; `names` are those of the windows, by
    /// index. What reached nobody stands at the end of its target.
    pub fn into_data(self, names: &[WindowName], known: &[DestinationFacts]) -> Vec<ServedData> {
        let mut all = Vec::new();
        for (target, name) in self.targets.iter().enumerate() {
            let known = known.iter().find(|known| known.target == *name);
            let count = known.map_or(0, |known| known.instances.len()).min(MOST);
            let slots = self.served.iter().filter_map(|row| Some(row.get(target)?.len())).max().unwrap_or(0);
            for slot in (0..count.max(slots.min(LATER + 1))).chain((slots > NOBODY).then_some(NOBODY)) {
                let instance = known.and_then(|known| known.instances.get(slot)).filter(|_| slot < LATER);
                let windows = self.windows(names, target, slot);
                let is_someone = instance.is_some_and(|(_, address)| address.is_some());
                if !is_someone && windows.is_empty() {
                    continue;
                }
                all.push(ServedData {
                    target: name.clone(),
                    instance: match (slot, instance) {
                        (NOBODY, _) => "none reached".to_owned(),
                        (LATER, _) => format!("all after the first {MOST}"),
                        (_, Some((named, _))) => named.clone(),
                        (slot, None) => format!("address {slot}"),
                    },
                    address: instance.and_then(|(_, address)| address.clone()),
                    windows,
                });
            }
        }
        all
    }

    fn windows(&self, names: &[WindowName], target: usize, slot: usize) -> BTreeMap<String, ServedWindow> {
        let served = self.served.iter().zip(names).filter_map(|(row, name)| {
            let served = row.get(target)?.get(slot)?.as_deref()?;
            Some((name.to_string(), served.data()))
        });
        served.collect()
    }
}

impl Served {
    fn data(&self) -> ServedWindow {
        let at = |statistic| statistic_of(&self.latency, statistic);
        ServedWindow {
            requests: self.requests,
            errors: self.errors,
            error_rate: rounded_seconds(self.errors as f64 / self.requests.max(1) as f64),
            p50_ms: at(Statistic::P50),
            p99_ms: at(Statistic::P99),
            max_ms: at(Statistic::Max),
        }
    }
}
