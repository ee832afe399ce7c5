//! What the person at the screen has chosen. Changed by actions only; views read it.

use super::action::Action;
use super::frame::table_of;
use crate::operator::Operator;
use crate::ui::snapshot::Snapshot;

/// The pages, in the order of their numbers.
pub const PAGES: [&str; 6] = ["Overview", "Steps", "Instances", "Faults", "Errors", "Log"];
/// The page with a row for each turn of a fault.
pub const FAULTS: usize = 3;
/// The shortest span on the time axis, seconds.
const SHORTEST_S: f64 = 5.0;

/// A line that is being typed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Typing {
    /// For the filter of the page.
    Filter,
    /// A note for the report.
    Note,
}

/// What the person has chosen.
#[derive(Debug, Clone)]
pub struct State {
    /// Index into [`PAGES`].
    pub page: usize,
    /// The selected row of each page.
    pub rows: [usize; PAGES.len()],
    /// The column that each page is sorted by; 0: as the scenario has it.
    pub sorts: [usize; PAGES.len()],
    /// What rows must contain.
    pub filters: [String; PAGES.len()],
    /// The selected row is shown in full.
    pub details: bool,
    /// Length of the time axis in seconds; `None`: the whole run.
    pub window_s: Option<f64>,
    /// The end of the time axis lies so far in the past.
    pub back_s: f64,
    /// The picture that is kept while the run goes on.
    pub frozen: Option<Box<Snapshot>>,
    /// The latency axis is logarithmic.
    pub log_axis: bool,
    /// The baseline is shown in the plot.
    pub ghost: bool,
    /// What is being typed.
    pub typing: Option<(Typing, String)>,
    /// Asked whether to end the run.
    pub asks_abort: bool,
    /// The keys are shown.
    pub help: bool,
}

impl Default for State {
    fn default() -> Self {
        Self {
            page: 0,
            rows: [0; PAGES.len()],
            sorts: [0; PAGES.len()],
            filters: Default::default(),
            details: false,
            window_s: None,
            back_s: 0.0,
            frozen: None,
            log_axis: true,
            ghost: false,
            typing: None,
            asks_abort: false,
            help: false,
        }
    }
}

/// What a key asks of the run.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Asked {
    /// For the orchestrator.
    Operator(Operator),
    /// What Ctrl-C means where no screen stands in its way.
    Interrupt,
}

impl State {
    /// Follows an action; what it asks of the run is returned.
    pub fn follow(&mut self, action: Action, snapshot: &Snapshot) -> Option<Asked> {
        match action {
            Action::Page(page) => self.turn_to(page),
            Action::NextPage => self.turn_to((self.page + 1) % PAGES.len()),
            Action::PreviousPage => self.turn_to((self.page + PAGES.len() - 1) % PAGES.len()),
            Action::Down => self.rows[self.page] = (self.row(snapshot) + 1).min(self.last_row(snapshot)),
            Action::Up => self.rows[self.page] = self.row(snapshot).saturating_sub(1),
            Action::Details => self.details = !self.details,
            Action::Filter => self.typing = Some((Typing::Filter, self.filters[self.page].clone())),
            Action::Sort => self.sorts[self.page] = self.sorts[self.page].wrapping_add(1),
            Action::ZoomIn => self.zoom(0.5, snapshot.at_s),
            Action::ZoomOut => self.zoom(2.0, snapshot.at_s),
            Action::Earlier => self.pan(0.25, snapshot.at_s),
            Action::Later => self.pan(-0.25, snapshot.at_s),
            Action::WholeRun => (self.window_s, self.back_s) = (None, 0.0),
            Action::Freeze => {
                self.frozen = if self.frozen.is_some() { None } else { Some(Box::new(snapshot.clone())) };
            }
            Action::LogAxis => self.log_axis = !self.log_axis,
            Action::Ghost => self.ghost = !self.ghost,
            Action::Hold => return Some(Asked::Operator(Operator::Hold)),
            Action::ToggleFault if self.page == FAULTS => {
                let turn = super::faults::selected(snapshot, self)?;
                return Some(Asked::Operator(Operator::Fault(turn)));
            }
            // Nothing is changed that is not seen to be selected.
            Action::ToggleFault => self.turn_to(FAULTS),
            Action::Note => self.typing = Some((Typing::Note, String::new())),
            Action::Abort => self.asks_abort = true,
            Action::Interrupt => return Some(Asked::Interrupt),
            Action::Help => self.help = !self.help,
        }
        None
    }

    /// Takes a typed line.
    pub fn typed(&mut self, what: Typing, line: String) -> Option<Asked> {
        self.typing = None;
        match what {
            Typing::Filter => {
                self.filters[self.page] = line;
                self.rows[self.page] = 0;
                None
            }
            Typing::Note => (!line.trim().is_empty()).then(|| Asked::Operator(Operator::Note(line.trim().to_owned()))),
        }
    }

    /// The ends of the time axis.
    pub fn axis(&self, at_s: f64) -> (f64, f64) {
        let to = (at_s - self.back_s).max(SHORTEST_S);
        let from = self.window_s.map_or(0.0, |window| (to - window).max(0.0));
        (from, to.max(from + 1.0))
    }

    /// The selected row: there may be fewer than when it was selected.
    fn row(&self, snapshot: &Snapshot) -> usize {
        self.rows[self.page].min(self.last_row(snapshot))
    }

    fn last_row(&self, snapshot: &Snapshot) -> usize {
        table_of(snapshot, self.page).map_or(0, |table| table.shown(self).len().saturating_sub(1))
    }

    fn turn_to(&mut self, page: usize) {
        (self.page, self.details) = (page, false);
    }

    fn zoom(&mut self, factor: f64, at_s: f64) {
        let window = self.window_s.unwrap_or(at_s.max(SHORTEST_S)) * factor;
        if window >= at_s {
            (self.window_s, self.back_s) = (None, 0.0);
        } else {
            self.window_s = Some(window.max(SHORTEST_S));
        }
    }

    fn pan(&mut self, share: f64, at_s: f64) {
        let Some(window) = self.window_s else { return };
        self.back_s = (self.back_s + window * share).clamp(0.0, (at_s - window).max(0.0));
    }
}
