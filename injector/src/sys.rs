//! The only unsafe code of this crate: descriptors that were inherited from a careless parent, and a socket option and a
//! system call that no library has.

pub mod cookie;
pub mod descriptors;
pub mod schedule;

pub use cookie::namespace_cookie;
pub use descriptors::keep_from_children;
pub use schedule::wake_first;
