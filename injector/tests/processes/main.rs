//! Faults on real processes, and the safety cases that concern processes and the agent.

#![expect(clippy::unwrap_used, reason = "what breaks here is a test that fails")]

mod disk;
mod exec;
mod faults;
mod lab;
mod pool;
mod safety;
mod scene;
mod targets;
mod waiting;
