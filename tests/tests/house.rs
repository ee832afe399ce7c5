//! Rules of the house that no compiler holds: which crate may know which, and what may come in from outside.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::Value;

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..")
}

fn packages() -> Vec<Value> {
    let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let mut command = Command::new(cargo);
    let output = command.args(["metadata", "--format-version", "1", "--locked"]).current_dir(root()).output();
    let output = output.expect("cargo runs");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let metadata: Value = serde_json::from_slice(&output.stdout).expect("cargo prints JSON");
    metadata["packages"].as_array().expect("packages").clone()
}

fn name(of: &Value) -> &str {
    of["name"].as_str().expect("everything here has a name")
}

/// Which crates of the workspace each one of them uses, in its tests too.
fn uses_inside(packages: &[Value]) -> BTreeMap<&str, BTreeSet<&str>> {
    let ours: Vec<&Value> = packages.iter().filter(|package| package["source"].is_null()).collect();
    let names: BTreeSet<&str> = ours.iter().map(|package| name(package)).collect();
    let pairs = ours.iter().map(|package| {
        let used = package["dependencies"].as_array().expect("dependencies").iter().map(name);
        (name(package), used.filter(|used| names.contains(used)).collect())
    });
    pairs.collect()
}

#[test]
fn dependencies_point_one_way() {
    let packages = packages();
    let uses = uses_inside(&packages);
    let expected = BTreeMap::from([
        ("brunt-scenario", BTreeSet::new()),
        ("brunt-kubernetes", BTreeSet::from(["brunt-scenario"])),
        // The virtual machine is of its tests only.
        ("brunt-injector", BTreeSet::from(["brunt-kubernetes", "brunt-scenario", "brunt-virtual-machine"])),
        ("brunt-virtual-machine", BTreeSet::new()),
        ("brunt-report", BTreeSet::from(["brunt-scenario"])),
        ("brunt", BTreeSet::from(["brunt-injector", "brunt-kubernetes", "brunt-report", "brunt-scenario"])),
        ("brunt-tests", BTreeSet::from(["brunt-injector", "brunt-report", "brunt-virtual-machine"])),
    ]);
    assert_eq!(uses, expected);
}

#[test]
fn only_the_runner_knows_the_command_line() {
    for package in packages().iter().filter(|package| package["source"].is_null() && name(package) != "brunt") {
        let uses = package["dependencies"].as_array().expect("dependencies");
        let found: Vec<&str> = uses.iter().map(name).filter(|name| ["clap", "anyhow"].contains(name)).collect();
        assert!(found.is_empty(), "{} uses {found:?}", name(package));
    }
}

/// The quoted words of a list in deny.toml, which is written by hand with one entry a line.
fn listed(text: &str, after: &str) -> BTreeSet<String> {
    let list = text.split_once(after).unwrap_or_else(|| panic!("deny.toml has no {after}")).1;
    let list = list.split_once("\n]").expect("the list ends").0;
    let entries = list.lines().filter(|line| !line.trim_start().starts_with('#'));
    entries.filter_map(|line| Some(line.split('"').nth(1)?.to_owned())).collect()
}

#[test]
fn every_dependency_has_a_licence_that_asks_for_no_more_than_a_notice() {
    let text = std::fs::read_to_string(root().join("deny.toml")).expect("deny.toml");
    let allowed = listed(&text, "[licenses]");
    assert!(allowed.contains("MIT"), "{allowed:?}");
    for package in &packages() {
        let licence = package["license"].as_str().unwrap_or("none given");
        assert!(permits(licence, &allowed), "{} is under {licence}", name(package));
    }
}

#[test]
fn what_is_banned_has_not_come_in_through_a_dependency() {
    let text = std::fs::read_to_string(root().join("deny.toml")).expect("deny.toml");
    let banned = listed(&text, "deny = [\n");
    assert!(banned.contains("serde_yaml"), "{banned:?}");
    let packages = packages();
    let found: Vec<&str> = packages.iter().map(name).filter(|name| banned.contains(*name)).collect();
    assert!(found.is_empty(), "{found:?}");
}

/// Whether an SPDX expression can be satisfied with the allowed licences alone. `/` is an old way to write `OR`.
fn permits(expression: &str, allowed: &BTreeSet<String>) -> bool {
    let expression = expression.replace('/', " OR ");
    let mut depth = 0;
    let mut flat = String::new();
    let mut inner = String::new();
    for letter in expression.chars() {
        match letter {
            '(' => depth += 1,
            ')' => {
                depth -= 1;
                flat.push_str(if permits(&inner, allowed) { "yes" } else { "no" });
                inner.clear();
            }
            _ if depth > 0 => inner.push(letter),
            _ => flat.push(letter),
        }
    }
    let holds = |licence: &str| licence.trim() == "yes" || allowed.contains(licence.trim());
    flat.split(" OR ").any(|choice| choice.split(" AND ").all(holds))
}

#[test]
fn a_licence_expression_is_read_with_its_words() {
    let allowed = BTreeSet::from(["MIT".to_owned(), "Apache-2.0".to_owned()]);
    for good in ["MIT", "MIT OR GPL-3.0", "AGPL-3.0/Apache-2.0", "(MIT OR GPL-2.0) AND Apache-2.0"] {
        assert!(permits(good, &allowed), "{good}");
    }
    for bad in ["AGPL-3.0", "MIT AND GPL-3.0", "(GPL-3.0 OR AGPL-3.0) AND MIT", "none given"] {
        assert!(!permits(bad, &allowed), "{bad}");
    }
}
