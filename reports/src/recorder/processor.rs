//! What brunt itself uses of its processors: over the run for the report, over the last seconds for a guardrail.

use std::collections::VecDeque;
use std::time::Duration;

use brunt_scenario::metric::Metric;
use brunt_scenario::plan::Plan;
use brunt_scenario::units::Offset;

/// Processor time over a span, of one core a worker: 1 is all that the workers could have.
pub fn share(worked: Duration, span: Duration, workers: usize) -> f64 {
    worked.as_secs_f64() / span.as_secs_f64().max(1e-3) / workers.max(1) as f64
}

/// The process's processor time at the last looks, for as long as a guardrail looks back.
#[derive(Debug)]
pub struct Processor {
    /// Longest span that is asked for; zero: nobody asks.
    keep: Duration,
    looks: VecDeque<(Offset, Duration)>,
    workers: usize,
}

impl Processor {
    /// No look yet.
    pub fn new(plan: &Plan) -> Self {
        let asked = plan.guardrails.iter().filter(|guard| guard.metric == Metric::GeneratorCpu);
        Self { keep: asked.map(|guard| guard.over).max().unwrap_or_default(), looks: VecDeque::new(), workers: 1 }
    }

    /// Notes what the process has used so far, all threads together.
    pub fn note(&mut self, at: Offset, used: Duration, workers: usize) {
        if self.keep.is_zero() {
            return;
        }
        self.workers = workers;
        self.looks.push_back((at, used));
        // The newest look that is old enough for the longest span stays.
        while self.looks.get(1).is_some_and(|(next, _)| at.since(*next) >= self.keep) {
            self.looks.pop_front();
        }
    }

    /// The share over at least `span` up to the last look; `None` until so much time has been looked at.
    pub fn over(&self, span: Duration) -> Option<f64> {
        let (now, used) = *self.looks.back()?;
        let (from, before) = self.looks.iter().rev().find(|(at, _)| now.since(*at) >= span)?;
        Some(share(used.saturating_sub(*before), now.since(*from), self.workers))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn processor(keep: Duration) -> Processor {
        Processor { keep, looks: VecDeque::new(), workers: 1 }
    }

    #[test]
    fn the_share_is_that_of_the_last_span_and_of_one_core_a_worker() {
        let second = Duration::from_secs(1);
        let mut processor = processor(2 * second);
        for (at, used) in [(0.0, 0), (1.0, 100), (2.0, 200), (3.0, 1200)] {
            processor.note(Offset::from_secs_f64(at), Duration::from_millis(used), 2);
            if at < 2.0 {
                assert_eq!(processor.over(2 * second), None, "less than a span was looked at");
            }
        }
        assert_eq!(processor.over(2 * second), Some(1.1 / 2.0 / 2.0));
        assert_eq!(processor.over(second), Some(1.0 / 2.0));
    }

    #[test]
    fn no_more_looks_are_kept_than_the_longest_span_needs() {
        let mut processor = processor(Duration::from_secs(2));
        for at in 0..1000 {
            processor.note(Offset::from_secs_f64(f64::from(at) / 4.0), Duration::ZERO, 1);
        }
        assert_eq!(processor.looks.len(), 9, "two seconds of looks each 250 ms, and both ends");
    }
}
