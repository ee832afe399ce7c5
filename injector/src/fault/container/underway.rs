//! A call to the engine that takes as long as a container takes to end, beside the thread of its fault, which says meanwhile what is
//! seen.

use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use super::Held;
use crate::docker::Docker;
use crate::error::{DockerError, Error};

/// Something that the engine was asked for.
pub struct Underway {
    thread: Option<JoinHandle<Result<(), DockerError>>>,
    failure: Option<String>,
}

impl Underway {
    /// Asks for it.
    pub fn begin(
        held: &Held,
        call: impl FnOnce(Docker, &str) -> Result<(), DockerError> + Send + 'static,
    ) -> Result<Self, Error> {
        let (docker, id) = (held.docker(), held.id.clone());
        let thread = thread::Builder::new().name("engine".into()).spawn(move || call(docker, &id));
        let thread = thread.map_err(|source| Error::Thread { what: "a call to the Docker Engine", source })?;
        Ok(Self { thread: Some(thread), failure: None })
    }

    /// Why it failed, if it has.
    pub fn failure(&mut self) -> Option<&str> {
        if let Some(thread) = self.thread.take_if(|thread| thread.is_finished()) {
            self.failure = match thread.join() {
                Ok(answered) => answered.err().map(|error| error.to_string()),
                Err(_) => Some("its thread panicked".into()),
            };
        }
        self.failure.as_deref()
    }

    /// Waits for the answer; `false` when none has come within `patience`.
    pub fn wait(&mut self, patience: Duration) -> bool {
        let until = Instant::now() + patience;
        loop {
            self.failure();
            if self.thread.is_none() {
                return true;
            }
            if Instant::now() > until {
                return false;
            }
            thread::sleep(Duration::from_millis(5));
        }
    }
}
