//! `{{ }}`: every template compiles, and every name in it is known at its step.

mod expression;

use std::collections::{BTreeSet, HashMap};

use minijinja::value::Rest;
use minijinja::{Environment, ErrorKind, UndefinedBehavior};

use crate::decode::Spanned;
use crate::diagnostic::{Code, Problems};
use crate::plan::{Piece, Text};
use crate::scenario::Root;
use crate::scenario::journeys::Step;
use crate::source::Span;
use crate::words::nearest;
use crate::yaml::{Node, Value};

/// What every template knows.
const BUILT_IN: [&str; 5] = ["uuid", "now", "rand_int", "iteration", "user"];

/// The names that the engine itself gives to every template (`range`, `dict` ...): functions of the template language.
const LANGUAGE: [&str; 4] = ["range", "dict", "namespace", "loop"];

pub(super) fn check(root: &Root, problems: &mut Problems) {
    let mut environment = Environment::new();
    environment.set_undefined_behavior(UndefinedBehavior::Chainable);
    for function in ["uuid", "now", "rand_int"] {
        environment.add_function(function, |_: Rest<minijinja::Value>| "");
    }
    let mut checker = Checker { environment, known: HashMap::new(), problems };
    for (_, journey) in root.journeys.iter().flat_map(|journeys| journeys.iter()) {
        let feeders = journey.feed.iter().flat_map(|feed| &feed.value.0).map(|name| name.value.clone());
        checker.steps(journey.steps.iter(), feeders.collect());
    }
    for (_, load) in root.loads() {
        let feeders = load.feed.iter().flat_map(|feed| &feed.value.0).map(|name| name.value.clone());
        checker.steps(load.step.iter(), feeders.collect());
    }
}

struct Checker<'p> {
    environment: Environment<'static>,
    /// Names that a template uses, by its text: aliases and merges repeat texts.
    known: HashMap<String, Result<Vec<String>, String>>,
    problems: &'p mut Problems,
}

impl Checker<'_> {
    fn steps<'s>(&mut self, steps: impl Iterator<Item = &'s Step>, mut names: BTreeSet<String>) {
        names.extend(BUILT_IN.map(str::to_owned));
        for step in steps {
            self.step(step, &names);
            names.extend(step.extract.iter().flat_map(|extract| &extract.0).map(|(name, _)| name.value.clone()));
        }
    }

    fn step(&mut self, step: &Step, names: &BTreeSet<String>) {
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
    fn tree(&mut self, node: &Node, names: &BTreeSet<String>) {
        match &node.value {
            Value::Scalar(scalar) => self.one(&scalar.text, node.span, names),
            Value::List(items) => items.iter().for_each(|item| self.tree(item, names)),
            Value::Map(entries) => entries.iter().for_each(|entry| self.tree(&entry.value, names)),
        }
    }

    fn text(&mut self, text: &Spanned<Text>, names: &BTreeSet<String>) {
        self.one(&text.value, text.span, names);
    }

    fn one(&mut self, text: &Text, span: Span, names: &BTreeSet<String>) {
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
                for name in used.iter().filter(|name| !names.contains(*name)) {
                    let help = match nearest(name, names.iter().map(String::as_str)) {
                        Some(near) => format!("did you mean `{near}`?"),
                        None => {
                            let known: Vec<String> = names.iter().map(|name| format!("`{name}`")).collect();
                            format!("known at this step: {}", known.join(", "))
                        }
                    };
                    self.problems.error(Code::E046, span, format!("`{name}` is not defined at this step"), help);
                }
            }
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

/// The names that a template needs from outside, or why it does not compile.
fn compile(environment: &Environment<'_>, text: &str) -> Result<Vec<String>, String> {
    if expression::longest(text) > expression::MAX_LENGTH {
        return Err(format!("an expression is longer than {} characters", expression::MAX_LENGTH));
    }
    match environment.template_from_str(text) {
        Ok(template) => {
            let used = template.undeclared_variables(false).into_iter();
            let mut used: Vec<String> = used.filter(|name| !LANGUAGE.contains(&name.as_str())).collect();
            used.sort();
            unknown_filter(environment, text).map_or(Ok(used), Err)
        }
        Err(error) => Err(error.detail().unwrap_or("syntax error").to_owned()),
    }
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
