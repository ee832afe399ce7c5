//! `events.jsonl`: a header line, then one line an event, as it happened.

use brunt_report::results::Event;
use brunt_scenario::plan::Plan;
use serde::{Deserialize, Serialize};

/// The schema's name, in the header.
pub const SCHEMA: &str = "brunt.events/1";

/// The first line: which run this is.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Header {
    /// [`SCHEMA`].
    pub schema: String,
    /// The scenario's name.
    pub scenario: String,
    /// The scenario's description.
    pub description: String,
    /// The file or URL.
    pub source: String,
    /// Digest of the scenario.
    pub scenario_sha256: String,
    /// The seed of the run.
    pub seed: u64,
    /// RFC 3339, UTC.
    pub started_at: String,
    /// Version of brunt.
    pub brunt_version: String,
    /// The scenario after includes, variables and masking.
    pub resolved_yaml: String,
}

/// `events.jsonl` cannot be understood.
#[derive(Debug, thiserror::Error)]
pub enum EventsError {
    /// Another file.
    #[error("line 1 is not the header of a {SCHEMA} file")]
    Header(#[source] serde_json::Error),
    /// Written by another version.
    #[error("this is a `{0}` file, and this version reads {SCHEMA}")]
    Schema(String),
    /// A line in the middle is broken.
    #[error("line {line} is not an event")]
    Line {
        /// From 1.
        line: usize,
        /// Why.
        source: serde_json::Error,
    },
}

impl Header {
    /// The header of a run that began at `started_at`.
    pub fn new(plan: &Plan, started_at: String) -> Self {
        Self {
            schema: SCHEMA.to_owned(),
            scenario: plan.title(),
            description: plan.description.clone(),
            source: plan.source.clone(),
            scenario_sha256: plan.scenario_sha256.clone(),
            seed: plan.seed,
            started_at,
            brunt_version: env!("CARGO_PKG_VERSION").to_owned(),
            resolved_yaml: plan.resolved_yaml.clone(),
        }
    }

    /// As it stands in the file.
    pub fn line(&self) -> String {
        with_newline(self)
    }
}

/// An event as it stands in the file.
pub fn line(event: &Event) -> String {
    with_newline(event)
}

fn with_newline(value: &impl Serialize) -> String {
    let mut line = serde_json::to_string(value).expect("plain data without maps has a JSON form");
    line.push('\n');
    line
}

/// Reads the file back. A last line without its end was cut off when the run was killed, and is left out.
pub fn parse(text: &str) -> Result<(Header, Vec<Event>), EventsError> {
    let whole = text.rfind('\n').map_or("", |end| &text[..=end]);
    let mut lines = whole.lines();
    let header: Header = serde_json::from_str(lines.next().unwrap_or_default()).map_err(EventsError::Header)?;
    if header.schema != SCHEMA {
        return Err(EventsError::Schema(header.schema));
    }
    let events = lines
        .enumerate()
        .map(|(index, line)| serde_json::from_str(line).map_err(|source| EventsError::Line { line: index + 2, source }))
        .collect::<Result<_, _>>()?;
    Ok((header, events))
}
