//! Bands: the first one that has a packet sends it.

use super::super::message::Message;
use super::Options;

/// Three bands, and all that no filter and no priority puts elsewhere goes into the first. The kernel's own map would put
/// packets into bands by their type of service, without any filter: the third one sees traffic that nobody sent there (rule 2).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Prio;

impl Options for Prio {
    fn kind(&self) -> &'static str {
        "prio"
    }

    fn write(&self, to: &mut Message) {
        const BANDS: u32 = 3;
        const MAP: [u8; 16] = [0; 16];
        // The empty nest behind the struct is where `multiq` would have its options.
        to.nest_after(2, &[&BANDS.to_ne_bytes()[..], &MAP].concat(), |to| to.attribute(2, &[]));
    }
}
