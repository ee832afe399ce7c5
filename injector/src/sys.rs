//! The only unsafe code of this crate: descriptors that were inherited from a careless parent, and socket options,
//! addresses and a system call that no library has.

pub mod cookie;
pub mod descriptors;
pub mod schedule;
pub mod tap;

pub use cookie::namespace_cookie;
pub use descriptors::keep_from_children;
pub use schedule::wake_first;
