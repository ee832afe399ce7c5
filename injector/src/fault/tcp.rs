//! Faults of the connection, on a link.

pub mod limit;
pub mod reset;
pub mod slicer;
pub mod slow_close;
pub mod timeout;
