//! The JSON Schema of results.json, from the types that write it: for programs that read results in a language with types.

use schemars::generate::SchemaSettings;
use serde_json::Value;

use super::Results;

/// Where it can be found.
const ID: &str = "https://github.com/brunt-load/brunt/raw/main/docs/schema/results.schema.json";

/// Draft-07, as results are written: what is always there is required, and comments of the types say what it is.
pub fn schema() -> Value {
    let generator = SchemaSettings::draft07().for_serialize().into_generator();
    let mut schema = generator.into_root_schema_for::<Results>().to_value();
    schema["$id"] = ID.into();
    schema["title"] = super::SCHEMA.into();
    schema
}
