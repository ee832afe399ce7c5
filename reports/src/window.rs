//! Named spans of the run, and which of them a request belongs to.

use brunt_scenario::metric::WindowName;
use brunt_scenario::units::Offset;

/// One span; a name may have several (`repeat`, several `baseline` items): the window is their union.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Span {
    /// Which window.
    pub name: WindowName,
    /// Its first instant.
    pub from: Offset,
    /// Its end, exclusive for intended starts; `None` while it is open.
    pub to: Option<Offset>,
}

/// The spans that are known so far: `baseline` and `fault:<id>`. `warmup` and `run` follow from the samples themselves,
/// `recovery:<id>` is computed at the end. The timeline writes it, the recorder reads it; the runner keeps it behind a
/// mutex and takes the time stamp while it holds the lock.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Windows {
    /// In the order in which they opened.
    pub spans: Vec<Span>,
}

impl Windows {
    /// Opens a span.
    pub fn open(&mut self, name: WindowName, at: Offset) {
        self.spans.push(Span { name, from: at, to: None });
    }

    /// Closes the last open span of this name; nothing happens if there is none.
    pub fn close(&mut self, name: &WindowName, at: Offset) {
        if let Some(span) = self.spans.iter_mut().rev().find(|span| span.to.is_none() && span.name == *name) {
            span.to = Some(at);
        }
    }
}
