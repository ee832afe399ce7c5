//! A run as a story: traffic, spans and faults are told one after the other, then it is judged.

use std::time::Duration;

use brunt_report::facts::{Effect, Facts, FaultFacts, RecoverFacts};
use brunt_report::recorder::Recorder;
use brunt_report::results::{FaultData, GateData, Results, WindowData};
use brunt_report::sample::{Arrival, Batch, ErrorClass, Repeat, Request, series_of};
use brunt_report::window::Windows;
use brunt_scenario::metric::WindowName;
use brunt_scenario::plan::Plan;
use brunt_scenario::units::Offset;

/// Two steps, a link fault and a kill. `{gates}` is filled in.
const SCENARIO: &str = "
version: 1
name: checkout
seed: 7
links:
  wire: { to: \"127.0.0.1:9\" }
services:
  ledger: { run: [ledger] }
targets:
  api: { url: \"http://127.0.0.1:8\" }
  payments: { link: wire }
  ledger: { service: ledger }
journeys:
  buy:
    target: api
    steps:
      - { id: order, post: /orders }
      - { id: read, get: /orders/1 }
load:
  shoppers: { journey: buy, model: open, arrivals: constant, rate: 100/s, for: timeline }
slos:
  order-latency: { journey: buy, step: order, metric: latency.p95, max: 250ms, over: 2s }
  success: { journey: buy, metric: success_rate, min: 99%, over: 2s }
steady_state:
  title: People can buy
  all_of: [order-latency, success]
timeline:
  - baseline: 10s
  - { id: slow, fault: network.latency, target: payments, for: 6s, with: { latency: 400ms } }
  - recover: { within: 5s }
  - { id: killed, fault: process.kill, target: ledger, with: { restart_after: 1s } }
  - recover: { within: 5s }
{gates}";

/// `order`.
pub const ORDER: u16 = 0;
/// `read`.
pub const READ: u16 = 1;

/// An instant in seconds.
pub fn at(seconds: f64) -> Offset {
    Offset::from_secs_f64(seconds)
}

/// The plan of the scenario with these gates, one a line.
pub fn plan(gates: &[&str]) -> Plan {
    let gates: String = gates.iter().map(|gate| format!("  - {gate}\n")).collect();
    let text = SCENARIO.replace("{gates}", &if gates.is_empty() { gates } else { format!("gates:\n{gates}") });
    let scenario = brunt_scenario::load_text("checkout", &text, &Default::default());
    scenario.and_then(|scenario| scenario.plan()).unwrap_or_else(|problems| panic!("{problems:?}\n{text}"))
}

/// A request without errors.
pub fn request(series: u16, from_s: f64, latency_ms: f64) -> Request {
    let intended = at(from_s);
    Request {
        series,
        instance: 0,
        error: None,
        warmup: false,
        intended,
        sent: Some(intended),
        first_byte: None,
        done: Offset(intended.0 + (latency_ms * 1e6) as u64),
        queued_ns: 0,
        connect_ns: 0,
    }
}

/// A run that is being told.
pub struct Story {
    pub plan: Plan,
    pub windows: Windows,
    pub facts: Facts,
    requests: Vec<Request>,
    arrivals: Vec<Arrival>,
    repeats: Vec<Repeat>,
}

impl Story {
    /// Nothing has happened yet.
    pub fn with_gates(gates: &[&str]) -> Self {
        Self {
            plan: plan(gates),
            windows: Windows::default(),
            facts: Facts { started_at: "2026-01-02T03:04:05Z".into(), ..Facts::default() },
            requests: Vec::new(),
            arrivals: Vec::new(),
            repeats: Vec::new(),
        }
    }

    /// 100 iterations a second, evenly; the latency of `order` is given, `read` takes 5 ms.
    pub fn traffic(self, from_s: f64, to_s: f64, order_ms: f64) -> Self {
        self.requests(from_s, to_s, |_| (order_ms, None))
    }

    /// As [`Story::traffic`], with the latency and the outcome of each `order` by its start; after a failure there is no `read`.
    pub fn requests(mut self, from_s: f64, to_s: f64, order: impl Fn(f64) -> (f64, Option<ErrorClass>)) -> Self {
        let (first, end) = ((from_s * 100.0).round() as u64, (to_s * 100.0).round() as u64);
        for number in first..end {
            let start = number as f64 / 100.0;
            let (latency, error) = order(start);
            self.requests.push(Request { error, ..request(ORDER, start, latency) });
            if error.is_none() {
                self.requests.push(request(READ, start + latency / 1e3, 5.0));
            }
            self.arrivals.push(Arrival {
                load: 0,
                journey: 0,
                dropped: false,
                warmup: false,
                intended: at(start),
                lag_ns: 20_000,
            });
        }
        self.facts.load_ended = self.facts.load_ended.max(at(to_s));
        self.facts.ended = self.facts.load_ended;
        self.facts.scheduled = self.arrivals.len() as u64;
        self
    }

    /// One request more.
    pub fn request(mut self, request: Request) -> Self {
        self.requests.push(request);
        self
    }

    /// A step asks again.
    pub fn repeat(mut self, series: u16, at_s: f64) -> Self {
        self.repeats.push(Repeat { series, warmup: false, at: at(at_s) });
        self
    }

    /// Changes every arrival that was told so far.
    pub fn arrivals(mut self, change: impl Fn(&mut Arrival)) -> Self {
        self.arrivals.iter_mut().for_each(change);
        self
    }

    /// A `baseline` item.
    pub fn baseline(mut self, from_s: f64, to_s: f64) -> Self {
        self.windows.open(WindowName::Baseline, at(from_s));
        self.windows.close(&WindowName::Baseline, at(to_s));
        self
    }

    /// A fault of the scenario (`slow` or `killed`), verified and rolled back.
    pub fn fault(self, id: &str, from_s: f64, to_s: f64) -> Self {
        self.round(id, (1, 1), from_s, to_s)
    }

    /// A round of a fault, and of how many.
    pub fn round(mut self, id: &str, (round, rounds): (u32, u32), from_s: f64, to_s: f64) -> Self {
        let name = WindowName::Fault(id.to_owned());
        self.windows.open(name.clone(), at(from_s));
        self.windows.close(&name, at(to_s));
        let instant = id == "killed";
        self.facts.faults.push(FaultFacts {
            id: id.to_owned(),
            round,
            rounds,
            kind: if instant { "process.kill" } else { "network.latency" }.to_owned(),
            target: if instant { "ledger" } else { "payments" }.to_owned(),
            instances: vec!["one".into()],
            mechanism: if instant { "signal" } else { "proxy" }.to_owned(),
            instant,
            injecting_at: Some(at(from_s)),
            active_at: Some(at(from_s)),
            removing_at: Some(at(to_s)),
            removed_at: Some(at(to_s)),
            effect: Effect::Verified("seen".into()),
            rollback_verified: Some(true),
            residue: Vec::new(),
        });
        self
    }

    /// A `recover` item with `within: 5s` for these faults.
    pub fn recover(mut self, faults: &[&str], from_s: f64, to_s: f64) -> Self {
        self.facts.recovers.push(RecoverFacts {
            faults: faults.iter().map(|id| (*id).to_owned()).collect(),
            from: at(from_s),
            to: at(to_s),
            within: Duration::from_secs(5),
            cut_short: false,
        });
        self
    }

    /// Changes the facts.
    pub fn with(mut self, change: impl FnOnce(&mut Facts)) -> Self {
        change(&mut self.facts);
        self
    }

    /// What was sent, as batches of one worker, each with what ended in its 50 ms.
    pub fn batches(&self) -> Vec<Batch> {
        let mut batches: Vec<Batch> = Vec::new();
        let mut batch_at = |at: Offset| -> usize {
            let index = (at.0 / 50_000_000) as usize;
            while batches.len() <= index {
                let upto = Offset((batches.len() as u64 + 1) * 50_000_000);
                batches.push(Batch { upto, ..Batch::default() });
            }
            index
        };
        let places: Vec<usize> = self.requests.iter().map(|request| batch_at(request.done)).collect();
        let repeats: Vec<usize> = self.repeats.iter().map(|repeat| batch_at(repeat.at)).collect();
        let arrivals: Vec<usize> = self.arrivals.iter().map(|arrival| batch_at(arrival.intended)).collect();
        for (request, place) in self.requests.iter().zip(places) {
            batches[place].requests.push(*request);
        }
        for (repeat, place) in self.repeats.iter().zip(repeats) {
            batches[place].repeats.push(*repeat);
        }
        for (arrival, place) in self.arrivals.iter().zip(arrivals) {
            batches[place].arrivals.push(*arrival);
        }
        batches
    }

    /// Files everything and judges.
    pub fn judged(self) -> Results {
        let mut recorder = Recorder::new(&self.plan);
        assert_eq!(series_of(&self.plan).len(), 2);
        for batch in self.batches() {
            recorder.file(batch, &self.windows);
        }
        recorder.finish(&self.plan, &self.windows, self.facts)
    }
}

/// The story that most tests vary: 10 s of baseline, 6 s of a slow link, recovery, a kill, recovery. `during_slow` is the
/// latency of `order` meanwhile.
pub fn shop(gates: &[&str], during_slow: f64) -> Story {
    Story::with_gates(gates)
        .traffic(0.0, 10.0, 20.0)
        .baseline(0.0, 10.0)
        .traffic(10.0, 16.0, during_slow)
        .fault("slow", 10.0, 16.0)
        .traffic(16.0, 30.0, 20.0)
        .recover(&["slow"], 16.0, 18.0)
        .fault("killed", 20.0, 21.0)
        .recover(&["killed"], 21.0, 23.0)
}

/// Whether a latency is the one that was told, as far as three digits go.
pub fn is(measured: Option<f64>, told: f64) -> bool {
    measured.is_some_and(|measured| (told..=told * 1.001 + 0.001).contains(&measured))
}

/// A gate by its id.
pub fn gate<'a>(results: &'a Results, id: &str) -> &'a GateData {
    results.summary.gates.iter().find(|gate| gate.id == id).expect("the scenario has the gate")
}

/// A fault by its id.
pub fn fault<'a>(results: &'a Results, id: &str) -> &'a FaultData {
    results.summary.faults.iter().find(|fault| fault.id == id).expect("the scenario has the fault")
}

/// A window of `order`.
pub fn order<'a>(results: &'a Results, window: &str) -> &'a WindowData {
    &results.summary.steps["buy"]["order"].windows[window]
}
