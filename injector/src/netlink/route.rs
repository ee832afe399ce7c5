//! Routes: which there are, and new ones.

use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use super::address::{family, octets, width};
use super::message::find;
use super::socket::{CREATE, EXCL};
use super::{Message, Socket};

const NEW_ROUTE: u16 = 24;
const GET_ROUTE: u16 = 26;
/// Bytes of `struct rtmsg`.
const HEAD: usize = 12;
const MAIN_TABLE: u8 = 254;
/// `RTPROT_STATIC`: set by somebody, not learnt.
const STATIC: u8 = 4;
/// `RT_SCOPE_LINK`: what is on the wire itself.
const ON_THE_WIRE: u8 = 253;
/// `RTN_UNICAST`.
const UNICAST: u8 = 1;
/// `RTNH_F_ONLINK`: the gateway is on the wire though no route says so.
const ONLINK: u32 = 4;

/// A range of addresses.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Range {
    /// Its first address.
    pub base: IpAddr,
    /// So many bits of it count.
    pub bits: u8,
}

impl Range {
    /// One address.
    pub fn only(address: IpAddr) -> Self {
        Self { base: address, bits: width(address) }
    }

    /// All addresses of a family.
    pub fn all(of: IpAddr) -> Self {
        let base = if of.is_ipv4() { Ipv4Addr::UNSPECIFIED.into() } else { Ipv6Addr::UNSPECIFIED.into() };
        Self { base, bits: 0 }
    }

    /// Whether an address lies in both.
    pub fn overlaps(&self, other: &Self) -> bool {
        let bits = self.bits.min(other.bits);
        let differ = number(self.base) ^ number(other.base);
        self.base.is_ipv4() == other.base.is_ipv4() && (bits == 0 || differ >> (128 - u32::from(bits)) == 0)
    }
}

/// The bits of an address, the first one on the left.
fn number(address: IpAddr) -> u128 {
    match address {
        IpAddr::V4(address) => u128::from(address.to_bits()) << 96,
        IpAddr::V6(address) => address.to_bits(),
    }
}

impl std::fmt::Display for Range {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}/{}", self.base, self.bits)
    }
}

/// Where packets to a range go from now on: out of an interface, to a gateway behind it if one is given.
///
/// # Errors
/// EEXIST: there is such a route. ENETUNREACH, ENETDOWN: the interface is not up.
pub fn add(socket: &mut Socket, to: Range, index: u32, gateway: Option<IpAddr>) -> io::Result<()> {
    let (scope, flags) = if gateway.is_some() { (0, ONLINK) } else { (ON_THE_WIRE, 0) };
    // IPv6 knows no scopes of routes.
    let scope = if to.base.is_ipv6() { 0 } else { scope };
    let mut head = vec![family(to.base), to.bits, 0, 0, MAIN_TABLE, STATIC, scope, UNICAST];
    head.extend(flags.to_ne_bytes());
    socket.request(NEW_ROUTE, CREATE | EXCL, &head, |route| {
        if to.bits > 0 {
            route.attribute(1, &octets(to.base)); // RTA_DST
        }
        route.attribute(4, &index.to_ne_bytes()); // RTA_OIF
        if let Some(gateway) = gateway {
            route.attribute(5, &octets(gateway)); // RTA_GATEWAY
        }
    })
}

/// The destinations of all routes of this family, in every table, but for those to everywhere.
pub fn destinations(socket: &mut Socket, of: IpAddr) -> io::Result<Vec<Range>> {
    let mut head = vec![0; HEAD];
    head[0] = family(of);
    let mut found = Vec::new();
    socket.dump(GET_ROUTE, &head, |_: &mut Message| (), |body| found.extend(read(body, of)))?;
    Ok(found)
}

fn read(body: &[u8], of: IpAddr) -> Option<Range> {
    let bits = *body.get(1)?;
    let destination = find(body.get(HEAD..)?, 1)?;
    let base = if of.is_ipv4() {
        Ipv4Addr::from(*destination.first_chunk::<4>()?).into()
    } else {
        Ipv6Addr::from(*destination.first_chunk::<16>()?).into()
    };
    Some(Range { base, bits })
}

#[cfg(test)]
mod tests;
