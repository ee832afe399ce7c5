//! What `brunt explain CODE` shows is true: the wrong example gives that code and no other, the right one none.

use std::path::Path;

use brunt_scenario::diagnostic::example::{Example, whole};
use brunt_scenario::metric::Metric;
use brunt_scenario::{Code, Diagnostics, LoadOptions, Severity, catalogue, load, load_text};

/// The codes that an example gives, lints included, in a folder that has what examples name.
fn codes(example: Example) -> (Vec<&'static str>, Option<Diagnostics>) {
    let folder = tempfile::tempdir().expect("a folder");
    let beside = Path::new(env!("CARGO_MANIFEST_DIR")).join("src/diagnostic/code/beside");
    for file in std::fs::read_dir(beside).expect("the files") {
        let file = file.expect("readable").path();
        std::fs::copy(&file, folder.path().join(file.file_name().expect("a name"))).expect("copied");
    }
    let mut options = LoadOptions::default();
    let text = match example {
        Example::Scenario(part) => whole(part),
        Example::Command(line) => {
            let (path, value) =
                line.trim().split_once(" --set ").and_then(|(_, set)| set.split_once('=')).expect("a --set");
            options.sets.push((path.to_owned(), value.to_owned()));
            whole("name: shop\n")
        }
    };
    let path = folder.path().join("shop.brunt.yaml");
    std::fs::write(&path, text).expect("written");
    let told = match load(&path, &options) {
        Err(problems) => problems,
        Ok(scenario) => scenario.lint(),
    };
    (told.iter().map(|problem| problem.code.id()).collect(), Some(told))
}

#[test]
fn the_wrong_example_of_each_code_gives_that_code_alone() {
    for code in Code::ALL {
        let (found, told) = codes(code.wrong());
        assert!(!found.is_empty(), "{}: nothing is wrong with\n{}", code.id(), code.wrong().text());
        assert!(found.iter().all(|found| *found == code.id()), "{}: {}", code.id(), told.expect("told"));
    }
}

#[test]
fn the_right_example_of_each_code_has_no_error_and_not_that_warning() {
    for code in Code::ALL {
        let (found, told) = codes(code.right());
        let told = told.expect("told");
        assert!(told.iter().all(|problem| problem.severity == Severity::Warning), "{}: {told}", code.id());
        assert!(!found.contains(&code.id()), "{}: {told}", code.id());
        assert!(found.is_empty() || code.id().starts_with('E'), "the right example of a lint has none: {told}");
    }
}

#[test]
fn the_example_of_each_metric_and_of_each_fault_is_a_valid_scenario() {
    let valid = |name: &str, text: &str| {
        let told = load_text(name, text, &LoadOptions::default());
        told.unwrap_or_else(|problems| panic!("{name}:\n{text}\n{problems}"));
    };
    for metric in Metric::all() {
        assert!(metric.counts().len() > 20 && metric.scope().len() > 10 && metric.unit_in_words().len() > 5);
        assert!(metric.example().contains(&format!("metric: {metric},")), "{metric}");
        valid(&metric.to_string(), &whole(&metric.example()));
    }
    for kind in catalogue::ALL {
        assert!(kind.params.iter().all(|param| param.about.len() > 8), "{}", kind.name);
        assert!(kind.example().contains(&format!("fault: {}\n", kind.name)), "{}", kind.name);
        valid(kind.name, &kind.example());
    }
}
