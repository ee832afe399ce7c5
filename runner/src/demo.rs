//! The toy shop that ships with brunt: something to load and to break on any machine, without a container.
//!
//! ```text
//! shopper ──> gateway ──> orders ──> payments (three instances)
//! ```
//!
//! Each service is one process (`brunt demo-service NAME --port N`), in memory, one thread. The names, ports, paths and
//! environment variables are a contract: `shop.brunt.yaml`, the scenario beside this file, starts them.
//!
//! | variable | read by | meaning |
//! |---|---|---|
//! | `INSTANCE` | payments | what it calls itself in the header `x-instance` of each reply; else there is none |
//! | `ORDERS_URL` | gateway | where orders is |
//! | `PAYMENTS_URLS` | orders | comma-separated, one an instance |
//! | `REFUSES` | payments | `20%`: this share of the payments is answered with 500, evenly spread: a bad version; else none |
//! | `RESILIENT` | orders | `true`: time limit a try, retries within a budget, sick instances left out; else naive |

mod client;
mod gateway;
mod orders;
mod payments;
mod recent;
mod resilience;
mod server;

use std::io;
use std::net::SocketAddr;

use brunt_scenario::units::Share;
use hyper::header::InvalidHeaderValue;
use tokio::net::TcpListener;
use tokio::signal::unix::{SignalKind, signal};

/// The scenario that `brunt demo` runs, byte for byte.
pub const SCENARIO: &str = include_str!("demo/shop.brunt.yaml");
/// The one of `brunt demo --packets`.
pub const PACKETS: &str = include_str!("demo/packets.brunt.yaml");

/// Which part of the shop a process is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub enum Service {
    /// Passes everything on to orders.
    Gateway,
    /// Keeps orders, and pays for each at payments.
    Orders,
    /// Accepts every payment once.
    Payments,
}

/// Why a demo service cannot run.
#[derive(Debug, thiserror::Error)]
pub enum DemoError {
    /// The port is taken, or may not be used.
    #[error("cannot listen on {at}")]
    Listen {
        /// The place that was asked for.
        at: SocketAddr,
        /// What the system said.
        source: io::Error,
    },
    /// An environment variable that the service needs is missing or is not what it should be.
    #[error("the environment variable {name} {problem}")]
    Environment {
        /// Its name.
        name: &'static str,
        /// What is wrong with it.
        problem: String,
    },
    /// The system gave no runtime or no signal handler.
    #[error("cannot start the service")]
    Start(#[from] io::Error),
}

/// Serves there until SIGTERM or SIGINT arrives. `variable` reads the environment.
pub fn serve(
    service: Service,
    at: SocketAddr,
    variable: impl Fn(&'static str) -> Option<String>,
) -> Result<(), DemoError> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    runtime.block_on(async {
        let mut terminate = signal(SignalKind::terminate())?;
        let mut interrupt = signal(SignalKind::interrupt())?;
        let listener = TcpListener::bind(at).await.map_err(|source| DemoError::Listen { at, source })?;
        tokio::select! {
            ended = answer(service, listener, variable) => ended,
            _ = terminate.recv() => Ok(()),
            _ = interrupt.recv() => Ok(()),
        }
    })
}

async fn answer(
    service: Service,
    listener: TcpListener,
    variable: impl Fn(&'static str) -> Option<String>,
) -> Result<(), DemoError> {
    match service {
        Service::Payments => {
            let instance = variable("INSTANCE").filter(|name| !name.is_empty()).map(|name| name.parse()).transpose();
            let no_header =
                |error: InvalidHeaderValue| DemoError::Environment { name: "INSTANCE", problem: error.to_string() };
            payments::serve(listener, share("REFUSES", variable("REFUSES"))?, instance.map_err(no_header)?).await;
        }
        Service::Orders => {
            let payments = addresses("PAYMENTS_URLS", variable("PAYMENTS_URLS"))?;
            let resilient = variable("RESILIENT").is_some_and(|value| value == "true");
            orders::serve(listener, payments, resilient).await;
        }
        Service::Gateway => {
            let orders = addresses("ORDERS_URL", variable("ORDERS_URL"))?;
            let [orders] = orders.as_slice() else {
                return Err(DemoError::Environment { name: "ORDERS_URL", problem: "must be one address".into() });
            };
            gateway::serve(listener, orders.clone()).await;
        }
    }
    Ok(())
}

/// A share; none where the variable is not set.
fn share(name: &'static str, value: Option<String>) -> Result<Share, DemoError> {
    let Some(value) = value.filter(|value| !value.is_empty()) else { return Ok(Share(0.0)) };
    let share: Result<Share, _> = value.parse();
    let share = share.map_err(|error| DemoError::Environment { name, problem: format!("is no share: {error}") })?;
    let wrong = || DemoError::Environment { name, problem: format!("is {share}, and there is no more than 100%") };
    if share.0 <= 1.0 { Ok(share) } else { Err(wrong()) }
}

/// The `host:port` of each URL of a comma-separated list.
fn addresses(name: &'static str, value: Option<String>) -> Result<Vec<String>, DemoError> {
    let wrong = |problem: String| DemoError::Environment { name, problem };
    let value = value.ok_or_else(|| wrong("is not set; it takes http://host:port".into()))?;
    value
        .split(',')
        .map(|url| match url.trim().strip_prefix("http://") {
            Some(rest) if rest.contains(':') => Ok(rest.trim_end_matches('/').to_owned()),
            _ => Err(wrong(format!("holds `{url}`, which is not http://host:port"))),
        })
        .collect()
}

#[cfg(test)]
mod tests;
