//! Pods that are told to go, by whichever way: what `pod.kill` and `pod.evict` have in common.
//!
//! Nothing is put back. What is told at the end is who came in their place.

use std::time::Duration;

use brunt_kubernetes::finding::pod;
use brunt_kubernetes::{ANSWER, Cluster, KubernetesError, Object};

use super::{Replacements, evict, kill, names};
use crate::error::Error;
use crate::fault::looking::Looking;
use crate::fault::{Change, Elsewhere, Fault, Reverted, Seen, Undo};

/// How they are told.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Way {
    /// They are deleted.
    Kill,
    /// They are evicted, if their budget allows it.
    Evict,
}

/// See the module.
pub(super) struct Leave {
    way: Way,
    cluster: Cluster,
    pods: Vec<Object>,
    grace: Option<Duration>,
    before: Replacements,
    looking: Looking,
    injected: bool,
}

impl Leave {
    pub(super) fn new(way: Way, cluster: Cluster, pods: Vec<Object>, grace: Option<Duration>) -> Self {
        let looking = Looking::new(gone(cluster.clone(), pods.clone()));
        Self { way, cluster, pods, grace, before: Replacements::default(), looking, injected: false }
    }
}

/// A look at whether all of them are gone. One that was told to end has what it was given, and is no verdict yet.
fn gone(cluster: Cluster, pods: Vec<Object>) -> impl FnMut() -> Result<Seen, KubernetesError> + Send + 'static {
    move || {
        cluster.ask(ANSWER, async |client| {
            let mut ending = Vec::new();
            for object in &pods {
                match pod::now(&client, object).await? {
                    Some(left) if left.ending => ending.push(object.name.as_str()),
                    Some(_) => {
                        return Ok(Seen::Absent(format!("{} is still there (uid {})", object.place(), object.uid)));
                    }
                    None => {}
                }
            }
            if !ending.is_empty() {
                return Ok(Seen::NotExercised(format!("told to end, and still at it: {}", ending.join(", "))));
            }
            Ok(Seen::Yes(format!("gone, by their UIDs: {}", names(&pods))))
        })
    }
}

impl Fault<Elsewhere> for Leave {
    fn prepare(&mut self, _: &mut Elsewhere) -> Result<Vec<Undo>, Error> {
        self.before = super::prepare(&self.cluster, &self.pods)?;
        let what = match self.way {
            Way::Kill => "a kill",
            Way::Evict => "an eviction",
        };
        Ok(vec![Undo::Nothing { why: format!("{what} has no inverse; what owns the pods makes others") }])
    }

    fn inject(&mut self, _: &mut Elsewhere, change: Change) -> Result<(), Error> {
        if self.injected || change == Change::Skip {
            return Ok(());
        }
        self.injected = true;
        let (way, pods, grace) = (self.way, &self.pods, self.grace);
        let told = match way {
            Way::Kill => kill::delete(&self.cluster, pods, grace),
            Way::Evict => evict::evict(&self.cluster, pods, grace),
        };
        told.map_err(Error::from)
    }

    fn verify(&mut self, _: &mut Elsewhere) -> Result<Seen, Error> {
        self.looking.seen()
    }

    fn revert(&mut self, _: &mut Elsewhere) -> Reverted {
        let mut reverted = Reverted::nothing(self.looking.at_last());
        if !self.injected {
            return reverted;
        }
        let (before, pods) = (&self.before, &self.pods);
        match self.cluster.ask(ANSWER, async |client| before.after(&client, pods).await) {
            Ok((came, missing)) => {
                if let Seen::Yes(seen) = &mut reverted.effect {
                    seen.push_str(&came);
                }
                reverted.rollback_verified = missing.is_none().then_some(true);
                reverted.residue.extend(missing);
            }
            Err(error) => reverted.residue.push(format!("whether others came in their place is not known: {error}")),
        }
        reverted
    }
}
