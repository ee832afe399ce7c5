//! Finding processes of this host.

use std::net::TcpListener;
use std::os::unix::process::CommandExt;
use std::process::{Child, Command, Stdio};

use brunt_injector::ResolveError;
use brunt_injector::target::process::{find, ports_of};
use brunt_scenario::plan::{ProcessMatch, Target};

use crate::lab::{eventually, runs, state_of};

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
    assert!(error.to_string().contains("(each for itself: pid "), "{error}");
    assert_eq!(find("ledger", &other, true).unwrap(), []);
}

#[test]
fn another_number_than_expected_is_refused_with_the_list() {
    let pair = Pair::start("count");
    let three = ProcessMatch { count: Some(3), ..pair.named() };
    let text = find("ledger", &three, false).unwrap_err().to_string();
    let list = pair.pids().join(", ");
    assert_eq!(
        text,
        format!("target `ledger` expects 3 processes but 2 were found: {list}; match more narrowly, or change `count`")
    );
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
        text.contains(&format!("no process of this host has pid {own} and a listener on TCP port {port} (each"))
            && text.contains(&format!("a listener on TCP port {port}: nobody")),
        "{text}"
    );
}

#[test]
fn a_pattern_that_is_no_regular_expression_is_an_error_not_an_empty_target() {
    let wanted = ProcessMatch { cmdline: Some("(".into()), ..ProcessMatch::default() };
    assert!(matches!(find("ledger", &wanted, true), Err(ResolveError::Search { .. })));
}

/// A process that listens on a port of its own, ended with the test.
struct Listening {
    child: Child,
    port: u16,
}

impl Listening {
    fn start() -> Self {
        use std::io::BufRead as _;
        let script = "import socket, time; s = socket.create_server(('127.0.0.1', 0)); \
                      print(s.getsockname()[1], flush=True); time.sleep(1000)";
        let mut child =
            Command::new("python3").args(["-c", script]).stdin(Stdio::null()).stdout(Stdio::piped()).spawn().unwrap();
        let mut line = String::new();
        std::io::BufReader::new(child.stdout.take().unwrap()).read_line(&mut line).unwrap();
        Self { child, port: line.trim().parse().unwrap() }
    }
}

impl Drop for Listening {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

#[test]
fn by_port_a_stranger_that_listens_there_is_found_and_its_ports_are_known() {
    let (one, other) = (Listening::start(), Listening::start());
    let wanted = ProcessMatch { port: Some(one.port), count: Some(1), ..ProcessMatch::default() };
    let found = find("ledger", &wanted, false).unwrap();
    assert_eq!(found.iter().filter_map(brunt_injector::Victim::pid).collect::<Vec<_>>(), [one.child.id()]);
    assert_eq!(ports_of(&[one.child.id()]), [one.port]);
    let mut both = [one.port, other.port];
    both.sort_unstable();
    assert_eq!(ports_of(&[one.child.id(), other.child.id()]), both);
}

#[tokio::test]
async fn one_of_several_strangers_is_picked_and_hit_and_the_others_are_not() {
    let pair = Pair::start("picked");
    let lab = crate::lab::Lab::new();
    let (injector, _events) = lab.start("picked").await;
    let target = Target::Process(ProcessMatch { count: Some(2), ..pair.named() });
    let pause = crate::scene::fault("frozen", "process.pause", "ledger");
    let victims = injector.resolve(&pause, &target).await.unwrap();
    assert_eq!((victims.picked.len(), victims.of), (1, 2));
    injector.inject(&pause, &victims).await.unwrap();
    let hit = victims.picked[0].pid().unwrap();
    let spared = pair.children.iter().map(Child::id).find(|pid| *pid != hit).unwrap();
    assert_eq!(state_of(hit), Some('T'));
    assert!(runs(spared));
    assert_eq!(injector.revert("frozen").await.rollback_verified, Some(true));
    let kill = crate::scene::fault("gone", "process.kill", "ledger");
    let victims = injector.resolve(&kill, &target).await.unwrap();
    injector.inject(&kill, &victims).await.unwrap();
    let hit = victims.picked[0].pid().unwrap();
    assert!(state_of(hit).is_none());
    let spared = pair.children.iter().map(Child::id).find(|pid| *pid != hit).unwrap();
    assert!(runs(spared));
    // Now there is one too few, and that is refused.
    assert!(matches!(injector.resolve(&kill, &target).await, Err(ResolveError::Count { .. })));
    injector.revert("gone").await;
    injector.close().await.unwrap();
}
