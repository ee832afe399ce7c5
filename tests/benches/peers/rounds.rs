//! Turns, medians, ratios and tables.

use std::sync::OnceLock;
use std::time::Instant;

/// One line to whoever waits: when, and what is done now.
pub fn progress(what: &str) {
    static BEGAN: OnceLock<Instant> = OnceLock::new();
    let seconds = BEGAN.get_or_init(Instant::now).elapsed().as_secs();
    println!("-- {:2}:{:02}  {what}", seconds / 60, seconds % 60);
}

/// What one candidate measured: one value a round, in the order of the rounds.
#[derive(Debug, Clone)]
pub struct Measured {
    /// How the candidate is called in the table.
    pub name: String,
    /// One a round.
    pub values: Vec<f64>,
}

/// Gives every candidate its turn, round after round. `measure` gets the candidate's place and returns its values; those of
/// one kind are gathered: the result has a list for each of the `KINDS`.
pub fn alternate<const KINDS: usize>(
    what: &str,
    rounds: usize,
    names: &[String],
    mut measure: impl FnMut(usize) -> [f64; KINDS],
) -> [Vec<Measured>; KINDS] {
    let empty = |name: &String| Measured { name: name.clone(), values: Vec::new() };
    let mut all = [(); KINDS].map(|()| names.iter().map(empty).collect::<Vec<_>>());
    for round in 1..=rounds {
        for (place, name) in names.iter().enumerate() {
            let values = measure(place);
            let shown = values.map(|value| format!("{value:.3}")).join("  ");
            progress(&format!("{what}, round {round} of {rounds}, {name}: {shown}"));
            for (kind, value) in all.iter_mut().zip(values) {
                kind[place].values.push(value);
            }
        }
    }
    all
}

/// Median, least and most.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Spread {
    /// The middle of the rounds.
    pub median: f64,
    /// The least of them.
    pub least: f64,
    /// The most.
    pub most: f64,
}

impl Spread {
    /// Of at least one value.
    pub fn of(values: &[f64]) -> Self {
        let mut sorted = values.to_vec();
        sorted.sort_by(f64::total_cmp);
        let half = sorted.len() / 2;
        let median = if sorted.len() % 2 == 1 { sorted[half] } else { (sorted[half - 1] + sorted[half]) / 2.0 };
        Self { median, least: sorted[0], most: sorted[sorted.len() - 1] }
    }

    /// `1.23 (1.10 to 1.40)`.
    pub fn words(self, digits: usize) -> String {
        let Self { median, least, most } = self;
        format!("{median:.digits$} ({least:.digits$} to {most:.digits$})")
    }
}

/// The value at this share of all, the nearest one from below; `values` need not be sorted.
pub fn percentile(values: &mut [f64], share: f64) -> f64 {
    assert!(!values.is_empty(), "nothing was measured");
    values.sort_by(f64::total_cmp);
    values[((values.len() - 1) as f64 * share) as usize]
}

/// Ratios to one candidate, round by round: what disturbed the machine for a while disturbed both.
pub fn ratios(measured: &[Measured], to: usize) -> Vec<Spread> {
    let base = &measured[to].values;
    let of =
        |one: &Measured| Spread::of(&one.values.iter().zip(base).map(|(value, base)| value / base).collect::<Vec<_>>());
    measured.iter().map(of).collect()
}

/// A table as Markdown shows it.
pub fn table(head: &[&str], rows: &[Vec<String>]) -> String {
    let line = |cells: &[String]| format!("| {} |\n", cells.join(" | "));
    let head: Vec<String> = head.iter().map(|cell| (*cell).to_owned()).collect();
    let rule = vec!["---".to_owned(); head.len()];
    line(&head) + &line(&rule).replace(' ', "") + &rows.iter().map(|row| line(row)).collect::<String>()
}

/// Name, median with its spread, and the ratio to `to`.
pub fn compared(unit: &str, measured: &[Measured], to: usize, digits: usize) -> String {
    let ratio = format!("beside {}", measured[to].name);
    let rows: Vec<Vec<String>> = measured
        .iter()
        .zip(ratios(measured, to))
        .map(|(one, ratio)| vec![one.name.clone(), Spread::of(&one.values).words(digits), ratio.words(2)])
        .collect();
    table(&["", unit, &ratio], &rows)
}
