//! What the documents tell a reader to type does what they say.
//!
//! In the README and in `docs/`, a line of a `console` block that begins with `$ ` is run by bash, in the order of the
//! page, in one empty folder a page, with `brunt` on the path. It must end with 0, or with the code that its comment
//! names: `# exits with 99`. A block whose first line is `# NAME.brunt.yaml` is written to that file first. Where a page
//! says `http://localhost:8080`, a service that answers is there.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use brunt_tests::answering::Answering;
use brunt_tests::brunt::binary;
use brunt_tests::machine;

/// One thing that a page asks for.
#[derive(Debug, PartialEq)]
enum Told {
    File { name: String, text: String },
    Command { line: String, code: i32 },
}

fn pages() -> Vec<PathBuf> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
    let docs = fs::read_dir(root.join("docs")).expect("docs/").filter_map(|entry| Some(entry.ok()?.path()));
    let mut pages: Vec<PathBuf> = docs.filter(|path| path.extension().is_some_and(|end| end == "md")).collect();
    pages.push(root.join("README.md"));
    pages.sort();
    pages
}

/// The fenced blocks of a page: language and text.
fn blocks(page: &str) -> Vec<(&str, &str)> {
    let mut blocks = Vec::new();
    let mut rest = page;
    while let Some((_, after)) = rest.split_once("\n```") {
        let Some((language, body)) = after.split_once('\n') else { break };
        let Some((text, next)) = body.split_once("\n```") else { break };
        blocks.push((language.trim(), text));
        rest = next;
    }
    blocks
}

fn told(page: &str) -> Vec<Told> {
    let mut all = Vec::new();
    for (language, text) in blocks(page) {
        let first = text.lines().next().unwrap_or_default();
        if let Some(name) = first.strip_prefix("# ").filter(|name| name.ends_with(".brunt.yaml")) {
            all.push(Told::File { name: name.to_owned(), text: format!("{text}\n") });
        } else if language == "console" {
            let lines = text.lines().filter_map(|line| line.strip_prefix("$ "));
            all.extend(lines.map(|line| Told::Command { line: line.to_owned(), code: code_of(line) }));
        }
    }
    all
}

fn code_of(line: &str) -> i32 {
    let code = line.rsplit_once("# exits with ").map(|(_, code)| code.trim().parse());
    code.map_or(0, |code| code.expect("a number after `# exits with`"))
}

fn follow(page: &Path, service: &Answering) {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let text = fs::read_to_string(page).expect("a listed page");
    let path = format!(
        "{}:{}",
        binary().parent().expect("a file has a folder").display(),
        std::env::var("PATH").unwrap_or_default()
    );
    for step in told(&text) {
        match step {
            Told::File { name, text } => {
                let text = text.replace("http://localhost:8080", &service.url());
                fs::write(folder.path().join(name), text).expect("the folder is ours");
            }
            Told::Command { line, code } => {
                let line = line.replace("http://localhost:8080", &service.url());
                let run = || {
                    let mut bash = Command::new("bash");
                    bash.args(["-c", &line]).current_dir(folder.path()).env("PATH", &path);
                    bash.env("XDG_STATE_HOME", folder.path().join(".state")).output().expect("bash runs")
                };
                // A machine that stalled in a run of three seconds makes brunt distrust it; a reader would run it again.
                let stalled = |output: &Output| {
                    let said = String::from_utf8_lossy(&output.stdout);
                    output.status.code() == Some(5) && said.contains("were handled more than")
                };
                let mut output = run();
                for _ in 0..5 {
                    if code != 5 && stalled(&output) {
                        output = run();
                    }
                }
                assert_eq!(
                    output.status.code(),
                    Some(code),
                    "{}: `{line}`\n{}{}",
                    page.display(),
                    String::from_utf8_lossy(&output.stdout),
                    String::from_utf8_lossy(&output.stderr)
                );
            }
        }
    }
}

#[test]
fn every_command_in_the_documents_does_what_they_say() {
    let _machine = machine::alone();
    let service = Answering::at_once();
    let mut commands = 0;
    for page in pages() {
        commands += told(&fs::read_to_string(&page).expect("a listed page")).len();
        follow(&page, &service);
    }
    assert!(commands >= 10, "only {commands} commands and files were found");
}

#[test]
fn a_page_is_read_as_its_reader_reads_it() {
    let page = "Text.\n\n```yaml\n# a.brunt.yaml\nversion: 1\n```\nand\n```console\n$ brunt run a.brunt.yaml # exits with 99\nit failed\n$ ls\n```\n";
    let expected = [
        Told::File { name: "a.brunt.yaml".into(), text: "# a.brunt.yaml\nversion: 1\n".into() },
        Told::Command { line: "brunt run a.brunt.yaml # exits with 99".into(), code: 99 },
        Told::Command { line: "ls".into(), code: 0 },
    ];
    assert_eq!(told(page), expected);
}
