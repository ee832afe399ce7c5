//! A free port for a service instance.
//!
//! Not `bind(0)`: that takes from the range from which the kernel also gives source ports to outgoing connections. An
//! instance that is killed and started again at the same port would then, under load, sometimes find its port taken by a
//! client. So ports are taken below that range, where only listeners live.

use std::io;
use std::net::{Ipv4Addr, TcpListener};
use std::ops::Range;

/// Where the kernel begins to give out source ports when /proc cannot be read: Linux' default.
const DEFAULT_EPHEMERAL_LOW: u16 = 32_768;
/// Below live well-known services; the search stays above it.
const LOWEST: u16 = 10_240;

/// Finds `count` different ports on 127.0.0.1 that nobody listens on now. The search starts at a place that depends on
/// this process, so that two runs side by side seldom look at the same ports. All of them are held until the last is found.
///
/// # Errors
/// When the range holds fewer free ports than asked for.
pub fn free_ports(count: usize) -> io::Result<Vec<u16>> {
    let range = below_ephemeral(std::fs::read_to_string("/proc/sys/net/ipv4/ip_local_port_range").ok().as_deref());
    let width = u32::from(range.end - range.start);
    let start = std::process::id().wrapping_mul(2_654_435_761) % width;
    let mut held = Vec::with_capacity(count);
    for step in 0..width {
        if held.len() == count {
            break;
        }
        let port = range.start + u16::try_from((start + step) % width).expect("a remainder of a u16 width fits in u16");
        if let Ok(listener) = TcpListener::bind((Ipv4Addr::LOCALHOST, port)) {
            held.push((port, listener));
        }
    }
    if held.len() < count {
        return Err(io::Error::new(
            io::ErrorKind::AddrInUse,
            format!("only {} of {count} ports are free between {} and {}", held.len(), range.start, range.end),
        ));
    }
    Ok(held.into_iter().map(|(port, _)| port).collect())
}

fn below_ephemeral(range: Option<&str>) -> Range<u16> {
    let low = range.and_then(|text| text.split_whitespace().next()?.parse().ok()).unwrap_or(DEFAULT_EPHEMERAL_LOW);
    if low > LOWEST + 1_000 { LOWEST..low } else { LOWEST..DEFAULT_EPHEMERAL_LOW }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ports_are_different_and_lie_below_those_of_outgoing_connections() {
        let ports = free_ports(20).unwrap();
        let unique: std::collections::BTreeSet<_> = ports.iter().collect();
        assert_eq!(unique.len(), 20);
        assert!(ports.iter().all(|port| (LOWEST..DEFAULT_EPHEMERAL_LOW).contains(port)));
    }

    #[test]
    fn a_port_that_somebody_listens_on_is_passed_over() {
        let first = free_ports(1).unwrap()[0];
        let _taken = TcpListener::bind((Ipv4Addr::LOCALHOST, first)).unwrap();
        assert_ne!(free_ports(1).unwrap()[0], first);
    }

    #[test]
    fn a_host_whose_source_ports_start_low_gets_the_default_range() {
        assert_eq!(below_ephemeral(Some("32768\t60999\n")), LOWEST..32_768);
        assert_eq!(below_ephemeral(Some("1024 65535")), LOWEST..DEFAULT_EPHEMERAL_LOW);
        assert_eq!(below_ephemeral(None), LOWEST..DEFAULT_EPHEMERAL_LOW);
    }
}
