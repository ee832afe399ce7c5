//! `pod.fail`: the containers of pods end and cannot start again, while the pods stay where they are; undone by letting them.
//!
//! The service feels pods that are there and do not work, as after a bad push: each container is told to end (as at a
//! `pod.kill`), and its image becomes one that no registry has (`brunt.invalid` is a name that is never given to anybody, RFC
//! 2606). What made the pods makes no others, for they still exist: so many are missing for as long as the fault lasts. Rights:
//! get, list and patch of pods. Verified by the kubelet's account that none of the containers runs. Undone by the image that
//! each had; that they were started again once more stays in their restart counts.

use brunt_kubernetes::change;
use brunt_kubernetes::inverse::Inverse;
use brunt_kubernetes::{ANSWER, Cluster, KubernetesError, Object};

use super::{is_another, names};
use crate::error::Error;
use crate::fault::looking::Looking;
use crate::fault::put_back::put_all_back;
use crate::fault::{Change, Elsewhere, Fault, Reverted, Seen, Undo};

/// What no registry has.
const NOWHERE: &str = "brunt.invalid/fails-on-purpose:1";

/// See the module.
pub struct Fail {
    cluster: Cluster,
    pods: Vec<Object>,
    inverses: Vec<Inverse>,
    looking: Looking,
    injected: bool,
}

impl Fail {
    pub(super) fn new(cluster: Cluster, pods: Vec<Object>) -> Self {
        let looking = Looking::new(look(cluster.clone(), pods.clone()));
        Self { cluster, pods, inverses: Vec::new(), looking, injected: false }
    }
}

fn look(cluster: Cluster, pods: Vec<Object>) -> impl FnMut() -> Result<Seen, KubernetesError> + Send + 'static {
    move || {
        cluster.ask(ANSWER, async |client| {
            for object in &pods {
                let Some(pod) = change::pod(&client, object).await? else {
                    return Ok(Seen::Absent(format!("{} is gone", object.place())));
                };
                if let Some(running) = change::running(&pod) {
                    return Ok(Seen::Absent(format!("the container `{running}` of {} still runs", object.place())));
                }
            }
            Ok(Seen::Yes(format!("no container runs in {}", names(&pods))))
        })
    }
}

impl Fault<Elsewhere> for Fail {
    fn prepare(&mut self, _: &mut Elsewhere) -> Result<Vec<Undo>, Error> {
        let (cluster, pods) = (&self.cluster, &self.pods);
        self.inverses = cluster.ask(ANSWER, async |client| {
            let mut inverses = Vec::new();
            for object in pods {
                cluster.check(&client, &object.cluster).await?;
                let pod = change::pod(&client, object).await?.ok_or_else(|| is_another(object))?;
                inverses.push(Inverse::Images { pod: object.clone(), were: change::images(&pod), are: NOWHERE.into() });
            }
            Ok(inverses)
        })?;
        Ok(self.inverses.iter().map(|inverse| Undo::Cluster { inverse: Box::new(inverse.clone()) }).collect())
    }

    fn inject(&mut self, _: &mut Elsewhere, change: Change) -> Result<(), Error> {
        if self.injected || change == Change::Skip {
            return Ok(());
        }
        self.injected = true;
        let inverses = &self.inverses;
        let changed = self.cluster.ask(ANSWER, async |client| {
            for inverse in inverses {
                let Inverse::Images { pod: object, were, are } = inverse else { continue };
                change::again(async || {
                    let action = || format!("change the images of {}", object.place());
                    let gone = || KubernetesError::Missing { action: action(), why: "it is gone since then".into() };
                    let seen = change::pod(&client, object).await?.ok_or_else(gone)?;
                    let now: Vec<_> = were.iter().map(|(name, _)| (name.clone(), are.clone())).collect();
                    change::set_images(&client, object, &seen, &now).await
                })
                .await?;
            }
            Ok(())
        });
        changed.map_err(Error::from)
    }

    fn verify(&mut self, _: &mut Elsewhere) -> Result<Seen, Error> {
        self.looking.seen()
    }

    fn revert(&mut self, _: &mut Elsewhere) -> Reverted {
        let effect = self.looking.at_last();
        let mut reverted = Reverted::nothing(effect);
        if self.injected {
            reverted.residue.push(format!("the containers of {} count one restart more", names(&self.pods)));
        }
        put_all_back(&self.cluster, &self.inverses, &mut self.injected, reverted)
    }
}
