//! The door of the `brunt` binary; everything is in the library.

fn main() {}
