//! Plans by hand, and a load from its start to its last batch.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use brunt::clock::Clock;
use brunt::load::destinations::Destinations;
use brunt::load::{self, Load, LoadEnd, LoadError, Options};
use brunt_report::sample::{Batch, ErrorClass};
use brunt_scenario::plan::{
    Addresses, Body, Check, Connections, Gate, Journey, Load as PlanLoad, Model, Outputs, Plan, Portion, Request,
    Safety, Stage, Step, Target, Text,
};
use brunt_scenario::{LoadOptions, load_text};
use tokio::sync::mpsc;

use crate::server::Server;

/// A GET that any status below 400 satisfies.
pub fn get(path: &str) -> Request {
    Request {
        id: path.trim_start_matches('/').to_owned(),
        target: "site".into(),
        instance_header: None,
        method: "GET",
        path: Text::literal(path),
        headers: Vec::new(),
        body: Body::None,
        timeout: Duration::from_secs(30),
        extract: Vec::new(),
        check: Check::default(),
        retry_until: None,
        continue_on_error: false,
    }
}

pub fn post(path: &str, body: Body) -> Request {
    Request { method: "POST", body, ..get(path) }
}

pub fn step(request: Request) -> Step {
    Step::Request(Box::new(request))
}

pub fn stage(level: f64, seconds: f64) -> Stage {
    Stage { from: level, to: level, length: Some(Duration::from_secs_f64(seconds)), warmup: false }
}

/// The plan of a scenario whose target `site` is this URL; the text goes on after it.
pub fn plan_of(site: &str, text: &str) -> Plan {
    let text = format!("version: 1\nseed: 42\ntargets: {{ site: {{ url: '{site}' }} }}\n{text}");
    let scenario = load_text("test", &text, &LoadOptions::default()).unwrap_or_else(|problems| panic!("{problems}"));
    let plan = scenario.plan().unwrap();
    assert_eq!(plan.not_built, []);
    plan
}

/// With so many workers.
pub fn workers(count: usize) -> Options {
    Options { workers: Some(count), ..Options::default() }
}

/// A load entry with one journey.
pub fn whole(journey: usize) -> Vec<Portion> {
    vec![Portion { journey, share: 1.0 }]
}

/// A plan with one journey and one load entry against `site`.
pub fn plan(site: Target, steps: Vec<Step>, model: Model, stages: Vec<Stage>) -> Plan {
    Plan {
        name: "test".into(),
        cell: brunt_scenario::matrix::Cell::default(),
        description: String::new(),
        labels: BTreeMap::new(),
        seed: 42,
        source: "test.brunt.yaml".into(),
        scenario_sha256: String::new(),
        resolved_yaml: String::new(),
        services: Vec::new(),
        links: Vec::new(),
        targets: [("site".to_owned(), site)].into(),
        feeders: Vec::new(),
        journeys: vec![Journey { name: "visit".into(), feed: Vec::new(), steps }],
        load: vec![PlanLoad {
            name: "visitors".into(),
            mix: whole(0),
            model,
            stages,
            max_in_flight: 1000,
            drain: Duration::from_secs(5),
            connections: Connections::default(),
        }],
        slos: Vec::new(),
        steady_state: None,
        timeline: Vec::new(),
        safety: Safety {
            allow_hosts: Vec::new(),
            allow_contexts: None,
            allow_namespaces: None,
            lease: Duration::from_secs(10),
        },
        gates: Vec::<Gate>::new(),
        outputs: Outputs { dir: None, html: false, json: false, junit: false },
        guardrails: Vec::new(),
        not_built: Vec::new(),
    }
}

/// What a load left.
pub struct Outcome {
    pub end: LoadEnd,
    pub started: u64,
    pub all: Batch,
    pub batches: Vec<Batch>,
}

impl Outcome {
    pub fn errors(&self, class: ErrorClass) -> usize {
        self.all.requests.iter().filter(|request| request.error == Some(class)).count()
    }

    pub fn ok(&self) -> usize {
        self.all.requests.iter().filter(|request| request.error.is_none()).count()
    }

    pub fn dropped(&self) -> usize {
        self.all.arrivals.iter().filter(|arrival| arrival.dropped).count()
    }

    /// Latencies from the intended start in milliseconds, sorted.
    pub fn latencies(&self) -> Vec<f64> {
        let mut all: Vec<f64> =
            self.all.requests.iter().map(|request| request.done.since(request.intended).as_secs_f64() * 1e3).collect();
        all.sort_by(f64::total_cmp);
        all
    }

    pub fn examples(&self) -> Vec<&str> {
        self.all.examples.iter().map(|example| example.text.as_str()).collect()
    }
}

/// GET `path` at 200/s for half a second.
pub fn visits(server: &Server, path: &str) -> Plan {
    plan(site(server), vec![step(get(path))], Model::OpenConstant, vec![stage(200.0, 0.5)])
}

pub fn site(server: &Server) -> Target {
    Target::Url(Text::literal(server.url()))
}

pub fn run(plan: Plan, options: &Options) -> Result<Outcome, LoadError> {
    run_with(plan, options, |_load, _clock| {})
}

/// `meanwhile` is called once the load has started.
pub fn run_with(plan: Plan, options: &Options, meanwhile: impl FnOnce(&Load, Clock)) -> Result<Outcome, LoadError> {
    run_known(plan, &Addresses::default(), options, |_, load, clock| meanwhile(load, clock))
}

/// With the addresses of services.
pub fn run_known(
    plan: Plan,
    known: &Addresses,
    options: &Options,
    meanwhile: impl FnOnce(&Destinations, &Load, Clock),
) -> Result<Outcome, LoadError> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(async {
        let clock = Clock::start();
        let destinations = Arc::new(Destinations::resolve(&plan, known).await?);
        let (batches, mut received) = mpsc::unbounded_channel();
        let load = load::start(Arc::new(plan), known, destinations.clone(), clock, options, batches)?;
        let started = load.started.0;
        meanwhile(&destinations, &load, clock);
        let end = load.join().await?;
        let (mut all, mut list) = (Batch::default(), Vec::new());
        while let Some(batch) = received.recv().await {
            all.requests.extend_from_slice(&batch.requests);
            all.repeats.extend_from_slice(&batch.repeats);
            all.iterations.extend_from_slice(&batch.iterations);
            all.arrivals.extend_from_slice(&batch.arrivals);
            all.examples.extend_from_slice(&batch.examples);
            all.in_flight_max = all.in_flight_max.max(batch.in_flight_max);
            list.push(batch);
        }
        Ok(Outcome { end, started, all, batches: list })
    })
}
