//! The runner: starts services, sends load, walks the timeline, injects the faults and writes the results.
//!
//! The `brunt` binary is a door to this library, so that tests and benches can use its rooms.

pub mod cli;
pub mod clock;
pub mod demo;
pub mod doctor;
pub mod environment;
pub mod exit;
pub mod files;
pub mod init;
pub mod isolation;
pub mod load;
pub mod operator;
pub mod probe;
pub mod run;
pub mod secrets;
pub mod services;
pub mod timeline;
pub mod ui;
