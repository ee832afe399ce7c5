//! `{{ }}`: every template compiles, and every name in it is known at its step.

mod expression;

use std::collections::{BTreeSet, HashMap};

use minijinja::value::Rest;
use minijinja::{Environment, ErrorKind, UndefinedBehavior};

use crate::decode::{OneOrMany, Spanned};
use crate::diagnostic::{Code, Diagnostic, Problems};
use crate::plan::{Piece, Text, VALUE_COLUMN};
use crate::scenario::Root;
use crate::scenario::journeys::Step;
use crate::source::Span;
use crate::tables::Tables;
use crate::words::nearest;
use crate::yaml::{Node, Value};

/// What every template knows.
const BUILT_IN: [&str; 5] = ["uuid", "now", "rand_int", "iteration", "user"];

/// The names that the engine itself gives to every template (`range`, `dict` ...): functions of the template language.
const LANGUAGE: [&str; 4] = ["range", "dict", "namespace", "loop"];

pub(super) fn check(root: &Root, tables: &Tables, problems: &mut Problems) {
    let mut environment = Environment::new();
    environment.set_undefined_behavior(UndefinedBehavior::Chainable);
    for function in ["uuid", "now", "rand_int"] {
        environment.add_function(function, |_: Rest<minijinja::Value>| "");
    }
    let mut checker = Checker { environment, known: HashMap::new(), root, tables, problems };
    checker.feeder_names();
    for (_, journey) in root.journeys.iter().flat_map(|journeys| journeys.iter()) {
        checker.steps(journey.steps.iter(), journey.feed.as_ref());
    }
    for (_, load) in root.loads() {
        checker.steps(load.step.iter(), load.feed.as_ref());
    }
}

/// What the templates of a step know.
#[derive(Default)]
struct Names {
    all: BTreeSet<String>,
    /// Those of them that are feeders.
    feeders: BTreeSet<String>,
}

struct Checker<'p> {
    environment: Environment<'static>,
    /// What a template uses, by its text: aliases and merges repeat texts.
    known: HashMap<String, Result<Vec<String>, String>>,
    root: &'p Root,
    tables: &'p Tables,
    problems: &'p mut Problems,
}

impl Checker<'_> {
    /// A feeder's name has to be one that a template can say, and no other's.
    fn feeder_names(&mut self) {
        for (name, _) in self.root.feeders.iter().flat_map(|feeders| feeders.iter()) {
            let word = |c: char| c.is_ascii_alphanumeric() || c == '_';
            let is_digit = |c: char| c.is_ascii_digit();
            if !name.value.chars().all(word) || name.value.starts_with(is_digit) {
                let message = format!("templates cannot name the feeder `{}`", name.value);
                let help = "letters, digits and `_`, no digit first: `{{ users.email }}`";
                self.problems.error(Code::E015, name.span, message, help);
            } else if BUILT_IN.contains(&name.value.as_str()) || LANGUAGE.contains(&name.value.as_str()) {
                let message = format!("`{}` means something else in templates", name.value);
                let help = format!("give the feeder another name, for example `{}s`", name.value);
                self.problems.error(Code::E015, name.span, message, help);
            }
        }
    }

    fn steps<'s>(&mut self, steps: impl Iterator<Item = &'s Step>, feed: Option<&Spanned<OneOrMany<Spanned<String>>>>) {
        let feeders: BTreeSet<String> =
            feed.iter().flat_map(|feed| &feed.value.0).map(|name| name.value.clone()).collect();
        let mut names = Names { all: feeders.clone(), feeders };
        names.all.extend(BUILT_IN.map(str::to_owned));
        for step in steps {
            self.step(step, &names);
            for (name, _) in step.extract.iter().flat_map(|extract| &extract.0) {
                if names.feeders.contains(&name.value) {
                    let message = format!("`{}` is also a feeder of this journey", name.value);
                    self.problems.error(Code::E064, name.span, message, "give the extracted value another name");
                }
                names.all.insert(name.value.clone());
            }
        }
    }

    fn step(&mut self, step: &Step, names: &Names) {
        if let Some((_, path)) = step.request() {
            self.text(path, names);
        }
        let headers = step.headers.iter().chain(&step.form).flat_map(|pairs| &pairs.0);
        for (_, value) in headers {
            self.text(value, names);
        }
        step.body.iter().for_each(|body| self.text(body, names));
        step.json.iter().for_each(|json| self.tree(json, names));
        if let Some(check) = &step.check {
            check.header.iter().flat_map(|header| &header.0).for_each(|(_, value)| self.text(value, names));
            check.body.iter().flat_map(|body| &body.0).for_each(|(_, value)| self.tree(value, names));
        }
        if let Some(retry) = &step.retry_until {
            retry.value.body.iter().flat_map(|body| &body.0).for_each(|(_, value)| self.tree(value, names));
        }
    }

    /// Texts inside of a JSON value. Depth is limited when the file is read.
    fn tree(&mut self, node: &Node, names: &Names) {
        match &node.value {
            Value::Scalar(scalar) => self.one(&scalar.text, node.span, names),
            Value::List(items) => items.iter().for_each(|item| self.tree(item, names)),
            Value::Map(entries) => entries.iter().for_each(|entry| self.tree(&entry.value, names)),
        }
    }

    fn text(&mut self, text: &Spanned<Text>, names: &Names) {
        self.one(&text.value, text.span, names);
    }

    fn one(&mut self, text: &Text, span: Span, names: &Names) {
        let template = with_placeholders(text);
        if !template.contains("{{") {
            return;
        }
        let environment = &self.environment;
        let used = self.known.entry(template).or_insert_with_key(|template| compile(environment, template));
        match used {
            Err(why) => {
                let help = "write `{{ name }}`, `{{ feeder.column }}` or `{{ uuid() }}`";
                self.problems.error(Code::E045, span, format!("not a template: {why}"), help);
            }
            Ok(used) => {
                let used = used.clone();
                used.iter().for_each(|path| self.name(path, span, names));
            }
        }
    }

    /// `item_id`, `users.email`: the first part is known, and after a feeder comes one of its columns.
    fn name(&mut self, path: &str, span: Span, names: &Names) {
        let mut parts = path.split('.');
        let name = parts.next().unwrap_or_default();
        if !names.all.contains(name) {
            let is_feeder = self.root.feeders.as_ref().is_some_and(|feeders| feeders.place_of(name).is_some());
            let help = match nearest(name, names.all.iter().map(String::as_str)) {
                _ if is_feeder => format!("add `feed: {name}` to the journey"),
                Some(near) => format!("did you mean `{near}`?"),
                None => {
                    let known: Vec<String> = names.all.iter().map(|name| format!("`{name}`")).collect();
                    format!("known at this step: {}", known.join(", "))
                }
            };
            return self.problems.error(Code::E046, span, format!("`{name}` is not defined at this step"), help);
        }
        // `users["first name"]` shows as `users` alone; it is looked up when the step is rendered.
        let (true, Some(column)) = (names.feeders.contains(name), parts.next()) else { return };
        let Some(columns) = self.columns(name) else { return };
        if !columns.iter().any(|known| known == column) {
            let help = crate::tables::column_help(column, columns.iter().map(String::as_str));
            let message = format!("feeder `{name}` has no column `{column}`");
            self.problems.push(Diagnostic::error(Code::E046, span, message, help).label("no such column"));
        }
    }

    /// The columns of a feeder; `None` if it could not be read, which was told.
    fn columns(&self, feeder: &str) -> Option<Vec<String>> {
        let written = self.root.feeders.as_ref()?.get(feeder)?;
        match self.tables.get(feeder) {
            Some(table) => Some(table.columns().to_vec()),
            None => written.values.is_some().then(|| vec![VALUE_COLUMN.to_owned()]),
        }
    }
}

/// The text with something in the place of parts that the run will bring.
fn with_placeholders(text: &Text) -> String {
    let pieces = text.0.iter().map(|piece| match piece {
        Piece::Literal(text) => text.as_str(),
        _ => "x",
    });
    pieces.collect()
}

/// The names that a template needs from outside, with their attributes (`users.email`), or why it does not compile.
fn compile(environment: &Environment<'_>, text: &str) -> Result<Vec<String>, String> {
    if expression::longest(text) > expression::MAX_LENGTH {
        return Err(format!("an expression is longer than {} characters", expression::MAX_LENGTH));
    }
    match environment.template_from_str(text) {
        Ok(template) => {
            let used = template.undeclared_variables(true).into_iter();
            let mut used: Vec<String> = used.filter(|name| !LANGUAGE.contains(&first_part(name))).collect();
            used.sort();
            unknown_filter(environment, text).map_or(Ok(used), Err)
        }
        Err(error) => Err(error.detail().unwrap_or("syntax error").to_owned()),
    }
}

fn first_part(path: &str) -> &str {
    path.split('.').next().unwrap_or_default()
}

/// A filter or test that does not exist shows only when the template is rendered: so render it once, with nothing in it.
/// Templates with statements are left to the run, since a loop may go round for as long as it likes.
fn unknown_filter(environment: &Environment<'_>, template: &str) -> Option<String> {
    if template.contains("{%") {
        return None;
    }
    let error = environment.render_str(template, ()).err()?;
    let unknown =
        matches!(error.kind(), ErrorKind::UnknownFilter | ErrorKind::UnknownTest | ErrorKind::UnknownFunction);
    unknown.then(|| error.detail().unwrap_or("an unknown filter or function").to_owned())
}
