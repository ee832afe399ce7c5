use brunt_report::render::github::render;

use crate::sample;

#[test]
fn failed_gates_point_at_their_line_in_the_scenario() {
    insta::assert_snapshot!(render(&sample::shop()));
}

#[test]
fn a_name_cannot_begin_a_command_of_its_own() {
    let mut results = sample::shop();
    results.summary.gates[1].id = "x\n::stop-commands::token".to_owned();
    results.plan.source = "a,line=1::b.yaml".to_owned();
    let text = render(&results);
    assert!(
        text.lines().all(|line| line.starts_with("::error ")
            || line.starts_with("::warning ")
            || line.starts_with("::notice ")),
        "{text}"
    );
    assert!(text.contains("file=a%2Cline=1%3A%3Ab.yaml,line="), "{text}");
}
