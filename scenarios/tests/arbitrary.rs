//! Whatever the bytes are: no panic, and every place lies inside of its text.

use brunt_scenario::{LoadOptions, load, load_text};
use proptest::prelude::*;

#[path = "../../fuzz/checks/scenario.rs"]
mod fuzzed;

#[test]
fn the_corpus_of_the_fuzz_target_holds() {
    let folder = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("../fuzz/corpus/scenario");
    let inputs: Vec<_> = std::fs::read_dir(folder).expect("the corpus").map(|entry| entry.expect("readable")).collect();
    assert!(inputs.len() >= 10, "{} inputs", inputs.len());
    inputs.iter().for_each(|input| fuzzed::check(&std::fs::read(input.path()).expect("readable")));
}

/// Pieces of the language, put together in any way.
fn almost_a_scenario() -> impl Strategy<Value = String> {
    let pieces = prop::sample::select(vec![
        "version: 1",
        "targets",
        "load",
        ": ",
        "\n",
        "  ",
        "- ",
        "{ ",
        " }",
        "[",
        "]",
        ", ",
        "get: /",
        "rate: 5/s",
        "for: 3s",
        "&a ",
        "*a",
        "<<: *a",
        "!include x",
        "${vars.a}",
        "${env.X:-",
        "}",
        "{{ ",
        " }}",
        "timeline:",
        "fault: network.latency",
        "target: a",
        "with: ",
        "gates:",
        "metric: ",
        "latency.p99",
        "max: ",
        "\"",
        "'",
        "#",
        "\t",
        "é",
        "\u{1F600}",
        "|\n",
        "--- ",
        "~",
        "? ",
        "vars: { a: \"${vars.a}\" }\n",
        "a: { url: http://[::1]:80 }\n",
        "1e999",
        "-1",
        "99999999999999999999",
    ]);
    prop::collection::vec(pieces, 0..60).prop_map(|pieces| pieces.concat())
}

fn check(text: &str) -> Result<(), TestCaseError> {
    let Err(problems) = load_text("any.yaml", text, &LoadOptions::default()) else { return Ok(()) };
    prop_assert!(!problems.is_empty());
    prop_assert!(!problems.render(true).is_empty());
    for problem in problems.iter() {
        let source = &problems.sources().get(problem.span.file).text;
        prop_assert!(source.get(problem.span.start..problem.span.end).is_some(), "{problem:?}");
        prop_assert!(!problem.help.is_empty());
    }
    Ok(())
}

proptest! {
    #[test]
    fn arbitrary_text_never_panics(text in "\\PC{0,200}|[ -~\n\t]{0,400}") {
        check(&text)?;
    }

    #[test]
    fn almost_scenarios_never_panic(text in almost_a_scenario()) {
        check(&text)?;
    }

    #[test]
    fn arbitrary_bytes_never_panic(bytes in prop::collection::vec(any::<u8>(), 0..300)) {
        let file = tempfile::NamedTempFile::new().expect("a file");
        std::fs::write(file.path(), &bytes).expect("written");
        if let Err(problems) = load(file.path(), &LoadOptions::default()) {
            prop_assert!(!problems.render(false).is_empty());
        }
    }

    #[test]
    fn arbitrary_sets_never_panic(path in "[a-z0-9.]{0,20}", value in "\\PC{0,20}") {
        let text = "version: 1\ntargets: { api: { url: \"http://a\" } }\nload: { main: { get: /, rate: 5/s, for: 3s } }\n";
        let options = LoadOptions { sets: vec![(path, value)], ..LoadOptions::default() };
        if let Err(problems) = load_text("a.yaml", text, &options) {
            prop_assert!(!problems.render(false).is_empty());
        }
    }
}
