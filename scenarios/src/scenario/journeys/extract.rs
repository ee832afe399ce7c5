//! `extract:` what is taken from a reply.

use crate::decode::fields::exactly_one;
use crate::decode::{Decode, Spanned, record};
use crate::diagnostic::Problems;
use crate::yaml::{Node, Value};

/// A JSONPath as a plain text, or a mapping with one key.
#[derive(Debug, Clone)]
pub enum Extract {
    /// Into the JSON of the body.
    JsonPath(Spanned<String>),
    /// A response header.
    Header(Spanned<String>),
    /// Over the body.
    Regex(Spanned<String>),
}

impl Decode for Extract {
    const WHAT: &'static str = "a JSONPath, `{ header: H }` or `{ regex: R }`";

    fn decode(node: &Node, problems: &mut Problems) -> Option<Self> {
        if !matches!(node.value, Value::Map(_)) {
            return Spanned::decode(node, problems).map(Self::JsonPath);
        }
        let from = From::decode(node, problems)?;
        from.header.map(Self::Header).or(from.regex.map(Self::Regex))
    }

    fn schema(definitions: &mut crate::schema::Definitions) -> serde_json::Value {
        serde_json::json!({ "anyOf": [crate::schema::shapes::text(), From::schema(definitions)] })
    }
}

record! {
    /// Where a value is, besides the body's JSON.
    From, "an extraction", check = check;
    /// A response header.
    optional header: Spanned<String>,
    /// A regular expression over the body; its first group, or the whole match.
    optional regex: Spanned<String>,
}

fn check(from: &From, problems: &mut Problems) {
    let given = [("header", from.header.is_some()), ("regex", from.regex.is_some())];
    exactly_one(from.span, "an extraction", &given, problems);
}
