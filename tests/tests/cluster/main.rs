//! Stories with a Kubernetes cluster. They are a program of their own, so that its servers never run beside a measurement of
//! `stories`, and end with it.

mod autoscalers;
mod bed;
mod between;
mod deployed;
mod dying;
mod inpod;
mod kinds;
mod many;
mod nodes;
mod outage;
mod outcomes;
mod pods;
mod probes;
mod processes;
mod rights;
mod rollout;
mod safety;
mod sharing;
mod shopping;
mod stress;
mod templates;
mod throttled;
mod undo;
mod workers;
mod zones;
