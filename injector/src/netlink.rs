//! Netlink by hand: how this crate talks to the kernel about packets, without `tc`, `nft` or `iptables`.
//!
//! An agent in an empty image has none of those programs, and none of them can hold an owner table: it lives as long as the
//! socket that made it, so the rules of a killed agent are gone before anybody could clean up. `message` writes and reads
//! the bytes, `socket` carries them and turns answers into errors, `nf_tables` knows the firewall's messages, `queue` those about
//! packets that wait for a verdict, `tc` those of traffic control; `link`, `address` and `route` know those of interfaces, from
//! which the networks of isolated services are built.
//!
//! Sources: `include/uapi/linux/netlink.h`, `linux/netfilter/nf_tables.h`, `linux/netfilter/nfnetlink.h`,
//! `linux/rtnetlink.h`, `linux/if_link.h`, `linux/if_addr.h`.

pub mod address;
pub mod link;
pub mod message;
pub mod nf_tables;
pub mod queue;
pub mod route;
pub mod socket;
pub mod tc;
#[cfg(test)]
pub(crate) mod testing;

pub use message::Message;
pub use socket::Socket;
