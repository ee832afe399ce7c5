//! `stress.cpu` inside of a pod: a worker beside the agent there keeps threads busy, in the cgroup of its own container, and so
//! in that of the pod.
//!
//! The service feels: the quota of the pod, which is all that its containers together may use, is used up by somebody else, so
//! all of them are throttled. That is so only where each container has a limit of processors; elsewhere the pod has no quota,
//! and the worker would take the node's: refused when pods are looked for. Privilege: none. The pod's cgroup cannot be read from
//! here, so it is verified by what the worker used; where others of the pod want the quota, too, by what it wanted, running or
//! waiting for its turn. The worker ends with the agent, which is the first process of its container.

use std::sync::Arc;
use std::time::Instant;

use super::cpu::{ENOUGH, SOME, WINDOW, processors_of, turns};
use crate::agent::protocol::Order;
use crate::agent::services::Services;
use crate::agent::worker::{self, Task, Worker};
use crate::error::Error;
use crate::fault::{Change, Fault, Reverted, Seen, Undo};
use crate::packets::Beats;
use crate::process::ProcessId;

/// See the module.
pub struct CpuOfPod {
    kind: String,
    run_id: String,
    mark: String,
    /// What is gone is replaced by another one.
    follows: bool,
    beats: Arc<Beats>,
    /// As many processors' worth of time as the containers of the pod may use.
    allowed: f64,
    workers: Option<u64>,
    load: f64,
    /// Processors' worth of time that should be used.
    level: f64,
    worker: Option<Worker>,
    first: Option<Sample>,
    last: Option<Sample>,
    /// What was seen in the window that ended last.
    told: Option<Result<String, String>>,
}

/// What the worker had at an instant, in seconds.
#[derive(Clone, Copy)]
struct Sample {
    at: Instant,
    ran: f64,
    waited: f64,
}

impl CpuOfPod {
    /// `thousandths`: what the pod may use of processors.
    pub fn new(
        order: &Order,
        workers: Option<u64>,
        load: f64,
        thousandths: u64,
        run_id: &str,
        beats: Arc<Beats>,
    ) -> Self {
        Self {
            kind: order.kind.clone(),
            run_id: run_id.to_owned(),
            mark: worker::mark_of(run_id, &order.fault),
            follows: order.follow,
            beats,
            allowed: thousandths as f64 / 1e3,
            workers,
            load,
            level: 0.0,
            worker: None,
            first: None,
            last: None,
            told: None,
        }
    }

    fn unfit(&self, why: String) -> Error {
        Error::Unfit { kind: self.kind.clone(), why }
    }

    fn sample(&mut self) -> Result<Sample, String> {
        let worker = self.worker.as_mut().ok_or("nothing weighs on the pod")?;
        if let Some(why) = worker.ended() {
            return Err(format!("the worker has ended: {why}"));
        }
        let (ran, waited) =
            turns(worker.id.pid).map_err(|error| format!("cannot tell what the worker uses: {error}"))?;
        Ok(Sample { at: Instant::now(), ran, waited })
    }

    /// At its end it is judged by the whole time that it lasted.
    fn seen(&mut self, at_last: bool) -> Seen {
        let now = match self.sample() {
            Ok(now) => now,
            Err(why) => return Seen::Absent(why),
        };
        let first = *self.first.get_or_insert(now);
        let from = if at_last { first } else { *self.last.get_or_insert(now) };
        if now.at.duration_since(from.at) >= WINDOW {
            self.told = Some(judge(self.level, self.allowed, from, now));
            self.last = Some(now);
        }
        let early = || "it was not yet looked at for long enough".to_owned();
        match self.told.clone() {
            Some(told) => told.map_or_else(Seen::Absent, Seen::Yes),
            // It may be in the place of one that is gone, and the run is not to end before this one was looked at.
            None if self.follows => Seen::NotExercised(early()),
            None => Seen::Absent(early()),
        }
    }
}

fn judge(level: f64, allowed: f64, from: Sample, to: Sample) -> Result<String, String> {
    let seconds = to.at.duration_since(from.at).as_secs_f64().max(1e-3);
    let ran = (to.ran - from.ran) / seconds;
    let wanted = ran + (to.waited - from.waited) / seconds;
    let used = format!(
        "the worker in the pod used {ran:.2} processors, where {level:.2} were asked for and its containers may use {allowed:.2}"
    );
    match () {
        () if ran >= level * ENOUGH => Ok(used),
        () if wanted >= level * ENOUGH && ran >= level * SOME => {
            Ok(format!("{used}; it wanted {wanted:.2}: others use the rest"))
        }
        () => Err(used),
    }
}

impl Fault<Services> for CpuOfPod {
    fn prepare(&mut self, _: &mut Services) -> Result<Vec<Undo>, Error> {
        let own = ProcessId::own().and_then(|own| processors_of(own.pid));
        let processors = own.map_err(|error| self.unfit(format!("cannot tell the processors of the pod: {error}")))?;
        self.allowed = self.allowed.min(processors);
        let workers = *self.workers.get_or_insert(self.allowed.ceil().max(1.0) as u64);
        self.level = (workers as f64 * self.load).min(self.allowed);
        Ok(vec![Undo::EndWorkers { mark: self.mark.clone() }])
    }

    fn inject(&mut self, _: &mut Services, change: Change) -> Result<(), Error> {
        if self.worker.is_some() || change == Change::Skip {
            return Ok(());
        }
        let task = Task::Burn { threads: self.workers.unwrap_or(1), load: self.load };
        let started = Worker::start_with(task, &self.run_id, &self.mark, &self.beats);
        self.worker = Some(started.map_err(|error| self.unfit(format!("cannot start a worker: {error}")))?);
        Ok(())
    }

    fn verify(&mut self, _: &mut Services) -> Result<Seen, Error> {
        Ok(self.seen(false))
    }

    fn revert(&mut self, _: &mut Services) -> Reverted {
        let effect = self.seen(true);
        let Some(worker) = &mut self.worker else { return Reverted::nothing(effect) };
        match worker.end() {
            Ok(()) => {
                self.worker = None;
                Reverted { effect, rollback_verified: Some(true), residue: Vec::new(), error: None }
            }
            Err(error) => {
                let error = Some(format!("the worker in the pod does not end: {error}"));
                Reverted { effect, rollback_verified: Some(false), residue: Vec::new(), error }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[test]
    fn the_quota_is_used_up_or_wanted_and_a_worker_that_rests_weighs_nothing() {
        let at = Instant::now();
        let seen = |ran: f64, waited: f64| {
            let from = Sample { at, ran: 0.0, waited: 0.0 };
            judge(0.2, 0.2, from, Sample { at: at + Duration::from_secs(1), ran, waited })
        };
        assert!(seen(0.19, 0.0).unwrap().contains("used 0.19 processors, where 0.20 were asked for"));
        assert!(seen(0.1, 0.8).unwrap().contains("others use the rest"));
        assert!(seen(0.1, 0.0).is_err());
        assert!(seen(0.0, 1.0).is_err(), "it never had its turn");
    }
}
