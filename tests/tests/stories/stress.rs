//! Faults that weigh on a target from inside its cgroup, on its descriptors, and on its disk: they are seen there, and end
//! with whoever holds them.

use std::fs;
use std::process::Command;
use std::time::Duration;

use brunt_report::results::Verdict;
use brunt_tests::answering::Answering;
use brunt_tests::brunt::{Brunt, Running};
use brunt_tests::cgroups::Cgroup;
use brunt_tests::ended::fault;
use brunt_tests::scenario::Scenario;
use brunt_tests::{host, machine};
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use tempfile::TempDir;

const MIB: u64 = 1 << 20;
/// The lease, the beat that was last, and a machine that is busy.
const GONE: Duration = Duration::from_secs(8);

/// A service in a cgroup of its own, with a disk of its own. They end in this order.
struct Lab {
    service: Answering,
    cgroup: Cgroup,
    disk: Disk,
}

/// A file system of 128 MiB.
struct Disk(TempDir);

impl Disk {
    fn mounted() -> Self {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let mounted =
            Command::new("mount").args(["-t", "tmpfs", "-o", "size=128m", "brunt-test"]).arg(folder.path()).status();
        assert!(mounted.expect("mount runs").success(), "mounting needs root");
        Self(folder)
    }

    fn free(&self) -> u64 {
        let room = nix::sys::statvfs::statvfs(self.0.path()).expect("it is mounted");
        room.blocks_available() * room.fragment_size()
    }
}

impl Drop for Disk {
    fn drop(&mut self) {
        let _ = Command::new("umount").arg(self.0.path()).status();
    }
}

impl Lab {
    fn new() -> Self {
        let service = Answering::at_once();
        let cgroup = Cgroup::around(service.pid());
        cgroup.limit_memory(192 * MIB);
        Self { service, cgroup, disk: Disk::mounted() }
    }

    fn scenario(&self, timeline: &str) -> Scenario {
        let disk = self.disk.0.path().display().to_string();
        Scenario::new(&format!(
            "
        version: 1
        name: weighed
        seed: 3
        targets:
          api: {{ url: \"{}\" }}
          it: {{ process: {{ pid: {} }} }}
        load:
          main: {{ target: api, get: /, rate: 50/s, for: timeline, timeout: 5s }}
        timeline:
{}
        safety: {{ lease: 1s }}
        ",
            self.service.url(),
            self.service.pid(),
            timeline.replace("DISK", &disk),
        ))
    }

    /// How many descriptors the service may have.
    fn limit(&self) -> u64 {
        let limits = fs::read_to_string(format!("/proc/{}/limits", self.service.pid())).expect("it lives");
        let line = limits.lines().find_map(|line| line.strip_prefix("Max open files")).expect("a limit");
        line.split_whitespace().next().and_then(|soft| soft.parse().ok()).expect("a number")
    }

    /// Nobody but the service is in the cgroup, the disk is empty, and the limit is what it was.
    #[track_caller]
    fn is_as_it_was(&self, limit: u64) {
        let whole = || {
            self.cgroup.processes() == [self.service.pid()] && self.disk.free() == 128 * MIB && self.limit() == limit
        };
        let is = host::comes_true(GONE, whole);
        assert!(is, "{:?}, {} free, limit {}", self.cgroup.processes(), self.disk.free(), self.limit());
    }

    /// What weighs on the service beside itself.
    #[track_caller]
    fn worker(&self) -> u32 {
        let others: Vec<u32> = self.cgroup.processes().into_iter().filter(|pid| *pid != self.service.pid()).collect();
        assert_eq!(others.len(), 1, "one worker: {others:?}");
        others[0]
    }
}

fn agent(run: &Running) -> Pid {
    let marked = host::marked(run.mark());
    let agent = marked.iter().find(|process| process.command.ends_with(" agent")).expect("brunt has an agent");
    Pid::from_raw(agent.pid.cast_signed())
}

#[test]
fn each_kind_is_seen_by_the_targets_own_use_and_ends_with_its_window() {
    let _machine = machine::alone();
    let lab = Lab::new();
    let limit = lab.limit();
    let timeline = "
          - baseline: 1s
          - { id: cpu, fault: stress.cpu, target: it, for: 2s, with: { workers: 1, load: 50% } }
          - { id: memory, fault: stress.memory, target: it, for: 1s, with: { share: 60% } }
          - { id: io, fault: stress.io, target: it, for: 1s, with: { path: /var/tmp } }
          - { id: fds, fault: stress.fds, target: it, for: 1s, with: { left: 2 } }
          - { id: disk, fault: disk.fill, target: it, for: 1s, with: { path: DISK, share: 100% } }
          - pause: 500ms
        ";
    let running = Brunt::run(&lab.scenario(timeline)).start();
    running.wait_for("event=fault.verified fault=cpu");
    let adjusted = fs::read_to_string(format!("/proc/{}/oom_score_adj", lab.worker())).unwrap();
    assert_eq!(adjusted.trim(), "1000");
    running.wait_for("event=fault.verified fault=memory");
    assert!(lab.cgroup.memory() > 110 * MIB, "{}", lab.cgroup.memory());
    running.wait_for("event=fault.verified fault=io");
    running.wait_for("event=fault.verified fault=fds");
    assert!(lab.limit() < limit, "{} of {limit}", lab.limit());
    running.wait_for("event=fault.verified fault=disk");
    let full = fs::write(lab.disk.0.path().join("more"), vec![0; 4096]).unwrap_err();
    assert_eq!(full.kind(), std::io::ErrorKind::StorageFull);
    let names = fs::read_dir(lab.disk.0.path()).unwrap().flatten().filter(|entry| entry.file_name() != "more").count();
    assert_eq!(names, 0, "what fills it has no name");
    fs::remove_file(lab.disk.0.path().join("more")).unwrap();

    let results = running.wait().results();
    for id in ["cpu", "memory", "io", "fds", "disk"] {
        let seen = fault(&results, id);
        assert!(seen.verified && seen.rollback_verified == Some(true) && seen.residue.is_empty(), "{seen:?}");
    }
    lab.is_as_it_was(limit);
}

#[test]
fn whoever_is_killed_or_stopped_no_worker_no_file_and_no_limit_is_left() {
    let _machine = machine::alone();
    let timeline = "
          - parallel:
              - { id: cpu, fault: stress.cpu, target: it, for: 60s, with: { workers: 1 }, max_affected: all }
              - { id: fds, fault: stress.fds, target: it, for: 60s, max_affected: all }
              - { id: disk, fault: disk.fill, target: it, for: 60s, with: { path: DISK, size: 100MiB }, max_affected: all }
        ";
    // What happens to the runner, and to the agent.
    let both =
        [(Some(Signal::SIGKILL), None), (None, Some(Signal::SIGKILL)), (Some(Signal::SIGSTOP), Some(Signal::SIGSTOP))];
    for (runner, to_agent) in both {
        let lab = Lab::new();
        let limit = lab.limit();
        let running = Brunt::run(&lab.scenario(timeline)).start();
        for id in ["cpu", "fds", "disk"] {
            running.wait_for(&format!("event=fault.verified fault={id}"));
        }
        assert!(lab.disk.free() < 64 * MIB && lab.limit() < limit && lab.worker() > 0);
        let agent = agent(&running);
        if let Some(signal) = to_agent {
            kill(agent, signal).expect("it is the test's own");
        }
        if let Some(signal) = runner {
            running.signal(signal);
        }
        lab.is_as_it_was(limit);
        if runner.is_none() {
            continue;
        }
        running.signal(Signal::SIGKILL);
        // It may have ended by itself.
        let _ = kill(agent, Signal::SIGKILL);
        running.wait();
    }
}

#[test]
fn disk_fill_dies_with_agent() {
    let _machine = machine::alone();
    let lab = Lab::new();
    let fill = |path: &str, with: &str| {
        format!(
            "          - {{ id: disk, fault: disk.fill, target: it, for: 60s, with: {{ path: {path}, {with} }} }}\n"
        )
    };
    let running = Brunt::run(&lab.scenario(&fill("DISK", "share: 90%"))).start();
    running.wait_for("event=fault.verified fault=disk");
    assert!(lab.disk.free() < 16 * MIB, "{} are free", lab.disk.free());
    // Both, so that nobody is there to undo it.
    let agent = agent(&running);
    running.signal(Signal::SIGSTOP);
    kill(agent, Signal::SIGKILL).expect("it is the test's own");
    running.signal(Signal::SIGKILL);
    running.wait();
    assert!(host::comes_true(GONE, || lab.disk.free() == 128 * MIB), "{} are free", lab.disk.free());

    // A link is not followed, wherever it leads, and what brunt's own files need is kept.
    std::os::unix::fs::symlink(lab.disk.0.path(), lab.disk.0.path().join("link")).unwrap();
    let told = Brunt::run(&lab.scenario(&fill("DISK/link", "share: 90%"))).go().expect_code(3);
    assert!(told.stderr.contains("brunt follows none"), "{told}");
    let own = std::env::temp_dir();
    let told = Brunt::run(&lab.scenario(&fill(&own.display().to_string(), "share: 100%"))).go().expect_code(3);
    assert!(told.stderr.contains("64 MiB are kept for them"), "{told}");
    assert_eq!(lab.disk.free(), 128 * MIB, "nothing was taken");
}

#[test]
fn stress_kills_itself_first() {
    let _machine = machine::alone();
    let lab = Lab::new();
    let memory = |with: &str| {
        format!("          - {{ id: memory, fault: stress.memory, target: it, for: 60s, with: {{ {with} }} }}\n")
    };
    let running = Brunt::run(&lab.scenario(&memory("share: 75%"))).start();
    running.wait_for("event=fault.verified fault=memory");
    // Somebody of the target's own wants more than is left.
    let join = lab.cgroup.memory_folder().join("cgroup.procs");
    let script = format!("echo $$ > {} && head -c 100m /dev/zero | tail -c 100m | wc -c", join.display());
    let grown = Command::new("sh").args(["-c", &script]).output().unwrap();
    assert_eq!(String::from_utf8_lossy(&grown.stdout).trim(), "104857600", "the target got what it wanted: {grown:?}");
    let ended = running.wait();
    let results = ended.results();
    assert_eq!(results.summary.verdict, Verdict::Invalid, "{ended}");
    assert!(host::state(lab.service.pid()).is_some(), "the target lives");

    // No more than the limit leaves; not where the whole machine, or brunt itself, would feel it.
    let told = Brunt::run(&lab.scenario(&memory("size: 190MiB"))).go().expect_code(3);
    assert!(told.stderr.contains("without killing anybody"), "{told}");
    let bystander = Answering::at_once();
    let beside = lab.scenario("          - { fault: stress.cpu, target: it, for: 1s }\n");
    let text = fs::read_to_string(beside.path()).unwrap();
    fs::write(
        beside.path(),
        text.replace(&format!("pid: {}", lab.service.pid()), &format!("pid: {}", bystander.pid())),
    )
    .unwrap();
    for command in ["run", "plan"] {
        let told = Brunt::with([command]).arg(beside.path()).go();
        let said = format!("{}{}", told.stdout, told.stderr);
        assert!(said.contains("the whole machine") || said.contains("brunt itself is in its cgroup"), "{told}");
        assert_eq!(told.code, 3, "{told}");
    }
}
