//! Judging a reply: is it as expected, and what later steps need of it.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use brunt_report::sample::ErrorClass;
use brunt_scenario::plan::{Addresses, Check, Extract, ExtractFrom, Json};
use hyper::header::HeaderName;
use jsonpath_rust::parser::model::JpQuery;
use jsonpath_rust::parser::parse_json_path;
use jsonpath_rust::query::js_path_process;
use minijinja::value::Value;
use regex::Regex;

use super::LoadError;
use super::http::failure::Failure;
use super::http::reply::{MAX_KEPT, Reply};
use super::template::{Scope, Template, TemplateError, Templates};

/// The compiled `check:` and `extract:` of a step.
pub struct Judge {
    status: Vec<u16>,
    headers: Vec<(HeaderName, Template)>,
    body: Vec<(String, JpQuery, Expected)>,
    regex: Option<Regex>,
    min_size: Option<u64>,
    max_size: Option<u64>,
    max_latency: Option<Duration>,
    extract: Vec<(String, Source)>,
}

/// What a part of a JSON body has to be.
enum Expected {
    Leaf(serde_json::Value),
    Text(Template),
    Array(Vec<Expected>),
    Object(Vec<(String, Expected)>),
}

enum Source {
    JsonPath(String, JpQuery),
    Header(HeaderName),
    Regex(Regex),
}

impl Judge {
    /// Compiles the paths, patterns and templates of the step with this id.
    pub fn compile(
        id: &str,
        check: &Check,
        extract: &[Extract],
        templates: &mut Templates,
        known: &Addresses,
    ) -> Result<Self, LoadError> {
        let wrong = |what: &str, why: &dyn std::fmt::Display| LoadError::step(id, &format!("`{what}`: {why}"));
        let path = |text: &str| parse_json_path(text).map_err(|error| wrong(text, &error));
        let regex = |text: &str| Regex::new(text).map_err(|error| wrong(text, &error));
        let header = |name: &str| HeaderName::from_bytes(name.as_bytes()).map_err(|error| wrong(name, &error));
        let mut headers = Vec::new();
        for (name, value) in &check.headers {
            headers.push((header(name)?, templates.compile(value, known).map_err(|error| wrong(name, &error))?));
        }
        let mut body = Vec::new();
        for (text, json) in &check.body {
            let expected = Expected::compile(json, templates, known).map_err(|error| wrong(text, &error))?;
            body.push((text.clone(), path(text)?, expected));
        }
        let mut sources = Vec::new();
        for wanted in extract {
            let source = match &wanted.from {
                ExtractFrom::JsonPath(text) => Source::JsonPath(text.clone(), path(text)?),
                ExtractFrom::Header(name) => Source::Header(header(name)?),
                ExtractFrom::Regex(text) => Source::Regex(regex(text)?),
            };
            sources.push((wanted.name.clone(), source));
        }
        Ok(Self {
            status: check.status.clone(),
            headers,
            body,
            regex: check.regex.as_deref().map(regex).transpose()?,
            min_size: check.min_size,
            max_size: check.max_size,
            max_latency: check.max_latency,
            extract: sources,
        })
    }

    /// The reply's body has to be kept.
    pub fn reads_body(&self) -> bool {
        !self.body.is_empty()
            || self.regex.is_some()
            || self.extract.iter().any(|(_, source)| !matches!(source, Source::Header(_)))
    }

    /// The reply's header fields have to be kept.
    pub fn reads_headers(&self) -> bool {
        !self.headers.is_empty() || self.extract.iter().any(|(_, source)| matches!(source, Source::Header(_)))
    }

    /// Templates are compared with, or values extracted.
    pub fn needs_scope(&self) -> bool {
        !self.extract.is_empty()
            || self.body.iter().any(|(_, _, expected)| expected.is_late())
            || self.headers.iter().any(|(_, value)| matches!(value, Template::Late(_)))
    }

    /// Judges a reply; what it has for later steps goes into `scope`. `label` begins each message.
    pub fn judge(
        &self,
        label: &str,
        reply: &Reply,
        latency: Duration,
        templates: &Templates,
        scope: Option<&Arc<Scope>>,
    ) -> Result<(), Failure> {
        self.judge_status(label, reply)?;
        let failed = |text: String| Failure::new(ErrorClass::Check, format!("{label}: {text}"));
        if let Some(most) = self.max_latency.filter(|most| latency > *most) {
            return Err(failed(format!("latency {latency:.1?}, at most {most:?} expected")));
        }
        if self.min_size.is_some_and(|least| reply.size < least) || self.max_size.is_some_and(|most| reply.size > most)
        {
            return Err(failed(format!("{} bytes, {} expected", reply.size, range(self.min_size, self.max_size))));
        }
        for (name, value) in &self.headers {
            let expected = render(templates, value, scope).map_err(&failed)?;
            let seen = reply.headers.get(name).map(|value| String::from_utf8_lossy(value.as_bytes()));
            if seen.as_deref() != Some(&*expected) {
                let seen = seen.map_or_else(|| "missing".to_owned(), |seen| format!("`{seen}`"));
                return Err(failed(format!("header {name} is {seen}, `{expected}` expected")));
            }
        }
        if !self.reads_body() && self.extract.is_empty() {
            return Ok(());
        }
        self.judge_body(reply, templates, scope).map_err(failed)
    }

    fn judge_status(&self, label: &str, reply: &Reply) -> Result<(), Failure> {
        let status = reply.status.as_u16();
        let as_expected = if self.status.is_empty() { status < 400 } else { self.status.contains(&status) };
        if as_expected {
            return Ok(());
        }
        let class = match status {
            500..=599 => ErrorClass::Status5xx,
            400..=499 => ErrorClass::Status4xx,
            _ => ErrorClass::Check,
        };
        Err(Failure::new(class, format!("{label}: status {status}{}", body_start(reply))))
    }

    fn judge_body(&self, reply: &Reply, templates: &Templates, scope: Option<&Arc<Scope>>) -> Result<(), String> {
        let is_json = |source: &Source| matches!(source, Source::JsonPath(..));
        let json = match !self.body.is_empty() || self.extract.iter().any(|(_, source)| is_json(source)) {
            true => Some(parse(reply)?),
            false => None,
        };
        let json = json.as_ref().unwrap_or(&serde_json::Value::Null);
        for (text, path, expected) in &self.body {
            let seen = first(path, json)?.ok_or_else(|| format!("nothing at `{text}`{}", body_start(reply)))?;
            if !expected.holds(seen, templates, scope)? {
                return Err(format!("`{text}` is {}, not as expected", shortened(&seen.to_string())));
            }
        }
        let text = || String::from_utf8_lossy(&reply.body);
        if let Some(regex) = self.regex.as_ref().filter(|regex| !regex.is_match(&text())) {
            return Err(format!("the body does not match `{regex}`{}", body_start(reply)));
        }
        for (name, source) in &self.extract {
            let value = match source {
                Source::JsonPath(_, path) => first(path, json)?.map(from_json),
                Source::Header(header) => {
                    reply.headers.get(header).map(|value| String::from_utf8_lossy(value.as_bytes()).into_owned().into())
                }
                Source::Regex(regex) => regex.captures(&text()).and_then(|found| {
                    found.get(1).or_else(|| found.get(0)).map(|part| part.as_str().to_owned().into())
                }),
            };
            let value =
                value.ok_or_else(|| format!("nothing to extract as `{name}` from {source}{}", body_start(reply)))?;
            if let Some(scope) = scope {
                scope.set(name, value);
            }
        }
        Ok(())
    }
}

impl std::fmt::Display for Source {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::JsonPath(text, _) => write!(f, "`{text}`"),
            Self::Header(name) => write!(f, "header {name}"),
            Self::Regex(regex) => write!(f, "`{regex}`"),
        }
    }
}

fn render(templates: &Templates, template: &Template, scope: Option<&Arc<Scope>>) -> Result<String, String> {
    match (template, scope) {
        (Template::Fixed(text), _) => Ok(text.clone()),
        (late, Some(scope)) => templates.render(late, scope).map(Into::into).map_err(|error| error.to_string()),
        (Template::Late(_), None) => Err("a template without its iteration".to_owned()),
    }
}

fn parse(reply: &Reply) -> Result<serde_json::Value, String> {
    if reply.size > MAX_KEPT as u64 {
        return Err(format!("the body has {} bytes; only {MAX_KEPT} are kept for checks", reply.size));
    }
    serde_json::from_slice(&reply.body).map_err(|error| format!("the body is not JSON ({error}){}", body_start(reply)))
}

fn first<'a>(path: &JpQuery, json: &'a serde_json::Value) -> Result<Option<&'a serde_json::Value>, String> {
    let found = js_path_process(path, json).map_err(|error| error.to_string())?;
    Ok(found.into_iter().next().map(|found| found.val()))
}

/// So that templates can go on with it: `{{ order.lines[0] }}`.
fn from_json(json: &serde_json::Value) -> Value {
    use serde_json::Value as Json;
    match json {
        Json::Null => Value::from(()),
        Json::Bool(value) => (*value).into(),
        Json::Number(number) => match (number.as_i64(), number.as_u64(), number.as_f64()) {
            (Some(number), _, _) => number.into(),
            (_, Some(number), _) => number.into(),
            (_, _, number) => number.unwrap_or(f64::NAN).into(),
        },
        Json::String(text) => text.as_str().into(),
        Json::Array(items) => items.iter().map(from_json).collect::<Vec<Value>>().into(),
        Json::Object(fields) => {
            fields.iter().map(|(name, value)| (name.clone(), from_json(value))).collect::<BTreeMap<_, _>>().into()
        }
    }
}

fn range(least: Option<u64>, most: Option<u64>) -> String {
    match (least, most) {
        (Some(least), Some(most)) => format!("{least} to {most}"),
        (Some(least), None) => format!("at least {least}"),
        (None, Some(most)) => format!("at most {most}"),
        (None, None) => "any number".to_owned(),
    }
}

/// ", body starts `...`" on one line, if there is one.
fn body_start(reply: &Reply) -> String {
    let text = String::from_utf8_lossy(&reply.body);
    match text.trim() {
        "" => String::new(),
        text => format!(", body starts `{}`", shortened(text).replace(char::is_control, " ")),
    }
}

fn shortened(text: &str) -> String {
    const MOST: usize = 80;
    match text.char_indices().nth(MOST) {
        Some((end, _)) => format!("{}...", &text[..end]),
        None => text.to_owned(),
    }
}

impl Expected {
    fn compile(json: &Json, templates: &mut Templates, known: &Addresses) -> Result<Self, TemplateError> {
        Ok(match json {
            Json::Null => Self::Leaf(serde_json::Value::Null),
            Json::Bool(value) => Self::Leaf((*value).into()),
            Json::Number(number) => Self::Leaf(serde_json::Value::Number(number.clone())),
            Json::Text(text) => Self::Text(templates.compile(text, known)?),
            Json::Array(items) => {
                let items = items.iter().map(|item| Self::compile(item, templates, known));
                Self::Array(items.collect::<Result<_, _>>()?)
            }
            Json::Object(fields) => {
                let fields =
                    fields.iter().map(|(name, value)| Ok((name.clone(), Self::compile(value, templates, known)?)));
                Self::Object(fields.collect::<Result<_, TemplateError>>()?)
            }
        })
    }

    fn is_late(&self) -> bool {
        match self {
            Self::Leaf(_) | Self::Text(Template::Fixed(_)) => false,
            Self::Text(Template::Late(_)) => true,
            Self::Array(items) => items.iter().any(Self::is_late),
            Self::Object(fields) => fields.iter().any(|(_, value)| value.is_late()),
        }
    }

    fn holds(
        &self,
        seen: &serde_json::Value,
        templates: &Templates,
        scope: Option<&Arc<Scope>>,
    ) -> Result<bool, String> {
        use serde_json::Value as Seen;
        match (self, seen) {
            // 1 and 1.0 are the same number in JSON.
            (Self::Leaf(Seen::Number(a)), Seen::Number(b)) => Ok(a == b || a.as_f64() == b.as_f64()),
            (Self::Leaf(expected), seen) => Ok(expected == seen),
            (Self::Text(template), Seen::String(seen)) => Ok(render(templates, template, scope)? == *seen),
            // `"{{ id }}"` stands for whatever was extracted, a number as well.
            (Self::Text(late @ Template::Late(_)), seen) => Ok(*seen.to_string() == *render(templates, late, scope)?),
            (Self::Array(expected), Seen::Array(seen)) if expected.len() == seen.len() => {
                all(expected.iter().zip(seen), templates, scope)
            }
            (Self::Object(expected), Seen::Object(fields)) if expected.len() == fields.len() => {
                let pairs: Option<Vec<_>> =
                    expected.iter().map(|(name, value)| fields.get(name).map(|seen| (value, seen))).collect();
                pairs.map_or(Ok(false), |pairs| all(pairs, templates, scope))
            }
            _ => Ok(false),
        }
    }
}

fn all<'a>(
    pairs: impl IntoIterator<Item = (&'a Expected, &'a serde_json::Value)>,
    templates: &Templates,
    scope: Option<&Arc<Scope>>,
) -> Result<bool, String> {
    for (expected, seen) in pairs {
        if !expected.holds(seen, templates, scope)? {
            return Ok(false);
        }
    }
    Ok(true)
}
