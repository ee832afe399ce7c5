//! How things stand, for a screen: reads, nothing else.

use brunt_report::facts::{FaultFacts, RecoverFacts, Stopped};
use brunt_scenario::units::Offset;

use super::{Orchestrator, Phase};
use crate::timeline::FaultPhase;
use crate::ui::snapshot::State;

/// A probe at an instant.
#[derive(Debug, Clone, Copy)]
pub struct ProbeStand<'a> {
    /// Its id.
    pub id: &'a str,
    /// `None` before it was asked.
    pub holds: Option<bool>,
    /// What it last complained of.
    pub last_failure: Option<&'a str>,
}

impl Orchestrator {
    /// Where the run stands.
    pub fn state(&self) -> State {
        match (self.phase, &self.stopped) {
            (Phase::Ending, Some(why)) => State::RollingBack(reason(why)),
            (Phase::Ending, None) => State::Draining,
            _ if self.held_since().is_some() => State::Held(self.held_since().unwrap_or_default().as_secs_f64()),
            (Phase::WarmUp, _) => State::WarmUp,
            (Phase::Before { .. }, _) => State::Waiting,
            (Phase::Timeline, _) => State::Running,
        }
    }

    /// Every turn of every fault: what is known of it, and where it stands.
    pub fn turns(&self) -> impl Iterator<Item = (&FaultFacts, FaultPhase)> {
        self.faults.iter().zip(self.phases.iter().copied())
    }

    /// Every `recover` item that has begun; the one that is still going on ends at its beginning.
    pub fn recovers(&self) -> (&[RecoverFacts], Option<usize>) {
        (&self.recovers, self.recovering)
    }

    /// The probes, in the order of the plan.
    pub fn probe_stands(&self) -> impl Iterator<Item = ProbeStand<'_>> {
        self.probes.iter().map(|probe| ProbeStand {
            id: &probe.facts.id,
            holds: probe.holds,
            last_failure: probe.facts.last_failure.as_deref(),
        })
    }

    /// When warm-up ends.
    pub fn warm_up_end(&self) -> Offset {
        self.warm_up_ends()
    }
}

fn reason(why: &Stopped) -> String {
    match why {
        Stopped::Signal(15) => "SIGTERM".to_owned(),
        Stopped::Signal(_) => "asked to stop".to_owned(),
        Stopped::Guardrail(why) => format!("guardrail: {why}"),
        Stopped::SteadyStateNotMet(why) => format!("the steady state was not met: {why}"),
        Stopped::Invalid(why) | Stopped::Internal(why) => why.clone(),
    }
}
