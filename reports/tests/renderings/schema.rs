//! The schema of results.json takes every made run, and notices what is not one.

use boon::{Compiler, Schemas};
use brunt_report::results;
use serde_json::{Value, json};

use crate::sample;

#[test]
fn the_schema_of_results_takes_every_run_and_refuses_what_is_none() {
    let (mut schemas, mut compiler) = (Schemas::new(), Compiler::new());
    compiler.add_resource("file:///results.schema.json", results::schema()).expect("a schema");
    let index = compiler.compile("file:///results.schema.json", &mut schemas).expect("a schema of draft-07");
    let refused = |document: &Value| schemas.validate(document, index).err().map(|error| format!("{error:#}"));
    for (name, run) in sample::all() {
        let document = serde_json::to_value(&run).expect("results are JSON");
        assert_eq!(refused(&document), None, "{name}");
        for (place, wrong) in [
            ("/summary/verdict", json!("maybe")),
            ("/summary/windows", json!([])),
            ("/summary/duration_s", json!("3s")),
            ("/summary/health/valid", json!("yes")),
            ("/events", Value::Null),
        ] {
            let mut changed = document.clone();
            *changed.pointer_mut(place).unwrap_or_else(|| panic!("{name} has no {place}")) = wrong;
            assert!(refused(&changed).is_some(), "{name}: {place}");
        }
        let mut without = document.clone();
        without.as_object_mut().expect("a mapping").remove("summary");
        assert!(refused(&without).is_some(), "{name} without its summary");
    }
}
