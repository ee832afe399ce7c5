//! What the API server tells by itself of a target's pods and of what surrounds them: who is made, gets ready, is told to end, is
//! gone, is started again; which of them the endpoint slices of Services name; how their nodes are; what an autoscaler of their
//! owner decides.
//!
//! A list first, then a watch from where the list ended; when that breaks, again. What was missed meanwhile shows as the
//! difference, and the gap is told: nobody should read silence as calm.

mod autoscalers;
mod beside;
mod follow;
mod nodes;
mod pods;
mod slices;

use std::collections::BTreeSet;
use std::time::Duration;

use brunt_scenario::plan::PodMatch;
use futures_util::future::BoxFuture;
use k8s_openapi::api::autoscaling::v2::HorizontalPodAutoscaler;
use k8s_openapi::api::core::v1::{Node, Pod};
use k8s_openapi::api::discovery::v1::EndpointSlice;
use kube::{Api, Client, ResourceExt};
use tokio::sync::mpsc::UnboundedSender;

use self::beside::{Beside, Heard};
use self::follow::{Change, Follow};
use crate::Cluster;
use crate::error::in_full;
use crate::finding::{self, nodes as zones};
pub use autoscalers::{AutoscalerNow, Condition};
pub use nodes::{NodeNow, Trouble};
pub use pods::PodNow;

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
    /// A node that carries a pod of the target, or did, as it is now.
    Node(NodeNow),
    /// There is no node with this UID any more.
    NodeGone {
        /// Its UID.
        uid: String,
    },
    /// Nothing will be told of nodes; says why.
    NoNodes(String),
    /// An autoscaler of what the pods belong to, as it is now.
    Autoscaler(AutoscalerNow),
    /// There is no autoscaler with this UID any more.
    AutoscalerGone {
        /// Its UID.
        uid: String,
    },
    /// Nothing will be told of autoscalers; says why.
    NoAutoscalers(String),
    /// Everything that there is has been told, and from now on changes are.
    Known,
    /// Nothing is told from now on until [`Told::Known`]; says why.
    Unknown(String),
}

/// Tells of the pods of a target, of the endpoint slices of their namespace, of their nodes and of the autoscalers of what they
/// belong to, until the receiver is gone. Rights: those of [`crate::rights::to_watch`]; only pods must be granted, and what is
/// not told for want of the others is said.
pub fn watch(cluster: Cluster, wanted: PodMatch, says: UnboundedSender<Told>) -> BoxFuture<'static, ()> {
    Box::pin(async move {
        let namespace = finding::namespace(&cluster, &wanted);
        let mut known = Known::default();
        if let Some(owner) = &wanted.owner {
            // Before the first list there is nothing to tell.
            known.autoscalers.led_to(&owner.to_string());
        }
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
    })
}

/// What has been told so far.
#[derive(Default)]
struct Known {
    /// Of the target's zone, if it has one.
    zone: Option<BTreeSet<String>>,
    pods: BTreeSet<String>,
    slices: BTreeSet<String>,
    nodes: Beside<Node, NodeNow>,
    autoscalers: Beside<HorizontalPodAutoscaler, AutoscalerNow>,
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
            match zones::of_zone(&client, zone).await {
                Ok(found) => self.zone = Some(found),
                Err(error) => return error.to_string(),
            }
        }
        let ended = self.list_and_watch(&client, namespace, wanted, says).await;
        ended.err().map_or_else(String::new, |error| in_full(&error))
    }

    /// Ends well only when nobody listens any more.
    async fn list_and_watch(
        &mut self,
        client: &Client,
        namespace: &str,
        wanted: &PodMatch,
        says: &UnboundedSender<Told>,
    ) -> Result<(), kube::Error> {
        let mut tell = Vec::new();
        let mut pods = Follow::<Pod>::begin(Api::namespaced(client.clone(), namespace), wanted).await?;
        self.pods_listed(pods.listed.drain(..), wanted, &mut tell);
        let mut slices = self.begin_slices(Api::namespaced(client.clone(), namespace), &mut tell).await?;
        tell.extend(self.nodes.begin(Api::all(client.clone())).await?.into_iter().map(node_told));
        let autoscalers = self.autoscalers.begin(Api::namespaced(client.clone(), namespace)).await?;
        tell.extend(autoscalers.into_iter().map(autoscaler_told));
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
                heard = self.nodes.next() => tell.push(node_told(heard?)),
                heard = self.autoscalers.next() => tell.push(autoscaler_told(heard?)),
                () = says.closed() => return Ok(()),
            }
        }
    }

    fn pods_listed(&mut self, listed: impl Iterator<Item = Pod>, wanted: &PodMatch, tell: &mut Vec<Told>) {
        let now: Vec<PodNow> = listed.filter_map(|pod| self.pod_now(pod, wanted)).collect();
        let uids: BTreeSet<String> = now.iter().map(|pod| pod.uid.clone()).collect();
        for pod in now {
            // What it leads to is told with the list of those.
            self.leads(&pod);
            tell.push(Told::Pod(pod));
        }
        tell.extend(self.pods.difference(&uids).map(|uid| Told::PodGone { uid: uid.clone() }));
        self.pods = uids;
    }

    async fn begin_slices(
        &mut self,
        api: Api<EndpointSlice>,
        tell: &mut Vec<Told>,
    ) -> Result<Option<Follow<EndpointSlice>>, kube::Error> {
        match Follow::<EndpointSlice>::begin(api, &PodMatch::default()).await {
            Ok(mut slices) => {
                let names: BTreeSet<String> = slices.listed.iter().map(ResourceExt::name_any).collect();
                tell.extend(slices.listed.drain(..).map(slices::now));
                tell.extend(self.slices.difference(&names).map(|name| Told::SliceGone { name: name.clone() }));
                self.slices = names;
                Ok(Some(slices))
            }
            Err(kube::Error::Api(refused)) if refused.code == 403 => {
                tell.push(Told::NoSlices(refused.message));
                Ok(None)
            }
            Err(error) => Err(error),
        }
    }

    /// `None`: another owner's, or in another zone.
    fn pod_now(&self, pod: Pod, wanted: &PodMatch) -> Option<PodNow> {
        let now = PodNow::of(pod, wanted)?;
        let here = |nodes: &BTreeSet<String>| now.node.as_ref().is_some_and(|node| nodes.contains(node));
        self.zone.as_ref().is_none_or(here).then_some(now)
    }

    /// The node that carries a pod, and the autoscalers of what it belongs to, if nobody has led to them yet.
    fn leads(&mut self, pod: &PodNow) -> Vec<Told> {
        let node = pod.node.iter().flat_map(|node| self.nodes.led_to(node)).map(node_told);
        let owner = pod.owner.iter().flat_map(|owner| self.autoscalers.led_to(&owner.to_string()));
        node.chain(owner.map(autoscaler_told)).collect()
    }

    fn pod_changed(&mut self, change: Change<Pod>, wanted: &PodMatch) -> Vec<Told> {
        match change {
            Change::Now(pod) => {
                let Some(now) = self.pod_now(pod, wanted) else { return Vec::new() };
                self.pods.insert(now.uid.clone());
                let beside = self.leads(&now);
                std::iter::once(Told::Pod(now)).chain(beside).collect()
            }
            Change::Gone(pod) => {
                let uid = pod.uid().unwrap_or_default();
                if self.pods.remove(&uid) { vec![Told::PodGone { uid }] } else { Vec::new() }
            }
        }
    }

    fn slice_changed(&mut self, change: Change<EndpointSlice>) -> Option<Told> {
        match change {
            Change::Now(slice) => {
                self.slices.insert(slice.name_any());
                Some(slices::now(slice))
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

fn node_told(heard: Heard<NodeNow>) -> Told {
    match heard {
        Heard::Now(node) => Told::Node(node),
        Heard::Gone(uid) => Told::NodeGone { uid },
        Heard::Refused(why) => Told::NoNodes(why),
    }
}

fn autoscaler_told(heard: Heard<AutoscalerNow>) -> Told {
    match heard {
        Heard::Now(autoscaler) => Told::Autoscaler(autoscaler),
        Heard::Gone(uid) => Told::AutoscalerGone { uid },
        Heard::Refused(why) => Told::NoAutoscalers(why),
    }
}
