//! Which rung of the ladder serves a fault on packets: the kernel's own queues where they can do what is asked for, and where
//! they cannot, what is below. Never lower silently: which one it is, and why not a higher one, is told with the answer to
//! `prepare`.

use std::net::IpAddr;
use std::sync::Arc;

use brunt_scenario::plan::Fault as PlannedFault;

use super::PacketFault;
use super::emulated::EmulatedFault;
use super::queued::QueuedFault;
use crate::agent::protocol::Order;
use crate::agent::services::Services;
use crate::catalogue::{QUEUE, RULES};
use crate::error::Error;
use crate::fault::{Change, Fault, Reverted, Rung, Seen, Undo};
use crate::netlink::tc::shaped::Shape;
use crate::packets::{Beats, Effect, Loss, Treatment, emulation};

/// A fault on packets, by the first rung that can.
pub struct Ladder {
    /// `None` once another rung was chosen.
    emulated: Option<EmulatedFault>,
    below: Box<dyn Fault<Services>>,
    below_is: &'static str,
    /// Why not netem; `None` where nobody would expect it.
    why_below: Option<String>,
}

/// How netem serves an effect on such victims, on this kernel: what a plan can say before the links were looked at.
///
/// # Errors
/// Why it does not.
fn emulated(treatment: &Treatment, has_network: bool) -> Result<Shape, String> {
    if !has_network {
        return Err("netem serves network namespaces, and containers that share theirs with nobody".into());
    }
    let shape = emulation::shape_of(treatment)?;
    emulation::works().map_err(|why| format!("netem does not work here: {why}"))?;
    Ok(shape)
}

/// Whether netem serves a fault that is planned.
pub fn is_emulated(fault: &PlannedFault, has_network: bool) -> bool {
    let treatment = super::treatment(fault.kind, &fault.with);
    matches!(treatment, Some(Ok(treatment)) if emulated(&treatment, has_network).is_ok())
}

impl Ladder {
    /// What the order asks for.
    pub fn new(order: &Order, treatment: Treatment, run_id: &str, beats: Arc<Beats>) -> Self {
        let (emulated, why_below) = match emulated(&treatment, EmulatedFault::is_for(&order.victims)) {
            Ok(shape) => (Some(EmulatedFault::new(order, shape, treatment.clone(), run_id, Arc::clone(&beats))), None),
            Err(why) => (None, Some(why)),
        };
        let whole = matches!(treatment.effect, Effect::Lost(Loss::All));
        let below_is = if matches!(treatment.effect, Effect::Lost(_)) { RULES } else { QUEUE };
        let below: Box<dyn Fault<Services>> = match treatment.effect.clone() {
            Effect::Lost(loss) => Box::new(PacketFault::new(order, loss, treatment, run_id, beats)),
            Effect::Queued(queued) => Box::new(QueuedFault::new(order, queued, treatment, run_id, beats)),
        };
        Self { emulated, below, below_is, why_below: why_below.filter(|_| !whole) }
    }

    fn serving(&mut self) -> &mut dyn Fault<Services> {
        match &mut self.emulated {
            Some(emulated) => emulated,
            None => &mut *self.below,
        }
    }
}

impl Fault<Services> for Ladder {
    fn prepare(&mut self, services: &mut Services) -> Result<Vec<Undo>, Error> {
        if let Some(emulated) = &mut self.emulated {
            match emulated.try_prepare(services)? {
                Ok(undo) => return Ok(undo),
                Err(why) => (self.emulated, self.why_below) = (None, Some(why)),
            }
        }
        self.below.prepare(services)
    }

    fn inject(&mut self, services: &mut Services, change: Change) -> Result<(), Error> {
        self.serving().inject(services, change)
    }

    fn meet(&mut self, services: &mut Services, peers: &[IpAddr]) -> Result<(), Error> {
        self.serving().meet(services, peers)
    }

    fn verify(&mut self, services: &mut Services) -> Result<Seen, Error> {
        self.serving().verify(services)
    }

    fn cease(&mut self, services: &mut Services) {
        self.serving().cease(services);
    }

    fn revert(&mut self, services: &mut Services) -> Reverted {
        self.serving().revert(services)
    }

    fn rung(&self) -> Option<Rung> {
        Some(match &self.emulated {
            Some(emulated) => Rung { by: emulated.rung().to_owned(), why_not_higher: None },
            None => Rung { by: self.below_is.to_owned(), why_not_higher: self.why_below.clone() },
        })
    }
}
