//! Broken scenarios: each is answered with a place and a help, none panics, none takes long.

use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use brunt_scenario::{Diagnostics, LoadOptions, Severity, load, load_text};

/// Far more than any of them needs on a busy machine, far less than what grows with the square of the file would take.
const SOON: Duration = Duration::from_secs(10);

fn problems_of(path: &Path) -> Diagnostics {
    let begun = Instant::now();
    let problems = load(path, &LoadOptions::default()).err().unwrap_or_else(|| panic!("{} is valid", path.display()));
    assert!(begun.elapsed() < SOON, "{} took {:?}", path.display(), begun.elapsed());
    assert_told_well(&problems);
    problems
}

fn assert_told_well(problems: &Diagnostics) {
    assert!(problems.iter().any(|problem| problem.severity == Severity::Error));
    for problem in problems.iter() {
        assert!(!problem.help.is_empty(), "no help: {problem:?}");
        assert!(!problem.label.is_empty(), "no label: {problem:?}");
        let text = &problems.sources().get(problem.span.file).text;
        assert!(text.get(problem.span.start..problem.span.end).is_some(), "outside of the text: {problem:?}");
        assert_eq!(problems.place(problem).matches(':').count(), 2, "no place: {}", problems.place(problem));
    }
}

#[test]
fn each_broken_file_is_explained() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures/invalid");
    let files = fixtures();
    assert!(files.len() >= 200, "{} fixtures", files.len());
    for file in files {
        let name = file.file_stem().and_then(|stem| stem.to_str()).expect("a name").to_owned();
        let rendered = problems_of(&file).render(false).replace(&format!("{}/", folder.display()), "");
        insta::with_settings!({ prepend_module_to_snapshot => false, omit_expression => true, snapshot_path => "../fixtures/invalid/told" }, {
            insta::assert_snapshot!(name, rendered);
        });
    }
}

fn fixtures() -> Vec<PathBuf> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures/invalid");
    let entries = std::fs::read_dir(&folder).expect("the fixtures are there");
    let mut files: Vec<_> = entries.map(|entry| entry.expect("readable").path()).collect();
    files.retain(|file| file.extension().is_some_and(|extension| extension == "yaml"));
    files.sort();
    files
}

/// Helps that show nothing to copy, because there is nothing: the way out is to take something away, or lies elsewhere.
const NOTHING_TO_COPY: &[&str] = &[
    // One of two is too much, and either may go.
    "each cell is run once; take one of them away",
    "keep one of them",
    "leave one of them out, or use two faults",
    "remove one of them",
    "rename one of them",
    "shorten an axis, or spread the axes over several scenarios",
    "write a value, or take it away",
    // A part is to be moved or taken away.
    "an alias cannot stand inside the value of its own anchor",
    "break the circle: one of the files must not include the other",
    "give the extracted value another name",
    "leave the query out: the path is compared without it",
    "put it before or after the group",
    // It cannot be done so at all; why not is said.
    "let the command read it itself: brunt's environment is the command's too, and so are files",
    "only services that brunt starts can be started again; leave it to the process's own supervisor",
    "values of the matrix name folders and reports: nothing secret, nothing that is known only later",
    // The parser does not know what was meant.
    "check the indentation, brackets and quotes of this line and of the one above",
    "indent with spaces, not with tabs",
];

#[test]
fn each_of_many_different_mistakes_is_answered_with_what_to_write() {
    let mut different = std::collections::BTreeSet::new();
    let mut poor = std::collections::BTreeSet::new();
    for file in fixtures() {
        for problem in problems_of(&file).iter() {
            different.insert((problem.code, problem.message.clone()));
            assert_ne!(problem.help, problem.message);
            let shows =
                problem.help.contains(['`', '"', '?']) || problem.help.contains(|sign: char| sign.is_ascii_digit());
            if !shows && !NOTHING_TO_COPY.contains(&problem.help.as_str()) {
                poor.insert(problem.help.clone());
            }
        }
    }
    assert!(poor.is_empty(), "these do not show what to write: {poor:#?}");
    assert!(different.len() >= 200, "{} different mistakes", different.len());
}

/// Writes the bytes to a file and reads them as a scenario.
fn problems_of_bytes(bytes: &[u8]) -> Diagnostics {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("broken.brunt.yaml");
    std::fs::write(&path, bytes).expect("written");
    problems_of(&path)
}

fn first_code(problems: &Diagnostics) -> &'static str {
    problems.iter().next().expect("a problem").code.id()
}

#[test]
fn a_missing_file_is_told_with_its_name() {
    let problems = problems_of(Path::new("nowhere.brunt.yaml"));
    assert_eq!(first_code(&problems), "E001");
    assert!(problems.render(false).contains("nowhere.brunt.yaml"));
}

#[test]
fn a_file_of_ten_megabytes_is_refused_unread() {
    assert_eq!(first_code(&problems_of_bytes(&vec![b'a'; 10 << 20])), "E003");
}

#[test]
fn binary_and_foreign_encodings_are_refused_at_the_first_odd_byte() {
    assert_eq!(first_code(&problems_of_bytes(b"version: 1\nname: caf\xe9\n")), "E002");
    assert_eq!(first_code(&problems_of_bytes(b"\x7fELF\x02\x01\x01\x00\x00\x00")), "E002");
    let utf16: Vec<u8> = "version: 1\n".encode_utf16().flat_map(u16::to_le_bytes).collect();
    assert_eq!(first_code(&problems_of_bytes(&utf16)), "E002");
    let nul = problems_of_bytes(b"version: 1\nname: a\0b\n");
    let problem = nul.iter().next().expect("a problem");
    assert_eq!(nul.sources().position(problem.span), (2, 8));
}

#[test]
fn deep_nesting_is_refused() {
    for open in ["[", "{a: ", "- "] {
        let deep = format!("version: 1\nload: {}", if open == "- " { "\n" } else { "" }) + &open.repeat(50_000);
        let problems = problems_of_bytes(deep.as_bytes());
        assert!(matches!(first_code(&problems), "E003" | "E004"), "{}", problems.render(false));
    }
}

#[test]
fn files_that_grow_without_end_are_stopped() {
    let mut laughs = "version: 1\nx-0: &l0 [a, a, a, a, a, a, a, a, a, a]\n".to_owned();
    for level in 1..12 {
        let aliases = vec![format!("*l{}", level - 1); 10].join(", ");
        laughs.push_str(&format!("x-{level}: &l{level} [{aliases}]\n"));
    }
    assert_eq!(first_code(&problems_of_bytes(laughs.as_bytes())), "E003");

    let long = "x".repeat(500_000);
    let many = vec!["*long"; 1000].join(", ");
    assert_eq!(first_code(&problems_of_bytes(format!("x-a: &long {long}\nx-b: [{many}]\n").as_bytes())), "E003");

    let mut doubling = "version: 1\nload: {}\nvars:\n  v0: aaaaaaaaaaaaaaaa\n".to_owned();
    for level in 1..31 {
        let before = level - 1;
        doubling.push_str(&format!("  v{level}: \"${{vars.v{before}}}${{vars.v{before}}}${{vars.v{before}}}\"\n"));
    }
    let problems = problems_of_bytes(doubling.as_bytes());
    assert!(problems.iter().any(|problem| problem.code.id() == "E003"), "{}", problems.render(false));
}

#[test]
fn wide_files_and_long_lines_are_read_in_time() {
    let wide: String = (0..60_000).map(|number| format!("k{number}: 1\n")).collect();
    problems_of_bytes(wide.as_bytes());
    problems_of_bytes(format!("name: \"{}\n", "y".repeat(900_000)).as_bytes());
    problems_of_bytes(format!("{{ version: 1, {} }}", "abcdefghij, ".repeat(20_000)).as_bytes());
    problems_of_bytes("- &a\n".repeat(100_000).as_bytes());
}

#[test]
fn an_include_loop_over_two_files_is_found() {
    let folder = tempfile::tempdir().expect("a folder");
    std::fs::write(folder.path().join("a.yaml"), "version: 1\nload: !include b.yaml\n").expect("written");
    std::fs::write(folder.path().join("b.yaml"), "main: !include ./a.yaml\n").expect("written");
    let problems = problems_of(&folder.path().join("a.yaml"));
    assert_eq!(first_code(&problems), "E006");
    assert!(problems.render(false).contains("b.yaml:1:"), "{}", problems.render(false));
}

#[test]
fn a_secret_is_never_shown() {
    let mut options = LoadOptions::default();
    options.env.insert("TOKEN".to_owned(), "hunter2".to_owned());
    let text = "version: 1\ntargets: { api: { url: \"http://a\" } }\nname: ${secret.env.TOKEN}\n\
                load: { main: { get: /, rate: \"${secret.env.TOKEN}\", for: \"x${secret.env.TOKEN}\", \
                headers: { A: \"{{ nope }} ${secret.env.TOKEN}\" } } }\n";
    let problems = load_text("secret.yaml", text, &options).expect_err("a secret is no rate");
    assert_told_well(&problems);
    assert!(!problems.render(false).contains("hunter2"), "{}", problems.render(false));
    assert!(!format!("{problems:?}").contains("hunter2"));
}

#[test]
fn a_set_that_does_not_fit_is_told_where_it_was_written() {
    let text = "version: 1\ntargets: { api: { url: \"http://a\" } }\nload: { main: { get: /, rate: 5/s, for: 3s } }\n";
    for (path, value) in [("load.main.rate", "50"), ("lod.main", "x"), ("version.a", "1"), ("a..b", "1"), ("", "")] {
        let sets = vec![(path.to_owned(), value.to_owned())];
        let problems = load_text("a.yaml", text, &LoadOptions { sets, ..LoadOptions::default() });
        let problems = problems.expect_err("it does not fit");
        assert_told_well(&problems);
        assert!(problems.render(false).contains("--> --set:1:"), "{}", problems.render(false));
    }
}

/// Everything refers to something else, and nothing exists: whoever looks names up one by one takes minutes.
#[test]
fn thousands_of_wrong_names_are_told_in_time() {
    let mut text = "version: 1\ntargets: { api: { url: \"http://a\" } }\njourneys:\n".to_owned();
    (0..4000).for_each(|n| text.push_str(&format!("  j{n}: {{ target: x{n}, steps: [ {{ get: / }} ] }}\n")));
    text.push_str("load:\n");
    (0..2000).for_each(|n| text.push_str(&format!("  l{n}: {{ journey: y{n}, rate: 5/s, for: 3s }}\n")));
    text.push_str("gates:\n");
    (0..4000).for_each(|n| text.push_str(&format!("  - {{ metric: error_rate, step: s{n}, max: 1% }}\n")));
    let begun = Instant::now();
    let problems = load_text("many.yaml", &text, &LoadOptions::default()).expect_err("nothing fits");
    let rendered = problems.render(false);
    assert!(begun.elapsed() < SOON, "{:?}", begun.elapsed());
    assert_eq!(problems.len(), 10_000);
    assert!(rendered.ends_with("and 9900 more\n"), "{}", &rendered[rendered.len() - 200..]);
}

/// What is handed on to other parsers (JSONPath, regular expressions, templates) is as hostile as the YAML around it.
#[test]
fn hostile_values_inside_of_a_scenario_end_in_a_problem_too() {
    let step = |more: &str| {
        format!(
            "version: 1\ntargets: {{ api: {{ url: \"http://a\" }} }}\n\
             load: {{ main: {{ get: /, rate: 5/s, for: 3s, {more} }} }}\nnonsense: 1\n"
        )
    };
    let parens = |n: usize| format!("{}@.a{}", "(".repeat(n), ")".repeat(n));
    for more in [
        format!("extract: {{ a: \"$[?{}]\" }}", parens(30)),
        format!("extract: {{ a: \"$[?{}]\" }}", parens(230)),
        format!("extract: {{ a: \"${}\" }}", "[?@".repeat(160)),
        format!("extract: {{ a: \"$[?{}@]\" }}", "!".repeat(450)),
        format!("extract: {{ a: \"${}\" }}", "..*".repeat(160)),
        format!("check: {{ regex: \"{}\" }}", "(".repeat(5000)),
        "check: { regex: \"((a{1000}){1000}){1000}\" }".to_owned(),
        format!("body: \"{{{{ {} }}}}\"", "(".repeat(10_000)),
        format!("body: \"{{{{ {} }}}}\"", "a.".repeat(10_000)),
        format!("body: \"{{{{ {}1 }}}}\"", "-".repeat(900)),
        format!("body: \"{{{{ {}1 }}}}\"", "-".repeat(10_000)),
        format!("body: \"{{{{ {{'a': {{}}}} {}1 }}}}\"", "not ".repeat(10_000)),
        format!("body: \"{{% if {}1 %}}{{{{ a }}}}\"", "-".repeat(10_000)),
        format!("body: \"{}\"", "{{".repeat(10_000)),
    ] {
        let begun = Instant::now();
        let problems = load_text("hostile.yaml", &step(&more), &LoadOptions::default()).expect_err("`nonsense`");
        assert_told_well(&problems);
        assert!(begun.elapsed() < SOON, "{:?}: {}", begun.elapsed(), &more[..40]);
    }
}

#[test]
fn groups_in_groups_are_read_to_the_limit_of_depth() {
    for groups in [25, 40] {
        let mut text =
            "version: 1\ntargets: { api: { url: \"http://a\" } }\nload: { main: { get: /, rate: 5/s } }\ntimeline: "
                .to_owned();
        text.push_str(&"[{ parallel: ".repeat(groups));
        text.push_str("[{ pause: 0s }]");
        text.push_str(&"}]".repeat(groups));
        let problems = load_text("groups.yaml", &text, &LoadOptions::default()).expect_err("a pause of no length");
        assert_eq!(first_code(&problems), if groups == 25 { "E028" } else { "E003" });
    }
}

#[test]
fn problems_at_the_end_of_a_very_long_line_are_shown_in_time() {
    let labels: String = (0..30_000).map(|n| format!("k{n}: aaaaaaaaaaaaaaaaaaaa, ")).collect();
    let wrong: String = (0..200).map(|n| format!("wrong{n}: 1, ")).collect();
    let text = format!("{{ version: 1, labels: {{ {labels} }}, {wrong} load: {{}} }}\n");
    let begun = Instant::now();
    let problems = load_text("long.yaml", &text, &LoadOptions::default()).expect_err("200 unknown keys");
    let rendered = problems.render(false);
    assert!(begun.elapsed() < SOON, "{:?}", begun.elapsed());
    assert!(rendered.contains("--> long.yaml:1:888919"), "{}", &rendered[..500]);
    assert!(rendered.len() < 100_000, "{} bytes", rendered.len());
}
