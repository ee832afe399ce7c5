//! The terminal: taken in raw mode with its other screen, and given back in every way in which a run can end.
//!
//! Everything is written to stderr, so that stdout stays a file or a pipe. A panic anywhere in the process gives the terminal
//! back before its message is written, or the message would be lost with the other screen; the drawing thread sees that and
//! draws no more. What is not covered is SIGKILL, as for every program.

use std::io::{self, BufWriter, Stderr, Write};
use std::sync::Once;
use std::sync::atomic::{AtomicBool, Ordering};

use crossterm::cursor::{Hide, Show};
use crossterm::terminal::{EnterAlternateScreen, LeaveAlternateScreen, disable_raw_mode, enable_raw_mode};
use crossterm::{execute, queue};
use ratatui::Terminal;
use ratatui::backend::CrosstermBackend;

/// The terminal is ours at this moment. One process has one terminal, and a panic hook can reach nothing else.
static TAKEN: AtomicBool = AtomicBool::new(false);

/// Draws on stderr, one write a frame.
pub type Screen = Terminal<CrosstermBackend<BufWriter<Stderr>>>;

/// Takes the terminal.
///
/// # Errors
/// When it cannot be put into raw mode, or is gone.
pub fn take() -> io::Result<Screen> {
    give_back_on_panic();
    enable_raw_mode()?;
    TAKEN.store(true, Ordering::SeqCst);
    let opened = execute!(io::stderr(), EnterAlternateScreen, Hide)
        .and_then(|()| Terminal::new(CrosstermBackend::new(BufWriter::with_capacity(1 << 16, io::stderr()))));
    if opened.is_err() {
        give_back();
    }
    opened
}

/// Whether the terminal is ours; no longer after a panic.
pub fn is_taken() -> bool {
    TAKEN.load(Ordering::SeqCst)
}

/// Gives the terminal back; nothing happens if that has been done. A terminal that is gone needs nothing.
pub fn give_back() {
    if !TAKEN.swap(false, Ordering::SeqCst) {
        return;
    }
    let mut stderr = io::stderr();
    let _ = queue!(stderr, LeaveAlternateScreen, Show);
    let _ = stderr.flush();
    let _ = disable_raw_mode();
}

fn give_back_on_panic() {
    static ONCE: Once = Once::new();
    ONCE.call_once(|| {
        let before = std::panic::take_hook();
        std::panic::set_hook(Box::new(move |panic| {
            give_back();
            before(panic);
        }));
    });
}
