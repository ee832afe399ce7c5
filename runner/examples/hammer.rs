//! `hammer URL users SECONDS LEVEL`, `hammer URL constant|poisson SECONDS RATE` or `hammer FILE.brunt.yaml` (its load, with one
//! worker): the load engine alone, without recorder or screen, and what it cost. For comparing with wrk, and one load with
//! another: CPU a request, and send lag.

use std::path::Path;
use std::sync::Arc;

use brunt::clock::Clock;
use brunt::load::destinations::Destinations;
use brunt::load::{self, Options};
use brunt_scenario::plan::{Addresses, Plan};
use brunt_scenario::{Diagnostics, LoadOptions, load as load_file, load_text};
use nix::sys::resource::{UsageWho, getrusage};
use nix::sys::time::TimeValLike;

#[tokio::main(flavor = "current_thread")]
async fn main() -> anyhow::Result<()> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let plan = Arc::new(match arguments.as_slice() {
        [file] => load_file(Path::new(file), &LoadOptions::default()).map_err(told)?.plan().map_err(told)?,
        [url, model, seconds, level] => plan(url, model, seconds.parse()?, level.parse()?)?,
        _ => anyhow::bail!("hammer URL users|constant|poisson SECONDS LEVEL, or hammer FILE"),
    });
    let clock = Clock::start();
    let known = Addresses::default();
    let destinations = Arc::new(Destinations::resolve(&plan, &known).await?);
    let (batches, mut received) = tokio::sync::mpsc::unbounded_channel();
    let options = Options { workers: Some(1), ..Options::default() };
    let load = load::start(plan, &known, destinations, clock, &options, batches)?;
    let started = load.started;
    let (mut lags, mut latencies, mut errors) = (Vec::new(), Vec::new(), 0);
    while let Some(batch) = received.recv().await {
        lags.extend(batch.arrivals.iter().map(|arrival| arrival.lag_ns));
        for request in &batch.requests {
            latencies.push(request.done.since(request.intended).as_nanos() as u64);
            errors += usize::from(request.error.is_some());
        }
        batch.examples.iter().for_each(|example| eprintln!("{}", example.text));
    }
    let end = load.join().await?;
    let usage = getrusage(UsageWho::RUSAGE_SELF)?;
    let (user, system) = (usage.user_time().num_microseconds(), usage.system_time().num_microseconds());
    let n = latencies.len().max(1) as f64;
    let seconds = end.load_ended.since(started).as_secs_f64();
    println!("{} requests, {errors} errors, {} scheduled, {:.0}/s", latencies.len(), end.scheduled, n / seconds);
    println!("CPU a request: {:.2} us ({:.2} user)", (user + system) as f64 / n, user as f64 / n);
    println!("resident: {} KiB", usage.max_rss());
    for (name, mut values) in [("lag", lags), ("latency", latencies)] {
        values.sort_unstable();
        let at = |q: f64| values.get((values.len() as f64 * q) as usize).map_or(0.0, |ns| *ns as f64 / 1e6);
        println!("{name}: p50 {:.3} p99 {:.3} p99.9 {:.3} ms", at(0.5), at(0.99), at(0.999));
    }
    Ok(())
}

fn plan(url: &str, model: &str, seconds: f64, level: f64) -> anyhow::Result<Plan> {
    let load = match model {
        "users" => format!("users: {level}"),
        model => format!("arrivals: {model}, rate: {level}/s, max_in_flight: 10000"),
    };
    let text = format!(
        "version: 1\nseed: 1\ntargets: {{ site: {{ url: '{url}' }} }}\n\
         load: {{ main: {{ target: site, get: /, {load}, for: {seconds}s }} }}\n"
    );
    load_text("hammer", &text, &LoadOptions::default()).map_err(told)?.plan().map_err(told)
}

fn told(problems: Diagnostics) -> anyhow::Error {
    anyhow::anyhow!(problems.render(false))
}
