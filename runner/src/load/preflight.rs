//! Before anything is touched: can every destination be reached at all, and what lies behind every link? One TCP connection
//! each, no request. brunt's own proxy answers for everybody, so what a link leads to is asked directly.

use std::net::SocketAddr;
use std::time::Duration;

use brunt_scenario::plan::{Link, LinkTo};

use super::LoadError;
use super::destinations::Destinations;
use super::http::failure::Failure;

/// How long a connection may take.
const PATIENCE: Duration = Duration::from_secs(5);

/// What to do about it.
const WAY_OUT: &str = "\nnothing was sent and nothing injected: is it started, and is this its address?";

/// Connects to every address of every destination, and to the address behind every link, and hangs up. The error (exit 3)
/// tells all that failed, one a line. A name with several addresses is reachable if one of them is. Services behind links are
/// ready by now.
pub async fn check(destinations: &Destinations, links: &[Link]) -> Result<(), LoadError> {
    let mut failed = Vec::new();
    // Those that only workers in pods know have no address here yet; they are reached from there.
    for destination in destinations.list().iter().filter(|destination| !destination.all().is_empty()) {
        if let Err(why) = reach(destination.all()).await {
            failed.push(format!("target `{}`: {why}", destination.target));
        }
    }
    for link in links {
        let LinkTo::Address { host, port, .. } = &link.to else { continue };
        let reached = match tokio::net::lookup_host((host.as_str(), *port)).await {
            Ok(found) => reach(found).await,
            Err(error) => Err(format!("no address of `{host}`: {error}")),
        };
        if let Err(why) = reached {
            failed.push(format!("link `{}` leads nowhere: {why}", link.name));
        }
    }
    if failed.is_empty() { Ok(()) } else { Err(LoadError::Unreachable(failed.join("\n") + WAY_OUT)) }
}

/// One of them answers, or why none does.
async fn reach(sockets: impl IntoIterator<Item = SocketAddr>) -> Result<(), String> {
    let mut reached = false;
    let mut reasons = Vec::new();
    for socket in sockets {
        let connect = tokio::time::timeout(PATIENCE, tokio::net::TcpStream::connect(socket));
        match connect.await {
            Ok(Ok(_stream)) => reached = true,
            Ok(Err(error)) => reasons.push(Failure::connect(socket, &error).text),
            Err(_late) => reasons.push(format!("no answer from {socket} within {PATIENCE:?}")),
        }
    }
    if reached { Ok(()) } else { Err(reasons.join("; ")) }
}
