//! `outputs:` which files a run writes and whom it tells.

use crate::decode::{Decode, Spanned, record, word};
use crate::diagnostic::Problems;
use crate::units::Share;
use crate::yaml::Node;

record! {
    /// Without it all files are written.
    Outputs, "outputs";
    /// Where the files go, relative to where brunt runs.
    optional dir: String,
    /// report.html
    optional html: bool,
    /// results.json
    optional json: bool,
    /// junit.xml
    optional junit: bool,
    /// Annotations and step summary on GitHub.
    optional github: Spanned<Auto>,
    /// The same on GitLab.
    optional gitlab: Spanned<Auto>,
    /// Traces and metrics by OTLP.
    optional otlp: Spanned<Otlp>,
    /// Metrics by Prometheus remote write.
    optional prometheus: Spanned<Prometheus>,
}

/// `auto`, `true` or `false`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Auto {
    /// Where the environment says so.
    Auto,
    /// Always.
    On,
    /// Never.
    Off,
}

impl Decode for Auto {
    const WHAT: &'static str = "`auto`, `true` or `false`";

    fn decode(node: &Node, problems: &mut Problems) -> Option<Self> {
        match word(node, &["auto", "true", "false"], problems)? {
            "auto" => Some(Self::Auto),
            "true" => Some(Self::On),
            _ => Some(Self::Off),
        }
    }

    fn schema(_: &mut crate::schema::Definitions) -> serde_json::Value {
        crate::schema::shapes::either(
            &["auto"],
            serde_json::json!({ "type": "boolean" }),
            "write `auto`, `true` or `false`",
        )
    }
}

record! {
    /// Where telemetry goes.
    Otlp, "otlp";
    /// The collector's address; empty = off.
    required endpoint: Maybe,
    /// The share of requests that become spans.
    optional trace_sample: Share,
}

record! {
    /// Where metrics go.
    Prometheus, "prometheus";
    /// The remote-write address; empty = off.
    required remote_write: Maybe,
    /// Histograms in the native format.
    optional native_histograms: bool,
}

/// A text that may be empty: `${env.X:-}` switches something off where X is not set.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Maybe(pub Option<String>);

impl Decode for Maybe {
    const WHAT: &'static str = "an address, or nothing";

    fn decode(node: &Node, problems: &mut Problems) -> Option<Self> {
        let empty = node.scalar().is_some_and(|scalar| scalar.is_null() || scalar.literal() == Some(""));
        if empty { Some(Self(None)) } else { String::decode(node, problems).map(|text| Self(Some(text))) }
    }

    fn schema(_: &mut crate::schema::Definitions) -> serde_json::Value {
        serde_json::json!({ "type": ["string", "number", "boolean", "null"] })
    }
}
