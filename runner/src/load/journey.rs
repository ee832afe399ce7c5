//! One iteration: the steps of a journey, one after the other.
//!
//! The first request should start at the schedule's instant, a later one at the instant at which the previous one and its
//! think time ended (the rule of G. Tene in HdrHistogram's discussion of coordinated omission). Whatever keeps a request
//! from starting then is part of its latency.

use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

use brunt_report::sample::{self, ErrorClass, OpenRequest};
use brunt_scenario::units::{Offset, Spread};
use rand_chacha::ChaCha8Rng;
use rand_distr::{Distribution, Normal, Uniform};

use super::arrivals::unit_exponential;
use super::compiled::Step;
use super::http::failure::Failure;
use super::http::reply::Reply;
use super::http::{Client, Trace};
use super::randomness::{self, Purpose};
use super::request::Request;
use super::template::Scope;
use super::turns::Turn;
use super::until::{Asked, ask};
use super::worker::{Ended, Worker};

/// The beginning of an iteration.
#[derive(Debug, Clone, Copy)]
pub struct Start {
    /// Index into the plan's load entries.
    pub load: usize,
    /// Index in the load's schedule (open), or a number of its own (closed).
    pub iteration: u64,
    /// Who does it: the user of a closed load; in an open load everyone is new.
    pub user: u64,
    /// The schedule's instant.
    pub intended: Offset,
    /// In a warm-up stage.
    pub warmup: bool,
}

/// How a step ended.
struct StepEnd {
    done: Offset,
    ok: bool,
    /// The drain is over: nothing more is sent.
    cut: bool,
}

/// Runs an iteration to its end, to its first failed step, or to the end of the drain.
pub async fn run(worker: &Rc<Worker>, start: Start, turn: Turn) {
    let index = turn.journey;
    let journey = &worker.compiled.journeys[index];
    let client = worker.client(start.load);
    let seed = worker.compiled.seed;
    let who = (start.iteration, start.user);
    let scope = journey.needs_scope.then(|| {
        let feeders = worker.compiled.load[start.load].mix.feeders(turn.part);
        Scope::new(worker.clock, seed, start.load, who, (feeders, turn.rows))
    });
    let mut think: Option<ChaCha8Rng> = None;
    let (mut intended, mut done, mut busy_ns, mut ok) = (start.intended, start.intended, 0, true);
    for step in &journey.steps {
        match step {
            Step::Think(spread) => {
                let random = || randomness::stream(Purpose::Think, seed, start.load as u64, start.iteration);
                intended = intended.after(draw(*spread, think.get_or_insert_with(random)));
                worker.sleep_until(intended).await;
            }
            Step::Request(request) => {
                let scope = scope.as_ref();
                let around = Around { worker, client, scope, intended, warmup: start.warmup };
                let end = send(around, request).await;
                busy_ns += end.done.0.saturating_sub(intended.0);
                ok &= end.ok;
                (intended, done) = (end.done, end.done);
                if end.cut || !(end.ok || request.continue_on_error) {
                    break;
                }
            }
        }
    }
    worker.samples.borrow_mut().iterations.push(sample::Iteration {
        journey: index as u16,
        ok,
        warmup: start.warmup,
        intended: start.intended,
        done,
        busy_ns,
    });
}

/// What surrounds a request: whose it is, and when it should start.
pub struct Around<'a> {
    /// The worker that it runs on.
    pub worker: &'a Rc<Worker>,
    /// The connections of its load entry.
    pub client: &'a Client,
    /// The values of its iteration.
    pub scope: Option<&'a Arc<Scope>>,
    /// When it should start.
    pub intended: Offset,
    /// In a warm-up stage.
    pub warmup: bool,
}

async fn send(around: Around<'_>, request: &Request) -> StepEnd {
    let Around { worker, scope, intended, warmup, .. } = around;
    let trace = Trace::default();
    let open = OpenRequest { series: request.series, warmup, intended };
    let templates = &worker.compiled.templates;
    let asked = Asked::default();
    let ended = match &request.until {
        None => worker.until(open, intended.after(request.timeout), exchange(&around, request, &trace)).await,
        Some(until) => {
            // In a box, so that the steps that do not ask again stay small.
            let asking = Box::pin(ask(&around, request, until, &trace, &asked));
            worker.until(open, intended.after(until.within), asking).await.map(Ok)
        }
    };
    // The end of the drain and not the moment when this task was told of it.
    let done = match &ended {
        Err(Ended::Drained(at)) => *at,
        _ => worker.clock.now(),
    };
    let failure = match ended {
        Ok(Ok(reply)) => request.judge.judge(&request.label, &reply, done.since(intended), templates, scope).err(),
        Ok(Err(failure)) => Some(failure),
        Err(ended) => Some(match (&request.until, ended) {
            (Some(until), Ended::TimedOut) => asked.gave_up(request, until.within, &trace),
            _ => cut_off(request, &ended, &trace),
        }),
    };
    let cut = matches!(failure, Some(Failure { class: ErrorClass::Unfinished, .. }));
    let error = failure.as_ref().map(|failure| failure.class);
    if let Some(failure) = failure {
        worker.note(request, failure, done);
    }
    // What ended without a connection has waited for one until the end.
    let queued = match trace.sent.get() {
        Some(sent) => sent.0.saturating_sub(trace.asked.get().0),
        None => done.0.saturating_sub(trace.asked.get().0.max(intended.0)),
    };
    worker.samples.borrow_mut().requests.push(sample::Request {
        series: request.series,
        instance: trace.instance.get().unwrap_or(u16::MAX),
        error,
        warmup,
        intended,
        sent: trace.sent.get(),
        first_byte: trace.first_byte.get(),
        done,
        queued_ns: queued,
        connect_ns: trace.connect_ns.get(),
    });
    StepEnd { done, ok: error.is_none(), cut }
}

/// One request over the wire and its reply.
pub async fn exchange(around: &Around<'_>, request: &Request, trace: &Trace) -> Result<Reply, Failure> {
    let Around { worker, client, scope, .. } = *around;
    let prepared = request.prepare(&worker.compiled.templates, scope, worker.is_tls(request.destination))?;
    client.send(&prepared, trace).await
}

/// A request that was ended from outside.
fn cut_off(request: &Request, ended: &Ended, trace: &Trace) -> Failure {
    let doing = match (trace.connecting.get(), trace.sent.get(), trace.first_byte.get()) {
        (true, ..) => "still connecting",
        (false, None, _) => "still waiting for a connection",
        (false, _, Some(_)) => "the reply was not complete",
        (false, _, None) => "no reply",
    };
    let label = &request.label;
    match ended {
        Ended::Drained(_) => {
            Failure::new(ErrorClass::Unfinished, format!("{label}: open when the load's drain ended, {doing}"))
        }
        Ended::TimedOut => {
            let class = if trace.connecting.get() { ErrorClass::ConnectTimeout } else { ErrorClass::Timeout };
            Failure::new(class, format!("{label}: {doing} after {:?}", request.timeout))
        }
    }
}

/// A think time. Never negative.
fn draw(spread: Spread, random: &mut ChaCha8Rng) -> Duration {
    let seconds = match spread {
        Spread::Constant(span) => return span,
        Spread::Uniform(low, high) => match Uniform::new_inclusive(low.as_secs_f64(), high.as_secs_f64()) {
            Ok(uniform) => uniform.sample(random),
            Err(_) => return low,
        },
        Spread::Exponential(mean) => mean.as_secs_f64() * unit_exponential(random),
        Spread::Normal(mean, deviation) => match Normal::new(mean.as_secs_f64(), deviation.as_secs_f64()) {
            Ok(normal) => normal.sample(random).max(0.0),
            Err(_) => return mean,
        },
    };
    Duration::try_from_secs_f64(seconds).unwrap_or(Duration::ZERO)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn think_times_have_the_mean_that_they_say_and_repeat_with_the_seed() {
        let (one, three) = (Duration::from_secs(1), Duration::from_secs(3));
        for (spread, mean) in [
            (Spread::Constant(one), 1.0),
            (Spread::Uniform(one, three), 2.0),
            (Spread::Exponential(three), 3.0),
            (Spread::Normal(three, one / 2), 3.0),
        ] {
            let draws = |seed| {
                let mut random = randomness::stream(Purpose::Think, seed, 0, 0);
                (0..20_000).map(|_| draw(spread, &mut random).as_secs_f64()).collect::<Vec<f64>>()
            };
            let seen = draws(1);
            let average = seen.iter().sum::<f64>() / seen.len() as f64;
            assert!((average / mean - 1.0).abs() < 0.03, "{spread:?}: {average}");
            assert_eq!(seen, draws(1));
        }
    }
}
