//! What must not be shown: every secret that a plan holds, wherever it goes, so that none comes back in a reply, in the
//! output of a service or of a probe, and from there into a report.

use std::collections::BTreeSet;

use brunt_report::render::words;
use brunt_scenario::plan::{Body, Json, ParamValue, Piece, Plan, ProbeKind, Rows, Step, Target, Text};

use crate::timeline;

/// All secrets of a plan, the longest first, so that one inside another leaves nothing behind.
#[derive(Clone, Default)]
pub struct Secrets(Vec<String>);

impl Secrets {
    /// Those of requests, feeders, services, targets, probes and faults.
    pub fn of(plan: &Plan) -> Self {
        let mut found = Found::default();
        for step in plan.journeys.iter().flat_map(|journey| &journey.steps) {
            let Step::Request(request) = step else { continue };
            found.text(&request.path);
            request.headers.iter().chain(&request.check.headers).for_each(|(_, value)| found.text(value));
            let waited = request.retry_until.iter().flat_map(|until| &until.body);
            request.check.body.iter().chain(waited).for_each(|(_, json)| found.json(json));
            match &request.body {
                Body::None => {}
                Body::Raw(text) => found.text(text),
                Body::Form(fields) => fields.iter().for_each(|(_, value)| found.text(value)),
                Body::Json(json) => found.json(json),
            }
        }
        for feeder in &plan.feeders {
            if let Rows::Values(values) = &feeder.rows {
                values.iter().for_each(|value| found.text(value));
            }
        }
        for service in &plan.services {
            service.run.iter().chain(service.env.iter().map(|(_, value)| value)).for_each(|text| found.text(text));
        }
        for target in plan.targets.values() {
            if let Target::Url(text) = target {
                found.text(text);
            }
        }
        for probe in plan.steady_state.iter().flat_map(|steady| &steady.probes) {
            match &probe.kind {
                ProbeKind::Command { run, .. } => run.iter().for_each(|text| found.text(text)),
                ProbeKind::Tcp { address } => found.text(address),
                ProbeKind::Http { .. } | ProbeKind::Kubernetes { .. } => {}
            }
        }
        for fault in timeline::faults_of(&plan.timeline) {
            for value in fault.with.0.values() {
                if let ParamValue::Text(text) = value {
                    found.text(text);
                }
            }
        }
        found.longest_first()
    }

    /// A text as it may be shown.
    pub fn masked(&self, mut text: String) -> String {
        for secret in &self.0 {
            if text.contains(secret.as_str()) {
                text = text.replace(secret.as_str(), "***");
            }
        }
        text
    }
}

/// A line of another program is shown up to here: what follows is rarely the cause.
const LINE: usize = 300;

impl Secrets {
    /// What another program said, as it may be shown: on one line, secrets masked, nothing that moves a cursor or turns the
    /// direction of text, and no longer than anybody reads.
    pub fn said(&self, line: &str) -> String {
        let line = words::printable(&self.masked(line.to_owned()));
        let line = line.trim_end();
        match line.char_indices().nth(LINE) {
            Some((end, _)) => format!("{} ...", &line[..end]),
            None => line.to_owned(),
        }
    }
}

/// Never its values.
impl std::fmt::Debug for Secrets {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{} secrets", self.0.len())
    }
}

#[derive(Default)]
struct Found(BTreeSet<String>);

impl Found {
    fn text(&mut self, text: &Text) {
        self.0.extend(text.0.iter().filter_map(|piece| match piece {
            Piece::Secret(secret) if !secret.expose().is_empty() => Some(secret.expose().to_owned()),
            _ => None,
        }));
    }

    fn json(&mut self, json: &Json) {
        match json {
            Json::Text(text) => self.text(text),
            Json::Array(items) => items.iter().for_each(|item| self.json(item)),
            Json::Object(fields) => fields.iter().for_each(|(_, value)| self.json(value)),
            Json::Null | Json::Bool(_) | Json::Number(_) => {}
        }
    }

    fn longest_first(self) -> Secrets {
        let mut secrets: Vec<String> = self.0.into_iter().collect();
        secrets.sort_by_key(|secret| std::cmp::Reverse(secret.len()));
        Secrets(secrets)
    }
}

#[cfg(test)]
impl Secrets {
    /// These ones.
    pub fn known(secrets: &[&str]) -> Self {
        Found(secrets.iter().map(|secret| (*secret).to_owned()).collect()).longest_first()
    }
}
