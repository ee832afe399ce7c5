//! Rates as htb and tbf have them: `struct tc_ratespec` and the table that goes with it.

use super::super::message::Message;
use super::words;

/// The largest packet that the table covers, in bytes; its 256 entries are `1 << CELL_LOG` bytes apart.
const CELL_LOG: u8 = 3;
/// `TC_LINKLAYER_ETHERNET`.
const ETHERNET: u8 = 1;

/// A rate of bytes on the wire: Ethernet's header counts, its checksum and gaps do not.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Rate {
    /// Not 0.
    pub bytes_per_second: u64,
}

impl Rate {
    /// Cell size, link layer, overhead, alignment (-1), smallest packet, then the rate. One above 32 bits stands in an
    /// attribute of its own, and here is the largest number.
    pub(super) fn spec(self) -> [u8; 12] {
        let mut spec = [CELL_LOG, ETHERNET, 0, 0, 0xff, 0xff, 0, 0, 0, 0, 0, 0];
        let low = u32::try_from(self.bytes_per_second).unwrap_or(u32::MAX);
        spec[8..].copy_from_slice(&low.to_ne_bytes());
        spec
    }

    /// The attribute for a rate above 32 bits.
    pub(super) fn write_large(self, kind: u16, to: &mut Message) {
        if u32::try_from(self.bytes_per_second).is_err() {
            to.attribute(kind, &self.bytes_per_second.to_ne_bytes());
        }
    }

    /// How long each size of packet takes. Kernels since 3.8 compute that themselves; they only look whether the table is
    /// there, to know that the sender is not older than the link layer's field.
    pub(super) fn table(self) -> Vec<u8> {
        let sizes = (1..=256_u32).map(|cell| cell << CELL_LOG);
        words(&sizes.map(|size| self.ticks_for(size)).collect::<Vec<_>>())
    }

    /// How long so many bytes take, in ticks of 64 ns. `tc` goes by whole microseconds, so this does too.
    pub(super) fn ticks_for(self, bytes: u32) -> u32 {
        let microseconds = u64::from(bytes) * 1_000_000 / self.bytes_per_second.max(1);
        u32::try_from(microseconds * 1000 / 64).unwrap_or(u32::MAX)
    }
}
