//! The faults of brunt: what can be done to a target, how it is verified, how it is undone.
//!
//! Reading order: `fault` (the four verbs), `target` (who is hit), `journal` (what is on disk before anything happens),
//! `agent` (the process that undoes it all when the runner is gone), `injector` (what the runner calls), `cleanup`.

pub mod error;
pub mod event;
pub mod fault;
pub mod process;
pub mod proxy;

pub use error::{Error, ResolveError};
pub use event::Event;
pub use fault::{Change, Fault, Reverted, Seen, Undo, is_instant};
