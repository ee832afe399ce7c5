//! What the loop hears of and what it is asked to do: the two plain lists between [`super::Orchestrator`] and the world.

use brunt_injector::{Reverted, Rung, Seen};
use brunt_kubernetes::watching::Told;
use brunt_scenario::plan::LoadChange;
use brunt_scenario::units::Offset;

use crate::operator::Operator;

/// Something that happened.
#[derive(Debug)]
pub enum Input {
    /// The instant of [`Orchestrator::next_deadline`] has come.
    Due,
    /// Time to look at objectives and at the effects of faults.
    Look,
    /// SIGINT (2) or SIGTERM (15).
    Signal(i32),
    /// The victims of a fault are known, and the first change is being made.
    Injecting {
        /// Index of the fault.
        fault: usize,
        /// When its window was opened, just before.
        at: Offset,
    },
    /// The change was made, or ordered; whether its effect is there has yet to be seen.
    Made {
        /// Index of the fault.
        fault: usize,
        /// Who was hit.
        instances: Vec<String>,
        /// When that was.
        at: Offset,
    },
    /// An injection was carried out, or was not.
    Injected {
        /// Index of the fault.
        fault: usize,
        /// Who was hit, or why nobody was.
        outcome: Result<Hit, String>,
    },
    /// A look at a fault's effect.
    Verified {
        /// Index of the fault.
        fault: usize,
        /// What was seen, or why it could not be looked at.
        outcome: Result<Seen, String>,
    },
    /// An undo was carried out.
    Reverted {
        /// Index of the fault.
        fault: usize,
        /// What came of it.
        outcome: Reverted,
    },
    /// What the injector says by itself.
    Injector(brunt_injector::Event),
    /// A restarted instance answers again, or did not in time.
    InstanceReady {
        /// The service.
        service: String,
        /// Which instance.
        index: usize,
        /// Where what it writes begins in its log.
        log_from: u64,
        /// Why not.
        outcome: Result<(), String>,
    },
    /// The last lines of an instance that a finding is about.
    LogRead {
        /// Index of the finding.
        finding: usize,
        /// As they may be shown.
        lines: Vec<String>,
    },
    /// How many members a process target has now; asked while a kill waits for its target to be whole again.
    Members {
        /// Index of the fault.
        fault: usize,
        /// Living members.
        count: usize,
    },
    /// A probe of the steady state was asked.
    Probed {
        /// Index of the probe.
        probe: usize,
        /// What did not hold.
        outcome: Result<(), String>,
    },
    /// What a cluster told of a target's pods.
    Pods {
        /// The target.
        target: String,
        /// What it told.
        told: Told,
        /// When it was heard.
        at: Offset,
    },
    /// What a person asks for.
    Operator(Operator),
    /// A worker in a pod is gone, and its share of the load with it.
    WorkerLost {
        /// Which one, in words.
        worker: String,
        /// What became of it.
        why: String,
    },
    /// All arrivals are over and drained.
    LoadOver {
        /// Why the load could not go on; nothing measured from then on proves anything.
        broke: Option<String>,
    },
}

/// Whom an injection has hit.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Hit {
    /// Their names.
    pub instances: Vec<String>,
    /// How many members the target had just before.
    pub of: usize,
    /// By which mechanism, where there are several.
    pub rung: Option<Rung>,
}

/// Something to carry out.
#[derive(Debug, PartialEq)]
pub enum Todo {
    /// Resolve the target, open the fault's window just before the first change, inject; answer with [`Input::Injecting`],
    /// [`Input::Made`] and [`Input::Injected`], or with the last alone where nothing could be injected.
    Inject(usize),
    /// Look for the effect; answer with [`Input::Verified`].
    Verify(usize),
    /// Undo; answer with [`Input::Reverted`].
    Revert(usize),
    /// Wait until a restarted instance is ready; answer with [`Input::InstanceReady`].
    AwaitReady {
        /// The service.
        service: String,
        /// Which instance.
        index: usize,
        /// Where what it writes begins in its log.
        log_from: u64,
    },
    /// Read the last lines of an instance that a finding is about; answer with [`Input::LogRead`].
    ReadLog {
        /// Index of the finding.
        finding: usize,
        /// The service.
        service: String,
        /// Which instance.
        index: usize,
        /// Where what it writes begins in its log.
        log_from: u64,
    },
    /// Count the members of a fault's process target; answer with [`Input::Members`].
    CountMembers(usize),
    /// Load goes to this instance, or no longer.
    SetReady {
        /// The service.
        service: String,
        /// Which instance.
        index: usize,
        /// Whether it takes load.
        ready: bool,
    },
    /// A load entry is so many times its written curve from an instant on that is still to come.
    ChangeLoad {
        /// Its name and the factor.
        change: LoadChange,
        /// When.
        at: Offset,
    },
    /// The timeline is over: open-ended stages end now.
    EndOpenEndedLoad,
    /// No more arrivals at all; open requests get their drain.
    StopLoad,
    /// Do not wait for open requests.
    AbortLoad,
    /// Give up on an orderly end: exit 6.
    GiveUp,
}
