//! The scenario language of brunt: text in, [`plan::Plan`] out. Knows no I/O but reading files.
//!
//! [`load`] reads a file with its includes and overlays, fills in `${...}`, and tells every problem at once as
//! [`Diagnostics`]; a [`Scenario`] is sound. [`Scenario::plan`] is what execution takes.
//!
//! ```text
//! text --yaml--> tree --overlay--> tree --matrix, interpolate--> a tree a cell --decode--> Root --validate, resolve--> Plan
//! ```

pub mod address;
pub mod catalogue;
mod decode;
pub mod diagnostic;
mod interpolate;
mod lint;
mod load;
pub mod matrix;
pub mod metric;
mod overlay;
pub mod plan;
mod resolve;
pub mod scenario;
pub mod schema;
pub mod secret;
pub mod source;
mod tables;
mod trace;
pub mod units;
mod validate;
pub mod words;
mod yaml;

pub use diagnostic::{Code, Diagnostic, Diagnostics, Severity};
pub use load::{LoadOptions, Scenario, load, load_text};
