//! What people read, as snapshots over made runs. To accept a change: `INSTA_UPDATE=always cargo test -p brunt-report`.

mod compare;
mod edges;
mod github;
mod html;
mod junit;
mod labels;
mod runs;
mod sample;
mod schema;
mod summary;
mod text;
mod vendored;
