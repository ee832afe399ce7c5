//! One scenario, several cells: what each holds, in which order, and how problems of single cells are told.

use brunt_scenario::plan::{Item, Plan};
use brunt_scenario::{LoadOptions, load, load_text};

const TEXT: &str = r#"version: 1
vars: { unit: ms }
targets: { api: { url: "http://localhost:8080" }, wire: { link: wire } }
links: { wire: { to: "127.0.0.1:1" } }
matrix:
  added_latency: ["100${vars.unit}", 400ms]
  rate: [50/s, 90/s, 120/s]
load: { main: { target: api, get: /, rate: "${matrix.rate}", for: timeline } }
timeline:
  - { id: slow, fault: network.latency, target: wire, for: 2s, with: { latency: "${matrix.added_latency}" } }
gates: [ { id: held, metric: latency.p99, max: 1s } ]
"#;

fn plans(text: &str, options: &LoadOptions) -> Vec<Plan> {
    let scenario = load_text("shop.brunt.yaml", text, options).unwrap_or_else(|problems| panic!("{problems}"));
    scenario.plans().unwrap_or_else(|problems| panic!("{problems}"))
}

fn latency(plan: &Plan) -> u128 {
    let Item::Fault(fault) = &plan.timeline[0] else { panic!("a fault") };
    fault.with.duration("latency").expect("given").as_millis()
}

#[test]
fn the_cells_are_the_product_in_the_order_as_written_and_each_is_filled_in_for_itself() {
    let plans = plans(TEXT, &LoadOptions { random_seed: 77, ..LoadOptions::default() });
    let cells: Vec<String> = plans.iter().map(|plan| plan.cell.to_string()).collect();
    assert_eq!(
        cells,
        [
            "added_latency=100ms,rate=50/s",
            "added_latency=100ms,rate=90/s",
            "added_latency=100ms,rate=120/s",
            "added_latency=400ms,rate=50/s",
            "added_latency=400ms,rate=90/s",
            "added_latency=400ms,rate=120/s",
        ]
    );
    assert_eq!(plans.iter().map(latency).collect::<Vec<_>>(), [100, 100, 100, 400, 400, 400]);
    assert_eq!(
        plans.iter().map(|plan| plan.load[0].stages[0].to).collect::<Vec<_>>(),
        [50.0, 90.0, 120.0, 50.0, 90.0, 120.0]
    );
    assert!(plans.iter().all(|plan| plan.seed == 77 && plan.gates[0].id == "held" && plan.not_built.is_empty()));
    assert_eq!(plans[5].title(), "shop · added_latency=400ms,rate=120/s");
    assert_eq!(plans[5].labels["matrix.rate"], "120/s");
}

#[test]
fn the_resolved_scenario_of_a_cell_is_that_cell_alone_and_has_a_digest_of_its_own() {
    let cells = plans(TEXT, &LoadOptions::default());
    let last = &cells[5];
    assert!(last.resolved_yaml.contains("400ms") && !last.resolved_yaml.contains("100ms"), "{}", last.resolved_yaml);
    let again = plans(&last.resolved_yaml, &LoadOptions::default());
    assert_eq!(again.len(), 1);
    assert_eq!((again[0].cell.to_string(), latency(&again[0])), (last.cell.to_string(), 400));
    let mut digests: Vec<&str> = cells.iter().map(|cell| cell.scenario_sha256.as_str()).collect();
    digests.sort_unstable();
    digests.dedup();
    assert_eq!(digests.len(), 6);
}

#[test]
fn a_scenario_without_a_matrix_is_one_cell_without_a_name() {
    let text = TEXT.replace("${matrix.rate}", "50/s").replace("${matrix.added_latency}", "1s");
    let (before, after) = (text.find("matrix:").unwrap(), text.find("load:").unwrap());
    let plans = plans(&(text[..before].to_owned() + &text[after..]), &LoadOptions::default());
    assert_eq!(plans.len(), 1);
    assert!(plans[0].cell.is_empty());
    assert_eq!(plans[0].title(), "shop");
}

#[test]
fn a_set_narrows_an_axis_to_one_value_or_changes_one_of_them() {
    let set = |path: &str, value: &str| LoadOptions {
        sets: vec![(path.to_owned(), value.to_owned())],
        ..LoadOptions::default()
    };
    let narrow = plans(TEXT, &set("matrix.added_latency", "250ms"));
    assert_eq!(narrow.iter().map(latency).collect::<Vec<_>>(), [250, 250, 250]);
    let changed = plans(TEXT, &set("matrix.added_latency.1", "300ms"));
    assert_eq!(changed.iter().map(latency).collect::<Vec<_>>(), [100, 100, 100, 300, 300, 300]);
}

#[test]
fn a_merge_file_replaces_an_axis_adds_one_and_a_mistake_in_it_is_told_at_its_own_place() {
    let folder = tempfile::tempdir().unwrap();
    let (base, over) = (folder.path().join("shop.brunt.yaml"), folder.path().join("ci.yaml"));
    std::fs::write(&base, TEXT).unwrap();
    let options = LoadOptions { merges: vec![over.clone()], ..LoadOptions::default() };
    std::fs::write(&over, "matrix: { rate: [5/s], round: [a, b] }\n").unwrap();
    let cells = load(&base, &options).unwrap_or_else(|problems| panic!("{problems}")).plans().unwrap();
    let names: Vec<String> = cells.iter().map(|plan| plan.cell.to_string()).collect();
    assert_eq!(
        names,
        [
            "added_latency=100ms,rate=5/s,round=a",
            "added_latency=100ms,rate=5/s,round=b",
            "added_latency=400ms,rate=5/s,round=a",
            "added_latency=400ms,rate=5/s,round=b",
        ]
    );
    // Lists are replaced as a whole, so the gate that the file had is gone, and the mistake is the merge file's.
    std::fs::write(&over, "gates:\n  - { metric: latency.p99, max: 1 }\n").unwrap();
    let problems = load(&base, &options).unwrap_err();
    let told: Vec<String> = problems.iter().map(|problem| problems.place(problem)).collect();
    assert_eq!(told, [format!("{}:2:33", over.display())]);
}

#[test]
fn a_problem_of_all_cells_is_told_once_and_one_of_some_says_of_which() {
    let text = TEXT.replace("120/s", "120").replace("max: 1s", "max: 1").replace("400ms", "4x");
    let problems = load_text("shop.brunt.yaml", &text, &LoadOptions::default()).unwrap_err();
    let helps: Vec<&str> = problems.iter().map(|problem| problem.help.as_str()).collect();
    assert_eq!(problems.len(), 3, "{problems}");
    assert!(helps[0].ends_with("(in the cell added_latency=100ms,rate=120 and 1 more)"), "{problems}");
    assert!(helps[1].ends_with("(in the cell added_latency=4x,rate=50/s and 2 more)"), "{problems}");
    assert!(!helps[2].contains("cell"), "{problems}");
}

#[test]
fn a_secret_is_no_value_of_a_matrix_for_it_would_name_a_folder() {
    let mut options = LoadOptions::default();
    options.env.insert("TOKEN".to_owned(), "hunter2".to_owned());
    let problems =
        load_text("shop.brunt.yaml", &TEXT.replace("400ms", "\"${secret.env.TOKEN}\""), &options).unwrap_err();
    let text = problems.to_string();
    assert!(text.contains("`***` cannot be a value of the matrix") && !text.contains("hunter2"), "{text}");
}
