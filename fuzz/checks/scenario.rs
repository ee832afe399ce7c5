//! What must hold for any bytes that somebody calls a scenario. Shared by the fuzz target and the test that replays its
//! corpus.

use brunt_scenario::{LoadOptions, load_text};

/// No panic; every problem lies inside of its text and comes with a way out.
pub fn check(bytes: &[u8]) {
    let Ok(text) = std::str::from_utf8(bytes) else { return };
    let Err(problems) = load_text("any.yaml", text, &LoadOptions::default()) else { return };
    assert!(!problems.is_empty(), "refused without a word");
    assert!(!problems.render(false).is_empty(), "nothing to read");
    for problem in problems.iter() {
        let source = &problems.sources().get(problem.span.file).text;
        assert!(source.get(problem.span.start..problem.span.end).is_some(), "outside of the text: {problem:?}");
        assert!(!problem.help.is_empty(), "no help: {problem:?}");
    }
}
