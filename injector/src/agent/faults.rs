//! The verbs that an agent is asked for, and the faults on processes and packets that it holds.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::making;
use super::protocol::{Answer, Ask};
use super::services::Services;
use crate::error::Error;
use crate::fault::{Fault, Reverted};
use crate::packets::Beats;
use crate::undo;

/// Faults on processes and packets. Their verbs are quick, and use the services of this host.
pub(super) struct Faults {
    run_id: String,
    beats: Arc<Beats>,
    held: BTreeMap<String, Box<dyn Fault<Services>>>,
}

impl Faults {
    /// None yet.
    pub fn new(run_id: &str, beats: &Arc<Beats>) -> Self {
        Self { run_id: run_id.to_owned(), beats: Arc::clone(beats), held: BTreeMap::new() }
    }

    /// Carries a verb out.
    pub fn obey(&mut self, ask: Ask, services: &mut Services) -> Result<Answer, String> {
        match ask {
            Ask::Prepare(ref order) => {
                let mut fault = making::here(order, &self.run_id, &self.beats).map_err(|error| error.to_string())?;
                let id = order.fault.clone();
                let answer = carry_out(ask, &mut *fault, services)?;
                self.held.insert(id, fault);
                Ok(answer)
            }
            Ask::Cease => {
                self.held.values_mut().for_each(|fault| fault.cease(services));
                Ok(Answer::Noted)
            }
            Ask::Undo { undo } => {
                let failed: Vec<String> = undo.iter().filter_map(|undo| undo::apply(undo).err()).collect();
                if failed.is_empty() { Ok(Answer::Noted) } else { Err(failed.join("; ")) }
            }
            verb => {
                let id = verb.fault().ok_or_else(|| no_verb(&verb))?.to_owned();
                let fault = self.held.get_mut(&id).ok_or_else(|| unknown(&id))?;
                let answer = carry_out(verb, &mut **fault, services)?;
                if is_off(&answer) {
                    self.held.remove(&id);
                }
                Ok(answer)
            }
        }
    }

    /// Reverts them all and tells of each that is undone; those that could not be are kept, and why is the answer.
    pub fn revert_all(&mut self, services: &mut Services, undone: impl Fn(&str)) -> Vec<String> {
        let mut stuck = Vec::new();
        self.held.values_mut().for_each(|fault| fault.cease(services));
        self.held.retain(|id, fault| match is_stuck(fault.revert(services)) {
            Some(why) => {
                stuck.push(format!("{id}: {why}"));
                true
            }
            None => {
                undone(id);
                false
            }
        });
        stuck
    }
}

/// Carries out a verb of one fault, at its place.
pub(super) fn carry_out<Place>(verb: Ask, fault: &mut dyn Fault<Place>, place: &mut Place) -> Result<Answer, String> {
    let answer: Result<Answer, Error> = match verb {
        Ask::Prepare(_) => fault.prepare(place).map(|undo| Answer::Prepared { undo, rung: fault.rung() }),
        Ask::Follow { victims, .. } => {
            fault.follow(place, &victims).map(|undo| Answer::Prepared { undo, rung: fault.rung() })
        }
        Ask::Approach { .. } => fault.approach(place).map(Answer::Waits),
        Ask::Inject { change, .. } => fault.inject(place, change).map(|()| Answer::Injected),
        Ask::Verify { .. } => fault.verify(place).map(Answer::Seen),
        Ask::Meet { peers, .. } => fault.meet(place, &peers).map(|()| Answer::Noted),
        Ask::Revert { .. } => Ok(Answer::Reverted(fault.revert(place))),
        other => return Err(no_verb(&other)),
    };
    answer.map_err(|error| error.to_string())
}

/// Whether this answer means that the fault holds nothing any more.
pub(super) fn is_off(answer: &Answer) -> bool {
    matches!(answer, Answer::Reverted(reverted) if reverted.rollback_verified != Some(false))
}

/// Why it is not undone, if it is not.
pub(super) fn is_stuck(reverted: Reverted) -> Option<String> {
    reverted.error.filter(|_| reverted.rollback_verified == Some(false))
}

/// Nobody holds a fault of this name.
pub(super) fn unknown(fault: &str) -> String {
    format!("no fault `{fault}` was prepared")
}

fn no_verb(ask: &Ask) -> String {
    format!("`{}` is no verb of a fault", ask.name())
}
