//! What a run measured, and what it means: facts in, verdicts and pages out. Pure: no async, no network.
//!
//! In reading order: [`sample`] and [`facts`] (what comes in), [`window`], [`recorder`] (counts what comes in), [`measured`]
//! (all numbers), [`metric`] (one number), [`resilience`], [`gates`], [`verdict`] and [`exit`] (what it means; `validity` says whether it
//! means anything), [`results`]
//! (what goes out), [`runs`] (several of them), [`compare`] (two beside each other), [`render`] (how it is shown). [`stats`] is the arithmetic.

pub mod compare;
pub mod exit;
pub mod facts;
pub mod gates;
pub mod measured;
pub mod metric;
pub mod recorder;
pub mod render;
pub mod resilience;
pub mod results;
pub mod runs;
pub mod sample;
mod spans;
pub mod stats;
mod validity;
pub mod verdict;
pub mod window;
