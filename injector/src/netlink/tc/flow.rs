//! Which packets a filter takes.

use std::net::IpAddr;
use std::ops::RangeInclusive;

use super::super::nf_tables::{Addresses, Transport};

/// IPv4 or IPv6. A filter sees one of them (rule 3).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Family {
    /// `ETH_P_IP`.
    V4,
    /// `ETH_P_IPV6`.
    V6,
}

impl Family {
    /// Of this address.
    pub fn of(address: IpAddr) -> Self {
        if address.is_ipv4() { Self::V4 } else { Self::V6 }
    }

    pub(in crate::netlink) fn ether_type(self) -> u16 {
        match self {
            Self::V4 => 0x0800,
            Self::V6 => 0x86dd,
        }
    }
}

/// The address and the mask, in network order, with nothing set that the mask does not have.
pub(super) fn bytes_and_mask(Addresses { address, prefix }: Addresses) -> (Vec<u8>, Vec<u8>) {
    let bytes = match address {
        IpAddr::V4(address) => address.octets().to_vec(),
        IpAddr::V6(address) => address.octets().to_vec(),
    };
    let kept = |at: usize| usize::from(prefix).saturating_sub(at * 8).min(8);
    let mask: Vec<u8> = (0..bytes.len()).map(|at| !(0xff_u16 >> kept(at)) as u8).collect();
    (bytes.iter().zip(&mask).map(|(byte, mask)| byte & mask).collect(), mask)
}

/// Packets of one family that fit everything which is said here.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Flow {
    /// Of their addresses.
    pub family: Family,
    /// Where they come from; of `family`.
    pub source: Option<Addresses>,
    /// Where they go; of `family`.
    pub destination: Option<Addresses>,
    /// With ports only if this is said.
    pub transport: Option<Transport>,
    /// The port that they come from.
    pub from: Option<RangeInclusive<u16>>,
    /// The port that they go to.
    pub to: Option<RangeInclusive<u16>>,
}

impl Flow {
    /// All packets of a family.
    pub fn all(family: Family) -> Self {
        Self { family, source: None, destination: None, transport: None, from: None, to: None }
    }
}
