//! Faults on packets: rules in the kernel, in a network namespace of the target's, and the program that decides about each.

pub mod queue;
