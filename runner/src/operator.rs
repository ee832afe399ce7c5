//! What a person may ask of a run while it goes on. The terminal screen sends these, the orchestrator decides what comes of
//! them, and all of it stands in results.json: a run that somebody touched is not the run that the scenario describes.

/// One request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Operator {
    /// Stop the timeline; load, active faults, objectives and guardrails go on. Asked for again: go on.
    Hold,
    /// Take the fault off, or inject it once more: the turn with this index ([`crate::timeline::turns_of`]).
    Fault(usize),
    /// Write this down at this instant.
    Note(String),
    /// End the run as Ctrl-C does: undo every fault, write the report.
    Abort,
}
