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
    assert_eq!(plan.journeys[plan.load[0].journey].name, "main");
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
