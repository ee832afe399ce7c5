//! Journeys, and the one-step journeys of load entries in their short form.

mod json;

use super::{REQUEST_TIMEOUT, Resolver, SHORT_STEP};
use crate::decode::{OneOrMany, Pairs, Spanned};
use crate::diagnostic::{Code, Problems};
use crate::plan::{Body, Check, Extract, ExtractFrom, Feeder, Journey, Json, Request, RetryUntil, Step, Text};
use crate::scenario::journeys as written;
use crate::validate;
use crate::yaml::Node;

impl Resolver<'_> {
    pub(super) fn journeys(&mut self, feeders: &[Feeder]) -> Vec<Journey> {
        let root = self.root;
        let default = root.default_target().unwrap_or_default();
        let mut journeys = Vec::new();
        for (name, journey) in root.journeys.iter().flat_map(|journeys| journeys.iter()) {
            let target = journey.target.as_ref().map_or(default, |target| target.value.as_str());
            let steps = journey.steps.iter().enumerate();
            let steps = steps.filter_map(|(index, step)| self.step(step, target, validate::step_id(index, step)));
            let feed = feed(journey.feed.as_ref(), feeders);
            journeys.push(Journey { name: name.value.clone(), feed, steps: steps.collect() });
        }
        for (name, load) in root.loads() {
            let Some(step) = &load.step else { continue };
            let target = load.target.as_ref().map_or(default, |target| target.value.as_str());
            let id = step.id.as_ref().map_or(SHORT_STEP, |id| id.value.0.as_str());
            let steps = self.step(step, target, id.to_owned()).into_iter().collect();
            let feed = feed(load.feed.as_ref(), feeders);
            journeys.push(Journey { name: name.value.clone(), feed, steps });
        }
        journeys
    }

    fn step(&mut self, step: &written::Step, target: &str, id: String) -> Option<Step> {
        if let Some(think) = &step.think {
            return Some(Step::Think(think.value));
        }
        let (method, path) = step.request()?;
        if !starts_like_a_path(&path.value) {
            let help = "write the path, `/items?page=2`; the address stands at the target";
            self.problems.error(Code::E049, path.span, "a path begins with `/`", help);
        }
        let clients = [
            ("retry", step.retry.as_ref().map(|it| it.span)),
            ("hedge", step.hedge.as_ref().map(|it| it.span)),
            ("breaker", step.breaker.as_ref().map(|it| it.span)),
        ];
        for (key, span) in clients {
            if let Some(span) = span {
                self.not_built(span, format!("`{key}` at a step is not built yet"));
            }
        }
        if let Some(headers) = &step.headers {
            for (name, value) in &headers.0 {
                check_header(&name.value, &value.value, name.span, self.problems);
            }
        }
        Some(Step::Request(Box::new(Request {
            id,
            target: target.to_owned(),
            instance_header: self.instance_header(target),
            method,
            path: path.value.clone(),
            headers: pairs(step.headers.as_ref()),
            body: self.body(step),
            timeout: step.timeout.as_ref().map_or(REQUEST_TIMEOUT, |timeout| timeout.value),
            extract: self.extract(step),
            check: self.check(step),
            retry_until: self.retry_until(step),
            continue_on_error: step.on_error == Some(written::OnError::Continue),
        })))
    }

    fn instance_header(&self, target: &str) -> Option<String> {
        let mut targets = self.root.targets.iter().flat_map(|targets| targets.iter());
        let (_, target) = targets.find(|(name, _)| name.value == target)?;
        target.instance_header.as_ref().map(|header| header.value.clone())
    }

    fn body(&mut self, step: &written::Step) -> Body {
        if let Some(json) = &step.json {
            return json::read(json, self.problems).map_or(Body::None, Body::Json);
        }
        if let Some(form) = &step.form {
            return Body::Form(pairs(Some(form)));
        }
        step.body.as_ref().map_or(Body::None, |body| Body::Raw(body.value.clone()))
    }

    fn extract(&mut self, step: &written::Step) -> Vec<Extract> {
        let mut extracts = Vec::new();
        for (name, from) in step.extract.iter().flat_map(|extract| &extract.0) {
            let from = match from {
                written::Extract::JsonPath(path) => {
                    json::check_path(&path.value, path.span, self.problems);
                    ExtractFrom::JsonPath(path.value.clone())
                }
                written::Extract::Header(header) => ExtractFrom::Header(header.value.clone()),
                written::Extract::Regex(pattern) => {
                    if let Err(error) = regex::Regex::new(&pattern.value) {
                        validate::regex(pattern.span, &error, self.problems);
                    }
                    ExtractFrom::Regex(pattern.value.clone())
                }
            };
            let word = |c: char| c.is_ascii_alphanumeric() || c == '_';
            if name.value.is_empty()
                || !name.value.chars().all(word)
                || name.value.starts_with(|c: char| c.is_ascii_digit())
            {
                let help = "templates use it as `{{ name }}`: letters, digits and `_`, no digit first";
                let message = format!("`{}` cannot be the name of a value", name.value.escape_debug());
                self.problems.error(Code::E015, name.span, message, help);
            }
            extracts.push(Extract { name: name.value.clone(), from });
        }
        extracts
    }

    fn check(&mut self, step: &written::Step) -> Check {
        let Some(check) = &step.check else { return Check::default() };
        if let Some(pattern) = &check.regex
            && let Err(error) = regex::Regex::new(&pattern.value)
        {
            validate::regex(pattern.span, &error, self.problems);
        }
        let body = self.wanted_body(check.body.as_ref());
        Check {
            status: check.status.as_ref().map(|status| status.value.0.clone()).unwrap_or_default(),
            headers: pairs(check.header.as_ref()),
            body,
            regex: check.regex.as_ref().map(|pattern| pattern.value.clone()),
            min_size: check.size.as_ref().and_then(|size| size.min).map(|size| size.0),
            max_size: check.size.as_ref().and_then(|size| size.max).map(|size| size.0),
            max_latency: check.latency.as_ref().map(|latency| latency.max),
        }
    }
}

impl Resolver<'_> {
    fn retry_until(&mut self, step: &written::Step) -> Option<RetryUntil> {
        let until = &step.retry_until.as_ref()?.value;
        Some(RetryUntil {
            status: until.status.as_ref().map(|status| status.value.0.clone()).unwrap_or_default(),
            body: self.wanted_body(until.body.as_ref()),
            within: until.within.value,
            every: until.every.value,
        })
    }

    /// JSONPaths and what must stand there.
    fn wanted_body(&mut self, written: Option<&Pairs<Node>>) -> Vec<(String, Json)> {
        let mut body = Vec::new();
        for (path, value) in written.iter().flat_map(|body| &body.0) {
            json::check_path(&path.value, path.span, self.problems);
            body.extend(json::read(value, self.problems).map(|value| (path.value.clone(), value)));
        }
        body
    }
}

/// The feeders of a journey by their places; a name that is unknown was told.
fn feed(names: Option<&Spanned<OneOrMany<Spanned<String>>>>, feeders: &[Feeder]) -> Vec<usize> {
    let mut feed = Vec::new();
    for name in names.iter().flat_map(|names| &names.value.0) {
        let found = feeders.iter().position(|feeder| feeder.name == name.value);
        feed.extend(found.filter(|index| !feed.contains(index)));
    }
    feed
}

fn pairs(pairs: Option<&Pairs<Spanned<Text>>>) -> Vec<(String, Text)> {
    pairs.iter().flat_map(|pairs| &pairs.0).map(|(name, value)| (name.value.clone(), value.value.clone())).collect()
}

/// Whether a path begins with a slash, or with something that only the run knows.
fn starts_like_a_path(path: &Text) -> bool {
    match path.0.first() {
        Some(crate::plan::Piece::Literal(text)) => text.starts_with('/') || text.starts_with("{{"),
        Some(_) => true,
        None => false,
    }
}

/// A header name is a token of RFC 9110; a value has no line break, which would begin another header.
fn check_header(name: &str, value: &Text, span: crate::source::Span, problems: &mut Problems) {
    let token = |byte: u8| byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&byte);
    if name.is_empty() || !name.bytes().all(token) {
        let message = format!("`{}` cannot be the name of a header", name.escape_debug());
        problems.error(Code::E015, span, message, "letters, digits and `-`");
    }
    let breaks =
        value.0.iter().any(|piece| matches!(piece, crate::plan::Piece::Literal(text) if text.contains(['\r', '\n'])));
    if breaks {
        problems.error(Code::E028, span, "a header cannot hold a line break", "write it on one line");
    }
}
