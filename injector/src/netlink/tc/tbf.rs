//! Token bucket filter: everything that leaves a link, at one rate.

use super::super::message::Message;
use super::rate::Rate;
use super::{Options, words};

/// The qdisc.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Tbf {
    /// How fast.
    pub rate: Rate,
    /// How many bytes it may send at once after a pause; a packet that is larger is lost.
    pub burst: u32,
    /// How many bytes may wait.
    pub limit: u32,
}

impl Options for Tbf {
    fn kind(&self) -> &'static str {
        "tbf"
    }

    fn write(&self, to: &mut Message) {
        let mut parameters = self.rate.spec().to_vec();
        // No peak rate, and so no size of its bucket.
        parameters.extend([0; 12]);
        parameters.extend(words(&[self.limit, self.rate.ticks_for(self.burst), 0]));
        to.nest_after(2, &[], |to| {
            to.attribute(1, &parameters); // TCA_TBF_PARMS
            to.attribute(6, &words(&[self.burst])); // TCA_TBF_BURST
            self.rate.write_large(4, to); // TCA_TBF_RATE64
            to.attribute(2, &self.rate.table()); // TCA_TBF_RTAB
        });
    }
}
