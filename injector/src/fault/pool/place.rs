//! Where connections to a victim are opened, and how many of them its namespace has.

use std::collections::BTreeSet;
use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::os::unix::fs::MetadataExt as _;

use super::exhaust::KIND;
use crate::agent::services::Services;
use crate::error::Error;
use crate::fault::process::process_of;
use crate::namespace::Namespace;
use crate::target::process::listening;
use crate::target::tcp_table::{self, ESTABLISHED};
use crate::target::{Victim, docker};

/// A victim's listener, as it is reached from inside its network namespace.
pub(super) struct Place {
    /// `payments-0 (pid 4711)`.
    pub victim: String,
    /// `None` for that of the agent, which needs no right to be in.
    pub namespace: Option<Namespace>,
    /// What is connected to.
    pub address: SocketAddr,
}

/// Connections of ours, by the server's side of them.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
pub(super) struct Held {
    /// The server has taken them.
    pub accepted: usize,
    /// They wait in the kernel until it does.
    pub waiting: usize,
}

impl Place {
    /// Finds it.
    ///
    /// # Errors
    /// The victim is gone, its namespace may not be entered, it listens nowhere, or on several ports and none was named.
    pub fn of(victim: &Victim, port: Option<u16>, services: &Services) -> Result<Self, Error> {
        let (pids, namespace) = match victim {
            // What its first process has started (an init such as tini starts all) may listen as well.
            Victim::Container { process: Some(_), id, .. } => (docker::processes(id), Some(docker::namespace(victim)?)),
            _ => {
                let pid = process_of(victim, services)?.pid;
                (vec![pid], namespace_of(pid).map_err(|source| failed(victim, source))?)
            }
        };
        let all = listening(&pids);
        let address = choose(&all, port).map_err(|why| {
            let why = format!("{victim} {why}");
            Error::Unfit { kind: KIND.into(), why }
        })?;
        Ok(Self { victim: victim.to_string(), namespace, address })
    }

    /// Does something where the listener can be reached.
    pub fn inside<Out: Send>(&self, what: impl FnOnce() -> Out + Send) -> io::Result<Out> {
        match &self.namespace {
            Some(namespace) => namespace.inside(what),
            None => Ok(what()),
        }
    }

    /// How many connections from these addresses are established at the server.
    pub fn count(&self, from: &BTreeSet<SocketAddr>) -> io::Result<Held> {
        let mut held = Held::default();
        for row in self.table()?.iter().filter(|row| self.is_at_server(row, from)) {
            match row.inode {
                0 => held.waiting += 1,
                _ => held.accepted += 1,
            }
        }
        Ok(held)
    }

    /// How many the server still has of those whose client has let go. An address that is somebody else's by now, with a client
    /// that lives, is no connection of ours.
    pub fn count_left(&self, from: &BTreeSet<SocketAddr>) -> io::Result<usize> {
        let table = self.table()?;
        let clients: BTreeSet<(SocketAddr, SocketAddr)> =
            table.iter().filter(|row| row.inode != 0).map(|row| (row.local, row.remote)).collect();
        let left = table.iter().filter(|row| self.is_at_server(row, from));
        Ok(left.filter(|row| !clients.contains(&(row.remote, row.local))).count())
    }

    fn is_at_server(&self, row: &tcp_table::Row, from: &BTreeSet<SocketAddr>) -> bool {
        row.state == ESTABLISHED && row.local.port() == self.address.port() && from.contains(&row.remote)
    }

    fn table(&self) -> io::Result<Vec<tcp_table::Row>> {
        let read = || {
            let mut text = std::fs::read_to_string("/proc/thread-self/net/tcp")?;
            // Without IPv6 there is no second table; its headline is no row.
            text += &std::fs::read_to_string("/proc/thread-self/net/tcp6").unwrap_or_default();
            Ok::<_, io::Error>(text)
        };
        Ok(tcp_table::rows(&self.inside(read)??).collect())
    }
}

/// The namespace of a process where it is not that of the agent, which must not need a right.
fn namespace_of(pid: u32) -> io::Result<Option<Namespace>> {
    let of = |who: &str| std::fs::metadata(format!("/proc/{who}/ns/net")).map(|file| (file.dev(), file.ino()));
    let here = of("self")?;
    if of(&pid.to_string())? == here { Ok(None) } else { Namespace::of_process(pid).map(Some) }
}

fn failed(victim: &Victim, source: io::Error) -> Error {
    Error::Process { action: "enter the network of", process: victim.to_string(), source }
}

/// The one listener, or the one with this port.
fn choose(all: &BTreeSet<SocketAddr>, port: Option<u16>) -> Result<SocketAddr, String> {
    let ports: BTreeSet<u16> = all.iter().map(SocketAddr::port).collect();
    let list = || ports.iter().map(u16::to_string).collect::<Vec<_>>().join(", ");
    let wanted = match (port, ports.len()) {
        (_, 0) => return Err("listens on no TCP port that brunt may see".into()),
        (Some(port), _) if ports.contains(&port) => port,
        (Some(port), _) => return Err(format!("does not listen on port {port}; it listens on {}", list())),
        (None, 1) => *ports.first().expect("there is one"),
        (None, _) => return Err(format!("listens on several ports ({}): say which is meant with `port`", list())),
    };
    let mut fitting = all.iter().filter(|address| address.port() == wanted);
    let first = fitting.next().expect("the port comes from the same set");
    let ip = match first.ip() {
        IpAddr::V4(any) if any.is_unspecified() => Ipv4Addr::LOCALHOST.into(),
        IpAddr::V6(any) if any.is_unspecified() => Ipv6Addr::LOCALHOST.into(),
        ip => ip,
    };
    Ok(SocketAddr::new(ip, wanted))
}

#[cfg(test)]
mod tests {
    use std::net::TcpListener;
    use std::time::Duration;

    use socket2::{Domain, Socket, Type};

    use super::*;

    #[test]
    fn a_client_that_has_got_our_old_port_is_not_taken_for_one_of_ours_that_is_left() {
        let server = TcpListener::bind("127.0.0.1:0").expect("a port");
        let address = server.local_addr().expect("it is bound");
        let place = Place { victim: "it".into(), namespace: None, address };
        let connect = |from: Option<SocketAddr>| {
            let client = Socket::new(Domain::IPV4, Type::STREAM, None).expect("a socket");
            client.set_reuse_address(true).expect("an option");
            client.set_linger(Some(Duration::ZERO)).expect("an option");
            if let Some(from) = from {
                client.bind(&from.into()).expect("it is free again");
            }
            client.connect(&address.into()).expect("it listens");
            client
        };
        let ours = connect(None);
        let from = BTreeSet::from([ours.local_addr().expect("it is bound").as_socket().expect("it is IPv4")]);
        assert_eq!(place.count(&from).expect("it is listed"), Held { accepted: 0, waiting: 1 });
        drop(ours);
        assert_eq!(place.count_left(&from).expect("it is listed"), 0);
        let _theirs = connect(from.first().copied());
        let _accepted = server.accept();
        let held = place.count(&from).expect("it is listed");
        assert_eq!(held.accepted + held.waiting, 1);
        assert_eq!(place.count_left(&from).expect("it is listed"), 0);
    }

    fn chosen(all: &[&str], port: Option<u16>) -> Result<String, String> {
        let all = all.iter().map(|one| one.parse().expect("an address")).collect();
        choose(&all, port).map(|address| address.to_string())
    }

    #[test]
    fn the_only_listener_is_meant_or_the_one_that_is_named() {
        assert_eq!(chosen(&["0.0.0.0:80", "[::]:80"], None).unwrap(), "127.0.0.1:80");
        assert_eq!(chosen(&["[::]:80"], None).unwrap(), "[::1]:80");
        assert_eq!(chosen(&["10.0.0.1:80", "127.0.0.1:9000"], Some(80)).unwrap(), "10.0.0.1:80");
        let refused = |all: &[&str], port| chosen(all, port).expect_err("it is refused");
        assert_eq!(refused(&[], None), "listens on no TCP port that brunt may see");
        let both = refused(&["10.0.0.1:80", "127.0.0.1:9000"], None);
        assert_eq!(both, "listens on several ports (80, 9000): say which is meant with `port`");
        assert_eq!(refused(&["10.0.0.1:80"], Some(81)), "does not listen on port 81; it listens on 80");
    }
}
