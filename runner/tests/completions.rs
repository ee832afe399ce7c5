//! Tab in real shells: each loads the script that brunt prints and is asked what it would offer.
//!
//! bash is everywhere; zsh, fish and man are tried where they are installed, and in CI (`CI=true`) they have to be.

use std::fs;
use std::path::Path;
use std::process::{Command, Stdio};

/// Whether the program is there. In CI nothing may be skipped.
fn is_installed(program: &str) -> bool {
    let found = Command::new(program).arg("--version").stdout(Stdio::null()).stderr(Stdio::null()).status().is_ok();
    assert!(found || std::env::var("CI").as_deref() != Ok("true"), "{program} is needed, and in CI nothing is skipped");
    found
}

/// Runs a script in a folder with two scenarios, brunt on the path; returns what it printed.
fn told(shell: &[&str], script: &str) -> String {
    let folder = tempfile::tempdir().expect("a temporary folder");
    for name in ["shop.brunt.yaml", "other.yaml", "soak.brunt.yaml"] {
        fs::write(folder.path().join(name), "version: 1\n").expect("the folder is ours");
    }
    let brunt = Path::new(env!("CARGO_BIN_EXE_brunt")).parent().expect("a file has a folder");
    let path = format!("{}:{}", brunt.display(), std::env::var("PATH").unwrap_or_default());
    let mut command = Command::new(shell[0]);
    command.args(&shell[1..]).arg(script).current_dir(folder.path()).env("PATH", path).env("HOME", folder.path());
    let output = command.stdin(Stdio::null()).output().expect("the shell starts");
    let complaints = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success() && complaints.is_empty(), "{script}\n{complaints}");
    String::from_utf8(output.stdout).expect("UTF-8")
}

/// What bash would offer for the last word.
fn in_bash(line: &[&str]) -> Vec<String> {
    let words: Vec<String> = line.iter().map(|word| format!("'{word}'")).collect();
    let script = format!(
        "set -eu; source <(brunt completions bash)
         function=$(complete -p brunt | sed 's/.* -F \\([^ ]*\\) brunt$/\\1/')
         COMP_WORDS=({}); COMP_CWORD={}; COMP_TYPE=9; COMP_LINE='{}'; COMP_POINT=${{#COMP_LINE}}
         $function brunt \"${{COMP_WORDS[COMP_CWORD]}}\" \"${{COMP_WORDS[COMP_CWORD-1]}}\"
         printf '%s\\n' \"${{COMPREPLY[@]}}\"",
        words.join(" "),
        line.len() - 1,
        line.join(" "),
    );
    told(&["bash", "--norc", "-c"], &script).lines().map(str::to_owned).collect()
}

#[test]
fn bash_knows_commands_flags_and_values() {
    assert_eq!(in_bash(&["brunt", "ru"]), ["run"]);
    assert!(in_bash(&["brunt", ""]).contains(&"demo".to_owned()));
    assert_eq!(in_bash(&["brunt", "run", "--no-f"]), ["--no-faults"]);
    assert_eq!(in_bash(&["brunt", "run", "x", "--format", "j"]), ["json"]);
    let faults = in_bash(&["brunt", "faults", "network.l"]);
    assert!(faults.contains(&"network.latency".to_owned()), "{faults:?}");
    let gates = in_bash(&["brunt", "run", "x", "--gate", "latency.p99"]);
    assert_eq!(gates, ["latency.p99", "latency.p99_9"]);
}

#[test]
fn bash_offers_the_scenarios_of_this_folder_and_no_other_file() {
    assert_eq!(in_bash(&["brunt", "validate", "s"]), ["shop.brunt.yaml", "soak.brunt.yaml"]);
    assert_eq!(in_bash(&["brunt", "plan", "o"]), [""], "other.yaml is no scenario");
}

#[test]
fn nobody_is_offered_what_is_not_for_people() {
    let commands = in_bash(&["brunt", ""]);
    assert!(!commands.iter().any(|name| name == "agent" || name == "demo-service"), "{commands:?}");
}

#[test]
fn fish_knows_commands_flags_and_values() {
    if !is_installed("fish") {
        return;
    }
    let offered = |line: &str| told(&["fish", "-c"], &format!("brunt completions fish | source; complete -C '{line}'"));
    assert!(offered("brunt ru").starts_with("run\t"), "{}", offered("brunt ru"));
    assert!(offered("brunt faults network.l").contains("network.latency\t"), "{}", offered("brunt faults network.l"));
    assert!(offered("brunt run s").contains("shop.brunt.yaml"), "{}", offered("brunt run s"));
}

#[test]
fn zsh_knows_commands_flags_and_values() {
    if !is_installed("zsh") {
        return;
    }
    // Outside of its line editor zsh cannot complete: what the script hands to `_describe` is printed instead.
    let offered = |words: &str, current: usize| {
        let script = format!(
            "autoload -Uz compinit && compinit -D && source <(brunt completions zsh)
             print registered ${{_comps[brunt]}}
             _describe() {{ print -l -- ${{(P)${{@[-1]}}}} }}
             words=({words}); CURRENT={current}
             ${{_comps[brunt]}}"
        );
        told(&["zsh", "-f", "-c"], &script)
    };
    let commands = offered("brunt ru", 2);
    assert!(commands.starts_with("registered _") && commands.contains("\nrun:"), "{commands}");
    assert!(offered("brunt faults network.l", 3).contains("network.latency:"));
    assert!(offered("brunt run s", 3).contains("shop.brunt.yaml"));
}

#[test]
fn man_reads_every_page_without_a_warning() {
    if !is_installed("man") {
        return;
    }
    let script = "set -eu; brunt man --out pages >/dev/null
        for page in pages/*.1; do MANWIDTH=100 man --warnings -l $page > text; test -s text; done; head -3 text";
    let text = told(&["bash", "-c"], script);
    assert!(text.contains("BRUNT"), "{text}");
}
