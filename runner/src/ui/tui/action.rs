//! What a person can do at the screen: one table, from which the key bindings, the footer and the help are made, and with
//! which docs/the-screen.md is compared by a test.

use crossterm::event::{KeyCode, KeyEvent, KeyModifiers};

/// Something that a key does.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Action {
    /// Go to a page by its number, from 0.
    Page(usize),
    /// The next page.
    NextPage,
    /// The page before.
    PreviousPage,
    /// The next row.
    Down,
    /// The row before.
    Up,
    /// All of what a row says, or back.
    Details,
    /// Type what rows must contain.
    Filter,
    /// Sort by the next column.
    Sort,
    /// A shorter span on the time axis.
    ZoomIn,
    /// A longer one.
    ZoomOut,
    /// Back in time.
    Earlier,
    /// Forth.
    Later,
    /// The whole run, and what comes.
    WholeRun,
    /// Stop and resume drawing what is new.
    Freeze,
    /// Logarithmic or linear latency axis.
    LogAxis,
    /// Show the baseline's percentiles in the plot.
    Ghost,
    /// Hold the timeline, or let it go on.
    Hold,
    /// Remove the selected fault, or inject it again.
    ToggleFault,
    /// Type a note for the report.
    Note,
    /// Ask whether to end the run.
    Abort,
    /// End the run without asking.
    Interrupt,
    /// Show the keys.
    Help,
}

/// One row of the table.
#[derive(Debug)]
pub struct Binding {
    /// What it does.
    pub action: Action,
    /// The keys, as they are written on the screen and in the documentation.
    pub keys: &'static str,
    /// The keys as they arrive.
    pub codes: &'static [KeyCode],
    /// For the help and the documentation.
    pub help: &'static str,
    /// The word in the footer; empty: not there.
    pub short: &'static str,
}

const fn binding(
    action: Action,
    keys: &'static str,
    codes: &'static [KeyCode],
    help: &'static str,
    short: &'static str,
) -> Binding {
    Binding { action, keys, codes, help, short }
}

/// Every key, in the order of the help.
pub const TABLE: &[Binding] = &[
    binding(Action::Page(0), "1", &[KeyCode::Char('1')], "overview", ""),
    binding(Action::Page(1), "2", &[KeyCode::Char('2')], "steps: rates and latency of each step", ""),
    binding(Action::Page(2), "3", &[KeyCode::Char('3')], "instances: who served what", ""),
    binding(Action::Page(3), "4", &[KeyCode::Char('4')], "faults: every turn of every fault", ""),
    binding(Action::Page(4), "5", &[KeyCode::Char('5')], "errors by class and step, with examples", ""),
    binding(Action::Page(5), "6", &[KeyCode::Char('6')], "log: everything that happened", ""),
    binding(Action::NextPage, "Tab", &[KeyCode::Tab], "next page", ""),
    binding(Action::PreviousPage, "Shift-Tab", &[KeyCode::BackTab], "page before", ""),
    binding(Action::Down, "j ↓", &[KeyCode::Char('j'), KeyCode::Down], "next row", ""),
    binding(Action::Up, "k ↑", &[KeyCode::Char('k'), KeyCode::Up], "row before", ""),
    binding(Action::Details, "Enter", &[KeyCode::Enter], "all of what the row says; Enter or Esc: back", ""),
    binding(Action::Filter, "/", &[KeyCode::Char('/')], "only rows with this text; an empty text shows all", ""),
    binding(Action::Sort, "s", &[KeyCode::Char('s')], "sort by the next column", ""),
    binding(Action::ZoomIn, "+", &[KeyCode::Char('+'), KeyCode::Char('=')], "shorter time window", ""),
    binding(Action::ZoomOut, "-", &[KeyCode::Char('-')], "longer time window", ""),
    binding(Action::Earlier, "←", &[KeyCode::Left], "move the time window back", ""),
    binding(Action::Later, "→", &[KeyCode::Right], "move the time window on", ""),
    binding(Action::WholeRun, "0", &[KeyCode::Char('0')], "the whole run so far", ""),
    binding(Action::Freeze, "z", &[KeyCode::Char('z')], "freeze the picture; the run goes on", ""),
    binding(Action::LogAxis, "l", &[KeyCode::Char('l')], "latency axis logarithmic or linear", ""),
    binding(Action::Ghost, "b", &[KeyCode::Char('b')], "the baseline's p50 and p99 as dotted lines", ""),
    binding(
        Action::Hold,
        "space",
        &[KeyCode::Char(' ')],
        "hold the timeline, or let it go on; load and active faults stay",
        "hold",
    ),
    binding(
        Action::ToggleFault,
        "f",
        &[KeyCode::Char('f')],
        "take the selected fault off, or inject it again (page 4)",
        "fault",
    ),
    binding(Action::Note, "n", &[KeyCode::Char('n')], "write a note that reaches the report", "note"),
    binding(
        Action::Abort,
        "a q",
        &[KeyCode::Char('a'), KeyCode::Char('q')],
        "end the run after a yes: every fault comes off, the report is written",
        "abort",
    ),
    binding(Action::Interrupt, "Ctrl-C", &[], "the same at once; again: do not wait for open requests", ""),
    binding(Action::Help, "?", &[KeyCode::Char('?')], "these keys", "help"),
];

/// What a key does, if anything. Ctrl-Z is not bound: a run that is stopped would not roll back.
pub fn of(key: KeyEvent) -> Option<Action> {
    if key.modifiers.contains(KeyModifiers::CONTROL) {
        return (key.code == KeyCode::Char('c')).then_some(Action::Interrupt);
    }
    TABLE.iter().find(|binding| binding.codes.contains(&key.code)).map(|binding| binding.action)
}
