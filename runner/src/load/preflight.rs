//! Before anything is touched: can every destination be reached at all, and what lies behind every link? One TCP connection
//! each, no request. brunt's own proxy answers for everybody, so what a link leads to is asked directly.

use std::net::SocketAddr;
use std::time::Duration;

use brunt_scenario::plan::{Link, LinkTo};
use tokio::net::TcpStream;
use tokio::task::JoinSet;

use super::LoadError;
use super::destinations::Destinations;
use super::http::failure::Failure;

/// How long a connection may take.
const PATIENCE: Duration = Duration::from_secs(5);

/// From one attempt to the next. A balancer decides by the connection's port: one that leads to a pod that has just gone gets no
/// answer, however often the kernel asks again, and the next one is answered at once.
const EACH: Duration = Duration::from_secs(1);

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
        match tokio::time::timeout(PATIENCE, connect(socket)).await {
            Ok(Ok(())) => reached = true,
            Ok(Err(error)) => reasons.push(Failure::connect(socket, &error).text),
            Err(_late) => reasons.push(format!("no answer from {socket} within {PATIENCE:?}")),
        }
    }
    if reached { Ok(()) } else { Err(reasons.join("; ")) }
}

/// Connects and hangs up; the first attempt that ends decides. None is given up for the next: a path may be slow.
async fn connect(socket: SocketAddr) -> std::io::Result<()> {
    let mut attempts = JoinSet::new();
    loop {
        attempts.spawn(TcpStream::connect(socket));
        // One was just begun, so that there is one to wait for.
        if let Ok(Some(Ok(ended))) = tokio::time::timeout(EACH, attempts.join_next()).await {
            return ended.map(drop);
        }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use tokio::net::{TcpListener, TcpSocket};

    use super::*;

    /// Listens, and answers nobody: its queue has one place, which is taken.
    async fn full() -> (TcpListener, SocketAddr, TcpStream) {
        let socket = TcpSocket::new_v4().unwrap();
        socket.bind(SocketAddr::from(([127, 0, 0, 1], 0))).unwrap();
        let listener = socket.listen(0).unwrap();
        let address = listener.local_addr().unwrap();
        let first = TcpStream::connect(address).await.unwrap();
        (listener, address, first)
    }

    /// The ports from which this network asks for a connection to that port and has no answer yet.
    fn asking(port: u16) -> BTreeSet<String> {
        let table = std::fs::read_to_string("/proc/net/tcp").unwrap();
        let rows = table.lines().map(|line| line.split_whitespace().collect::<Vec<_>>());
        let there = format!(":{port:04X}");
        // 02: SYN_SENT
        let asks = rows.filter(|row| row.len() > 3 && row[2].ends_with(&there) && row[3] == "02");
        asks.map(|row| row[1].to_owned()).collect()
    }

    #[tokio::test]
    async fn who_gets_no_answer_asks_again_from_another_port_and_does_not_give_the_first_one_up() {
        let (listener, address, _first) = full().await;
        let both = async {
            // The end of the whole wait ends this, too.
            while asking(address.port()).len() < 2 {
                tokio::time::sleep(Duration::from_millis(5)).await;
            }
            listener.accept().await.unwrap()
        };
        let reached = async {
            tokio::select! {
                reached = reach([address]) => reached,
                // A place is free: one of those that ask is answered when it asks next.
                _ = async { both.await; std::future::pending::<()>().await } => unreachable!("it waits for ever"),
            }
        };
        assert_eq!(reached.await, Ok(()));
    }

    #[tokio::test]
    async fn who_never_gets_an_answer_is_told_so_after_the_whole_wait() {
        let (_listener, address, _first) = full().await;
        let begun = std::time::Instant::now();
        let why = reach([address]).await.unwrap_err();
        assert_eq!(why, format!("no answer from {address} within 5s"));
        assert!(begun.elapsed() < PATIENCE + EACH, "{:?}", begun.elapsed());
    }
}
