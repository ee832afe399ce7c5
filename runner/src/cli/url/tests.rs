//! What the flags of the URL form become.

use clap::Parser;

use brunt_scenario::metric::WindowName;
use brunt_scenario::plan::{Body, Model, Plan, Step};

use super::{FAULT_EXAMPLES, Failure, UrlArgs, Written};
use crate::cli::scenario::Overrides;

#[derive(Debug, Parser)]
struct Flags {
    #[command(flatten)]
    url: UrlArgs,
}

fn written(url: &str, flags: &[&str]) -> Result<Written, Failure> {
    let flags = Flags::try_parse_from([&["run"], flags].concat()).expect("clap takes these flags");
    Written::new(url, &flags.url)
}

fn text(url: &str, flags: &[&str]) -> String {
    written(url, flags).expect("these flags make sense").text
}

fn refused(flags: &[&str]) -> String {
    written("http://localhost:8080", flags).expect_err("these flags make no sense").to_string()
}

#[test]
fn a_url_alone_is_one_get_at_the_default_rate() {
    insta::assert_snapshot!(text("http://localhost:8080", &[]));
}

#[test]
fn a_path_and_a_query_stay_as_they_are() {
    let text = text("https://example.org/a?b=c&d=${x}#part", &["--users", "3", "--for", "1m30s"]);
    insta::assert_snapshot!(text);
}

#[test]
fn a_body_headers_and_a_method_are_carried_over() {
    let flags =
        ["--json", r#"{"sku": "A1", "note": "${x} {{ uuid() }}"}"#, "--method", "put", "--header", "X-Who: \"me\""];
    insta::assert_snapshot!(text("http://localhost:8080/orders", &flags));
}

#[test]
fn the_value_of_an_authorization_header_is_never_in_the_text() {
    let written = written("http://localhost:8080", &["--header", "Authorization: Bearer hunter2"]).expect("it is fine");
    assert!(!written.text.contains("hunter2"), "{}", written.text);
    assert!(written.text.contains("\"${secret.env.BRUNT_SECRET_HEADER_0}\""), "{}", written.text);
    assert_eq!(written.secrets, [("BRUNT_SECRET_HEADER_0".to_owned(), "Bearer hunter2".to_owned())]);
}

#[test]
fn faults_put_a_link_in_front_of_the_host() {
    let flags = [
        "--for",
        "30s",
        "--fault",
        "latency 200ms +-20ms at 10s for 10s",
        "--fault",
        "error 500 at 12s for 2s",
        "--fault",
        "bandwidth 1.5mbit at 15s for 5s",
        "--fault",
        "latency 1s at 25s",
        "--gate",
        "latency.p99 < 200ms in baseline",
        "--gate",
        "error_rate<=1%",
    ];
    insta::assert_snapshot!(text("http://localhost:8080/a", &flags));
}

#[test]
fn a_wrong_flag_says_what_to_write() {
    let wrong: [&[&str]; 16] = [
        &["--rate", "50"],
        &["--for", "10"],
        &["--for", "0s"],
        &["--method", "BREW"],
        &["--header", "nothing"],
        &["--json", "{sku: A1}"],
        &["--fault", "latency"],
        &["--fault", "latency 5"],
        &["--fault", "bandwidth"],
        &["--fault", "bandwidth 10M"],
        &["--fault", "bandwidth 0bit"],
        &["--fault", "earthquake at 5s"],
        &["--fault", "partition at 5s for 6s"],
        &["--gate", "latency.p98 < 200ms"],
        &["--gate", "latency.p99 < 200"],
        &["--gate", "error_rate < 1% during baseline"],
    ];
    let told: Vec<String> = wrong.iter().map(|flags| format!("{}\n  {}", flags.join(" "), refused(flags))).collect();
    insta::assert_snapshot!(told.join("\n"));
}

#[test]
fn a_url_with_a_password_or_without_a_host_is_refused() {
    for url in ["http://me:secret@localhost", "http://", "http:///path", "http://local host/"] {
        let told = written(url, &[]).expect_err("it cannot be loaded").to_string();
        assert!(!told.contains("secret") || url.contains("@"), "{told}");
    }
}

/// The only request of the plan that the flags become.
fn planned(url: &str, flags: &[&str]) -> Plan {
    let flags = Flags::try_parse_from([&["run"], flags].concat()).expect("clap takes these flags");
    match super::plan(url, &flags.url, &Overrides::default(), &[]) {
        Ok(plan) => plan,
        Err(why) => panic!("{why}"),
    }
}

fn request(plan: &Plan) -> &brunt_scenario::plan::Request {
    match &plan.journeys[0].steps[0] {
        Step::Request(request) => request,
        Step::Think(_) => panic!("nobody thinks here"),
    }
}

#[test]
fn the_plan_sends_what_the_flags_say_and_judges_the_default_gate() {
    let flags = ["--users", "3", "--json", r#"{"a": "${x}"}"#, "--header", "Cookie: id=hunter2"];
    let plan = planned("http://localhost:8080/a?b=${c}", &flags);
    assert_eq!(plan.load[0].model, Model::Closed);
    assert!(plan.load[0].stages.iter().all(|stage| !stage.warmup), "the URL form has no warm-up");
    let request = request(&plan);
    assert_eq!((request.method, request.path.to_string().as_str()), ("POST", "/a?b=${c}"));
    assert!(matches!(&request.body, Body::Json(_)));
    assert_eq!(request.headers[0].1.to_string(), "***");
    assert!(!plan.resolved_yaml.contains("hunter2"), "{}", plan.resolved_yaml);
    assert_eq!(plan.gates.len(), 1);
    assert_eq!(plan.not_built, []);
}

#[test]
fn a_plan_with_faults_of_every_kind_can_be_run() {
    let flags = [
        "--for",
        "20s",
        "--fault",
        "latency 200ms +-20ms at 5s for 5s",
        "--fault",
        "partition at 11s for 1s",
        "--fault",
        "blackhole at 12s for 1s",
        "--fault",
        "reset at 13s for 1s",
        "--fault",
        "error 500 at 14s",
        "--gate",
        "latency.p99 < 300ms in fault:latency",
        "--gate",
        "rate.completed >= 10/s",
        "--gate",
        "unfinished <= 5",
    ];
    let plan = planned("http://127.0.0.1:8080", &flags);
    assert_eq!(plan.not_built, []);
    assert_eq!(plan.gates[0].window, WindowName::Fault("latency".into()));
    assert_eq!(plan.links.len(), 1);
}

#[test]
fn what_tab_offers_for_a_fault_is_a_fault() {
    for (text, _) in FAULT_EXAMPLES {
        written("http://h", &["--fault", text]).unwrap_or_else(|why| panic!("{text}: {why}"));
    }
}
