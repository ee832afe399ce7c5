//! Made runs for looking at renderings: a small shop under faults, and the runs that go wrong. Drawn from a fixed seed, so
//! that snapshots hold.
//!
//! [`maker`] counts made requests as the recorder would; [`shop`] is the run that most renderings are looked at with,
//! [`trouble`] what becomes of it when something goes wrong, [`hostile`] the same with names that are attacks, and [`hour`]
//! the largest run that a report should bear.

mod hostile;
mod hour;
mod maker;
mod shop;
mod trouble;

pub use hostile::hostile;
pub use hour::hour;
pub use shop::{passing, shop};
pub use trouble::{aborted, empty, invalid};
