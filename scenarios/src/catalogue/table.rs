//! Every kind of fault.

use super::ParamType::{
    Bandwidth, Command, Duration, Durations, Names, Number, Pairs, Percent, Size, Status, Text, Word,
};
use super::TargetKind::{Docker, Kubernetes, Link, Netns, Process, Service};
use super::{FaultKind, Lasts, Param, ParamType, TargetKind};

const fn required(name: &'static str, ty: ParamType) -> Param {
    Param { name, ty, default: None, required: true, unless: None }
}

const fn optional(name: &'static str, ty: ParamType) -> Param {
    Param { name, ty, default: None, required: false, unless: None }
}

const fn default(name: &'static str, ty: ParamType, default: &'static str) -> Param {
    Param { name, ty, default: Some(default), required: false, unless: None }
}

/// Required where the other one is not given; both exclude each other.
const fn required_unless(name: &'static str, ty: ParamType, other: &'static str) -> Param {
    Param { name, ty, default: None, required: true, unless: Some(other) }
}

const fn default_unless(name: &'static str, ty: ParamType, default: &'static str, other: &'static str) -> Param {
    Param { name, ty, default: Some(default), required: false, unless: Some(other) }
}

/// How long something is held.
const LATENCY: Param = required_unless("latency", Duration, "table");
const JITTER: Param = default_unless("jitter", Duration, "0s", "table");
const DISTRIBUTION: Param =
    default("distribution", Word(&["constant", "uniform", "normal", "pareto", "table"]), "uniform");
const TABLE: Param = optional("table", Durations);
const CORRELATION: Param = default("correlation", Percent, "0%");
const DIRECTIONS: ParamType = Word(&["to", "from", "both"]);
const SHARE: Param = default("share", Percent, "100%");
const BOTH: Param = default("direction", DIRECTIONS, "both");
/// What has packets and a network of its own.
const NETWORKED: &[TargetKind] = &[Service, Process, Docker, Kubernetes, Netns];
/// The same, and brunt's proxy.
const ANY_NETWORK: &[TargetKind] = &[Link, Service, Process, Docker, Kubernetes, Netns];
/// What runs as processes.
const RUNNING: &[TargetKind] = &[Service, Process, Docker, Kubernetes];

const fn lasting(
    name: &'static str,
    does: &'static str,
    takes: &'static [TargetKind],
    built: &'static [TargetKind],
    params: &'static [Param],
) -> FaultKind {
    FaultKind { name, does, lasts: Lasts::Until, takes, built, params }
}

const fn instant(
    name: &'static str,
    does: &'static str,
    takes: &'static [TargetKind],
    built: &'static [TargetKind],
    params: &'static [Param],
) -> FaultKind {
    FaultKind { name, does, lasts: Lasts::Instant, takes, built, params }
}

/// The catalogue, in the order of the documentation.
pub const ALL: &[FaultKind] = &[
    lasting(
        "network.latency",
        "holds every message or packet for a while",
        ANY_NETWORK,
        &[Link],
        &[LATENCY, JITTER, DISTRIBUTION, TABLE, CORRELATION, default("direction", DIRECTIONS, "from"), SHARE],
    ),
    lasting(
        "network.loss",
        "drops packets",
        NETWORKED,
        &[],
        &[
            required("loss", Percent),
            default("model", Word(&["uniform", "correlated", "gilbert_elliott"]), "uniform"),
            optional("correlation", Percent),
            optional("p", Percent),
            optional("r", Percent),
            optional("loss_good", Percent),
            optional("loss_bad", Percent),
            BOTH,
        ],
    ),
    lasting(
        "network.duplicate",
        "sends packets twice",
        NETWORKED,
        &[],
        &[required("duplicate", Percent), default("correlation", Percent, "0%"), BOTH],
    ),
    lasting(
        "network.reorder",
        "lets packets overtake each other",
        NETWORKED,
        &[],
        &[required("reorder", Percent), optional("latency", Duration), default("correlation", Percent, "0%"), BOTH],
    ),
    lasting(
        "network.corrupt",
        "flips bits in packets",
        NETWORKED,
        &[],
        &[required("corrupt", Percent), default("correlation", Percent, "0%"), BOTH],
    ),
    lasting(
        "network.bandwidth",
        "lets only so many bits a second pass",
        ANY_NETWORK,
        &[Link],
        &[required("rate", Bandwidth), BOTH, SHARE],
    ),
    lasting(
        "network.partition",
        "stalls all bytes and delivers them after healing; new connections hang",
        ANY_NETWORK,
        &[Link],
        &[BOTH, SHARE],
    ),
    lasting(
        "network.blackhole",
        "discards all bytes; connections that lost some are reset on removal",
        ANY_NETWORK,
        &[Link],
        &[BOTH, SHARE],
    ),
    lasting(
        "network.dns",
        "makes names fail to resolve, or resolve elsewhere",
        NETWORKED,
        &[],
        &[
            optional("names", Text),
            default("answer", Word(&["nxdomain", "servfail", "timeout", "address"]), "servfail"),
            optional("address", Text),
        ],
    ),
    lasting(
        "tcp.reset",
        "resets connections on both sides",
        &[Link],
        &[Link],
        &[default("after", Duration, "0s"), SHARE],
    ),
    lasting(
        "tcp.timeout",
        "passes no byte, then closes the connection",
        &[Link],
        &[Link],
        &[default("after", Duration, "0s"), SHARE],
    ),
    lasting("tcp.slow_close", "passes the close on late", &[Link], &[Link], &[required("delay", Duration), SHARE]),
    lasting(
        "tcp.slicer",
        "passes small pieces with gaps",
        &[Link],
        &[Link],
        &[required("size", Size), default("delay", Duration, "0s"), SHARE],
    ),
    lasting(
        "tcp.limit",
        "closes connections after so many bytes",
        &[Link],
        &[Link],
        &[required("bytes", Size), default("direction", DIRECTIONS, "from"), SHARE],
    ),
    lasting(
        "http.latency",
        "holds requests for a while",
        &[Link],
        &[Link],
        &[LATENCY, JITTER, DISTRIBUTION, TABLE, CORRELATION, optional("path", Text), optional("method", Text), SHARE],
    ),
    lasting(
        "http.error",
        "answers requests with an error, in the upstream's place",
        &[Link],
        &[Link],
        &[
            default("status", Status, "503"),
            optional("body", Text),
            optional("path", Text),
            optional("method", Text),
            SHARE,
        ],
    ),
    lasting(
        "http.abort",
        "closes connections without a reply",
        &[Link],
        &[Link],
        &[optional("path", Text), optional("method", Text), SHARE],
    ),
    lasting(
        "http.body",
        "changes the body of replies",
        &[Link],
        &[Link],
        &[
            optional("replace", Text),
            optional("truncate", Size),
            optional("path", Text),
            optional("method", Text),
            SHARE,
        ],
    ),
    lasting(
        "http.header",
        "changes the headers of replies",
        &[Link],
        &[Link],
        &[optional("set", Pairs), optional("remove", Names), optional("path", Text), optional("method", Text), SHARE],
    ),
    lasting(
        "grpc.status",
        "answers calls with a status",
        &[Link],
        &[],
        &[required("status", Text), optional("method", Text), SHARE],
    ),
    lasting(
        "grpc.latency",
        "holds calls for a while",
        &[Link],
        &[],
        &[required("latency", Duration), default("jitter", Duration, "0s"), optional("method", Text), SHARE],
    ),
    instant(
        "process.kill",
        "kills processes",
        &[Service, Process],
        &[Service, Process],
        &[optional("restart_after", Duration)],
    ),
    lasting(
        "process.pause",
        "stops processes and lets them go on",
        &[Service, Process, Docker],
        &[Service, Process],
        &[],
    ),
    instant("process.restart", "ends processes and starts them again", &[Service], &[Service], &[]),
    instant("container.kill", "kills containers", &[Docker, Kubernetes], &[], &[default("signal", Text, "KILL")]),
    lasting("container.pause", "freezes containers", &[Docker], &[], &[]),
    instant("container.restart", "restarts containers", &[Docker], &[], &[optional("grace", Duration)]),
    lasting("container.stop", "stops containers and starts them again", &[Docker], &[], &[optional("grace", Duration)]),
    instant("pod.kill", "deletes pods", &[Kubernetes], &[], &[optional("grace", Duration)]),
    instant("pod.evict", "evicts pods, as a drain would", &[Kubernetes], &[], &[optional("grace", Duration)]),
    lasting("pod.fail", "makes pods fail to run", &[Kubernetes], &[], &[]),
    instant("deployment.restart", "rolls a deployment over", &[Kubernetes], &[], &[]),
    lasting("deployment.scale", "changes the number of replicas", &[Kubernetes], &[], &[required("replicas", Number)]),
    lasting("node.cordon", "lets no new pod onto nodes", &[Kubernetes], &[], &[]),
    lasting("node.drain", "moves all pods away from nodes", &[Kubernetes], &[], &[optional("grace", Duration)]),
    lasting(
        "stress.cpu",
        "keeps processors busy",
        RUNNING,
        &[],
        &[optional("workers", Number), default("load", Percent, "100%")],
    ),
    lasting("stress.memory", "fills memory", RUNNING, &[], &[required("size", Size)]),
    lasting("stress.io", "keeps disks busy", RUNNING, &[], &[optional("workers", Number), optional("path", Text)]),
    lasting("stress.fds", "uses up descriptors", RUNNING, &[], &[optional("count", Number)]),
    lasting(
        "disk.fill",
        "fills a file system",
        RUNNING,
        &[],
        &[required("path", Text), optional("size", Size), optional("share", Percent)],
    ),
    lasting(
        "disk.latency",
        "makes file accesses slow",
        RUNNING,
        &[],
        &[required("path", Text), required("latency", Duration), SHARE],
    ),
    lasting(
        "disk.error",
        "makes file accesses fail",
        RUNNING,
        &[],
        &[required("path", Text), default("errno", Text, "EIO"), SHARE],
    ),
    lasting("clock.skew", "makes the clock of processes wrong", &[Service], &[], &[required("offset", Duration)]),
    lasting("pool.exhaust", "holds connections open", &[Service, Link], &[], &[optional("connections", Number)]),
    lasting(
        "exec",
        "runs a command of yours, and another one to undo it",
        &[Service, Process],
        &[Service, Process],
        &[
            required("run", Command),
            required("undo", Command),
            optional("verify", Command),
            default("within", Duration, "10s"),
            optional("cwd", Text),
        ],
    ),
];
