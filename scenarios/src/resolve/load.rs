//! Load: every curve becomes linear stages.

use std::collections::HashMap;
use std::time::Duration;

use super::{DRAIN, MAX_IN_FLIGHT, Resolver};
use crate::plan::{Journey, Load, Model, Stage};
use crate::scenario::load as written;
use crate::scenario::load::Length;

impl Resolver<'_> {
    pub(super) fn loads(&mut self, journeys: &[Journey]) -> Vec<Load> {
        let root = self.root;
        let index: HashMap<&str, usize> =
            journeys.iter().enumerate().map(|(index, journey)| (journey.name.as_str(), index)).collect();
        let mut loads = Vec::new();
        for (name, load) in root.loads() {
            if let Some(mix) = &load.mix {
                self.not_built(mix.span, "`mix` (several journeys in one load) is not built yet");
            }
            let mixed = load.mix.as_ref().and_then(|mix| mix.value.0.first()).map(|(name, _)| name.value.as_str());
            let wanted = load.journey.as_ref().map(|journey| journey.value.as_str());
            let wanted = wanted.or(mixed).unwrap_or(name.value.as_str());
            let Some(&journey) = index.get(wanted) else { continue };
            loads.push(Load {
                name: name.value.clone(),
                journey,
                model: model(load),
                stages: stages(load),
                max_in_flight: load
                    .max_in_flight
                    .as_ref()
                    .map_or(MAX_IN_FLIGHT, |limit| usize::try_from(limit.value).unwrap_or(usize::MAX)),
                drain: load.drain.unwrap_or(DRAIN),
            });
        }
        loads
    }
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

fn stages(load: &written::Load) -> Vec<Stage> {
    let Some(written) = &load.stages else {
        let rate = load.rate.as_ref().map(|rate| rate.value.0);
        let level = rate.or(load.users.as_ref().map(|users| users.value as f64)).unwrap_or_default();
        let lasts = load.lasts.as_ref().map_or(Length::Timeline, |lasts| lasts.value);
        return vec![Stage { from: level, to: level, length: fixed(lasts), warmup: false }];
    };
    let mut stages: Vec<Stage> = Vec::new();
    for stage in &written.value {
        let warmup = stage.warmup.unwrap_or(false);
        let before = stages.last().map_or(0.0, |stage| stage.to);
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
        }
    }
    stages
}

fn fixed(length: Length) -> Option<Duration> {
    match length {
        Length::Fixed(length) => Some(length),
        Length::Timeline => None,
    }
}
