//! Faults inside of pods whose run is gone: nothing can be done about them but to see that they have ended. What an agent that
//! was killed had stopped stays so, and only a person can help.

use std::thread;
use std::time::{Duration, Instant};

use brunt_kubernetes::ephemeral::{self, State};
use brunt_kubernetes::{ANSWER, Cluster, KubernetesError, Object, change};

/// What an agent may take after its lease.
const LATE: Duration = Duration::from_secs(3);

/// Waits until no agent of that run is left in the pod, as long as its lease may last.
pub fn ended(pod: &Object, container: &str, lease: Duration, stops: bool) -> Result<String, String> {
    let by_hand = |why: String| format!("{why}; if an agent still runs in it: `kubectl delete {}`", pod.by_hand());
    let failed = |error: KubernetesError| by_hand(error.to_string());
    let cluster = Cluster::again(&pod.cluster).map_err(failed)?;
    let until = Instant::now() + lease + LATE;
    loop {
        match look(&cluster, pod, container).map_err(failed)? {
            None => return Ok(format!("{} is gone, and all that was in it", pod.place())),
            Some(Left { running, killed }) if running.is_empty() => {
                return match killed.filter(|_| stops) {
                    Some(how) => Err(format!(
                        "the agent in {} was killed ({how}), and what it had stopped may still be: `kubectl delete {}`",
                        pod.place(),
                        pod.by_hand()
                    )),
                    None => Ok(format!("the agent in {} has ended, and the fault with it", pod.place())),
                };
            }
            Some(Left { running, .. }) if Instant::now() > until => {
                return Err(by_hand(format!("{} outlives its lease in {}", running.join(", "), pod.place())));
            }
            Some(_) => thread::sleep(Duration::from_millis(250)),
        }
    }
}

/// What is left of a run in a pod.
struct Left {
    /// Its containers that have not ended.
    running: Vec<String>,
    /// How one ended that could not undo everything, while what it acted on is still there.
    killed: Option<String>,
}

/// `None` without the pod.
fn look(cluster: &Cluster, pod: &Object, container: &str) -> Result<Option<Left>, KubernetesError> {
    cluster.ask(ANSWER, async |client| {
        cluster.check(&client, &pod.cluster).await?;
        let Some(seen) = change::pod(&client, pod).await? else { return Ok(None) };
        let ours = ephemeral::names(&seen).into_iter().filter(|name| is_of(name, container));
        let mut left = Left { running: Vec::new(), killed: None };
        for name in ours {
            match ephemeral::state(&seen, &name) {
                // An earlier one may have been replaced by one that has mended all: the last one counts.
                Some(State::Ended { code: 0, .. }) => left.killed = None,
                Some(State::Ended { how, .. }) => {
                    let is_gone = ephemeral::is_anew_since(&seen, &name, pod.container.as_deref());
                    left.killed = (!is_gone).then_some(how);
                }
                Some(_) => left.running.push(name),
                None => {}
            }
        }
        Ok(Some(left))
    })
}

/// `brunt-7-1` and `brunt-7-1-x2`, but not `brunt-7-12` or `brunt-7-1-2`.
fn is_of(name: &str, container: &str) -> bool {
    name.strip_prefix(container).is_some_and(|rest| rest.is_empty() || rest.starts_with("-x"))
}

#[cfg(test)]
mod tests {
    use super::is_of;

    #[test]
    fn containers_of_other_runs_are_none_of_its_business() {
        assert!(is_of("brunt-7-1", "brunt-7-1") && is_of("brunt-7-1-x2", "brunt-7-1"));
        assert!(
            !is_of("brunt-7-12", "brunt-7-1") && !is_of("brunt-7-1-2", "brunt-7-1") && !is_of("debugger", "brunt-7-1")
        );
    }
}
