//! One injection: victims are looked for again, the fault's window is opened when they are known, and the change is made.

use std::sync::Arc;

use brunt_injector::{Edge, Injector};
use brunt_scenario::metric::WindowName;
use brunt_scenario::plan::{Fault, Plan};
use tokio::sync::mpsc::UnboundedSender;

use super::orchestrator::{Hit, Input};
use super::record::Record;
use crate::clock::Clock;
use crate::services::{self, Layout};
use crate::timeline;

/// The fault as its turn with this index has it.
pub fn turn(plan: &Plan, index: usize) -> Fault {
    let turn = timeline::turns_of(&plan.timeline)[index];
    turn.fault.in_round(turn.round)
}

/// Stamps the edges of a fault as they are told: in the thread that makes it, so that nobody is waited for in between.
pub struct Edges {
    /// Index of the fault.
    pub fault: usize,
    /// Where its window is opened.
    pub record: Arc<Record>,
    /// The run's.
    pub clock: Clock,
    /// Who hears of it.
    pub inputs: UnboundedSender<Input>,
}

impl Edges {
    fn tell(&self, edge: Edge, window: &str, instances: &[String]) {
        let fault = self.fault;
        let input = match edge {
            Edge::Begins => {
                Input::Injecting { fault, at: self.record.open_window(WindowName::Fault(window.to_owned())) }
            }
            Edge::Made => Input::Made { fault, instances: instances.to_vec(), at: self.clock.now() },
        };
        // As for all answers: after the loop nobody needs it.
        drop(self.inputs.send(input));
    }
}

/// Resolves again (a restarted process has another id, and another round other victims) and injects.
///
/// # Errors
/// In words: nobody to hit, or it could not be made.
pub async fn inject(plan: &Plan, edges: Edges, layout: &Layout, injector: &Injector) -> Result<Hit, String> {
    let window = timeline::turns_of(&plan.timeline)[edges.fault].fault.id.clone();
    let fault = &services::filled(&turn(plan, edges.fault), layout).map_err(|error| error.to_string())?;
    let target = &plan.targets[&fault.target];
    let victims = injector.resolve(fault, target).await.map_err(|error| error.to_string())?;
    let hit = victims.names();
    let injected = injector.inject_and_tell(fault, &victims, move |edge| edges.tell(edge, &window, &hit));
    injected.await.map_err(|error| error.to_string())?;
    Ok(Hit { instances: victims.names(), of: victims.of, rung: injector.rung(&fault.id) })
}
