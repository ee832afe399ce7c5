//! Standard output and standard error that may have lost their reader (`brunt plan x.yaml | head -1`): not an error, and
//! never a panic, which `println!` and `eprintln!` would make of it.

use std::io::{self, ErrorKind, IsTerminal as _, Write as _};

use super::Failure;

/// Prints text. A closed pipe is taken as "enough"; any other error is told.
pub fn print(text: &str) -> Result<(), Failure> {
    let mut out = io::stdout().lock();
    match out.write_all(text.as_bytes()).and_then(|()| out.flush()) {
        Err(why) if why.kind() != ErrorKind::BrokenPipe => Err(Failure::Stdout(why)),
        _ => Ok(()),
    }
}

/// Prints a line to stderr. When nobody reads it any more, nobody misses it.
pub fn complain(line: &str) {
    let _ = io::stderr().lock().write_all(format!("{line}\n").as_bytes());
}

/// Whether somebody is there who can be asked and answers by hand.
pub fn can_ask() -> bool {
    io::stdin().is_terminal() && io::stderr().is_terminal()
}

/// Whether colours are welcome on stdout.
pub fn has_color() -> bool {
    io::stdout().is_terminal() && welcome()
}

/// The same on stderr.
pub fn has_color_on_stderr() -> bool {
    io::stderr().is_terminal() && welcome()
}

/// <https://no-color.org>: set to anything but nothing it says no. A terminal that calls itself dumb shows escapes as they are.
fn welcome() -> bool {
    let set = |name: &str| std::env::var_os(name).filter(|value| !value.is_empty());
    set("NO_COLOR").is_none() && set("TERM").is_none_or(|term| term != "dumb")
}

/// How wide standard output is, where that is a terminal.
pub fn columns() -> Option<usize> {
    let (columns, _) = io::stdout().is_terminal().then(crossterm::terminal::size)?.ok()?;
    (columns > 0).then_some(usize::from(columns))
}
