//! What brunt asks of a Kubernetes cluster: its API server, through the `kube` library.
//!
//! Calls block and are bounded; each has a thread and a runtime of its own, as those to an engine of containers
//! have, so that they may be made from a runtime's thread as well as from the agent, which has none. The connection is that of
//! the call before where that was answered a moment ago: between the look at a victim and the order that hits it nothing
//! should pass but the order. The library's own
//! retries are off: a refused eviction is an answer, not a reason to ask again. What a server refuses because it has too much to
//! do is asked again (`throttling`), for as long as the call may take.
//!
//! Nobody else speaks to a cluster. The crates above wait for [`Asking`], and compile nothing of the library or of what reads its
//! thousands of types.
//!
//! A context's name says little about which cluster stands behind it: names are used again. The UID of the namespace
//! `kube-system` is what a cluster is known by, from the plan to the journal.

mod access;
pub mod change;
pub mod cordon;
pub mod deployment;
pub mod ephemeral;
mod error;
pub mod finding;
pub mod inverse;
pub mod job;
pub mod leaving;
mod object;
mod own;
pub mod quota;
pub mod rights;
pub mod standing;
pub mod template;
mod throttling;
pub mod waiting;
pub mod watching;

use std::sync::{Arc, Mutex, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use futures_util::future::{BoxFuture, LocalBoxFuture};
use k8s_openapi::api::core::v1::Namespace;
use kube::Api;
pub use kube::Client;
use serde::{Deserialize, Serialize};
use tokio::runtime::Runtime;

pub use access::Access;
pub use error::{KubernetesError, in_full};
pub use object::{Kind, Object};
pub use own::is_own;

/// How long the API server may take for one verb of a fault, all of its calls together.
pub const ANSWER: Duration = Duration::from_secs(8);
/// A connection over which nothing was said for so long is not trusted with the next call: its other end may be gone, and
/// nobody would have told.
const FRESH: Duration = Duration::from_secs(2);

/// What a cluster was asked and is to answer. It is boxed here, for an `async fn` would be compiled by each crate that waits for it,
/// and with it all that it waits for.
pub type Asking<'a, T, E = KubernetesError> = BoxFuture<'a, Result<T, E>>;

/// What [`Cluster::ask`] does with a client, whatever comes of it.
type Job<'a> = Box<dyn FnOnce(Client) -> LocalBoxFuture<'a, Result<(), KubernetesError>> + Send + 'a>;

/// Who changed a field, as the cluster's own books (`managedFields`) have it.
pub const MANAGER: &str = "brunt";

/// Which cluster it is. Holds no secret: it stands in journals.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Identity {
    /// The context of the kubeconfig; `None`: from inside of it, by the service account of brunt's own pod.
    pub context: Option<String>,
    /// The kubeconfig files in which that was found.
    pub files: Vec<std::path::PathBuf>,
    /// The UID of its namespace `kube-system`.
    pub uid: String,
}

impl Identity {
    /// Whether it is the one that was planned with.
    ///
    /// # Errors
    /// [`KubernetesError::Other`] if it is not.
    pub fn is(&self, expected: &Self) -> Result<(), KubernetesError> {
        if self.uid == expected.uid {
            return Ok(());
        }
        Err(KubernetesError::Other { expected: expected.to_string(), found: self.uid.clone() })
    }

    /// As kubectl takes it, for what a person types: ` --context prod`.
    pub fn option(&self) -> String {
        self.context.as_ref().map_or_else(String::new, |context| format!(" --context {context}"))
    }
}

impl std::fmt::Display for Identity {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match &self.context {
            Some(context) => write!(f, "cluster {} (context `{context}`)", self.uid),
            None => write!(f, "cluster {} (the one that brunt runs in)", self.uid),
        }
    }
}

/// A cluster that can be asked. Its clones share the connection.
#[derive(Debug, Clone)]
pub struct Cluster {
    access: Access,
    /// Empty while a call has it, and then that call alone.
    line: Arc<Mutex<Option<Line>>>,
}

/// A client, and the runtime on which its connection lives.
struct Line {
    /// There until the drop.
    runtime: Option<Runtime>,
    client: Option<Client>,
    answered: Instant,
}

impl Line {
    fn new() -> std::io::Result<Self> {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
        Ok(Self { runtime: Some(runtime), client: None, answered: Instant::now() })
    }
}

impl std::fmt::Debug for Line {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Line").field("answered", &self.answered).finish_non_exhaustive()
    }
}

/// Also where nobody may wait: on a thread of another runtime.
impl Drop for Line {
    fn drop(&mut self) {
        self.client = None;
        if let Some(runtime) = self.runtime.take() {
            runtime.shutdown_background();
        }
    }
}

impl Cluster {
    /// By what leads there; nothing is asked yet.
    pub fn new(access: Access) -> Self {
        Self { access, line: Arc::default() }
    }

    /// The one of a context, or of the current one.
    ///
    /// # Errors
    /// There is no kubeconfig, or no such context in it.
    pub fn of_context(context: Option<&str>) -> Result<Self, KubernetesError> {
        Access::find(context).map(Self::new)
    }

    /// The one that a journal names, whatever `KUBECONFIG` says now. Whether it still is that one is for
    /// [`Cluster::check`].
    ///
    /// # Errors
    /// As for [`Cluster::of_context`].
    pub fn again(identity: &Identity) -> Result<Self, KubernetesError> {
        Access::again(identity).map(Self::new)
    }

    /// What leads there, secrets included.
    pub fn access(&self) -> &Access {
        &self.access
    }

    /// A client on this runtime, for what goes on as long as a run: a talk, a log.
    ///
    /// # Errors
    /// What leads to the cluster cannot be used.
    pub fn connect(&self) -> Asking<'_, Client> {
        Box::pin(async move { self.access.client().await })
    }

    /// Does something with a client, within some time.
    ///
    /// # Errors
    /// Those of `job`, and [`KubernetesError::Silent`].
    pub fn ask<T: Send>(
        &self,
        within: Duration,
        job: impl AsyncFnOnce(Client) -> Result<T, KubernetesError> + Send,
    ) -> Result<T, KubernetesError> {
        let mut answer = None;
        let kept = &mut answer;
        self.carry_out(
            within,
            Box::new(move |client| {
                Box::pin(async move {
                    *kept = Some(job(client).await?);
                    Ok(())
                })
            }),
        )?;
        Ok(answer.expect("a job that went well has left its answer"))
    }

    fn carry_out(&self, within: Duration, job: Job<'_>) -> Result<(), KubernetesError> {
        let failed = |why: String| KubernetesError::Config { who: self.access.to_string(), why };
        let bounded = || {
            let mut line = match self.fresh_line() {
                Some(line) => line,
                None => Line::new().map_err(|error| failed(format!("no runtime: {error}")))?,
            };
            let known = line.client.take();
            let exchange = async {
                let client = match known {
                    Some(client) => client,
                    None => self.access.client().await?,
                };
                job(client.clone()).await?;
                Ok(client)
            };
            let runtime = line.runtime.as_ref().expect("it is there until the drop");
            let bounded = runtime.block_on(throttling::within(within, exchange));
            let answered: Result<Client, KubernetesError> =
                bounded.map_err(|_| KubernetesError::Silent { server: self.access.to_string(), within })?;
            let client = answered?;
            self.keep(Line { client: Some(client), answered: Instant::now(), runtime: line.runtime.take() });
            Ok(())
        };
        let answered = thread::scope(|scope| scope.spawn(bounded).join());
        answered.unwrap_or_else(|_| Err(failed("its thread panicked".into())))
    }

    fn fresh_line(&self) -> Option<Line> {
        let line = self.line.lock().unwrap_or_else(PoisonError::into_inner).take();
        line.filter(|line| line.answered.elapsed() < FRESH)
    }

    /// For the next call; only one over which an answer came.
    fn keep(&self, line: Line) {
        *self.line.lock().unwrap_or_else(PoisonError::into_inner) = Some(line);
    }

    /// Which one it is.
    pub fn identity<'a>(&'a self, client: &'a Client) -> Asking<'a, Identity> {
        Box::pin(async move {
            let system: Api<Namespace> = Api::all(client.clone());
            let found = system.get_metadata("kube-system").await;
            let found = found.map_err(|error| KubernetesError::of("get the namespace `kube-system`", error))?;
            let uid = found.metadata.uid.unwrap_or_default();
            Ok(Identity { context: self.access.context().cloned(), files: self.access.files().to_vec(), uid })
        })
    }

    /// Whether it is still the one that was planned with.
    ///
    /// # Errors
    /// [`KubernetesError::Other`] if it is not.
    pub fn check<'a>(&'a self, client: &'a Client, expected: &'a Identity) -> Asking<'a, ()> {
        Box::pin(async move { self.identity(client).await?.is(expected) })
    }
}
