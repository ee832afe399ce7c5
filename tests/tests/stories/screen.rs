//! The terminal screen in a real terminal (tmux): what a person sees and does, and that the terminal is as it was afterwards.

use std::process::Command;
use std::thread::sleep;
use std::time::{Duration, Instant};

use brunt_tests::answering::program;
use brunt_tests::brunt::binary;
use brunt_tests::machine;
use tempfile::TempDir;

/// How long anything may take to be seen. A limit, no measure: everything is waited for by looking.
const LONG: Duration = Duration::from_secs(60);

/// A terminal of its own, with a shell in it.
struct Terminal {
    folder: TempDir,
    socket: String,
}

impl Terminal {
    fn open() -> Self {
        let folder = TempDir::new().expect("a folder");
        let socket = folder.path().join("tmux").display().to_string();
        let terminal = Self { folder, socket };
        let shell = "env -u CI LC_ALL=C.UTF-8 PS1='ready$ ' sh";
        terminal.tmux(&["-f", "/dev/null", "-u", "new-session", "-d", "-s", "story", "-x", "110", "-y", "32", shell]);
        terminal.sees("ready$");
        terminal
    }

    fn tmux(&self, args: &[&str]) -> String {
        let output = Command::new("tmux").args(["-S", &self.socket]).args(args).env("LC_ALL", "C.UTF-8").output();
        let output = output.expect("tmux is installed: tests/run sees to it");
        assert!(output.status.success(), "tmux {args:?}: {}", String::from_utf8_lossy(&output.stderr));
        String::from_utf8_lossy(&output.stdout).into_owned()
    }

    fn shown(&self) -> String {
        self.tmux(&["capture-pane", "-p", "-t", "story"])
    }

    /// Waits until a text is on the screen.
    fn sees(&self, text: &str) -> String {
        let began = Instant::now();
        loop {
            let shown = self.shown();
            if shown.contains(text) {
                return shown;
            }
            assert!(began.elapsed() < LONG, "`{text}` was never seen; the screen says\n{shown}");
            sleep(Duration::from_millis(50));
        }
    }

    fn types(&self, keys: &[&str]) {
        self.tmux(&[&["send-keys", "-t", "story"], keys].concat());
    }

    /// Runs a line of shell and waits for its end.
    fn shell(&self, line: &str, done: &str) {
        self.types(&[&format!("{line}; echo {done}-$(expr 1 + 1)"), "Enter"]);
        self.sees(&format!("{done}-2"));
    }

    fn says(&self, format: &str) -> String {
        self.tmux(&["display-message", "-p", "-t", "story", format]).trim().to_owned()
    }

    fn file(&self, name: &str) -> String {
        std::fs::read_to_string(self.folder.path().join(name)).unwrap_or_else(|why| panic!("{name}: {why}"))
    }

    /// Starts brunt on a service that is paused for a minute, for which nobody waits; `words` stand before the command.
    fn starts_brunt(&self, words: &str) {
        let scenario = format!(
            "
version: 1
name: watched
seed: 5
services: {{ api: {{ run: [ \"{}\", --port, \"${{port}}\" ], instances: 2 }} }}
targets: {{ api: {{ service: api }} }}
load: {{ main: {{ target: api, get: /, rate: 100/s, for: timeline, timeout: 1s }} }}
slos: {{ answers: {{ metric: success_rate, min: 99%, over: 2s }} }}
timeline: [ baseline: 1s, {{ id: paused, fault: process.pause, target: api, for: 60s }}, pause: 60s ]
gates: [ {{ id: paused-errors, metric: error_rate, window: \"fault:paused\", max: 100% }} ]
",
            program().display()
        );
        let folder = self.folder.path();
        std::fs::write(folder.join("watched.brunt.yaml"), scenario).expect("the scenario");
        self.shell(&format!("cd {}; export XDG_STATE_HOME=$PWD/state; stty -a > before", folder.display()), "set");
        self.types(&["clear", "Enter"]);
        let line = format!("{words} {} run watched.brunt.yaml --out out; echo ended-with-$?", binary().display());
        self.types(&[&line, "Enter"]);
        self.sees("RUNNING");
        assert_eq!(self.says("#{alternate_on} #{cursor_flag}"), "1 0", "the other screen, no cursor");
    }

    /// The terminal is as it was: modes, screen, cursor.
    fn is_sane(&self) {
        assert_eq!(self.says("#{alternate_on} #{cursor_flag}"), "0 1", "\n{}", self.shown());
        self.types(&["stty -a > after; echo written-$(expr 1 + 1)", "Enter"]);
        self.sees("written-2");
        // The size may have changed meanwhile, and that is tmux's doing.
        let modes = |name| self.file(name).lines().filter(|line| !line.contains("rows")).collect::<Vec<_>>().join("\n");
        assert_eq!(modes("before"), modes("after"));
    }
}

impl Drop for Terminal {
    fn drop(&mut self) {
        let _ = Command::new("tmux").args(["-S", &self.socket, "kill-server"]).output();
    }
}

#[test]
fn a_person_looks_around_holds_toggles_notes_and_aborts_and_the_terminal_is_as_before() {
    let _machine = machine::shared();
    let terminal = Terminal::open();
    terminal.starts_brunt("");
    terminal.sees("paused  active");
    terminal.types(&["2"]);
    terminal.sees("base p99");
    terminal.types(&["3"]);
    terminal.sees("api-0");
    terminal.types(&["?"]);
    terminal.sees("Shift-Tab");
    terminal.types(&["?"]);
    terminal.types(&["Space"]);
    terminal.sees("HELD");
    terminal.types(&["n"]);
    terminal.sees("note:");
    terminal.types(&["-l", "looked at the queue"]);
    terminal.types(&["Enter"]);
    terminal.types(&["4", "f"]);
    terminal.sees("removed");
    terminal.types(&["Space"]);
    terminal.sees("RUNNING");
    terminal.types(&["f"]);
    terminal.sees("active");
    terminal.tmux(&["resize-window", "-t", "story", "-x", "70", "-y", "18"]);
    terminal.types(&["1"]);
    terminal.sees("1 Overview");
    terminal.types(&["a"]);
    terminal.sees("End the run?");
    terminal.types(&["y"]);
    terminal.sees("ended-with-130");
    terminal.is_sane();
    let results = terminal.file("out/results.json");
    for trace in ["looked at the queue", "operator.hold", "\"rollback_verified\": true"] {
        assert!(results.contains(trace), "results.json lacks {trace}");
    }
}

#[test]
fn sigterm_gives_the_terminal_back() {
    let _machine = machine::shared();
    let terminal = Terminal::open();
    terminal.starts_brunt("");
    terminal.sees("paused  active");
    let shell = terminal.says("#{pane_pid}");
    let child = Command::new("ps").args(["--ppid", &shell, "-o", "pid="]).output().expect("ps runs");
    let pid = String::from_utf8_lossy(&child.stdout).trim().to_owned();
    assert!(Command::new("kill").args(["-TERM", &pid]).status().expect("kill runs").success(), "no process {pid}");
    terminal.sees("ended-with-143");
    terminal.is_sane();
}

#[test]
fn ctrl_c_in_raw_mode_rolls_back_as_anywhere_else() {
    let _machine = machine::shared();
    let terminal = Terminal::open();
    terminal.starts_brunt("");
    terminal.sees("paused  active");
    terminal.types(&["C-c"]);
    terminal.sees("ended-with-130");
    terminal.is_sane();
}

#[test]
fn a_panic_gives_the_terminal_back_and_the_run_goes_on_in_lines() {
    let _machine = machine::shared();
    let terminal = Terminal::open();
    terminal.starts_brunt("BRUNT_TEST_SCREEN_PANICS=1");
    terminal.sees("panicked at");
    assert_eq!(terminal.says("#{alternate_on} #{cursor_flag}"), "0 1");
    terminal.sees("status=running");
    terminal.types(&["C-c"]);
    terminal.sees("ended-with-130");
    terminal.is_sane();
}
