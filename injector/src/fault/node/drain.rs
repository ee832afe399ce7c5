//! `node.drain`: nodes take no new pods, and those that are there are evicted; undone by taking new ones again.
//!
//! The service feels its pods there end and come up elsewhere, if there is room. As with kubectl, pods of daemon sets and
//! static pods stay. Refused: a node with a pod that nothing would make anew elsewhere, and one on which brunt itself runs,
//! or what it loads would go with the observer. A PodDisruptionBudget is asked again every second, as a drain is meant to
//! wait for it; if pods stay for it, the effect is absent, and says so. Pods do not move back, which is told.
//! Rights: get and patch of nodes, list of pods and create of `pods/eviction` in all namespaces: a ClusterRole.

use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{self, RecvTimeoutError, Sender};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use brunt_kubernetes::finding::EXEMPT;
use brunt_kubernetes::finding::pod::{self, Facts};
use brunt_kubernetes::inverse::Inverse;
use brunt_kubernetes::leaving::evict;
use brunt_kubernetes::{ANSWER, Client, Cluster, Kind, KubernetesError, Object, cordon, is_own};
use brunt_scenario::plan::OwnerKind;

use super::names;
use crate::error::Error;
use crate::fault::looking::Looking;
use crate::fault::put_back::put_all_back;
use crate::fault::{Change, Elsewhere, Fault, Reverted, Seen, Undo};

/// How long it waits between two rounds of evictions.
const EVERY: Duration = Duration::from_secs(1);

/// See the module.
pub struct Drain {
    cluster: Cluster,
    nodes: Vec<Object>,
    grace: Option<Duration>,
    inverses: Vec<Inverse>,
    evicting: Evicting,
    looking: Looking,
    injected: bool,
}

/// What the thread that evicts shares with the fault.
#[derive(Clone, Default)]
struct Shared {
    stop: Arc<AtomicBool>,
    /// By UID: those that have been told to go.
    told: Arc<Mutex<BTreeSet<String>>>,
    /// By name: why a pod stays.
    held: Arc<Mutex<BTreeMap<String, String>>>,
}

fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// The thread that evicts, round by round, until it is told to stop.
#[derive(Default)]
struct Evicting {
    shared: Shared,
    /// Its end wakes the thread.
    stops: Option<Sender<()>>,
    thread: Option<JoinHandle<()>>,
}

impl Evicting {
    fn begin(&mut self, cluster: Cluster, nodes: Vec<Object>, grace: Option<Duration>) -> Result<(), Error> {
        let shared = self.shared.clone();
        let (stops, stopped) = mpsc::channel();
        self.stops = Some(stops);
        let thread = thread::Builder::new().name("drain".into()).spawn(move || {
            loop {
                if let Err(error) = cluster.ask(ANSWER, async |client| round(&client, &nodes, grace, &shared).await) {
                    locked(&shared.held).insert("the API server".into(), error.to_string());
                }
                // Not parked: a thread that has asked a cluster was unparked for that, and would ask again at once.
                if stopped.recv_timeout(EVERY) != Err(RecvTimeoutError::Timeout) {
                    return;
                }
            }
        });
        self.thread = Some(thread.map_err(|source| Error::Thread { what: "a drain", source })?);
        Ok(())
    }

    /// What it has told to go is on its way; it tells no more.
    fn stop(&mut self) {
        self.shared.stop.store(true, Ordering::SeqCst);
        self.stops = None;
        if let Some(thread) = self.thread.take() {
            // One that panicked has told nobody anything since.
            let _ = thread.join();
        }
    }
}

/// Tells all pods to go that have not been told.
async fn round(
    client: &Client,
    nodes: &[Object],
    grace: Option<Duration>,
    shared: &Shared,
) -> Result<(), KubernetesError> {
    let mut held = BTreeMap::new();
    for node in nodes {
        for pod in leaving(pod::on(client, node).await?) {
            if shared.stop.load(Ordering::SeqCst) || pod.ending || locked(&shared.told).contains(&pod.uid) {
                continue;
            }
            let object = object_of(&pod, node);
            match evict(client, &object, grace).await {
                Ok(()) | Err(KubernetesError::Missing { .. } | KubernetesError::Changed { .. }) => {
                    locked(&shared.told).insert(pod.uid);
                }
                Err(error) => drop(held.insert(object.place(), error.to_string())),
            }
        }
    }
    *locked(&shared.held) = held;
    Ok(())
}

fn object_of(pod: &Facts, node: &Object) -> Object {
    let (namespace, name, uid) = (Some(pod.namespace.clone()), pod.name.clone(), pod.uid.clone());
    Object {
        node: Some(node.name.clone()),
        owner: pod.owner.clone(),
        grace: pod.grace,
        ..Object::new(Kind::Pod, namespace, name, uid, node.cluster.clone())
    }
}

/// Those that a drain moves: not the ones that belong to this very node, nor those that have ended.
fn leaving(pods: Vec<Facts>) -> Vec<Facts> {
    let daemon = |pod: &Facts| pod.owner.as_ref().is_some_and(|owner| owner.kind == OwnerKind::DaemonSet);
    pods.into_iter()
        .filter(|pod| !daemon(pod) && !pod.is_static && !["Succeeded", "Failed"].contains(&pod.phase.as_str()))
        .collect()
}

/// Why a node must not be drained.
fn spared(node: &Object, pods: &[Facts]) -> Option<String> {
    let of_brunt = |pod: &&Facts| pod.addresses.iter().copied().any(|address: IpAddr| is_own(address));
    if let Some(own) = pods.iter().find(of_brunt) {
        return Some(format!("{}: brunt itself runs there, in pod {}/{}", node.place(), own.namespace, own.name));
    }
    let left = leaving(pods.to_vec());
    let why = |pod: &Facts| {
        if pod.exempt {
            return Some(format!("has opted out by its label `{EXEMPT}`"));
        }
        pod.maker.is_none().then(|| "would be made anew by nothing; give it an owner".to_owned())
    };
    left.iter().find_map(|pod| {
        let why = why(pod)?;
        Some(format!("{}: pod {}/{} {why}, or pick another node", node.place(), pod.namespace, pod.name))
    })
}

impl Drain {
    pub(super) fn new(cluster: Cluster, nodes: Vec<Object>, grace: Option<Duration>) -> Self {
        let evicting = Evicting::default();
        let looking = Looking::new(look(cluster.clone(), nodes.clone(), evicting.shared.clone()));
        Self { cluster, nodes, grace, inverses: Vec::new(), evicting, looking, injected: false }
    }
}

fn look(
    cluster: Cluster,
    nodes: Vec<Object>,
    shared: Shared,
) -> impl FnMut() -> Result<Seen, KubernetesError> + Send + 'static {
    move || {
        cluster.ask(ANSWER, async |client| {
            if let Some(absent) = cordon::not_left_out(&client, &nodes).await? {
                return Ok(Seen::Absent(absent));
            }
            let mut left = Vec::new();
            for node in &nodes {
                left.extend(leaving(pod::on(&client, node).await?).iter().map(|pod| object_of(pod, node).place()));
            }
            let told = locked(&shared.told).len();
            if left.is_empty() {
                return Ok(Seen::Yes(format!("drained: {}; {told} pods were evicted", names(&nodes))));
            }
            let held: Vec<String> = locked(&shared.held).iter().map(|(pod, why)| format!("{pod}: {why}")).collect();
            let why = if held.is_empty() { String::new() } else { format!(" ({})", held.join("; ")) };
            Ok(Seen::Absent(format!("{} pods are still there: {}{why}", left.len(), left.join(", "))))
        })
    }
}

impl Fault<Elsewhere> for Drain {
    fn prepare(&mut self, _: &mut Elsewhere) -> Result<Vec<Undo>, Error> {
        let (cluster, nodes) = (&self.cluster, &self.nodes);
        let (inverses, spared) = cluster.ask(ANSWER, async |client| {
            let inverses = cordon::inverses(cluster, &client, nodes).await?;
            let mut why = None;
            for node in nodes {
                why = why.or(spared(node, &pod::on(&client, node).await?));
            }
            Ok((inverses, why))
        })?;
        if let Some(why) = spared {
            return Err(Error::Refused(why));
        }
        self.inverses = inverses;
        Ok(self.inverses.iter().map(|inverse| Undo::Cluster { inverse: Box::new(inverse.clone()) }).collect())
    }

    fn inject(&mut self, _: &mut Elsewhere, change: Change) -> Result<(), Error> {
        if self.injected || change == Change::Skip {
            return Ok(());
        }
        self.injected = true;
        cordon::cordon(&self.cluster, &self.nodes)?;
        self.evicting.begin(self.cluster.clone(), self.nodes.clone(), self.grace)
    }

    fn verify(&mut self, _: &mut Elsewhere) -> Result<Seen, Error> {
        self.looking.seen()
    }

    fn revert(&mut self, _: &mut Elsewhere) -> Reverted {
        let effect = self.looking.at_last();
        self.evicting.stop();
        let mut reverted = Reverted::nothing(effect);
        let moved = locked(&self.evicting.shared.told).len();
        if self.injected && moved > 0 {
            let nodes = names(&self.nodes);
            reverted
                .residue
                .push(format!("{moved} pods were moved away from {nodes} and do not move back by themselves"));
        }
        put_all_back(&self.cluster, &self.inverses, &mut self.injected, reverted)
    }
}

impl Drop for Drain {
    fn drop(&mut self) {
        self.evicting.stop();
    }
}

#[cfg(test)]
mod tests {
    use brunt_scenario::plan::Owner;

    use super::*;
    use brunt_kubernetes::Identity;

    fn node() -> Object {
        let cluster = Identity { context: None, files: Vec::new(), uid: "c".into() };
        Object::new(Kind::Node, None, "n2".into(), "u".into(), cluster)
    }

    fn pod(name: &str, owner: Option<&str>, address: &str) -> Facts {
        Facts {
            namespace: "shop".into(),
            name: name.into(),
            uid: name.into(),
            node: Some("n2".into()),
            owner: owner.and_then(Owner::parse),
            maker: owner.map(|owner| format!("uid of {owner}")),
            addresses: vec![address.parse().unwrap()],
            phase: "Running".into(),
            ..Facts::default()
        }
    }

    #[test]
    fn s24_drain_spares_the_observer() {
        let payment = pod("payment-7c9-x2", Some("deployment/payment"), "192.0.2.7");
        assert_eq!(spared(&node(), std::slice::from_ref(&payment)), None);
        let worker = pod("worker", Some("job/load"), "127.0.0.1");
        let why = spared(&node(), &[payment, worker]).unwrap();
        assert_eq!(why, "node n2: brunt itself runs there, in pod shop/worker");
    }

    #[test]
    fn a_pod_that_nothing_would_make_anew_or_that_has_opted_out_keeps_its_node() {
        let why = spared(&node(), &[pod("debug", None, "192.0.2.8")]).unwrap();
        assert!(why.contains("pod shop/debug would be made anew by nothing"), "{why}");
        let exempt = Facts { exempt: true, ..pod("db-0", Some("statefulset/db"), "192.0.2.8") };
        let why = spared(&node(), &[exempt]).unwrap();
        assert!(why.contains("pod shop/db-0 has opted out"), "{why}");
    }

    #[test]
    fn what_belongs_to_the_node_stays_as_with_kubectl() {
        let daemon = pod("log-1", Some("daemonset/log"), "192.0.2.9");
        let is_static = Facts { is_static: true, maker: None, ..pod("proxy", None, "192.0.2.9") };
        let ended = Facts { phase: "Succeeded".into(), ..pod("once", Some("job/once"), "192.0.2.9") };
        let pods = vec![daemon, is_static, ended, pod("web", Some("deployment/web"), "192.0.2.9")];
        assert_eq!(spared(&node(), &pods), None);
        let left: Vec<String> = leaving(pods).into_iter().map(|pod| pod.name).collect();
        assert_eq!(left, ["web"]);
    }
}
