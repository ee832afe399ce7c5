//! One kind of object: a list first, then a watch from where the list ended.

use std::fmt::Debug;

use brunt_scenario::plan::PodMatch;
use futures_util::stream::BoxStream;
use futures_util::{StreamExt as _, TryStreamExt as _};
use kube::api::{ListParams, WatchEvent, WatchParams};
use kube::{Api, Resource, ResourceExt as _};
use serde::de::DeserializeOwned;

/// A change of an object.
pub(super) enum Change<K> {
    /// It is like this now.
    Now(K),
    /// It is no more; this is what it was like.
    Gone(K),
}

/// A watch of one kind of object.
pub(super) struct Follow<K> {
    api: Api<K>,
    how: WatchParams,
    /// Where the next watch begins.
    version: String,
    /// What there was at first; the caller takes it.
    pub listed: Vec<K>,
    stream: Option<BoxStream<'static, kube::Result<WatchEvent<K>>>>,
}

impl<K> Follow<K>
where
    K: Resource + Clone + DeserializeOwned + Debug + Send + 'static,
{
    pub async fn begin(api: Api<K>, wanted: &PodMatch) -> Result<Self, kube::Error> {
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
    pub async fn next(&mut self) -> Result<Change<K>, kube::Error> {
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
