//! Load: every curve becomes linear stages.

use std::collections::HashMap;
use std::time::Duration;

use super::{DRAIN, MAX_IN_FLIGHT, Resolver};
use crate::plan::{Connections, Journey, Load, Model, Portion, Reuse, Stage};
use crate::scenario::load as written;
use crate::scenario::load::Length;

impl Resolver<'_> {
    pub(super) fn loads(&mut self, journeys: &[Journey]) -> Vec<Load> {
        let root = self.root;
        let index: HashMap<&str, usize> =
            journeys.iter().enumerate().map(|(index, journey)| (journey.name.as_str(), index)).collect();
        let mut loads = Vec::new();
        for (name, load) in root.loads() {
            let mix: Vec<Portion> = match &load.mix {
                Some(mix) => mix
                    .value
                    .0
                    .iter()
                    .filter_map(|(journey, share)| {
                        let journey = *index.get(journey.value.as_str())?;
                        Some(Portion { journey, share: share.value.0 })
                    })
                    .collect(),
                None => {
                    let wanted = load.journey.as_ref().map_or(name.value.as_str(), |journey| journey.value.as_str());
                    index.get(wanted).map(|&journey| Portion { journey, share: 1.0 }).into_iter().collect()
                }
            };
            // Names that lead nowhere were told.
            if mix.is_empty() {
                continue;
            }
            loads.push(Load {
                name: name.value.clone(),
                mix,
                model: model(load),
                stages: stages(load),
                max_in_flight: load.max_in_flight.as_ref().map_or(MAX_IN_FLIGHT, |limit| number(limit.value)),
                drain: load.drain.unwrap_or(DRAIN),
                connections: Connections {
                    max_per_host: load.max_per_host.as_ref().map(|most| number(most.value)),
                    reuse: match load.reuse.as_ref().map(|reuse| reuse.value) {
                        None | Some(written::Reuse::Always) => Reuse::Always,
                        Some(written::Reuse::Never) => Reuse::Times(1),
                        Some(written::Reuse::Times(times)) => Reuse::Times(times),
                    },
                    max_age: load.max_age.as_ref().map(|age| age.value),
                },
            });
        }
        loads
    }
}

fn number(value: u64) -> usize {
    usize::try_from(value).unwrap_or(usize::MAX)
}

fn model(load: &written::Load) -> Model {
    let closed = load.users.is_some() || load.model.as_ref().is_some_and(|model| model.value == written::Model::Closed);
    let poisson = load.arrivals.as_ref().is_some_and(|arrivals| arrivals.value == written::Arrivals::Poisson);
    match (closed, poisson) {
        (true, _) => Model::Closed,
        (false, true) => Model::OpenPoisson,
        (false, false) => Model::OpenConstant,
    }
}

/// The highest level that the stages of a load reach.
pub(crate) fn peak(load: &written::Load) -> f64 {
    stages(load).iter().map(|stage| stage.from.max(stage.to)).fold(0.0, f64::max)
}

fn stages(load: &written::Load) -> Vec<Stage> {
    let Some(written) = &load.stages else {
        let rate = load.rate.as_ref().map(|rate| rate.value.0);
        let level = rate.or(load.users.as_ref().map(|users| users.value as f64)).unwrap_or_default();
        let lasts = load.lasts.as_ref().map_or(Length::Timeline, |lasts| lasts.value);
        return vec![Stage { from: level, to: level, length: fixed(lasts), warmup: false }];
    };
    let mut stages: Vec<Stage> = Vec::new();
    // Where a ramp begins: the height that was reached, which a spike leaves as it was.
    let mut before = 0.0;
    for stage in &written.value {
        let warmup = stage.warmup.unwrap_or(false);
        let flat = |level: f64, length: Option<Duration>| Stage { from: level, to: level, length, warmup };
        if let (Some(to), Some(over)) = (&stage.ramp_to, &stage.over) {
            let to = to.value.number();
            stages.push(Stage { from: before, to, length: Some(over.value), warmup });
        } else if let (Some(hold), Some(lasts)) = (&stage.hold, &stage.lasts) {
            stages.push(flat(hold.value.number(), fixed(lasts.value)));
        } else if let Some(step) = &stage.step {
            stages.extend(step.heights().into_iter().map(|height| flat(height, Some(step.every.value))));
        } else if let Some(spike) = &stage.spike {
            stages.push(flat(spike.to.value.number(), Some(spike.lasts)));
            continue;
        }
        before = stages.last().map_or(0.0, |stage| stage.to);
    }
    stages
}

fn fixed(length: Length) -> Option<Duration> {
    match length {
        Length::Fixed(length) => Some(length),
        Length::Timeline => None,
    }
}
