//! Whose packet it is: each flow has draws of its own, so that a packet's fate does not depend on what other flows do.
//!
//! A flow is what has the same addresses, ports and protocol, in one direction. Ports of clients differ from run to run, so a
//! flow is known by its number, in the order in which the fault met them. Flows that were not seen for a long time are
//! forgotten when there are too many; one that comes back is a new one.

use std::collections::HashMap;
use std::sync::Arc;

use crate::proxy::{Draws, FaultCounters};

/// Flows that are remembered: those of the last so many, and as many older ones.
const REMEMBERED: usize = 1 << 15;

/// Addresses, ports, protocol. IPv4 addresses stand in the first four bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub(super) struct Key {
    from: [u8; 16],
    to: [u8; 16],
    ports: [u8; 4],
    protocol: u8,
    version: u8,
}

impl Key {
    /// Of a packet, from its network header on. Whatever cannot be read stays zero: fragments behind the first have no ports,
    /// nor have protocols without them, nor IPv6 packets with extension headers.
    pub fn of(packet: &[u8]) -> Self {
        let mut key = Self { version: packet.first().map_or(0, |first| first >> 4), ..Self::default() };
        let copy = |to: &mut [u8], at: usize| {
            if let Some(from) = packet.get(at..at + to.len()) {
                to.copy_from_slice(from);
            }
        };
        let transport = match (key.version, packet) {
            (4, [first, ..]) if packet.len() >= 20 => {
                key.protocol = packet[9];
                copy(&mut key.from[..4], 12);
                copy(&mut key.to[..4], 16);
                let offset = u16::from_be_bytes([packet[6], packet[7]]) & 0x1fff;
                (offset == 0).then_some(usize::from(first & 0xf) * 4)
            }
            (6, _) if packet.len() >= 40 => {
                key.protocol = packet[6];
                copy(&mut key.from, 8);
                copy(&mut key.to, 24);
                Some(40)
            }
            _ => None,
        };
        const TCP: u8 = 6;
        const UDP: u8 = 17;
        const SCTP: u8 = 132;
        if let Some(transport) = transport.filter(|_| matches!(key.protocol, TCP | UDP | SCTP)) {
            copy(&mut key.ports, transport);
        }
        key
    }
}

/// What is remembered of a flow.
pub(super) struct Flow {
    /// Its own stream of decisions.
    pub draws: Draws,
    /// When the last packet that is held goes on: none of the flow may overtake it.
    pub last_due: u64,
}

/// The flows of one path.
pub(super) struct Flows {
    seed: u64,
    met: u64,
    counters: Arc<FaultCounters>,
    recent: HashMap<Key, Flow>,
    older: HashMap<Key, Flow>,
}

impl Flows {
    pub fn new(seed: u64) -> Self {
        let [recent, older] = [(); 2].map(|()| HashMap::new());
        Self { seed, met: 0, counters: Arc::default(), recent, older }
    }

    /// Draws that belong to the path itself.
    pub fn of_path(&self) -> Draws {
        Draws::new(self.seed, 0, 1.0, true, Arc::clone(&self.counters))
    }

    /// The flow of a packet.
    pub fn of(&mut self, key: Key) -> &mut Flow {
        if !self.recent.contains_key(&key) {
            if self.recent.len() >= REMEMBERED {
                self.older = std::mem::take(&mut self.recent);
            }
            let flow = self.older.remove(&key).unwrap_or_else(|| {
                self.met += 1;
                Flow { draws: Draws::new(self.seed, self.met, 1.0, true, Arc::clone(&self.counters)), last_due: 0 }
            });
            self.recent.insert(key, flow);
        }
        self.recent.get_mut(&key).expect("it was there or has just been put there")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn v4(source: [u8; 4], port: u16) -> Vec<u8> {
        let mut packet = vec![0x45, 0, 0, 28, 0, 0, 0, 0, 64, 17, 0, 0];
        packet.extend(source);
        packet.extend([10, 0, 0, 2]);
        packet.extend(port.to_be_bytes());
        packet.extend([0, 80, 0, 8, 0, 0]);
        packet
    }

    #[test]
    fn a_flow_is_known_by_addresses_ports_and_protocol() {
        let one = Key::of(&v4([10, 0, 0, 1], 4000));
        assert_eq!(one, Key::of(&v4([10, 0, 0, 1], 4000)));
        assert_ne!(one, Key::of(&v4([10, 0, 0, 1], 4001)));
        assert_ne!(one, Key::of(&v4([10, 0, 0, 3], 4000)));
        let mut later_fragment = v4([10, 0, 0, 1], 4000);
        later_fragment[7] = 185;
        assert_eq!(Key::of(&later_fragment).ports, [0; 4]);
        let mut v6 = vec![0x60, 0, 0, 0, 0, 8, 17, 64];
        v6.extend([1; 16]);
        v6.extend([2; 16]);
        v6.extend([3, 4, 5, 6]);
        let key = Key::of(&v6);
        assert_eq!((key.from, key.to, key.ports, key.protocol), ([1; 16], [2; 16], [3, 4, 5, 6], 17));
        for end in 0..v6.len() {
            Key::of(&v6[..end]);
        }
    }

    #[test]
    fn what_a_flow_draws_follows_from_the_seed_and_the_order_in_which_flows_were_met() {
        let keys = [1, 2, 3].map(|port| Key::of(&v4([10, 0, 0, 1], port)));
        let drawn = |turns: &[usize]| {
            let mut flows = Flows::new(5);
            let mut drawn: [Vec<u64>; 3] = Default::default();
            for turn in turns {
                drawn[*turn].push((flows.of(keys[*turn]).draws.fraction() * 1e9) as u64);
            }
            drawn
        };
        assert_eq!(drawn(&[0, 1, 2, 0, 0, 1, 1, 2, 2]), drawn(&[0, 1, 1, 2, 2, 1, 2, 0, 0]));
        assert_ne!(drawn(&[0, 0])[0], drawn(&[1, 0, 0])[0], "it is the second one there");
    }

    #[test]
    fn flows_that_have_not_been_seen_for_long_are_forgotten() {
        let mut flows = Flows::new(5);
        let key = |number: usize| Key { ports: (number as u32).to_be_bytes(), ..Key::default() };
        let busy = key(usize::MAX);
        for number in 0..REMEMBERED * 5 {
            flows.of(key(number));
            flows.of(busy).last_due = 7;
        }
        assert!(flows.recent.len() + flows.older.len() <= 2 * REMEMBERED);
        assert_eq!(flows.of(busy).last_due, 7, "one that is seen all the time stays");
        assert_eq!(flows.met, 5 * REMEMBERED as u64 + 1);
    }
}
