//! How this version carries faults out: what `brunt faults` and `brunt explain` say beside the language's own table
//! ([`brunt_scenario::catalogue`]: what a kind does, its parameters and targets). A new fault is a file below `fault/`, a line
//! there and a line here for each mechanism: what a link carries and what packets are is told apart. Of a kind that is not
//! built there is nothing to say here.

use brunt_kubernetes::rights::acts_inside;
use brunt_scenario::catalogue::{FaultKind, TargetKind};
use brunt_scenario::plan::Fault;

use crate::fault::packet::{self, bandwidth};

/// How a kind of fault is carried out.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Entry {
    /// `network.latency`
    pub kind: &'static str,
    /// The targets on which it is carried out in this way.
    pub on: &'static [TargetKind],
    /// What the service feels.
    pub feels: &'static str,
    /// What brunt must be allowed to do.
    pub privilege: &'static str,
    /// The mechanism.
    pub rung: &'static str,
    /// How its effect is seen.
    pub verified: &'static str,
    /// How it is undone.
    pub undone: &'static str,
}

/// A fault that brunt's proxy does to the bytes of a link.
const fn stream(kind: &'static str, feels: &'static str, verified: &'static str) -> Entry {
    let undone = "the proxy forgets it; it lives in the run's own process and ends with it";
    Entry { kind, on: &[TargetKind::Link], feels, privilege: "none", rung: "brunt's proxy (stream)", verified, undone }
}

/// A fault that the kernel does to the packets of a network namespace: one with a name, or a container's.
const fn packet(kind: &'static str, feels: &'static str, verified: &'static str) -> Entry {
    let undone =
        "the kernel removes the rules with the agent that owns them; they act only while it renews their lease";
    let privilege = "root (CAP_NET_ADMIN, CAP_SYS_ADMIN)";
    Entry { kind, on: PACKETS, feels, privilege, rung: RULES, verified, undone }
}

/// The mechanism by which the kernel emulates a bad line.
pub const NETEM: &str = "netem (packets)";

/// The mechanism by which the kernel keeps a rate.
pub const HTB: &str = "htb (packets)";

/// The mechanism by which the kernel drops packets.
pub const RULES: &str = "nf_tables (packets)";

/// The mechanism by which a thread of the agent decides about packets.
pub const QUEUE: &str = "NFQUEUE (packets)";

/// What has a network namespace to itself.
const NETWORKS: &[TargetKind] = &[TargetKind::Netns, TargetKind::Docker];

/// The same by the kernel's own queues, where it has netem.
const fn emulated(kind: &'static str, feels: &'static str, verified: &'static str) -> Entry {
    let undone =
        "the links get back what they had, compared; what a death leaves holds nothing, `brunt cleanup` removes it";
    Entry { on: NETWORKS, rung: NETEM, undone, ..packet(kind, feels, verified) }
}

/// A fault on the packets of a network namespace that a thread of the agent decides about.
const fn queued(kind: &'static str, feels: &'static str, verified: &'static str) -> Entry {
    Entry { rung: QUEUE, ..packet(kind, feels, verified) }
}

/// A fault that the agent does to processes.
const fn process(kind: &'static str, feels: &'static str, verified: &'static str, undone: &'static str) -> Entry {
    let on = &[TargetKind::Service, TargetKind::Process];
    Entry { kind, on, feels, privilege: "same user, or root", rung: "signals by pidfd", verified, undone }
}

/// A fault that an agent beside a container of a pod does to processes in it.
const fn in_container(kind: &'static str, feels: &'static str, verified: &'static str, undone: &'static str) -> Entry {
    let privilege =
        "patch of pods/ephemeralcontainers and attach; inside the container's own user, else root with KILL alone";
    let on = &[TargetKind::Kubernetes];
    Entry { kind, on, feels, privilege, rung: "signals by pidfd", verified, undone }
}

/// What has packets: a process by the ports on which it listens.
const PACKETS: &[TargetKind] =
    &[TargetKind::Service, TargetKind::Process, TargetKind::Docker, TargetKind::Kubernetes, TargetKind::Netns];

/// The engine pauses, stops and restarts; kills go past it.
const ENGINE: &str = "Docker Engine and pidfd";

/// A fault that the agent does to containers.
const fn container(kind: &'static str, feels: &'static str, verified: &'static str, undone: &'static str) -> Entry {
    let privilege = "the Docker Engine's socket";
    Entry { kind, on: &[TargetKind::Docker], feels, privilege, rung: ENGINE, verified, undone }
}

/// The mechanism of faults on pods, deployments and nodes.
pub const API: &str = "Kubernetes API";

/// A fault that the agent does through the API of a cluster.
const fn cluster(
    kind: &'static str,
    feels: &'static str,
    privilege: &'static str,
    verified: &'static str,
    undone: &'static str,
) -> Entry {
    Entry { kind, on: &[TargetKind::Kubernetes], feels, privilege, rung: API, verified, undone }
}

/// What changes the template of a deployment.
const ROLLS: &str = "get and patch deployments, list pods";
const ROLLED: &str = "a pod of the deployment has it, by its kubelet's account";
const ROLLED_BACK: &str = "the template gets the field back, by the runner, the agent, or `brunt cleanup`; what somebody else has made of it \
                           meanwhile is left alone";

/// What has a file tree and limits of its own, or shares those of the host.
const EVERY_PROCESS: &[TargetKind] = &[TargetKind::Service, TargetKind::Process, TargetKind::Docker];

/// A fault by a worker in the target's cgroup. Services of brunt's are in brunt's own, so there is none for them.
const fn weight(kind: &'static str, feels: &'static str, verified: &'static str) -> Entry {
    let on = &[TargetKind::Process, TargetKind::Docker];
    let undone = "the worker ends, with the agent at the latest; a cgroup that is root's or brunt's own is refused";
    Entry { kind, on, feels, privilege: "root (the cgroup's cgroup.procs)", rung: CGROUP, verified, undone }
}

/// The mechanism by which a worker holds accesses to files.
pub const FANOTIFY: &str = "fanotify";

/// The mechanism of faults by a worker in the target's cgroup.
pub const CGROUP: &str = "workers in cgroups";

/// The mechanism of what weighs on a pod from inside.
pub const IN_POD: &str = "workers in the pod";

const HELD: &str = "the first message that it acted on was held for the drawn delay";
const DROPPED: &str = "every packet that came along was dropped, by the kernel's counters";
const SHARED: &str = "the share of packets that it counted has the one that was asked for in its 99.99 % interval";
const COUNTED: &str = "at least one connection or request was affected, by the proxy's own counters";
const SILENT: &str = "bytes were held back, and a fresh connection of brunt's own gets nothing";
const PACED: &str = "bytes were held back, and no more than the rate passed while the wire was busy";
const SILENCED: &str = "bytes were held back or connections closed, and a fresh one of brunt's own is not answered";

/// The kinds that are built, in the order in which people read them.
pub const ALL: &[Entry] = &[
    stream("network.latency", "every message of a connection is held; connecting itself is not delayed", HELD),
    emulated(
        "network.latency",
        "every packet is held for the same time (at most 500 ms; others by NFQUEUE), in order",
        "what came along went through the queue, and half of brunt's probes were held as asked, within 5 ms or 5 %",
    ),
    queued(
        "network.latency",
        "every packet is held, so connecting takes longer, too; packets of one flow keep their order",
        "packets were held, and half of them went on within 5 ms, or 5 %, of when they should",
    ),
    stream("network.partition", "bytes stall and are delivered after healing; new connections hang", SILENT),
    packet("network.partition", "no packet passes; TCP goes on when it is over, once it sends again", DROPPED),
    stream("network.blackhole", "bytes vanish; connections that lost some are reset on removal", SILENT),
    packet("network.blackhole", "on packets the same as a partition, in the direction that is meant", DROPPED),
    emulated("network.loss", "packets vanish on the way, alone or by a `model`; no sender is told", SHARED),
    packet(
        "network.loss",
        "packets vanish, each with a chance: TCP sends again, and a few requests are late by very much",
        "the share that was counted has the one that was asked for in its 99.99 % interval",
    ),
    queued("network.loss", "packets vanish in runs or bursts (`correlation`, `model`)", SHARED),
    queued("network.duplicate", "packets come twice; TCP throws the second one away", SHARED),
    emulated("network.reorder", "some packets overtake others, which are held (at most 500 ms)", SHARED),
    queued("network.reorder", "some packets overtake others, which are held; TCP takes the gap for a loss", SHARED),
    queued("network.corrupt", "the receiver's checksum finds the damage: a loss with another cause", SHARED),
    queued(
        "network.dns",
        "names fail to resolve, resolve elsewhere, or late: answers over UDP (port 53) that arrive; not over TCP, TLS or HTTPS",
        "at least one answer about the names was held, dropped or rewritten",
    ),
    stream("network.bandwidth", "bytes come no faster than a rate that all connections share", PACED),
    Entry {
        kind: "network.bandwidth",
        on: NETWORKS,
        feels: "what leaves a `netns` for anybody (`direction: from`) waits before a thin wire, and what finds no room there is lost; where \
                there is netem, also what arrives, and containers",
        privilege: "root (CAP_NET_ADMIN, CAP_SYS_ADMIN)",
        rung: HTB,
        verified: "packets had to wait, and no more than the rate passed, by the kernel's counters",
        undone: "the links get back what they had, compared; what a death leaves holds nothing, `brunt cleanup` removes it",
    },
    queued(
        "network.bandwidth",
        "packets wait before a thin wire, one for each direction; what finds no room there is lost",
        "packets had to wait, and the bytes that passed meanwhile were the rate, by the agent's counters",
    ),
    stream("tcp.reset", "both sides get a reset", COUNTED),
    stream("tcp.timeout", "no byte passes, then the connection closes", SILENCED),
    stream("tcp.slow_close", "the close is passed on late", "the first close that it held was held for the delay"),
    stream("tcp.slicer", "small pieces with gaps", COUNTED),
    stream("tcp.limit", "closed after so many bytes of replies, or of requests", COUNTED),
    stream("http.latency", "requests are held (HTTP/1.1, not on TLS)", COUNTED),
    stream("http.error", "requests are answered with an error by the proxy (HTTP/1.1, not on TLS)", COUNTED),
    stream("http.abort", "connections of requests are closed without a reply (HTTP/1.1, not on TLS)", COUNTED),
    stream("http.body", "bodies of replies are replaced or cut short (HTTP/1.1, not on TLS)", COUNTED),
    stream("http.header", "headers of replies are set or removed (HTTP/1.1, not on TLS)", COUNTED),
    process(
        "process.kill",
        "it is gone at once, as after a crash; an instance with its whole process group",
        "the pidfd of the very process that was picked says that it has ended",
        "restart_after starts the same instance at the same port (service only); else it has no inverse",
    ),
    in_container(
        "process.kill",
        "each that fits is gone at once; not a container's first process (pid 1), which no signal from inside kills",
        "the pidfd of the very process says that it has ended, or its container has ended with it",
        "it has no inverse; the window lasts until as many pods are ready as before",
    ),
    process(
        "process.pause",
        "it does not run, and its kernel goes on accepting: silence instead of resets",
        "every thread is in state T in /proc",
        "SIGCONT, by the runner, the agent, or `brunt cleanup`; what was stopped before is refused",
    ),
    in_container(
        "process.pause",
        "each that fits does not run, and its kernel goes on accepting; not a container's first process (pid 1)",
        "every thread is in state T in the /proc of its container",
        "SIGCONT, by the agent in the pod at its lease at the latest, or by another one there if that was killed",
    ),
    Entry {
        kind: "process.restart",
        on: &[TargetKind::Service],
        feels: "it is asked to end as on a deployment, and starts cold at the same port",
        privilege: "same user, or root",
        rung: "signals by pidfd",
        verified: "the old process has ended, a new one runs",
        undone: "it undoes itself",
    },
    Entry {
        kind: "container.kill",
        on: &[TargetKind::Docker],
        feels: "it is gone at once, as after a crash, so its restart policy acts",
        privilege: "the Docker Engine's socket, and root, or its user where it runs without root",
        rung: ENGINE,
        verified: "the pidfd of its main process says that it has ended",
        undone: "it has no inverse; a restart policy brings it back, and the window lasts until then",
    },
    container(
        "container.pause",
        "nothing in it runs, and its kernel goes on accepting: silence instead of resets",
        "its cgroup says that it is frozen",
        "unpaused by the runner, the agent, or `brunt cleanup`; what was paused before is refused",
    ),
    container(
        "container.restart",
        "it is asked to end, killed after `grace`, and starts cold",
        "the old main process has ended, a new one runs",
        "it undoes itself; if it stays down, the agent or `brunt cleanup` starts it",
    ),
    container(
        "container.stop",
        "it is asked to end, killed after `grace`, and stays down",
        "the pidfd of its main process says that it has ended, and it is still down",
        "started by the runner, the agent, or `brunt cleanup`; one that ends with `--rm` is refused",
    ),
    weight(
        "stress.cpu",
        "others use up its share of the processors, or its quota: it waits for its turn",
        "the time that the kernel charged its cgroup for, and that the worker ran or waited for a turn",
    ),
    Entry {
        kind: "stress.cpu",
        on: &[TargetKind::Kubernetes],
        feels: "others use up the quota of its pod: it is throttled; only where each container of the pod has a limit of processors",
        privilege: "patch of pods/ephemeralcontainers and attach; no capability inside",
        rung: IN_POD,
        verified: "the time that the worker ran, or waited for a turn",
        undone: "the worker ends, with the agent in the pod at its lease at the latest; its container stays in the pod's list, ended",
    },
    weight(
        "stress.memory",
        "little is left below its limit; what wants more has the worker killed first",
        "what its cgroup is charged for, and what the worker has in memory; without a limit it is refused",
    ),
    weight(
        "stress.io",
        "reads and writes wait behind direct writes of a worker in its cgroup",
        "the bytes that reached the device; where there is none (tmpfs) it is refused",
    ),
    Entry {
        kind: "stress.fds",
        on: EVERY_PROCESS,
        feels: "accept, open and connect fail with EMFILE: nobody can open its descriptors, but its limit can be lowered",
        privilege: "same user, or root",
        rung: "prlimit",
        verified: "its limit and its open descriptors in /proc",
        undone: "the old limit, by the agent, a worker that outlives it, or `brunt cleanup`; its children get it back, too",
    },
    Entry {
        kind: "disk.fill",
        on: EVERY_PROCESS,
        feels: "writes fail with ENOSPC, as those of all others on that file system do",
        privilege: "to write to the folder",
        rung: "files without a name",
        verified: "the file system says that it is so full",
        undone: "the file has no name and ends with the worker that holds it; room is kept for brunt's own files",
    },
    Entry {
        kind: "disk.latency",
        on: EVERY_PROCESS,
        feels: "opening a file waits, and so does each read from one opened meanwhile, also out of the page cache; not writes",
        privilege: "root (CAP_SYS_ADMIN of the host)",
        rung: FANOTIFY,
        verified: "the target's own accesses were held, half of them for as long as they should within 5 ms, or 5 %",
        undone: "the worker ends, with the agent at the latest, or killed by the kernel if it is stopped; then all passes",
    },
    Entry {
        kind: "pool.exhaust",
        on: &[TargetKind::Service, TargetKind::Process, TargetKind::Docker],
        feels: "clients that say nothing take its connections; what new ones get is up to the server: a refusal, or a long wait",
        privilege: "same user where it shares brunt's network; root for a container",
        rung: "connections to its port",
        verified: "the kernel lists them as established at the server, all that were asked for, or it takes no more",
        undone: "reset, by the agent or by the kernel when it dies, and gone from the kernel's list",
    },
    cluster(
        "pod.kill",
        "it is asked to end, killed after `grace`, and leaves its services; what owns it makes another one",
        "get, list and delete pods",
        "the API has no pod with its UID any more",
        "it has no inverse; the window lasts until as many pods are ready as before, and new ones are named",
    ),
    cluster(
        "pod.evict",
        "the same, but a PodDisruptionBudget may refuse it, and then it is not injected",
        "get and list pods, create pods/eviction",
        "the API has no pod with its UID any more",
        "it has no inverse; the window lasts until as many pods are ready as before, and new ones are named",
    ),
    cluster(
        "pod.fail",
        "it is there and does not work: its containers end, and their image cannot be had",
        "get, list and patch pods",
        "the kubelet's account that none of its containers runs",
        "the old images, by the runner, the agent, or `brunt cleanup`; the restart counts stay one higher",
    ),
    cluster(
        "deployment.restart",
        "a rollout of the same template: old pods leave as fast as its strategy lets them, new ones start cold",
        "get and patch deployments",
        "pods of the new template, by the deployment's own count",
        "it has no inverse; the window lasts until it is rolled out",
    ),
    cluster(
        "deployment.scale",
        "fewer pods, or more; one with an autoscaler is refused",
        "get deployments, patch deployments/scale, list horizontalpodautoscalers",
        "the deployment's own count of pods",
        "the old number, by the runner, the agent, or `brunt cleanup`; what somebody else has set meanwhile is left alone",
    ),
    cluster(
        "deployment.image",
        "a rollout, and pods of another image; a second rollout at the end; a bad one goes as far as its strategy lets it",
        ROLLS,
        ROLLED,
        ROLLED_BACK,
    ),
    cluster(
        "deployment.config",
        "a rollout, and pods with other environment variables; a second rollout at the end",
        ROLLS,
        ROLLED,
        ROLLED_BACK,
    ),
    cluster(
        "deployment.limits",
        "a rollout, and pods that are throttled sooner, or killed for their memory; a second rollout at the end",
        ROLLS,
        ROLLED,
        ROLLED_BACK,
    ),
    cluster(
        "node.cordon",
        "nothing until a new pod is needed: it finds less room",
        "get and patch nodes (a ClusterRole)",
        "the taint by which the scheduler goes",
        "uncordoned by the runner, the agent, or `brunt cleanup`; one that was cordoned before is refused",
    ),
    cluster(
        "node.drain",
        "its pods end there and come up elsewhere, if there is room, as their PodDisruptionBudgets let them",
        "get and patch nodes, list pods, create pods/eviction in all namespaces (a ClusterRole)",
        "none of the pods that a drain moves is on the node any more",
        "uncordoned by the runner, the agent, or `brunt cleanup`; pods do not move back, which is told",
    ),
    cluster(
        "namespace.quota",
        "nothing until a new pod is needed: after a crash, in a rollout, none comes",
        "get the namespace; get, create and delete resourcequotas",
        "the quota's status, by which the cluster admits pods: the namespace has as many as it may have",
        "brunt's own quota is deleted by the runner, the agent, or `brunt cleanup`; those of others are not touched",
    ),
    Entry {
        kind: "exec",
        on: &[TargetKind::Service, TargetKind::Process],
        feels: "a command of yours breaks it, another one (`undo`, required) mends it",
        privilege: "--allow-exec, and what the commands need",
        rung: "commands of the scenario",
        verified: "`verify`, a third command, ends with exit status 0; without one never, and the run is inconclusive",
        undone: "`undo`, by the runner, the agent, or `brunt cleanup`; `verify` must then fail",
    },
];

/// Why a kind that the language knows is not carried out, where that has another reason than time.
pub const WHY_NOT: &[(&str, &str)] = &[
    (
        "clock.skew",
        "Linux has no time of day for single processes (time namespaces move the monotonic clocks only), and brunt never sets the \
         machine's. A library that is loaded first (LD_PRELOAD) could answer for libc, but not for the kernel: whoever waits until a time \
         of day would wait as much longer as the clock is wrong, which no wrong clock does; static programs would not notice at all",
    ),
    (
        "disk.error",
        "before Linux 6.14 nobody could give an access from outside another error than EPERM (fanotify); a file system of brunt's in \
         between would have to be there before the target opens anything",
    ),
];

/// Why a kind that is carried out elsewhere does not hit pods.
pub const NOT_IN_PODS: &[(&str, &str)] = &[
    (
        "stress.memory",
        "an ephemeral container has a cgroup of its own, no limit, and may not change cgroups: it cannot bring a container of the pod to its \
         limit, and would take the node's memory. `deployment.limits` brings the limit down to what is used",
    ),
    (
        "stress.io",
        "an ephemeral container has a cgroup and a file system of its own: it would keep the node's disk busy, and no limit of a container \
         of the pod would count",
    ),
    (
        "process.restart",
        "brunt does not know how a process in a pod is started; `deployment.restart` starts pods anew, `process.kill` leaves it to its parent",
    ),
];

/// How a kind is carried out on this target; `None` when that is not built.
pub fn find(kind: &str, target: TargetKind) -> Option<&'static Entry> {
    of(kind).find(|entry| entry.on.contains(&target))
}

/// The same of one fault: where a kind has several mechanisms on a target, its parameters decide.
pub fn of_fault(fault: &Fault, target: TargetKind) -> Option<Entry> {
    let rung = if target == TargetKind::Netns && bandwidth::is_shaped(fault) {
        HTB
    } else if packet::ladder::is_emulated(fault, NETWORKS.contains(&target)) {
        if fault.kind == bandwidth::KIND { HTB } else { NETEM }
    } else if packet::is_queued(fault) {
        QUEUE
    } else {
        RULES
    };
    let fits = |entry: &&Entry| entry.on.contains(&target) && entry.rung == rung;
    of(fault.kind).find(fits).or_else(|| find(fault.kind, target)).map(|entry| entry.on_target(target))
}

/// The ways in which a kind is carried out.
pub fn of(kind: &str) -> impl Iterator<Item = &'static Entry> {
    ALL.iter().filter(move |entry| entry.kind == kind)
}

impl Entry {
    /// The same on this kind of target: packets of a pod are acted on by an agent inside of it.
    pub fn on_target(&self, target: TargetKind) -> Self {
        // What signals processes in pods has an entry of its own.
        if !self.is_in_pods(target) || !self.on.contains(&TargetKind::Netns) {
            return *self;
        }
        let privilege = "patch of pods/ephemeralcontainers and attach; NET_ADMIN and NET_RAW inside, which Pod Security \
                         must admit (namespace level `privileged`)";
        let undone =
            "as the agent in the pod ends, at its lease at the latest; its container stays in the pod's list, ended";
        Self { privilege, undone, ..*self }
    }

    /// Whether this is done by an ephemeral container in the pods of such a target.
    pub fn is_in_pods(&self, target: TargetKind) -> bool {
        target == TargetKind::Kubernetes && acts_inside(self.kind)
    }

    /// What this mechanism cannot go beyond.
    pub fn limit(&self) -> Option<String> {
        let queued = self.kind == bandwidth::KIND && self.rung == QUEUE;
        queued.then(|| format!("at most {} Mbit/s", bandwidth::MOST / 1_000_000))
    }

    /// What the language says of it.
    pub fn language(&self) -> &'static FaultKind {
        FaultKind::find(self.kind).expect("a test walks all entries")
    }
}

#[cfg(test)]
mod tests {
    use brunt_scenario::plan::Params;

    use super::*;

    #[test]
    fn what_the_language_calls_built_is_what_can_be_carried_out() {
        let pairs = |kind, targets: &[TargetKind]| targets.iter().map(|on| (kind, *on)).collect::<Vec<_>>();
        let language = brunt_scenario::catalogue::ALL.iter();
        let mut built: Vec<_> = language.flat_map(|kind| pairs(kind.name, kind.built)).collect();
        let mut here: Vec<_> = ALL.iter().flat_map(|entry| pairs(entry.kind, entry.on)).collect();
        built.sort_unstable();
        here.sort_unstable();
        // Some have two mechanisms, and the parameters decide.
        here.dedup();
        assert_eq!(here, built);
        for kind in brunt_scenario::catalogue::ALL.iter().filter(|kind| kind.takes.contains(&TargetKind::Link)) {
            let known = crate::fault::link::stream_fault(kind.name, &Params::default());
            assert_eq!(known.is_some(), kind.built.contains(&TargetKind::Link), "{}", kind.name);
        }
        for kind in brunt_scenario::catalogue::ALL {
            let known = crate::fault::packet::treatment(kind.name, &Params::default()).is_some();
            assert_eq!(known, kind.built.contains(&TargetKind::Netns), "{}", kind.name);
        }
        assert!(ALL.iter().all(|entry| entry.language().name == entry.kind));
        let refused = |name| brunt_scenario::catalogue::FaultKind::find(name).is_some_and(|kind| !kind.is_built());
        assert!(WHY_NOT.iter().all(|(name, _)| refused(name)));
        assert!(find("process.paus", TargetKind::Service).is_none());
        assert!(find("process.pause", TargetKind::Link).is_none());
    }
}
