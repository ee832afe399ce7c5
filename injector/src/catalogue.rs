//! How this version carries faults out: what `brunt faults` and `brunt explain` say beside the language's own table
//! ([`brunt_scenario::catalogue`]: what a kind does, its parameters and targets). A new fault is a file below `fault/`, a line
//! there and a line here; of a kind that is not built there is nothing to say here.

use brunt_scenario::catalogue::FaultKind;

/// How a kind of fault is carried out.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Entry {
    /// `network.latency`
    pub kind: &'static str,
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
    Entry { kind, feels, privilege: "none", rung: "brunt's proxy (stream)", verified, undone }
}

/// A fault that the agent does to processes.
const fn process(kind: &'static str, feels: &'static str, verified: &'static str, undone: &'static str) -> Entry {
    Entry { kind, feels, privilege: "same user, or root", rung: "signals by pidfd", verified, undone }
}

const HELD: &str = "the first message that it acted on was held for the drawn delay";
const COUNTED: &str = "at least one connection or request was affected, by the proxy's own counters";
const SILENT: &str = "bytes were held back, and a fresh connection of brunt's own gets nothing";
const PACED: &str = "bytes were held back, and no more than the rate passed while the wire was busy";
const SILENCED: &str = "bytes were held back or connections closed, and a fresh one of brunt's own is not answered";

/// The kinds that are built, in the order in which people read them.
pub const ALL: &[Entry] = &[
    stream("network.latency", "every message of a connection is held; connecting itself is not delayed", HELD),
    stream("network.partition", "bytes stall and are delivered after healing; new connections hang", SILENT),
    stream("network.blackhole", "bytes vanish; connections that lost some are reset on removal", SILENT),
    stream("network.bandwidth", "bytes come no faster than a rate that all connections share", PACED),
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
    process(
        "process.pause",
        "it does not run, and its kernel goes on accepting: silence instead of resets",
        "every thread is in state T in /proc",
        "SIGCONT, by the runner, the agent, or `brunt cleanup`; what was stopped before is refused",
    ),
    process(
        "process.restart",
        "it is asked to end as on a deployment, and starts cold at the same port",
        "the old process has ended, a new one runs",
        "it undoes itself",
    ),
    Entry {
        kind: "exec",
        feels: "a command of yours breaks it, another one (`undo`, required) mends it",
        privilege: "--allow-exec, and what the commands need",
        rung: "commands of the scenario",
        verified: "`verify`, a third command, ends with exit status 0; without one never, and the run is inconclusive",
        undone: "`undo`, by the runner, the agent, or `brunt cleanup`; `verify` must then fail",
    },
];

/// The entry of a kind; `None` when it is not built.
pub fn find(kind: &str) -> Option<&'static Entry> {
    ALL.iter().find(|entry| entry.kind == kind)
}

impl Entry {
    /// What the language says of it.
    pub fn language(&self) -> &'static FaultKind {
        FaultKind::find(self.kind).expect("a test walks all entries")
    }
}

#[cfg(test)]
mod tests {
    use brunt_scenario::catalogue::TargetKind;
    use brunt_scenario::plan::Params;

    use super::*;

    #[test]
    fn what_the_language_calls_built_is_what_can_be_carried_out() {
        let mut built: Vec<&str> =
            brunt_scenario::catalogue::ALL.iter().filter(|kind| kind.is_built()).map(|kind| kind.name).collect();
        let mut here: Vec<&str> = ALL.iter().map(|entry| entry.kind).collect();
        built.sort_unstable();
        here.sort_unstable();
        assert_eq!(here, built);
        for kind in brunt_scenario::catalogue::ALL.iter().filter(|kind| kind.takes.contains(&TargetKind::Link)) {
            let known = crate::fault::link::stream_fault(kind.name, &Params::default());
            assert_eq!(known.is_some(), kind.built.contains(&TargetKind::Link), "{}", kind.name);
        }
        assert!(ALL.iter().all(|entry| entry.language().name == entry.kind));
        assert!(find("process.paus").is_none());
    }
}
