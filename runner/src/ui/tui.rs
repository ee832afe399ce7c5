//! The terminal screen: what happens, seen while it happens, and a hand on the run.
//!
//! ```text
//!  run's loop ──Snapshot──> newest one ──> drawing thread ──> stderr
//!      ^                                      │  ^
//!      └────────── Asked (unbounded) ─────────┘  └── keys
//! ```
//!
//! One thread draws and reads keys, at most ten frames a second; a key never waits for a frame longer than that. Views are
//! functions of snapshot, state and look onto a buffer: they can be tested without a terminal, and cannot touch the run.

use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use crossterm::event::{self, Event as TerminalEvent, KeyCode, KeyEvent, KeyEventKind, KeyModifiers};
use tokio::sync::mpsc::UnboundedSender;

use self::action::Action;
use self::look::Look;
pub use self::state::Asked;
use self::state::State;
use super::snapshot::Snapshot;
use crate::operator::Operator;

pub mod action;
mod errors;
mod faults;
mod footer;
mod frame;
mod head;
mod help;
mod instances;
mod lane;
mod latency_plot;
mod log;
mod look;
mod overview;
mod spark;
mod state;
mod steps;
mod table;
mod terminal;
#[cfg(test)]
mod tests;

/// From one frame to the next.
const FRAME: Duration = Duration::from_millis(100);
/// The name of the drawing thread, by which its share of the processor can be measured.
pub const THREAD: &str = "screen";

/// What the run's loop leaves for the drawing thread.
#[derive(Debug, Default)]
struct Shared {
    newest: Option<Box<Snapshot>>,
    over: bool,
}

/// A screen that is on. Dropping it gives the terminal back.
#[derive(Debug)]
pub struct Tui {
    shared: Arc<Mutex<Shared>>,
    thread: Option<JoinHandle<()>>,
}

impl Tui {
    /// Takes the terminal and begins to draw; what a person asks of the run goes to `asked`.
    ///
    /// # Errors
    /// When the terminal cannot be taken or there is no thread.
    pub fn start(asked: UnboundedSender<Asked>) -> std::io::Result<Self> {
        let screen = terminal::take()?;
        let shared = Arc::new(Mutex::new(Shared::default()));
        let drawn = Arc::clone(&shared);
        let look = Look::of_environment();
        let thread = std::thread::Builder::new()
            .name(THREAD.into())
            .spawn(move || draw_until_over(screen, look, &drawn, &asked))
            .inspect_err(|_| terminal::give_back())?;
        Ok(Self { shared, thread: Some(thread) })
    }

    /// Shows this from the next frame on.
    pub fn show(&self, snapshot: Snapshot) {
        lock(&self.shared).newest = Some(Box::new(snapshot));
    }

    /// Whether the terminal is still the screen's: no longer after a panic, or when it is gone.
    pub fn is_on(&self) -> bool {
        terminal::is_taken()
    }
}

impl Drop for Tui {
    fn drop(&mut self) {
        lock(&self.shared).over = true;
        if let Some(thread) = self.thread.take() {
            // A panic in it has already given the terminal back.
            let _ = thread.join();
        }
        terminal::give_back();
    }
}

fn lock(shared: &Mutex<Shared>) -> std::sync::MutexGuard<'_, Shared> {
    // What it holds is replaced as a whole: there is no half of it.
    shared.lock().unwrap_or_else(PoisonError::into_inner)
}

fn draw_until_over(mut screen: terminal::Screen, look: Look, shared: &Mutex<Shared>, asked: &UnboundedSender<Asked>) {
    // For the test that a panic gives the terminal back; CONTRIBUTING.md names it.
    let panics = std::env::var_os("BRUNT_TEST_SCREEN_PANICS").is_some();
    let mut state = State::default();
    let mut newest = Box::<Snapshot>::default();
    let mut changed = true;
    let mut next_frame = Instant::now();
    loop {
        let (over, snapshot) = {
            let mut shared = lock(shared);
            (shared.over, shared.newest.take())
        };
        if let Some(snapshot) = snapshot {
            (newest, changed) = (snapshot, true);
        }
        if changed && Instant::now() >= next_frame && terminal::is_taken() {
            let shown = state.frozen.as_deref().unwrap_or(&newest);
            let drawn = screen.draw(|frame| frame::draw(shown, &state, look, frame.area(), frame.buffer_mut()));
            if drawn.is_err() {
                // The terminal is gone; the run is not. SIGHUP is what ends it, if that is wanted.
                terminal::give_back();
            }
            assert!(
                !panics || newest.faults.iter().all(|fault| fault.from_s.is_none()),
                "BRUNT_TEST_SCREEN_PANICS is set"
            );
            changed = false;
            next_frame = Instant::now() + FRAME;
        }
        if over || !terminal::is_taken() {
            return;
        }
        match next_event(FRAME) {
            Ok(Some(TerminalEvent::Key(key))) if key.kind != KeyEventKind::Release => {
                changed = true;
                if let Some(asks) = press(key, &mut state, &newest) {
                    // The loop is gone: the run is over, and the screen will be told so.
                    let _ = asked.send(asks);
                }
            }
            Ok(Some(_)) => changed = true,
            Ok(None) => {}
            Err(_) => std::thread::sleep(FRAME),
        }
    }
}

fn next_event(within: Duration) -> std::io::Result<Option<TerminalEvent>> {
    Ok(if event::poll(within)? { Some(event::read()?) } else { None })
}

/// What a key does: to the line that is typed, to a question, or by the table.
fn press(key: KeyEvent, state: &mut State, snapshot: &Snapshot) -> Option<Asked> {
    let action = action::of(key);
    if action == Some(Action::Interrupt) {
        return Some(Asked::Interrupt);
    }
    if let Some((what, mut line)) = state.typing.take() {
        match key.code {
            KeyCode::Esc => return None,
            KeyCode::Enter => return state.typed(what, line),
            KeyCode::Backspace => drop(line.pop()),
            KeyCode::Char(letter) if !key.modifiers.intersects(KeyModifiers::CONTROL | KeyModifiers::ALT) => {
                line.push(letter);
            }
            _ => {}
        }
        state.typing = Some((what, line));
        return None;
    }
    if state.asks_abort {
        state.asks_abort = false;
        return (key.code == KeyCode::Char('y')).then_some(Asked::Operator(Operator::Abort));
    }
    if key.code == KeyCode::Esc || state.help {
        (state.help, state.details) = (false, false);
        return None;
    }
    state.follow(action?, snapshot)
}
