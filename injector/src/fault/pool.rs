//! Faults on what a server can give out only so often.

pub mod exhaust;
mod holder;
mod place;
mod room;
