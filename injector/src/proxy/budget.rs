//! How much the proxy keeps in memory, over all connections of all links.
//!
//! A delay needs room: what is under way through one second at 10 MiB/s is 10 MiB, and a connection that may hold less is
//! throttled by a fault that promised only to delay. A fixed room for each connection is then either too small for one or too
//! large for thousands. So all share one budget, and each direction of a connection may hold as much as is still free: one
//! alone half of the budget, a hundred about a hundredth each, and never less than [`FLOOR`]. This is the dynamic threshold
//! of Choudhury and Hahne (Dynamic queue length thresholds for shared-memory packet switches, IEEE/ACM Transactions on
//! Networking, 1998) with alpha = 1.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

/// What all connections together may hold, but for the floors.
pub(crate) const BUDGET: usize = 40 << 20;

/// What each direction of a connection may hold in any case.
pub(crate) const FLOOR: usize = 32 << 10;

/// The bytes that are held by all connections of a proxy.
#[derive(Debug, Default)]
pub(crate) struct Budget(AtomicUsize);

impl Budget {
    /// How much one direction of a connection may hold now, if its faults want no more than `window`.
    fn limit(&self, window: usize) -> usize {
        window.min(BUDGET.saturating_sub(self.0.load(Ordering::Relaxed))).max(FLOOR.min(window))
    }
}

/// What one connection takes of the budget; given back when it ends.
#[derive(Debug)]
pub(crate) struct Portion {
    budget: Arc<Budget>,
    taken: [usize; 2],
}

impl Portion {
    pub fn of(budget: Arc<Budget>) -> Self {
        Self { budget, taken: [0, 0] }
    }

    /// The direction `lane` holds so many bytes now.
    pub fn set(&mut self, lane: usize, held: usize) {
        let before = std::mem::replace(&mut self.taken[lane], held);
        if held >= before {
            self.budget.0.fetch_add(held - before, Ordering::Relaxed);
        } else {
            self.budget.0.fetch_sub(before - held, Ordering::Relaxed);
        }
    }

    /// How much the direction `lane` may still take in.
    pub fn room(&self, lane: usize, window: usize) -> usize {
        self.budget.limit(window).saturating_sub(self.taken[lane])
    }
}

impl Drop for Portion {
    fn drop(&mut self) {
        self.set(0, 0);
        self.set(1, 0);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Fills as far as it goes, 1 KiB a turn for each of `n`; how much each then holds.
    fn filled(n: usize, window: usize) -> Vec<usize> {
        let budget = Arc::new(Budget::default());
        let mut portions: Vec<_> = (0..n).map(|_| Portion::of(Arc::clone(&budget))).collect();
        loop {
            let mut more = false;
            for portion in &mut portions {
                if portion.room(0, window) >= 1 << 10 {
                    portion.set(0, portion.taken[0] + (1 << 10));
                    more = true;
                }
            }
            if !more {
                return portions.iter().map(|portion| portion.taken[0]).collect();
            }
        }
    }

    #[test]
    fn one_may_hold_half_and_many_share_fairly_and_nobody_starves() {
        assert!(filled(1, usize::MAX)[0].abs_diff(BUDGET / 2) <= 2 << 10);
        for each in filled(9, usize::MAX) {
            assert!(each.abs_diff(BUDGET / 10) <= 20 << 10, "{each}");
        }
        assert!(filled(5000, usize::MAX).iter().all(|each| *each >= FLOOR));
        let total: usize = filled(5000, usize::MAX).iter().sum();
        assert!(total <= BUDGET + 5000 * FLOOR, "{total}");
        assert_eq!(filled(1, 100 << 10), [100 << 10]);
    }

    #[test]
    fn what_a_connection_took_is_given_back_when_it_ends() {
        let budget = Arc::new(Budget::default());
        let mut portion = Portion::of(Arc::clone(&budget));
        portion.set(0, 1000);
        portion.set(1, 500);
        portion.set(0, 200);
        assert_eq!(budget.0.load(Ordering::Relaxed), 700);
        drop(portion);
        assert_eq!(budget.0.load(Ordering::Relaxed), 0);
    }
}
