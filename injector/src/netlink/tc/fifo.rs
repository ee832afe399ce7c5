//! First in, first out, with a limit of our own: the kernel's is the link's txqueuelen, which may be 0 (rule 7).

use super::super::message::Message;
use super::{Options, words};

/// The qdisc.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fifo {
    /// So many packets may wait.
    Packets(u32),
    /// So many bytes may wait.
    Bytes(u32),
}

impl Options for Fifo {
    fn kind(&self) -> &'static str {
        match self {
            Self::Packets(_) => "pfifo",
            Self::Bytes(_) => "bfifo",
        }
    }

    fn write(&self, to: &mut Message) {
        let (Self::Packets(limit) | Self::Bytes(limit)) = self;
        to.attribute(2, &words(&[*limit])); // TCA_OPTIONS
    }
}
