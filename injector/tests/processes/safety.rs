//! The safety cases. Each test is named after its case.

use std::fs;
use std::io::{BufRead, BufReader};
use std::os::fd::AsRawFd;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use brunt_injector::process::{ProcessId, Stat, boot_id};
use brunt_injector::{Error, Event, Injector, Seen, cleanup};
use brunt_scenario::plan::Target;
use rustix::io::{FdFlags, fcntl_setfd};
use rustix::process::{Signal, kill_process_group};

use crate::lab::{self, Bystander, Lab, STAND_IN, about, eventually, runs, signal, state_of};
use crate::scene::{fault, process, shell};

const LEASE: Duration = Duration::from_secs(1);

/// A runner in the middle of a run, as a process that can be killed.
struct Holder {
    child: Child,
    lines: std::io::Lines<BufReader<std::process::ChildStdout>>,
    agent: u32,
    services: Vec<u32>,
    descendants: Vec<u32>,
}

impl Holder {
    fn start(lab: &Lab, bystander: &Bystander) -> Self {
        use std::os::unix::process::CommandExt;
        let mut child = Command::new(STAND_IN)
            .arg("hold")
            .arg(lab.state())
            .arg(LEASE.as_millis().to_string())
            .arg(bystander.pid().to_string())
            .stdout(Stdio::piped())
            .process_group(0)
            .spawn()
            .unwrap();
        let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
        let pids: Vec<u32> = serde_json::from_str(&lines.next().unwrap().unwrap()).unwrap();
        let in_groups = |stat: &Stat| pids[1..].contains(&stat.group);
        let all = brunt_injector::process::all().unwrap();
        let descendants = all.iter().filter(|stat| in_groups(stat)).map(|stat| stat.id.pid).collect();
        Self { child, lines, agent: pids[0], services: pids[1..].to_vec(), descendants }
    }

    fn run_id(&self) -> String {
        format!("run-{}", self.child.id())
    }

    fn everybody(&self) -> Vec<u32> {
        [vec![self.agent], self.services.clone(), self.descendants.clone()].concat()
    }
}

impl Drop for Holder {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn is_log_of_service(path: &Path) -> bool {
    path.file_name().is_some_and(|name| name.to_string_lossy().starts_with("held-"))
}

#[test]
fn kill_minus_nine_in_the_middle_of_a_pause_leaves_nothing() {
    let _alone = lab::alone_with_cleanup();
    for round in 0..10 {
        let lab = Lab::new();
        let bystander = Bystander::start();
        let mut holder = Holder::start(&lab, &bystander);
        // The signal is sent; who it hits stops when it runs next.
        let stopped = |pid: u32| state_of(pid) == Some('T');
        eventually("both are stopped", || stopped(bystander.pid()) && holder.services.iter().any(|pid| stopped(*pid)));
        assert!(holder.descendants.len() > 2, "the second service has a child in its group");
        std::thread::sleep(Duration::from_millis(17 * round));
        holder.child.kill().unwrap();
        holder.child.wait().unwrap();
        let killed = Instant::now();
        while holder.everybody().iter().any(|pid| state_of(*pid).is_some()) || state_of(bystander.pid()) == Some('T') {
            assert!(killed.elapsed() < LEASE + Duration::from_secs(1), "round {round}: something is left");
            std::thread::sleep(Duration::from_millis(2));
        }
        let report = cleanup(Some(lab.state())).unwrap();
        assert!(about(&report.found, &holder.run_id()).is_empty(), "{report:?}");
        assert_eq!(fs::read_dir(lab.state()).unwrap().flatten().filter(|e| !is_log_of_service(&e.path())).count(), 0);
    }
}

#[test]
fn cleanup_undoes_what_runner_and_agent_left_when_both_were_killed() {
    let _alone = lab::alone_with_cleanup();
    let lab = Lab::new();
    let bystander = Bystander::start();
    let mut holder = Holder::start(&lab, &bystander);
    lab::kill(holder.agent);
    holder.child.kill().unwrap();
    holder.child.wait().unwrap();
    eventually("the agent is gone", || state_of(holder.agent).is_none());
    // The runner may have had a moment to recover by itself; what is left is for cleanup, with or without the journal.
    let report = cleanup(Some(lab.state())).unwrap();
    assert_eq!(report.failed, Vec::<String>::new());
    assert!(runs(bystander.pid()));
    assert!(holder.everybody().iter().all(|pid| state_of(*pid).is_none()), "{report:?}");
    let again = cleanup(Some(lab.state())).unwrap();
    assert!(about(&again.found, &holder.run_id()).is_empty(), "{again:?}");
}

#[test]
fn a_stopped_runner_loses_its_lease_and_is_told_when_it_is_back() {
    let lab = Lab::new();
    let bystander = Bystander::start();
    let mut holder = Holder::start(&lab, &bystander);
    signal(holder.child.id(), Signal::STOP);
    let stopped = Instant::now();
    eventually("the paused process runs again", || runs(bystander.pid()));
    eventually("nobody is left", || holder.everybody().iter().all(|pid| state_of(*pid).is_none()));
    assert!(stopped.elapsed() < LEASE + Duration::from_secs(1), "{:?}", stopped.elapsed());
    signal(holder.child.id(), Signal::CONT);
    let told = holder.lines.by_ref().map(Result::unwrap).find(|line| line.starts_with("AgentLost")).unwrap();
    assert!(told.contains("the lease ran out: the runner was silent for 1."), "{told}");
}

#[tokio::test]
async fn s3_leaked_fd_does_not_hold_the_lease() {
    let lab = Lab::new();
    // Somebody careless has left a pipe in the runner that is not closed on exec.
    let (reader, writer) = std::io::pipe().unwrap();
    fcntl_setfd(&writer, FdFlags::empty()).unwrap();
    let (injector, _events) = lab.start("s3").await;
    let script = "ls -l /proc/self/fd; echo listed; exec sleep 1000";
    let instance = injector.start_instance(shell(lab.state(), "payments", 0, script)).await.unwrap();
    let log = lab.state().join("payments-0.log");
    eventually("the service has listed its descriptors", || {
        fs::read_to_string(&log).is_ok_and(|text| text.ends_with("listed\n"))
    });
    let text = fs::read_to_string(&log).unwrap();
    let numbers: Vec<&str> = text.lines().filter_map(|l| l.split(" -> ").next()?.rsplit(' ').next()).collect();
    // Three of its own, and the folder that `ls` reads.
    assert!(numbers.iter().filter_map(|n| n.parse::<u32>().ok()).all(|n| n <= 3), "{text}");
    assert!(!text.contains("pipe:") && !text.contains(".journal"), "{text}");
    for pid in [injector.agent().pid, instance.process.pid] {
        let leaked = fs::read_link(format!("/proc/self/fd/{}", writer.as_raw_fd())).unwrap();
        let held = fs::read_dir(format!("/proc/{pid}/fd")).unwrap().flatten().map(|fd| fs::read_link(fd.path()));
        let held = held.flatten().filter(|to| *to == leaked).count();
        assert_eq!(held, usize::from(pid == injector.agent().pid), "only the agent, which ends with the run");
    }
    drop(reader);
    injector.close().await.unwrap();
}

#[test]
fn s4_worker_thread_exit_kills_no_agent() {
    let lab = Lab::new();
    let options = lab.options("s4");
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let handle = runtime.handle().clone();
    let thread = std::thread::spawn(move || {
        let own = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        let (injector, events) = own.block_on(Injector::start(options)).unwrap();
        drop(handle);
        (injector, events)
    });
    // The runtime with the thread that started the agent is gone after this.
    let (injector, mut events) = thread.join().unwrap();
    let agent = injector.agent();
    runtime.block_on(async {
        injector.start_instance(shell(lab.state(), "payments", 0, "sleep 1000")).await.unwrap();
        assert!(agent.is_alive());
        assert!(events.try_recv().is_err());
        injector.close().await.unwrap();
    });
    assert!(!agent.is_alive());
}

#[test]
fn s5_terminal_ctrl_c_reaches_runner_only() {
    // What is ignored stays ignored in every child: the runner would never end, and the test wait for ever.
    let status = std::fs::read_to_string("/proc/self/status").unwrap();
    let ignored = status.lines().find_map(|line| line.strip_prefix("SigIgn:")).unwrap();
    let ignored = u64::from_str_radix(ignored.trim(), 16).unwrap();
    assert_eq!(ignored & 0b11, 0, "the tests were started with SIGINT or SIGHUP ignored (`nohup`, `&` in a script)");
    let lab = Lab::new();
    let bystander = Bystander::start();
    let mut holder = Holder::start(&lab, &bystander);
    let runner = Stat::read(holder.child.id()).unwrap();
    let agent = Stat::read(holder.agent).unwrap();
    assert_eq!(agent.session, agent.id.pid, "a session of its own");
    assert_eq!(agent.terminal, 0);
    for pid in holder.everybody() {
        let stat = Stat::read(pid).unwrap();
        assert_ne!(stat.group, runner.group);
        assert_eq!(stat.session, agent.session);
    }
    // What a terminal does on Ctrl-C and when it is closed. A stopped runner takes neither, so that nothing but the
    // signal itself could end the others.
    signal(holder.child.id(), Signal::STOP);
    // It is not stopped before it runs once more, and until then the others would end it.
    eventually("the runner is stopped", || state_of(runner.id.pid) == Some('T'));
    for both in [Signal::INT, Signal::HUP] {
        kill_process_group(rustix::process::Pid::from_raw(runner.group as i32).unwrap(), both).unwrap();
    }
    assert!(holder.everybody().iter().all(|pid| state_of(*pid).is_some()));
    signal(holder.child.id(), Signal::CONT);
    let status = holder.child.wait().unwrap();
    assert!(!status.success());
    eventually("all end in order, after the runner", || holder.everybody().iter().all(|pid| state_of(*pid).is_none()));
    assert!(runs(bystander.pid()));
}

#[test]
fn s8_cleanup_spares_a_live_run() {
    let _alone = lab::alone_with_cleanup();
    tokio::runtime::Runtime::new().unwrap().block_on(async {
        let lab = Lab::new();
        let bystander = Bystander::start();
        let (injector, _events) = lab.start("s8").await;
        let instance = injector.start_instance(shell(lab.state(), "payments", 0, "sleep 1000")).await.unwrap();
        let pause = fault("frozen", "process.pause", "other");
        let victims = injector.resolve(&pause, &process(bystander.pid())).await.unwrap();
        injector.inject(&pause, &victims).await.unwrap();
        for folder in [lab.state(), lab.elsewhere()] {
            let report = cleanup(Some(folder)).unwrap();
            let run_id = Lab::run_id("s8");
            assert!(about(&report.found, &run_id).is_empty(), "{report:?}");
            assert_eq!(about(&report.skipped_live, &run_id).len(), usize::from(folder == lab.state()));
        }
        assert_eq!(state_of(bystander.pid()), Some('T'));
        assert!(runs(instance.process.pid));
        assert!(matches!(injector.verify("frozen").await.unwrap(), Seen::Yes(_)));
        assert_eq!(injector.revert("frozen").await.rollback_verified, Some(true));
        injector.close().await.unwrap();
    });
}

/// A journal that a dead run has left.
fn journal_of(boot: &str, paused: ProcessId) -> String {
    let opened = format!(r#"{{"opened":{{"run_id":"dead","boot_id":"{boot}","runner":{{"pid":1,"start":1}}}}}}"#);
    let id = format!(r#"{{"pid":{},"start":{}}}"#, paused.pid, paused.start);
    let undo = format!(r#"[{{"continue":{{"processes":[{id}]}}}}]"#);
    let doing = format!(r#"{{"doing":{{"fault":"frozen","kind":"process.pause","undo":{undo}}}}}"#);
    format!("{opened}\n{doing}\n")
}

#[test]
fn s9_reused_pid_netns_boot() {
    let _alone = lab::alone_with_cleanup();
    use std::os::unix::fs::OpenOptionsExt;
    let lab = Lab::new();
    let bystander = Bystander::start();
    signal(bystander.pid(), Signal::STOP);
    eventually("it is stopped", || state_of(bystander.pid()) == Some('T'));
    let this = ProcessId::of(bystander.pid()).unwrap();
    let earlier = ProcessId { start: this.start - 1, ..this };
    let boot = boot_id().unwrap();
    let leave = |text: String| {
        let mut options = fs::OpenOptions::new();
        let mut file =
            options.create(true).truncate(true).write(true).mode(0o600).open(lab.state().join("dead.journal"));
        std::io::Write::write_all(file.as_mut().unwrap(), text.as_bytes()).unwrap();
    };
    for (text, says) in [
        (journal_of(&boot, earlier), "its pid belongs to another process now (sleep)"),
        (journal_of("00000000-0000-0000-0000-000000000000", this), "ended with that boot; nothing was touched"),
    ] {
        leave(text);
        let report = cleanup(Some(lab.state())).unwrap();
        assert!(about(&report.undone, "dead")[0].contains(says), "{report:?}");
        assert_eq!(about(&report.found, "dead").len(), 1);
        assert_eq!(state_of(bystander.pid()), Some('T'), "a stranger is left alone");
        assert_eq!(lab.journals(), 0);
    }
    leave(journal_of(&boot, this));
    let report = cleanup(Some(lab.state())).unwrap();
    assert_eq!(about(&report.undone, "dead").len(), 1, "{report:?}");
    assert!(runs(bystander.pid()), "and the right one is continued");
}

#[tokio::test]
async fn s10_no_journal_no_fault() {
    let lab = Lab::new();
    let file = lab.state().join("file");
    fs::write(&file, "").unwrap();
    let mut options = lab.options("s10");
    options.state_dir = Some(file.join("brunt"));
    let Err(error) = Injector::start(options).await else { panic!("started without a journal") };
    assert!(error.is_preflight());
    assert!(error.to_string().starts_with("cannot create the folder of the undo journal "), "{error}");

    // The disk that fills up meanwhile, in a process of its own: the journal's next line fails, so nothing happens.
    let bystander = Bystander::start();
    let pid = bystander.pid().to_string();
    let output = Command::new(STAND_IN).arg("full").arg(lab.state()).arg(pid).output().unwrap();
    let text = String::from_utf8(output.stdout).unwrap();
    assert!(text.starts_with("preflight: cannot write the undo journal "), "{text}");
    assert!(runs(bystander.pid()));
    assert_eq!(lab.journals(), 0);
}

#[test]
fn s10_root_refuses_a_journal_that_others_can_write() {
    let _alone = lab::alone_with_cleanup();
    use std::os::unix::fs::PermissionsExt;
    if !rustix::process::geteuid().is_root() {
        // Without root nothing of it can run as root.
        return;
    }
    let lab = Lab::new();
    let bystander = Bystander::start();
    signal(bystander.pid(), Signal::STOP);
    eventually("it is stopped", || state_of(bystander.pid()) == Some('T'));
    let path = lab.state().join("dead.journal");
    fs::write(&path, journal_of(&boot_id().unwrap(), ProcessId::of(bystander.pid()).unwrap())).unwrap();
    fs::set_permissions(&path, fs::Permissions::from_mode(0o666)).unwrap();
    let refused = cleanup(Some(lab.state())).unwrap();
    assert!(refused.failed[0].contains("is refused: it belongs to uid 0 with mode 666"), "{refused:?}");
    fs::set_permissions(&path, fs::Permissions::from_mode(0o600)).unwrap();
    std::os::unix::fs::chown(&path, Some(65534), None).unwrap();
    let refused = cleanup(Some(lab.state())).unwrap();
    assert!(refused.failed[0].contains("it belongs to uid 65534"), "{refused:?}");
    assert_eq!((refused.exit_code(), state_of(bystander.pid())), (6, Some('T')));
}

#[test]
fn s12_busy_or_blocked_runner_keeps_heartbeat() {
    let lab = Lab::new();
    let bystander = Bystander::start();
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let mut options = lab.options("s12");
    options.lease = LEASE;
    let (injector, mut events) = runtime.block_on(Injector::start(options)).unwrap();
    let pause = fault("frozen", "process.pause", "other");
    let victims = runtime.block_on(injector.resolve(&pause, &process(bystander.pid()))).unwrap();
    runtime.block_on(injector.inject(&pause, &victims)).unwrap();
    let busy = Arc::new(AtomicBool::new(true));
    let threads: Vec<_> = (0..8)
        .map(|_| {
            let busy = busy.clone();
            std::thread::spawn(move || while busy.load(Ordering::Relaxed) {})
        })
        .collect();
    // The only thread of the runtime sleeps, and eight others burn every processor there is.
    std::thread::sleep(LEASE * 3);
    busy.store(false, Ordering::Relaxed);
    threads.into_iter().for_each(|thread| thread.join().unwrap());
    assert_eq!(state_of(bystander.pid()), Some('T'), "the fault is still there");
    assert!(events.try_recv().is_err());
    assert_eq!(runtime.block_on(injector.revert("frozen")).rollback_verified, Some(true));
    runtime.block_on(injector.close()).unwrap();
}

/// An agent to whom nobody listens: its pipe is full, and still it sees that its input ends.
#[test]
fn s12_an_agent_never_waits_for_its_reader() {
    use std::io::Write;
    let lab = Lab::new();
    let mut agent = Command::new(STAND_IN);
    let mut agent = agent.arg("agent").stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
    let mut stdin = agent.stdin.take().unwrap();
    let own = ProcessId::own().unwrap();
    let runner = format!(r#"{{"pid":{},"start":{}}}"#, own.pid, own.start);
    let journal = lab.state().join("x.journal");
    let version = env!("CARGO_PKG_VERSION");
    let hello = format!(r#""run_id":"x","runner":{runner},"journal":{journal:?},"lease":{{"secs":30,"nanos":0}}"#);
    writeln!(stdin, r#"{{"hello":{{"version":"{version}",{hello}}}}}"#).unwrap();
    // Each answer is about a hundred bytes long, and a pipe holds 64 KiB.
    for seq in 0..3000 {
        writeln!(stdin, r#"{{"ask":{{"seq":{seq},"ask":{{"verify":{{"fault":"nothing"}}}}}}}}"#).unwrap();
    }
    drop(stdin);
    let mut status = None;
    eventually("it ends", || {
        status = agent.try_wait().unwrap();
        status.is_some()
    });
    assert!(status.unwrap().success());
    let mut answers = BufReader::new(agent.stdout.take().unwrap()).lines().map(Result::unwrap);
    assert!(answers.nth(1).unwrap().contains("no fault `nothing` was prepared"));
}

/// What no journal tells is found by the mark alone.
#[test]
fn leftovers_are_found_by_their_mark_without_any_journal() {
    let _alone = lab::alone_with_cleanup();
    let lab = Lab::new();
    let bystander = Bystander::start();
    let mut holder = Holder::start(&lab, &bystander);
    // The runner is stopped, so that it cannot step in for its agent; then neither of them is left.
    signal(holder.child.id(), Signal::STOP);
    lab::kill(holder.agent);
    holder.child.kill().unwrap();
    holder.child.wait().unwrap();
    eventually("the agent is gone", || state_of(holder.agent).is_none());
    // The kernel itself hangs up on a stopped group whose parent has died; the other service goes on.
    assert!(holder.services.iter().any(|pid| state_of(*pid).is_some()));
    let report = cleanup(Some(lab.elsewhere())).unwrap();
    assert!(!about(&report.undone, &holder.run_id()).is_empty(), "{report:?}");
    assert!(holder.descendants.iter().all(|pid| state_of(*pid).is_none()));
    // Only the journal knows of a process that is not ours.
    assert_eq!(state_of(bystander.pid()), Some('T'));
    let report = cleanup(Some(lab.state())).unwrap();
    assert!(runs(bystander.pid()), "{report:?}");
}

/// The agent is dead and its worker is at it: who kills it now keeps it from giving back what no journal here tells of.
#[test]
fn a_worker_that_gives_back_is_let_end_by_itself() {
    use std::io::Write;
    let _alone = lab::alone_with_cleanup();
    let lab = Lab::new();
    let dead = Bystander::start();
    let agent = ProcessId::of(dead.pid()).unwrap();
    drop(dead);
    let [begun, done] = ["begun", "done"].map(|name| lab.state().join(name));
    let script = format!("echo > {}; sleep 0.3; echo > {}", begun.display(), done.display());
    let command = serde_json::json!({
        "program": "/bin/sh", "args": ["-c", script], "cwd": "/", "env": [], "within": Duration::from_secs(5),
    });
    let order = serde_json::json!({ "give_back": { "undo": [{ "run": { "command": command, "mark": "none" } }] } });
    let mut worker = Command::new(STAND_IN)
        .args(["agent", "--worker"])
        .envs([("BRUNT_RUN_ID", "gone"), ("BRUNT_WORKS_FOR", "gone/fault"), ("BRUNT_WORKS_WITHIN", "5000")])
        .env("BRUNT_RUN_AGENT", format!("{}:{}", agent.pid, agent.start))
        .stdin(Stdio::piped())
        .spawn()
        .unwrap();
    writeln!(worker.stdin.take().unwrap(), "{order}").unwrap();
    eventually("it gives back", || begun.exists());
    let report = cleanup(Some(lab.elsewhere())).unwrap();
    assert!(done.exists(), "{report:?}");
    assert!(worker.wait().unwrap().success());
}

#[tokio::test]
async fn s13_pause_respects_prior_stop() {
    let lab = Lab::new();
    let bystander = Bystander::start();
    signal(bystander.pid(), Signal::STOP);
    eventually("it is stopped", || state_of(bystander.pid()) == Some('T'));
    let (injector, _events) = lab.start("s13").await;
    let pause = fault("frozen", "process.pause", "other");
    let victims = injector.resolve(&pause, &process(bystander.pid())).await.unwrap();
    let error = injector.inject(&pause, &victims).await.unwrap_err();
    assert!(error.to_string().contains("is stopped already, and not by brunt"), "{error}");
    let _ = injector.revert_all().await;
    assert_eq!(state_of(bystander.pid()), Some('T'), "not continued");

    let own = std::process::id();
    let parent = Stat::read(own).unwrap().parent;
    for (pid, why) in [
        (1, "pid 1 takes the whole system (or container) down"),
        (own, "it is brunt itself"),
        (parent, "brunt was started by it"),
        (injector.agent().pid, "it is brunt's agent"),
    ] {
        let error = injector.resolve(&pause, &process(pid)).await.unwrap_err().to_string();
        assert!(error.contains(why), "{error}");
    }
    injector.close().await.unwrap();
    assert_eq!(state_of(bystander.pid()), Some('T'));
}

#[tokio::test]
async fn an_agent_that_hangs_is_replaced_by_the_runner() {
    let lab = Lab::new();
    let bystander = Bystander::start();
    let mut options = lab.options("hang");
    options.lease = LEASE;
    let (injector, mut events) = Injector::start(options).await.unwrap();
    let instance = injector.start_instance(shell(lab.state(), "payments", 0, "sleep 1000")).await.unwrap();
    let pause = fault("frozen", "process.pause", "other");
    let victims = injector.resolve(&pause, &process(bystander.pid())).await.unwrap();
    injector.inject(&pause, &victims).await.unwrap();
    signal(injector.agent().pid, Signal::STOP);
    let Some(Event::AgentLost { reason, .. }) = events.recv().await else { panic!("not told") };
    assert!(reason.starts_with("it left heartbeats unanswered for 1."), "{reason}");
    assert!(runs(bystander.pid()));
    assert_eq!(state_of(instance.process.pid), None);
    assert!(matches!(injector.verify("frozen").await, Err(Error::AgentGone(_))));
    let reverted = injector.revert("frozen").await;
    assert_eq!((reverted.rollback_verified, reverted.error), (Some(true), None));
    let target = Target::Service("payments".into());
    assert!(injector.resolve(&fault("late", "process.kill", "payments"), &target).await.is_err());
    injector.close().await.unwrap();
    assert_eq!(lab.journals(), 0);
}
