//! Every kind of fault.

use super::ParamType::{
    Bandwidth, Command, Duration, Durations, Names, Number, Pairs, Percent, Size, Status, Text, Word,
};
use super::TargetKind::{Docker, Kubernetes, Link, Netns, Process, Service};
use super::{FaultKind, Lasts, Param, ParamType, TargetKind};

const fn required(name: &'static str, ty: ParamType, about: &'static str) -> Param {
    Param { name, ty, about, default: None, required: true, unless: &[] }
}

const fn optional(name: &'static str, ty: ParamType, about: &'static str) -> Param {
    Param { name, ty, about, default: None, required: false, unless: &[] }
}

const fn default(name: &'static str, ty: ParamType, about: &'static str, default: &'static str) -> Param {
    Param { name, ty, about, default: Some(default), required: false, unless: &[] }
}

/// Required where none of the others is given; it excludes each of them.
const fn required_unless(
    name: &'static str,
    ty: ParamType,
    about: &'static str,
    others: &'static [&'static str],
) -> Param {
    Param { name, ty, about, default: None, required: true, unless: others }
}

const fn default_unless(
    name: &'static str,
    ty: ParamType,
    about: &'static str,
    default: &'static str,
    others: &'static [&'static str],
) -> Param {
    Param { name, ty, about, default: Some(default), required: false, unless: others }
}

/// How long something is held.
const LATENCY: Param = required_unless("latency", Duration, "how long each is held, without the jitter", &["table"]);
const JITTER: Param =
    default_unless("jitter", Duration, "how far a delay may be from `latency`: see `distribution`", "0s", &["table"]);
const DISTRIBUTION: Param = default(
    "distribution",
    Word(&["constant", "uniform", "normal", "pareto", "table"]),
    "how delays are spread: evenly within `jitter`, or with `jitter` as standard deviation (normal, pareto)",
    "uniform",
);
const TABLE: Param = optional(
    "table",
    Durations,
    "recorded delays to draw from: a list, or a file with one duration a line; in place of `latency` and `jitter`",
);
const CORRELATION: Param = default("correlation", Percent, "how much each draw is like the one before", "0%");
const DIRECTIONS: ParamType = Word(&["to", "from", "both"]);
const WHICH_WAY: &str = "towards the target, from it, or both";
const SHARE: Param = default("share", Percent, "of all connections, requests or accesses, drawn by the seed", "100%");
const BOTH: Param = default("direction", DIRECTIONS, WHICH_WAY, "both");
const FROM: Param = default("direction", DIRECTIONS, WHICH_WAY, "from");
const PATH: Param =
    optional("path", Text, "only requests of this path, without its query; `*` stands for anything: `/orders/*`");
const METHOD: Param = optional("method", Text, "only requests with this method, in capitals");
const CONTAINER: Param = optional("container", Text, "which of its containers; the only one if not given");
/// What has packets and a network of its own.
const NETWORKED: &[TargetKind] = &[Service, Process, Docker, Kubernetes, Netns];
/// The same, and brunt's proxy.
const ANY_NETWORK: &[TargetKind] = &[Link, Service, Process, Docker, Kubernetes, Netns];
/// What runs as processes.
const RUNNING: &[TargetKind] = &[Service, Process, Docker, Kubernetes];

/// What has a cgroup that a worker can be put into.
const HOSTED: &[TargetKind] = &[Service, Process, Docker];

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
        ANY_NETWORK,
        &[LATENCY, JITTER, DISTRIBUTION, TABLE, CORRELATION, FROM, SHARE],
    ),
    lasting(
        "network.loss",
        "drops packets",
        NETWORKED,
        NETWORKED,
        &[
            required_unless("loss", Percent, "the share of packets that is dropped", &["p", "p13"]),
            default(
                "model",
                Word(&["uniform", "correlated", "gilbert_elliott", "four_state"]),
                "how losses come: each on its own, in runs, by the two states of Gilbert and Elliott, or by four states",
                "uniform",
            ),
            optional("correlation", Percent, "how much each draw is like the one before"),
            optional("p", Percent, "Gilbert-Elliott: the chance to go from the good state to the bad one"),
            optional("r", Percent, "Gilbert-Elliott: the chance to go back to the good state"),
            optional("loss_good", Percent, "Gilbert-Elliott: the share that is dropped in the good state"),
            optional("loss_bad", Percent, "Gilbert-Elliott: the share that is dropped in the bad state"),
            optional("p13", Percent, "four states: the chance to go from good to a bad time, which begins with a loss"),
            optional("p31", Percent, "four states: after a loss in a bad time, the chance that it is over"),
            optional(
                "p32",
                Percent,
                "four states: after a loss in a bad time, the chance that a packet passes within it",
            ),
            optional("p23", Percent, "four states: after one that passed in a bad time, the chance of a loss"),
            optional("p14", Percent, "four states: the chance to go from good to a loss on its own"),
            BOTH,
        ],
    ),
    lasting(
        "network.duplicate",
        "sends packets twice",
        NETWORKED,
        NETWORKED,
        &[required("duplicate", Percent, "the share of packets that is sent twice"), CORRELATION, FROM],
    ),
    lasting(
        "network.reorder",
        "lets packets overtake each other",
        NETWORKED,
        NETWORKED,
        &[
            required("reorder", Percent, "the share of packets that overtakes others"),
            default("latency", Duration, "how long the packets that are overtaken are held", "10ms"),
            CORRELATION,
            BOTH,
        ],
    ),
    lasting(
        "network.corrupt",
        "flips bits in packets",
        NETWORKED,
        NETWORKED,
        &[required("corrupt", Percent, "the share of packets in which a bit is flipped"), CORRELATION, BOTH],
    ),
    lasting(
        "network.bandwidth",
        "lets only so many bits a second pass",
        ANY_NETWORK,
        ANY_NETWORK,
        &[required("rate", Bandwidth, "what all connections share, each direction for itself"), BOTH, SHARE],
    ),
    lasting(
        "network.partition",
        "stalls all bytes and delivers them after healing; new connections hang",
        ANY_NETWORK,
        ANY_NETWORK,
        &[BOTH, SHARE],
    ),
    lasting(
        "network.blackhole",
        "discards all bytes; connections that lost some are reset on removal",
        ANY_NETWORK,
        ANY_NETWORK,
        &[BOTH, SHARE],
    ),
    lasting(
        "network.dns",
        "makes names fail to resolve, or resolve elsewhere",
        NETWORKED,
        NETWORKED,
        &[
            optional(
                "names",
                Names,
                "the names that are meant: `db.example.com`, or `*.example.com` for all below; without it all of them",
            ),
            default_unless(
                "answer",
                Word(&["nxdomain", "servfail", "timeout", "address"]),
                "what stands in place of the real answer",
                "servfail",
                &["latency"],
            ),
            optional("address", Names, "with `answer: address` the address, or several, of IPv4 and IPv6"),
            optional("latency", Duration, "in place of `answer`: how long the real answer is held"),
        ],
    ),
    lasting(
        "tcp.reset",
        "resets connections on both sides",
        &[Link],
        &[Link],
        &[
            default(
                "after",
                Duration,
                "how long a connection lives under the fault before it is reset or closed",
                "0s",
            ),
            SHARE,
        ],
    ),
    lasting(
        "tcp.timeout",
        "passes no byte, then closes the connection",
        &[Link],
        &[Link],
        &[
            default(
                "after",
                Duration,
                "how long a connection lives under the fault before it is reset or closed",
                "0s",
            ),
            SHARE,
        ],
    ),
    lasting(
        "tcp.slow_close",
        "passes the close on late",
        &[Link],
        &[Link],
        &[required("delay", Duration, "how long the close is held"), SHARE],
    ),
    lasting(
        "tcp.slicer",
        "passes small pieces with gaps",
        &[Link],
        &[Link],
        &[
            required("size", Size, "how large a piece is"),
            default("delay", Duration, "the gap between two pieces", "0s"),
            SHARE,
        ],
    ),
    lasting(
        "tcp.limit",
        "closes connections after so many bytes",
        &[Link],
        &[Link],
        &[required("bytes", Size, "the connection closes after so many bytes"), FROM, SHARE],
    ),
    lasting(
        "http.latency",
        "holds requests for a while",
        &[Link],
        &[Link],
        &[LATENCY, JITTER, DISTRIBUTION, TABLE, CORRELATION, PATH, METHOD, SHARE],
    ),
    lasting(
        "http.error",
        "answers requests with an error, in the upstream's place",
        &[Link],
        &[Link],
        &[
            default("status", Status, "the status of the answer, from 200 to 599", "503"),
            optional("body", Text, "the body of the answer; without it a short text"),
            PATH,
            METHOD,
            SHARE,
        ],
    ),
    lasting("http.abort", "closes connections without a reply", &[Link], &[Link], &[PATH, METHOD, SHARE]),
    lasting(
        "http.body",
        "changes the body of replies",
        &[Link],
        &[Link],
        &[
            optional("replace", Text, "this stands in place of the body"),
            optional("truncate", Size, "the body is cut after so many bytes; its framing still fits"),
            PATH,
            METHOD,
            SHARE,
        ],
    ),
    lasting(
        "http.header",
        "changes the headers of replies",
        &[Link],
        &[Link],
        &[
            optional("set", Pairs, "headers and their values; each takes the place of all of that name"),
            optional("remove", Names, "headers that are taken away"),
            PATH,
            METHOD,
            SHARE,
        ],
    ),
    lasting(
        "grpc.status",
        "answers calls with a status",
        &[Link],
        &[],
        &[
            required("status", Text, "the status by its name: `UNAVAILABLE`"),
            optional("method", Text, "only calls of this method"),
            SHARE,
        ],
    ),
    lasting(
        "grpc.latency",
        "holds calls for a while",
        &[Link],
        &[],
        &[
            required("latency", Duration, "how long each call is held, without the jitter"),
            default("jitter", Duration, "how far a delay may be from `latency`", "0s"),
            optional("method", Text, "only calls of this method"),
            SHARE,
        ],
    ),
    instant(
        "process.kill",
        "kills processes",
        &[Service, Process, Kubernetes],
        &[Service, Process, Kubernetes],
        &[optional(
            "restart_after",
            Duration,
            "starts the same instance again at the same port (targets of kind `service` only); without it nobody does",
        )],
    ),
    lasting(
        "process.pause",
        "stops processes and lets them go on",
        &[Service, Process, Docker, Kubernetes],
        &[Service, Process, Kubernetes],
        &[],
    ),
    instant("process.restart", "ends processes and starts them again", &[Service], &[Service], &[]),
    instant(
        "container.kill",
        "kills the main processes of containers, as a crash would",
        &[Docker, Kubernetes],
        &[Docker],
        &[],
    ),
    lasting("container.pause", "freezes containers", &[Docker], &[Docker], &[]),
    instant(
        "container.restart",
        "restarts containers",
        &[Docker],
        &[Docker],
        &[default("grace", Duration, "how long it may take to end by itself", "10s")],
    ),
    lasting(
        "container.stop",
        "stops containers and starts them again",
        &[Docker],
        &[Docker],
        &[default("grace", Duration, "how long it may take to end by itself", "10s")],
    ),
    instant(
        "pod.kill",
        "deletes pods",
        &[Kubernetes],
        &[Kubernetes],
        &[optional("grace", Duration, "how long it may take to end by itself")],
    ),
    instant(
        "pod.evict",
        "evicts pods, as a drain would",
        &[Kubernetes],
        &[Kubernetes],
        &[optional("grace", Duration, "how long it may take to end by itself")],
    ),
    lasting("pod.fail", "ends the containers of pods and lets none start", &[Kubernetes], &[Kubernetes], &[]),
    instant("deployment.restart", "rolls a deployment over", &[Kubernetes], &[Kubernetes], &[]),
    lasting(
        "deployment.scale",
        "changes the number of replicas",
        &[Kubernetes],
        &[Kubernetes],
        &[required("replicas", Number, "how many there are then")],
    ),
    lasting(
        "deployment.image",
        "rolls out another image, and back",
        &[Kubernetes],
        &[Kubernetes],
        &[required("image", Text, "what its pods are made of then"), CONTAINER],
    ),
    lasting(
        "deployment.config",
        "rolls out other environment variables, and back",
        &[Kubernetes],
        &[Kubernetes],
        &[required("set", Pairs, "variables and what they are then; others stay"), CONTAINER],
    ),
    lasting(
        "deployment.limits",
        "rolls out other limits of processor and memory, and back",
        &[Kubernetes],
        &[Kubernetes],
        &[
            optional("cpu", Text, "how much processor it may use then, as Kubernetes has it: \"50m\""),
            optional("memory", Size, "how much memory it may use then"),
            CONTAINER,
        ],
    ),
    lasting("node.cordon", "lets no new pod onto nodes", &[Kubernetes], &[Kubernetes], &[]),
    lasting(
        "node.drain",
        "moves all pods away from nodes",
        &[Kubernetes],
        &[Kubernetes],
        &[optional("grace", Duration, "how long it may take to end by itself")],
    ),
    lasting(
        "namespace.quota",
        "lets no new pods into a namespace",
        &[Kubernetes],
        &[Kubernetes],
        &[default("pods", Number, "how many it may have; those that are there stay", "0")],
    ),
    lasting(
        "stress.cpu",
        "keeps processors busy in the target's cgroup",
        RUNNING,
        &[Process, Docker, Kubernetes],
        &[
            optional("workers", Number, "how many work at the same time; as many as the target may use if not given"),
            default("load", Percent, "how much of a processor each keeps busy", "100%"),
        ],
    ),
    lasting(
        "stress.memory",
        "fills memory in the target's cgroup",
        HOSTED,
        &[Process, Docker],
        &[
            optional("size", Size, "how much is taken"),
            required_unless("share", Percent, "of the target's limit, how much is used then", &["size"]),
        ],
    ),
    lasting(
        "stress.io",
        "keeps a disk busy in the target's cgroup",
        HOSTED,
        &[Process, Docker],
        &[
            default("workers", Number, "how many write at the same time", "1"),
            default("path", Text, "the folder, as the target sees it, that is written to", "/tmp"),
        ],
    ),
    lasting(
        "stress.fds",
        "lets processes run out of descriptors",
        RUNNING,
        &[Service, Process, Docker],
        &[default("left", Number, "how many more each can open", "0")],
    ),
    lasting(
        "disk.fill",
        "fills a file system",
        RUNNING,
        &[Service, Process, Docker],
        &[
            required("path", Text, "the folder that is meant, as the target sees it"),
            optional("size", Size, "how much is taken"),
            required_unless("share", Percent, "how full it then is", &["size"]),
        ],
    ),
    lasting(
        "disk.latency",
        "makes opening and reading files slow",
        RUNNING,
        &[Service, Process, Docker],
        &[
            required("path", Text, "the folder that is meant, as the target sees it, with all below it"),
            required("latency", Duration, "how long each open and each read is held"),
            SHARE,
        ],
    ),
    lasting(
        "disk.error",
        "makes file accesses fail",
        RUNNING,
        &[],
        &[
            required("path", Text, "the folder that is meant"),
            default("errno", Text, "the error that the access gets", "EIO"),
            SHARE,
        ],
    ),
    lasting(
        "clock.skew",
        "makes the clock of processes wrong",
        &[Service],
        &[],
        &[required("offset", Duration, "how far it is wrong")],
    ),
    lasting(
        "pool.exhaust",
        "opens connections and holds them, so that none is left for clients",
        &[Service, Process, Docker, Link],
        &[Service, Process, Docker],
        &[
            optional("connections", Number, "how many are held; without it as many as the server takes"),
            optional("port", Number, "which of its ports is meant, where it listens on several"),
            optional("send", Text, "what is said on each; for servers that close silent ones to make room: `GET `"),
        ],
    ),
    lasting(
        "exec",
        "runs a command of yours, and another one to undo it",
        &[Service, Process],
        &[Service, Process],
        &[
            required("run", Command, "breaks it: program and arguments; needs `--allow-exec`"),
            required(
                "undo",
                Command,
                "mends it; written to the disk before `run` starts, so that it also happens after a crash",
            ),
            optional(
                "verify",
                Command,
                "ends with 0 while the effect is there, and only then; without it the run is inconclusive at best",
            ),
            default("within", Duration, "how long each command may take", "10s"),
            optional("cwd", Text, "where the commands run; without it the folder of the scenario"),
        ],
    ),
];
