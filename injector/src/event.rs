//! What happens at its own time: the agent (through the injector) produces these, the runner's loop consumes them.

use brunt_scenario::units::Offset;

/// Something that nobody asked for at this instant, on the run's clock.
#[derive(Debug, Clone, PartialEq)]
pub enum Event {
    /// An instance of a service has ended and its process group is empty.
    InstanceExited {
        /// Name of the service.
        service: String,
        /// Which instance, from 0.
        index: usize,
        /// Its process id while it lived.
        pid: u32,
        /// Bytes that its log held when it was started: what an earlier life has written.
        log_from: u64,
        /// When its end was seen.
        at: Offset,
        /// In words: `exit status 1`, `killed by SIGKILL`.
        status: String,
        /// The fault that ended it; `None` means that it exited by itself, which is a finding.
        by_fault: Option<String>,
    },
    /// A fault brought an instance back: the same program at the same port. It is not ready yet.
    InstanceStarted {
        /// Name of the service.
        service: String,
        /// Which instance, from 0.
        index: usize,
        /// Its new process id.
        pid: u32,
        /// Bytes that its log held by then: what an earlier life has written.
        log_from: u64,
        /// When it was started.
        at: Offset,
    },
    /// A fault should have brought an instance back and could not.
    InstanceNotStarted {
        /// Name of the service.
        service: String,
        /// Which instance, from 0.
        index: usize,
        /// When the start failed.
        at: Offset,
        /// Why, as a sentence.
        reason: String,
    },
    /// A pod replaces a victim of a fault that follows, and gets the fault.
    Followed {
        /// The fault, as its round is called.
        fault: String,
        /// The pod that was hit and is gone.
        gone: String,
        /// The one that is hit now.
        victim: String,
        /// When that was asked for.
        at: Offset,
    },
    /// A fault that follows could not, and acts on fewer than were picked.
    NotFollowed {
        /// The fault, as its round is called.
        fault: String,
        /// Why, as a sentence.
        reason: String,
        /// When.
        at: Offset,
    },
    /// Whom `from` means has other addresses than before, and the fault is between its victims and these.
    PeersChanged {
        /// The fault, as its round is called.
        fault: String,
        /// What has changed, as a sentence.
        change: String,
        /// When.
        at: Offset,
    },
    /// They could not be looked for, or told to who carries the fault out: those from before are meant.
    PeersUnknown {
        /// The fault, as its round is called.
        fault: String,
        /// Why, as a sentence.
        reason: String,
        /// When.
        at: Offset,
    },
    /// The agent is gone or silent: process faults are undone, services are ended, the run is invalid.
    AgentLost {
        /// When it was seen.
        at: Offset,
        /// Why, as a sentence.
        reason: String,
    },
}
