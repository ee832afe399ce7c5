//! Ports for parts whose configuration wants to know them before anything listens.

use std::net::{Ipv4Addr, TcpListener};
use std::sync::atomic::{AtomicU16, Ordering};

/// Well below the range from which the kernel takes source ports of clients: what is killed and started again must find
/// its port free. brunt looks for the ports of its services above 10,240, so below that it does not meet these.
const LOWEST: u16 = 5_200;
const HIGHEST: u16 = 9_900;

/// So many ports of 127.0.0.1 on which nobody listens now; no two calls of one process get the same.
pub fn free<const N: usize>() -> [u16; N] {
    static TAKEN: AtomicU16 = AtomicU16::new(0);
    let width = HIGHEST - LOWEST;
    // Two test programs side by side begin at different places.
    let start = u16::try_from(std::process::id() % u32::from(width)).expect("smaller than a u16");
    std::array::from_fn(|_| {
        let ports = std::iter::repeat_with(|| {
            let step = TAKEN.fetch_add(1, Ordering::Relaxed);
            LOWEST + (start + step % width) % width
        });
        let is_free = |port: &u16| TcpListener::bind((Ipv4Addr::LOCALHOST, *port)).is_ok();
        ports.take(width.into()).find(is_free).expect("a machine for tests has free ports")
    })
}
