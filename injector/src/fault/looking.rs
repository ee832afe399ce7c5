//! A look at a cluster that goes on beside the thread of its fault: who asks what is seen of it is told at once, whatever the API
//! server is at.

use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use crate::error::Error;
use crate::fault::Seen;
use brunt_kubernetes::KubernetesError;

/// How often it is looked again once the effect is there.
const EVERY: Duration = Duration::from_secs(1);
/// How often before that.
const EAGER: Duration = Duration::from_millis(50);

type Look = Box<dyn FnMut() -> Result<Seen, KubernetesError> + Send>;

/// See the module.
pub struct Looking {
    /// Here between two looks.
    look: Option<Look>,
    underway: Option<JoinHandle<(Look, Result<Seen, KubernetesError>)>>,
    next: Instant,
    last: Seen,
}

impl Looking {
    /// Nothing is looked at yet.
    pub fn new(look: impl FnMut() -> Result<Seen, KubernetesError> + Send + 'static) -> Self {
        let last = Seen::Absent("it was not looked at yet".into());
        Self { look: Some(Box::new(look)), underway: None, next: Instant::now(), last }
    }

    /// What was seen last. A server that is away for a moment takes nothing back: the last answer counts until it has one
    /// again.
    ///
    /// # Errors
    /// The look failed in a way that will not pass.
    pub fn seen(&mut self) -> Result<Seen, Error> {
        self.begin()?;
        match self.underway.take_if(|thread| thread.is_finished()) {
            Some(thread) => self.collect(thread),
            None => Ok(self.last.clone()),
        }
    }

    /// Looks now and waits for the answer, which takes as long as a look takes at most.
    ///
    /// # Errors
    /// As for [`Looking::seen`].
    pub fn now(&mut self) -> Result<Seen, Error> {
        if let Some(thread) = self.underway.take() {
            self.collect(thread)?;
        }
        self.next = Instant::now();
        self.begin()?;
        match self.underway.take() {
            Some(thread) => self.collect(thread),
            None => Ok(self.last.clone()),
        }
    }

    /// The same when a fault comes off and nothing will be looked at any more: what cannot be looked at is not seen.
    pub fn at_last(&mut self) -> Seen {
        self.now().unwrap_or_else(|error| Seen::Absent(error.to_string()))
    }

    fn begin(&mut self) -> Result<(), Error> {
        if self.underway.is_some() || Instant::now() < self.next {
            return Ok(());
        }
        let Some(mut look) = self.look.take() else { return Ok(()) };
        let thread = thread::Builder::new().name("cluster".into()).spawn(move || {
            let seen = look();
            (look, seen)
        });
        self.underway = Some(thread.map_err(|source| Error::Thread { what: "a look at a cluster", source })?);
        Ok(())
    }

    fn collect(&mut self, thread: JoinHandle<(Look, Result<Seen, KubernetesError>)>) -> Result<Seen, Error> {
        let Ok((look, seen)) = thread.join() else {
            let source = std::io::Error::other("it panicked");
            return Err(Error::Thread { what: "a look at a cluster", source });
        };
        self.look = Some(look);
        let eager = !matches!(seen, Ok(Seen::Yes(_)));
        self.next = Instant::now() + if eager { EAGER } else { EVERY };
        match seen {
            Ok(seen) => self.last = seen,
            Err(error) if error.is_passing() => {
                self.next = Instant::now() + EVERY;
                if !matches!(self.last, Seen::Yes(_)) {
                    self.last = Seen::Absent(error.to_string());
                }
            }
            Err(error) => return Err(error.into()),
        }
        Ok(self.last.clone())
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;
    use std::sync::atomic::{AtomicUsize, Ordering};
    use std::sync::mpsc;

    use super::*;

    fn away() -> KubernetesError {
        KubernetesError::Unreachable { action: "get pod shop/payment-0".into(), why: "connection refused".into() }
    }

    #[test]
    fn a_server_that_is_away_takes_nothing_back_that_was_seen() {
        let looks = Arc::new(AtomicUsize::new(0));
        let count = looks.clone();
        let mut looking = Looking::new(move || match count.fetch_add(1, Ordering::SeqCst) {
            0 => Err(away()),
            1 => Ok(Seen::Yes("gone".into())),
            2 => Err(away()),
            _ => Err(KubernetesError::Forbidden { action: "get pod".into(), why: "no".into() }),
        });
        assert!(matches!(looking.now(), Ok(Seen::Absent(why)) if why.contains("connection refused")));
        assert!(matches!(looking.now(), Ok(Seen::Yes(_))));
        assert!(matches!(looking.now(), Ok(Seen::Yes(_))), "the server was away for a moment");
        assert!(looking.now().is_err(), "a right that was taken away does not come back");
        assert_eq!(looks.load(Ordering::SeqCst), 4);
    }

    #[test]
    fn a_look_that_takes_its_time_keeps_nobody_waiting() {
        let (answer, wait) = mpsc::channel::<()>();
        let mut looking = Looking::new(move || {
            let _ = wait.recv();
            Ok(Seen::Yes("there".into()))
        });
        for _ in 0..3 {
            assert!(matches!(looking.seen(), Ok(Seen::Absent(_))));
        }
        answer.send(()).unwrap();
        while !matches!(looking.seen(), Ok(Seen::Yes(_))) {
            thread::sleep(Duration::from_millis(1));
        }
    }
}
