//! Before anything is touched: can every destination be reached at all? One TCP connection each, no request.

use std::time::Duration;

use super::LoadError;
use super::destinations::Destinations;
use super::http::failure::Failure;

/// How long a connection may take.
const PATIENCE: Duration = Duration::from_secs(5);

/// What to do about it.
const WAY_OUT: &str = "\nnothing was sent and nothing injected: is it started, and is this its address?";

/// Connects to every address of every destination and hangs up. The error (exit 3) tells all that failed, one a line. A
/// name with several addresses is reachable if one of them is.
pub async fn check(destinations: &Destinations) -> Result<(), LoadError> {
    let mut failed = Vec::new();
    for destination in destinations.list() {
        let mut reached = false;
        let mut reasons = Vec::new();
        for socket in destination.all() {
            let connect = tokio::time::timeout(PATIENCE, tokio::net::TcpStream::connect(socket));
            match connect.await {
                Ok(Ok(_stream)) => reached = true,
                Ok(Err(error)) => reasons.push(Failure::connect(socket, &error).text),
                Err(_late) => reasons.push(format!("no answer from {socket} within {PATIENCE:?}")),
            }
        }
        if !reached {
            failed.push(format!("target `{}`: {}", destination.target, reasons.join("; ")));
        }
    }
    if failed.is_empty() { Ok(()) } else { Err(LoadError::Unreachable(failed.join("\n") + WAY_OUT)) }
}
