use brunt_scenario::{LoadOptions, load_text};

use super::*;

const ISOLATED: &str = "
version: 1
services: { web: { run: [ web, \"${address}\" ], isolate: true } }
load: { main: { get: /, rate: 1/s, for: 5s, target: web } }
";

fn plan(more: &str) -> Plan {
    let scenario = load_text("a.brunt.yaml", &format!("{ISOLATED}{more}"), &LoadOptions::default());
    let scenario = scenario.unwrap_or_else(|problems| panic!("{}", problems.render(false)));
    scenario.plans().unwrap_or_else(|problems| panic!("{}", problems.render(false))).swap_remove(0)
}

#[test]
fn what_needs_the_network_of_this_host_is_found_before_it_is_out_of_reach() {
    let inside = plan(
        "targets: { web: { service: web }, wire: { url: \"${links.wire.url}\" } }\nlinks: { wire: { to: web } }\n",
    );
    assert!(is_wanted(&inside));
    assert_eq!(outside(&inside), [""; 0]);
    let reaching_out = plan(
        "targets: { web: { service: web }, api: { url: \"http://10.0.0.1\" } }\nlinks: { db: { to: \"10.0.0.2:5432\" } }\n",
    );
    let needs = outside(&reaching_out);
    assert_eq!(needs, ["target `api` (http://10.0.0.1)", "link `db` (10.0.0.2:5432)"]);
    let told = Impossible::Outside(needs).to_string();
    assert!(told.contains("for target `api` (http://10.0.0.1), link `db` (10.0.0.2:5432): run it as root"), "{told}");
}

#[test]
fn a_run_without_isolated_services_goes_nowhere() {
    let mut other = plan("targets: { web: { service: web } }\n");
    other.services[0].isolated = false;
    assert_eq!(enter(&[other]), Ok(None));
}
