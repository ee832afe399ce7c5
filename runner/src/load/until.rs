//! A step that asks again until the reply is as wanted: what a user does who waits for an order to be paid.
//!
//! The step is one sample: from its intended start to the last byte of the first reply as wanted. Whatever comes before
//! that, another reply as well as a broken connection, is asked again, `every` after the request before it began (at once if
//! that took longer). What the server got in between is reported as repeats, so that rates count every request. When
//! `within` is over, the step has failed with class `check`, and its example shows the last reply.

use std::cell::{Cell, RefCell};
use std::time::Duration;

use brunt_report::sample::{ErrorClass, Repeat};
use brunt_scenario::plan::{Addresses, Check, Request as Step};

use super::LoadError;
use super::check::Judge;
use super::http::Trace;
use super::http::failure::Failure;
use super::http::reply::Reply;
use super::journey::{Around, exchange};
use super::request::Request;
use super::template::Templates;

/// A compiled `retry_until`.
pub struct Until {
    /// What is wanted.
    wanted: Judge,
    /// Gives up so long after the intended start.
    pub within: Duration,
    every: Duration,
}

impl Until {
    /// Compiles what a step waits for.
    pub fn compile(step: &Step, templates: &mut Templates, known: &Addresses) -> Result<Option<Self>, LoadError> {
        let Some(until) = &step.retry_until else { return Ok(None) };
        let check = Check { status: until.status.clone(), body: until.body.clone(), ..Check::default() };
        let wanted = Judge::compile(&step.id, &check, &[], templates, known)?;
        Ok(Some(Self { wanted, within: until.within, every: until.every }))
    }

    /// What of a reply has to be kept to see whether it is as wanted.
    pub fn wanted(&self) -> &Judge {
        &self.wanted
    }
}

/// What a step has seen so far; it outlives the step's end by `within`.
#[derive(Default)]
pub struct Asked {
    times: Cell<u32>,
    last: RefCell<Option<Failure>>,
}

impl Asked {
    /// Why the step failed when its time was over. `trace` is that of the last request.
    pub fn gave_up(&self, request: &Request, within: Duration, trace: &Trace) -> Failure {
        let label = &request.label;
        let times = match self.times.get() {
            1 => "1 request".to_owned(),
            times => format!("{times} requests"),
        };
        let last = match self.last.take() {
            Some(Failure { text, .. }) => {
                format!("; the last reply: {}", text.trim_start_matches(label.as_str()).trim_start_matches(": "))
            }
            None if trace.connecting.get() => ", still connecting".to_owned(),
            None => ", no reply".to_owned(),
        };
        Failure::new(ErrorClass::Check, format!("{label}: not as wanted within {within:?} and {times}{last}"))
    }
}

/// Asks until the reply is as wanted; the caller ends it when `within` is over. `trace` is that of the newest request.
pub async fn ask(around: &Around<'_>, request: &Request, until: &Until, trace: &Trace, asked: &Asked) -> Reply {
    let Around { worker, scope, intended, warmup, .. } = *around;
    let templates = &worker.compiled.templates;
    let mut due = intended;
    loop {
        asked.times.set(asked.times.get() + 1);
        let deadline = due.after(request.timeout);
        // Only where it can come first: an alarm stays in the clock until it is due.
        let reply = if deadline < intended.after(until.within) {
            tokio::select! {
                biased;
                reply = exchange(around, request, trace) => reply,
                () = worker.sleep_until(deadline) => {
                    Err(Failure::new(ErrorClass::Timeout, format!("no reply after {:?}", request.timeout)))
                }
            }
        } else {
            exchange(around, request, trace).await
        };
        let now = worker.clock.now();
        let unwanted = match reply {
            Ok(reply) => {
                let latency = now.since(intended);
                match until.wanted.judge(&request.label, &reply, latency, templates, scope) {
                    Ok(()) => return reply,
                    Err(unwanted) => unwanted,
                }
            }
            Err(failure) => {
                worker.exhausted(&failure);
                failure
            }
        };
        asked.last.replace(Some(unwanted));
        due = due.after(until.every).max(now);
        worker.sleep_until(due).await;
        trace.again();
        worker.samples.borrow_mut().repeats.push(Repeat { series: request.series, warmup, at: due });
    }
}
