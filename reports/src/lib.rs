//! What a run measured, and what it means: facts in, verdicts and pages out. Pure: no async, no network.
//!
//! In reading order: [`sample`] and [`facts`] (what comes in), [`window`], [`results`] (what goes out).

pub mod facts;
pub mod render;
pub mod results;
pub mod sample;
pub mod window;
