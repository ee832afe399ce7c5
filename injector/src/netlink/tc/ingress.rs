//! Where filters see what arrives at a link. It queues nothing; a filter's action can send packets through another link.

use super::super::message::Message;
use super::{Handle, Options, Place};

/// The qdisc.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Ingress;

impl Ingress {
    /// Its handle, which is always the same.
    pub const HANDLE: Handle = Handle::qdisc(0xffff);

    /// Where it is on a link.
    pub fn place(link: u32) -> Place {
        Place { link, parent: Handle::INGRESS, handle: Self::HANDLE }
    }
}

impl Options for Ingress {
    fn kind(&self) -> &'static str {
        "ingress"
    }

    fn write(&self, _: &mut Message) {}
}
