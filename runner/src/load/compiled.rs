//! The part of a plan that load needs, compiled once and shared by all workers.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use brunt_scenario::plan::{Addresses, Connections, Feeder, Model, Plan, Rows, Step as PlanStep, Table, VALUE_COLUMN};
use brunt_scenario::units::Spread;

use super::LoadError;
use super::arrivals::Curve;
use super::destinations::Destinations;
use super::request::Request;
use super::template::Templates;
use super::turns::{Mix, Named};
use crate::secrets::Secrets;
use crate::timeline;

/// Everything that a worker reads and never writes.
pub struct Compiled {
    /// The scenario's seed.
    pub seed: u64,
    /// In the order of the plan's journeys; only those that a load entry uses have steps.
    pub journeys: Vec<Journey>,
    /// In the order of the plan's load entries.
    pub load: Vec<Load>,
    /// The texts of all steps.
    pub templates: Templates,
    /// Never shown in an example.
    pub secrets: Secrets,
}

/// A compiled journey.
pub struct Journey {
    /// In order.
    pub steps: Vec<Step>,
    /// Some step has a template or extracts something: iterations need a scope.
    pub needs_scope: bool,
}

/// A compiled step.
pub enum Step {
    /// One request.
    Request(Box<Request>),
    /// A pause.
    Think(Spread),
}

/// A load entry.
pub struct Load {
    /// Which journey and which rows each iteration takes.
    pub mix: Mix,
    /// Open or closed.
    pub model: Model,
    /// Its level over time, as written.
    pub curve: Curve,
    /// The highest level that the timeline's load changes can make of it.
    pub peak: f64,
    /// Open iterations at most, over all workers.
    pub max_in_flight: usize,
    /// After the last arrival.
    pub drain: Duration,
    /// How its connections are used.
    pub connections: Connections,
}

impl Compiled {
    /// Compiles the journeys that are used. `most_in_flight` is what the descriptors allow for each load entry.
    pub fn new(
        plan: &Plan,
        destinations: &Destinations,
        known: &Addresses,
        most_in_flight: usize,
    ) -> Result<Self, LoadError> {
        let mut templates = Templates::default();
        let used: BTreeSet<usize> = plan.load.iter().flat_map(|load| &load.mix).map(|part| part.journey).collect();
        let mut series = 0;
        let mut journeys = Vec::with_capacity(plan.journeys.len());
        for (index, journey) in plan.journeys.iter().enumerate() {
            let mut steps = Vec::new();
            for step in &journey.steps {
                match step {
                    PlanStep::Think(spread) => steps.push(Step::Think(*spread)),
                    PlanStep::Request(request) => {
                        if used.contains(&index) {
                            let place = destinations.index_of(&request.target);
                            let place = place.ok_or_else(|| LoadError::target(&request.target, &"was not resolved"))?;
                            let destination = (place, &destinations.list()[place]);
                            let compiled = Request::compile(request, series, destination, &mut templates, known)?;
                            steps.push(Step::Request(Box::new(compiled)));
                        }
                        // The numbering of `series_of` counts every journey.
                        series += 1;
                    }
                }
            }
            let needs_scope = steps.iter().any(|step| matches!(step, Step::Request(request) if request.needs_scope));
            journeys.push(Journey { steps, needs_scope });
        }
        let tables: Vec<Named> = plan.feeders.iter().map(|feeder| rows(feeder, known)).collect::<Result<_, _>>()?;
        let load = plan.load.iter().enumerate().map(|(index, load)| Load {
            mix: Mix::new(plan, index, load, &tables),
            model: load.model,
            curve: Curve::new(&load.stages),
            peak: peak(plan, load),
            max_in_flight: load.max_in_flight.min(most_in_flight),
            drain: load.drain,
            connections: load.connections,
        });
        Ok(Self { seed: plan.seed, journeys, load: load.collect(), templates, secrets: Secrets::of(plan) })
    }

    /// A text as it may be shown.
    pub fn masked(&self, text: String) -> String {
        self.secrets.masked(text)
    }
}

/// The highest level of a load entry, its changes in the timeline included.
pub fn peak(plan: &Plan, load: &brunt_scenario::plan::Load) -> f64 {
    Curve::new(&load.stages).peak() * timeline::largest_factor(&plan.timeline, &load.name)
}

/// The rows of a feeder, once services and links have their ports.
fn rows(feeder: &Feeder, known: &Addresses) -> Result<Named, LoadError> {
    let name: Arc<str> = feeder.name.as_str().into();
    let values = match &feeder.rows {
        Rows::Table { table, .. } => return Ok(Named { name, table: table.clone() }),
        Rows::Values(values) => values,
    };
    let wrong = |why: &dyn std::fmt::Display| LoadError::Feeder { feeder: feeder.name.clone(), why: why.to_string() };
    let mut table = Table::new(vec![VALUE_COLUMN.to_owned()], String::new());
    for value in values {
        let value = value.fill(known, None).map_err(|unknown| wrong(&unknown))?;
        if !table.push(&value) {
            return Err(wrong(&"more than 4 GiB"));
        }
    }
    Ok(Named { name, table: Arc::new(table) })
}
