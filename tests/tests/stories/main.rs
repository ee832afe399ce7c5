//! Stories about the whole program, told from outside: each starts the `brunt` binary against real processes and looks at
//! what it said, what it left, and what the machine looks like afterwards.
//!
//! `BRUNT_BIN` names the binary (`tests/run` sets it to a release build); stories that measure hold the machine alone.

mod agent_rights;
mod bad_input;
mod bad_moments;
mod bandwidth;
mod bystanders;
mod cgroup_v2;
mod cleanup;
mod crash_leaves_nothing;
mod determinism;
mod disk;
mod doctor;
mod documents_run;
mod editor;
mod exec;
mod first_use;
mod gates_exit_codes;
mod guardrails;
mod haproxy;
mod honesty;
mod init;
mod isolate;
mod load_shapes;
mod matrix;
mod memory;
mod names;
mod nothing_is_lost;
mod packets;
mod pool;
mod queues;
mod report_in_chromium;
mod revert;
mod screen;
mod signals;
mod stream_faults;
mod stress;
mod supervised;
mod timeline;
mod truth;
mod windows;
