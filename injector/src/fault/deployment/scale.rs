//! `deployment.scale`: another number of replicas, undone by giving the old one back.
//!
//! The service feels: fewer pods (or none, with `replicas: 0`), or more. Rights: get of deployments, patch of
//! `deployments/scale`, list of horizontal pod autoscalers. A deployment whose replicas an autoscaler decides about is
//! refused: it would undo the fault, and brunt its work. Whoever else changes the number meanwhile keeps what they made.
//! Verified by the deployment's own count of pods, not by what its specification asks for.

use brunt_kubernetes::change;
use brunt_kubernetes::deployment::{self, DeploymentNow};
use brunt_kubernetes::inverse::Inverse;
use brunt_kubernetes::{ANSWER, Cluster, KubernetesError, Object};

use super::is_another;
use crate::error::Error;
use crate::fault::looking::Looking;
use crate::fault::put_back::put_all_back;
use crate::fault::{Change, Elsewhere, Fault, Reverted, Seen, Undo};

/// See the module.
pub struct Scale {
    cluster: Cluster,
    deployment: Object,
    to: i32,
    inverse: Option<Inverse>,
    looking: Looking,
    injected: bool,
}

impl Scale {
    pub(super) fn new(cluster: Cluster, deployment: Object, to: i32) -> Self {
        let looking = Looking::new(look(cluster.clone(), deployment.clone(), to));
        Self { cluster, deployment, to, inverse: None, looking, injected: false }
    }
}

fn look(cluster: Cluster, object: Object, to: i32) -> impl FnMut() -> Result<Seen, KubernetesError> + Send + 'static {
    move || {
        cluster.ask(ANSWER, async |client| {
            let now = deployment::now(&client, &object).await?;
            Ok(now.map_or_else(|| Seen::Absent(format!("{} is gone", object.place())), |now| judge(&now, &object, to)))
        })
    }
}

/// By the account of the controller, once that is about this version.
fn judge(now: &DeploymentNow, object: &Object, to: i32) -> Seen {
    let place = object.place();
    let DeploymentNow { wanted, pods, ready, .. } = *now;
    let counted = if pods == 1 { "1 pod".to_owned() } else { format!("{pods} pods") };
    if wanted != to {
        return Seen::Absent(format!("{place} should have {wanted} replicas, not {to}"));
    }
    if now.observed < now.generation || pods != to {
        return Seen::Absent(format!("{place} still has {counted}, not {to}"));
    }
    Seen::Yes(format!("{place} has {counted}, {ready} of them ready"))
}

impl Fault<Elsewhere> for Scale {
    fn prepare(&mut self, _: &mut Elsewhere) -> Result<Vec<Undo>, Error> {
        let (cluster, object) = (&self.cluster, &self.deployment);
        let (seen, autoscaler) = cluster.ask(ANSWER, async |client| {
            cluster.check(&client, &object.cluster).await?;
            let autoscaler = change::autoscaler(&client, object.namespace(), &object.name).await?;
            Ok((deployment::now(&client, object).await?, autoscaler))
        })?;
        let place = object.place();
        let seen = seen.ok_or_else(|| is_another(object))?;
        if let Some(name) = autoscaler {
            let why = "decides about its replicas, and would undo this fault while brunt undoes its work";
            return Err(Error::Refused(format!("{place}: the autoscaler `{name}` {why}")));
        }
        let from = seen.wanted;
        if from == self.to {
            return Err(Error::Refused(format!("{place} has {from} replicas already; nothing would change")));
        }
        let inverse = Inverse::Replicas { deployment: object.clone(), from, to: self.to };
        self.inverse = Some(inverse.clone());
        Ok(vec![Undo::Cluster { inverse: Box::new(inverse) }])
    }

    fn inject(&mut self, _: &mut Elsewhere, change: Change) -> Result<(), Error> {
        let Some(Inverse::Replicas { from, .. }) = self.inverse else { return Ok(()) };
        if self.injected || change == Change::Skip {
            return Ok(());
        }
        self.injected = true;
        let (object, to) = (&self.deployment, self.to);
        let scaled = self.cluster.ask(ANSWER, async |client| {
            change::again(async || {
                let action = || format!("scale {}", object.place());
                let gone = || KubernetesError::gone(action());
                let seen = change::deployment(&client, object).await?.ok_or_else(gone)?;
                let now = change::replicas_of(&seen);
                if now != from {
                    let why = format!("it has {now} replicas, and had {from} a moment ago: somebody else is at it");
                    return Err(KubernetesError::Refused { action: action(), status: 409, why });
                }
                change::scale(&client, object, &seen, to).await
            })
            .await
        });
        scaled.map_err(Error::from)
    }

    fn verify(&mut self, _: &mut Elsewhere) -> Result<Seen, Error> {
        self.looking.seen()
    }

    fn revert(&mut self, _: &mut Elsewhere) -> Reverted {
        let effect = self.looking.at_last();
        let inverses = self.inverse.as_slice();
        put_all_back(&self.cluster, inverses, &mut self.injected, Reverted::nothing(effect))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use brunt_kubernetes::{Identity, Kind};

    fn judged(replicas: i32, generation: i64, observed: i64, pods: i32) -> Seen {
        let cluster = Identity { context: None, files: Vec::new(), uid: "c".into() };
        let object = Object::new(Kind::Deployment, Some("shop".into()), "payment".into(), "u".into(), cluster);
        let (generation, observed) = (Some(generation), Some(observed));
        let now =
            DeploymentNow { wanted: replicas, pods, ready: pods, generation, observed, ..DeploymentNow::default() };
        judge(&now, &object, 1)
    }

    #[test]
    fn a_specification_is_no_effect() {
        assert!(matches!(judged(1, 5, 5, 1), Seen::Yes(said) if said.ends_with(" has 1 pod, 1 of them ready")));
        assert!(matches!(judged(1, 5, 5, 3), Seen::Absent(why) if why.contains("still has 3 pods")));
        assert!(matches!(judged(1, 5, 4, 1), Seen::Absent(_)), "the controller has not looked at it yet");
        assert!(matches!(judged(4, 6, 6, 4), Seen::Absent(why) if why.contains("should have 4")), "somebody else");
    }
}
