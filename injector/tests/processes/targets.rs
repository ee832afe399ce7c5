//! Finding processes of this host.

use std::net::TcpListener;
use std::os::unix::process::CommandExt;
use std::process::{Child, Command, Stdio};

use brunt_injector::ResolveError;
use brunt_injector::target::process::find;
use brunt_scenario::plan::ProcessMatch;

use crate::lab::{eventually, runs};

/// Two processes that nobody else on this host resembles, ended with the test.
struct Pair {
    children: [Child; 2],
    word: String,
}

impl Pair {
    fn start(test: &str) -> Self {
        let word = format!("{test}-{}", std::process::id());
        let start = |number: u32| {
            let mut command = Command::new("sleep");
            // What the command line begins with is the caller's to choose, as a link such as `python3` does.
            command.arg0(format!("/opt/{word}")).arg((1000 + number).to_string()).stdin(Stdio::null()).spawn().unwrap()
        };
        let pair = Self { children: [start(1), start(2)], word };
        // Between fork and exec a child still has this program's command line.
        eventually("both run", || pair.children.iter().all(|child| runs(child.id())));
        eventually("both are found", || find("t", &pair.named(), true).is_ok_and(|found| found.len() == 2));
        pair
    }

    fn named(&self) -> ProcessMatch {
        ProcessMatch { name: Some(self.word.clone()), ..ProcessMatch::default() }
    }

    fn pids(&self) -> Vec<String> {
        let mut pids: Vec<u32> = self.children.iter().map(Child::id).collect();
        pids.sort_unstable();
        pids.iter().map(|pid| format!("sleep (pid {pid})")).collect()
    }
}

impl Drop for Pair {
    fn drop(&mut self) {
        for child in &mut self.children {
            let _ = child.kill();
            let _ = child.wait();
        }
    }
}

fn names(wanted: &ProcessMatch) -> Vec<String> {
    find("ledger", wanted, false).unwrap().iter().map(ToString::to_string).collect()
}

#[test]
fn by_name_by_command_line_and_by_pid_all_conditions_must_hold() {
    let pair = Pair::start("find");
    assert_eq!(names(&pair.named()), pair.pids());
    let cmdline = Some(format!("{} 100[2]$", pair.word));
    let second = format!("sleep (pid {})", pair.children[1].id());
    assert_eq!(
        names(&ProcessMatch { cmdline: cmdline.clone(), ..ProcessMatch::default() }),
        std::slice::from_ref(&second)
    );
    assert_eq!(names(&ProcessMatch { cmdline: cmdline.clone(), ..pair.named() }), [second]);
    let other = ProcessMatch { cmdline, pid: Some(pair.children[0].id()), ..ProcessMatch::default() };
    let error = find("ledger", &other, false).unwrap_err();
    assert!(matches!(error, ResolveError::Empty { .. }));
    assert!(error.to_string().ends_with("`allow_empty: true` lets that pass"), "{error}");
    assert_eq!(find("ledger", &other, true).unwrap(), []);
}

#[test]
fn another_number_than_expected_is_refused_with_the_list() {
    let pair = Pair::start("count");
    let three = ProcessMatch { count: Some(3), ..pair.named() };
    let text = find("ledger", &three, false).unwrap_err().to_string();
    let list = pair.pids().join(", ");
    assert_eq!(text, format!("target `ledger` expects 3 processes but 2 were found: {list}"));
    assert_eq!(find("ledger", &ProcessMatch { count: Some(2), ..pair.named() }, false).unwrap().len(), 2);
}

#[test]
fn by_port_the_process_that_listens_there_is_found_and_here_that_is_the_test_itself() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    let own = std::process::id();
    let wanted = ProcessMatch { port: Some(port), pid: Some(own), ..ProcessMatch::default() };
    let text = find("ledger", &wanted, false).unwrap_err().to_string();
    assert!(text.contains(&format!("(pid {own}): it is brunt itself")), "{text}");
    drop(listener);
    let text = find("ledger", &wanted, false).unwrap_err().to_string();
    assert!(
        text.contains(&format!("no process of this host has pid {own} and a listener on TCP port {port}")),
        "{text}"
    );
}

#[test]
fn a_pattern_that_is_no_regular_expression_is_an_error_not_an_empty_target() {
    let wanted = ProcessMatch { cmdline: Some("(".into()), ..ProcessMatch::default() };
    assert!(matches!(find("ledger", &wanted, true), Err(ResolveError::Search { .. })));
}
