//! The first sign of trouble after each injection: what `time_to_detect` is made of.
//!
//! A sign is a request that failed, at the instant when it failed, or one that outlived the bound of a latency objective, at
//! the instant when its age passed that bound, ended or not: a person at the other end knows then.

use brunt_scenario::metric::{Metric, WindowName};
use brunt_scenario::plan::{Bound, Plan};
use brunt_scenario::units::Offset;

use crate::metric::series_in;
use crate::sample::{Request, Series};
use crate::window::Windows;

/// The first sign after each injection.
#[derive(Debug, Clone, Default)]
pub struct Troubles {
    /// By series: the tightest bound of a latency objective, nanoseconds.
    bounds: Vec<Option<u64>>,
    /// By injection, in the order of the window log.
    firsts: Vec<First>,
    spans_read: usize,
}

#[derive(Debug, Clone)]
struct First {
    fault: String,
    injected: Offset,
    seen: Option<Offset>,
}

impl Troubles {
    /// No injection yet.
    pub fn new(plan: &Plan, series: &[Series]) -> Self {
        let mut bounds: Vec<Option<u64>> = vec![None; series.len()];
        for slo in &plan.slos {
            if let (Metric::Latency(_), Bound::Max(bound)) = (slo.metric, slo.bound) {
                let bound = (bound * 1e6) as u64;
                for index in series_in(series, &slo.scope) {
                    bounds[index] = Some(bounds[index].map_or(bound, |known| known.min(bound)));
                }
            }
        }
        Self { bounds, firsts: Vec::new(), spans_read: 0 }
    }

    /// Takes over new injections from the window log.
    pub fn learn(&mut self, windows: &Windows) {
        for span in windows.spans.iter().skip(self.spans_read) {
            if let WindowName::Fault(fault) = &span.name {
                self.firsts.push(First { fault: fault.clone(), injected: span.from, seen: None });
            }
        }
        self.spans_read = windows.spans.len();
    }

    /// Looks at a request outside warm-up.
    pub fn file(&mut self, request: &Request) {
        let slow = self.bounds.get(usize::from(request.series)).copied().flatten().and_then(|bound| {
            (request.done.0.saturating_sub(request.intended.0) > bound).then(|| Offset(request.intended.0 + bound))
        });
        let failed = request.error.map(|_| request.done);
        for at in slow.into_iter().chain(failed) {
            for first in self.firsts.iter_mut().filter(|first| first.injected <= at) {
                first.seen = Some(first.seen.map_or(at, |seen| seen.min(at)));
            }
        }
    }

    /// The first sign after an injection of a fault.
    pub fn first(&self, fault: &str, injected: Offset) -> Option<Offset> {
        self.firsts.iter().find(|first| first.fault == fault && first.injected == injected)?.seen
    }
}
