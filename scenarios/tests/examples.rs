//! The example files of the documentation are valid and become the plans that they describe.

use std::collections::BTreeMap;
use std::path::Path;

use brunt_scenario::plan::{Item, Limit, Model, Plan};
use brunt_scenario::{LoadOptions, load};

fn options(env: &[(&str, &str)]) -> LoadOptions {
    let env: BTreeMap<String, String> = env.iter().map(|(k, v)| ((*k).to_owned(), (*v).to_owned())).collect();
    LoadOptions { env, ..LoadOptions::default() }
}

fn plan(name: &str, options: &LoadOptions) -> Plan {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("examples").join(name);
    let scenario = load(&path, options).unwrap_or_else(|problems| panic!("{problems}"));
    scenario.plan().unwrap_or_else(|problems| panic!("{problems}"))
}

#[test]
fn the_minimal_scenario_becomes_one_open_load() {
    let plan = plan("minimal.brunt.yaml", &options(&[]));
    assert_eq!(plan.name, "minimal");
    assert_eq!(plan.load.len(), 1);
    assert_eq!(plan.load[0].model, Model::OpenConstant);
    assert_eq!(plan.journeys[plan.load[0].mix[0].journey].name, "main");
    assert_eq!(plan.gates.len(), 2);
    assert_eq!(plan.not_built, []);
}

#[test]
fn the_demo_shop_becomes_a_whole_plan() {
    let plan = plan("shop.brunt.yaml", &options(&[]));
    assert_eq!(plan.seed, 7);
    let order: Vec<&str> = plan.services.iter().map(|service| service.name.as_str()).collect();
    assert_eq!(order, ["payments", "orders", "gateway"], "a service comes after those whose addresses it needs");
    assert_eq!(plan.timeline.len(), 5);
    assert!(matches!(&plan.timeline[1], Item::Fault(fault) if fault.kind == "network.latency"));
    assert!(
        matches!(plan.gates[1].limit, Limit::MaxOfBaseline { factor, floor: Some(floor) } if factor == 3.0 && floor == 150.0)
    );
    assert_eq!(plan.not_built, []);
}

#[test]
fn the_checkout_example_says_what_is_not_built_and_where() {
    let plan = plan(
        "checkout.brunt.yaml",
        &options(&[
            ("TOKEN_URL", "http://localhost:9000/token"),
            ("CLIENT_SECRET", "hunter2"),
            ("PROM_URL", "http://localhost:9090"),
        ]),
    );
    let said: Vec<String> = plan
        .not_built
        .iter()
        .map(|missing| {
            let place = missing.place.rsplit('/').next().expect("a file name");
            format!("{} {place} {}", missing.exit_code, missing.what)
        })
        .collect();
    insta::assert_snapshot!("checkout_not_built", said.join("\n"));
    insta::assert_snapshot!("checkout_resolved", plan.resolved_yaml);
    assert!(!format!("{plan:?}").contains("hunter2"));
}

#[test]
fn the_example_refuses_to_run_without_its_environment() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("examples/checkout.brunt.yaml");
    let problems = load(&path, &LoadOptions::default()).expect_err("TOKEN_URL is not set");
    let told: Vec<String> =
        problems.iter().map(|problem| format!("{} {}", problem.code.id(), problem.message)).collect();
    assert_eq!(
        told,
        [
            "E041 environment variable `TOKEN_URL` is not set",
            "E042 environment variable `CLIENT_SECRET` holds no secret",
            "E041 environment variable `PROM_URL` is not set",
        ]
    );
}

#[test]
fn each_valid_fixture_has_its_plan() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures/valid");
    let entries = std::fs::read_dir(&folder).expect("the fixtures are there");
    let mut files: Vec<_> = entries.map(|entry| entry.expect("readable").path()).collect();
    files.retain(|file| file.extension().is_some_and(|extension| extension == "yaml"));
    files.sort();
    for file in files {
        let name = file.file_stem().and_then(|stem| stem.to_str()).expect("a name").to_owned();
        let scenario = load(&file, &LoadOptions::default()).unwrap_or_else(|problems| panic!("{problems}"));
        let plan = scenario.plan().unwrap_or_else(|problems| panic!("{problems}"));
        let shown = format!(
            "{:#?}\n{:#?}\n{:#?}\n{:#?}\n{:#?}",
            plan.load, plan.journeys, plan.timeline, plan.gates, plan.not_built
        );
        let guarded = if plan.guardrails.is_empty() { String::new() } else { format!("\n{:#?}", plan.guardrails) };
        let shown = shown + &guarded;
        let shown = shown.replace(&format!("{}/", folder.display()), "");
        insta::with_settings!({ prepend_module_to_snapshot => false, omit_expression => true, snapshot_path => "../fixtures/valid/plans" }, {
            insta::assert_snapshot!(name, shown);
        });
    }
}

#[test]
fn a_table_is_part_of_the_scenario_and_of_its_digest() {
    let folder = tempfile::tempdir().expect("a folder");
    let (scenario, table) = (folder.path().join("a.brunt.yaml"), folder.path().join("tables/recorded.csv"));
    std::fs::create_dir(folder.path().join("tables")).expect("a folder");
    let text = std::fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures/valid/streams.yaml"));
    let text = text.expect("the fixture").replace("./recorded.csv", "tables/recorded.csv");
    std::fs::write(&scenario, text).expect("written");
    let with_table = |rows: &str| {
        std::fs::write(&table, rows).expect("written");
        let plan = load(&scenario, &LoadOptions::default()).unwrap_or_else(|problems| panic!("{problems}")).plan();
        plan.unwrap_or_else(|problems| panic!("{problems}"))
    };
    let (first, other) = (with_table("7ms\n12ms\n"), with_table("7ms\n13ms\n"));
    assert!(first.resolved_yaml.contains("12ms"), "{}", first.resolved_yaml);
    assert_ne!(first.scenario_sha256, other.scenario_sha256, "another table is another scenario");
    let too_long = "1ms\n".repeat(10_001);
    std::fs::write(&table, too_long).expect("written");
    let told = load(&scenario, &LoadOptions::default()).expect_err("too long").to_string();
    assert!(told.contains("E003") && told.contains("10001 durations, and may hold 10000"), "{told}");
    std::fs::write(&table, b"1ms\n\xff\n").expect("written");
    let told = load(&scenario, &LoadOptions::default()).expect_err("no text").to_string();
    assert!(told.contains("E002") && told.contains("recorded.csv:2:1"), "{told}");
}
