//! YAML text to a tree in which every node knows its place. The YAML library is used here and nowhere else.
//!
//! YAML 1.2 core schema, one document a file, `!include`, aliases and merge keys resolved, duplicate keys refused. Limits on
//! depth, nodes and text hold while the tree grows, so that a file that would expand to gigabytes is stopped early.

mod build;
mod include;
pub(crate) mod node;
mod print;

pub(crate) use include::Reader;
pub(crate) use node::{Entry, Key, Node, Scalar, Value};
pub(crate) use print::print;

/// Mappings and lists nest at most so deep, includes counted in.
pub(crate) const MAX_DEPTH: usize = 64;
/// So many nodes, aliases and includes expanded.
pub(crate) const MAX_NODES: usize = 100_000;
/// So many bytes of text, aliases and variables expanded.
pub(crate) const MAX_TEXT: usize = 16 << 20;
