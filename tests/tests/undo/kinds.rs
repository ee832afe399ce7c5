//! The kinds of faults that are tried, each as strong as can be, so that one look tells whether it acts.

/// A fault of the trials.
#[derive(Debug)]
pub struct Kind {
    /// What it is called here.
    pub name: &'static str,
    /// The line of the timeline, without `id` and `for`.
    pub fault: &'static str,
    /// `services:` and `links:` of the scenario, where it needs some.
    pub services: &'static str,
    /// Targets beside `api` and `lab`.
    pub targets: &'static str,
    /// How its effect is seen.
    pub acts_on: ActsOn,
    /// The event with which it begins to come off.
    pub reverting: &'static str,
}

/// What a fault changes while it acts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ActsOn {
    /// Packets between the two namespaces: the probe sees them.
    Packets,
    /// The service outside of brunt, which it stops. Only a living process can continue it: if runner and agent are both gone
    /// (or stopped) that is `brunt cleanup`.
    Stranger,
    /// What the service outside of brunt has to bear: processes beside it in its cgroup, fewer descriptors, connections that
    /// are held. Whoever holds that has a lease of its own, and needs neither runner nor agent to end.
    Weight,
    /// Those of the service outside of brunt to files, for which a worker answers the kernel.
    Accesses,
    /// What brunt itself has started: it ends with the run.
    Own,
    /// A file beside the scenario, by commands of the scenario. With runner and agent gone its undo is left to `cleanup`.
    Flag,
}

const REMOVING: &str = "event=fault.removing";
const SERVICE: &str = "services: { own: { run: [ \"{program}\", --port, \"${port}\" ] } }";
const OWN: &str = "own: { service: own }";

const fn packets(name: &'static str, fault: &'static str) -> Kind {
    Kind { name, fault, services: "", targets: "", acts_on: ActsOn::Packets, reverting: REMOVING }
}

const fn weight(name: &'static str, fault: &'static str) -> Kind {
    let targets = "stranger: { process: { pid: {stranger} } }";
    Kind { name, fault, services: "", targets, acts_on: ActsOn::Weight, reverting: REMOVING }
}

/// All of them.
pub const KINDS: &[Kind] = &[
    packets("loss", "fault: network.loss, target: lab, with: { loss: 90% }"),
    packets("latency", "fault: network.latency, target: lab, with: { latency: 900ms }"),
    packets("duplicate", "fault: network.duplicate, target: lab, with: { duplicate: 90% }"),
    packets("reorder", "fault: network.reorder, target: lab, with: { reorder: 30%, latency: 900ms }"),
    packets("corrupt", "fault: network.corrupt, target: lab, with: { corrupt: 90% }"),
    packets("bandwidth", "fault: network.bandwidth, target: lab, with: { rate: 800bit, direction: from }"),
    packets("wire in the agent", "fault: network.bandwidth, target: lab, with: { rate: 800bit }"),
    packets("partition", "fault: network.partition, target: lab"),
    packets("blackhole", "fault: network.blackhole, target: lab, with: { direction: to }"),
    Kind {
        name: "pause",
        fault: "fault: process.pause, target: stranger",
        services: "",
        targets: "stranger: { process: { pid: {stranger} } }",
        acts_on: ActsOn::Stranger,
        reverting: REMOVING,
    },
    weight("busy processor", "fault: stress.cpu, target: stranger, with: { workers: 1, load: 20% }"),
    weight("full memory", "fault: stress.memory, target: stranger, with: { size: 16MiB }"),
    weight("few descriptors", "fault: stress.fds, target: stranger"),
    weight("full disk", "fault: disk.fill, target: stranger, with: { path: {disk}, size: 16MiB }"),
    weight("full pool", "fault: pool.exhaust, target: stranger, with: { connections: 40 }"),
    Kind {
        name: "kill",
        fault: "fault: process.kill, target: own, with: { restart_after: {for} }",
        services: SERVICE,
        targets: OWN,
        acts_on: ActsOn::Own,
        // Nobody takes it off: the service is started again.
        reverting: "event=service.started",
    },
    Kind {
        name: "slow link",
        fault: "fault: network.latency, target: wire, with: { latency: 300ms }",
        services: "services: { own: { run: [ \"{program}\", --port, \"${port}\" ] } }\n        links: { wire: { to: own } }",
        targets: "own: { service: own }, wire: { link: wire }",
        acts_on: ActsOn::Own,
        reverting: REMOVING,
    },
    Kind {
        name: "isolated",
        fault: "fault: network.loss, target: own, with: { loss: 90% }",
        services: "services: { own: { run: [ \"{program}\", --port, \"${port}\", --any-address, \"1\" ], isolate: true } }",
        targets: OWN,
        acts_on: ActsOn::Own,
        reverting: REMOVING,
    },
    Kind {
        name: "slow files",
        fault: "fault: disk.latency, target: stranger, with: { path: /etc, latency: 60s }",
        services: "",
        targets: "stranger: { process: { pid: {stranger} } }",
        acts_on: ActsOn::Accesses,
        reverting: REMOVING,
    },
    Kind {
        name: "exec",
        fault: "fault: exec, target: stranger, with: { run: [ touch, flag ], undo: [ rm, -f, flag ], verify: [ test, -e, flag ] }",
        services: "",
        targets: "stranger: { process: { pid: {stranger} } }",
        acts_on: ActsOn::Flag,
        reverting: REMOVING,
    },
];
