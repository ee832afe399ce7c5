//! The verdict: one of five words, the sentence that names what decided it, and the exit code.

use crate::exit::Exit;
use crate::facts::{Effect, Facts, Stopped};
use crate::render::{format, words};
use crate::results::{FaultData, GateData, GateVerdict, Health, Verdict};

/// What a run came to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Conclusion {
    /// The word.
    pub verdict: Verdict,
    /// What decided it, in plain words.
    pub sentence: String,
    /// As the process ends.
    pub exit: Exit,
}

/// What the verdict is made of.
#[derive(Debug, Clone, Copy)]
pub struct Case<'a> {
    /// What happened.
    pub facts: &'a Facts,
    /// All faults of the plan.
    pub faults: &'a [FaultData],
    /// Judged.
    pub gates: &'a [GateData],
    /// Whether the measurement can be trusted.
    pub health: &'a Health,
    /// Requests outside warm-up.
    pub requests: u64,
}

impl Case<'_> {
    /// Concludes. Every reason that applies gives a conclusion; the strongest exit wins and brings its sentence. A run whose
    /// rollback is incomplete is never a pass.
    pub fn conclude(&self) -> Conclusion {
        if let Some(Stopped::SteadyStateNotMet(which)) = &self.facts.stopped {
            return Conclusion {
                verdict: Verdict::Invalid,
                sentence: format!(
                    "The steady state was not met before the first fault, so nothing was injected: {}",
                    ended(which)
                ),
                exit: Exit::Preflight,
            };
        }
        let all: Vec<Conclusion> = [
            self.rollback_incomplete(),
            self.stopped(),
            self.invalid(),
            self.gates_failed(),
            self.inconclusive(),
            Some(self.pass()),
        ]
        .into_iter()
        .flatten()
        .collect();
        let strongest = Exit::strongest(all.iter().map(|conclusion| conclusion.exit));
        let mut conclusion =
            all.into_iter().find(|conclusion| conclusion.exit == strongest).unwrap_or_else(|| self.pass());
        if conclusion.exit == Exit::RollbackIncomplete
            && matches!(self.facts.stopped, Some(Stopped::Signal(_) | Stopped::Guardrail(_)))
        {
            conclusion.verdict = Verdict::Aborted;
        }
        conclusion
    }

    fn rollback_incomplete(&self) -> Option<Conclusion> {
        let left: Vec<&FaultData> = self.faults.iter().filter(|fault| fault.rollback_verified == Some(false)).collect();
        let Some(first) = left.first() else { return self.left_behind() };
        let others = if left.len() > 1 { format!(" and {} more", left.len() - 1) } else { String::new() };
        let residue = first.residue.first().map_or_else(String::new, |what| format!(" {}", ended(what)));
        Some(Conclusion {
            verdict: Verdict::Fail,
            sentence: format!(
                "Rollback incomplete: `{}`{others} could not be undone; `brunt cleanup` tries again.{residue}",
                first.id
            ),
            exit: Exit::RollbackIncomplete,
        })
    }

    fn left_behind(&self) -> Option<Conclusion> {
        let what = self.facts.left_behind.as_ref()?;
        let sentence = format!("Something is left of the run; `brunt cleanup` tries again: {}", ended(what));
        Some(Conclusion { verdict: Verdict::Fail, sentence, exit: Exit::RollbackIncomplete })
    }

    fn stopped(&self) -> Option<Conclusion> {
        let at = format::seconds(self.facts.ended.as_secs_f64());
        let faults = if self.facts.faults.is_empty() { "" } else { "; every fault was rolled back" };
        let (verdict, sentence, exit) = match self.facts.stopped.as_ref()? {
            Stopped::SteadyStateNotMet(_) => return None,
            Stopped::Internal(what) => {
                (Verdict::Invalid, format!("brunt itself failed after {at}: {}", ended(what)), Exit::Internal)
            }
            Stopped::Guardrail(what) => {
                // The look that found it, not the end of the drain after it.
                let tripped = self.facts.guardrails.iter().find_map(|guard| guard.tripped);
                let at = tripped.map_or(at, |tripped| format::seconds(tripped.at.as_secs_f64()));
                let sentence = format!("A guardrail stopped the run after {at}{faults}: {}", ended(what));
                (Verdict::Aborted, sentence, Exit::Guardrail)
            }
            Stopped::Signal(signal) => {
                let exit = Exit::of_signal(*signal);
                let name =
                    if exit == Exit::Terminated { "Terminated (SIGTERM)" } else { "Interrupted by a person (SIGINT)" };
                (Verdict::Aborted, format!("{name} after {at}{faults}."), exit)
            }
            Stopped::Invalid(what) => (
                Verdict::Invalid,
                format!("The run was stopped after {at} because it proves nothing: {}", ended(what)),
                Exit::Invalid,
            ),
        };
        Some(Conclusion { verdict, sentence, exit })
    }

    fn invalid(&self) -> Option<Conclusion> {
        let reason = self.health.reasons.first()?;
        let others = match self.health.reasons.len() - 1 {
            0 => String::new(),
            more => format!(" ({} more under measurement health.)", format::counted(more as u64, "reason")),
        };
        let sentence = format!("The measurement cannot be trusted: {}{others}", ended(reason));
        Some(Conclusion { verdict: Verdict::Invalid, sentence, exit: Exit::Invalid })
    }

    fn gates_failed(&self) -> Option<Conclusion> {
        let failed: Vec<&GateData> = self.with(GateVerdict::Fail).collect();
        let first = failed.first()?;
        let lead = match failed.len() {
            1 => String::new(),
            more => format!("{more} of {} gates failed. ", self.gates.len()),
        };
        Some(Conclusion {
            verdict: Verdict::Fail,
            sentence: format!("{lead}`{}`: {}", first.id, self.told(first)),
            exit: Exit::GatesFailed,
        })
    }

    fn inconclusive(&self) -> Option<Conclusion> {
        let because =
            |sentence: String| Some(Conclusion { verdict: Verdict::Inconclusive, sentence, exit: Exit::Inconclusive });
        if self.requests == 0 {
            return because("No request was sent outside warm-up, so there is nothing to judge.".to_owned());
        }
        for fault in &self.facts.faults {
            if let Effect::NotExercised(why) = &fault.effect {
                return because(format!("No traffic exercised {}: {}", fault.name(), ended(why)));
            }
        }
        if let Some(gate) = self.with(GateVerdict::Inconclusive).find(|gate| gate.if_inconclusive == "fail") {
            return because(format!("`{}` cannot be judged: {}", gate.id, ended(&gate.note)));
        }
        // Without a stop (which is a reason of its own) no gate may go unjudged.
        let unreached = self.with(GateVerdict::NotReached).next().filter(|_| self.facts.stopped.is_none())?;
        because(format!("`{}` was not reached: {}", unreached.id, ended(&unreached.note)))
    }

    fn pass(&self) -> Conclusion {
        let faults = self.faults.iter().filter(|fault| fault.injecting_at_s.is_some()).count() as u64;
        let under = if faults > 0 { format!(" under {}", format::counted(faults, "fault")) } else { String::new() };
        let left: Vec<&str> = self.with(GateVerdict::Inconclusive).map(|gate| gate.id.as_str()).collect();
        let held = self.with(GateVerdict::Pass).count();
        let sentence = match (held, left.len()) {
            (0, _) => format!("No gate was judged{under}; the scenario lets that pass."),
            (1, 0) => {
                format!("The gate held{under}: {}", self.gates.first().map_or_else(String::new, |gate| self.told(gate)))
            }
            (all, 0) => format!("All {all} gates held{under}."),
            (some, _) => format!(
                "{some} of {} gates held{under}; `{}` could not be judged.",
                self.gates.len(),
                left.join("`, `")
            ),
        };
        Conclusion { verdict: Verdict::Pass, sentence, exit: Exit::Pass }
    }

    fn with(&self, verdict: GateVerdict) -> impl Iterator<Item = &GateData> {
        self.gates.iter().filter(move |gate| gate.verdict == verdict)
    }

    /// "p99 of `order` during `slow-payment` (network.latency on payments-net) was 1.28 s, the limit is at most 150 ms (...)."
    fn told(&self, gate: &GateData) -> String {
        let (actual, limit) = words::sides(gate);
        let origin = if gate.note.is_empty() { String::new() } else { format!(" ({})", gate.note) };
        if gate.actual.is_none() {
            return format!(
                "{}{} has no value{origin}; {} {limit} was asked for.",
                subject(gate),
                self.place(gate),
                words::bound(gate)
            );
        }
        format!(
            "{}{} was {actual}, the limit is {} {limit}{origin}.",
            subject(gate),
            self.place(gate),
            words::bound(gate)
        )
    }

    fn place(&self, gate: &GateData) -> String {
        match gate.window.split_once(':') {
            Some((part, id)) => {
                let fault = self.faults.iter().find(|fault| fault.id == id);
                let what = fault.map_or_else(String::new, |fault| format!(" ({} on {})", fault.kind, fault.target));
                let when = if part == "recovery" { "after" } else { "during" };
                format!(" {when} `{id}`{what}")
            }
            None => match gate.window.as_str() {
                "baseline" => " in the baseline".to_owned(),
                "warmup" => " in warm-up".to_owned(),
                _ => " over the run".to_owned(),
            },
        }
    }
}

/// "p99 latency of `order`".
fn subject(gate: &GateData) -> String {
    let metric = match gate.metric.split_once('.') {
        Some((family @ ("latency" | "service" | "iteration"), statistic)) => {
            let statistic = statistic.replace('_', ".");
            if family == "latency" { format!("{statistic} latency") } else { format!("{statistic} {family} time") }
        }
        _ => gate.metric.replace('_', " "),
    };
    match (&gate.journey, &gate.step) {
        (_, Some(step)) => format!("{metric} of `{step}`"),
        (Some(journey), None) => format!("{metric} of `{journey}`"),
        (None, None) => metric,
    }
}

/// With a full stop, whoever wrote it.
fn ended(text: &str) -> String {
    let text = text.trim_end();
    if text.ends_with(['.', '!', '?']) { text.to_owned() } else { format!("{text}.") }
}
