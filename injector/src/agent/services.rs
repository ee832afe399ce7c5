//! The services of a run: children of the agent, each leading a process group of its own.
//!
//! The group is what counts as the instance: it is killed, paused and ended as one, so that a shell around a program
//! does not take the blow alone. The leader is collected only after the rest of its group was killed; until then its pid
//! cannot be reused, so a signal to the group hits nobody else.

use std::collections::BTreeMap;
use std::fs::{self, OpenOptions};
use std::io;
use std::os::fd::OwnedFd;
use std::os::unix::fs::OpenOptionsExt;
use std::os::unix::process::CommandExt;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use rustix::process::{Signal, kill_process_group};

use crate::agent::lease::boottime;
use crate::agent::network::{Layout, Network};
use crate::agent::protocol::{Happening, Instance, InstanceSpec, StopReport};
use crate::agent::rights;
use crate::error::Error;
use crate::fault::disk::watch::Watch;
use crate::namespace::Namespace;
use crate::process::{self, Pidfd, ProcessId, Stat, in_words, raw};

/// Service and instance.
pub type Key = (String, usize);

/// All instances that were ever started, alive or not.
pub struct Services {
    mark: Vec<(String, String)>,
    instances: BTreeMap<Key, Slot>,
    /// In the order of their first start.
    order: Vec<String>,
    stopping: Option<Stopping>,
    /// Where isolated instances live, whichever process they are at the moment.
    network: Option<Network>,
    /// What [`Services::settle`] saw, for the next [`Services::tick`].
    news: Vec<Happening>,
    /// Folders whose files a fault may slow down.
    watched: BTreeMap<String, Option<Watch>>,
}

struct Slot {
    spec: InstanceSpec,
    live: Option<Live>,
    /// A fault brings it back at this instant (boot time).
    comeback: Option<Duration>,
    /// Why the last comeback failed.
    failure: Option<String>,
}

struct Live {
    child: Child,
    handle: Pidfd,
    log_from: u64,
    ending: Option<Ending>,
}

/// Why an instance is about to end, and what then.
struct Ending {
    by_fault: Option<String>,
    since: Duration,
    /// Killed if it is still there (boot time).
    kill_at: Option<Duration>,
    killed: bool,
    /// Started again so long after it was ended.
    comeback: Option<Duration>,
}

/// The services are being stopped, one after the other.
struct Stopping {
    left: Vec<String>,
    reports: Vec<StopReport>,
}

impl Services {
    /// None yet; each will carry this mark.
    pub fn new(mark: impl Into<Vec<(String, String)>>) -> Self {
        let (instances, watched) = (BTreeMap::new(), BTreeMap::new());
        let (order, news) = (Vec::new(), Vec::new());
        Self { mark: mark.into(), instances, order, stopping: None, network: None, news, watched }
    }

    /// From now on instances that have a place in this network are started there, also after a fault.
    pub fn isolate(&mut self, network: Network) -> Layout {
        self.network.insert(network).layout()
    }

    /// Lets go of the network. Call it when no service runs any more.
    pub fn end_isolation(&mut self) {
        self.network = None;
    }

    /// The network of the isolated services.
    pub fn network(&self) -> Option<&Network> {
        self.network.as_ref()
    }

    /// Starts an instance.
    pub fn start(&mut self, spec: InstanceSpec) -> Result<Instance, Error> {
        let key = (spec.service.clone(), spec.index);
        if self.instances.get(&key).is_some_and(|slot| slot.live.is_some()) {
            return Err(Error::Refused(format!("{} runs already", label(&key))));
        }
        for path in &spec.watched {
            if !self.watched.contains_key(path) {
                self.watched.insert(path.clone(), Watch::on(path).map_err(Error::Refused)?);
            }
        }
        let live = spawn(&spec, &self.mark, self.network.as_ref().and_then(|network| network.place(&key)))?;
        let instance = live.instance(&key);
        if !self.order.contains(&spec.service) {
            self.order.push(spec.service.clone());
        }
        self.instances.insert(key, Slot { spec, live: Some(live), comeback: None, failure: None });
        Ok(instance)
    }

    /// The process that leads an instance, while it is alive.
    pub fn leader(&self, key: &Key) -> Option<ProcessId> {
        self.instances.get(key)?.live.as_ref().map(|live| live.handle.id)
    }

    /// How long the instance may take to end when asked.
    pub fn stop_within(&self, key: &Key) -> Duration {
        self.instances.get(key).map_or(Duration::ZERO, |slot| slot.spec.stop_within)
    }

    /// All living processes of an instance's group, its leader first.
    pub fn members(&self, key: &Key) -> io::Result<Vec<Stat>> {
        let Some(leader) = self.leader(key) else { return Ok(Vec::new()) };
        let mut members: Vec<Stat> =
            process::all()?.into_iter().filter(|stat| stat.group == leader.pid && !stat.is_zombie()).collect();
        members.sort_by_key(|stat| (stat.id != leader, stat.id));
        Ok(members)
    }

    /// Kills the group at once, on behalf of a fault.
    pub fn kill(&mut self, key: &Key, fault: &str, comeback: Option<Duration>) -> Result<(), Error> {
        let live = self.live(key)?;
        live.ending =
            Some(Ending { by_fault: Some(fault.into()), since: boottime(), kill_at: None, killed: true, comeback });
        live.signal_group(Signal::KILL).map_err(|source| failed("kill", key, live.handle.id, source))
    }

    /// Asks an instance to end as its service wants it, on behalf of a fault, and starts it again as soon as it has.
    pub fn restart(&mut self, key: &Key, fault: &str) -> Result<(), Error> {
        self.ask_to_end(key, Some(fault.into()), Some(Duration::ZERO))
    }

    /// Starts an instance that is to come back later at once. `false` when it is not waiting for that.
    pub fn hasten(&mut self, key: &Key) -> bool {
        let Some(slot) = self.instances.get_mut(key) else { return false };
        if let Some(ending) = slot.live.as_mut().and_then(|live| live.ending.as_mut()) {
            ending.comeback = ending.comeback.map(|_| Duration::ZERO);
            return ending.comeback.is_some();
        }
        slot.comeback = slot.comeback.map(|_| boottime());
        slot.comeback.is_some()
    }

    /// Ticks until every comeback that is due has happened, for at most half a second.
    pub fn settle(&mut self) {
        let until = boottime() + Duration::from_millis(500);
        while boottime() < until {
            let news = self.tick();
            self.news.extend(news);
            let now = boottime();
            let due = |slot: &Slot| {
                let ending = slot.live.as_ref().and_then(|live| live.ending.as_ref());
                slot.comeback.or_else(|| Some(ending?.since + ending?.comeback?)).is_some_and(|at| at <= now)
            };
            if !self.instances.values().any(due) {
                return;
            }
            std::thread::sleep(Duration::from_millis(1));
        }
    }

    /// Why the instance could not be started again.
    pub fn failure(&self, key: &Key) -> Option<&str> {
        self.instances.get(key)?.failure.as_deref()
    }

    fn live(&mut self, key: &Key) -> Result<&mut Live, Error> {
        self.instances
            .get_mut(key)
            .and_then(|slot| slot.live.as_mut())
            .ok_or_else(|| Error::ProcessGone { process: label(key), why: "it does not run".into() })
    }

    /// The signal goes to the whole group: what a shell wraps is asked as well, not only the shell.
    fn ask_to_end(&mut self, key: &Key, by_fault: Option<String>, comeback: Option<Duration>) -> Result<(), Error> {
        let Some(slot) = self.instances.get_mut(key) else {
            return Err(Error::Unknown { what: "instance", name: label(key) });
        };
        let Some(live) = slot.live.as_mut() else {
            return Err(Error::ProcessGone { process: label(key), why: "it does not run".into() });
        };
        let signal = Signal::from_named_raw(slot.spec.stop_signal).unwrap_or(Signal::TERM);
        let since = boottime();
        live.ending =
            Some(Ending { by_fault, since, kill_at: Some(since + slot.spec.stop_within), killed: false, comeback });
        // A stopped process acts on the request only once it is continued.
        live.signal_group(signal)
            .and_then(|()| live.signal_group(Signal::CONT))
            .map_err(|source| failed("stop", key, live.handle.id, source))
    }

    /// Begins to stop all services; [`Services::stopped`] has the reports when they are gone.
    pub fn begin_stop(&mut self) {
        for slot in self.instances.values_mut() {
            slot.comeback = None;
            if let Some(ending) = slot.live.as_mut().and_then(|live| live.ending.as_mut()) {
                ending.comeback = None;
            }
        }
        self.stopping = Some(Stopping { left: self.order.clone(), reports: Vec::new() });
        self.stop_next();
    }

    /// The reports, once every service that was to be stopped is gone.
    pub fn stopped(&mut self) -> Option<Vec<StopReport>> {
        let all_gone = self.instances.values().all(|slot| slot.live.is_none());
        let done = all_gone && self.stopping.as_ref().is_some_and(|stopping| stopping.left.is_empty());
        done.then(|| self.stopping.take().map(|stopping| stopping.reports)).flatten()
    }

    /// Asks the instances of the service that was started last to end, once those before it are gone.
    fn stop_next(&mut self) {
        let Some(stopping) = &mut self.stopping else { return };
        while let Some(service) = stopping.left.last().cloned() {
            let alive: Vec<Key> = self
                .instances
                .iter()
                .filter(|(key, slot)| key.0 == service && slot.live.is_some())
                .map(|(key, _)| key.clone())
                .collect();
            if !alive.is_empty() {
                let not_asked: Vec<Key> = alive
                    .into_iter()
                    .filter(|key| {
                        self.instances.get(key).and_then(|s| s.live.as_ref()).is_some_and(|l| l.ending.is_none())
                    })
                    .collect();
                for key in not_asked {
                    // It may have ended this instant; then the next look at its handle says so.
                    let _ = self.ask_to_end(&key, None, None);
                }
                return;
            }
            stopping.left.pop();
        }
    }

    /// What to wait for: readable when an instance has ended.
    pub fn handles(&self) -> impl Iterator<Item = &OwnedFd> {
        self.instances.values().filter_map(|slot| slot.live.as_ref()).map(|live| live.handle.fd())
    }

    /// The next instant (boot time) at which [`Services::tick`] has something to do by the clock.
    pub fn next_deadline(&self) -> Option<Duration> {
        let kill = |slot: &Slot| slot.live.as_ref()?.ending.as_ref()?.kill_at;
        self.instances.values().flat_map(|slot| [slot.comeback, kill(slot)]).flatten().min()
    }

    /// Collects what has ended, kills what does not end in time, starts what is due.
    pub fn tick(&mut self) -> Vec<Happening> {
        let mut news = std::mem::take(&mut self.news);
        let now = boottime();
        for key in self.instances.keys().cloned().collect::<Vec<_>>() {
            self.kill_if_late(&key, now);
            news.extend(self.collect(&key));
            news.extend(self.come_back(&key, now));
        }
        self.stop_next();
        news
    }

    fn kill_if_late(&mut self, key: &Key, now: Duration) {
        let Ok(live) = self.live(key) else { return };
        let Some(ending) = &mut live.ending else { return };
        if ending.kill_at.is_some_and(|at| at <= now) {
            (ending.kill_at, ending.killed) = (None, true);
            // ESRCH only: its end is then seen by its handle.
            let _ = live.signal_group(Signal::KILL);
        }
    }

    fn collect(&mut self, key: &Key) -> Option<Happening> {
        let slot = self.instances.get_mut(key)?;
        let live = slot.live.as_mut()?;
        if !live.handle.has_ended().unwrap_or(false) {
            return None;
        }
        let status = live.bury();
        let instance = live.instance(key);
        let ending = slot.live.take().and_then(|live| live.ending);
        match (ending, &mut self.stopping) {
            (Some(ending), Some(stopping)) => {
                let took = boottime().saturating_sub(ending.since);
                let (service, index) = key.clone();
                stopping.reports.push(StopReport { service, index, status, killed: ending.killed, took });
                None
            }
            (Some(ending), None) => {
                slot.comeback = ending.comeback.map(|after| ending.since + after);
                Some(Happening::Exited { instance, status, by_fault: ending.by_fault })
            }
            (None, _) => Some(Happening::Exited { instance, status, by_fault: None }),
        }
    }

    fn come_back(&mut self, key: &Key, now: Duration) -> Option<Happening> {
        let slot = self.instances.get_mut(key)?;
        if slot.comeback.is_none_or(|at| at > now) {
            return None;
        }
        slot.comeback = None;
        let place = self.network.as_ref().and_then(|network| network.place(key));
        match spawn(&slot.spec, &self.mark, place) {
            Ok(live) => {
                let instance = live.instance(key);
                (slot.live, slot.failure) = (Some(live), None);
                Some(Happening::Started(instance))
            }
            Err(error) => {
                slot.failure = Some(error.to_string());
                let (service, index) = key.clone();
                Some(Happening::NotStarted { service, index, reason: error.to_string() })
            }
        }
    }

    /// The run is over: kills every group, at once, and waits for it (at most `within`). Returns what is still there.
    pub fn end_all(&mut self, within: Duration) -> Vec<String> {
        for slot in self.instances.values_mut() {
            slot.comeback = None;
            if let Some(live) = &mut slot.live {
                // ESRCH only.
                let _ = live.signal_group(Signal::KILL);
            }
        }
        let until = boottime() + within;
        let mut left = Vec::new();
        for (key, slot) in &mut self.instances {
            let Some(mut live) = slot.live.take() else { continue };
            match live.handle.wait_end(until.saturating_sub(boottime())) {
                Ok(true) => drop(live.bury()),
                Ok(false) => left.push(format!("{} ({}) is still there after SIGKILL", label(key), live.handle.id)),
                Err(error) => left.push(format!("cannot wait for {} ({}): {error}", label(key), live.handle.id)),
            }
        }
        left
    }
}

impl Live {
    fn instance(&self, key: &Key) -> Instance {
        let (service, index) = key.clone();
        Instance { service, index, process: self.handle.id, log_from: self.log_from }
    }

    fn signal_group(&self, signal: Signal) -> io::Result<()> {
        kill_process_group(raw(self.handle.id.pid)?, signal).map_err(io::Error::from)
    }

    /// Ends what the leader has left in its group, then collects the leader. Call it only when the leader has ended.
    fn bury(&mut self) -> String {
        // The leader is a zombie, so the group exists and is ours; EPERM (only the zombie is left) needs nothing.
        let _ = self.signal_group(Signal::KILL);
        self.child.wait().map_or_else(|error| format!("ended, status unknown: {error}"), in_words)
    }
}

/// `payments-0`.
pub fn label(key: &Key) -> String {
    format!("{}-{}", key.0, key.1)
}

fn failed(action: &'static str, key: &Key, id: ProcessId, source: io::Error) -> Error {
    Error::Process { action, process: format!("{} ({id})", label(key)), source }
}

/// Standard input is empty, output and errors go to the log, no other descriptor is passed on (the agent keeps
/// whatever it inherited for itself, and opens with CLOEXEC). An instance with a place of its own is forked by a thread that
/// is there; it is a child of this process all the same.
fn spawn(spec: &InstanceSpec, mark: &[(String, String)], place: Option<&Namespace>) -> Result<Live, Error> {
    let key = (spec.service.clone(), spec.index);
    let failed = |program: String, source| Error::Start { instance: label(&key), program, source };
    let at_log = |source| failed(format!("its log {}", spec.log.display()), source);
    if let Some(folder) = spec.log.parent() {
        fs::create_dir_all(folder).map_err(at_log)?;
    }
    let log = OpenOptions::new().append(true).create(true).mode(0o644).open(&spec.log).map_err(at_log)?;
    let errors = log.try_clone().map_err(at_log)?;
    let log_from = log.metadata().map_err(at_log)?.len();
    if !spec.cwd.is_dir() {
        let source = io::Error::new(io::ErrorKind::NotFound, "no such folder");
        return Err(failed(format!("its working folder {}", spec.cwd.display()), source));
    }
    let mut command = Command::new(&spec.program);
    command
        .args(&spec.args)
        .current_dir(&spec.cwd)
        .envs(spec.env.iter().cloned())
        .envs(mark.iter().cloned())
        .stdin(Stdio::null())
        .stdout(log)
        .stderr(errors)
        .process_group(0);
    let place = place.cloned();
    let spawned = rights::as_started_by_the_user(move || match place {
        None => command.spawn(),
        Some(place) => place.inside(|| command.spawn()).and_then(|spawned| spawned),
    });
    let spawned = spawned.and_then(|spawned| spawned);
    let mut child = spawned.map_err(|source| failed(format!("`{}`", spec.program), source))?;
    // It is our child and not collected, so its pid means it, even if it has ended already.
    match ProcessId::of(child.id()).and_then(Pidfd::open) {
        Ok(handle) => Ok(Live { child, handle, log_from, ending: None }),
        Err(source) => {
            let _ = child.kill();
            let _ = child.wait();
            Err(failed(format!("`{}`", spec.program), source))
        }
    }
}
