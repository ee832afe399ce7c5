//! The kernel's network emulator: delay, loss, duplicates, reordering, damage, rate, bursts.
//!
//! It acts on what leaves a link, after the packet has been cut loose from its sender's socket. A packet is what the link
//! gets: with segmentation offload that is up to 64 KiB, lost or delayed as one.

use std::time::Duration;

use super::super::message::Message;
use super::distribution::Table;
use super::{Options, share, ticks, words};

/// The smallest limit: the kernel's default.
const LIMIT: u32 = 1000;

/// What it does. [`Netem::default`] does nothing.
#[derive(Debug, Clone, PartialEq)]
pub struct Netem {
    /// Holds every packet. With a jitter larger than the gaps between packets it reorders them, unless a rate is set.
    pub delay: Option<Delay>,
    /// Loses some.
    pub loss: Loss,
    /// Sends some twice.
    pub duplicate: Part,
    /// Lets some past those that are held; only with a delay.
    pub reorder: Option<Reorder>,
    /// Turns one bit of some. Their receiver's checksum finds it and drops them: see its `InCsumErrors`.
    pub corrupt: Part,
    /// Sends at most so fast.
    pub rate: Option<Pace>,
    /// Sends in bursts, as a radio link does.
    pub slots: Option<Slots>,
    /// Marks packets as congested instead of losing them, where both sides know the mark (RFC 3168).
    pub mark_instead_of_loss: bool,
    /// How many packets may be held; what comes then is lost. See [`limit_for`].
    pub limit: u32,
}

/// Some of the packets.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub struct Part {
    /// 0 to 1.
    pub share: f64,
    /// 0 to 1: how much each decision leans on the one before.
    pub correlation: f64,
}

/// How long packets are held.
#[derive(Debug, Clone, PartialEq)]
pub struct Delay {
    /// Latency, jitter and distribution. At most 274 s.
    pub table: Table,
    /// 0 to 1.
    pub correlation: f64,
}

/// Which packets are lost.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Loss {
    /// Each with the same probability, or leaning on the one before.
    Uniform(Part),
    /// A good and a bad state with a loss probability each (Gilbert 1960, Elliott 1963): losses come in bursts.
    GilbertElliott {
        /// Chance, at each packet, to turn bad.
        good_to_bad: f64,
        /// Chance to turn good: one over the mean number of packets of a bad spell.
        bad_to_good: f64,
        /// Of packets in the bad state.
        loss_in_bad: f64,
        /// Of packets in the good state.
        loss_in_good: f64,
    },
    /// Four states (Salsano, Ludovici, Ordine, Giannuzzi 2012): 1 good, 2 good within a burst, 3 lost within a burst, 4 one
    /// lost alone. Each is the chance to go from a state to another.
    States {
        /// From good into a burst.
        from_1_to_3: f64,
        /// Out of the burst.
        from_3_to_1: f64,
        /// A packet comes through within the burst.
        from_3_to_2: f64,
        /// The next is lost again.
        from_2_to_3: f64,
        /// One is lost alone.
        from_1_to_4: f64,
    },
}

/// Some packets are sent at once, past those that are held.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Reorder {
    /// Which ones.
    pub some: Part,
    /// Only each so-manieth packet is a candidate; at least 1.
    pub gap: u32,
}

/// `struct tc_netem_rate`: a rate, and what each packet or cell has around it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Pace {
    /// How fast.
    pub bytes_per_second: u64,
    /// Bytes that each packet is longer (or shorter) on the emulated wire.
    pub packet_overhead: i32,
    /// Bytes in a cell; 0: no cells.
    pub cell: u32,
    /// Bytes that each cell is longer.
    pub cell_overhead: i32,
}

/// Packets leave in bursts, this long apart.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Slots {
    /// At least.
    pub shortest: Duration,
    /// At most.
    pub longest: Duration,
    /// Packets in each; 0: any number.
    pub packets: u32,
    /// Bytes in each; 0: any number.
    pub bytes: u32,
}

impl Default for Netem {
    fn default() -> Self {
        Self {
            delay: None,
            loss: Loss::Uniform(Part::default()),
            duplicate: Part::default(),
            reorder: None,
            corrupt: Part::default(),
            rate: None,
            slots: None,
            mark_instead_of_loss: false,
            limit: LIMIT,
        }
    }
}

/// How many packets must be allowed to wait so that none is lost for want of room: twice what arrives while the first is
/// held (rule 7). netem's own default of 1000 loses everything above 10,000 packets a second at 100 ms.
pub fn limit_for(packets_per_second: f64, longest: Duration) -> u32 {
    ((2.0 * packets_per_second * longest.as_secs_f64()).ceil() as u32).max(LIMIT)
}

impl Options for Netem {
    fn kind(&self) -> &'static str {
        "netem"
    }

    fn write(&self, to: &mut Message) {
        let delay = |time: fn(&Table) -> Duration| self.delay.as_ref().map_or(0, |delay| ticks(time(&delay.table)));
        let uniform = if let Loss::Uniform(some) = self.loss { some } else { Part::default() };
        // struct tc_netem_qopt
        let head = [
            delay(|table| table.latency),
            self.limit,
            share(uniform.share),
            self.reorder.map_or(0, |reorder| reorder.gap.max(1)),
            share(self.duplicate.share),
            delay(|table| table.jitter),
        ];
        to.nest_after(2, &words(&head), |to| {
            self.write_decisions(uniform, to);
            self.write_slots(to);
            self.loss.write(to);
            self.write_rate(to);
            if let Some(delay) = &self.delay {
                delay.table.write(2, to); // TCA_NETEM_DELAY_DIST
            }
        });
    }
}

impl Netem {
    /// What is decided for each packet. Attributes that say nothing are left out, as `tc` does.
    fn write_decisions(&self, uniform: Part, to: &mut Message) {
        let delay = self.delay.as_ref().map_or(0.0, |delay| delay.correlation);
        let correlations = [delay, uniform.correlation, self.duplicate.correlation];
        // `tc` sends them for a correlated reordering too, though its own stands with its share.
        let reorder = self.reorder.map_or(0.0, |reorder| reorder.some.correlation);
        if correlations.iter().any(|correlation| *correlation > 0.0) || reorder > 0.0 {
            to.attribute(1, &words(&correlations.map(share))); // TCA_NETEM_CORR
        }
        if let Some(Reorder { some, .. }) = self.reorder {
            to.attribute(3, &words(&[share(some.share), share(some.correlation)])); // TCA_NETEM_REORDER
        }
        if self.mark_instead_of_loss {
            to.attribute(7, &words(&[1])); // TCA_NETEM_ECN
        }
        if self.corrupt.share > 0.0 {
            to.attribute(4, &words(&[share(self.corrupt.share), share(self.corrupt.correlation)])); // TCA_NETEM_CORRUPT
        }
    }

    fn write_slots(&self, to: &mut Message) {
        let Some(Slots { shortest, longest, packets, bytes }) = self.slots else { return };
        let nanoseconds = |time: Duration| u64::try_from(time.as_nanos()).unwrap_or(u64::MAX >> 1).to_ne_bytes();
        // struct tc_netem_slot; a distribution of the gaps, its last two numbers, is not used.
        let times = [nanoseconds(shortest), nanoseconds(longest)].concat();
        to.attribute(12, &[&times[..], &words(&[packets, bytes]), &[0; 16]].concat()); // TCA_NETEM_SLOT
    }

    fn write_rate(&self, to: &mut Message) {
        let Some(Pace { bytes_per_second, packet_overhead, cell, cell_overhead }) = self.rate else { return };
        let low = u32::try_from(bytes_per_second);
        if low.is_err() {
            to.attribute(8, &bytes_per_second.to_ne_bytes()); // TCA_NETEM_RATE64
        }
        let low = low.unwrap_or(u32::MAX);
        let pace = [low, packet_overhead.cast_unsigned(), cell, cell_overhead.cast_unsigned()];
        to.attribute(6, &words(&pace)); // TCA_NETEM_RATE
    }
}

impl Loss {
    fn write(&self, to: &mut Message) {
        let (kind, chances) = match *self {
            Self::Uniform(_) => return,
            Self::GilbertElliott { good_to_bad, bad_to_good, loss_in_bad, loss_in_good } => {
                // The third is what comes through in the bad state.
                let through = u32::MAX - share(loss_in_bad);
                (2, vec![share(good_to_bad), share(bad_to_good), through, share(loss_in_good)]) // NETEM_LOSS_GE
            }
            Self::States { from_1_to_3, from_3_to_1, from_3_to_2, from_2_to_3, from_1_to_4 } => {
                let chances = [from_1_to_3, from_3_to_1, from_3_to_2, from_1_to_4, from_2_to_3];
                (1, chances.map(share).to_vec()) // NETEM_LOSS_GI
            }
        };
        to.nest(5, |to| to.attribute(kind, &words(&chances))); // TCA_NETEM_LOSS
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rule_7_the_limit_is_twice_what_arrives_while_a_packet_is_held() {
        assert_eq!(limit_for(20_000.0, Duration::from_millis(500)), 20_000);
        assert_eq!(limit_for(10.0, Duration::from_millis(1)), 1000, "never below the kernel's own");
        assert_eq!(limit_for(1e15, Duration::from_secs(100)), u32::MAX);
    }
}
