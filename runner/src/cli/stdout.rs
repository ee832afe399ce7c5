//! Standard output that may have lost its reader (`brunt plan x.yaml | head -1`): not an error, and never a panic.

use std::io::{self, ErrorKind, Write as _};

use super::Failure;

/// Prints text. A closed pipe is taken as "enough"; any other error is told.
pub fn print(text: &str) -> Result<(), Failure> {
    let mut out = io::stdout().lock();
    match out.write_all(text.as_bytes()).and_then(|()| out.flush()) {
        Err(why) if why.kind() != ErrorKind::BrokenPipe => Err(Failure::Stdout(why)),
        _ => Ok(()),
    }
}
