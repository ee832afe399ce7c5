//! What an agent that was killed has left stopped in its pod, another one there continues.

use std::sync::mpsc::RecvTimeoutError;

use super::{Inside, PATIENCE};
use crate::agent::pods::{Life, Over};
use crate::agent::protocol::Ask;
use crate::fault::in_pods::Way;
use crate::fault::{Reverted, Seen};

impl Inside {
    /// The agent was killed while something was stopped, or may have been.
    pub fn is_left_stopped(&self) -> bool {
        self.stops && matches!(self.agent.life(), Life::Over(Over::Ended { code, anew: false, .. }) if code != 0)
    }

    /// Another agent in the pod does what the first one cannot any more. It takes some seconds to be there: called again until then.
    pub fn mend(&mut self, way: &Way) -> Reverted {
        let mended = self.try_to_mend(way);
        let (pod, over) = (&self.agent.pod, self.over());
        let other = self.mending.as_ref().and_then(|(agent, _)| agent.residue());
        let residue = self.agent.residue().into_iter().chain(other).collect();
        let error =
            mended.as_ref().err().map(|why| format!("{over}; {why}. By hand: `kubectl delete {}`", pod.by_hand()));
        Reverted { effect: Seen::Absent(over), rollback_verified: Some(mended.is_ok()), residue, error }
    }

    fn try_to_mend(&mut self, way: &Way) -> Result<(), String> {
        let undo = self.undo.clone().ok_or("it never said what that was")?;
        if self.mending.is_none() {
            let agent = way.agent_in(&self.agent.pod).map_err(|error| error.to_string())?;
            let coming = agent.ask(Ask::Undo { undo });
            self.mending = Some((agent, coming));
        }
        let Some((agent, coming)) = &self.mending else { return Ok(()) };
        let failed = match coming.recv_timeout(PATIENCE) {
            Ok(Ok(_)) => return Ok(()),
            Err(RecvTimeoutError::Disconnected)
                if matches!(agent.life(), Life::Over(Over::PodGone | Over::PodEnded(_))) =>
            {
                return Ok(());
            }
            Err(RecvTimeoutError::Timeout) => return Err("another one begins there, to continue it".into()),
            Ok(Err(why)) => format!("another one could not continue it: {why}"),
            Err(RecvTimeoutError::Disconnected) => format!("another one has ended, too: {:?}", agent.life()),
        };
        // The next call begins with yet another one.
        self.mending = None;
        Err(failed)
    }
}
