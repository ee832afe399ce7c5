//! The faults that an agent holds, and the four verbs that it is asked for.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::making::fault_of;
use super::pods::Pods;
use super::protocol::{Answer, Ask};
use super::services::Services;
use crate::fault::{Fault, Reverted};
use crate::packets::Beats;
use crate::undo;

/// See the module.
pub(super) struct Faults {
    run_id: String,
    beats: Arc<Beats>,
    /// `None` in a pod: no agent there has others.
    pods: Option<Arc<Pods>>,
    held: BTreeMap<String, Box<dyn Fault<Services>>>,
}

impl Faults {
    /// None yet.
    pub fn new(run_id: &str, beats: &Arc<Beats>, pods: Option<Arc<Pods>>) -> Self {
        Self { run_id: run_id.to_owned(), beats: Arc::clone(beats), pods, held: BTreeMap::new() }
    }

    /// Carries a verb out.
    pub fn obey(&mut self, ask: Ask, services: &mut Services) -> Result<Answer, String> {
        let faults = &mut self.held;
        let unknown = |fault: &str| format!("no fault `{fault}` was prepared");
        let answer = match ask {
            Ask::Prepare(order) => {
                fault_of(&order, &self.run_id, &self.beats, self.pods.as_ref()).and_then(|mut fault| {
                    let undo = fault.prepare(services)?;
                    let rung = fault.rung();
                    faults.insert(order.fault, fault);
                    Ok(Answer::Prepared { undo, rung })
                })
            }
            Ask::Follow { fault, victims } => {
                let fault = faults.get_mut(&fault).ok_or_else(|| unknown(&fault))?;
                fault.follow(services, &victims).map(|undo| Answer::Prepared { undo, rung: fault.rung() })
            }
            Ask::Approach { fault } => {
                let fault = faults.get_mut(&fault).ok_or_else(|| unknown(&fault))?;
                fault.approach(services).map(Answer::Waits)
            }
            Ask::Inject { fault, change } => {
                let fault = faults.get_mut(&fault).ok_or_else(|| unknown(&fault))?;
                fault.inject(services, change).map(|()| Answer::Injected)
            }
            Ask::Verify { fault } => {
                let fault = faults.get_mut(&fault).ok_or_else(|| unknown(&fault))?;
                fault.verify(services).map(Answer::Seen)
            }
            Ask::Meet { fault, peers } => {
                let fault = faults.get_mut(&fault).ok_or_else(|| unknown(&fault))?;
                fault.meet(services, &peers).map(|()| Answer::Noted)
            }
            Ask::Cease => {
                faults.values_mut().for_each(|fault| fault.cease(services));
                Ok(Answer::Noted)
            }
            Ask::Revert { fault } => {
                let mut held = faults.remove(&fault).ok_or_else(|| unknown(&fault))?;
                let reverted = held.revert(services);
                if reverted.rollback_verified == Some(false) {
                    faults.insert(fault, held);
                }
                Ok(Answer::Reverted(reverted))
            }
            Ask::Undo { undo } => {
                let failed: Vec<String> = undo.iter().filter_map(|undo| undo::apply(undo).err()).collect();
                return if failed.is_empty() { Ok(Answer::Noted) } else { Err(failed.join("; ")) };
            }
            other => return Err(format!("`{}` is no verb of a fault", other.name())),
        };
        answer.map_err(|error| error.to_string())
    }

    /// Reverts them all and tells of each that is undone; those that could not be are kept, and why is the answer.
    pub fn revert_all(&mut self, services: &mut Services, undone: impl Fn(&str)) -> Vec<String> {
        let mut stuck = Vec::new();
        self.held.values_mut().for_each(|fault| fault.cease(services));
        for (id, mut fault) in std::mem::take(&mut self.held) {
            let Reverted { rollback_verified, error, .. } = fault.revert(services);
            match error {
                Some(error) if rollback_verified == Some(false) => {
                    stuck.push(format!("{id}: {error}"));
                    self.held.insert(id, fault);
                }
                _ => undone(&id),
            }
        }
        stuck
    }
}
