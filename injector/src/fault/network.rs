//! Faults of the wire, on a link: what a slow, cut or swallowing network does to streams.

pub mod bandwidth;
pub mod blackhole;
pub mod latency;
pub mod partition;
