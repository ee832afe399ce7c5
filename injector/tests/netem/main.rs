//! netem, prio and flower on a kernel that has them. Many have not (those of clouds and of CI sandboxes least of all), so the
//! stories in `inside` (of the parts) and `faults`, `safety` and `accuracy` (of whole faults, by a real agent) are told in a
//! virtual machine: `machine` boots Debian's kernel in software emulation, with this very program in it, and reads what it says. It
//! takes about a minute. Shares, scope, encoding and undo are judged there; times
//! below some milliseconds are not, because the machine is emulated.

#![expect(clippy::unwrap_used, reason = "what breaks here is a test that fails")]

mod accuracy;
mod faults;
mod inside;
mod machine;
mod place;
mod safety;
#[path = "../processes/scene.rs"]
#[expect(dead_code, reason = "the stories of processes need more of it")]
mod scene;
