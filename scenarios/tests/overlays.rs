//! What lies over a file: `-f`, the environment, `--set`; and what comes of it: seed, digest, resolved text.

use brunt_scenario::plan::{Body, Json, Plan, Step, Text};
use brunt_scenario::{LoadOptions, load, load_text};

const BASE: &str = "version: 1
vars: { rate: 100/s, host: localhost }
targets: { api: { url: \"http://${vars.host}:8080\" } }
load: { main: { get: /, rate: \"${vars.rate}\", for: 30s } }
gates: [ { metric: latency.p99, max: 200ms } ]
";

fn plan(text: &str, options: &LoadOptions) -> Plan {
    let scenario = load_text("base.brunt.yaml", text, options).unwrap_or_else(|problems| panic!("{problems}"));
    scenario.plan().unwrap_or_else(|problems| panic!("{problems}"))
}

fn rate(options: &LoadOptions) -> f64 {
    plan(BASE, options).load[0].stages[0].to
}

fn set(path: &str, value: &str) -> LoadOptions {
    LoadOptions { sets: vec![(path.to_owned(), value.to_owned())], ..LoadOptions::default() }
}

#[test]
fn a_set_is_stronger_than_the_environment_which_is_stronger_than_the_file() {
    assert_eq!(rate(&LoadOptions::default()), 100.0);
    let mut options = LoadOptions::default();
    options.env.insert("BRUNT_VAR_RATE".to_owned(), "200/s".to_owned());
    assert_eq!(rate(&options), 200.0);
    options.sets.push(("vars.rate".to_owned(), "300/s".to_owned()));
    assert_eq!(rate(&options), 300.0);
}

#[test]
fn a_set_reaches_into_lists_and_makes_what_is_not_there() {
    let gated = plan(BASE, &set("gates.0.max", "1s"));
    assert!(format!("{:?}", gated.gates[0].limit).contains("1000"), "{:?}", gated.gates[0].limit);
    assert_eq!(plan(BASE, &set("safety.lease", "2s")).safety.lease.as_secs(), 2);
}

#[test]
fn a_merge_file_overrides_by_key_and_keeps_the_rest() {
    let folder = tempfile::tempdir().expect("a folder");
    let (base, over) = (folder.path().join("shop.brunt.yaml"), folder.path().join("ci.yaml"));
    std::fs::write(&base, BASE).expect("written");
    std::fs::write(&over, "vars: { host: ci }\nload: { main: { for: 5s } }\nservices: { db: { run: [db] } }\n")
        .expect("written");
    let options = LoadOptions { merges: vec![over], ..LoadOptions::default() };
    let plan = load(&base, &options).unwrap_or_else(|problems| panic!("{problems}")).plan().expect("a plan");
    assert_eq!(plan.name, "shop");
    assert_eq!(plan.load[0].stages[0].length.map(|length| length.as_secs()), Some(5));
    assert_eq!(plan.load[0].stages[0].to, 100.0);
    assert!(format!("{:?}", plan.targets["api"]).contains("http://ci:8080"));
    assert_eq!(plan.services[0].cwd, folder.path(), "services work where the scenario lies");
}

#[test]
fn the_seed_of_the_command_line_wins_and_a_random_one_fits_into_json() {
    let seeded = format!("{BASE}seed: 42\n");
    assert_eq!(plan(&seeded, &LoadOptions::default()).seed, 42);
    assert_eq!(plan(&seeded, &LoadOptions { seed: Some(7), ..LoadOptions::default() }).seed, 7);
    let random = plan(BASE, &LoadOptions { random_seed: u64::MAX, ..LoadOptions::default() });
    assert_eq!(random.seed, (1 << 53) - 1);
}

#[test]
fn the_resolved_text_is_the_same_scenario() {
    let text = format!(
        "{BASE}x-free: [1]\nname: \"a: b # c\"\ndescription: \"$${{literal}}\"\nlabels: {{ tier: \"1\", empty: \"\" }}\n"
    );
    let first = plan(&text, &LoadOptions::default());
    assert!(!first.resolved_yaml.contains("x-free"), "{}", first.resolved_yaml);
    assert!(first.resolved_yaml.contains("rate: 100/s"), "{}", first.resolved_yaml);
    let second = plan(&first.resolved_yaml, &LoadOptions::default());
    assert_eq!(second.resolved_yaml, first.resolved_yaml);
    assert_eq!(second.scenario_sha256, first.scenario_sha256);
    assert_eq!((second.name.as_str(), second.description.as_str()), ("a: b # c", "${literal}"));
    assert_ne!(plan(BASE, &LoadOptions::default()).scenario_sha256, first.scenario_sha256);
}

#[test]
fn a_secret_goes_to_the_wire_and_nowhere_else() {
    let text = "version: 1
targets: { api: { url: \"http://localhost\" } }
load: { main: { post: /, rate: 5/s, for: 3s, headers: { Authorization: \"Bearer ${secret.env.T}\" }, json: { k: \"${secret.env.T}\" } } }
";
    let mut options = LoadOptions::default();
    options.env.insert("T".to_owned(), "hunter2".to_owned());
    let plan = plan(text, &options);
    let Step::Request(request) = &plan.journeys[0].steps[0] else { panic!("a request") };
    let filled = |text: &Text| text.fill(&brunt_scenario::plan::Addresses::default(), None).expect("known");
    assert_eq!(filled(&request.headers[0].1), "Bearer hunter2");
    let Body::Json(Json::Object(fields)) = &request.body else { panic!("an object") };
    let Json::Text(text) = &fields[0].1 else { panic!("a text") };
    assert_eq!(filled(text), "hunter2");
    assert!(!format!("{plan:?}").contains("hunter2"));
    assert!(plan.resolved_yaml.contains("***"), "{}", plan.resolved_yaml);
    options.env.insert("T".to_owned(), "another".to_owned());
    assert_eq!(plan.scenario_sha256, self::plan(text_of(&plan), &options).scenario_sha256);
}

/// The resolved text, in which the secret is masked: its digest is the scenario's.
fn text_of(plan: &Plan) -> &str {
    &plan.resolved_yaml
}

#[test]
fn strict_validation_points_at_what_is_worth_a_look() {
    let text = "version: 1
targets: { api: { url: \"https://shop.prod.example.org\" } }
load: { main: { get: /, users: 5, for: 3s } }
gates: [ { metric: latency.p99_9, max: 200ms } ]
";
    let scenario = load_text("strict.brunt.yaml", text, &LoadOptions::default()).expect("valid");
    insta::assert_snapshot!("strict", scenario.lint().render(false));
    let shop = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("examples/shop.brunt.yaml");
    assert!(load(&shop, &LoadOptions::default()).expect("valid").lint().is_empty());
}
