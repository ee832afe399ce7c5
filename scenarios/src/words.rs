//! What people who know other tools write, and how it is called here.

/// Foreign word, what to write instead. Compared without regard to case, `_` and `-`.
const FOREIGN: &[(&str, &str)] = &[
    ("abort", "called `abort_if` here"),
    ("abortonfail", "called `abort_if` here"),
    ("actions", "called `timeline` here"),
    ("apiversion", "write `version: 1`"),
    ("arrivalrate", "called `rate` here, with a unit: `rate: 200/s`"),
    ("assert", "called `check` at a step, `gates` for the run"),
    ("assertions", "called `check` at a step, `gates` for the run"),
    ("asserts", "called `check` at a step, `gates` for the run"),
    ("at", "there is no `at`: the timeline runs in order; use `pause: 5s` or `delay` inside of `parallel`"),
    ("attacks", "called `timeline` here"),
    ("body_json", "called `json` here"),
    ("capture", "called `extract` here"),
    ("chaos", "called `timeline` here"),
    ("checks", "called `check` here"),
    ("concurrency", "called `users` here (`model: closed`)"),
    ("connections", "called `users` here (`model: closed`)"),
    ("containers", "called `docker` under `targets`"),
    ("dependson", "there is no dependency graph: addresses in `${links.x.url}` give the order"),
    ("duration", "called `for` here"),
    ("endpoints", "called `targets` here"),
    ("environment", "called `env` here"),
    ("executor", "called `model` here: `open` or `closed`"),
    ("experiment", "called `timeline` here"),
    ("expect", "called `check` here"),
    ("faults", "called `timeline` here: a list that runs in order"),
    ("flow", "called `steps` here"),
    ("guardrails", "called `abort_if` here"),
    ("hypothesis", "called `steady_state` here"),
    ("include", "write the tag `!include ./file.yaml` in place of the value"),
    ("interval", "called `every` here"),
    ("iterations", "load is given as `rate` or `users` with `for`"),
    ("jitterms", "called `jitter` here, with a unit: `jitter: 20ms`"),
    ("latencyms", "called `latency` here, with a unit: `latency: 200ms`"),
    ("maxduration", "called `for` here"),
    ("maxvus", "called `max_in_flight` here"),
    ("method", "write the method as the key: `get: /path`, `post: /path`"),
    ("mode", "called `pick` at a fault, `model` at a load"),
    ("objectives", "called `slos` here"),
    ("parameters", "called `with` here"),
    ("params", "called `with` here"),
    ("path", "write the method as the key: `get: /path`, `post: /path`"),
    ("percentage", "called `pick` at a fault, `share` under `with`"),
    ("phases", "called `stages` here"),
    ("probability", "called `share` under `with`"),
    ("processes", "called `services` for those that brunt starts, `targets` for others"),
    ("proxies", "called `links` here"),
    ("rampup", "write a stage: `{ ramp_to: 200/s, over: 30s, warmup: true }`"),
    ("report", "called `outputs` here"),
    ("reports", "called `outputs` here"),
    ("requests", "called `steps` here, in a journey"),
    ("rollbacks", "not needed: every fault is undone by itself"),
    ("rps", "called `rate` here, with a unit: `rate: 200/s`"),
    ("scenario", "called `journeys` and `load` here"),
    ("scenarios", "called `load` here"),
    ("schedule", "called `timeline` here"),
    ("selector", "a selector stands at the target: `targets: { x: { kubernetes: { selector: app=x } } }`"),
    ("sla", "called `slos` here, `gates` for what CI judges"),
    ("slo", "called `slos` here"),
    ("sleep", "called `think` in a journey, `pause` in the timeline"),
    ("spawnrate", "write a stage: `{ ramp_to: 200/s, over: 30s }`"),
    ("steadystate", "called `steady_state` here"),
    ("steadystatehypothesis", "called `steady_state` here"),
    ("stopconditions", "called `abort_if` here"),
    ("tasks", "called `steps` here"),
    ("tests", "called `gates` here"),
    ("thinktime", "called `think` here"),
    ("threads", "called `users` here (`model: closed`)"),
    ("threshold", "called `gates` here"),
    ("thresholds", "called `gates` here"),
    ("toxic", "called `fault` here"),
    ("toxics", "called `timeline` here: each toxic is a fault on a link"),
    ("upstream", "called `to` here"),
    ("validate", "called `check` here"),
    ("variables", "called `vars` here"),
    ("virtualusers", "called `users` here"),
    ("vus", "called `users` here"),
    ("warmup_time", "mark a stage with `warmup: true`"),
];

/// What a word of another tool is called here.
pub fn foreign(word: &str) -> Option<&'static str> {
    let plain = |word: &str| word.to_ascii_lowercase().replace(['_', '-'], "");
    let asked = plain(word);
    FOREIGN.iter().find(|(foreign, _)| plain(foreign) == asked).map(|(_, here)| *here)
}

/// The candidate that a mistyped word most probably means: at most one edit in three letters.
pub fn nearest<'a>(word: &str, candidates: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    // The distance is quadratic; nothing that long is a slip of the finger.
    if word.len() > 100 {
        return None;
    }
    let allowed = (word.chars().count() / 3).max(1);
    candidates
        .into_iter()
        .map(|candidate| (strsim::damerau_levenshtein(word, candidate), candidate))
        .filter(|(distance, _)| *distance <= allowed)
        .min_by_key(|(distance, _)| *distance)
        .map(|(_, candidate)| candidate)
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::{FOREIGN, foreign, nearest};

    #[test]
    fn people_from_other_tools_are_understood_however_they_write() {
        for word in ["arrivalRate", "arrival_rate", "ARRIVAL-RATE"] {
            assert_eq!(foreign(word), Some("called `rate` here, with a unit: `rate: 200/s`"));
        }
        assert_eq!(foreign("rate"), None);
        let words: BTreeSet<&str> = FOREIGN.iter().map(|(word, _)| *word).collect();
        assert_eq!(words.len(), FOREIGN.len(), "a word stands twice");
        assert!(words.len() >= 40);
    }

    #[test]
    fn only_a_slip_of_the_finger_is_near() {
        assert_eq!(nearest("targte", ["target", "timeout"]), Some("target"));
        assert_eq!(nearest("xyz", ["target", "timeout"]), None);
        assert_eq!(nearest(&"a".repeat(1000), ["target"]), None);
    }
}
