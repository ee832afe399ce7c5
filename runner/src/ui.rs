//! What a person or a log sees on stderr while a run goes on. stdout stays clean for the summary.
//!
//! The run's loop hands over every event once and a snapshot now and then; nothing here is called from a load thread. A
//! stderr that cannot be written to is not a reason to stop a run that may have faults in place: the line is lost.

mod json;
mod plain;
pub mod snapshot;
pub mod tui;

use std::io::{IsTerminal, Stderr, Write};
use std::time::Duration;

use brunt_report::results::Event;
use brunt_scenario::units::Offset;
use tokio::sync::mpsc::UnboundedSender;

use self::snapshot::Snapshot;
use self::tui::{Asked, Tui};

/// From one snapshot to the next: what a log wants of a run that takes hours.
pub const LIVE_EVERY: Duration = Duration::from_secs(10);

/// How it is shown: `--ui`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Choice {
    /// The terminal screen; needs a terminal on stderr.
    Tui,
    /// `key=value` lines: one an event, one each 10 s.
    Plain,
    /// The same as JSON, one object a line.
    Json,
    /// Nothing.
    None,
}

impl Choice {
    /// What `auto` means here: the screen if a person is likely to look at it, lines otherwise.
    pub fn automatic() -> Self {
        let ci = std::env::var_os("CI").is_some_and(|value| !value.is_empty());
        if ci || no_terminal().is_some() { Self::Plain } else { Self::Tui }
    }
}

/// Why there can be no terminal screen, if there can be none.
pub fn no_terminal() -> Option<&'static str> {
    if !std::io::stderr().is_terminal() {
        return Some("stderr is not a terminal");
    }
    std::env::var_os("TERM")
        .is_none_or(|term| term.is_empty() || term == "dumb")
        .then_some("TERM is not set, or `dumb`")
}

/// The state of the run at an instant: totals since load began, and the last few seconds.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Live {
    /// The instant.
    pub at: Offset,
    /// Requests that ended since the load began.
    pub requests: u64,
    /// Of these, failed.
    pub errors: u64,
    /// Arrivals above `max_in_flight` since the load began.
    pub dropped: u64,
    /// Iterations that are open now.
    pub in_flight: u64,
    /// Requests that ended, a second, over the last seconds.
    pub per_second: f64,
    /// Failed requests of those, a fraction; `None` without requests.
    pub error_rate: Option<f64>,
    /// Median latency over the last seconds, milliseconds.
    pub p50_ms: Option<f64>,
    /// 99th percentile of the latency over the last seconds, milliseconds.
    pub p99_ms: Option<f64>,
}

/// Writes lines as they come, or draws.
#[derive(Debug)]
pub struct Ui<Out = Stderr> {
    choice: Choice,
    out: Out,
    tui: Option<Tui>,
}

impl Ui {
    /// A screen on stderr.
    pub fn new(choice: Choice) -> Self {
        Self::on(choice, std::io::stderr())
    }

    /// The run begins: takes the terminal, if the screen is wanted. What a person asks for goes to `asked`. A terminal that
    /// cannot be taken is no reason not to run: then there are lines, and the first one says why.
    pub fn begin(&mut self, asked: UnboundedSender<Asked>) {
        if self.choice != Choice::Tui {
            return;
        }
        match Tui::start(asked) {
            Ok(tui) => self.tui = Some(tui),
            Err(why) => {
                self.choice = Choice::Plain;
                self.say(&format!("note: no terminal screen: {why}"));
            }
        }
    }
}

impl<Out: Write> Ui<Out> {
    fn on(choice: Choice, out: Out) -> Self {
        Self { choice, out, tui: None }
    }

    /// Whether snapshots are wanted. A screen that has lost its terminal (a panic gave it back) is closed here, and lines
    /// follow.
    pub fn draws(&mut self) -> bool {
        if self.tui.as_ref().is_some_and(|tui| !tui.is_on()) {
            self.close();
            self.choice = Choice::Plain;
        }
        self.tui.is_some()
    }

    /// Draws this from the next frame on.
    pub fn show(&self, snapshot: Snapshot) {
        if let Some(tui) = &self.tui {
            tui.show(snapshot);
        }
    }

    /// Gives the terminal back, if it was taken.
    pub fn close(&mut self) {
        self.tui = None;
    }

    /// Shows that something happened.
    pub fn event(&mut self, event: &Event) {
        let line = match self.choice {
            Choice::Plain => plain::event(event),
            Choice::Json => json::event(event),
            Choice::Tui | Choice::None => return,
        };
        self.say(&line);
    }

    /// Shows how it goes; to be called once each [`LIVE_EVERY`].
    pub fn live(&mut self, live: &Live) {
        let line = match self.choice {
            Choice::Plain => plain::status(live),
            Choice::Json => json::status(live),
            Choice::Tui | Choice::None => return,
        };
        self.say(&line);
    }

    fn say(&mut self, line: &str) {
        // One call a line, so that lines of several writers do not mix. See the module's text for the ignored error.
        let _ = self.out.write_all(format!("{line}\n").as_bytes());
    }
}

/// The key under which an event's subject stands: `fault.active` is about a `fault`. `None`: the kind says it all.
fn subject_key(kind: &str) -> Option<&str> {
    match kind.split('.').next() {
        Some("baseline" | "recover" | "run" | "steady_state") => None,
        Some("slo") => Some("slo"),
        Some(first) => Some(first),
        None => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn event(at_s: f64, kind: &str, subject: &str, text: &str) -> Event {
        Event { at_s, kind: kind.into(), subject: subject.into(), text: text.into() }
    }

    fn status(at_s: f64) -> Live {
        Live {
            at: Offset::from_secs_f64(at_s),
            requests: 4012,
            errors: 12,
            dropped: 0,
            in_flight: 3,
            per_second: 199.84,
            error_rate: Some(0.003),
            p50_ms: Some(1.234),
            p99_ms: Some(48.0),
        }
    }

    fn shown(choice: Choice) -> String {
        let mut ui = Ui::on(choice, Vec::new());
        ui.event(&event(0.0, "run.started", "shop", "seed 7"));
        ui.live(&status(10.0));
        ui.event(&event(12.25, "fault.active", "slow-payment", "in place on orders-payments#1"));
        ui.event(&event(13.0, "service.exited", "payments#0", "exit status 1: \"no\nmore\" a=b"));
        ui.live(&Live { at: Offset::from_secs_f64(20.0), ..Live::default() });
        String::from_utf8(ui.out).expect("lines are text")
    }

    #[test]
    fn plain_lines_are_stable() {
        insta::assert_snapshot!(shown(Choice::Plain));
    }

    #[test]
    fn json_lines_say_the_same() {
        let shown = shown(Choice::Json);
        for line in shown.lines() {
            let _: serde_json::Value = serde_json::from_str(line).expect("each line is JSON");
        }
        insta::assert_snapshot!(shown);
    }

    #[test]
    fn none_says_nothing() {
        assert_eq!(shown(Choice::None), "");
    }

    #[test]
    fn a_screen_that_is_gone_does_not_stop_the_run() {
        struct Closed;
        impl Write for Closed {
            fn write(&mut self, _: &[u8]) -> std::io::Result<usize> {
                Err(std::io::ErrorKind::BrokenPipe.into())
            }
            fn flush(&mut self) -> std::io::Result<()> {
                Ok(())
            }
        }
        Ui::on(Choice::Plain, Closed).event(&event(0.0, "run.started", "shop", "seed 7"));
    }
}
