//! Two runs beside each other, the first one as the yardstick. Plain data from two results.json; `render::compare` shows it.
//!
//! Two runs show a difference. They do not show its cause, nor that it is larger than what two runs of the same thing differ
//! by: that takes several runs of each, which brunt does not judge yet. Intervals here hold what varied *within* the runs.

pub mod differences;
pub mod windows;

use crate::results::{FaultData, GateData, Results};
use differences::Difference;
use windows::WindowPair;

/// Something of the first run beside the same of the second; one of them may be missing.
#[derive(Debug, Clone, PartialEq)]
pub struct Pair<T> {
    /// Its id.
    pub id: String,
    /// In the first run.
    pub first: Option<T>,
    /// In the second run.
    pub second: Option<T>,
}

/// Two runs beside each other.
#[derive(Debug, Clone, PartialEq)]
pub struct Comparison<'a> {
    /// The yardstick.
    pub first: &'a Results,
    /// What is held against it.
    pub second: &'a Results,
    /// What else is different, the worst first.
    pub differences: Vec<Difference>,
    /// In the order of the first run.
    pub windows: Vec<WindowPair>,
    /// In the order of the first run.
    pub gates: Vec<Pair<&'a GateData>>,
    /// In the order of the first run.
    pub faults: Vec<Pair<&'a FaultData>>,
}

impl<'a> Comparison<'a> {
    /// Compares. Never fails: what cannot be compared is said in [`Comparison::differences`] and left out.
    pub fn of(first: &'a Results, second: &'a Results) -> Self {
        Self {
            first,
            second,
            differences: differences::all(first, second),
            windows: windows::all(first, second),
            gates: pairs(&first.summary.gates, &second.summary.gates, |gate| &gate.id),
            faults: pairs(&first.summary.faults, &second.summary.faults, |fault| &fault.id),
        }
    }

    /// Nothing forbids to compare them.
    pub fn is_fair(&self) -> bool {
        self.differences.iter().all(|difference| !difference.forbids)
    }
}

/// Everything by its id: what the first has in its order, then what only the second has.
fn pairs<'a, T>(first: &'a [T], second: &'a [T], id: impl Fn(&T) -> &str) -> Vec<Pair<&'a T>> {
    let find = |all: &'a [T], wanted: &str| all.iter().find(|one| id(one) == wanted);
    let both = first.iter().map(|one| Pair { id: id(one).to_owned(), first: Some(one), second: find(second, id(one)) });
    let new = second.iter().filter(|one| find(first, id(one)).is_none());
    both.chain(new.map(|one| Pair { id: id(one).to_owned(), first: None, second: Some(one) })).collect()
}
