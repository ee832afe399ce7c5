//! The expressions of a rule: what is compared with what, and what happens then.

use std::net::IpAddr;

use super::{Addresses, Kind, LEASE, Match, PEERS, Rule, Verdict};
use crate::netlink::message::Message;
use crate::netlink::tc::Handle;
use crate::netlink::tc::flow::Family;

/// The register that all expressions here use (`NFT_REG_1`).
const REGISTER: u32 = 1;
/// `NFT_META_*`: what the frame carries, the mark, the devices of arrival and departure, the family, the protocol above IP (behind extension headers).
const PROTOCOL: u32 = 1;
const MARK: u32 = 3;
const IIF: u32 = 4;
const OIF: u32 = 5;
const NFPROTO: u32 = 15;
const L4PROTO: u32 = 16;
/// `NFT_PAYLOAD_NETWORK_HEADER`, `NFT_PAYLOAD_TRANSPORT_HEADER`.
const NETWORK_HEADER: u32 = 1;
const TRANSPORT_HEADER: u32 = 2;
/// Where the addresses stand in the header of IPv4 and in that of IPv6.
const SOURCE: [u32; 2] = [12, 8];
const DESTINATION: [u32; 2] = [16, 24];
/// `IPPROTO_ICMPV6`, and the first and last of its messages by which neighbours find each other (RFC 4861).
const ICMPV6: u8 = 58;
const ROUTER_SOLICITATION: u8 = 133;
const REDIRECT: u8 = 137;

impl Rule {
    /// The lease, its conditions in order, then the counter, then the verdict.
    pub(super) fn write(&self, table: Kind, part: &mut Message) {
        meta(part, NFPROTO);
        is_in(LEASE, part);
        for condition in &self.matches {
            condition.write(table, part);
        }
        expression(part, "counter", |part| {
            part.be64(1, 0); // NFTA_COUNTER_BYTES
            part.be64(2, 0); // NFTA_COUNTER_PACKETS
        });
        match self.verdict {
            Verdict::Count => {}
            Verdict::Drop => verdict(part, 0),  // NF_DROP
            Verdict::Spare => verdict(part, 1), // NF_ACCEPT
            // The expression `queue` is missing in some kernels, the target of iptables behind it is in all that have either.
            Verdict::Queue { number } => expression(part, "target", |part| {
                const QUEUES: u16 = 1;
                const BYPASS: u16 = 1;
                part.name(1, "NFQUEUE"); // NFTA_TARGET_NAME
                part.be32(2, 3); // NFTA_TARGET_REV
                // NFTA_TARGET_INFO: struct xt_NFQ_info_v3 { queuenum, queues_total, flags }, padded to 8, host order.
                part.attribute(3, &[number, QUEUES, BYPASS, 0].map(u16::to_ne_bytes).concat());
            }),
            Verdict::Priority(class) => priority(class, part),
            Verdict::Redirect { link, class } => {
                priority(class, part);
                number(link, part);
                expression(part, "fwd", |part| part.be32(1, REGISTER)); // NFTA_FWD_SREG_DEV
            }
        }
    }
}

/// Into the register, in the host's order.
fn number(number: u32, part: &mut Message) {
    expression(part, "immediate", |part| {
        part.be32(1, REGISTER); // NFTA_IMMEDIATE_DREG
        part.nest(2, |part| part.attribute(1, &number.to_ne_bytes())); // NFTA_IMMEDIATE_DATA { NFTA_DATA_VALUE }
    });
}

fn priority(class: Handle, part: &mut Message) {
    number(class.number(), part);
    expression(part, "meta", |part| {
        part.be32(2, 2); // NFTA_META_KEY: NFT_META_PRIORITY
        part.be32(3, REGISTER); // NFTA_META_SREG
    });
}

fn verdict(part: &mut Message, code: u32) {
    expression(part, "immediate", |part| {
        part.be32(1, 0); // NFTA_IMMEDIATE_DREG: NFT_REG_VERDICT
        // NFTA_IMMEDIATE_DATA { NFTA_DATA_VERDICT { NFTA_VERDICT_CODE } }
        part.nest(2, |part| part.nest(2, |part| part.be32(1, code)));
    });
}

impl Match {
    fn write(self, table: Kind, part: &mut Message) {
        match self {
            Self::Transport(transport) => {
                meta(part, L4PROTO);
                compare(part, Compare::Equal, &[transport.number()]);
            }
            Self::ArrivedFromOutside => not_loopback(part, IIF),
            Self::LeavesForOutside => not_loopback(part, OIF),
            Self::NeighbourDiscovery => {
                meta(part, L4PROTO);
                compare(part, Compare::Equal, &[ICMPV6]);
                payload(part, TRANSPORT_HEADER, 0, 1);
                compare(part, Compare::AtLeast, &[ROUTER_SOLICITATION]);
                compare(part, Compare::AtMost, &[REDIRECT]);
            }
            Self::From(port) => header(part, 0, port),
            Self::To(port) => header(part, 2, port),
            Self::Source(addresses) => addresses.write(table, part, SOURCE),
            Self::Destination(addresses) => addresses.write(table, part, DESTINATION),
            Self::FromPeer(wanted) => peer(table, wanted, part, SOURCE),
            Self::ToPeer(wanted) => peer(table, wanted, part, DESTINATION),
            Self::Of(wanted) => family(table, wanted, part),
            Self::Unmarked(mark) => {
                meta(part, MARK);
                compare(part, Compare::Unequal, &mark.to_ne_bytes());
            }
            Self::Share { millionths } => {
                expression(part, "numgen", |part| {
                    part.be32(1, REGISTER); // NFTA_NG_DREG
                    part.be32(2, 1_000_000); // NFTA_NG_MODULUS
                    part.be32(3, 1); // NFTA_NG_TYPE: NFT_NG_RANDOM
                });
                // `cmp` compares bytes, so the number goes into network order first. Without this a share of 20 % drops
                // one of ten thousand.
                expression(part, "byteorder", |part| {
                    part.be32(1, REGISTER); // NFTA_BYTEORDER_SREG
                    part.be32(2, REGISTER); // NFTA_BYTEORDER_DREG
                    part.be32(3, 1); // NFTA_BYTEORDER_OP: NFT_BYTEORDER_HTON
                    part.be32(4, 4); // NFTA_BYTEORDER_LEN
                    part.be32(5, 4); // NFTA_BYTEORDER_SIZE
                });
                compare(part, Compare::Less, &millionths.to_be_bytes());
            }
        }
    }
}

impl Addresses {
    /// The protocol's family, then the address at one of these bytes of the network header.
    fn write(self, table: Kind, part: &mut Message, [v4, v6]: [u32; 2]) {
        let (offset, bytes) = match self.address {
            IpAddr::V4(address) => (v4, address.octets().to_vec()),
            IpAddr::V6(address) => (v6, address.octets().to_vec()),
        };
        let kept = |place: usize| usize::from(self.prefix).saturating_sub(8 * place).min(8);
        let mask: Vec<u8> = (0..bytes.len()).map(|place| !(0xff_u16 >> kept(place)) as u8).collect();
        family(table, Family::of(self.address), part);
        let length = u32::try_from(bytes.len()).expect("4 or 16");
        payload(part, NETWORK_HEADER, offset, length);
        if mask.iter().any(|byte| *byte != 0xff) {
            expression(part, "bitwise", |part| {
                part.be32(1, REGISTER); // NFTA_BITWISE_SREG
                part.be32(2, REGISTER); // NFTA_BITWISE_DREG
                part.be32(3, length); // NFTA_BITWISE_LEN
                part.nest(4, |part| part.attribute(1, &mask)); // NFTA_BITWISE_MASK { NFTA_DATA_VALUE }
                part.nest(5, |part| part.attribute(1, &vec![0; mask.len()])); // NFTA_BITWISE_XOR { NFTA_DATA_VALUE }
            });
        }
        let wanted: Vec<u8> = bytes.iter().zip(&mask).map(|(byte, mask)| byte & mask).collect();
        compare(part, Compare::Equal, &wanted);
    }
}

/// The protocol's family, then whether the address at one of these bytes of the network header is a peer's.
fn peer(table: Kind, wanted: Family, part: &mut Message, [v4, v6]: [u32; 2]) {
    let [peers4, peers6] = PEERS;
    let (offset, length, peers) = match wanted {
        Family::V4 => (v4, 4, peers4),
        Family::V6 => (v6, 16, peers6),
    };
    family(table, wanted, part);
    payload(part, NETWORK_HEADER, offset, length);
    is_in(peers, part);
}

/// What is in the register is in this set.
fn is_in(set: &str, part: &mut Message) {
    expression(part, "lookup", |part| {
        part.name(1, set); // NFTA_LOOKUP_SET
        part.be32(2, REGISTER); // NFTA_LOOKUP_SREG
    });
}

/// At a link's door nobody has looked into the frame yet; what it says that it carries is what is known.
fn family(table: Kind, wanted: Family, part: &mut Message) {
    match table {
        Kind::Internet => {
            let number = match wanted {
                Family::V4 => 2,
                Family::V6 => 10,
            };
            meta(part, NFPROTO);
            compare(part, Compare::Equal, &[number]);
        }
        Kind::Links => {
            meta(part, PROTOCOL);
            compare(part, Compare::Equal, &wanted.ether_type().to_be_bytes());
        }
    }
}

/// The loopback of every namespace has index 1. Indices are in host order.
fn not_loopback(part: &mut Message, key: u32) {
    const LOOPBACK: u32 = 1;
    meta(part, key);
    compare(part, Compare::Unequal, &LOOPBACK.to_ne_bytes());
}

/// What is known of a packet beside its bytes.
fn meta(part: &mut Message, key: u32) {
    expression(part, "meta", |part| {
        part.be32(2, key); // NFTA_META_KEY
        part.be32(1, REGISTER); // NFTA_META_DREG
    });
}

#[derive(Clone, Copy)]
enum Compare {
    Equal = 0,
    Unequal = 1,
    Less = 2,
    AtMost = 3,
    AtLeast = 5,
}

fn compare(part: &mut Message, how: Compare, with: &[u8]) {
    expression(part, "cmp", |part| {
        part.be32(1, REGISTER); // NFTA_CMP_SREG
        part.be32(2, how as u32); // NFTA_CMP_OP
        part.nest(3, |part| part.attribute(1, with)); // NFTA_CMP_DATA { NFTA_DATA_VALUE }
    });
}

/// Two bytes of the transport header.
fn header(part: &mut Message, offset: u32, port: u16) {
    payload(part, TRANSPORT_HEADER, offset, 2);
    compare(part, Compare::Equal, &port.to_be_bytes());
}

/// So many bytes of a header, into the register.
fn payload(part: &mut Message, base: u32, offset: u32, length: u32) {
    expression(part, "payload", |part| {
        part.be32(1, REGISTER); // NFTA_PAYLOAD_DREG
        part.be32(2, base); // NFTA_PAYLOAD_BASE
        part.be32(3, offset); // NFTA_PAYLOAD_OFFSET
        part.be32(4, length); // NFTA_PAYLOAD_LEN
    });
}

/// NFTA_LIST_ELEM { NFTA_EXPR_NAME, NFTA_EXPR_DATA { .. } }
fn expression(part: &mut Message, name: &str, data: impl FnOnce(&mut Message)) {
    part.nest(1, |part| {
        part.name(1, name);
        part.nest(2, data);
    });
}
