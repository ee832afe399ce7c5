//! What makes two runs different runs, before any figure is looked at.

use crate::render::format;
use crate::results::{Results, Verdict};

/// One thing that is not the same in both runs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Difference {
    /// What it is: `scenario`, `seed`, `processor`.
    pub what: &'static str,
    /// What follows for the comparison.
    pub sentence: String,
    /// The figures must not be held against each other.
    pub forbids: bool,
}

/// Everything that differs, what forbids a comparison first.
pub fn all(first: &Results, second: &Results) -> Vec<Difference> {
    let mut found = Vec::new();
    trust(&mut found, "first", first);
    trust(&mut found, "second", second);
    asked(&mut found, first, second);
    place(&mut found, first, second);
    found.sort_by_key(|difference| !difference.forbids);
    found
}

/// A run that cannot be trusted, was cut short or measured nothing is no yardstick and cannot be held against one.
fn trust(found: &mut Vec<Difference>, which: &str, run: &Results) {
    let mut say = |sentence: String| found.push(Difference { what: "measurement", sentence, forbids: true });
    let requests = run.summary.windows.get("run").map_or(0, |window| window.requests);
    if !run.summary.health.valid {
        say(format!("the measurement of the {which} run is not valid"));
    }
    if run.summary.verdict == Verdict::Aborted {
        say(format!("the {which} run was cut short after {}", format::seconds(run.summary.duration_s)));
    }
    if requests == 0 {
        say(format!("the {which} run measured no request"));
    }
}

fn asked(found: &mut Vec<Difference>, first: &Results, second: &Results) {
    let (one, two) = (&first.summary, &second.summary);
    if one.scenario_sha256 != two.scenario_sha256 {
        let sentence = if one.scenario == two.scenario {
            "the scenario was changed between the runs: they were asked for different things".to_owned()
        } else {
            format!("they are runs of different scenarios: {} and {}", one.scenario, two.scenario)
        };
        found.push(Difference { what: "scenario", sentence, forbids: true });
    } else if first.plan.load != second.plan.load {
        let sentence = "the load is not the same, although the scenario is: an option of the command line?".to_owned();
        found.push(Difference { what: "load", sentence, forbids: true });
    }
    if one.seed != two.seed {
        let sentence = format!("the seeds are {} and {}: other arrivals, other victims", one.seed, two.seed);
        found.push(Difference { what: "seed", sentence, forbids: false });
    } else if one.schedule_digest != two.schedule_digest {
        let sentence = "the seed is the same and the schedules are not".to_owned();
        found.push(Difference { what: "schedule", sentence, forbids: false });
    }
    let with_faults = |run: &Results| run.summary.faults.iter().filter(|fault| fault.injecting_at_s.is_some()).count();
    if with_faults(first) != with_faults(second) {
        let sentence = format!("{} faults were injected, and {}", with_faults(first), with_faults(second));
        found.push(Difference { what: "faults", sentence, forbids: false });
    }
}

fn place(found: &mut Vec<Difference>, first: &Results, second: &Results) {
    let (one, two) = (&first.environment, &second.environment);
    let mut differ = |what: &'static str, one: &str, two: &str, forbids: bool| {
        if one != two {
            let unknown = |text: &str| if text.is_empty() { "unknown".to_owned() } else { text.to_owned() };
            found.push(Difference { what, sentence: format!("{} and {}", unknown(one), unknown(two)), forbids });
        }
    };
    differ("processor", &one.cpu, &two.cpu, true);
    differ("cores", &one.cores.to_string(), &two.cores.to_string(), true);
    differ("host", &one.host, &two.host, false);
    differ("kernel", &one.kernel, &two.kernel, false);
    differ("congestion control", &one.congestion_control, &two.congestion_control, false);
    differ("load workers", &one.workers.to_string(), &two.workers.to_string(), false);
    let commit = |run: &Results| run.environment.commit.clone().unwrap_or_default();
    differ("commit", &commit(first), &commit(second), false);
    differ("brunt", &first.summary.brunt_version, &second.summary.brunt_version, false);
}
