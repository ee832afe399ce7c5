//! Keys of a scenario, by the schema of the language: where each may stand, and what it says there. So `explain` and the
//! hover texts of editors are the same words, those of the types.

use std::collections::BTreeSet;

use serde_json::{Map, Value};

use super::lines::wrapped;

/// What the schema calls the parameters of a fault, before its kind.
const PARAMETERS: &str = "parameters of ";
/// What they are called here.
const UNDER_WITH: &str = "under `with` of";

/// The page of a key; `None` when no part of a scenario has it.
pub fn page(word: &str) -> Option<String> {
    let schema = brunt_scenario::schema::scenario();
    // Under one heading what is said at several places in the same words.
    let mut said: Vec<(String, Vec<String>)> = Vec::new();
    for (place, keys) in places(&schema) {
        let Some(text) = keys.get(word).and_then(|key| key["description"].as_str()) else { continue };
        let text = in_a_line(text);
        match said.iter_mut().find(|(other, _)| *other == text) {
            Some((_, places)) => places.push(place),
            None => said.push((text, vec![place])),
        }
    }
    if said.is_empty() {
        return None;
    }
    let told = said.into_iter().map(|(text, places)| wrapped(&places.join(", "), 2) + &wrapped(&text, 6));
    Some(format!("{word}: a key of a scenario\n{}", told.collect::<String>()))
}

/// Every key, once, in the order of the alphabet; those of the parameters of faults are told by `brunt explain KIND`.
pub fn names() -> Vec<String> {
    let schema = brunt_scenario::schema::scenario();
    let of_the_language = places(&schema).into_iter().filter(|(place, _)| !place.starts_with(UNDER_WITH));
    let names: BTreeSet<&String> = of_the_language.flat_map(|(_, keys)| keys.keys()).collect();
    names.into_iter().cloned().collect()
}

/// The parts of a scenario: what each is called in a sentence, and its keys. The top of the file comes first, then what can
/// stand in it, then the parameters of faults.
fn places(schema: &Value) -> Vec<(String, &Map<String, Value>)> {
    let mut parts = Vec::new();
    let mut parameters = Vec::new();
    parts.extend(schema["properties"].as_object().map(|keys| ("at the top of the file".to_owned(), keys)));
    for part in schema["definitions"].as_object().into_iter().flat_map(Map::values) {
        let (Some(title), Some(keys)) = (part["title"].as_str(), part["properties"].as_object()) else { continue };
        match title.strip_prefix(PARAMETERS) {
            Some(kind) => parameters.push((format!("{UNDER_WITH} {kind}"), keys)),
            None => parts.push((format!("in {title}"), keys)),
        }
    }
    parts.append(&mut parameters);
    parts
}

/// `A fixed address. (a text)`: without the line breaks that editors show.
fn in_a_line(description: &str) -> String {
    match description.split_once("\n\nType: ") {
        Some((text, what)) => format!("{text} ({})", what.trim_end_matches('.')),
        None => description.to_owned(),
    }
}
