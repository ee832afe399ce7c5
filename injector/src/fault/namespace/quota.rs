//! `namespace.quota`: a namespace takes no more pods than so many, undone by letting it.
//!
//! The service feels nothing until it needs a new pod: after a crash, in a rollout, at a scale-up, for a job none comes, and
//! whoever makes pods is told `exceeded quota`. Pods that are there stay, also where they are more than that. It is a
//! ResourceQuota of brunt's own, beside those of the namespace: all of them count, so nothing of anybody else's is changed, and
//! the inverse is to delete it. Rights: get of the namespace; get, create and delete of resourcequotas. Verified by the quota's
//! status, which the cluster itself fills in and by which it admits pods: as long as fewer pods are there than it lets in, the
//! fault has not acted on anything.

use brunt_kubernetes::inverse::Inverse;
use brunt_kubernetes::quota::{self, Counted, Quota};
use brunt_kubernetes::{ANSWER, Cluster, KubernetesError, Object};

use crate::error::Error;
use crate::fault::looking::Looking;
use crate::fault::put_back::put_all_back;
use crate::fault::{Change, Elsewhere, Fault, Reverted, Seen, Undo};

/// A name of the API: lower case letters, digits and dashes.
const LONGEST: usize = 200;

/// See the module.
pub struct Shrink {
    cluster: Cluster,
    quota: Quota,
    prepared: bool,
    looking: Looking,
    injected: bool,
}

/// The quota that a fault makes; no other fault of any run makes one of that name.
pub(super) fn named(namespace: Object, fault: &str, run_id: &str, pods: u64) -> Quota {
    let plain = |text: &str| -> String {
        let kept = |letter: char| if letter.is_ascii_alphanumeric() { letter.to_ascii_lowercase() } else { '-' };
        text.chars().map(kept).collect()
    };
    let mut name = format!("brunt-{}-{}", plain(run_id), plain(fault));
    name.truncate(LONGEST);
    Quota { namespace, name: format!("{name}-q"), run: run_id.to_owned(), pods }
}

impl Shrink {
    pub(super) fn new(cluster: Cluster, quota: Quota) -> Self {
        let looking = Looking::new(look(cluster.clone(), quota.clone()));
        Self { cluster, quota, prepared: false, looking, injected: false }
    }

    fn inverse(&self) -> Inverse {
        Inverse::Quota { quota: self.quota.clone() }
    }
}

fn look(cluster: Cluster, quota: Quota) -> impl FnMut() -> Result<Seen, KubernetesError> + Send + 'static {
    move || {
        cluster.ask(ANSWER, async |client| {
            let found = quota::counted(&client, &quota).await?;
            Ok(found.map_or_else(
                || Seen::Absent(format!("somebody has taken {} away", quota.place())),
                |found| judge(found, &quota),
            ))
        })
    }
}

/// By what the cluster has counted, and lets in.
fn judge(found: Counted, quota: &Quota) -> Seen {
    let place = quota.namespace.place();
    match (found.hard, found.used) {
        (Some(hard), _) if hard != quota.pods => {
            Seen::Absent(format!("{} lets {hard} pods in, not {}: somebody else is at it", quota.place(), quota.pods))
        }
        (Some(hard), Some(used)) if used >= hard => {
            Seen::Yes(format!("{place} takes no new pod: it has {used}, and may have {hard}"))
        }
        (Some(hard), Some(used)) => Seen::NotExercised(format!(
            "{place} has {used} pods and may have {hard}: so far nobody was refused, and the next {} would not be",
            hard - used
        )),
        _ => Seen::Absent(format!("the cluster does not count the pods of {place} yet")),
    }
}

impl Fault<Elsewhere> for Shrink {
    fn prepare(&mut self, _: &mut Elsewhere) -> Result<Vec<Undo>, Error> {
        let (cluster, quota) = (&self.cluster, &self.quota);
        cluster.ask(ANSWER, async |client| {
            cluster.check(&client, &quota.namespace.cluster).await?;
            quota::check_namespace(&client, quota).await
        })?;
        self.prepared = true;
        Ok(vec![Undo::Cluster { inverse: Box::new(self.inverse()) }])
    }

    fn inject(&mut self, _: &mut Elsewhere, change: Change) -> Result<(), Error> {
        if self.injected || !self.prepared || change == Change::Skip {
            return Ok(());
        }
        self.injected = true;
        let quota = &self.quota;
        self.cluster.ask(ANSWER, async |client| quota::create(&client, quota).await).map_err(Error::from)
    }

    fn verify(&mut self, _: &mut Elsewhere) -> Result<Seen, Error> {
        self.looking.seen()
    }

    fn revert(&mut self, _: &mut Elsewhere) -> Reverted {
        let effect = self.looking.at_last();
        let inverses = [self.inverse()];
        put_all_back(&self.cluster, &inverses, &mut self.injected, Reverted::nothing(effect))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use brunt_kubernetes::{Identity, Kind};

    fn quota(fault: &str) -> Quota {
        let cluster = Identity { context: None, files: Vec::new(), uid: "c".into() };
        let namespace = Object::new(Kind::Namespace, None, "shop".into(), "u".into(), cluster);
        named(namespace, fault, "20260102T030405-2a", 3)
    }

    #[test]
    fn only_a_namespace_that_is_full_takes_no_pod() {
        let counted = |hard, used| judge(Counted { hard: Some(hard), used: Some(used) }, &quota("full"));
        assert!(matches!(counted(3, 5), Seen::Yes(why) if why.contains("has 5, and may have 3")));
        assert!(matches!(counted(3, 3), Seen::Yes(_)));
        assert!(matches!(counted(3, 2), Seen::NotExercised(why) if why.contains("the next 1 ")));
        assert!(matches!(counted(7, 9), Seen::Absent(why) if why.contains("somebody else")));
        assert!(
            matches!(judge(Counted::default(), &quota("full")), Seen::Absent(why) if why.contains("does not count"))
        );
    }

    #[test]
    fn the_name_is_one_that_the_api_takes() {
        assert_eq!(quota("no_more.Pods").name, "brunt-20260102t030405-2a-no-more-pods-q");
        assert!(quota(&"x".repeat(900)).name.len() <= 253);
    }
}
