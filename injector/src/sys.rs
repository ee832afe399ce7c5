//! The only unsafe code of this crate: descriptors that were inherited from a careless parent, and a socket option that no
//! library has.

pub mod cookie;
pub mod descriptors;

pub use cookie::namespace_cookie;
pub use descriptors::keep_from_children;
