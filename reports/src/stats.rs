//! Arithmetic on counts and distributions; knows nothing of runs. Each file says where its method is published.

pub mod bootstrap;
pub mod interval;
pub mod quantile;
pub mod sparse;
