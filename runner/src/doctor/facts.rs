//! What was read and measured on this machine: plain data. `None`: it could not be read, which is said and never guessed.

use serde::Serialize;

use crate::isolation::Way;

/// Everything that the judgement hangs on.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Facts {
    /// `Linux 6.1.0 x86_64`
    pub kernel: String,
    /// Processes can be held by a handle that no reused pid deceives (Linux 5.3).
    pub has_pidfd: bool,
    /// Processors that this process may use at once, by affinity and cgroup.
    pub usable_cores: usize,
    /// Processors of the machine.
    pub cores: usize,
    /// Processor time a second that the cgroup allows.
    pub cpu_quota: Option<f64>,
    /// Memory of the machine, MiB.
    pub memory_mib: u64,
    /// Memory that the cgroup allows, MiB.
    pub memory_limit_mib: Option<u64>,
    /// Open files.
    pub descriptors: Descriptors,
    /// First and last port of outgoing connections.
    pub ports: Option<(u16, u16)>,
    /// What the kernel counts time by.
    pub clock_source: String,
    /// One reading of the clock, nanoseconds.
    pub clock_ns: f64,
    /// How late a timer wakes, microseconds; `None` with the reason if there are no timers.
    pub timer_late: Result<Spread, String>,
    /// Processor time that the host took away while it was measured, a fraction; `None` if nobody counts it.
    pub stolen: Option<f64>,
    /// Byte there and back over 127.0.0.1, microseconds.
    pub loopback: Result<Spread, String>,
    /// Where journals lie, or why nowhere.
    pub state: Result<State, String>,
    /// The effective user.
    pub uid: u32,
    /// May signal processes of other users (root, or CAP_KILL).
    pub may_signal_others: bool,
    /// Rules on packets were put into a network namespace, to try it; or why that cannot be.
    pub packet_rules: Result<(), String>,
    /// The same for a queue on a link there.
    pub packet_queues: Result<(), String>,
    /// The same, and the kernel's emulator of bad lines (netem), on what leaves and what arrives.
    pub packet_emulation: Result<(), String>,
    /// The same, and a program that decides about packets.
    pub packet_verdicts: Result<(), String>,
    /// Whether processes may be put into cgroups; if not, why.
    pub cgroups: Result<(), String>,
    /// Accesses to files can be held (fanotify); or why not, with what helps.
    pub file_accesses: Result<(), String>,
    /// The Kubernetes cluster that answers, or why none does.
    pub kubernetes: Result<String, String>,
    /// The socket of the Docker Engine that answers, or why none does.
    pub docker: Result<String, String>,
    /// How services with `isolate: true` are had, by an attempt that nobody sees; or why not, with what helps.
    pub isolation: Result<Way, String>,
    /// Where a person reads.
    pub terminal: Terminal,
}

/// The limit of open files (RLIMIT_NOFILE).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct Descriptors {
    /// As it is.
    pub soft: u64,
    /// As high as a run raises it.
    pub hard: u64,
    /// How many connections a run may then have open.
    pub connections: usize,
}

/// A spread of measured times.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct Spread {
    /// How many were measured.
    pub samples: usize,
    /// The middle one.
    pub p50_us: f64,
    /// 99 of 100 are not above it.
    pub p99_us: f64,
    /// The largest.
    pub max_us: f64,
}

/// The folder of the journals.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct State {
    /// Which one.
    pub folder: String,
    /// Why nothing can be written there.
    pub problem: Option<String>,
    /// Runs that are going on.
    pub alive: Vec<String>,
    /// Journals of runs that are gone.
    pub left_behind: Vec<String>,
}

/// What stderr is.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Terminal {
    /// Columns and rows; `None`: no terminal.
    pub size: Option<(u16, u16)>,
    /// `$TERM`
    pub term: String,
    /// NO_COLOR is set, or the terminal has none.
    pub no_color: bool,
    /// Its characters are UTF-8.
    pub utf8: bool,
}

/// A machine as it should be.
#[cfg(test)]
pub fn made() -> Facts {
    let spread = |p50_us, p99_us| Spread { samples: 300, p50_us, p99_us, max_us: 2.0 * p99_us };
    Facts {
        kernel: "Linux 6.1.0-28-amd64 x86_64".into(),
        has_pidfd: true,
        usable_cores: 8,
        cores: 8,
        cpu_quota: None,
        memory_mib: 15_900,
        memory_limit_mib: None,
        descriptors: Descriptors { soft: 1024, hard: 1_048_576, connections: 1_048_320 },
        ports: Some((32_768, 60_999)),
        clock_source: "tsc".into(),
        clock_ns: 21.4,
        timer_late: Ok(spread(54.0, 92.0)),
        stolen: Some(0.0),
        loopback: Ok(spread(11.2, 25.0)),
        state: Ok(State {
            folder: "/home/ann/.local/state/brunt".into(),
            problem: None,
            alive: Vec::new(),
            left_behind: Vec::new(),
        }),
        uid: 1000,
        may_signal_others: false,
        isolation: Ok(Way::Apart),
        packet_rules: Ok(()),
        packet_queues: Ok(()),
        packet_emulation: Ok(()),
        packet_verdicts: Ok(()),
        cgroups: Ok(()),
        file_accesses: Ok(()),
        kubernetes: Ok("cluster 7a1e (context `lab`)".into()),
        docker: Ok("/var/run/docker.sock".into()),
        terminal: Terminal { size: Some((160, 50)), term: "xterm-256color".into(), no_color: false, utf8: true },
    }
}

/// The same machine with everything wrong that can be.
#[cfg(test)]
pub fn spoil(facts: &mut Facts) {
    facts.has_pidfd = false;
    facts.isolation =
        Err("this user cannot make network namespaces: Operation not permitted (os error 1); run as root".into());
    facts.usable_cores = 1;
    facts.cpu_quota = Some(0.5);
    facts.memory_limit_mib = Some(256);
    facts.descriptors = Descriptors { soft: 64, hard: 64, connections: 1 };
    facts.ports = Some((40_000, 40_999));
    facts.clock_source = "hpet".into();
    facts.clock_ns = 2_150.0;
    facts.timer_late = Ok(Spread { samples: 300, p50_us: 4_200.0, p99_us: 18_000.0, max_us: 31_000.0 });
    facts.stolen = Some(0.153);
    facts.loopback = Err("Network is unreachable (os error 101)".into());
    facts.state = Ok(State {
        folder: "/home/ann/.local/state/brunt".into(),
        problem: Some("/home/ann: Read-only file system (os error 30)".into()),
        alive: vec!["soak-1a2b".into()],
        left_behind: vec!["shop-77aa".into(), "shop-99cc".into()],
    });
    facts.kubernetes = Err(
        "no Kubernetes cluster: there is no /home/ann/.kube/config, and brunt runs in no pod; name a kubeconfig in KUBECONFIG"
            .into(),
    );
    facts.docker =
        Err("no Docker Engine: there is no /var/run/docker.sock; start it, or name its socket in DOCKER_HOST".into());
    facts.terminal = Terminal { size: Some((40, 10)), term: "dumb".into(), no_color: true, utf8: false };
}
