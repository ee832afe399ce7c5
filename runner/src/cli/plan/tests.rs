//! The plan of the demo's scenario, as people read it.

use super::look::Look;
use super::{describe, forbidden};
use crate::cli::scenario::{self, Overrides};
use crate::demo::SCENARIO;

#[test]
fn the_plan_of_the_shop_says_what_when_to_whom_and_how_it_is_undone() {
    let plan = scenario::plan_of_text("shop.brunt.yaml", SCENARIO, &[], &Overrides::default(), &[]);
    insta::assert_snapshot!(describe(
        &Look::at(&plan.expect("the demo's scenario is valid"), "brunt:test"),
        "brunt:test"
    ));
}

#[test]
fn the_plan_of_isolated_services_says_what_is_made_on_this_host() {
    let text = "
version: 1
seed: 7
services:
  orders: { run: [ orders, \"${address}:${port}\" ], isolate: true, instances: 3, port: 80 }
  gateway: { run: [ gateway, \"${services.orders.urls}\" ] }
targets: { shop: { service: gateway } }
load: { main: { get: /, rate: 1/s, for: 5s } }
";
    let plan = scenario::plan_of_text("isolated.brunt.yaml", text, &[], &Overrides::default(), &[]);
    insta::assert_snapshot!(describe(&Look::at(&plan.expect("the scenario is valid"), "brunt:test"), "brunt:test"));
}

#[test]
fn the_plan_of_a_mixed_load_says_who_does_what_with_which_rows_and_connections() {
    let text = "
version: 1
seed: 7
links: { database: { to: \"localhost:5432\", listen: \"127.0.0.1:15432\" } }
targets: { site: { url: \"http://127.0.0.1:1\" } }
feeders:
  users: { values: [ann, bob], strategy: unique }
  skus: { values: [A1, B2, C3], weights: [8, 1, 1] }
journeys:
  browse: { feed: skus, steps: [ { get: \"/{{ skus.value }}\" } ] }
  order: { feed: skus, steps: [ { get: / }, { post: /orders }, { get: \"/{{ skus.value }}\" } ] }
  join: { feed: users, steps: [ { post: \"/{{ users.value }}\" } ] }
load:
  shoppers: { mix: { browse: 90%, order: 10% }, rate: 100/s, for: 1m, max_in_flight: 500, max_per_host: 20, reuse: 100 }
  members: { journey: join, rate: 1/s, for: 1m, reuse: never }
  few: { journey: browse, users: 3, for: 1m, max_age: 30s }
slos: { works: { metric: success_rate, min: 99%, over: 2s } }
steady_state: { all_of: [works] }
";
    let plan = scenario::plan_of_text("mixed.brunt.yaml", text, &[], &Overrides::default(), &[]);
    insta::assert_snapshot!(describe(&Look::at(&plan.expect("the scenario is valid"), "brunt:test"), "brunt:test"));
}

#[test]
fn a_plan_says_where_a_fault_may_not_act() {
    let text = "
version: 1
links: { wire: { to: \"192.0.2.7:80\" } }
targets: { site: { url: \"http://127.0.0.1:1\" }, wire: { link: wire } }
load: { main: { target: site, get: /, rate: 1/s, for: timeline } }
timeline: [ { fault: tcp.reset, target: wire, for: 1s } ]
";
    let code = |allowed: &[&str]| {
        let allowed: Vec<String> = allowed.iter().map(|host| (*host).to_owned()).collect();
        let plan = scenario::plan_of_text("there.brunt.yaml", text, &[], &Overrides::default(), &allowed);
        forbidden(&[plan.expect("the scenario is valid")]).expect("somebody reads")
    };
    assert_eq!(code(&[]), Some(3));
    assert_eq!(code(&["192.0.2.*"]), None);
}
