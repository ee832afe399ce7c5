//! `deployment.restart`: every pod is replaced by a new one of the same template, as `kubectl rollout restart` does it.
//!
//! The service feels a rollout: as many pods at a time as the deployment's strategy says are taken out of its services, and
//! new ones come. Rights: get and patch of deployments. A deployment that is paused is refused, for nothing would happen.
//! Verified by pods of the new template. It has no inverse; the annotation that makes the template a new one stays.

use brunt_kubernetes::deployment::{self, RESTARTED};
use brunt_kubernetes::{ANSWER, Cluster, KubernetesError, Object};

use super::is_another;
use crate::error::Error;
use crate::fault::looking::Looking;
use crate::fault::{Change, Elsewhere, Fault, Reverted, Seen, Undo};

/// See the module.
pub struct Restart {
    cluster: Cluster,
    deployment: Object,
    looking: Option<Looking>,
    injected: bool,
}

impl Restart {
    pub(super) fn new(cluster: Cluster, deployment: Object) -> Self {
        Self { cluster, deployment, looking: None, injected: false }
    }
}

fn look(
    cluster: Cluster,
    object: Object,
    generation: Option<i64>,
) -> impl FnMut() -> Result<Seen, KubernetesError> + Send + 'static {
    move || {
        cluster.ask(ANSWER, async |client| {
            let place = object.place();
            let Some(now) = deployment::now(&client, &object).await? else {
                return Ok(Seen::Absent(format!("{place} is gone")));
            };
            if now.observed < generation || now.new == 0 {
                return Ok(Seen::Absent(format!("{place} has no pod of the new template yet")));
            }
            let how = if now.is_rolled_out { "rolled out" } else { "being rolled out" };
            Ok(Seen::Yes(format!("{place} is {how}: {} of {} pods are new", now.new, now.wanted)))
        })
    }
}

impl Fault<Elsewhere> for Restart {
    fn prepare(&mut self, _: &mut Elsewhere) -> Result<Vec<Undo>, Error> {
        let (cluster, object) = (&self.cluster, &self.deployment);
        let seen = cluster.ask(ANSWER, async |client| {
            cluster.check(&client, &object.cluster).await?;
            deployment::now(&client, object).await
        })?;
        let place = object.place();
        let seen = seen.ok_or_else(|| is_another(object))?;
        if seen.is_paused {
            let resume = format!("`kubectl rollout resume {}`", object.by_hand());
            return Err(Error::Refused(format!("{place} is paused, so it would not be rolled out; {resume} first")));
        }
        if seen.wanted == 0 {
            return Err(Error::Refused(format!("{place} has no replicas, so there is nothing to restart")));
        }
        Ok(vec![Undo::Nothing { why: "a restart has no inverse; it ends by itself".into() }])
    }

    fn inject(&mut self, _: &mut Elsewhere, change: Change) -> Result<(), Error> {
        if self.injected || change == Change::Skip {
            return Ok(());
        }
        self.injected = true;
        let object = &self.deployment;
        let generation = deployment::restart(&self.cluster, object)?;
        self.looking = Some(Looking::new(look(self.cluster.clone(), object.clone(), generation)));
        Ok(())
    }

    fn verify(&mut self, _: &mut Elsewhere) -> Result<Seen, Error> {
        let nothing = || Ok(Seen::Absent("nothing was changed".into()));
        self.looking.as_mut().map_or_else(nothing, Looking::seen)
    }

    fn revert(&mut self, _: &mut Elsewhere) -> Reverted {
        let nothing = || Ok(Seen::Absent("nothing was changed".into()));
        let effect = self.looking.as_mut().map_or_else(nothing, Looking::now);
        let mut reverted = Reverted::nothing(effect.unwrap_or_else(|error| Seen::Absent(error.to_string())));
        if self.injected {
            let place = self.deployment.place();
            reverted.residue.push(format!("{place} keeps the annotation {RESTARTED} in its template"));
        }
        reverted
    }
}
