//! One trial: where it hits is drawn, what is left is looked at.

use std::fmt;
use std::path::Path;
use std::time::{Duration, Instant};

use brunt_injector::process;
use brunt_tests::answering::{Answering, program};
use brunt_tests::brunt::{Brunt, Running};
use brunt_tests::host;
use brunt_tests::namespaces::Namespaces;
use brunt_tests::scenario::Scenario;
use brunt_tests::trials::Phase;
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;

use crate::kinds::{ActsOn, Kind};
use crate::probe::Probe;
use crate::state::State;
use crate::weight::Weight;

/// What is hit, and how.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Hit {
    pub runner: bool,
    pub agent: bool,
    /// SIGSTOP, else SIGKILL.
    pub stop: bool,
}

impl fmt::Display for Hit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let who = match (self.runner, self.agent) {
            (true, true) => "both",
            (true, false) => "runner",
            _ => "agent",
        };
        write!(f, "{} {who}", if self.stop { "stop" } else { "kill" })
    }
}

/// A trial that can be made.
#[derive(Debug)]
pub struct Plan {
    pub number: usize,
    kind: &'static Kind,
    pub hit: Hit,
    pub phase: Phase,
    /// From the beginning of the phase.
    after: Duration,
    /// What is stopped goes on afterwards, else it is killed.
    goes_on: bool,
    lease: Duration,
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
        let Self { number, kind, hit, phase, after, goes_on, lease } = self;
        let name = kind.name;
        write!(f, "trial {number}: {name}, {hit} in {phase} + {after:?}, lease {lease:?}, goes on: {goes_on}")
    }
}

/// What brunt says when it has not heard of its agent, or the agent of it, for longer than the lease.
const LOST: &str = "event=agent.lost";

const WHO: [(bool, bool); 3] = [(true, false), (false, true), (true, true)];
const PHASES: [Phase; 4] = [Phase::Prepare, Phase::Inject, Phase::Active, Phase::Revert];

impl Plan {
    /// The `round`th trial of a kind. Four rounds have all phases; who is hit, and how, is drawn.
    pub fn drawn(seed: u64, number: usize, kind: &'static Kind, round: usize) -> Self {
        let mut draw = ChaCha8Rng::seed_from_u64(seed.wrapping_add(number as u64));
        let mut below = |bound: u64| draw.next_u64() % bound;
        let phase = PHASES[round % PHASES.len()];
        let (runner, agent) = WHO[below(3) as usize];
        let hit = Hit { runner, agent, stop: below(2) == 0 };
        let micros = match phase {
            Phase::Prepare => below(600_000),
            Phase::Inject | Phase::Revert => below(20_000),
            Phase::Active => below(700_000),
        };
        let (after, goes_on) = (Duration::from_micros(micros), below(2) == 0);
        Self { number, kind, hit, phase, after, goes_on, lease: Duration::from_secs(2) }
    }

    /// With the lease that a user has who asks for none. Only a stop needs it: a death is seen at once.
    pub fn long(seed: u64, number: usize, kind: &'static Kind) -> Self {
        let plan = Self::drawn(seed, number, kind, 2);
        // The agent can still continue a stranger when the lease is over, if it lives.
        let agent = matches!(kind.acts_on, ActsOn::Packets | ActsOn::Weight);
        Self { hit: Hit { runner: true, agent, stop: true }, lease: Duration::from_secs(15), ..plan }
    }

    /// Makes it. On a machine that stalls for longer than the lease brunt itself ends the run before the instant has come: then
    /// it is made again.
    #[track_caller]
    pub fn make(&self) -> Seen {
        for _ in 0..4 {
            if let Some(seen) = self.try_once() {
                return seen;
            }
        }
        panic!("the instant did not come: the machine stalled for longer than the lease, four times")
    }

    fn try_once(&self) -> Option<Seen> {
        // What is declared first ends last: a cgroup can go only when nobody is in it any more.
        let weight;
        let network = Namespaces::pair();
        let service = Answering::inside(&network.server);
        weight = Weight::none_on(service.pid());
        let probe = Probe::start(&network);
        let scenario = self.scenario(&network, &service, weight.disk());
        // Not `ip netns exec`, which gives its program a /sys of its own, without cgroups.
        let inside = format!("--net=/run/netns/{}", network.client);
        let run = Brunt::run(&scenario).arg("--allow-exec").under(["nsenter", &inside]);
        let state_folder = run.home().join("state");
        let folder = scenario.folder();
        let look = || State::of(&network, &weight, [&state_folder, folder.path()]);
        let before = look();
        assert_eq!(probe.lasting_trouble(), None, "{self}: before anything");

        let run = run.start();
        // Lives as long as this, and the journal in it.
        let _home = run.home();
        let agent = self.wait(&run, &probe, &service, &weight)?;
        let journal = self.strike(&run, agent, &state_folder);
        let hit = Instant::now();
        std::thread::sleep((self.lease + Duration::from_secs(1)).saturating_sub(hit.elapsed()));
        self.nothing_acts(&probe, &service, &weight, run.mark());
        let (mark, said) = (run.mark().to_owned(), run.said());
        self.let_end(run, agent);

        let cleanup = Brunt::with(["cleanup"]).state_in(&state_folder).start().wait().expect_code(0);
        let left = host::left_by(&mark);
        assert!(left.is_empty(), "processes are left: {left:?}\n{cleanup}");
        let stopped = host::state(service.pid()) == Some('T');
        assert!(!stopped, "the stranger is still stopped; the journal said {journal}\n{cleanup}{said}");
        assert_eq!(weight.lasting(), None, "the stranger still bears it after all\n{cleanup}{said}");
        let changes = before.changes(&look());
        assert!(changes.is_empty(), "this is left:\n{changes}{cleanup}");
        Some(Seen { journal, cleanup_found: !cleanup.stdout.contains("nothing is left to undo") })
    }

    fn scenario(&self, network: &Namespaces, service: &Answering, disk: &Path) -> Scenario {
        let lasts = if self.phase == Phase::Revert { "400ms" } else { "60s" };
        let fill = |text: &str| {
            text.replace("{program}", &program().display().to_string())
                .replace("{stranger}", &service.pid().to_string())
                .replace("{disk}", &disk.display().to_string())
                .replace("{for}", lasts)
        };
        let Kind { fault, services, targets, .. } = self.kind;
        let span = if fault.contains("process.kill") { String::new() } else { format!(", for: {lasts}") };
        let targets = if targets.is_empty() { String::new() } else { format!(", {}", fill(targets)) };
        Scenario::new(&format!(
            "
        version: 1
        name: undo
        seed: {seed}
        {services}
        targets: {{ api: {{ url: \"http://{server}:{port}\" }}, lab: {{ netns: {lab} }}{targets} }}
        load: {{ main: {{ target: api, get: /, rate: 5/s, for: timeline, timeout: 1s }} }}
        timeline:
          - pause: 300ms
          - {{ id: it{span}, {fault} }}
          - pause: 10s
        safety: {{ lease: {lease}s }}
        gates: [ {{ metric: requests, min: 0 }} ]
        ",
            seed = self.number,
            services = fill(services),
            server = Namespaces::SERVER,
            port = service.port(),
            lab = network.server,
            fault = fill(fault),
            lease = self.lease.as_secs(),
        ))
    }

    /// Until the drawn instant; returns the agent. A fault that is to be hit while it acts is seen to act. `None`: the agent was
    /// lost before, by itself.
    #[track_caller]
    fn wait(&self, run: &Running, probe: &Probe, service: &Answering, weight: &Weight) -> Option<Pid> {
        let mut agent = None;
        let there = host::comes_true(Duration::from_secs(60), || {
            agent = agent_of(run.pid());
            agent.is_some()
        });
        assert!(there, "the agent was never started: {}", run.said());
        let event = match self.phase {
            Phase::Prepare => None,
            Phase::Inject => Some("event=fault.injecting"),
            Phase::Active => Some("event=fault.active"),
            Phase::Revert => Some(self.kind.reverting),
        };
        let came = event.is_none_or(|event| run.says(event, LOST));
        assert!(came || run.said().contains(LOST), "it never came to {event:?}: {}", run.said());
        let acts = || match self.kind.acts_on {
            ActsOn::Packets => probe.trouble().is_some(),
            ActsOn::Stranger => host::state(service.pid()) == Some('T'),
            ActsOn::Weight => weight.seen().is_some(),
            ActsOn::Accesses => host::marked(run.mark()).iter().any(|one| one.command.ends_with("--worker")),
            ActsOn::Own | ActsOn::Flag => true,
        };
        let acts = !came || self.phase != Phase::Active || acts();
        assert!(acts || run.said().contains(LOST), "the fault does nothing: {}", run.said());
        std::thread::sleep(self.after);
        agent.filter(|_| came && !run.said().contains(LOST))
    }

    /// Sends the signals, and reads what the journal said just before.
    fn strike(&self, run: &Running, agent: Pid, state: &Path) -> &'static str {
        let signal = if self.hit.stop { Signal::SIGSTOP } else { Signal::SIGKILL };
        let journal = std::fs::read_dir(state.join("brunt")).into_iter().flatten().flatten();
        let journal = journal.map(|entry| entry.path()).find(|path| path.extension().is_some_and(|it| it == "journal"));
        let text = journal.and_then(|path| std::fs::read_to_string(path).ok()).unwrap_or_default();
        if self.hit.runner {
            run.signal(signal);
        }
        if self.hit.agent {
            // It may have ended by itself this instant.
            let _ = kill(agent, signal);
        }
        match (text.contains(r#""doing":{"fault":"it""#), text.contains(r#""undone":{"fault":"it""#)) {
            (false, _) => "nothing of the fault",
            (true, false) => "that it may act",
            (true, true) => "that it is undone",
        }
    }

    /// The lease and a second are over.
    #[track_caller]
    fn nothing_acts(&self, probe: &Probe, service: &Answering, weight: &Weight, mark: &str) {
        assert_eq!(probe.lasting_trouble(), None, "a rule still acts");
        assert_eq!(weight.lasting(), None, "the stranger still bears it");
        let workers = || host::marked(mark).into_iter().filter(|one| one.command.ends_with("--worker")).count();
        assert!(host::comes_true(Duration::from_millis(500), || workers() == 0), "a worker is still there");
        if !(self.hit.runner && self.hit.agent) {
            assert_ne!(host::state(service.pid()), Some('T'), "the stranger is still stopped");
        }
    }

    /// What was stopped goes on and must find its end, or is killed as it is.
    fn let_end(&self, run: Running, agent: Pid) {
        if self.hit.stop {
            let signal = if self.goes_on { Signal::SIGCONT } else { Signal::SIGKILL };
            // Before the runner's end gives it another parent.
            let agent_is_there = agent_of(run.pid()) == Some(agent);
            if self.hit.runner {
                run.signal(signal);
            }
            if self.hit.agent && agent_is_there {
                let _ = kill(agent, signal);
            }
        }
        let ended = run.wait();
        let fault_was_cut_short = !matches!(self.phase, Phase::Revert);
        assert!(!fault_was_cut_short || ended.code != 0, "it says that all was well:\n{ended}");
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
