//! The only unsafe code of this crate: descriptors that were inherited from a careless parent.

pub mod descriptors;

pub use descriptors::keep_from_children;
