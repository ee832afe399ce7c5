//! What becomes of a container, and when a pod counts as having it.

use brunt_kubernetes::{Identity, Kind};

use super::*;

fn field(name: &str) -> Field {
    let cluster = Identity { context: None, files: Vec::new(), uid: "c".into() };
    let deployment = Object::new(Kind::Deployment, Some("shop".into()), "pay".into(), "u".into(), cluster);
    Field { deployment, container: "web".into(), name: name.into() }
}

fn limits(memory: &str) -> What {
    What::Limits([("memory".to_owned(), memory.to_owned())].into())
}

#[test]
fn variables_get_their_values_and_others_stay() {
    let was =
        json!([{ "name": "A", "value": "1" }, { "name": "B", "valueFrom": { "fieldRef": { "fieldPath": "x" } } }]);
    let what = What::Environment(vec![("A".into(), "2".into()), ("C".into(), "3".into())]);
    let is = what.made_of(&was);
    assert_eq!(is, json!([was[1], { "name": "A", "value": "2" }, { "name": "C", "value": "3" }]));
    assert_eq!(
        What::Environment(vec![("A".into(), "2".into())]).made_of(&Value::Null).as_array().map(Vec::len),
        Some(1)
    );
}

#[test]
fn limits_that_are_not_named_stay_and_what_is_asked_for_goes_down_with_them() {
    let was = json!({ "limits": { "cpu": "1", "memory": "1Gi" }, "requests": { "cpu": "1", "memory": "512Mi" } });
    let is = limits("64Mi").made_of(&was);
    assert_eq!((&is["limits"]["memory"], &is["limits"]["cpu"]), (&json!("64Mi"), &json!("1")));
    assert_eq!(is["requests"], was["requests"]);
    let lower = limits("64Mi").made_of_with_requests(&was).unwrap();
    assert_eq!(lower["requests"], json!({ "cpu": "1", "memory": "64Mi" }));
    assert_eq!(limits("64Mi").made_of_with_requests(&json!({})), None, "nothing is asked for");
}

#[test]
fn one_container_needs_no_name_and_of_several_one_is_named() {
    let found = |names: &[&str]| {
        let containers: Vec<Value> = names.iter().map(|name| json!({ "name": name })).collect();
        json!({ "template": { "spec": { "containers": containers } } })
    };
    let wanted = |name: Option<&str>| Wanted { container: name.map(str::to_owned), what: What::Image("x".into()) };
    assert_eq!(container(&found(&["web"]), &wanted(None), "it"), Ok("web".into()));
    assert_eq!(container(&found(&["web", "log"]), &wanted(Some("log")), "it"), Ok("log".into()));
    assert!(container(&found(&["web", "log"]), &wanted(None), "it").unwrap_err().contains("web, log"));
    assert!(container(&found(&["web"]), &wanted(Some("x")), "it").unwrap_err().contains("no container `x`"));
}

fn pod(image: &str, taken: bool, ready: bool) -> Made {
    Made { container: Some(json!({ "name": "web", "image": image })), taken, ready }
}

#[test]
fn a_template_is_no_effect_before_a_kubelet_has_acted_on_it() {
    let judged = |pods: &[Made]| judge(pods, &field("image"), &json!("web:2"), &What::Image("web:2".into()));
    let old = pod("web:1", true, true);
    assert!(matches!(judged(std::slice::from_ref(&old)), Seen::Absent(why) if why.starts_with("0 of 1 pods")));
    assert!(
        matches!(judged(&[old.clone(), pod("web:2", false, false)]), Seen::Absent(why) if why.starts_with("1 of 2 pods"))
    );
    // A version that cannot be had is rolled out, too.
    let bad = judged(&[old, pod("web:2", true, false)]);
    assert!(matches!(bad, Seen::Yes(said) if said.contains("1 of 2 pods") && said.contains("0 of them ready")));
    assert!(matches!(judged(&[pod("web:2", true, true)]), Seen::Yes(said) if said.contains("1 of them ready")));
    assert!(matches!(judged(&[]), Seen::Absent(why) if why.starts_with("0 of 0 pods")));
}
