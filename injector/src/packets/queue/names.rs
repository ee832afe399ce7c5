//! Answers of name servers (DNS over UDP, RFC 1035): whose name they are about, and what stands in place of one.
//!
//! Only the question is read, which every answer repeats; what the real server has answered is thrown away, so a datagram that
//! came in fragments, or was cut because it was too long, is answered all the same. What cannot be read is left as it is:
//! several questions in one, questions that are not answers, anything else on the port.
//!
//! No cache keeps what is made here: addresses live for no second (TTL 0), and a "no" without the zone's SOA record must not be
//! remembered (RFC 2308, section 5).

use std::net::IpAddr;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::treatment::Fate;

/// The types of questions for addresses, `A` and `AAAA`.
const A: u16 = 1;
const AAAA: u16 = 28;
/// IPv6 has a header without options, and UDP one of this length.
const IPV6: usize = 40;
const UDP: usize = 8;
/// A DNS message begins with a number, flags and four counts.
const HEADER: usize = 12;
/// The longest name (RFC 1035, 2.3.4).
const LONGEST: usize = 255;
/// Bits of the flags: an answer; its operation (0 is a question); whether recursion was wished for, and is there.
const IS_ANSWER: u16 = 0x8000;
const OPERATION: u16 = 0x7800;
const RECURSION: u16 = 0x0180;

/// What becomes of answers.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Answers {
    /// Those about these names; without any, all.
    pub names: Vec<Name>,
    /// And what.
    pub outcome: Outcome,
}

/// What becomes of one answer.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Outcome {
    /// It comes so much later.
    Late(Duration),
    /// It never comes.
    Silence,
    /// There is no such name (NXDOMAIN).
    NoSuchName,
    /// The server has failed (SERVFAIL).
    Failure,
    /// The name is that of these addresses, for whoever asks for addresses: those of the kind that was asked for, which may be
    /// none.
    Addresses(Vec<IpAddr>),
}

/// A name, or all names below one.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Name {
    /// In small letters, without a dot at its end.
    name: String,
    /// Whatever ends with it, behind a dot, and not the name itself.
    below: bool,
}

impl Name {
    /// `db.example.com`, or `*.example.com` for all below; `None` if no name of the DNS can be written so.
    pub fn new(text: &str) -> Option<Self> {
        let name = text.strip_suffix('.').unwrap_or(text).to_ascii_lowercase();
        let (below, name) = name.strip_prefix("*.").map_or((false, name.as_str()), |name| (true, name));
        let sound = |label: &str| {
            (1..=63).contains(&label.len()) && label.bytes().all(|byte| byte.is_ascii_graphic() && byte != b'*')
        };
        (name.len() <= LONGEST - 2 && name.split('.').all(sound)).then(|| Self { name: name.to_owned(), below })
    }

    fn means(&self, name: &str) -> bool {
        match name.strip_suffix(self.name.as_str()) {
            Some("") => !self.below,
            Some(front) => self.below && front.ends_with('.'),
            None => false,
        }
    }
}

impl Answers {
    /// Of this packet.
    pub(super) fn fate(&self, packet: &[u8]) -> Fate {
        let Some(answer) = Answer::read(packet) else { return Fate::Pass };
        if !self.names.is_empty() && !self.names.iter().any(|name| name.means(&answer.name)) {
            return Fate::Pass;
        }
        match &self.outcome {
            Outcome::Late(latency) => Fate::Held(*latency),
            Outcome::Silence => Fate::Lost,
            Outcome::NoSuchName => Fate::Rewritten(answer.with(3, &[])),
            Outcome::Failure => Fate::Rewritten(answer.with(2, &[])),
            Outcome::Addresses(all) => {
                let of_kind = |address: &&IpAddr| address.is_ipv4() == (answer.kind == A);
                let addresses: Vec<IpAddr> = all.iter().filter(of_kind).copied().collect();
                match answer.kind {
                    A | AAAA => Fate::Rewritten(answer.with(0, &addresses)),
                    // Of mail servers, texts and whatever else nothing was said.
                    _ => Fate::Pass,
                }
            }
        }
    }
}

/// An answer as it came, as far as it is needed.
#[derive(Debug)]
struct Answer<'a> {
    /// The headers of IP and UDP, and how long the first is.
    packet: &'a [u8],
    ip: usize,
    /// The DNS message up to the end of its question.
    message: &'a [u8],
    /// Asked for: in small letters, without the dot at its end.
    name: String,
    kind: u16,
}

impl<'a> Answer<'a> {
    /// `None`: it is none, or has not exactly one question.
    fn read(packet: &'a [u8]) -> Option<Self> {
        let first = *packet.first()?;
        let (ip, protocol) = match first >> 4 {
            4 => (usize::from(first & 0xf) * 4, packet.get(9)?),
            6 => (IPV6, packet.get(6)?),
            _ => return None,
        };
        // Fragments behind the first have no header of UDP.
        let later = first >> 4 == 4 && number(packet, 6)? & 0x1fff != 0;
        if *protocol != 17 || later || ip < 20 {
            return None;
        }
        let message = packet.get(ip + UDP..)?;
        let flags = number(message, 2)?;
        if flags & IS_ANSWER == 0 || flags & OPERATION != 0 || number(message, 4)? != 1 {
            return None;
        }
        let (name, end) = name(message, HEADER)?;
        let kind = number(message, end)?;
        let message = message.get(..end + 4)?;
        Some(Self { packet: &packet[..ip + UDP], ip, message, name, kind })
    }

    /// A packet from the same server to the same client, with the same question, and this answer to it.
    fn with(&self, code: u16, addresses: &[IpAddr]) -> Vec<u8> {
        let mut bytes = [self.packet, self.message].concat();
        let dns = self.ip + UDP;
        let flags = number(self.message, 2).unwrap_or_default() & RECURSION | IS_ANSWER | code;
        put(&mut bytes, dns + 2, flags);
        put(&mut bytes, dns + 6, u16::try_from(addresses.len()).unwrap_or(u16::MAX));
        bytes[dns + 8..dns + HEADER].fill(0);
        for address in addresses {
            bytes.extend([0xc0, HEADER as u8]); // the name of the question
            bytes.extend(self.kind.to_be_bytes());
            bytes.extend(&self.message[self.message.len() - 2..]); // the class that was asked for
            bytes.extend([0; 4]); // TTL
            match address {
                IpAddr::V4(v4) => bytes.extend([&[0, 4][..], &v4.octets()].concat()),
                IpAddr::V6(v6) => bytes.extend([&[0, 16][..], &v6.octets()].concat()),
            }
        }
        self.finish(&mut bytes);
        bytes
    }

    /// Lengths and checksums of IP and UDP; it is no fragment.
    fn finish(&self, bytes: &mut [u8]) {
        let length = |bytes: &[u8]| u16::try_from(bytes.len()).expect("a question and a few addresses");
        let udp = length(&bytes[self.ip..]);
        let addresses = if bytes[0] >> 4 == 4 {
            let whole = length(bytes);
            put(bytes, 2, whole);
            bytes[6] &= 0x40;
            bytes[7] = 0;
            put(bytes, 10, 0);
            let sum = !folded(sum(&bytes[..self.ip]));
            put(bytes, 10, sum);
            12..20
        } else {
            put(bytes, 4, udp);
            8..40
        };
        put(bytes, self.ip + 4, udp);
        put(bytes, self.ip + 6, 0);
        // The pseudo header: addresses, protocol, length.
        let all = sum(&bytes[addresses]) + 17 + u64::from(udp) + sum(&bytes[self.ip..]);
        // 0 would say that there is none.
        let sum = match !folded(all) {
            0 => 0xffff,
            sum => sum,
        };
        put(bytes, self.ip + 6, sum);
    }
}

/// The name at this place and where it ends. A question comes first, so there is nothing that it could refer to.
fn name(message: &[u8], mut at: usize) -> Option<(String, usize)> {
    let (begin, mut name) = (at, String::new());
    loop {
        let length = usize::from(*message.get(at)?);
        at += 1;
        if length == 0 {
            return Some((name, at));
        }
        if length > 63 || at + length - begin > LONGEST {
            return None;
        }
        if !name.is_empty() {
            name.push('.');
        }
        name.extend(message.get(at..at + length)?.iter().map(|byte| char::from(byte.to_ascii_lowercase())));
        at += length;
    }
}

fn number(bytes: &[u8], at: usize) -> Option<u16> {
    bytes.get(at..at + 2).map(|two| u16::from_be_bytes([two[0], two[1]]))
}

fn put(bytes: &mut [u8], at: usize, number: u16) {
    bytes[at..at + 2].copy_from_slice(&number.to_be_bytes());
}

/// Of all 16-bit words, as RFC 1071 adds them.
fn sum(bytes: &[u8]) -> u64 {
    let word = |two: &[u8]| u64::from(two[0]) << 8 | u64::from(two.get(1).copied().unwrap_or_default());
    bytes.chunks(2).map(word).sum()
}

fn folded(mut sum: u64) -> u16 {
    while sum > 0xffff {
        sum = (sum >> 16) + (sum & 0xffff);
    }
    sum as u16
}

#[cfg(test)]
mod tests;
