//! What Tab offers for a value: scenario files that lie here, kinds of faults, metrics. Nothing is asked over a network and
//! no scenario is parsed: a shell waits for the answer.

use std::collections::BTreeSet;

use brunt_scenario::metric::Metric;
use brunt_scenario::{Code, catalogue};
use clap_complete::engine::{ArgValueCandidates, ArgValueCompleter, CompletionCandidate, PathCompleter};

use super::{explain, url};

/// How a scenario's file is called.
pub const ENDING: &str = ".brunt.yaml";

/// Scenario files; folders too, which may hold some.
pub fn scenarios() -> ArgValueCompleter {
    let is_scenario = |path: &std::path::Path| path.is_file() && path.to_string_lossy().ends_with(ENDING);
    ArgValueCompleter::new(PathCompleter::any().filter(is_scenario))
}

/// Kinds of the catalogue and their families.
pub fn fault_kinds() -> ArgValueCandidates {
    ArgValueCandidates::new(|| {
        let families: BTreeSet<&str> =
            catalogue::ALL.iter().filter_map(|kind| Some(kind.name.split_once('.')?.0)).collect();
        let kinds = catalogue::ALL.iter().map(|kind| candidate(kind.name, kind.does));
        let families = families.into_iter().map(|family| candidate(family, "all of this family"));
        kinds.chain(families).collect()
    })
}

/// What `brunt explain` knows: codes, metrics, faults, keys and the words of the outputs.
pub fn words() -> ArgValueCandidates {
    ArgValueCandidates::new(|| {
        let codes = Code::ALL.iter().map(|code| candidate(code.id(), code.label()));
        let metrics = Metric::all().into_iter().map(|metric| candidate(&metric.to_string(), "a metric"));
        let faults = catalogue::ALL.iter().map(|kind| candidate(kind.name, kind.does));
        let others = explain::words().into_iter().map(|word| candidate(&word, ""));
        codes.chain(metrics).chain(faults).chain(others).collect()
    })
}

/// What `--fault` begins with.
pub fn link_faults() -> ArgValueCandidates {
    ArgValueCandidates::new(|| url::FAULT_EXAMPLES.iter().map(|(text, does)| candidate(text, does)).collect())
}

/// What `--gate` begins with.
pub fn gates() -> ArgValueCandidates {
    ArgValueCandidates::new(|| {
        Metric::all().iter().map(|metric| CompletionCandidate::new(metric.to_string())).collect()
    })
}

/// Methods of HTTP that load can use.
pub fn methods() -> ArgValueCandidates {
    ArgValueCandidates::new(|| url::METHODS.iter().map(|method| candidate(&method.to_uppercase(), "")).collect())
}

fn candidate(text: &str, does: &str) -> CompletionCandidate {
    let help = (!does.is_empty()).then(|| does.to_owned().into());
    CompletionCandidate::new(text.to_owned()).help(help)
}
