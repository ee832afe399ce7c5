//! The one place where samples and window edges meet.
//!
//! Workers hand batches to a thread of its own, which files them; the orchestrator stamps window edges. Both stamps and
//! filing happen under the lock of the window log, in this order of guarantees: an edge's stamp is taken while the lock is
//! held, and a batch is filed under the same lock after its requests have ended. So an edge that lies before the end of a
//! request is always known when that request is filed, and windows are exact to the nanosecond.

use std::sync::{Arc, Mutex, MutexGuard};
use std::thread::JoinHandle;
use tokio::sync::mpsc::UnboundedReceiver;

use brunt_report::recorder::Recorder;
use brunt_report::sample::Batch;
use brunt_report::window::Windows;
use brunt_scenario::metric::WindowName;
use brunt_scenario::plan::Plan;
use brunt_scenario::units::Offset;

use crate::clock::Clock;

/// The recorder and the window log of a run.
pub struct Record {
    clock: Clock,
    inner: Mutex<Inner>,
}

/// What the lock protects.
pub struct Inner {
    /// Everything measured so far.
    pub recorder: Recorder,
    /// Every edge stamped so far.
    pub windows: Windows,
}

impl Record {
    /// An empty record.
    pub fn new(plan: &Plan, clock: Clock) -> Arc<Self> {
        let inner = Inner { recorder: Recorder::new(plan), windows: Windows::default() };
        Arc::new(Self { clock, inner: Mutex::new(inner) })
    }

    /// Opens a window now and says when that was.
    pub fn open_window(&self, name: WindowName) -> Offset {
        let mut inner = self.lock();
        let at = self.clock.now();
        inner.windows.open(name, at);
        at
    }

    /// Closes a window now and says when that was.
    pub fn close_window(&self, name: &WindowName) -> Offset {
        let mut inner = self.lock();
        let at = self.clock.now();
        inner.windows.close(name, at);
        at
    }

    /// The recorder and the windows, for a short look.
    pub fn lock(&self) -> MutexGuard<'_, Inner> {
        // A panic while the lock was held is a bug in filing; the counts are still the best that there is, and the run has
        // to roll back and report in any case.
        self.inner.lock().unwrap_or_else(std::sync::PoisonError::into_inner)
    }

    /// Files batches in a thread of its own until every worker has hung up.
    pub fn file_from(self: &Arc<Self>, mut batches: UnboundedReceiver<Batch>) -> std::io::Result<JoinHandle<()>> {
        let record = Arc::clone(self);
        std::thread::Builder::new().name("recorder".into()).spawn(move || {
            while let Some(batch) = batches.blocking_recv() {
                let inner = &mut *record.lock();
                inner.recorder.file(batch, &inner.windows);
            }
        })
    }

    /// Takes the recorder and the windows out, once nobody files any more.
    pub fn into_parts(self: Arc<Self>) -> Option<(Recorder, Windows)> {
        let inner = Arc::into_inner(self)?.inner.into_inner().unwrap_or_else(std::sync::PoisonError::into_inner);
        Some((inner.recorder, inner.windows))
    }
}
