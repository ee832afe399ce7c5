//! Made runs for looking at renderings: a small shop under faults, and the runs that go wrong. Drawn from a fixed seed, so
//! that snapshots hold.
//!
//! [`maker`] counts made requests as the recorder would; [`shop`] is the run that most renderings are looked at with,
//! [`trouble`] what becomes of it when something goes wrong, [`small`] runs that hardly began, [`hostile`] the same with names that are attacks, and [`hour`]
//! the largest run that a report should bear.

mod hostile;
mod hour;
mod maker;
mod shop;
mod small;
mod trouble;

pub use hostile::{hostile, worded};
pub use hour::hour;
pub use shop::{mended, passing, shop};
pub use small::{huge, one_request, steady, three_seconds};
pub use trouble::{aborted, empty, invalid, touched};

use brunt_report::results::Results;

/// Every made run with its name; all but the largest.
pub fn all() -> Vec<(&'static str, Results)> {
    vec![
        ("shop", shop()),
        ("passing", passing()),
        ("aborted", aborted()),
        ("invalid", invalid()),
        ("empty", empty()),
        ("hostile", hostile()),
        ("worded", worded()),
        ("touched", touched()),
        ("three-seconds", three_seconds()),
        ("one-request", one_request()),
        ("huge", huge()),
        ("steady", steady(1, 40.0, 2_000.0)),
    ]
}
