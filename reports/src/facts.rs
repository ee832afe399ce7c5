//! What the runner knows at the end of a run beside the samples: faults, recoveries, events, findings, health.
//! The runner fills it in; `Recorder::finish` turns it and the samples into [`crate::results::Results`].

mod autoscalers;
mod nodes;
mod pods;

use std::time::Duration;

use brunt_scenario::units::Offset;

pub use autoscalers::{AutoscalerFacts, ConditionFacts, DECIDES, DecisionFacts};
pub use nodes::{NodeFacts, TroubleFacts};
pub use pods::{PodFacts, PodSpan};

use crate::results::{CrewData, Environment, Event, Finding};

/// All facts of a run that are not samples.
#[derive(Debug, Clone, Default)]
pub struct Facts {
    /// Wall time of run zero, RFC 3339 in UTC.
    pub started_at: String,
    /// Version of brunt.
    pub brunt_version: String,
    /// Digest of the arrival schedule and the fault decisions, hexadecimal.
    pub schedule_digest: String,
    /// When the last arrival was due: windows and rates end here.
    pub load_ended: Offset,
    /// When everything was over.
    pub ended: Offset,
    /// Arrivals that the schedule asked for until `load_ended` (open model; closed loads count what they started).
    pub scheduled: u64,
    /// Every fault of the timeline that was reached; of a repeated one, every round that was.
    pub faults: Vec<FaultFacts>,
    /// Faults that were never reached, by id.
    pub faults_not_reached: Vec<String>,
    /// Every `recover` item that was reached.
    pub recovers: Vec<RecoverFacts>,
    /// Every load change of the timeline that came into force, in order.
    pub load_changes: Vec<LoadChangeFacts>,
    /// What a person did while the run went on, in order.
    pub operator: Vec<OperatorFacts>,
    /// Instants of the run that a person may want to see.
    pub events: Vec<Event>,
    /// Things to know, the worst first.
    pub findings: Vec<Finding>,
    /// What may still be there now that everything has ended (a process that could not be killed), and why: exit 6.
    pub left_behind: Option<String>,
    /// Why the run ended early, if it did.
    pub stopped: Option<Stopped>,
    /// CPU time of brunt over the judged time, of one core a worker; 0 to 1.
    pub generator_cpu: f64,
    /// Reasons that the runner itself found for not trusting the measurement ("descriptors ran out (EMFILE)").
    pub invalid: Vec<String>,
    /// Warnings that do not make it invalid.
    pub warnings: Vec<String>,
    /// Probes and whether they held, for JUnit and the report.
    pub probes: Vec<ProbeFacts>,
    /// Guardrails and how near they came, in the order of the plan.
    pub guardrails: Vec<GuardrailFacts>,
    /// Where load went, by target.
    pub destinations: Vec<DestinationFacts>,
    /// Pods of the targets, in the order in which they were first seen.
    pub pods: Vec<PodFacts>,
    /// Nodes that carried those, likewise.
    pub nodes: Vec<NodeFacts>,
    /// Autoscalers of what those belong to, likewise.
    pub autoscalers: Vec<AutoscalerFacts>,
    /// The workers, if the load came from pods.
    pub crew: Option<CrewData>,
    /// Where it ran.
    pub environment: Environment,
}

/// A target that load went to.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct DestinationFacts {
    /// Its name.
    pub target: String,
    /// Name and address of each instance, in the order of the indices in the samples; no address: nobody in particular.
    pub instances: Vec<(String, Option<String>)>,
}

/// Why a run ended before its timeline did.
#[derive(Debug, Clone, PartialEq)]
pub enum Stopped {
    /// The steady state was not met to begin with: exit 3, nothing was injected. Says which SLO or probe.
    SteadyStateNotMet(String),
    /// A guardrail: exit 4.
    Guardrail(String),
    /// SIGINT (130) or SIGTERM (143).
    Signal(i32),
    /// A fault's effect was looked for and is absent, a service did not come back, a queue overflowed: the run is invalid.
    Invalid(String),
    /// A bug or a broken machine: exit 1.
    Internal(String),
}

/// One fault as it happened; of a repeated one, one round.
#[derive(Debug, Clone, PartialEq)]
pub struct FaultFacts {
    /// Its id in the scenario; all rounds of a fault have the same.
    pub id: String,
    /// Which round, from 1.
    pub round: u32,
    /// Of how many; 1 for a fault that is not repeated.
    pub rounds: u32,
    /// `network.latency`.
    pub kind: String,
    /// The target's name.
    pub target: String,
    /// Who was hit.
    pub instances: Vec<String>,
    /// How: "proxy", "signal".
    pub mechanism: String,
    /// An instant fault (kill, restart): its window ends when the target is whole again.
    pub instant: bool,
    /// Just before the first change.
    pub injecting_at: Option<Offset>,
    /// The change is in place.
    pub active_at: Option<Offset>,
    /// Just before the first undo.
    pub removing_at: Option<Offset>,
    /// Just after the last undo; for instant faults: the target is whole again.
    pub removed_at: Option<Offset>,
    /// What was seen of its effect.
    pub effect: Effect,
    /// true: the state equals the snapshot; false: undo failed (exit 6); `None`: nothing to undo.
    pub rollback_verified: Option<bool>,
    /// What has no inverse, and anything else to know.
    pub residue: Vec<String>,
}

impl FaultFacts {
    /// How sentences call it: `` `kill` ``, or `` `kill` (round 2 of 3) ``.
    pub fn name(&self) -> String {
        if self.rounds > 1 {
            format!("`{}` (round {} of {})", self.id, self.round, self.rounds)
        } else {
            format!("`{}`", self.id)
        }
    }
}

/// What was seen of a fault's effect.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub enum Effect {
    /// It was seen; says how ("held 1,204 messages for 400 ms").
    Verified(String),
    /// No traffic exercised it until its removal: the run is inconclusive.
    NotExercised(String),
    /// It was looked for and is not there: the run is invalid.
    Absent(String),
    /// The fault was never injected.
    #[default]
    NotInjected,
}

/// A load entry got another level.
#[derive(Debug, Clone, PartialEq)]
pub struct LoadChangeFacts {
    /// Its name.
    pub load: String,
    /// So many times its written curve.
    pub factor: f64,
    /// From this instant on.
    pub at: Offset,
}

/// A person's hand in the run.
#[derive(Debug, Clone, PartialEq)]
pub struct OperatorFacts {
    /// What they did.
    pub act: OperatorAct,
    /// When.
    pub from: Offset,
    /// Its effect lasted until then; `None` while it lasts, and for what has no length.
    pub to: Option<Offset>,
}

/// What a person can do.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum OperatorAct {
    /// Stopped the timeline, while load and active faults went on.
    Hold,
    /// Took a fault off before its time. What was measured while it should have been there lasts no longer than the act.
    Removed {
        /// Its id.
        fault: String,
    },
    /// Injected a fault once more; until it was off again it was there though the timeline had not asked for it.
    Injected {
        /// Its id.
        fault: String,
    },
    /// Wrote something down.
    Note(String),
    /// Ended the run.
    Abort,
}

/// One `recover` item as it happened.
#[derive(Debug, Clone, PartialEq)]
pub struct RecoverFacts {
    /// The faults that were injected since the last `recover`.
    pub faults: Vec<String>,
    /// When the item began.
    pub from: Offset,
    /// When it ended: the steady state held, `within` was over, or the run was stopped.
    pub to: Offset,
    /// How long it may take.
    pub within: Duration,
    /// It was cut short by an abort or a signal.
    pub cut_short: bool,
}

/// How a probe fared.
#[derive(Debug, Clone, PartialEq)]
pub struct ProbeFacts {
    /// Its id.
    pub id: String,
    /// How often it was asked.
    pub asked: u64,
    /// How often it failed.
    pub failed: u64,
    /// The last failure in words.
    pub last_failure: Option<String>,
}

/// How a guardrail fared.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct GuardrailFacts {
    /// Its id.
    pub id: String,
    /// It stopped the run: the value then, when, and since when every look had found it broken.
    pub tripped: Option<Tripped>,
    /// The value that came nearest to its limit, or went farthest beyond it, and when; `None`: never known.
    pub worst: Option<(f64, Offset)>,
}

/// The look at which a guardrail stopped the run.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Tripped {
    /// The value, in the metric's unit.
    pub value: f64,
    /// When.
    pub at: Offset,
    /// Broken at every look since.
    pub since: Offset,
}
