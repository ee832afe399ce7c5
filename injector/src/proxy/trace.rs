//! Every decision of every fault on a link, written down: the evidence that they follow from the seed alone.
//!
//! Off unless somebody asks (`BRUNT_DECISIONS=FILE`). A line is `fault link listener connection message hit hold_ns`:
//! connections are counted in the order of acceptance at their listener, messages (requests, replies, connections: what the
//! fault decides about) from 0 for each connection from the moment when the fault met it, or in each direction where it
//! decides for each (`to.0`, `from.0`); `hit` is 0 or 1, `hold_ns` for how long it is to be held. Lines come in the order in which connections were served, which differs from run to run: sort
//! before comparing. A file that cannot be written to any more is told on the standard error once, and the run goes on.

use std::fs::File;
use std::io::{BufWriter, Write};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

/// The file; written by the proxy's thread.
pub(crate) struct Decisions(Mutex<Option<BufWriter<File>>>);

impl Decisions {
    pub fn new(file: File) -> Self {
        Self(Mutex::new(Some(BufWriter::new(file))))
    }

    fn write(&self, line: std::fmt::Arguments<'_>) {
        let mut file = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(Err(error)) = file.as_mut().map(|file| file.write_fmt(line)) {
            eprintln!("brunt: the decisions of faults are not written any more: {error}");
            *file = None;
        }
    }
}

/// The decisions of one fault about one connection.
pub(crate) struct Trace {
    to: Arc<Decisions>,
    /// `fault link listener connection`
    who: String,
    /// `to.` or `from.`, where messages are counted in each direction.
    way: &'static str,
    message: u64,
    /// Whether the last message was hit, and its hold so far: a fault may draw one after it has drawn whom it hits.
    open: Option<(bool, Duration)>,
}

impl Trace {
    pub fn new(to: Arc<Decisions>, fault: &str, link: &str, listener: usize, connection: u64) -> Self {
        Self { to, who: format!("{fault} {link} {listener} {connection}"), way: "", message: 0, open: None }
    }

    /// The same for the messages of one direction.
    pub fn of(&self, way: &'static str) -> Self {
        Self { to: Arc::clone(&self.to), who: self.who.clone(), way, message: 0, open: None }
    }

    /// The next message is hit, or is not.
    pub fn decided(&mut self, hit: bool) {
        self.close();
        self.open = Some((hit, Duration::ZERO));
    }

    /// The message that was decided about last is to be held for so long.
    pub fn held(&mut self, hold: Duration) {
        if let Some((_, last)) = &mut self.open {
            *last = hold;
        }
    }

    fn close(&mut self) {
        if let Some((hit, hold)) = self.open.take() {
            let Self { to, who, way, message, .. } = self;
            to.write(format_args!("{who} {way}{message} {} {}\n", u8::from(hit), hold.as_nanos()));
            self.message += 1;
        }
    }
}

impl Drop for Trace {
    fn drop(&mut self) {
        self.close();
    }
}
