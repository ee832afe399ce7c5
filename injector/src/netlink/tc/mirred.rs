//! The action that sends a packet out of another link.

use super::super::message::Message;
use super::words;

/// What arrives here leaves there instead.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Redirect {
    /// The other link's index: an IFB, whose qdisc then acts on what arrives.
    pub to: u32,
}

impl Redirect {
    /// Adds it to a filter's list of actions.
    pub(super) fn write(self, actions: u16, to: &mut Message) {
        /// `TC_ACT_STOLEN`: the packet is no longer here. `TCA_EGRESS_REDIR`: it leaves there.
        const STOLEN: u32 = 4;
        const EGRESS_REDIRECT: u32 = 1;
        to.nest_after(actions, &[], |to| {
            // The first action.
            to.nest_after(1, &[], |to| {
                to.name(1, "mirred"); // TCA_ACT_KIND
                to.nest(2, |to| {
                    // TCA_ACT_OPTIONS { TCA_MIRRED_PARMS { index, capabilities, action, references, bindings, how, link } }
                    to.attribute(2, &words(&[0, 0, STOLEN, 0, 0, EGRESS_REDIRECT, self.to]));
                });
            });
        });
    }
}
