//! The agents in pods that this agent holds: one in each pod and for each purpose for the whole run, because an ephemeral
//! container is started once and stays listed for ever.
//!
//! The runner speaks with its agent on this host only, and that one passes on what is asked of a pod. So there is one place
//! where everything is undone when the runner is gone, and only that process has the credentials. What the agents in pods are
//! told is when the *runner* was last heard of: if anybody on the way is stopped, killed or cut off, their lease runs out.

mod place;
mod wire;

use std::collections::BTreeMap;
use std::sync::mpsc::RecvTimeoutError;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use brunt_kubernetes::ephemeral::Purpose;
use brunt_kubernetes::{Cluster, Object};

use crate::agent::protocol::{Answer, Ask};
use crate::packets::Beats;
pub use place::{Life, Over, Place};
pub use wire::TO_BEGIN;
use wire::Wire;

/// How long all of them together may take to end.
const TO_END: Duration = Duration::from_secs(3);

/// See the module.
pub struct Pods {
    run_id: String,
    beats: Arc<Beats>,
    all: Mutex<BTreeMap<Key, Arc<Place>>>,
}

/// The UID of the pod, what the agent is there for, and for processes beside which container.
type Key = (String, Purpose, Option<String>);

impl Pods {
    /// None yet.
    pub fn new(run_id: &str, beats: &Arc<Beats>) -> Arc<Self> {
        Arc::new(Self { run_id: run_id.to_owned(), beats: Arc::clone(beats), all: Mutex::default() })
    }

    /// How long they go on without hearing of the runner.
    pub fn lease(&self) -> Duration {
        self.beats.lease()
    }

    /// The agent in this pod; where there is none (any more), one is begun, which takes some seconds that nobody waits for here.
    ///
    /// # Errors
    /// No thread can be started.
    pub fn agent_in(
        &self,
        cluster: &Cluster,
        pod: &Object,
        image: &str,
        purpose: Purpose,
    ) -> std::io::Result<Arc<Place>> {
        let mut all = self.all.lock().unwrap_or_else(PoisonError::into_inner);
        let beside = pod.container.clone().filter(|_| purpose == Purpose::Processes);
        let key = (pod.uid.clone(), purpose, beside);
        if let Some(place) = all.get(&key).filter(|place| !matches!(place.life(), Life::Over(_))) {
            return Ok(Arc::clone(place));
        }
        let begin = wire::Begin {
            cluster: cluster.clone(),
            pod: pod.clone(),
            image: image.to_owned(),
            purpose,
            run_id: self.run_id.clone(),
            beats: Arc::clone(&self.beats),
        };
        let place = Place::begin(begin)?;
        all.insert(key, Arc::clone(&place));
        Ok(place)
    }

    /// Asks all of them to end; what they could not undo.
    pub fn end_all(&self) -> Vec<String> {
        let all = std::mem::take(&mut *self.all.lock().unwrap_or_else(PoisonError::into_inner));
        let asked: Vec<_> = all.into_values().filter_map(|place| place.end().map(|answer| (place, answer))).collect();
        let until = Instant::now() + TO_END;
        let mut left = Vec::new();
        for (place, answer) in asked {
            match answer.recv_timeout(until.saturating_duration_since(Instant::now())) {
                Ok(Ok(Answer::Ended(of_it))) => {
                    left.extend(of_it.into_iter().map(|one| format!("{}: {one}", place.pod.place())));
                }
                // It had ended before, and took everything with it; or it is out of reach, and ends at its lease. What it still
                // holds then was told by the fault that could not be reverted.
                Ok(_) | Err(RecvTimeoutError::Disconnected | RecvTimeoutError::Timeout) => {}
            }
        }
        left
    }
}

/// What is asked, and where its answer is awaited.
type Asked = (Ask, std::sync::mpsc::Sender<Result<Answer, String>>);
