//! Renderings: each is a pure function of [`Results`](crate::results::Results), byte for byte the same from the same results.json. No render time, no
//! output path, no random identifier.
//!
//! A rendering is one file with one `render` function; [`words`] and [`format`] hold what all of them say. To add one, write
//! `render/<name>.rs` and call it where the runner writes the files of a run.

pub mod compare;
pub mod crew;
pub mod format;
pub mod github;
pub mod html;
pub mod junit;
pub mod objectives;
pub mod runs;
pub mod summary;
pub mod svg;
pub mod text;
pub mod words;
