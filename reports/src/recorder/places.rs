//! Which windows a request belongs to: the one place that knows the rule.
//!
//! A request of a warm-up stage belongs to `warmup` alone. Every other one belongs to `run`, and to every fault window that
//! it overlaps, both edges included. If it overlaps none it belongs to the baseline that holds its intended start, and if it
//! started after a fault was removed, perhaps to a recovery: how far that reaches is known only at the end.

use brunt_scenario::metric::WindowName;
use brunt_scenario::units::Offset;

use crate::window::{Span, Windows};

/// Index of `warmup` in every table of windows.
pub const WARMUP: usize = 0;
/// Index of `run`.
pub const RUN: usize = 1;
/// Index of `baseline`.
pub const BASELINE: usize = 2;

/// The window log as the recorder needs it: names as indices, open edges as the end of time.
#[derive(Debug, Clone)]
pub struct Places {
    /// By index; the first three are fixed.
    pub names: Vec<WindowName>,
    spans: Vec<Known>,
}

#[derive(Debug, Clone, Copy)]
struct Known {
    window: usize,
    from: u64,
    to: u64,
}

impl Known {
    fn holds(&self, at: Offset) -> bool {
        self.from <= at.0 && at.0 < self.to
    }

    fn is_fault(&self) -> bool {
        self.window > BASELINE
    }
}

/// Where one request belongs. Kept between requests so that nothing is allocated.
#[derive(Debug, Clone, Default)]
pub struct Placement {
    /// Windows that it belongs to.
    pub belongs: Vec<usize>,
    /// Windows that hold its intended start.
    pub starts_in: Vec<usize>,
    /// Windows that hold its end.
    pub ends_in: Vec<usize>,
    /// It overlaps no fault and lies in no baseline, and a fault was removed before it started: it may belong to that
    /// fault's recovery.
    pub may_recover: bool,
    /// The latest removal of a fault before its intended start.
    pub removal_before_start: Option<Offset>,
    /// The latest removal of a fault before its end.
    pub removal_before_end: Option<Offset>,
}

impl Places {
    /// The fixed windows and those of the faults.
    pub fn new(faults: impl IntoIterator<Item = String>) -> Self {
        let mut names = vec![WindowName::Warmup, WindowName::Run, WindowName::Baseline];
        names.extend(faults.into_iter().map(WindowName::Fault));
        Self { names, spans: Vec::new() }
    }

    /// Takes over what the timeline has written since the last time.
    pub fn learn(&mut self, windows: &Windows) {
        for (index, span) in windows.spans.iter().enumerate() {
            let to = span.to.map_or(u64::MAX, |to| to.0);
            match self.spans.get_mut(index) {
                Some(known) => known.to = to,
                None => {
                    let known = Known { window: self.index_of(span), from: span.from.0, to };
                    self.spans.push(known);
                }
            }
        }
    }

    fn index_of(&mut self, span: &Span) -> usize {
        self.names.iter().position(|name| *name == span.name).unwrap_or_else(|| {
            self.names.push(span.name.clone());
            self.names.len() - 1
        })
    }

    /// Where something that lasted from `intended` to `done` belongs, warm-up or not.
    pub fn place(&self, warmup: bool, intended: Offset, done: Offset, out: &mut Placement) {
        out.belongs.clear();
        out.starts_in.clear();
        out.ends_in.clear();
        out.may_recover = false;
        out.removal_before_start = None;
        out.removal_before_end = None;
        if warmup {
            for list in [&mut out.belongs, &mut out.starts_in, &mut out.ends_in] {
                list.push(WARMUP);
            }
            return;
        }
        let mut in_baseline = false;
        for span in &self.spans {
            if span.holds(intended) {
                add(&mut out.starts_in, span.window);
                in_baseline |= span.window == BASELINE;
            }
            if span.holds(done) {
                add(&mut out.ends_in, span.window);
            }
            if !span.is_fault() {
                continue;
            }
            if intended.0 <= span.to && done.0 >= span.from {
                add(&mut out.belongs, span.window);
            }
            if span.to < intended.0 {
                out.removal_before_start = out.removal_before_start.max(Some(Offset(span.to)));
            }
            if span.to < done.0 {
                out.removal_before_end = out.removal_before_end.max(Some(Offset(span.to)));
            }
        }
        if out.belongs.is_empty() {
            if in_baseline {
                out.belongs.push(BASELINE);
            } else {
                out.may_recover = out.removal_before_start.is_some();
            }
        }
        for list in [&mut out.belongs, &mut out.starts_in, &mut out.ends_in] {
            list.push(RUN);
        }
    }

    /// The spans of a window, cut at `end`; one that began later has no length.
    pub fn spans_of(&self, window: usize, end: Offset) -> Vec<(Offset, Offset)> {
        self.spans
            .iter()
            .filter(|span| span.window == window)
            .map(|span| (Offset(span.from), Offset(span.to.min(end.0).max(span.from))))
            .collect()
    }
}

fn add(list: &mut Vec<usize>, window: usize) {
    if !list.contains(&window) {
        list.push(window);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MS: u64 = 1_000_000;

    /// A baseline from 1 to 2 s, then the fault `slow` from 3 to 4 s and, meanwhile, `cut` from 3.5 to 5 s.
    fn places() -> Places {
        let mut windows = Windows::default();
        let slow = WindowName::Fault("slow".into());
        let cut = WindowName::Fault("cut".into());
        windows.open(WindowName::Baseline, Offset(1000 * MS));
        windows.close(&WindowName::Baseline, Offset(2000 * MS));
        windows.open(slow.clone(), Offset(3000 * MS));
        windows.open(cut.clone(), Offset(3500 * MS));
        windows.close(&slow, Offset(4000 * MS));
        windows.close(&cut, Offset(5000 * MS));
        let mut places = Places::new(["slow".to_owned(), "cut".to_owned()]);
        places.learn(&windows);
        places
    }

    fn belongs(intended: u64, done: u64) -> (Vec<String>, Option<u64>) {
        let places = places();
        let mut out = Placement::default();
        places.place(false, Offset(intended), Offset(done), &mut out);
        let names = out.belongs.iter().filter(|w| **w != RUN).map(|w| places.names[*w].to_string()).collect();
        (names, out.removal_before_start.filter(|_| out.may_recover).map(|at| at.0))
    }

    #[test]
    fn a_request_that_ends_a_nanosecond_before_the_injection_is_not_touched_by_it() {
        assert_eq!(belongs(1999 * MS, 3000 * MS - 1), (vec!["baseline".into()], None));
        assert_eq!(belongs(1999 * MS, 3000 * MS), (vec!["fault:slow".into()], None));
    }

    #[test]
    fn a_request_that_starts_at_the_removal_overlaps_and_a_nanosecond_later_it_does_not() {
        assert_eq!(belongs(5000 * MS, 5100 * MS), (vec!["fault:cut".into()], None));
        assert_eq!(belongs(5000 * MS + 1, 5100 * MS), (vec![], Some(5000 * MS)));
    }

    #[test]
    fn a_request_belongs_to_every_fault_that_it_overlaps() {
        assert_eq!(belongs(3900 * MS, 4100 * MS).0, ["fault:slow", "fault:cut"]);
        assert_eq!(belongs(2000 * MS, 9000 * MS).0, ["fault:slow", "fault:cut"]);
        assert_eq!(belongs(4000 * MS + 1, 4100 * MS).0, ["fault:cut"]);
    }

    #[test]
    fn the_baseline_holds_its_first_instant_and_not_its_last() {
        assert_eq!(belongs(1000 * MS - 1, 1100 * MS), (vec![], None));
        assert_eq!(belongs(1000 * MS, 1100 * MS).0, ["baseline"]);
        assert_eq!(belongs(2000 * MS - 1, 2100 * MS).0, ["baseline"]);
        assert_eq!(belongs(2000 * MS, 2100 * MS).0, Vec::<String>::new());
    }

    #[test]
    fn a_fault_that_is_still_active_holds_everything_after_its_injection() {
        let mut windows = Windows::default();
        windows.open(WindowName::Fault("slow".into()), Offset(10));
        let mut places = Places::new(["slow".to_owned()]);
        places.learn(&windows);
        let mut out = Placement::default();
        places.place(false, Offset(1 << 60), Offset(1 << 61), &mut out);
        assert_eq!(out.belongs, [3, RUN]);
        windows.close(&WindowName::Fault("slow".into()), Offset(20));
        places.learn(&windows);
        places.place(false, Offset(21), Offset(22), &mut out);
        assert_eq!(out.belongs, [RUN], "an edge that is written later is learnt");
    }

    #[test]
    fn a_warm_up_request_belongs_to_warm_up_alone_even_during_a_fault() {
        let mut out = Placement::default();
        places().place(true, Offset(3200 * MS), Offset(3300 * MS), &mut out);
        assert_eq!((out.belongs.as_slice(), out.starts_in.as_slice()), (&[WARMUP][..], &[WARMUP][..]));
    }

    #[test]
    fn rates_go_by_the_instants_themselves_not_by_where_the_request_belongs() {
        let mut out = Placement::default();
        places().place(false, Offset(1999 * MS), Offset(3600 * MS), &mut out);
        assert_eq!(out.starts_in, [BASELINE, RUN], "offered to the baseline");
        assert_eq!(out.ends_in, [3, 4, RUN], "completed during both faults");
        assert_eq!(out.belongs, [3, 4, RUN], "but its latency is theirs");
    }
}
