//! The faults, as `brunt faults` prints them. A new fault is a file below `fault/` and a line here.

/// What there is to know about a kind of fault.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Entry {
    /// `network.latency`
    pub kind: &'static str,
    /// What the service feels.
    pub does: &'static str,
    /// The kinds of target that it takes.
    pub hits: &'static str,
    /// What brunt must be allowed to do.
    pub privilege: &'static str,
    /// The mechanism.
    pub rung: &'static str,
    /// How its effect is seen.
    pub verified: &'static str,
    /// How it is undone.
    pub undone: &'static str,
    /// Whether this version can do it.
    pub built: bool,
}

/// A fault that brunt's proxy does to the bytes of a link.
const fn stream(kind: &'static str, does: &'static str, verified: &'static str, built: bool) -> Entry {
    let undone = "the proxy forgets it; it lives in the run's own process and ends with it";
    Entry { kind, does, hits: "link", privilege: "none", rung: "brunt's proxy (stream)", verified, undone, built }
}

/// A fault that the agent does to processes.
const fn process(
    kind: &'static str,
    does: &'static str,
    hits: &'static str,
    verified: &'static str,
    undone: &'static str,
) -> Entry {
    Entry { kind, does, hits, privilege: "same user, or root", rung: "signals by pidfd", verified, undone, built: true }
}

/// A fault that is designed and not built.
const fn planned(kind: &'static str, does: &'static str, hits: &'static str, rung: &'static str) -> Entry {
    let (privilege, verified, undone) = ("not settled", "not built", "not built");
    Entry { kind, does, hits, privilege, rung, verified, undone, built: false }
}

const HELD: &str = "the first message that it acted on was held for the drawn delay";
const COUNTED: &str = "at least one connection or request was affected, by the proxy's own counters";
const SILENT: &str = "bytes were held back, and a fresh connection of brunt's own gets nothing";
const PACED: &str = "bytes were held back, and no more than the rate passed while the wire was busy";
const SILENCED: &str = "bytes were held back or connections closed, and a fresh one of brunt's own is not answered";
const PACKETS: &str = "netem, NFQUEUE or nftables";
const POD: &str = "Kubernetes API";
const DOCKER: &str = "Docker API and signals";

/// All kinds, built ones first.
pub const ALL: &[Entry] = &[
    stream("network.latency", "every message of a connection is held; connecting itself is not delayed", HELD, true),
    stream("network.partition", "bytes stall and are delivered after healing; new connections hang", SILENT, true),
    stream("network.blackhole", "bytes vanish; connections that lost some are reset on removal", SILENT, true),
    stream("network.bandwidth", "bytes come no faster than a rate that all connections share", PACED, true),
    stream("tcp.reset", "both sides get a reset", COUNTED, true),
    stream("tcp.timeout", "no byte passes, then the connection closes", SILENCED, true),
    stream(
        "tcp.slow_close",
        "the close is passed on late",
        "the first close that it held was held for the delay",
        true,
    ),
    stream("tcp.slicer", "small pieces with gaps", COUNTED, true),
    stream("tcp.limit", "closed after so many bytes of replies, or of requests", COUNTED, true),
    stream("http.latency", "requests are held (HTTP/1.1, not on TLS)", COUNTED, true),
    stream("http.error", "requests are answered with an error by the proxy (HTTP/1.1, not on TLS)", COUNTED, true),
    stream("http.abort", "connections of requests are closed without a reply (HTTP/1.1, not on TLS)", COUNTED, true),
    stream("http.body", "bodies of replies are replaced or cut short (HTTP/1.1, not on TLS)", COUNTED, true),
    stream("http.header", "headers of replies are set or removed (HTTP/1.1, not on TLS)", COUNTED, true),
    process(
        "process.kill",
        "it is gone at once, as after a crash; an instance with its whole process group",
        "service, process",
        "the pidfd of the very process that was picked says that it has ended",
        "restart_after starts the same instance at the same port (service only); else it has no inverse",
    ),
    process(
        "process.pause",
        "it does not run, and its kernel goes on accepting: silence instead of resets",
        "service, process",
        "every thread is in state T in /proc",
        "SIGCONT, by the runner, the agent, or `brunt cleanup`; what was stopped before is refused",
    ),
    process(
        "process.restart",
        "it is asked to end as on a deployment, and starts cold at the same port",
        "service",
        "the old process has ended, a new one runs",
        "it undoes itself",
    ),
    Entry {
        kind: "exec",
        does: "a command of yours breaks it, another one (`undo`, required) mends it",
        hits: "service, process",
        privilege: "--allow-exec, and what the commands need",
        rung: "commands of the scenario",
        verified: "`verify`, a third command, ends with exit status 0; without one never, and the run is inconclusive",
        undone: "`undo`, by the runner, the agent, or `brunt cleanup`; `verify` must then fail",
        built: true,
    },
    planned("network.loss", "packets are lost", "process, docker, kubernetes", PACKETS),
    planned("network.duplicate", "packets come twice", "process, docker, kubernetes", PACKETS),
    planned("network.reorder", "packets overtake each other", "process, docker, kubernetes", PACKETS),
    planned(
        "network.corrupt",
        "packets are damaged, so the receiver drops them",
        "process, docker, kubernetes",
        PACKETS,
    ),
    planned("network.dns", "names do not resolve, or late, or wrongly", "process, docker, kubernetes", "NFQUEUE"),
    planned("grpc.status", "calls end with a status", "link", "brunt's proxy"),
    planned("grpc.latency", "calls are held", "link", "brunt's proxy"),
    planned("container.kill", "the main process of a container is killed", "docker", DOCKER),
    planned("container.pause", "a container does not run", "docker", DOCKER),
    planned("container.restart", "a container is restarted", "docker", DOCKER),
    planned("container.stop", "a container is stopped", "docker", DOCKER),
    planned("pod.kill", "a pod is deleted", "kubernetes", POD),
    planned("pod.evict", "a pod is evicted, budgets honoured", "kubernetes", POD),
    planned("pod.fail", "a pod does not get ready", "kubernetes", POD),
    planned("deployment.restart", "a rollout without a change", "kubernetes", POD),
    planned("deployment.scale", "another number of replicas", "kubernetes", POD),
    planned("node.cordon", "nothing new is placed on a node", "kubernetes", POD),
    planned("node.drain", "a node's pods have to go", "kubernetes", POD),
    planned("stress.cpu", "the processor is busy", "process, docker, kubernetes", "load in the target's cgroup"),
    planned("stress.memory", "memory is short", "process, docker, kubernetes", "load in the target's cgroup"),
    planned("stress.io", "the disk is busy", "process, docker, kubernetes", "load in the target's cgroup"),
    planned("stress.fds", "descriptors run out", "process, docker, kubernetes", "load in the target's cgroup"),
    planned("disk.fill", "a filesystem is full", "process, docker, kubernetes", "a file without a name"),
    planned("disk.latency", "the disk is slow", "process, docker, kubernetes", "fanotify or blkio"),
    planned("disk.error", "the disk fails", "service", "FUSE"),
    planned("clock.skew", "the clock is wrong", "service", "preloaded library"),
    planned("pool.exhaust", "all connections of a pool are taken", "service, url", "held connections"),
];

/// The entry of a kind.
pub fn find(kind: &str) -> Option<&'static Entry> {
    ALL.iter().find(|entry| entry.kind == kind)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_kind_stands_there_once_and_built_ones_come_first() {
        let mut kinds: Vec<_> = ALL.iter().map(|entry| entry.kind).collect();
        kinds.sort_unstable();
        kinds.dedup();
        assert_eq!(kinds.len(), ALL.len());
        assert!(ALL.is_sorted_by_key(|entry| !entry.built));
        assert_eq!(find("process.pause").unwrap().hits, "service, process");
        assert!(find("process.paus").is_none());
    }

    #[test]
    fn what_is_called_built_for_a_link_is_what_can_be_built() {
        for entry in ALL.iter().filter(|entry| entry.hits == "link") {
            let known = crate::fault::link::stream_fault(entry.kind, &brunt_scenario::plan::Params::default());
            assert_eq!(known.is_some(), entry.built, "{}", entry.kind);
            let language = brunt_scenario::catalogue::FaultKind::find(entry.kind).unwrap();
            assert_eq!(!language.built.is_empty(), entry.built, "{}", entry.kind);
        }
    }
}
