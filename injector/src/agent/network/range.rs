//! Which addresses a network gets: a range that no route of this host touches.

use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use serde::{Deserialize, Serialize};

use crate::netlink::Socket;
use crate::netlink::route::{self, Range};

/// What a person reads when there is none.
pub const NONE_FREE: &str = "no range of addresses is free for isolated services: the routes of this host cover 10.0.0.0/8 \
                             and 198.18.0.0/15 (a VPN?); `ip route` shows them";
/// Routes to half the world or more are default routes in disguise (VPNs set two for each half); they yield to longer ones.
const DISGUISED: u8 = 7;
/// How many ranges are tried.
const TRIES: u64 = 4096;
/// The last byte of the hub's address, of brunt's, of the first instance's.
const GATEWAY: u8 = 1;
const BRUNT: u8 = 2;
const FIRST: usize = 10;

/// An address of each family.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Both {
    /// IPv4.
    pub v4: Ipv4Addr,
    /// IPv6; `None` where the host has none.
    pub v6: Option<Ipv6Addr>,
}

impl Both {
    /// One after the other.
    pub fn each(self) -> impl Iterator<Item = IpAddr> {
        std::iter::once(IpAddr::V4(self.v4)).chain(self.v6.map(IpAddr::V6))
    }
}

/// The ranges of a network: 256 addresses of IPv4, and twins of IPv6.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Ranges {
    v4: Ipv4Addr,
    v6: Option<Ipv6Addr>,
}

impl Ranges {
    /// The hub's addresses, on each of its wires.
    pub fn gateway(&self) -> Both {
        self.at(GATEWAY)
    }

    /// Those of brunt itself.
    pub fn brunt(&self) -> Both {
        self.at(BRUNT)
    }

    /// Those of an instance, by its place in the network.
    pub fn of_instance(&self, place: usize) -> Both {
        self.at(u8::try_from(FIRST + place).expect("a network has at most 240 instances"))
    }

    fn at(&self, last: u8) -> Both {
        let v4 = Ipv4Addr::from_bits(self.v4.to_bits() | u32::from(last));
        Both { v4, v6: self.v6.map(|base| Ipv6Addr::from_bits(base.to_bits() | u128::from(last))) }
    }

    /// As routes have them.
    pub fn each(self) -> impl Iterator<Item = Range> {
        let v4 = Range { base: self.v4.into(), bits: 24 };
        std::iter::once(v4).chain(self.v6.map(|base| Range { base: base.into(), bits: 64 }))
    }

    /// Whether one of these routes leads into them.
    pub fn touch(self, routes: &[Range]) -> bool {
        self.each().any(|range| routes.iter().any(|route| route.overlaps(&range)))
    }
}

/// Where routes of this host lead already, default routes left out.
pub fn taken(socket: &mut Socket) -> io::Result<Vec<Range>> {
    let mut taken = route::destinations(socket, Ipv4Addr::UNSPECIFIED.into())?;
    taken.extend(route::destinations(socket, Ipv6Addr::UNSPECIFIED.into())?);
    taken.retain(|range| range.bits > DISGUISED);
    Ok(taken)
}

/// Ranges to try: half of them from 10.0.0.0/8, half from 198.18.0.0/15 (meant for measurements, RFC 2544), twins from
/// fd00::/8 (RFC 4193). Where they begin depends on the run, so that two runs seldom look at the same ones.
pub fn candidates(run_id: &str, with_v6: bool) -> impl Iterator<Item = Ranges> {
    let seed = hash(run_id);
    (0..TRIES).map(move |number| {
        let mixed = hash(&format!("{seed} {number}"));
        let (wide, narrow) = (Ipv4Addr::new(10, 0, 0, 0), Ipv4Addr::new(198, 18, 0, 0));
        let (base, bits) = if number % 2 == 0 { (wide, 16) } else { (narrow, 9) };
        let part = u32::try_from(mixed >> (64 - bits)).expect("at most 16 bits are left") << 8;
        let v6 = (0xfd_u128 << 120) | (u128::from(mixed >> 8) << 64);
        Ranges { v4: Ipv4Addr::from_bits(base.to_bits() | part), v6: with_v6.then(|| Ipv6Addr::from_bits(v6)) }
    })
}

/// FNV-1a with a finish that spreads the last bytes over all bits (from MurmurHash3).
pub fn hash(text: &str) -> u64 {
    let mut hash = text
        .bytes()
        .fold(0xcbf2_9ce4_8422_2325_u64, |hash, byte| (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3));
    for factor in [0xff51_afd7_ed55_8ccd_u64, 0xc4ce_b9fe_1a85_ec53] {
        hash = (hash ^ (hash >> 33)).wrapping_mul(factor);
    }
    hash ^ (hash >> 33)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_range_that_a_route_touches_is_passed_over_and_default_routes_are_none() {
        let [first, second] = {
            let mut all = candidates("run", true);
            [all.next().unwrap(), all.next().unwrap()]
        };
        assert!(first.touch(&[Range { base: Ipv4Addr::new(10, 0, 0, 0).into(), bits: 8 }]));
        assert!(!second.touch(&[Range { base: Ipv4Addr::new(10, 0, 0, 0).into(), bits: 8 }]));
        assert!(first.touch(&[Range { base: "fd00::".parse().unwrap(), bits: 8 }]));
        assert!(!first.touch(&[]));
    }

    #[test]
    fn every_address_lies_in_its_range_and_none_is_given_twice() {
        for ranges in candidates("run", true).take(100) {
            let mut all = vec![ranges.gateway(), ranges.brunt()];
            all.extend((0..super::super::MOST).map(|place| ranges.of_instance(place)));
            for (own, range) in all.iter().flat_map(|both| both.each().zip(ranges.each())) {
                assert!(Range::only(own).overlaps(&range), "{own} is not in {range}");
            }
            let mut v4: Vec<_> = all.iter().map(|both| both.v4).collect();
            v4.dedup();
            assert_eq!(v4.len(), all.len());
            assert!(v4[0].octets()[0] == 10 || v4[0].octets()[..2] == [198, 18] || v4[0].octets()[..2] == [198, 19]);
        }
    }

    #[test]
    fn two_runs_begin_at_different_ranges_and_one_run_always_at_the_same() {
        let first = |run: &str| candidates(run, true).next().unwrap();
        assert_eq!(first("7-4711"), first("7-4711"));
        assert_ne!(first("7-4711"), first("7-4712"));
    }
}
