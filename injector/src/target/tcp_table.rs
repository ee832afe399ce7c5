//! The TCP sockets of a network namespace, as `/proc/<pid>/net/tcp` and `tcp6` list them (proc_pid_net(5)). Read by those who
//! look for a listener, and by those who count connections.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

/// The state of a connection.
pub const ESTABLISHED: u8 = 0x01;
/// The state of a listener.
pub const LISTEN: u8 = 0x0A;

/// A socket.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Row {
    /// Its own address; one that carries IPv4 in IPv6 stands as IPv4.
    pub local: SocketAddr,
    /// That of its peer.
    pub remote: SocketAddr,
    /// As a number.
    pub state: u8,
    /// As descriptors link to it. 0 while no process has it: a connection that nobody has accepted yet.
    pub inode: u64,
}

/// The sockets of a table; lines that do not fit are left out.
pub fn rows(table: &str) -> impl Iterator<Item = Row> {
    table.lines().skip(1).filter_map(row)
}

fn row(line: &str) -> Option<Row> {
    let mut fields = line.split_ascii_whitespace().skip(1);
    let local = address(fields.next()?)?;
    let remote = address(fields.next()?)?;
    let state = u8::from_str_radix(fields.next()?, 16).ok()?;
    let inode = fields.nth(5)?.parse().ok()?;
    Some(Row { local, remote, state, inode })
}

/// `0100007F:1F90`: each word of four bytes is printed as a number of the machine, the port as people read it.
fn address(text: &str) -> Option<SocketAddr> {
    let (address, port) = text.split_once(':')?;
    let port = u16::from_str_radix(port, 16).ok()?;
    let word = |at: usize| Some(u32::from_str_radix(address.get(at..at + 8)?, 16).ok()?.to_ne_bytes());
    let address = match address.len() {
        8 => IpAddr::V4(Ipv4Addr::from(word(0)?)),
        32 => {
            let words = [word(0)?, word(8)?, word(16)?, word(24)?];
            let bytes: [u8; 16] = words.concat().try_into().ok()?;
            IpAddr::V6(Ipv6Addr::from(bytes)).to_canonical()
        }
        _ => return None,
    };
    Some(SocketAddr::new(address, port))
}

#[cfg(test)]
mod tests {
    use std::net::{TcpListener, TcpStream};

    use super::*;

    fn own() -> Vec<Row> {
        let read = |name| std::fs::read_to_string(format!("/proc/self/net/{name}")).unwrap_or_default();
        rows(&read("tcp")).chain(rows(&read("tcp6"))).collect()
    }

    #[test]
    fn a_connection_stands_there_with_both_its_ends_and_nobody_has_it_until_it_is_accepted() {
        for here in ["127.0.0.1:0", "[::1]:0", "[::]:0"] {
            let Ok(listener) = TcpListener::bind(here) else {
                assert!(here.contains("::"), "a machine without IPv6 has 127.0.0.1");
                continue;
            };
            let port = listener.local_addr().unwrap().port();
            // An IPv4 client of a listener on [::] stands in the table of IPv6.
            let host = if here.starts_with("[::1]") { "[::1]" } else { "127.0.0.1" };
            let client = TcpStream::connect(format!("{host}:{port}")).unwrap();
            let own_address = client.local_addr().unwrap();
            let of_server = || own().into_iter().find(|row| row.local.port() == port && row.remote == own_address);
            let waits = of_server().unwrap();
            assert_eq!((waits.state, waits.inode), (ESTABLISHED, 0), "{here}");
            let _server = listener.accept().unwrap();
            assert_ne!(of_server().unwrap().inode, 0, "{here}");
            assert!(own().iter().any(|row| row.state == LISTEN && row.local.port() == port));
        }
    }

    proptest::proptest! {
        #[test]
        fn no_text_makes_the_parser_panic(text in "(\\PC|\n| |:|[0-9A-F]{8}){0,60}") {
            let _ = rows(&text).count();
        }
    }
}
