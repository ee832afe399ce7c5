//! Keeps the leases of all tables alive, on a thread of its own: the agent may be busy with a verb for longer.
//!
//! It does so only while the agent's own lease lives. Whatever stops the runner, or the agent, therefore stops the rules.

use std::io;
use std::net::IpAddr;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};
use std::thread;
use std::time::Duration;

use crate::agent::lease::boottime;
use crate::namespace::{Identity, Namespace};
use crate::netlink::nf_tables::{Hook, Leased, Refused, Rule};
use crate::packets::chains;

/// So many beats fit into a lease: four may be late.
const BEATS: u32 = 5;

/// Something in the kernel that acts only as long as its lease is renewed.
pub trait Leasing: Send + Sync {
    /// Renews it. What fails is told when somebody asks for the effect: the lease then ends by itself.
    fn beat(&self);
}

/// The leases that one agent holds.
pub struct Beats {
    lease: Duration,
    /// Boot time in nanoseconds until which the agent may go on.
    until: AtomicU64,
    all: Mutex<Vec<Weak<dyn Leasing>>>,
}

/// A table in some namespace whose lease is kept alive. Its rules end when this is dropped.
#[derive(Debug)]
pub struct Table {
    namespace: Identity,
    state: Mutex<State>,
}

#[derive(Debug)]
struct State {
    /// `None` once it is removed.
    leased: Option<Leased>,
    /// Its lease has ended and is not renewed.
    is_over: bool,
    /// Why its lease could not be renewed.
    failure: Option<String>,
}

fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Beats {
    /// Begins; nothing beats until the first table is there.
    pub fn new(lease: Duration) -> Arc<Self> {
        Arc::new(Self { lease, until: AtomicU64::new(0), all: Mutex::default() })
    }

    /// The agent has heard of the runner and may go on until then (boot time).
    pub fn extend(&self, until: Duration) {
        self.until.store(u64::try_from(until.as_nanos()).unwrap_or(u64::MAX), Ordering::Relaxed);
    }

    /// When the runner was last heard of (boot time).
    pub fn heard(&self) -> Duration {
        Duration::from_nanos(self.until.load(Ordering::Relaxed)).saturating_sub(self.lease)
    }

    /// Puts rules into a namespace; they act when this returns.
    ///
    /// # Errors
    /// Nothing is changed then.
    pub fn install(self: &Arc<Self>, namespace: &Namespace, name: &str, rules: &[Rule]) -> Result<Arc<Table>, Refused> {
        self.hold(namespace, || Leased::install(name, self.lease, rules))
    }

    /// The same at the door of these links of it.
    ///
    /// # Errors
    /// As for [`Beats::install`].
    pub fn install_at(
        self: &Arc<Self>,
        namespace: &Namespace,
        links: &[String],
        name: &str,
        rules: &[Rule],
    ) -> Result<Arc<Table>, Refused> {
        self.hold(namespace, || Leased::install_at(links, name, self.lease, rules))
    }

    fn hold(
        self: &Arc<Self>,
        namespace: &Namespace,
        install: impl FnOnce() -> Result<Leased, Refused> + Send,
    ) -> Result<Arc<Table>, Refused> {
        let inside = |why| Refused { part: "enter the network namespace", why };
        let leased = namespace.inside(install).map_err(inside)??;
        let table = Arc::new(Table {
            namespace: namespace.identity(),
            state: Mutex::new(State { leased: Some(leased), is_over: false, failure: None }),
        });
        let kept: Arc<dyn Leasing> = Arc::<Table>::clone(&table);
        self.keep(&kept).map_err(|why| Refused { part: "keep the lease alive", why })?;
        Ok(table)
    }

    /// How long a lease is.
    pub fn lease(&self) -> Duration {
        self.lease
    }

    /// Renews the lease of this one, too, until it is dropped.
    pub fn keep(self: &Arc<Self>, new: &Arc<dyn Leasing>) -> io::Result<()> {
        let mut all = locked(&self.all);
        let first = all.is_empty();
        all.push(Arc::downgrade(new));
        drop(all);
        if first { self.start() } else { Ok(()) }
    }

    /// The thread ends when nothing is left; the next one starts another.
    fn start(self: &Arc<Self>) -> io::Result<()> {
        let this = Arc::clone(self);
        thread::Builder::new().name("brunt-beats".into()).spawn(move || {
            loop {
                thread::sleep(this.lease / BEATS);
                let mut all = locked(&this.all);
                all.retain(|one| one.strong_count() > 0);
                if all.is_empty() {
                    return;
                }
                let alive: Vec<Arc<dyn Leasing>> = all.iter().filter_map(Weak::upgrade).collect();
                drop(all);
                if boottime() < Duration::from_nanos(this.until.load(Ordering::Relaxed)) {
                    alive.iter().for_each(|one| one.beat());
                }
            }
        })?;
        Ok(())
    }
}

impl Leasing for Table {
    fn beat(&self) {
        let mut state = locked(&self.state);
        let State { leased, is_over, .. } = &mut *state;
        if let (Some(leased), false) = (leased, *is_over)
            && let Err(refused) = leased.beat()
        {
            state.failure = Some(refused.to_string());
        }
    }
}

impl Table {
    /// Packets that each rule at this hook has counted, in their order.
    ///
    /// # Errors
    /// The table is gone, or its lease could not be renewed: nobody knows whether its rules have acted all the time.
    pub fn counts(&self, hook: Hook) -> io::Result<Vec<u64>> {
        let mut state = locked(&self.state);
        if let Some(failure) = &state.failure {
            return Err(io::Error::other(failure.clone()));
        }
        let leased = state.leased.as_mut().ok_or_else(|| io::Error::other("the rules are removed"))?;
        leased.counts(hook)
    }

    /// Its rules that mean peers mean these from now on.
    ///
    /// # Errors
    /// The table is gone, or the kernel refused: nothing has changed.
    pub fn meet(&self, peers: &[IpAddr]) -> Result<(), Refused> {
        locked(&self.state).leased.as_mut().map_or(Ok(()), |leased| leased.meet(peers))
    }

    /// Its rules match nothing from now on; what they have counted can still be read.
    ///
    /// # Errors
    /// What the kernel said: they end with the lease then.
    pub fn end(&self) -> Result<(), Refused> {
        let mut state = locked(&self.state);
        state.is_over = true;
        state.leased.as_mut().map_or(Ok(()), Leased::pause)
    }

    /// Removes it, as soon as no packet waits in its namespace; again, nothing happens.
    pub fn remove(&self) -> Result<(), Refused> {
        let leased = locked(&self.state).leased.take();
        leased.map_or(Ok(()), |leased| chains::remove(self.namespace, leased))
    }
}

impl Drop for Table {
    fn drop(&mut self) {
        // It goes with the process at the latest.
        let _ = self.remove();
    }
}
