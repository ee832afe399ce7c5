use brunt_report::render::summary::render;

use crate::sample;

#[test]
fn a_failed_run_for_a_pull_request() {
    insta::assert_snapshot!(render(&sample::shop()));
}

#[test]
fn an_invalid_run_says_why_and_what_to_do() {
    insta::assert_snapshot!(render(&sample::invalid()));
}

#[test]
fn a_run_without_samples_has_no_numbers_to_show() {
    insta::assert_snapshot!(render(&sample::empty()));
}

#[test]
fn hostile_names_break_no_table_and_bring_no_markup() {
    let text = render(&sample::hostile());
    // The command stands in a code span and last lines stand in a fence, where nothing is markup. The fence is longer than
    // any run of backticks in it, so that the only `</details>` that counts is the one after it.
    let fence = "`".repeat(5);
    let fenced: Vec<&str> = text.split(&fence).collect();
    assert_eq!(fenced.len(), 3, "one pair of fences: {text}");
    assert!(fenced[1].contains("```` </details>"), "{text}");
    let lines = fenced[0].lines().chain(fenced[2].lines());
    let outside = lines.filter(|line| !line.starts_with("Repeat with ``")).collect::<Vec<_>>().join("\n");
    assert!(!outside.contains("<script>") && !text.contains(['\u{1b}', '\u{202e}']), "{text}");
    let rows: Vec<&str> = text.lines().filter(|line| line.starts_with("| ")).collect();
    for row in rows {
        let bars = row.replace("\\|", "").matches('|').count();
        assert!([5, 7].contains(&bars), "{row}");
    }
}

#[test]
fn nobody_is_notified_by_a_name() {
    let mut results = sample::shop();
    results.summary.sentence = "ask @payments-team".to_owned();
    assert!(!render(&results).contains("@payments-team"));
}
