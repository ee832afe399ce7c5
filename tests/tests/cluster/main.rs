//! Stories with a Kubernetes cluster. They are a program of their own, so that its servers never run beside a measurement of
//! `stories`, and end with it.

mod bed;
mod nodes;
mod outcomes;
mod pods;
mod rights;
mod safety;
mod shopping;
