//! What the runner calls: services, links and the life of each fault, over the agent (processes) and the proxy (links).
//!
//! Every verb runs on a thread that may block, so the runtime never does, and a future that is dropped half-way leaves
//! nothing half done: the verb ends by itself, and `revert` waits for it.

mod active;
mod following;
mod peers;
mod watch;
mod workers;

use std::collections::{BTreeMap, BTreeSet};
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};
use std::time::Duration;

use brunt_kubernetes::Identity;
use brunt_kubernetes::finding::Known;
use brunt_scenario::plan::{Fault as PlannedFault, PodMatch, ProcessMatch, Target};
use brunt_scenario::units::Offset;
use tokio::sync::mpsc::{UnboundedReceiver, unbounded_channel};

use crate::agent::handle::{Handle, Launch};
use crate::agent::network::{self, Layout};
use crate::agent::protocol::{Answer, Ask, Instance, InstanceSpec, StopReport};
use crate::agent::services::Key;
use crate::error::{Error, ResolveError};
use crate::event::Event;
use crate::fault::disk::latency;
use crate::fault::{Change, Reverted, Rung, Seen, Undo, stress};
use crate::journal::{self, Entry, Journal};
use crate::process::ProcessId;
use crate::proxy::{LinkStats, Proxy};
use crate::target::{self, Members, Victim, Victims};
use active::Active;
use following::Followed;
use watch::Watch;

/// The run's clock: the offset from run zero, now.
pub type Clock = Arc<dyn Fn() -> Offset + Send + Sync>;

/// How long the agent may take to answer what it does at once.
const ANSWER: Duration = Duration::from_secs(5);

/// How long it may take to make some hundred namespaces, on a machine that is busy.
const TO_BUILD: Duration = Duration::from_secs(60);

/// An instant in the making of a fault, told by whoever makes it: looking for victims comes before, looking at the effect
/// after, and neither moves it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Edge {
    /// Victims are known, the undo is on the disk, and the first change comes now.
    Begins,
    /// The change was made, or ordered of whoever carries it out.
    Made,
}

/// How to start.
pub struct Options {
    /// The brunt binary; the agent is `<exe> agent`.
    pub exe: PathBuf,
    /// Where the journal belongs; `None` means `$XDG_STATE_HOME/brunt`, `/var/lib/brunt` as root, or
    /// `$HOME/.local/state/brunt`.
    pub state_dir: Option<PathBuf>,
    /// Unique, and usable as a file name.
    pub run_id: String,
    /// After so much silence of this process the agent undoes everything; at least 1 s.
    pub lease: Duration,
    /// Decides victims and the randomness of faults.
    pub seed: u64,
    /// Test hook: `inject` does all but the change itself.
    pub force_no_effect: bool,
    /// Where every decision of every fault on a link is written down.
    pub decisions: Option<PathBuf>,
    /// Where the results of the run will lie: no fault may take the last room there.
    pub results: Option<PathBuf>,
    /// The image of agents in pods.
    pub image: String,
    /// Stamps events.
    pub clock: Clock,
}

/// The faults and services of one run.
pub struct Injector {
    inner: Arc<Inner>,
}

struct Inner {
    seed: u64,
    change: Change,
    watch: Arc<Watch>,
    journal: Mutex<Option<Journal>>,
    agent: Handle,
    /// Of the isolated services, if there are any.
    network: OnceLock<Layout>,
    proxy: Arc<Proxy>,
    /// What the run writes to: no fault may take the last room there.
    kept: Vec<PathBuf>,
    /// The image of agents in pods.
    image: String,
    /// Which cluster each context means.
    clusters: Mutex<BTreeMap<Option<String>, Identity>>,
    /// What faults on which targets have the rights that they need in their clusters.
    allowed: Mutex<BTreeSet<(&'static str, String)>>,
    /// Of faults that follow, by their ids: what there was when they were resolved.
    followed: Mutex<BTreeMap<String, Followed>>,
    /// In the order of injection.
    faults: Mutex<Vec<Arc<Slot>>>,
}

/// A fault of the run. What `resolve` needs is readable while one of its verbs takes its time.
struct Slot {
    id: String,
    victims: Mutex<Vec<Victim>>,
    /// It holds nothing (any more).
    over: AtomicBool,
    active: Mutex<Active>,
}

impl Slot {
    fn is_open(&self) -> bool {
        !self.over.load(Ordering::SeqCst)
    }
}

/// Locks; a thread that panicked while it held the lock has printed why, and the data is plain.
fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

fn open_decisions(path: PathBuf) -> Result<std::fs::File, Error> {
    std::fs::File::create(&path).map_err(|source| Error::Decisions { path, source })
}

/// Runs a verb where it may block.
async fn blocking<T: Send + 'static>(verb: impl FnOnce() -> T + Send + 'static) -> Result<T, Error> {
    let failed = |error: tokio::task::JoinError| Error::Thread { what: "a verb", source: std::io::Error::other(error) };
    tokio::task::spawn_blocking(verb).await.map_err(failed)
}

impl Injector {
    /// Creates and locks the journal, starts the agent with its heartbeat, and the proxy. Without a journal or an agent
    /// nothing can be injected, so either is an error.
    pub async fn start(options: Options) -> Result<(Self, UnboundedReceiver<Event>), Error> {
        blocking(|| Self::start_here(options)).await?
    }

    fn start_here(options: Options) -> Result<(Self, UnboundedReceiver<Event>), Error> {
        let decisions = options.decisions.map(open_decisions).transpose()?;
        let folder = journal::state_folder(options.state_dir.as_deref())?;
        let mut journal = Journal::create(&folder, &options.run_id)?;
        let (events, receiver) = unbounded_channel();
        let watch = Arc::new(Watch::new(options.run_id.clone(), journal.path().to_owned(), events, options.clock));
        let launch = Launch {
            exe: options.exe,
            run_id: options.run_id,
            journal: journal.path().to_owned(),
            lease: options.lease,
        };
        let hears = watch.clone();
        let agent = match Handle::start(launch, move |notice| hears.hear(notice)) {
            Ok(agent) => agent,
            Err(error) => {
                // Nothing was done under it yet. If this fails too, `cleanup` removes it.
                let _ = journal.remove();
                return Err(error);
            }
        };
        journal.agent(agent.id)?;
        let proxy = Arc::new(Proxy::start_tracing(options.seed, decisions)?);
        let change = if options.force_no_effect { Change::Skip } else { Change::Make };
        let kept = std::iter::once(journal.path().to_owned()).chain(options.results).collect();
        let journal = Mutex::new(Some(journal));
        let (network, clusters, faults) = (OnceLock::new(), Mutex::default(), Mutex::default());
        let (allowed, followed) = (Mutex::default(), Mutex::default());
        let inner = Inner {
            seed: options.seed,
            change,
            watch,
            journal,
            agent,
            network,
            proxy,
            kept,
            image: options.image,
            clusters,
            allowed,
            followed,
            faults,
        };
        Ok((Self { inner: Arc::new(inner) }, receiver))
    }

    /// Gives each of these instances (service, index) a network namespace, before any service is started. What stands in the
    /// answer holds until the end of the run.
    pub async fn isolate(&self, instances: Vec<Key>) -> Result<Layout, Error> {
        let inner = self.inner.clone();
        blocking(move || inner.isolate(instances)).await?
    }

    /// Starts an instance of a service as a child of the agent. It is not ready when this returns.
    pub async fn start_instance(&self, spec: InstanceSpec) -> Result<Instance, Error> {
        let inner = self.inner.clone();
        blocking(move || inner.start_instance(spec)).await?
    }

    /// How an instance ended (`exit status 1`); `None` while it runs.
    pub fn ended(&self, service: &str, index: usize) -> Option<String> {
        self.inner.watch.ended(&(service.to_owned(), index))
    }

    /// Asks all services to end, the last started first, and kills what does not end in time. What could not be stopped
    /// says so in its status; [`Injector::close`] kills it.
    pub async fn stop_services(&self) -> Vec<StopReport> {
        let inner = self.inner.clone();
        match blocking(move || inner.stop_services()).await {
            Ok(reports) => reports,
            Err(error) => self.inner.watch.not_stopped(&error),
        }
    }

    /// Opens a link: one listener for each upstream (`host:port`), in their order.
    pub async fn open_link(
        &self,
        link: &str,
        https: bool,
        upstreams: Vec<String>,
        listen: Option<&str>,
    ) -> Result<Vec<SocketAddr>, Error> {
        let (proxy, link, listen) = (self.inner.proxy.clone(), link.to_owned(), listen.map(str::to_owned));
        blocking(move || proxy.open(&link, https, upstreams, listen.as_deref())).await?
    }

    /// What each listener has carried so far.
    pub fn link_stats(&self) -> Vec<LinkStats> {
        self.inner.proxy.stats()
    }

    /// Finds the target's members and picks victims by the seed. Touches nothing.
    pub async fn resolve(&self, fault: &PlannedFault, target: &Target) -> Result<Victims, ResolveError> {
        let (inner, fault, target) = (self.inner.clone(), fault.clone(), target.clone());
        let name = fault.target.clone();
        // An engine of containers may take its time to answer, and so may /proc of a large host.
        let found = blocking(move || inner.resolve(&fault, &target)).await;
        found.unwrap_or_else(|error| Err(ResolveError::Search { target: name, why: error.to_string() }))
    }

    /// Prepares the fault, writes its undo to the disk, and makes the change. When it returns the change is in place. On
    /// an error nothing is left behind, or the error is [`Error::LeftBehind`].
    pub async fn inject(&self, fault: &PlannedFault, victims: &Victims) -> Result<(), Error> {
        self.inject_and_tell(fault, victims, |_| {}).await
    }

    /// The same, and tells of each [`Edge`] at its instant: from a thread of its own, which does not go on meanwhile.
    pub async fn inject_and_tell(
        &self,
        fault: &PlannedFault,
        victims: &Victims,
        tell: impl Fn(Edge) + Send + 'static,
    ) -> Result<(), Error> {
        let (inner, fault, victims) = (self.inner.clone(), fault.clone(), victims.clone());
        blocking(move || {
            inner.inject(&fault, &victims, &tell)?;
            following::begin(&inner, &fault)?;
            peers::begin(&inner, &fault)
        })
        .await?
    }

    /// Which mechanism serves a fault for which there are several, by the agent's word; known once it is injected.
    pub fn rung(&self, fault_id: &str) -> Option<Rung> {
        locked(&self.inner.find(fault_id)?.active).rung()
    }

    /// Measures whether the fault's effect is there.
    pub async fn verify(&self, fault_id: &str) -> Result<Seen, Error> {
        let (inner, id) = (self.inner.clone(), fault_id.to_owned());
        blocking(move || {
            let slot = inner.find(&id).ok_or(Error::Unknown { what: "active fault", name: id })?;
            locked(&slot.active).verify(&inner)
        })
        .await?
    }

    /// Puts back what the fault has changed; calling it again changes nothing. A failure is retried for less than a second.
    pub async fn revert(&self, fault_id: &str) -> Reverted {
        let (inner, id) = (self.inner.clone(), fault_id.to_owned());
        let reverted = blocking(move || inner.revert(&id)).await;
        reverted.unwrap_or_else(|error| Reverted {
            effect: Seen::Absent("unknown".into()),
            rollback_verified: Some(false),
            residue: Vec::new(),
            error: Some(error.to_string()),
        })
    }

    /// Reverts every fault that is still active, the last first, and says what came of each.
    pub async fn revert_all(&self) -> Vec<(String, Reverted)> {
        let mut all = Vec::new();
        let inner = self.inner.clone();
        // Where there is no agent to hear it, there is nothing that could be waited for.
        let _ = blocking(move || inner.agent.ask(Ask::Cease, ANSWER)).await;
        for id in self.inner.active_ids() {
            let reverted = self.revert(&id).await;
            all.push((id, reverted));
        }
        all
    }

    /// Ends the agent and whatever it still holds, and removes the journal if nothing is left.
    pub async fn close(self) -> Result<(), Error> {
        let inner = self.inner;
        blocking(move || inner.close()).await?
    }

    /// The agent's process.
    pub fn agent(&self) -> ProcessId {
        self.inner.agent.id
    }
}

impl Inner {
    fn isolate(&self, instances: Vec<Key>) -> Result<Layout, Error> {
        let run = self.watch.run_id();
        let (wire, alias) = (network::wire_of(run), network::alias_of(run, self.agent.id));
        let undo = vec![Undo::Network { wire, alias: alias.clone() }];
        self.write_down(&Entry { fault: journal::NETWORK.into(), kind: "isolate".into(), undo: undo.clone() })?;
        self.watch.holds(journal::NETWORK, undo);
        match self.agent.ask(Ask::Network { alias, instances }, TO_BUILD)? {
            Answer::Network(layout) => Ok(self.network.get_or_init(|| layout).clone()),
            other => Err(Error::Protocol(format!("`network` was answered with {other:?}"))),
        }
    }

    fn start_instance(&self, spec: InstanceSpec) -> Result<Instance, Error> {
        if self.watch.expect_services() {
            let undo = vec![Undo::EndMarked { run_id: self.watch.run_id().to_owned() }];
            self.write_down(&Entry { fault: journal::SERVICES.into(), kind: "services".into(), undo })?;
        }
        let key: Key = (spec.service.clone(), spec.index);
        let stop_within = spec.stop_within;
        match self.agent.ask(Ask::Start(spec), ANSWER)? {
            Answer::Started(instance) => {
                self.watch.started(key, instance.process, stop_within);
                Ok(instance)
            }
            other => Err(Error::Protocol(format!("`start` was answered with {other:?}"))),
        }
    }

    fn stop_services(&self) -> Vec<StopReport> {
        match self.agent.ask(Ask::StopServices, self.watch.time_to_stop() + ANSWER) {
            Ok(Answer::Stopped(reports)) => {
                reports.iter().for_each(|report| self.watch.stopped(&(report.service.clone(), report.index)));
                reports
            }
            Ok(other) => self.watch.not_stopped(&Error::Protocol(format!("`stop` was answered with {other:?}"))),
            Err(error) => self.watch.not_stopped(&error),
        }
    }

    fn write_down(&self, entry: &Entry) -> Result<(), Error> {
        match &mut *locked(&self.journal) {
            Some(journal) => journal.doing(entry),
            None => Err(Error::Refused("the run is over".into())),
        }
    }

    fn resolve(&self, fault: &PlannedFault, target: &Target) -> Result<Victims, ResolveError> {
        target::check_fit(fault, target)?;
        target::check_rights(fault, target)?;
        target::check_commands(fault)?;
        target::peers::check(fault)?;
        let held = self.held();
        // Pods take an agent, or they do not: it is asked once, and then seen.
        let is_first = !locked(&self.allowed).contains(&(fault.kind, fault.target.clone()));
        let members = match target {
            Target::Service(name) => self.watch.instances_of(name, &held),
            Target::Link(name) => self.listeners_of(name, &held),
            Target::Process(wanted) => Self::processes_of(fault, wanted, &held)?,
            Target::Netns(name) => {
                let alive = target::netns::find(fault, name)?;
                let hit = held.into_iter().filter(|victim| alive.contains(victim)).collect();
                Members { total: alive.len(), alive, hit }
            }
            Target::Docker(wanted) => target::docker::members(fault, wanted, &held)?,
            Target::Kubernetes(wanted) => self.objects_of(fault, wanted, &held)?,
            Target::Url(_) => Members { alive: Vec::new(), total: 0, hit: Vec::new() },
        };
        stress::check(fault, &members.alive, &self.kept)?;
        latency::check(fault, &members.alive, &self.kept)?;
        let victims = target::pick(self.seed, fault, members)?;
        if is_first {
            target::kubernetes::admits(fault, &victims.picked, &self.image)?;
        }
        Ok(victims)
    }

    fn listeners_of(&self, name: &str, held: &[Victim]) -> Members {
        let total = self.proxy.listeners(name);
        let alive = (0..total).map(|listener| Victim::Listener { link: name.to_owned(), listener }).collect();
        let of_this = |victim: &&Victim| matches!(victim, Victim::Listener { link, .. } if link == name);
        Members { alive, total, hit: held.iter().filter(of_this).cloned().collect() }
    }

    fn processes_of(fault: &PlannedFault, wanted: &ProcessMatch, held: &[Victim]) -> Result<Members, ResolveError> {
        let alive = target::process::find_for(fault, wanted)?;
        let hit = held.iter().filter(|victim| alive.contains(victim)).cloned().collect();
        Ok(Members { total: alive.len(), alive, hit })
    }

    /// A context means one cluster for the whole run, the one that it meant first.
    fn objects_of(&self, fault: &PlannedFault, wanted: &PodMatch, held: &[Victim]) -> Result<Members, ResolveError> {
        let pinned = locked(&self.clusters).get(&wanted.context).cloned();
        let this = (fault.kind, fault.target.clone());
        let allowed = locked(&self.allowed).contains(&this);
        let known = Known { cluster: pinned.as_ref(), allowed };
        let (members, cluster) = target::kubernetes::members(fault, wanted, held, known)?;
        if fault.follow {
            locked(&self.followed).insert(fault.id.clone(), Followed::new(wanted, &cluster, &members.alive));
        }
        locked(&self.clusters).entry(wanted.context.clone()).or_insert(cluster);
        locked(&self.allowed).insert(this);
        Ok(members)
    }

    /// The victims of all faults that are active.
    fn held(&self) -> Vec<Victim> {
        let faults = locked(&self.faults);
        faults.iter().filter(|slot| slot.is_open()).flat_map(|slot| locked(&slot.victims).clone()).collect()
    }

    fn find(&self, id: &str) -> Option<Arc<Slot>> {
        locked(&self.faults).iter().find(|slot| slot.id == id).cloned()
    }

    /// The last injected first.
    fn active_ids(&self) -> Vec<String> {
        locked(&self.faults).iter().rev().filter(|slot| slot.is_open()).map(|slot| slot.id.clone()).collect()
    }

    fn inject(&self, fault: &PlannedFault, victims: &Victims, tell: &dyn Fn(Edge)) -> Result<(), Error> {
        let active = Active::new(fault, victims, self)?;
        let active = Mutex::new(active);
        let (id, over) = (fault.id.clone(), AtomicBool::new(false));
        let slot = Arc::new(Slot { id, victims: Mutex::new(victims.picked.clone()), over, active });
        // Locked before anybody can find it: whoever reverts it now waits until it is in place.
        let mut active = locked(&slot.active);
        let mut faults = locked(&self.faults);
        if faults.iter().any(|known| known.id == fault.id && known.is_open()) {
            return Err(Error::Refused(format!("fault `{}` is active already", fault.id)));
        }
        faults.retain(|known| known.id != fault.id);
        faults.push(slot.clone());
        drop(faults);
        let injected = active.inject(self, tell);
        slot.over.store(!active.is_open(), Ordering::SeqCst);
        injected
    }

    fn revert(&self, id: &str) -> Reverted {
        let Some(slot) = self.find(id) else {
            let effect = Seen::NotExercised("it was never injected".into());
            return Reverted::nothing(effect);
        };
        let mut active = locked(&slot.active);
        let reverted = active.revert(self);
        slot.over.store(!active.is_open(), Ordering::SeqCst);
        reverted
    }

    /// Notes in the journal that a fault is undone. If that fails the entry stays open, and `cleanup` finds that there is
    /// nothing to do.
    fn note_undone(&self, fault: &str) -> Result<(), Error> {
        locked(&self.journal).as_mut().map_or(Ok(()), |journal| journal.undone(fault))
    }

    fn close(&self) -> Result<(), Error> {
        let mut left = match self.agent.close() {
            Ok(left) => left,
            // It had ended before; what it held was undone then, or is in the list.
            Err(Error::AgentGone(_)) => self.watch.left_behind(),
            Err(error) => vec![error.to_string()],
        };
        let faults = locked(&self.faults).clone();
        for slot in faults {
            left.extend(locked(&slot.active).failure().map(|error| format!("{}: {error}", slot.id)));
        }
        let Some(journal) = locked(&self.journal).take() else { return Ok(()) };
        if left.is_empty() {
            remove_log(journal.path());
            return journal.remove();
        }
        let cause = Box::new(Error::Refused("the journal stays open".into()));
        Err(Error::LeftBehind { cause, residue: left.join("; ") + "; try `brunt cleanup`" })
    }
}

/// The agent's log; it says something only when the agent itself has failed, which is reported elsewhere.
fn remove_log(journal: &Path) {
    // Most often empty, and nobody misses it.
    let _ = std::fs::remove_file(journal.with_extension("agent.log"));
}
