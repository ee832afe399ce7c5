//! What the resilient shop does about a sick payment instance, as pure decisions: the caller brings the time.
//!
//! * A try may take [`TRY_LIMIT`].
//! * A failed try is repeated at another instance, while retries stay within a budget: 20 % of the requests, and at least
//!   20 a second. Without a budget retries multiply the load on a system that is already in trouble.
//! * An instance that failed five times in a row is left out for two seconds. Its next failure leaves it out again; its
//!   next success clears its name.

use std::time::{Duration, Instant};

/// How long one try may take, connecting included.
pub const TRY_LIMIT: Duration = Duration::from_millis(100);
/// Retries of requests.
const BUDGET_SHARE: f64 = 0.2;
/// Retries a second that are always allowed.
const BUDGET_FLOOR: u64 = 20;
/// So many failures in a row leave an instance out.
const FAILURES_IN_A_ROW: u32 = 5;
/// So long it is left out.
const LEFT_OUT_FOR: Duration = Duration::from_secs(2);

/// Remembers how the instances fared and what the budget still holds.
#[derive(Debug)]
pub struct Resilience {
    instances: Vec<Instance>,
    budget: Budget,
}

#[derive(Debug, Clone, Default)]
struct Instance {
    failures_in_a_row: u32,
    left_out_until: Option<Instant>,
}

/// Counts whole seconds; the second before lets a new second start with a fair allowance.
#[derive(Debug)]
struct Budget {
    second_began: Instant,
    requests: u64,
    retries: u64,
    requests_before: u64,
}

impl Resilience {
    /// All instances well, an unused budget.
    pub fn new(instances: usize, now: Instant) -> Self {
        Self {
            instances: vec![Instance::default(); instances],
            budget: Budget { second_began: now, requests: 0, retries: 0, requests_before: 0 },
        }
    }

    /// Counts a request (not its retries): the budget is a share of them.
    pub fn count_request(&mut self, now: Instant) {
        self.budget.advance(now);
        self.budget.requests += 1;
    }

    /// The next instance in turn that is not left out and was not tried. When all of those are left out, one that was not
    /// tried all the same: a guess is better than a certain failure. `None` when all were tried.
    pub fn choose(&self, turn: usize, tried: &[usize], now: Instant) -> Option<usize> {
        let count = self.instances.len();
        let in_turn = || (0..count).map(|step| (turn + step) % count).filter(|instance| !tried.contains(instance));
        in_turn().find(|&instance| !self.instances[instance].is_left_out(now)).or_else(|| in_turn().next())
    }

    /// Remembers how a try ended.
    pub fn note(&mut self, instance: usize, succeeded: bool, now: Instant) {
        let instance = &mut self.instances[instance];
        if succeeded {
            *instance = Instance::default();
            return;
        }
        instance.failures_in_a_row += 1;
        if instance.failures_in_a_row >= FAILURES_IN_A_ROW && !instance.is_left_out(now) {
            instance.left_out_until = Some(now + LEFT_OUT_FOR);
        }
    }

    /// Takes one retry from the budget, if there is one.
    pub fn may_retry(&mut self, now: Instant) -> bool {
        self.budget.advance(now);
        let requests = self.budget.requests.max(self.budget.requests_before);
        let allowed = BUDGET_FLOOR.max((requests as f64 * BUDGET_SHARE) as u64);
        if self.budget.retries >= allowed {
            return false;
        }
        self.budget.retries += 1;
        true
    }
}

impl Instance {
    fn is_left_out(&self, now: Instant) -> bool {
        self.left_out_until.is_some_and(|until| now < until)
    }
}

impl Budget {
    fn advance(&mut self, now: Instant) {
        let seconds = now.saturating_duration_since(self.second_began).as_secs();
        if seconds == 0 {
            return;
        }
        self.requests_before = if seconds == 1 { self.requests } else { 0 };
        self.second_began += Duration::from_secs(seconds);
        self.requests = 0;
        self.retries = 0;
    }
}

#[cfg(test)]
mod tests {
    use std::time::{Duration, Instant};

    use super::Resilience;

    #[test]
    fn five_failures_in_a_row_leave_an_instance_out_for_two_seconds() {
        let start = Instant::now();
        let mut resilience = Resilience::new(3, start);
        for _ in 0..4 {
            resilience.note(1, false, start);
        }
        assert_eq!(resilience.choose(1, &[], start), Some(1), "four are not enough");
        resilience.note(1, false, start);
        assert_eq!(resilience.choose(1, &[], start), Some(2));
        assert_eq!(resilience.choose(1, &[], start + Duration::from_millis(1999)), Some(2));
        assert_eq!(resilience.choose(1, &[], start + Duration::from_secs(2)), Some(1));
    }

    #[test]
    fn after_its_return_one_failure_is_enough_and_one_success_clears_it() {
        let start = Instant::now();
        let back = start + Duration::from_secs(3);
        let mut resilience = Resilience::new(2, start);
        for _ in 0..5 {
            resilience.note(0, false, start);
        }
        resilience.note(0, false, back);
        assert_eq!(resilience.choose(0, &[], back), Some(1));
        let healed = back + Duration::from_secs(3);
        resilience.note(0, true, healed);
        resilience.note(0, false, healed);
        assert_eq!(resilience.choose(0, &[], healed), Some(0));
    }

    #[test]
    fn when_all_are_left_out_one_that_was_not_tried_is_tried_all_the_same() {
        let start = Instant::now();
        let mut resilience = Resilience::new(2, start);
        for instance in [0, 1] {
            for _ in 0..5 {
                resilience.note(instance, false, start);
            }
        }
        assert_eq!(resilience.choose(0, &[0], start), Some(1));
        assert_eq!(resilience.choose(0, &[0, 1], start), None);
    }

    #[test]
    fn the_budget_is_a_fifth_of_the_requests_and_at_least_twenty_a_second() {
        let start = Instant::now();
        let mut resilience = Resilience::new(2, start);
        let granted = |resilience: &mut Resilience, now| (0..1000).filter(|_| resilience.may_retry(now)).count();
        assert_eq!(granted(&mut resilience, start), 20);
        let next = start + Duration::from_secs(1);
        for _ in 0..500 {
            resilience.count_request(next);
        }
        assert_eq!(granted(&mut resilience, next), 100);
    }
}
