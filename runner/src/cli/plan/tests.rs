//! The plan of the demo's scenario, as people read it.

use super::describe;
use crate::cli::scenario::{self, Overrides};
use crate::demo::SCENARIO;

#[test]
fn the_plan_of_the_shop_says_what_when_to_whom_and_how_it_is_undone() {
    let plan = scenario::plan_of_text("shop.brunt.yaml", SCENARIO, &[], &Overrides::default(), &[]);
    insta::assert_snapshot!(describe(&plan.expect("the demo's scenario is valid")));
}
