//! Files of the repository that brunt itself makes are what this version makes: man pages, completions, CI jobs.
//!
//! `BRUNT_UPDATE=1 cargo test -p brunt --test generated_files` writes them anew; read the difference before committing it.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use brunt_injector::catalogue::{self, API, Entry};
use brunt_scenario::catalogue::TargetKind;

fn docs() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs")
}

fn said_by_brunt(arguments: &[&str]) -> String {
    let output = Command::new(env!("CARGO_BIN_EXE_brunt")).args(arguments).output().expect("it starts");
    assert!(output.status.success(), "{arguments:?}: {}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).expect("brunt writes UTF-8")
}

fn files_in(folder: &Path) -> BTreeMap<String, String> {
    let Ok(entries) = fs::read_dir(folder) else { return BTreeMap::new() };
    let read = |entry: fs::DirEntry| {
        let text = fs::read_to_string(entry.path()).expect("a text");
        (entry.file_name().to_string_lossy().into_owned(), text)
    };
    entries.map(|entry| read(entry.expect("a folder can be listed"))).collect()
}

/// Compares a folder with what it should hold, no file more and none less; or makes it so.
fn compare(folder: &Path, expected: &BTreeMap<String, String>) {
    if std::env::var_os("BRUNT_UPDATE").is_some() {
        for name in files_in(folder).keys().filter(|name| !expected.contains_key(*name)) {
            fs::remove_file(folder.join(name)).expect("it is ours");
        }
        fs::create_dir_all(folder).expect("it is ours");
        expected.iter().for_each(|(name, text)| fs::write(folder.join(name), text).expect("it is ours"));
    }
    let found = files_in(folder);
    let names = |files: &BTreeMap<String, String>| files.keys().cloned().collect::<Vec<_>>();
    let how = "BRUNT_UPDATE=1 cargo test -p brunt --test generated_files";
    assert_eq!(names(&found), names(expected), "{}: {how}", folder.display());
    for (name, text) in expected {
        assert!(found[name] == *text, "{} is out of date: {how}", folder.join(name).display());
    }
}

#[test]
fn the_man_pages_are_those_of_this_version() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    said_by_brunt(&["man", "--out", folder.path().to_str().expect("a plain path")]);
    let pages = files_in(folder.path());
    assert!(pages.len() >= 10 && pages.contains_key("brunt-run.1"), "{:?}", pages.keys());
    for section in ["NAME", "SYNOPSIS", "DESCRIPTION", "OPTIONS", "EXAMPLES", "EXIT STATUS", "SEE ALSO"] {
        for (name, text) in &pages {
            let heading = text.contains(&format!(".SH \"{section}\"\n")) || text.contains(&format!(".SH {section}\n"));
            assert!(heading, "{name} has no {section}:\n{text}");
        }
    }
    compare(&docs().join("man"), &pages);
}

#[test]
fn the_role_that_is_deployed_is_the_least_one_of_its_scenario() {
    let folder = docs().join("../deploy/kustomize");
    let scenario = folder.join("nightly.brunt.yaml");
    let role = said_by_brunt(&["kube", "rbac", scenario.to_str().expect("a plain path")]);
    let file = folder.join("role.yaml");
    if std::env::var_os("BRUNT_UPDATE").is_some() {
        fs::write(&file, &role).expect("it is ours");
    }
    assert_eq!(fs::read_to_string(&file).expect("it is there"), role, "out of date: see the module");
}

/// Every way in which a fault acts on a Kubernetes target, in the order of the catalogue.
fn on_pods() -> Vec<Entry> {
    let on = TargetKind::Kubernetes;
    let fits = |entry: &&Entry| entry.on.contains(&on);
    let kinds = brunt_scenario::catalogue::ALL.iter();
    kinds.flat_map(|kind| catalogue::of(kind.name)).filter(fits).map(|entry| entry.on_target(on)).collect()
}

/// A row a fault, and the cells that follow its name.
fn table<const N: usize>(heads: [&str; N], entries: &[&Entry], cells: fn(&Entry) -> [&'static str; N]) -> String {
    let row = |first: &str, others: [&str; N]| format!("| {first} | {} |\n", others.join(" | "));
    let rows = entries.iter().map(|entry| row(&format!("`{}`", entry.kind), cells(entry)));
    row("fault", heads) + &row("---", ["---"; N]) + &rows.collect::<String>()
}

/// What faults with the same rights and the same undo have in common, a line each.
fn in_common(entries: &[&Entry]) -> String {
    let mut groups: Vec<(&Entry, Vec<String>)> = Vec::new();
    for entry in entries {
        let name = format!("`{}`", entry.kind);
        let same = |(other, _): &&mut (&Entry, Vec<String>)| {
            (other.privilege, other.undone) == (entry.privilege, entry.undone)
        };
        match groups.iter_mut().find(same) {
            Some((_, names)) if names.contains(&name) => {}
            Some((_, names)) => names.push(name),
            None => groups.push((entry, vec![name])),
        }
    }
    let line = |(entry, names): &(&Entry, Vec<String>)| {
        format!("* {}: rights: {}. Undone: {}.\n", names.join(", "), entry.privilege, entry.undone)
    };
    groups.iter().map(line).collect()
}

#[test]
fn the_page_about_kubernetes_has_every_fault_as_the_catalogue_tells_it() {
    let all = on_pods();
    let (api, inside): (Vec<&Entry>, Vec<&Entry>) = all.iter().partition(|entry| entry.rung == API);
    let told = ["what is felt", "rights", "seen by", "undone"];
    let api = table(told, &api, |entry| [entry.feels, entry.privilege, entry.verified, entry.undone]);
    let told = ["what is felt", "seen by"];
    let inside = table(told, &inside, |entry| [entry.feels, entry.verified]) + "\n" + &in_common(&inside);
    let file = docs().join("kubernetes.md");
    let mut page = fs::read_to_string(&file).expect("the page");
    for (what, text) in [("faults through the API", api), ("faults inside of pods", inside)] {
        let (begin, end) = (format!("<!-- {what}: written by generated_files -->\n"), "<!-- end -->");
        let from = page.find(&begin).expect("the page has the place for it") + begin.len();
        let to = from + page[from..].find(end).expect("it ends");
        page.replace_range(from..to, &format!("\n{text}\n"));
    }
    if std::env::var_os("BRUNT_UPDATE").is_some() {
        fs::write(&file, &page).expect("it is ours");
    }
    assert!(
        fs::read_to_string(&file).expect("it is there") == page,
        "docs/kubernetes.md is out of date: see the module"
    );
}

#[test]
fn the_schemas_are_those_of_this_version() {
    let schemas = [("brunt.schema.json", "scenario"), ("results.schema.json", "results")];
    let schemas = schemas.map(|(file, what)| (file.to_owned(), said_by_brunt(&["schema", what])));
    compare(&docs().join("schema"), &schemas.into());
}

#[test]
fn the_jobs_of_the_page_about_ci_are_those_that_init_writes() {
    let page = fs::read_to_string(docs().join("use-in-ci.md")).expect("the page");
    for (language, file) in [("yaml", "github.yml"), ("yaml", "gitlab.yml"), ("groovy", "Jenkinsfile")] {
        let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("templates/ci").join(file);
        let job = fs::read_to_string(&path).expect("a template");
        assert!(
            page.contains(&format!("```{language}\n{job}```\n")),
            "{} and docs/use-in-ci.md differ",
            path.display()
        );
    }
}

#[test]
fn the_completions_are_those_of_this_version() {
    let files = [("bash", "brunt.bash"), ("zsh", "_brunt"), ("fish", "brunt.fish"), ("powershell", "brunt.ps1")];
    let scripts = files.map(|(shell, file)| (file.to_owned(), said_by_brunt(&["completions", shell])));
    compare(&docs().join("completions"), &scripts.into());
}
