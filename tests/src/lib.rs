//! The builders of the stories: start a service that behaves as told, write a scenario, run the `brunt` binary, look at
//! the machine afterwards.
//!
//! The stories stand in `tests/tests/stories/`, one topic a file. They know brunt from outside only: its command line,
//! its files, its exit codes. `results.json` is read with the public types of `brunt-report`, and the kernel is asked with those of
//! `brunt-injector` what is left in a network namespace.

pub mod answering;
pub mod brunt;
pub mod cgroups;
pub mod cluster;
pub mod docker;
pub mod ended;
pub mod haproxy;
pub mod host;
pub mod image;
pub mod machine;
pub mod name_server;
pub mod namespaces;
pub mod nginx;
pub mod ports;
pub mod scenario;
pub mod trials;
