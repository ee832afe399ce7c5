//! What one user does.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::{RetryUntil, Text};
use crate::units::Spread;

/// What one user does, step by step.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Journey {
    /// Its name under `journeys:`, or the load entry's name for the shorthand.
    pub name: String,
    /// Indices into [`super::Plan::feeders`]: each gives one row an iteration.
    pub feed: Vec<usize>,
    /// In order.
    pub steps: Vec<Step>,
}

/// One step of a journey.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub enum Step {
    /// One request.
    Request(Box<Request>),
    /// A pause of the user, not counted as latency.
    Think(Spread),
}

/// One of the methods that the language knows. A name of its own, as serde would take a plain reference for a part of what is
/// read.
pub type Method = &'static str;

/// One request of a journey.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Request {
    /// Unique in the journey.
    pub id: String,
    /// A target of kind `url` or `service`.
    pub target: String,
    /// The header of the reply that names who answered, as the target has it.
    pub instance_header: Option<String>,
    /// GET, POST, PUT, PATCH, DELETE or HEAD.
    #[serde(deserialize_with = "super::sending::method")]
    pub method: Method,
    /// Path and query; may hold templates.
    pub path: Text,
    /// Name and value; values may hold templates.
    pub headers: Vec<(String, Text)>,
    /// What is sent.
    pub body: Body,
    /// From the intended start to the last byte.
    pub timeout: Duration,
    /// What is kept for later steps.
    pub extract: Vec<Extract>,
    /// What must hold of the reply.
    pub check: Check,
    /// Ask again until the reply is as wanted.
    pub retry_until: Option<RetryUntil>,
    /// A failed step ends the iteration, or not.
    pub continue_on_error: bool,
}

/// The body of a request.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub enum Body {
    /// None.
    None,
    /// JSON; string leaves may hold templates and are escaped after rendering.
    Json(Json),
    /// `application/x-www-form-urlencoded`; values may hold templates and are escaped after rendering.
    Form(Vec<(String, Text)>),
    /// As it is.
    Raw(Text),
}

/// A JSON value whose strings (keys stay as written) may hold templates and late parts.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub enum Json {
    /// null
    Null,
    /// true, false
    Bool(bool),
    /// A finite number.
    Number(serde_json::Number),
    /// A string.
    Text(Text),
    /// An array.
    Array(Vec<Json>),
    /// An object, in the order of the file.
    Object(Vec<(String, Json)>),
}

/// A value taken from a reply.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Extract {
    /// The name that later templates use.
    pub name: String,
    /// Where it is found.
    pub from: ExtractFrom,
}

/// Where an extracted value is found.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub enum ExtractFrom {
    /// A JSONPath (RFC 9535) into the body; the first match.
    JsonPath(String),
    /// A response header.
    Header(String),
    /// The first capture group (or the whole match) of a regular expression over the body.
    Regex(String),
}

/// What must hold of a reply; all given conditions.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub struct Check {
    /// One of these. Empty: any status below 400.
    pub status: Vec<u16>,
    /// Header name and exact value (which may hold templates).
    pub headers: Vec<(String, Text)>,
    /// JSONPath and the value expected there (strings may hold templates).
    pub body: Vec<(String, Json)>,
    /// A regular expression that the body must match.
    pub regex: Option<String>,
    /// Smallest body in bytes.
    pub min_size: Option<u64>,
    /// Largest body in bytes.
    pub max_size: Option<u64>,
    /// Longest latency from the intended start.
    pub max_latency: Option<Duration>,
}

impl Check {
    /// Whether judging a reply needs its body.
    pub fn reads_body(&self) -> bool {
        !self.body.is_empty() || self.regex.is_some()
    }
}
