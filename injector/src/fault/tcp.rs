//! Faults of the connection, on a link.

pub mod reset;
