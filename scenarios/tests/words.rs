//! Every word of another tool, written where somebody who knows that tool would write it, is answered there.

use brunt_scenario::words::foreign::{ALL, Place};
use brunt_scenario::{LoadOptions, load_text};

const LOAD: &str = "load: { main: { get: /, rate: 5/s, for: timeline } }";
const TARGETS: &str = "targets: { api: { url: \"http://a\" }, wire: { link: wire } }";
const LINKS: &str = "links: { wire: { to: \"a:1\" } }";
const TIMELINE: &str = "timeline: [ { fault: network.latency, target: wire, for: 3s, with: { latency: 1ms } } ]";

/// A scenario that is sound but for this word.
fn with(word: &str, at: Place) -> String {
    let item = |more: &str| TIMELINE.replace("for: 3s,", &format!("for: 3s, {more}"));
    let (key, line) = match at {
        Place::Key("the scenario") => ("", format!("{word}: 1")),
        Place::Key("a load entry") => ("load", LOAD.replace("get:", &format!("{word}: 1, get:"))),
        Place::Key("a stage") => {
            ("load", format!("load: {{ main: {{ get: /, stages: [ {{ hold: 5/s, for: 9s, {word}: 1 }} ] }} }}"))
        }
        Place::Key("a journey") => ("journeys", format!("journeys: {{ a: {{ steps: [ {{ get: / }} ], {word}: 1 }} }}")),
        Place::Key("a step") => ("journeys", format!("journeys: {{ a: {{ steps: [ {{ get: /, {word}: 1 }} ] }} }}")),
        Place::Key("a check") => {
            ("load", LOAD.replace("get: /", &format!("get: /, check: {{ status: 200, {word}: 1 }}")))
        }
        Place::Key("an item of the timeline") => ("timeline", item(&format!("{word}: 1,"))),
        Place::Key("a target") => ("targets", TARGETS.replace("wire }", &format!("wire, {word}: 1 }}"))),
        Place::Key("a kubernetes target") => {
            ("targets", TARGETS.replace("{ link: wire }", &format!("{{ kubernetes: {{ {word}: 1 }} }}")))
        }
        Place::Key("a service") => ("services", format!("services: {{ shop: {{ run: [shop], {word}: 1 }} }}")),
        Place::Key("a link") => ("links", LINKS.replace(" } }", &format!(", {word}: 1 }} }}"))),
        Place::Key("a gate") => ("gates", format!("gates: [ {{ metric: error_rate, max: 1%, {word}: 1 }} ]")),
        Place::Key("a guardrail") => {
            ("abort_if", format!("abort_if: [ {{ metric: error_rate, above: 1%, {word}: 1 }} ]"))
        }
        Place::With => ("timeline", TIMELINE.replace("1ms", &format!("1ms, {word}: 1"))),
        Place::Fault => ("timeline", TIMELINE.replace("network.latency", &format!("\"{word}\""))),
        Place::Metric => ("gates", format!("gates: [ {{ metric: {word}, max: 1% }} ]")),
        Place::OneOf("open") => ("load", LOAD.replace("get: /", &format!("get: /, model: {word}"))),
        Place::OneOf("TERM") => {
            ("services", format!("services: {{ shop: {{ run: [shop], stop: {{ signal: {word} }} }} }}"))
        }
        Place::Key(_) | Place::OneOf(_) => panic!("nobody has said where {word} would be written: {at:?}"),
    };
    let others = [("targets", TARGETS), ("links", LINKS), ("load", LOAD), ("timeline", TIMELINE)];
    let others = others.iter().filter(|(other, _)| *other != key).map(|(_, line)| format!("{line}\n"));
    format!("version: 1\n{}{line}\n", others.collect::<String>())
}

#[test]
fn every_word_is_answered_where_it_is_written_with_what_to_write_instead() {
    assert!(ALL.len() >= 40, "{}", ALL.len());
    for known in ALL {
        let text = with(known.word, known.at);
        let problems = load_text("a.yaml", &text, &LoadOptions::default()).expect_err(known.word);
        let answered = problems.iter().find(|problem| {
            let marked = text.get(problem.span.start..problem.span.end).unwrap_or_default();
            marked.trim_matches('"') == known.word
        });
        let answered = answered.unwrap_or_else(|| panic!("{} is not marked:\n{text}{problems}", known.word));
        assert_eq!(answered.help, known.here, "{}:\n{text}{problems}", known.word);
    }
}

#[test]
fn each_of_the_tools_that_people_come_from_has_words_here() {
    for tool in [
        "k6",
        "Gatling",
        "JMeter",
        "Locust",
        "Artillery",
        "Vegeta",
        "wrk",
        "Chaos Mesh",
        "Litmus",
        "Chaos Toolkit",
        "Pumba",
        "Toxiproxy",
        "AWS FIS",
        "tc-netem",
    ] {
        assert!(ALL.iter().any(|known| known.from.split(", ").any(|from| from == tool)), "{tool}");
    }
}
