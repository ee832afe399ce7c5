//! What each kind of fault takes, from the catalogue.

use serde_json::{Map, Value, json};

use super::{Definitions, shapes};
use crate::catalogue::{self, FaultKind, Lasts, Param, ParamType};
use crate::decode::{Decode, OneOrMany, Pairs};
use crate::plan::Text;
use crate::units::{Bandwidth, Share, Size};

/// Adds to an item of the timeline: the kinds, and per kind whether it has a length and which parameters.
pub(crate) fn add_parameters(item: &mut Map<String, Value>, definitions: &mut Definitions) {
    let built = |kind: &FaultKind| if kind.is_built() { "" } else { " (not built yet in this version)" };
    let about: Vec<String> = catalogue::ALL.iter().map(|kind| format!("{}{}", kind.does, built(kind))).collect();
    let kinds: Vec<(&str, &str)> =
        catalogue::ALL.iter().zip(&about).map(|(kind, about)| (kind.name, about.as_str())).collect();
    let described = item["properties"]["fault"]["description"].clone();
    let mut fault = shapes::words(&kinds);
    fault["description"] = described;
    item["properties"]["fault"] = fault;
    let rules: Vec<Value> = catalogue::ALL.iter().map(|kind| rule(kind, definitions)).collect();
    item.insert("allOf".into(), Value::Array(rules));
    // A fault needs a target, whatever its kind; other items have none.
    item.insert("dependencies".into(), json!({ "fault": ["target"] }));
}

fn rule(kind: &FaultKind, definitions: &mut Definitions) -> Value {
    let name = format!("with {}", kind.name);
    let parameters = parameters(kind, definitions);
    definitions.0.insert(name.clone(), parameters);
    let mut properties = json!({ "with": { "$ref": format!("#/definitions/{}", name.replace(' ', "%20")) } });
    let mut required = Vec::new();
    match kind.lasts {
        Lasts::Until => required.push("for"),
        Lasts::Instant => {
            properties["for"] = json!(false);
        }
    }
    if kind.params.iter().any(|param| param.required) {
        required.push("with");
    }
    json!({
        "if": { "properties": { "fault": { "const": kind.name } }, "required": ["fault"] },
        "then": { "properties": properties, "required": required },
    })
}

fn parameters(kind: &FaultKind, definitions: &mut Definitions) -> Value {
    let properties: Map<String, Value> =
        kind.params.iter().map(|param| (param.name.to_owned(), parameter(param, definitions))).collect();
    let required: Vec<&str> =
        kind.params.iter().filter(|param| param.required && param.unless.is_empty()).map(|param| param.name).collect();
    let mut schema = json!({
        "type": "object",
        "title": format!("parameters of {}", kind.name),
        "description": kind.does,
        "properties": properties,
        "required": required,
        "additionalProperties": false,
    });
    let others =
        |name: &str, group: &[&str]| group.iter().filter(|other| **other != name).map(|other| json!(other)).collect();
    let each = |group: &&[&str]| -> Vec<(String, Value)> {
        group.iter().map(|name| ((*name).to_owned(), Value::Array(others(name, group)))).collect()
    };
    let together: Map<String, Value> = kind.together().iter().flat_map(each).collect();
    if !together.is_empty() {
        schema["dependencies"] = Value::Object(together);
    }
    schema
}

fn parameter(param: &Param, definitions: &mut Definitions) -> Value {
    let mut schema = match param.ty {
        ParamType::Duration => std::time::Duration::schema(definitions),
        ParamType::Percent => Share::schema(definitions),
        ParamType::Number | ParamType::Status => u64::schema(definitions),
        ParamType::Size => Size::schema(definitions),
        ParamType::Bandwidth => Bandwidth::schema(definitions),
        ParamType::Word(words) => shapes::words(&words.iter().map(|word| (*word, "")).collect::<Vec<_>>()),
        ParamType::Text => Text::schema(definitions),
        ParamType::Pairs => Pairs::<String>::schema(definitions),
        ParamType::Names => OneOrMany::<String>::schema(definitions),
        ParamType::Command => Vec::<Text>::schema(definitions),
        // A list, or the path of a file that holds one.
        ParamType::Durations => {
            json!({ "anyOf": [Vec::<std::time::Duration>::schema(definitions), { "type": "string" }] })
        }
    };
    let default = param.default.map(|default| format!(" (default {default})")).unwrap_or_default();
    schema["description"] = json!(format!("{}{default}\n\nType: {}.", param.about, param.ty.what()));
    schema
}
