//! The filter that compares words of the packet. All of a flow's conditions stand in **one** filter: two filters would each
//! take what fits one of them, and hit packets that nobody meant (rule 1).

use std::ops::RangeInclusive;

use super::super::message::Message;
use super::flow::{Family, Flow, bytes_and_mask};
use super::mirred::Redirect;
use super::{Handle, Options};

/// What becomes of packets that fit.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Then {
    /// They go into this class.
    Class(Handle),
    /// They leave by another link.
    Redirect(Redirect),
}

/// `struct tc_u32_key`: four bytes of the network header at `offset`, both in network order.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Key {
    mask: [u8; 4],
    value: [u8; 4],
    offset: i32,
}

/// One filter.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct U32 {
    keys: Vec<Key>,
    then: Then,
}

impl U32 {
    /// The filters that together take the flow. There are more than one only where a range of ports is no power of two: a
    /// key compares bits, so the range is cut into blocks, and each filter has all the other conditions too.
    pub fn of(flow: &Flow, then: Then) -> Vec<Self> {
        let any = || vec![None];
        let blocks = |range: &Option<RangeInclusive<u16>>| {
            range.clone().map_or_else(any, |range| port_blocks(range).into_iter().map(Some).collect())
        };
        let mut filters = Vec::new();
        for from in blocks(&flow.from) {
            for to in blocks(&flow.to) {
                filters.push(Self::one(flow, from, to, then));
            }
        }
        filters
    }

    fn one(flow: &Flow, from: Option<Bits>, to: Option<Bits>, then: Then) -> Self {
        // Where the header has its addresses, and the transport protocol.
        let (source, destination, protocol, ports) = match flow.family {
            Family::V4 => (12, 16, 9, 20),
            Family::V6 => (8, 24, 6, 40),
        };
        let mut filter = Self { keys: Vec::new(), then };
        for (addresses, offset) in [(flow.source, source), (flow.destination, destination)] {
            let Some(addresses) = addresses else { continue };
            let (bytes, mask) = bytes_and_mask(addresses);
            filter.compare(offset, &bytes, &mask);
        }
        if let Some(transport) = flow.transport {
            filter.compare(protocol, &[transport.number()], &[0xff]);
        }
        if (from.is_some() || to.is_some()) && flow.family == Family::V4 {
            // The ports are where we look for them only if there are no options, and only in a whole packet.
            filter.compare(0, &[5], &[0x0f]);
            filter.compare(6, &[0, 0], &[0x3f, 0xff]);
        }
        for (bits, offset) in [(from, ports), (to, ports + 2)] {
            let Some(Bits { value, mask }) = bits else { continue };
            filter.compare(offset, &value.to_be_bytes(), &mask.to_be_bytes());
        }
        if filter.keys.is_empty() {
            filter.keys.push(Key { mask: [0; 4], value: [0; 4], offset: 0 });
        }
        filter
    }

    /// Adds a condition on bytes of the header. Those of one word share a key, as `tc` has it; words whose mask is empty
    /// have none.
    fn compare(&mut self, offset: usize, value: &[u8], mask: &[u8]) {
        for (at, (value, mask)) in value.iter().zip(mask).enumerate().filter(|(_, (_, mask))| **mask != 0) {
            let (word, byte) = ((offset + at) / 4 * 4, (offset + at) % 4);
            let word = i32::try_from(word).expect("a header has some dozen bytes");
            let place = self.keys.iter().position(|key| key.offset == word).unwrap_or_else(|| {
                self.keys.push(Key { mask: [0; 4], value: [0; 4], offset: word });
                self.keys.len() - 1
            });
            self.keys[place].mask[byte] |= mask;
            self.keys[place].value[byte] |= value & mask;
        }
    }
}

impl Options for U32 {
    fn kind(&self) -> &'static str {
        "u32"
    }

    fn write(&self, to: &mut Message) {
        /// `TC_U32_TERMINAL`: what fits has found its place.
        const TERMINAL: u8 = 1;
        let many = u8::try_from(self.keys.len()).expect("a flow has some dozen keys");
        // Flags, shift, number of keys; then offsets into the next header, which are not used.
        let mut selector = vec![TERMINAL, 0, many, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0];
        for Key { mask, value, offset } in &self.keys {
            selector.extend([*mask, *value, offset.to_ne_bytes(), [0; 4]].concat());
        }
        to.nest_after(2, &[], |to| {
            match self.then {
                Then::Class(class) => to.attribute(1, &class.number().to_ne_bytes()), // TCA_U32_CLASSID
                Then::Redirect(redirect) => redirect.write(7, to),                    // TCA_U32_ACT
            }
            to.attribute(5, &selector); // TCA_U32_SEL
        });
    }
}

/// Ports that have the bits of `mask` in common.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Bits {
    value: u16,
    mask: u16,
}

/// Cuts a range into the fewest blocks that are a power of two long and begin at a multiple of their length.
fn port_blocks(range: RangeInclusive<u16>) -> Vec<Bits> {
    let (mut from, end) = (u32::from(*range.start()), u32::from(*range.end()) + 1);
    let mut blocks = Vec::new();
    while from < end {
        let aligned = if from == 0 { 16 } else { from.trailing_zeros() };
        let fits = (end - from).ilog2();
        let length = 1_u32 << aligned.min(fits);
        let value = u16::try_from(from).expect("it is below the end of the ports");
        let mask = u16::try_from(0x1_0000 - length).unwrap_or_default();
        blocks.push(Bits { value, mask });
        from += length;
    }
    blocks
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn the_blocks_of_a_range_hold_its_ports_and_no_other(one: u16, other: u16, port: u16) {
            let range = one.min(other)..=one.max(other);
            let blocks = port_blocks(range.clone());
            for port in [port, *range.start(), *range.end(), range.start().wrapping_sub(1), range.end().wrapping_add(1)] {
                let found = blocks.iter().filter(|block| port & block.mask == block.value).count();
                prop_assert_eq!(found, usize::from(range.contains(&port)), "port {} in {:?}", port, &blocks);
            }
            prop_assert!(blocks.len() <= 30);
        }
    }

    #[test]
    fn all_ports_are_one_block_that_asks_for_nothing() {
        assert_eq!(port_blocks(0..=u16::MAX), [Bits { value: 0, mask: 0 }]);
    }
}
