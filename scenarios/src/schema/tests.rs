//! The schema and the decoder agree.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use boon::{Compiler, SchemaIndex, Schemas};
use serde_json::{Value, json};

use super::scenario;
use crate::diagnostic::{Code, Problems};
use crate::source::Sources;
use crate::yaml::{Node, Reader, Scalar, Value as Yaml};
use crate::{LoadOptions, load};

fn folder() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

fn yaml_files(below: &str) -> Vec<PathBuf> {
    let entries = std::fs::read_dir(folder().join(below)).expect("the folder is there");
    let files = entries.map(|entry| entry.expect("readable").path());
    let mut files: Vec<PathBuf> = files.filter(|file| file.extension().is_some_and(|end| end == "yaml")).collect();
    files.sort();
    files
}

fn valid() -> Vec<PathBuf> {
    [yaml_files("fixtures/valid"), yaml_files("examples")].concat()
}

/// A file as a YAML reader of the core schema sees it, `${...}` not filled in; `None` if it is no YAML.
fn document(file: &Path) -> Option<Value> {
    let (mut sources, mut problems) = (Sources::default(), Problems::default());
    Reader::new(&mut sources, &mut problems).file(file).map(|tree| typed(&tree))
}

fn typed(node: &Node) -> Value {
    match &node.value {
        Yaml::Map(entries) => entries
            .iter()
            .map(|entry| (entry.key.text.clone(), typed(&entry.value)))
            .collect::<serde_json::Map<_, _>>()
            .into(),
        Yaml::List(items) => items.iter().map(typed).collect(),
        Yaml::Scalar(scalar) => single(scalar),
    }
}

fn single(scalar: &Scalar) -> Value {
    let text = scalar.literal().unwrap_or_default();
    if scalar.is_null() {
        return Value::Null;
    }
    if let Some(truth) = scalar.as_bool() {
        return json!(truth);
    }
    let digits = |text: &str| !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    let number = text.split_once('.').map_or(digits(text), |(whole, part)| digits(whole) && digits(part));
    match text.parse::<u64>() {
        Ok(number) if scalar.plain => json!(number),
        _ if scalar.plain && number => json!(text.parse::<f64>().expect("digits")),
        _ => json!(text),
    }
}

struct Validator {
    schemas: Schemas,
    index: SchemaIndex,
}

impl Validator {
    fn of(schema: Value) -> Self {
        let (mut schemas, mut compiler) = (Schemas::new(), Compiler::new());
        compiler.add_resource("file:///brunt.schema.json", schema).expect("a schema");
        let index = compiler.compile("file:///brunt.schema.json", &mut schemas).expect("a schema of draft-07");
        Self { schemas, index }
    }

    fn is_valid(&self, document: &Value) -> bool {
        self.schemas.validate(document, self.index).is_ok()
    }

    fn refusals(&self, document: &Value) -> String {
        self.schemas.validate(document, self.index).err().map(|error| format!("{error:#}")).unwrap_or_default()
    }
}

fn validator() -> Validator {
    Validator::of(scenario())
}

#[test]
fn the_schema_takes_every_valid_scenario() {
    let validator = validator();
    for file in valid() {
        let document = document(&file).expect("YAML");
        let told = validator.refusals(&document);
        assert!(told.is_empty(), "{}: {told}", file.display());
    }
    for kind in crate::catalogue::ALL {
        let path = tempfile::NamedTempFile::new().expect("a file");
        std::fs::write(path.path(), kind.example()).expect("written");
        let told = validator.refusals(&document(path.path()).expect("YAML"));
        assert!(told.is_empty(), "{}: {told}", kind.name);
    }
    for code in Code::ALL {
        let crate::diagnostic::example::Example::Scenario(part) = code.right() else { continue };
        if part.contains("!include") {
            continue;
        }
        let path = tempfile::NamedTempFile::new().expect("a file");
        std::fs::write(path.path(), crate::diagnostic::example::whole(part)).expect("written");
        let told = validator.refusals(&document(path.path()).expect("YAML"));
        assert!(told.is_empty(), "{}: {told}", code.id());
    }
}

/// What a schema cannot say: it sees no other file, no name elsewhere, no sum, and not which of two keys is one too many.
fn is_beyond_schemas(code: Code) -> bool {
    use Code::*;
    !matches!(
        code,
        E010 | E011
            | E012
            | E014
            | E020
            | E021
            | E022
            | E023
            | E024
            | E025
            | E027
            | E029
            | E035
            | E050
            | E052
            | E053
            | E067
    )
}

#[test]
fn the_schema_refuses_the_mistakes_that_are_about_shape_words_and_units() {
    let validator = validator();
    let mut taken = BTreeMap::new();
    let (mut about_shape, mut refused) = (0, 0);
    for file in yaml_files("fixtures/invalid") {
        let told = load(&file, &LoadOptions::default()).expect_err("it is broken");
        let Some(document) = document(&file) else { continue };
        if told.iter().all(|problem| is_beyond_schemas(problem.code)) {
            continue;
        }
        about_shape += 1;
        if validator.is_valid(&document) {
            let codes: BTreeSet<&str> = told.iter().map(|problem| problem.code.id()).collect();
            let name = file.file_stem().expect("a name").to_string_lossy().into_owned();
            taken.insert(name, codes.into_iter().collect::<Vec<_>>().join(" "));
        } else {
            refused += 1;
        }
    }
    insta::assert_debug_snapshot!("taken", taken);
    assert!(refused * 4 >= about_shape * 3, "{refused} of {about_shape}");
}

/// All places of a document, as JSON pointers.
fn places(document: &Value, at: &str, out: &mut Vec<String>) {
    let mut inside = |key: &str, value: &Value| {
        let here = format!("{at}/{}", key.replace('~', "~0").replace('/', "~1"));
        out.push(here.clone());
        places(value, &here, out);
    };
    match document {
        Value::Object(map) => map.iter().for_each(|(key, value)| inside(key, value)),
        Value::Array(items) => items.iter().enumerate().for_each(|(at, value)| inside(&at.to_string(), value)),
        _ => {}
    }
}

/// Every value of every valid scenario is replaced by each of these, and every key gets a neighbour that nobody knows: what
/// the schema refuses the decoder refuses too, or an editor would mark a scenario that runs.
#[test]
fn what_the_schema_refuses_the_decoder_refuses_too() {
    let validator = validator();
    let (mut refused, mut wrongly) = (0, Vec::new());
    let (mut missed, mut unknown) = (0, 0);
    let beside = tempfile::tempdir().expect("a folder");
    copy(&folder().join("fixtures/valid"), beside.path());
    copy(&folder().join("examples"), beside.path());
    let path = beside.path().join("changed.brunt.yaml");
    let load_changed = |changed: &Value| {
        std::fs::write(&path, changed.to_string()).expect("written");
        load(&path, &LoadOptions::default())
    };
    for file in valid() {
        let whole = document(&file).expect("YAML");
        let mut all = Vec::new();
        places(&whole, "", &mut all);
        for place in all {
            for other in [json!(7), json!("nonsense"), json!({ "a": "b" })] {
                let mut changed = whole.clone();
                *changed.pointer_mut(&place).expect("a place") = other.clone();
                if !validator.is_valid(&changed) {
                    refused += 1;
                    if load_changed(&changed).is_ok() {
                        wrongly.push(format!("{}{place} = {other}", file.display()));
                    }
                }
            }
            let mut changed = whole.clone();
            if let Some(map) = changed.pointer_mut(&place).and_then(Value::as_object_mut) {
                map.insert("nobody-knows".into(), json!(1));
                let decoder = load_changed(&changed).err();
                let told = decoder.iter().flat_map(|told| told.iter());
                let told = told.into_iter().any(|problem| matches!(problem.code, Code::E011 | Code::E052));
                unknown += usize::from(told);
                missed += usize::from(told && validator.is_valid(&changed));
            }
        }
    }
    assert!(wrongly.is_empty(), "{} of {refused}: {wrongly:#?}", wrongly.len());
    assert!(refused > 800, "only {refused} were refused");
    assert!(unknown > 150 && missed == 0, "{missed} of {unknown} unknown keys are not seen by the schema");
}

fn copy(from: &Path, to: &Path) {
    for entry in std::fs::read_dir(from).expect("a folder") {
        let entry = entry.expect("readable");
        let target = to.join(entry.file_name());
        if entry.path().is_dir() {
            std::fs::create_dir_all(&target).expect("made");
            copy(&entry.path(), &target);
        } else {
            std::fs::copy(entry.path(), target).expect("copied");
        }
    }
}

/// Each key that a record of the decoder has stands in the schema with what it means.
#[test]
fn every_key_of_every_record_has_a_hover_text() {
    let schema = scenario();
    let definitions = schema["definitions"].as_object().expect("definitions");
    let mut keys = 0;
    for (name, definition) in definitions.iter().chain([(&"Root".to_owned(), &schema)]) {
        for (key, property) in definition["properties"].as_object().expect("properties") {
            let text = property["description"].as_str().unwrap_or_else(|| panic!("{name}.{key} has no description"));
            assert!(text.len() > 3 && !text.starts_with(' '), "{name}.{key}: {text}");
            keys += 1;
        }
    }
    assert!(keys > 250, "{keys} keys");
    let root: BTreeSet<&str> = crate::scenario::Root::keys().iter().map(|key| key.key).collect();
    let described: BTreeSet<&str> =
        schema["properties"].as_object().expect("properties").keys().map(String::as_str).collect();
    assert_eq!(root, described);
}
