//! The filter that knows the fields of a packet by name: no matter where options or extension headers have put them.

use super::super::message::Message;
use super::flow::{Family, Flow, bytes_and_mask};
use super::{Handle, Options};
use crate::netlink::nf_tables::Transport;

/// One filter; all of the flow's conditions stand in it (rule 1).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Flower {
    /// Which packets.
    pub flow: Flow,
    /// They go there.
    pub class: Handle,
}

impl Options for Flower {
    fn kind(&self) -> &'static str {
        "flower"
    }

    fn write(&self, to: &mut Message) {
        let Flow { family, source, destination, transport, from, to: port } = &self.flow;
        let v6 = *family == Family::V6;
        to.nest_after(2, &[], |to| {
            if let Some(transport) = transport {
                to.attribute(9, &[transport.number()]); // TCA_FLOWER_KEY_IP_PROTO
            }
            // TCA_FLOWER_KEY_IPV4_SRC, its mask right behind; the same for the others.
            let (from_kind, to_kind) = if v6 { (14, 16) } else { (10, 12) };
            for (addresses, kind) in [(destination, to_kind), (source, from_kind)] {
                let Some(addresses) = addresses else { continue };
                let (bytes, mask) = bytes_and_mask(*addresses);
                to.attribute(kind, &bytes);
                to.attribute(kind + 1, &mask);
            }
            let udp = *transport == Some(Transport::Udp);
            // One port: TCA_FLOWER_KEY_TCP_SRC 18, TCP_DST 19, UDP_SRC 20, UDP_DST 21. A range: PORT_SRC_MIN 87, PORT_SRC_MAX 88,
            // PORT_DST_MIN 89, PORT_DST_MAX 90.
            let [from_kind, to_kind] = if udp { [20, 21] } else { [18, 19] };
            for (ports, kind, range) in [(port, to_kind, 89), (from, from_kind, 87)] {
                let Some(ports) = ports else { continue };
                if ports.start() == ports.end() {
                    to.attribute(kind, &ports.start().to_be_bytes());
                } else {
                    to.attribute(range, &ports.start().to_be_bytes());
                    to.attribute(range + 1, &ports.end().to_be_bytes());
                }
            }
            to.attribute(1, &self.class.number().to_ne_bytes()); // TCA_FLOWER_CLASSID
            to.attribute(22, &[0; 4]); // TCA_FLOWER_FLAGS
            to.attribute(8, &family.ether_type().to_be_bytes()); // TCA_FLOWER_KEY_ETH_TYPE
        });
    }
}
