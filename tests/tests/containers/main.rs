//! Stories with a container engine. They are a program of their own, so that its daemons never run beside a measurement of
//! `stories`, and end with it.

mod bad_input;
mod docker;
mod names;
mod shop;
