//! `disk.latency` on real files. Only root may hold accesses: for anybody else these tests show that it is refused.

use std::os::unix::fs::FileExt as _;
use std::path::{Path, PathBuf};
use std::process::{Child, Command};
use std::time::{Duration, Instant};

use brunt_injector::agent::worker;
use brunt_injector::fault::disk::latency;
use brunt_injector::{Injector, ResolveError, Seen, Victims};
use brunt_scenario::plan::{Fault, ParamValue, Params, Target, Text};
use rustix::process::Signal;

use crate::lab::{self, Lab};
use crate::scene::{self, fault};

const LATENCY: Duration = Duration::from_millis(100);
/// Longer than any test: only what releases accesses early ends it.
const FOR_EVER: Duration = Duration::from_secs(600);

fn slow(path: &Path, latency: Duration) -> Fault {
    let path = ParamValue::Text(Text::literal(path.display().to_string()));
    let with = Params([("path", path), ("latency", ParamValue::Duration(latency))].into());
    Fault { with, ..fault("slow", "disk.latency", "it") }
}

/// The victims; `None` where this user may not hold accesses, which must be said.
async fn resolved(injector: &Injector, fault: &Fault, target: &Target) -> Option<Victims> {
    match injector.resolve(fault, target).await {
        Ok(victims) => Some(victims),
        Err(ResolveError::Search { why, .. }) if !rustix::process::geteuid().is_root() => {
            assert!(why.contains("CAP_SYS_ADMIN"), "{why}");
            None
        }
        Err(error) => panic!("{error}"),
    }
}

/// A folder with a file two folders down, and a process that opens and reads it again and again, and counts elsewhere.
struct Reader {
    folder: tempfile::TempDir,
    counts: tempfile::TempDir,
    shell: Option<Child>,
}

impl Reader {
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        std::fs::create_dir_all(folder.path().join("a/b")).unwrap();
        std::fs::write(folder.path().join("a/b/data"), "\n").unwrap();
        Self { folder, counts: tempfile::tempdir().unwrap(), shell: None }
    }

    fn started() -> Self {
        let mut reader = Self::new();
        reader.shell = Some(Command::new("sh").args(["-c", &reader.script(1)]).spawn().unwrap());
        reader.reads(1);
        reader
    }

    fn path(&self) -> PathBuf {
        self.folder.path().canonicalize().unwrap()
    }

    fn data(&self) -> PathBuf {
        self.path().join("a/b/data")
    }

    /// A shell reads without another process, so that every access is its own; `at_once` of it read at the same time.
    fn script(&self, at_once: usize) -> String {
        let (data, count) = (self.data(), self.counts.path().join("count"));
        let (data, count) = (data.display(), count.display());
        let read = match at_once {
            1 => format!("read -r line < {data}"),
            many => format!("{} wait", format!("(read -r line < {data}) & ").repeat(many)),
        };
        format!("while :; do {read}; echo >> {count}; sleep 0.01; done")
    }

    fn target(&self) -> Target {
        scene::process(self.shell.as_ref().unwrap().id())
    }

    fn count(&self) -> u64 {
        std::fs::metadata(self.counts.path().join("count")).map_or(0, |about| about.len())
    }

    /// Waits until it has read so many times more; how long that took.
    #[track_caller]
    fn reads(&self, more: u64) -> Duration {
        let (started, before) = (Instant::now(), self.count());
        lab::eventually("it reads", || self.count() >= before + more);
        started.elapsed()
    }

    /// Injects a hold for ever into the process, and waits until it is stuck. `None` where that is refused.
    async fn stuck(&self, lab: &Lab, name: &str) -> Option<Injector> {
        let (injector, _events) = lab.start(name).await;
        let slow = slow(&self.path(), FOR_EVER);
        let victims = resolved(&injector, &slow, &self.target()).await?;
        injector.inject(&slow, &victims).await.unwrap();
        let until = Instant::now() + Duration::from_secs(20);
        while !format!("{:?}", injector.verify("slow").await.unwrap()).contains("waiting") {
            assert!(Instant::now() < until, "no access waits");
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
        let before = self.count();
        std::thread::sleep(Duration::from_millis(100));
        assert_eq!(self.count(), before, "it waits");
        Some(injector)
    }
}

impl Drop for Reader {
    fn drop(&mut self) {
        if let Some(shell) = &mut self.shell {
            let _ = shell.kill();
            let _ = shell.wait();
        }
    }
}

fn gate(name: &str) -> u32 {
    let found = worker::find(&worker::mark_of(&Lab::run_id(name), "slow"));
    assert_eq!(found.len(), 1, "one worker: {found:?}");
    found[0].pid
}

#[tokio::test]
async fn a_services_reads_wait_and_those_of_another_process_do_not_until_it_is_undone() {
    let (lab, reader) = (Lab::new(), Reader::new());
    let (injector, _events) = lab.start("disk").await;
    injector.start_instance(scene::shell(lab.state(), "it", 0, &reader.script(1))).await.unwrap();
    reader.reads(1);
    let slow = slow(&reader.path(), LATENCY);
    let Some(victims) = resolved(&injector, &slow, &Target::Service("it".into())).await else { return };
    injector.inject(&slow, &victims).await.unwrap();

    reader.reads(1);
    // Two opens and two reads at least.
    let took = reader.reads(2);
    assert!(took > LATENCY * 3, "{took:?} for two reads");
    // The best of some: of a process that is not meant, nothing is held.
    let beside = (0..10).map(|_| {
        let started = Instant::now();
        assert_eq!(std::fs::read(reader.data()).unwrap(), b"\n");
        started.elapsed()
    });
    let beside = beside.min().unwrap();
    assert!(beside < LATENCY / 2, "a bystander's read took {beside:?}");
    let seen = injector.verify("slow").await.unwrap();
    assert!(matches!(&seen, Seen::Yes(text) if text.contains("(100.0 ms asked for)")), "{seen:?}");

    let reverted = injector.revert("slow").await;
    assert!(matches!(reverted.effect, Seen::Yes(_)), "{reverted:?}");
    assert_eq!((reverted.rollback_verified, reverted.error.as_deref()), (Some(true), None));
    let best = (0..10).map(|_| reader.reads(1)).min().unwrap();
    assert!(best < LATENCY, "{best:?} for a read after the fault");
    injector.close().await.unwrap();
    assert_eq!(lab.journals(), 0);
}

#[tokio::test]
async fn a_service_that_opens_its_file_when_it_starts_waits_for_reads_from_it_too() {
    let (lab, reader) = (Lab::new(), Reader::new());
    std::fs::write(reader.data(), "\n".repeat(100_000)).unwrap();
    let (injector, _events) = lab.start("open-before").await;
    let (data, count) = (reader.data(), reader.counts.path().join("count"));
    // A line is a read: a shell asks for byte after byte.
    let (data, count) = (data.display(), count.display());
    let script = format!("exec 3< {data}; while read -r line <&3; do echo >> {count}; sleep 0.01; done; sleep 1000");
    let mut spec = scene::shell(lab.state(), "it", 0, &script);
    spec.watched = vec![reader.path().display().to_string()];
    let slow = slow(&reader.path(), LATENCY);
    if latency::may_hold().is_err() {
        spec.watched.clear();
    }
    injector.start_instance(spec).await.unwrap();
    reader.reads(3);
    let Some(victims) = resolved(&injector, &slow, &Target::Service("it".into())).await else { return };
    injector.inject(&slow, &victims).await.unwrap();
    reader.reads(1);
    let took = reader.reads(2);
    assert!(took > LATENCY, "{took:?} for two reads");
    let seen = injector.verify("slow").await.unwrap();
    assert!(matches!(&seen, Seen::Yes(_)), "{seen:?}");
    injector.revert("slow").await;
    injector.close().await.unwrap();
}

#[tokio::test]
async fn accesses_that_wait_at_the_same_time_do_not_wait_for_each_other() {
    let (lab, reader) = (Lab::new(), Reader::new());
    let (injector, _events) = lab.start("together").await;
    injector.start_instance(scene::shell(lab.state(), "it", 0, &reader.script(16))).await.unwrap();
    reader.reads(1);
    let latency = Duration::from_millis(500);
    let slow = slow(&reader.path(), latency);
    let Some(victims) = resolved(&injector, &slow, &Target::Service("it".into())).await else { return };
    injector.inject(&slow, &victims).await.unwrap();
    reader.reads(1);
    // Each opens and reads; one after the other they would need sixteen times as long. A shell may read twice.
    let took = reader.reads(1);
    assert!(took > latency && took < latency * 8, "{took:?}");
    injector.revert("slow").await;
    injector.close().await.unwrap();
}

#[tokio::test]
async fn what_is_held_goes_on_when_the_fault_is_reverted() {
    let (lab, reader) = (Lab::new(), Reader::started());
    let Some(injector) = reader.stuck(&lab, "undone").await else { return };
    let started = Instant::now();
    let reverted = injector.revert("slow").await;
    assert_eq!(reverted.rollback_verified, Some(true), "{reverted:?}");
    assert!(matches!(reverted.effect, Seen::NotExercised(_)), "none was held for its whole time: {reverted:?}");
    reader.reads(3);
    assert!(started.elapsed() < Duration::from_secs(5), "{:?}", started.elapsed());
    injector.close().await.unwrap();
}

#[tokio::test]
async fn what_is_held_goes_on_when_the_agent_is_killed_or_stopped() {
    for (name, signal) in [("agent-killed", Signal::KILL), ("agent-stopped", Signal::STOP)] {
        let (lab, reader) = (Lab::new(), Reader::started());
        let Some(injector) = reader.stuck(&lab, name).await else { return };
        lab::signal(injector.agent().pid, signal);
        // A stop ends with the lease, which is five seconds here.
        reader.reads(3);
        lab::eventually("no worker is left", || worker::find(&worker::mark_of(&Lab::run_id(name), "slow")).is_empty());
        if lab::state_of(injector.agent().pid).is_some() {
            lab::kill(injector.agent().pid);
        }
        let _ = injector.close().await;
    }
}

#[tokio::test]
async fn the_kernel_ends_a_worker_that_is_stopped_and_lets_all_pass_and_the_effect_is_missed() {
    let (lab, reader) = (Lab::new(), Reader::started());
    let Some(injector) = reader.stuck(&lab, "gate-stopped").await else { return };
    let gate = gate("gate-stopped");
    lab::signal(gate, Signal::STOP);
    // Nobody sends SIGCONT, and agent and runner go on: only the timer can end it.
    reader.reads(3);
    let seen = injector.verify("slow").await.unwrap();
    assert!(matches!(&seen, Seen::Absent(text) if text.contains("was killed")), "{seen:?}");
    assert_eq!(injector.revert("slow").await.rollback_verified, Some(true));
    injector.close().await.unwrap();
}

#[tokio::test]
async fn a_delay_that_only_pretends_is_not_seen() {
    let (lab, reader) = (Lab::new(), Reader::started());
    let options = brunt_injector::Options { force_no_effect: true, ..lab.options("no-delay") };
    let (injector, _events) = Injector::start(options).await.unwrap();
    let slow = slow(&reader.path(), LATENCY);
    let Some(victims) = resolved(&injector, &slow, &reader.target()).await else { return };
    injector.inject(&slow, &victims).await.unwrap();
    reader.reads(2);
    let seen = injector.verify("slow").await.unwrap();
    assert!(matches!(&seen, Seen::Absent(text) if text.starts_with("none of ")), "{seen:?}");
    injector.revert("slow").await;
    injector.close().await.unwrap();
}

#[tokio::test]
async fn where_nothing_is_opened_it_is_not_exercised_and_brunts_own_folders_are_refused() {
    let (lab, reader) = (Lab::new(), Reader::started());
    let (injector, _events) = lab.start("idle").await;
    let quiet = tempfile::tempdir().unwrap();
    std::fs::write(quiet.path().join("file"), "x").unwrap();
    let idle = slow(&quiet.path().canonicalize().unwrap(), LATENCY);
    let Some(victims) = resolved(&injector, &idle, &reader.target()).await else { return };
    injector.inject(&idle, &victims).await.unwrap();
    // A bystander's accesses prove nothing.
    std::fs::File::open(quiet.path().join("file")).unwrap().read_at(&mut [0], 0).unwrap();
    let seen = injector.verify("slow").await.unwrap();
    assert!(matches!(&seen, Seen::NotExercised(text) if text.contains("open before")), "{seen:?}");
    injector.revert("slow").await;

    let own = injector.resolve(&slow(&lab.state().canonicalize().unwrap(), LATENCY), &reader.target()).await;
    assert!(own.unwrap_err().to_string().contains("brunt's own journal"));
    let none = injector.resolve(&slow(Path::new("/no/such/folder"), LATENCY), &reader.target()).await;
    assert!(none.unwrap_err().to_string().contains("No such file"));
    injector.close().await.unwrap();
}
