//! One trial: where it hits is drawn, and who.

use std::fmt;
use std::path::Path;
use std::time::Duration;

use brunt_injector::process;
use brunt_tests::answering::program;
use brunt_tests::brunt::{Brunt, Running};
use brunt_tests::cluster::Cluster;
use brunt_tests::host;
use brunt_tests::scenario::Scenario;
use brunt_tests::trials::Phase;
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;

use super::kinds::{KINDS, Kind, NAMESPACE};

/// A trial that can be made.
#[derive(Debug)]
pub struct Plan {
    pub number: usize,
    pub kind: Kind,
    pub phase: Phase,
    runner: bool,
    agent: bool,
    /// Somebody else changes the object just before.
    pub meddled: bool,
    /// From the beginning of the phase.
    after: Duration,
}

/// What a trial has seen.
#[derive(Debug)]
pub struct Seen {
    /// What the journal said of the fault at that instant.
    pub journal: &'static str,
    /// `brunt cleanup` had something to undo.
    pub cleanup_found: bool,
}

impl fmt::Display for Plan {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { number, kind, phase, meddled, after, .. } = self;
        let (fault, who) = (kind.fault(), self.who());
        write!(f, "trial {number}: {fault}, kill -9 of {who} in {phase} + {after:?}, somebody else: {meddled}")
    }
}

/// What brunt says when it has not heard of its agent, or the agent of it, for longer than the lease.
const LOST: &str = "event=agent.lost";

const WHO: [(bool, bool); 3] = [(true, false), (false, true), (true, true)];
const PHASES: [Phase; 4] = [Phase::Prepare, Phase::Inject, Phase::Active, Phase::Revert];

impl Plan {
    /// All kinds have all phases, and each third active one somebody else at it; who is hit, and when, is drawn.
    pub fn drawn(seed: u64, number: usize) -> Self {
        let (kind, round) = (KINDS[number % KINDS.len()], number / KINDS.len());
        let phase = PHASES[round % PHASES.len()];
        let mut draw = ChaCha8Rng::seed_from_u64(seed.wrapping_add(number as u64));
        let mut below = |bound: u64| draw.next_u64() % bound;
        let (runner, agent) = WHO[below(3) as usize];
        let millis = match phase {
            Phase::Prepare => below(1500),
            Phase::Inject | Phase::Revert => below(200),
            Phase::Active => below(700),
        };
        let meddled = phase == Phase::Active && (round / PHASES.len()).is_multiple_of(2);
        Self { number, kind, phase, runner, agent, meddled, after: Duration::from_millis(millis) }
    }

    pub fn who(&self) -> &'static str {
        match (self.runner, self.agent) {
            (true, true) => "both",
            (true, false) => "the runner",
            _ => "the agent",
        }
    }

    /// Makes it. On a machine that stalls for longer than the lease brunt itself ends the run before the instant has come: then
    /// it is made again.
    #[track_caller]
    pub fn make(&self, cluster: &Cluster) -> Seen {
        for _ in 0..4 {
            if let Some(seen) = self.try_once(cluster) {
                return seen;
            }
        }
        panic!("the instant did not come: the machine stalled for longer than the lease, four times")
    }

    fn try_once(&self, cluster: &Cluster) -> Option<Seen> {
        let scenario = self.scenario();
        let run = cluster.run(&scenario).start();
        let (home, mark) = (run.home(), run.mark().to_owned());
        let state = home.path().join("state");
        let agent = self.wait(&run);
        if self.meddled && agent.is_some() {
            self.kind.meddle(cluster, self.number);
        }
        let journal = agent.map(|agent| self.strike(&run, agent, &state));
        let ended = run.wait();
        // An agent whose runner is dead undoes by itself; so does a runner whose agent is. With both dead the service is left to
        // `cleanup`, of whatever run: waiting for its end would be waiting for another trial to make one.
        let nobody_is_left = journal.is_some() && self.runner && self.agent;
        let over = nobody_is_left || host::comes_true(Duration::from_secs(60), || host::marked(&mark).is_empty());
        assert!(over, "this is left of it: {:?}\n{ended}", host::marked(&mark));
        let cleanup = cluster.beside(Brunt::with(["cleanup"])).state_in(&state).start().wait().expect_code(0);
        let left = host::left_by(&mark);
        assert!(left.is_empty(), "processes are left: {left:?}\n{cleanup}");
        let journal = journal?;
        let found = !cleanup.stdout.contains("nothing is left to undo");
        if self.meddled && self.kind.is_taken_over() {
            // A runner that was killed says nothing any more, and an agent on its own has nobody to say it to.
            let said = if self.runner && self.agent { &cleanup.stdout } else { &ended.stderr };
            let silent = self.runner && !self.agent;
            assert!(silent || said.contains("left alone"), "nobody says so:\n{ended}\n{cleanup}");
        }
        let cut_short = self.phase != Phase::Revert;
        assert!(!cut_short || ended.code != 0, "it says that all was well:\n{ended}");
        Some(Seen { journal, cleanup_found: found })
    }

    fn scenario(&self) -> Scenario {
        let lasts = if self.phase == Phase::Revert { "400ms" } else { "60s" };
        Scenario::new(&format!(
            "
        version: 1
        name: undo
        seed: {seed}
        services: {{ own: {{ run: [ \"{program}\", --port, \"${{port}}\" ] }} }}
        targets:
          api: {{ service: own }}
          it: {{ kubernetes: {{ {target} }} }}
        load: {{ main: {{ target: api, get: /, rate: 5/s, for: timeline, timeout: 1s }} }}
        timeline:
          - pause: 300ms
          - {{ id: it, fault: {fault}, target: it, for: {lasts}{with} }}
          - pause: 10s
        safety: {{ lease: 2s, allow: {{ namespaces: [ \"{NAMESPACE}*\" ] }} }}
        gates: [ {{ metric: requests, min: 0 }} ]
        ",
            seed = self.number,
            program = program().display(),
            target = self.kind.target(self.number),
            fault = self.kind.fault(),
            with = self.kind.with(),
        ))
    }

    /// Until the drawn instant; returns the agent. `None`: it was lost before, by itself.
    #[track_caller]
    fn wait(&self, run: &Running) -> Option<Pid> {
        let mut agent = None;
        let there = host::comes_true(Duration::from_secs(60), || {
            agent = agent_of(run.pid());
            agent.is_some()
        });
        assert!(there, "the agent was never started: {}", run.said());
        let event = match self.phase {
            Phase::Prepare => None,
            Phase::Inject => Some("event=fault.injecting"),
            Phase::Active => Some("event=fault.verified"),
            Phase::Revert => Some("event=fault.removing"),
        };
        let came = event.is_none_or(|event| run.says(event, LOST));
        assert!(came || run.said().contains(LOST), "it never came to {event:?}: {}", run.said());
        std::thread::sleep(self.after);
        agent.filter(|_| came && !run.said().contains(LOST))
    }

    /// Kills, and reads what the journal said just before.
    fn strike(&self, run: &Running, agent: Pid, state: &Path) -> &'static str {
        let journal = std::fs::read_dir(state.join("brunt")).into_iter().flatten().flatten();
        let journal = journal.map(|entry| entry.path()).find(|path| path.extension().is_some_and(|it| it == "journal"));
        let text = journal.and_then(|path| std::fs::read_to_string(path).ok()).unwrap_or_default();
        if self.runner {
            run.signal(Signal::SIGKILL);
        }
        if self.agent {
            // It may have ended by itself this instant.
            let _ = kill(agent, Signal::SIGKILL);
        }
        match (text.contains(r#""doing":{"fault":"it""#), text.contains(r#""undone":{"fault":"it""#)) {
            (false, _) => "nothing of the fault",
            (true, false) => "that it may act",
            (true, true) => "that it is undone",
        }
    }
}

/// The child of the runner that is its agent.
fn agent_of(runner: u32) -> Option<Pid> {
    let children = process::all().ok()?.into_iter().filter(|stat| stat.parent == runner && !stat.is_zombie());
    let is_agent = |pid: u32| {
        let line = std::fs::read(format!("/proc/{pid}/cmdline")).unwrap_or_default();
        line.ends_with(b"\0agent\0")
    };
    children.map(|stat| stat.id.pid).find(|pid| is_agent(*pid)).map(|pid| Pid::from_raw(pid.cast_signed()))
}
