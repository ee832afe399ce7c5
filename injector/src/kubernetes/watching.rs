//! What the API server tells of pods by itself: who is made, gets ready, is told to end, is gone, is started again, and which
//! of them the endpoint slices of Services name.
//!
//! A list first, then a watch from where the list ended; when that breaks, again. What was missed meanwhile shows as the
//! difference, and the gap is told: nobody should read silence as calm.

use std::collections::BTreeSet;
use std::fmt::Debug;
use std::time::Duration;

use brunt_scenario::plan::PodMatch;
use futures_util::stream::BoxStream;
use futures_util::{StreamExt as _, TryStreamExt as _};
use k8s_openapi::api::core::v1::{ContainerStatus, Pod};
use k8s_openapi::api::discovery::v1::EndpointSlice;
use kube::api::{ListParams, WatchEvent, WatchParams};
use kube::{Api, Client, Resource, ResourceExt};
use serde::de::DeserializeOwned;
use tokio::sync::mpsc::UnboundedSender;

use super::Cluster;
use crate::error::in_full;
use crate::target::kubernetes::{self, nodes, pod};

/// From one attempt to the next while the API server does not answer.
const AGAIN: Duration = Duration::from_millis(500);

/// One thing that was told.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Told {
    /// A pod as it is now.
    Pod(PodNow),
    /// There is no pod with this UID any more.
    PodGone {
        /// Its UID.
        uid: String,
    },
    /// An endpoint slice as it is now.
    Slice {
        /// Its name.
        name: String,
        /// UIDs of the pods that it names as ready.
        ready: BTreeSet<String>,
    },
    /// There is no such slice any more.
    SliceGone {
        /// Its name.
        name: String,
    },
    /// Nothing will be told of slices; says why.
    NoSlices(String),
    /// Everything that there is has been told, and from now on changes are.
    Known,
    /// Nothing is told from now on until [`Told::Known`]; says why.
    Unknown(String),
}

/// A pod, boiled down.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct PodNow {
    /// Where it is.
    pub namespace: String,
    /// Its name.
    pub name: String,
    /// Its UID.
    pub uid: String,
    /// The UID of what made it.
    pub maker: Option<String>,
    /// Where it was put.
    pub node: Option<String>,
    /// By its own account.
    pub ready: bool,
    /// It was told to end.
    pub ending: bool,
    /// How often containers of it were started again.
    pub restarts: u32,
    /// How the container that ended last did: `OOMKilled`, `Error (exit code 137)`.
    pub last_end: Option<String>,
}

/// Tells of the pods of a target and of the endpoint slices of their namespace until the receiver is gone. Rights: list and
/// watch of pods, and of endpointslices; without the latter nothing is told of slices, which is said.
pub async fn watch(cluster: Cluster, wanted: PodMatch, says: UnboundedSender<Told>) {
    let namespace = kubernetes::namespace(&cluster, &wanted);
    let mut known = Known::default();
    let mut told = false;
    loop {
        let ended = match cluster.access().client().await {
            Ok(client) => known.follow(client, &namespace, &wanted, &says).await,
            Err(error) => error.to_string(),
        };
        let news = !std::mem::replace(&mut told, true) || std::mem::take(&mut known.is_told);
        let heard = if news { says.send(Told::Unknown(ended)).is_ok() } else { !says.is_closed() };
        if !heard {
            return;
        }
        tokio::time::sleep(AGAIN).await;
    }
}

/// What has been told so far.
#[derive(Debug, Default)]
struct Known {
    /// Of the target's zone, if it has one.
    nodes: Option<BTreeSet<String>>,
    pods: BTreeSet<String>,
    slices: BTreeSet<String>,
    /// Everything has been, since the last break.
    is_told: bool,
}

impl Known {
    /// Lists, then watches, until something breaks; says what.
    async fn follow(
        &mut self,
        client: Client,
        namespace: &str,
        wanted: &PodMatch,
        says: &UnboundedSender<Told>,
    ) -> String {
        if let Some(zone) = &wanted.zone {
            match nodes::of_zone(&client, zone).await {
                Ok(found) => self.nodes = Some(found),
                Err(error) => return error.to_string(),
            }
        }
        let ended = async {
            let mut pods = Follow::<Pod>::begin(Api::namespaced(client.clone(), namespace), wanted).await?;
            let now: Vec<PodNow> = pods.listed.drain(..).filter_map(|pod| self.pod_now(pod, wanted)).collect();
            let uids: BTreeSet<String> = now.iter().map(|pod| pod.uid.clone()).collect();
            let mut tell: Vec<Told> = now.into_iter().map(Told::Pod).collect();
            tell.extend(self.pods.difference(&uids).map(|uid| Told::PodGone { uid: uid.clone() }));
            self.pods = uids;

            let api = Api::namespaced(client, namespace);
            let mut slices = match Follow::<EndpointSlice>::begin(api, &PodMatch::default()).await {
                Ok(mut slices) => {
                    let names: BTreeSet<String> = slices.listed.iter().map(ResourceExt::name_any).collect();
                    tell.extend(slices.listed.drain(..).map(slice_now));
                    tell.extend(self.slices.difference(&names).map(|name| Told::SliceGone { name: name.clone() }));
                    self.slices = names;
                    Some(slices)
                }
                Err(kube::Error::Api(refused)) if refused.code == 403 => {
                    tell.push(Told::NoSlices(refused.message));
                    None
                }
                Err(error) => return Err(error),
            };
            tell.push(Told::Known);
            self.is_told = true;
            loop {
                // Nobody listens any more: the caller sees it too.
                if tell.drain(..).any(|told| says.send(told).is_err()) {
                    return Ok(());
                }
                tokio::select! {
                    // What happens to a pod comes before what its slices make of it, also where both wait to be heard.
                    biased;
                    change = pods.next() => tell.extend(self.pod_changed(change?, wanted)),
                    change = next_of(&mut slices) => tell.extend(self.slice_changed(change?)),
                    () = says.closed() => return Ok(()),
                }
            }
        };
        let ended: Result<(), kube::Error> = ended.await;
        ended.err().map_or_else(String::new, |error| in_full(&error))
    }

    /// `None`: another owner's, or in another zone.
    fn pod_now(&self, pod: Pod, wanted: &PodMatch) -> Option<PodNow> {
        let now = pod_now(pod, wanted)?;
        let here = |nodes: &BTreeSet<String>| now.node.as_ref().is_some_and(|node| nodes.contains(node));
        self.nodes.as_ref().is_none_or(here).then_some(now)
    }

    fn pod_changed(&mut self, change: Change<Pod>, wanted: &PodMatch) -> Option<Told> {
        match change {
            Change::Now(pod) => {
                let now = self.pod_now(pod, wanted)?;
                self.pods.insert(now.uid.clone());
                Some(Told::Pod(now))
            }
            Change::Gone(pod) => {
                let uid = pod.uid()?;
                self.pods.remove(&uid).then_some(Told::PodGone { uid })
            }
        }
    }

    fn slice_changed(&mut self, change: Change<EndpointSlice>) -> Option<Told> {
        match change {
            Change::Now(slice) => {
                self.slices.insert(slice.name_any());
                Some(slice_now(slice))
            }
            Change::Gone(slice) => {
                let name = slice.name_any();
                self.slices.remove(&name).then_some(Told::SliceGone { name })
            }
        }
    }
}

/// Where there are no slices to follow, nothing ever comes.
async fn next_of(slices: &mut Option<Follow<EndpointSlice>>) -> Result<Change<EndpointSlice>, kube::Error> {
    match slices {
        Some(slices) => slices.next().await,
        None => std::future::pending().await,
    }
}

/// A change of an object.
enum Change<K> {
    Now(K),
    Gone(K),
}

/// A watch of one kind of object.
struct Follow<K> {
    api: Api<K>,
    how: WatchParams,
    /// Where the next watch begins.
    version: String,
    /// What there was at first; the caller takes it.
    listed: Vec<K>,
    stream: Option<BoxStream<'static, kube::Result<WatchEvent<K>>>>,
}

impl<K> Follow<K>
where
    K: Resource + Clone + DeserializeOwned + Debug + Send + 'static,
{
    async fn begin(api: Api<K>, wanted: &PodMatch) -> Result<Self, kube::Error> {
        let node = wanted.node.as_ref().map(|node| format!("spec.nodeName={node}"));
        let fields: Vec<String> = wanted.fields.iter().cloned().chain(node).collect();
        let (labels, fields) = (wanted.selector.clone().unwrap_or_default(), fields.join(","));
        let mut list = ListParams::default();
        let mut how = WatchParams::default();
        if !labels.is_empty() {
            (list, how) = (list.labels(&labels), how.labels(&labels));
        }
        if !fields.is_empty() {
            (list, how) = (list.fields(&fields), how.fields(&fields));
        }
        let listed = api.list(&list).await?;
        let version = listed.metadata.resource_version.unwrap_or_default();
        Ok(Self { api, how, version, listed: listed.items, stream: None })
    }

    /// The next change. Safe to drop: what was not returned is watched again.
    async fn next(&mut self) -> Result<Change<K>, kube::Error> {
        loop {
            let stream = match &mut self.stream {
                Some(stream) => stream,
                // The server ends each watch after some minutes.
                None => self.stream.insert(self.api.watch(&self.how, &self.version).await?.boxed()),
            };
            match stream.try_next().await? {
                Some(WatchEvent::Added(object) | WatchEvent::Modified(object)) => {
                    self.version = object.resource_version().unwrap_or_default();
                    return Ok(Change::Now(object));
                }
                Some(WatchEvent::Deleted(object)) => {
                    self.version = object.resource_version().unwrap_or_default();
                    return Ok(Change::Gone(object));
                }
                Some(WatchEvent::Bookmark(bookmark)) => self.version = bookmark.metadata.resource_version,
                Some(WatchEvent::Error(error)) => return Err(kube::Error::Api(error)),
                None => self.stream = None,
            }
        }
    }
}

/// `None`: another owner's.
fn pod_now(pod: Pod, wanted: &PodMatch) -> Option<PodNow> {
    let containers: Vec<ContainerStatus> =
        pod.status.iter().flat_map(|status| status.container_statuses.iter().flatten()).cloned().collect();
    let facts = pod::Facts::of(pod);
    if wanted.owner.is_some() && facts.owner != wanted.owner {
        return None;
    }
    let restarts = containers.iter().map(|one| u32::try_from(one.restart_count).unwrap_or(0)).sum();
    let ends = containers.iter().filter_map(|one| one.last_state.as_ref()?.terminated.as_ref());
    let last = ends.max_by_key(|end| end.finished_at.as_ref().map(|at| at.0));
    let last_end = last.map(|end| match (end.reason.as_deref(), end.exit_code) {
        (Some("OOMKilled"), _) => "OOMKilled".to_owned(),
        (reason, code) => format!("{} (exit code {code})", reason.unwrap_or("ended")),
    });
    Some(PodNow {
        namespace: facts.namespace,
        name: facts.name,
        uid: facts.uid,
        maker: facts.maker,
        node: facts.node,
        ready: facts.ready,
        ending: facts.ending,
        restarts,
        last_end,
    })
}

fn slice_now(slice: EndpointSlice) -> Told {
    let name = slice.name_any();
    let ready = slice
        .endpoints
        .into_iter()
        .filter(|one| one.conditions.as_ref().is_none_or(|conditions| conditions.ready.unwrap_or(true)));
    Told::Slice { name, ready: ready.filter_map(|one| one.target_ref?.uid).collect() }
}
