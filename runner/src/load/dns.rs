//! Names to addresses, for destinations: all addresses of a name, and how long they hold.
//!
//! Literal addresses and `localhost` never ask anyone. Everything else goes to the system's name servers (and its hosts
//! file) by hickory; a background task asks again when the time to live is over, so that a load of hours follows service
//! discovery.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::sync::Arc;
use std::time::{Duration, Instant};

use hickory_resolver::TokioResolver;
use hickory_resolver::config::{ConnectionConfig, NameServerConfig, ResolveHosts, ResolverConfig};
use hickory_resolver::net::NetError;
use hickory_resolver::net::runtime::TokioRuntimeProvider;

use super::destinations::Destinations;

/// A name's addresses.
#[derive(Debug)]
pub struct Found {
    /// Never empty; IPv4 first.
    pub addresses: Vec<IpAddr>,
    /// Ask again then; `None` for literals.
    pub valid_until: Option<Instant>,
}

/// A name did not resolve.
#[derive(Debug, Clone, thiserror::Error)]
pub enum DnsError {
    /// The name servers say that it does not exist, or has no address.
    #[error("no such name: `{0}`")]
    NoSuchName(String),
    /// They could not be asked.
    #[error("cannot look up `{host}`: {why}")]
    Unanswered {
        /// The name.
        host: String,
        /// What hickory says.
        why: String,
    },
}

/// Asks the system's name servers; made when the first real name is looked up. Clones share what is known.
#[derive(Clone, Default)]
pub struct Resolver(Option<TokioResolver>);

impl std::fmt::Debug for Resolver {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(if self.0.is_some() { "Resolver(in use)" } else { "Resolver" })
    }
}

impl Resolver {
    /// Asks this name server over UDP and nobody else, not even the hosts file.
    ///
    /// # Errors
    /// When hickory cannot set itself up.
    pub fn asking(server: SocketAddr) -> Result<Self, DnsError> {
        let mut connection = ConnectionConfig::udp();
        connection.port = server.port();
        let server = NameServerConfig::new(server.ip(), true, vec![connection]);
        let config = ResolverConfig::from_name_servers(vec![server]);
        let mut builder = TokioResolver::builder_with_config(config, TokioRuntimeProvider::default());
        builder.options_mut().use_hosts_file = ResolveHosts::Never;
        let unanswered = |why: NetError| DnsError::Unanswered { host: "any name".to_owned(), why: why.to_string() };
        Ok(Self(Some(builder.build().map_err(unanswered)?)))
    }

    /// All addresses of `host`.
    pub async fn lookup(&mut self, host: &str) -> Result<Found, DnsError> {
        if let Some(addresses) = literal(host) {
            return Ok(Found { addresses, valid_until: None });
        }
        let unanswered =
            |why: &dyn std::fmt::Display| DnsError::Unanswered { host: host.to_owned(), why: why.to_string() };
        let resolver = match &mut self.0 {
            Some(resolver) => resolver,
            none => {
                let resolver = TokioResolver::builder_tokio().and_then(|builder| builder.build());
                none.insert(resolver.map_err(|error| unanswered(&error))?)
            }
        };
        match resolver.lookup_ip(host).await {
            Ok(found) => {
                let mut addresses: Vec<IpAddr> = found.iter().collect();
                addresses.sort_by_key(|address| (address.is_ipv6(), *address));
                addresses.dedup();
                match addresses.is_empty() {
                    false => Ok(Found { addresses, valid_until: Some(found.valid_until()) }),
                    true => Err(DnsError::NoSuchName(host.to_owned())),
                }
            }
            Err(error) if error.is_nx_domain() || error.is_no_records_found() => {
                Err(DnsError::NoSuchName(host.to_owned()))
            }
            Err(error) => Err(unanswered(&error)),
        }
    }
}

/// The address that a literal or `localhost` stands for. `localhost` is 127.0.0.1, where nearly every server listens;
/// `[::1]` can be written out.
pub fn literal(host: &str) -> Option<Vec<IpAddr>> {
    if host.eq_ignore_ascii_case("localhost") {
        return Some(vec![IpAddr::V4(Ipv4Addr::LOCALHOST)]);
    }
    if let Ok(v4) = host.parse::<Ipv4Addr>() {
        return Some(vec![v4.into()]);
    }
    host.parse::<Ipv6Addr>().ok().map(|v6| vec![v6.into()])
}

/// Never ask more often than this, whatever the time to live says.
const SHORTEST_TTL: Duration = Duration::from_secs(1);

/// Keeps the addresses of all names fresh until the returned task is aborted. When the name servers do not answer, the last
/// addresses stay in use; when they say that the name is gone, requests fail with class `dns`.
pub async fn follow(destinations: Arc<Destinations>) {
    let mut resolver = destinations.resolver();
    let names: Vec<usize> =
        (0..destinations.list().len()).filter(|&i| literal(&destinations.list()[i].host).is_none()).collect();
    if names.is_empty() {
        return;
    }
    let mut due: Vec<Instant> = names.iter().map(|_| Instant::now()).collect();
    loop {
        for (slot, &index) in names.iter().enumerate() {
            if due[slot] > Instant::now() {
                continue;
            }
            let destination = &destinations.list()[index];
            let valid_until = match resolver.lookup(&destination.host).await {
                Ok(found) => {
                    destination.resolved(Ok(found.addresses));
                    found.valid_until
                }
                Err(error @ DnsError::NoSuchName(_)) => {
                    destination.resolved(Err(error.to_string()));
                    None
                }
                Err(DnsError::Unanswered { .. }) => None,
            };
            due[slot] = valid_until.unwrap_or_else(Instant::now).max(Instant::now() + SHORTEST_TTL);
        }
        let next = due.iter().min().copied().unwrap_or_else(Instant::now);
        tokio::time::sleep_until(next.into()).await;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn literals_and_localhost_ask_no_one() {
        let mut resolver = Resolver::default();
        for (host, address) in [("127.0.0.1", "127.0.0.1"), ("localhost", "127.0.0.1"), ("::1", "::1")] {
            let found = resolver.lookup(host).await.unwrap();
            assert_eq!(found.addresses, [address.parse::<IpAddr>().unwrap()]);
        }
        assert!(resolver.0.is_none(), "no resolver was made");
    }
}
