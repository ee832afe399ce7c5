//! The faults of brunt: what can be done to a target, how it is verified, how it is undone.
//!
//! Reading order: `fault` (the four verbs), `target` (who is hit), `journal` (what is on disk before anything happens),
//! `agent` (the process that undoes it all when the runner is gone), `injector` (what the runner calls), `cleanup`.

pub mod agent;
pub mod catalogue;
pub mod cgroup;
pub mod cleanup;
pub mod command;
pub mod docker;
pub mod error;
pub mod event;
pub mod fault;
#[cfg(any(test, feature = "fuzzing"))]
#[doc(hidden)]
pub mod fuzzing;
pub mod injector;
pub mod journal;
pub mod mark;
pub mod namespace;
pub mod netlink;
pub mod packets;
pub mod process;
pub mod proxy;
pub mod sys;
pub mod target;
pub mod undo;

pub use agent::protocol::{Instance, InstanceSpec, StopReport};
pub use cleanup::{CleanupReport, cleanup};
pub use error::{Error, ResolveError};
pub use event::Event;
pub use fault::{Change, Fault, Reverted, Rung, Seen, Undo, is_instant};
pub use injector::{Edge, Injector, Options};
pub use proxy::LinkStats;
pub use target::{Victim, Victims, resolve_dry};
