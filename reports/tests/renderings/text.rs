use brunt_report::render::text::{Style, render};

use crate::sample;

#[test]
fn the_end_of_a_failed_run() {
    insta::assert_snapshot!(render(&sample::shop(), Style::default()));
}

#[test]
fn the_end_of_a_passed_run_in_colour() {
    insta::assert_snapshot!(render(&sample::passing(), Style { color: true, ascii: false }));
}

#[test]
fn the_end_of_an_aborted_run_in_ascii() {
    let text = render(&sample::aborted(), Style { color: false, ascii: true });
    assert!(text.is_ascii());
    insta::assert_snapshot!(text);
}

#[test]
fn the_end_of_an_invalid_run() {
    insta::assert_snapshot!(render(&sample::invalid(), Style::default()));
}

#[test]
fn the_end_of_a_run_without_samples() {
    insta::assert_snapshot!(render(&sample::empty(), Style::default()));
}

#[test]
fn a_name_cannot_control_the_terminal() {
    let text = render(&sample::hostile(), Style::default());
    assert!(!text.contains('\u{1b}'), "{text:?}");
}
