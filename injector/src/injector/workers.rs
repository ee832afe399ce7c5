//! The job whose pods send the load of a run: in the journal before it is made, deleted with the run's end, by the agent if the
//! runner cannot, and by `cleanup` if neither can.

use brunt_kubernetes::Object;
use brunt_kubernetes::inverse::Inverse;

use super::{ANSWER, Injector, Inner, blocking};
use crate::agent::protocol::Ask;
use crate::error::Error;
use crate::fault::Undo;
use crate::journal::{self, Entry};
use crate::undo;

impl Injector {
    /// The run, as labels and journals have it.
    pub fn run_id(&self) -> &str {
        self.inner.watch.run_id()
    }

    /// Writes down that this job is about to be made, and tells the agent.
    ///
    /// # Errors
    /// There is no journal or no agent: then it must not be made.
    pub async fn hold_workers(&self, job: Object) -> Result<(), Error> {
        let inner = self.inner.clone();
        blocking(move || inner.hold_workers(job)).await?
    }

    /// Deletes the job, if there is one. In sentences: what was done.
    ///
    /// # Errors
    /// What a person must do; the journal keeps it.
    pub async fn end_workers(&self) -> Result<Vec<String>, String> {
        let inner = self.inner.clone();
        let ended = blocking(move || inner.end_workers()).await;
        ended.unwrap_or_else(|error| Err(error.to_string()))
    }
}

impl Inner {
    fn hold_workers(&self, job: Object) -> Result<(), Error> {
        let run_id = self.watch.run_id().to_owned();
        let undo = vec![Undo::Cluster { inverse: Box::new(Inverse::Workers { job, run_id }) }];
        self.write_down(&Entry { fault: journal::WORKERS.into(), kind: "workers".into(), undo: undo.clone() })?;
        self.agent.ask(Ask::Hold { fault: journal::WORKERS.into(), undo: undo.clone() }, ANSWER)?;
        self.watch.holds(journal::WORKERS, undo);
        Ok(())
    }

    fn end_workers(&self) -> Result<Vec<String>, String> {
        let mut done = Vec::new();
        for undo in self.watch.held(journal::WORKERS) {
            done.extend(undo::apply(&undo)?);
        }
        if done.is_empty() {
            return Ok(done);
        }
        self.watch.let_go(journal::WORKERS);
        // An entry that stays open is found by `cleanup`, which finds nothing to do.
        let _ = self.note_undone(journal::WORKERS);
        // An agent that is gone holds nothing, and reads in the journal what is undone.
        let _ = self.agent.ask(Ask::LetGo { fault: journal::WORKERS.into() }, ANSWER);
        Ok(done)
    }
}
