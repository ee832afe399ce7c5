//! The states of an objective over the run, as runs of equal states.

/// What is known of an objective over one span.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum State {
    /// Fewer than ten requests: never counts as holding.
    Unknown,
    /// It holds.
    Holds,
    /// It does not.
    Broken,
}

impl State {
    /// `None`: not known.
    pub fn holds(self) -> Option<bool> {
        match self {
            Self::Unknown => None,
            Self::Holds => Some(true),
            Self::Broken => Some(false),
        }
    }
}

/// States by the number of the bucket at which a span starts, from 0 without gaps.
#[derive(Debug, Clone, Default)]
pub struct History {
    /// First start of a run of equal states.
    runs: Vec<(u64, State)>,
    end: u64,
}

impl History {
    /// Appends the state of the next span start.
    pub fn push(&mut self, start: u64, state: State) {
        if self.runs.last().is_none_or(|(_, last)| *last != state) {
            self.runs.push((start, state));
        }
        self.end = start + 1;
    }

    /// The state of the span that starts there; unknown outside of what was judged.
    pub fn at(&self, start: u64) -> State {
        if start >= self.end {
            return State::Unknown;
        }
        let next = self.runs.partition_point(|(first, _)| *first <= start);
        next.checked_sub(1).map_or(State::Unknown, |run| self.runs[run].1)
    }

    /// The number after the last span start that was judged.
    pub fn end(&self) -> u64 {
        self.end
    }

    /// Runs of broken span starts on a coarser grid: numbers that `step` divides, first and last of each run.
    pub fn broken(&self, step: u64) -> Vec<(u64, u64)> {
        let mut all: Vec<(u64, u64)> = Vec::new();
        for (index, (first, state)) in self.runs.iter().enumerate() {
            let end = self.runs.get(index + 1).map_or(self.end, |(next, _)| *next);
            let first = first.next_multiple_of(step);
            if *state != State::Broken || first >= end {
                continue;
            }
            let last = (end - 1) / step * step;
            match all.last_mut() {
                Some((_, before)) if *before + step == first => *before = last,
                _ => all.push((first, last)),
            }
        }
        all
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn broken_spans_are_found_on_the_coarser_grid_only() {
        let mut history = History::default();
        let broken = |start: u64| (5..=7).contains(&start) || (9..=21).contains(&start) || (31..=34).contains(&start);
        for start in 0..50 {
            history.push(start, if broken(start) { State::Broken } else { State::Holds });
        }
        assert_eq!(history.broken(5), [(5, 20)]);
        assert_eq!(history.broken(1), [(5, 7), (9, 21), (31, 34)]);
        assert_eq!(
            [history.at(8), history.at(9), history.at(49), history.at(50)].map(|s| s == State::Holds),
            [true, false, true, false]
        );
    }
}
