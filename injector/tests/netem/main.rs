//! netem, prio and flower on a kernel that has them. Many have not (those of clouds and of CI sandboxes least of all), so the
//! stories in `inside` are told in a virtual machine: `machine` boots Debian's kernel in software emulation, with this very
//! program in it, and reads what it says. It takes some ten seconds. Shares, scope, encoding and undo are judged there; times
//! below some milliseconds are not, because the machine is emulated.

#![expect(clippy::unwrap_used, reason = "what breaks here is a test that fails")]

mod inside;
mod machine;
