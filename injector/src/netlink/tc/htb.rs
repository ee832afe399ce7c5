//! Hierarchical token bucket: classes with a rate each, and what is in no class passes untouched.

use super::super::message::Message;
use super::rate::Rate;
use super::{Options, words};

/// The qdisc. Without a default class, what no filter and no priority puts into a class is sent at once, as if the qdisc were
/// not there: that makes one that was left behind inert.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Htb {
    /// How many packets of those may wait while the link is busy. Said, because the kernel otherwise takes the link's
    /// txqueuelen, which may be 0 (rule 7).
    pub direct_packets: u32,
}

impl Options for Htb {
    fn kind(&self) -> &'static str {
        "htb"
    }

    fn write(&self, to: &mut Message) {
        /// The only version that there is, and the divisor of rates for quanta.
        const VERSION_AND_DIVISOR: [u32; 2] = [3, 10];
        let [version, divisor] = VERSION_AND_DIVISOR;
        to.nest_after(2, &[], |to| {
            to.attribute(2, &words(&[version, divisor, 0, 0, 0])); // TCA_HTB_INIT: no default class, no debugging
            to.attribute(5, &words(&[self.direct_packets])); // TCA_HTB_DIRECT_QLEN
        });
    }
}

/// A class that sends at its rate and never borrows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Class {
    /// How fast.
    pub rate: Rate,
    /// How many bytes it may send at once after a pause.
    pub burst: u32,
}

impl Options for Class {
    fn kind(&self) -> &'static str {
        "htb"
    }

    fn write(&self, to: &mut Message) {
        let burst = self.rate.ticks_for(self.burst);
        let mut parameters = [self.rate.spec(), self.rate.spec()].concat();
        // Burst at the rate and at the ceiling, then quantum, level and priority: the kernel's choice.
        parameters.extend(words(&[burst, burst, 0, 0, 0]));
        to.nest_after(2, &[], |to| {
            self.rate.write_large(6, to); // TCA_HTB_RATE64
            self.rate.write_large(7, to); // TCA_HTB_CEIL64
            to.attribute(1, &parameters); // TCA_HTB_PARMS
            to.attribute(4, &self.rate.table()); // TCA_HTB_RTAB
            to.attribute(3, &self.rate.table()); // TCA_HTB_CTAB
        });
    }
}
