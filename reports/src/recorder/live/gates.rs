//! Gates while the run goes on.

use std::collections::{BTreeMap, BTreeSet};

use brunt_scenario::metric::WindowName;
use brunt_scenario::plan::{Limit, Plan};
use brunt_scenario::units::Offset;

use super::super::Recorder;
use super::super::places::{BASELINE, RUN};
use super::super::slices::Slices;
use crate::gates::so_far::{self, GateSoFar};
use crate::measured::Measured;
use crate::spans::merged;

impl Recorder {
    /// Every gate of the plan by what is measured so far, in its order. Copies the histograms of the windows that gates are
    /// about: some 50 KB a window and step, so once a second is often enough. `generator_cpu` as in the facts of the end.
    pub fn gates_so_far(&self, plan: &Plan, at: Offset, generator_cpu: f64) -> Vec<GateSoFar> {
        let mut wanted: BTreeSet<&WindowName> = plan.gates.iter().map(|gate| &gate.window).collect();
        if plan.gates.iter().any(|gate| !matches!(gate.limit, Limit::Absolute(_))) {
            wanted.insert(&WindowName::Baseline);
        }
        let mut windows = BTreeMap::new();
        for (index, name) in self.places.names.iter().enumerate().filter(|(_, name)| wanted.contains(name)) {
            let spans = match index {
                RUN => self.first_judged.map(|from| (from, at.max(from))).into_iter().collect(),
                _ => merged(self.places.spans_of(index, at)),
            };
            if !spans.is_empty() || (index != BASELINE && self.has_cells(index)) {
                windows.insert(name.clone(), self.window(index, spans));
            }
        }
        let measured = Measured {
            series: self.series.clone(),
            journeys: plan.journeys.iter().map(|journey| journey.name.clone()).collect(),
            windows,
            // Known at the end only.
            resilience: BTreeMap::new(),
            generator_cpu,
            // For intervals, which are not shown.
            slices: Slices::new(0),
            seed: plan.seed,
        };
        plan.gates.iter().map(|gate| so_far::compare(&measured, gate)).collect()
    }
}
