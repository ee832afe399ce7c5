//! The language for editors: a JSON Schema (draft-07) made from the types that the decoder reads, so that a key that one
//! knows the other knows too. Comments of the types become hover texts, units become patterns, words become lists.
//!
//! Every scalar may be `${...}` in the file, which is filled in before the decoder looks; the schema lets that stand
//! everywhere. It never refuses what the decoder takes. What it cannot say (names that must exist, keys that exclude each
//! other, bounds that depend on another key) is told by `brunt validate`.

mod faults;
mod metrics;
pub(crate) mod shapes;
mod snippets;

use serde_json::{Map, Value, json};

use crate::decode::{Decode, KeyDoc};
use crate::scenario::Root;

pub(crate) use faults::add_parameters;
pub(crate) use metrics::{add_bounds, add_gate_bounds};

/// Where the schema can be found; editors name it in their messages.
const ID: &str = "https://github.com/brunt-load/brunt/raw/main/docs/schema/brunt.schema.json";

/// The schema of a scenario.
pub fn scenario() -> Value {
    let mut definitions = Definitions::default();
    Root::schema(&mut definitions);
    let Some(Value::Object(mut schema)) = definitions.0.remove("Root") else {
        unreachable!("a record describes itself");
    };
    let about =
        "Load and faults on one clock: what traffic to send, what to break meanwhile, and what must still be true.";
    schema.insert("$schema".into(), json!("http://json-schema.org/draft-07/schema#"));
    schema.insert("$id".into(), json!(ID));
    schema.insert("title".into(), json!("brunt scenario"));
    schema.insert("description".into(), json!(about));
    schema.insert("definitions".into(), Value::Object(definitions.0));
    Value::Object(schema)
}

/// The same as a file.
pub fn text() -> String {
    format!("{:#}\n", scenario())
}

/// Types that have a name, by it.
#[derive(Debug, Default)]
pub(crate) struct Definitions(Map<String, Value>);

impl Definitions {
    /// A reference to a record, which is described when it is met for the first time. `more` adds what its keys alone do
    /// not say.
    pub(crate) fn record(
        &mut self,
        name: &str,
        what: &str,
        keys: fn() -> Vec<KeyDoc>,
        properties: fn(&mut Self) -> Vec<Value>,
        more: fn(&mut Map<String, Value>, &mut Self),
    ) -> Value {
        if !self.0.contains_key(name) {
            // Types may hold themselves: whoever asks while this one is being described gets the reference.
            self.0.insert(name.to_owned(), Value::Null);
            let keys = keys();
            let described: Map<String, Value> = keys
                .iter()
                .zip(properties(self))
                .map(|(key, schema)| (key.key.to_owned(), described(schema, key)))
                .collect();
            let required: Vec<&str> = keys.iter().filter(|key| key.required).map(|key| key.key).collect();
            let mut schema = Map::new();
            schema.insert("type".into(), json!("object"));
            schema.insert("title".into(), json!(what));
            schema.insert("properties".into(), Value::Object(described));
            schema.insert("additionalProperties".into(), json!(false));
            if !required.is_empty() {
                schema.insert("required".into(), json!(required));
            }
            if let Some(snippets) = snippets::of(name) {
                schema.insert("defaultSnippets".into(), snippets);
            }
            more(&mut schema, self);
            self.0.insert(name.to_owned(), Value::Object(schema));
        }
        json!({ "$ref": format!("#/definitions/{name}") })
    }
}

/// The schema of a key with its hover text. Draft-07 readers ignore what stands beside `$ref`.
fn described(schema: Value, key: &KeyDoc) -> Value {
    let mut schema = match schema {
        Value::Object(map) if !map.contains_key("$ref") => map,
        other => Map::from_iter([("allOf".to_owned(), json!([other]))]),
    };
    let doc = key.doc.split('\n').map(str::trim).collect::<Vec<_>>().join(" ");
    // Records say what they are by their keys.
    let holds = if key.what.starts_with("a ") || key.what.contains('`') {
        format!("\n\nType: {}.", key.what)
    } else {
        String::new()
    };
    schema.insert("description".into(), json!(format!("{}{holds}", doc.trim())));
    Value::Object(schema)
}

#[cfg(test)]
mod tests;
