//! The scenario language of brunt: text in, [`plan::Plan`] out. Knows no I/O but reading files.

pub mod metric;
pub mod plan;
pub mod secret;
pub mod units;
