//! Answers every HTTP/1.1 request with 200 and two bytes, from one thread, as fast as it can; on demand it freezes
//! everything for a while at fixed times, which is what a garbage collector or a stalled disk looks like from outside.
//!
//! `answering [--port N] [--any-address 1] [--core N] [--segments 1|2] [--freeze-ms N --every-ms N]` prints `listening on HOST:PORT`, then serves until it is
//! killed. Replies have no reason to wait but the freeze, so the truth about their latency is known: with 500 ms each 5 s
//! and even arrivals a tenth of the requests waits, evenly between 0 and 500 ms: p95 is 250 ms, p99 is 450 ms.

use std::collections::HashMap;
use std::io::{self, ErrorKind, Read as _, Write as _};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, TcpListener, TcpStream};
use std::os::fd::AsRawFd as _;
use std::time::{Duration, Instant};

use rustix::event::epoll;
use rustix::net::{AddressFamily, SocketType};

const REPLY: &[u8] = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok";
/// A thousand clients may connect during one freeze.
const BACKLOG: i32 = 4096;

fn main() -> io::Result<()> {
    let wanted = Wanted::from_args(std::env::args().skip(1))?;
    if let Some(core) = wanted.core {
        let mut cores = rustix::thread::CpuSet::new();
        cores.set(core);
        // A machine of one core has no core to choose; the service is then as good as it can be.
        let _ = rustix::thread::sched_setaffinity(None, &cores);
    }
    // That of IPv6 takes both.
    let address: IpAddr = if wanted.any_address { Ipv6Addr::UNSPECIFIED.into() } else { Ipv4Addr::LOCALHOST.into() };
    let listener = listen(SocketAddr::from((address, wanted.port)))?;
    println!("listening on {}", listener.local_addr()?);
    serve(&listener, wanted.freeze, wanted.in_two)
}

#[derive(Default)]
struct Wanted {
    port: u16,
    any_address: bool,
    core: Option<usize>,
    freeze: Option<Freeze>,
    in_two: bool,
}

#[derive(Clone, Copy)]
struct Freeze {
    lasts: Duration,
    every: Duration,
}

impl Wanted {
    fn from_args(mut args: impl Iterator<Item = String>) -> io::Result<Self> {
        let bad = |what: &str| io::Error::new(ErrorKind::InvalidInput, what.to_owned());
        let mut wanted = Self::default();
        let (mut lasts, mut every) = (0, 0);
        while let Some(name) = args.next() {
            let value: u32 = args.next().and_then(|text| text.parse().ok()).ok_or_else(|| bad(&name))?;
            match name.as_str() {
                "--port" => wanted.port = u16::try_from(value).map_err(|_| bad(&name))?,
                "--any-address" => wanted.any_address = value == 1,
                "--core" => wanted.core = Some(value as usize),
                "--segments" => wanted.in_two = value == 2,
                "--freeze-ms" => lasts = value,
                "--every-ms" => every = value,
                _ => return Err(bad(&name)),
            }
        }
        if every > 0 {
            let millis = |value: u32| Duration::from_millis(value.into());
            wanted.freeze = Some(Freeze { lasts: millis(lasts), every: millis(every) });
        }
        Ok(wanted)
    }
}

/// std's listener has a backlog that a freeze would overflow.
fn listen(address: SocketAddr) -> io::Result<TcpListener> {
    let family = if address.is_ipv6() { AddressFamily::INET6 } else { AddressFamily::INET };
    let socket = rustix::net::socket(family, SocketType::STREAM, None)?;
    if address.is_ipv6() {
        rustix::net::sockopt::set_ipv6_v6only(&socket, false)?;
    }
    rustix::net::sockopt::set_socket_reuseaddr(&socket, true)?;
    rustix::net::bind(&socket, &address)?;
    rustix::net::listen(&socket, BACKLOG)?;
    let listener = TcpListener::from(socket);
    listener.set_nonblocking(true)?;
    Ok(listener)
}

fn serve(listener: &TcpListener, freeze: Option<Freeze>, in_two: bool) -> io::Result<()> {
    const NEW: u64 = u64::MAX;
    let poller = epoll::create(epoll::CreateFlags::CLOEXEC)?;
    epoll::add(&poller, listener, epoll::EventData::new_u64(NEW), epoll::EventFlags::IN)?;
    let mut connections: HashMap<u64, Connection> = HashMap::new();
    // The first freeze comes after half a period: a load that begins now and lasts whole periods sees each freeze whole,
    // where a freeze that is due as the load ends would be cut off and make the known share wrong.
    let mut next_freeze = freeze.map(|freeze| Instant::now() + freeze.every / 2);
    let mut events = Vec::with_capacity(256);
    loop {
        if let (Some(at), Some(freeze)) = (next_freeze, freeze)
            && Instant::now() >= at
        {
            std::thread::sleep((at + freeze.lasts).saturating_duration_since(Instant::now()));
            next_freeze = Some(at + freeze.every);
        }
        let left = next_freeze.map(|at| at.saturating_duration_since(Instant::now()));
        let left = left.map(|left| rustix::event::Timespec::try_from(left).expect("a few seconds fit"));
        events.clear();
        match epoll::wait(&poller, rustix::buffer::spare_capacity(&mut events), left.as_ref()) {
            Err(rustix::io::Errno::INTR) => continue,
            other => other?,
        };
        for event in &events {
            match event.data.u64() {
                NEW => accept_all(listener, &poller, &mut connections)?,
                id => {
                    if connections.get_mut(&id).is_some_and(|connection| connection.answer(in_two).is_err()) {
                        connections.remove(&id);
                    }
                }
            }
        }
    }
}

fn accept_all(
    listener: &TcpListener,
    poller: &impl std::os::fd::AsFd,
    connections: &mut HashMap<u64, Connection>,
) -> io::Result<()> {
    loop {
        match listener.accept() {
            Ok((stream, _)) => {
                stream.set_nonblocking(true)?;
                stream.set_nodelay(true)?;
                let id = stream.as_raw_fd() as u64;
                epoll::add(poller, &stream, epoll::EventData::new_u64(id), epoll::EventFlags::IN)?;
                connections.insert(id, Connection { stream, head: Vec::new() });
            }
            Err(why) if why.kind() == ErrorKind::WouldBlock => return Ok(()),
            Err(why) if why.kind() == ErrorKind::ConnectionAborted => {}
            Err(why) => return Err(why),
        }
    }
}

struct Connection {
    stream: TcpStream,
    /// The beginning of a request whose end has not come yet.
    head: Vec<u8>,
}

impl Connection {
    /// Answers all whole requests that have come. Bodies are not looked for: the stories only send GETs here. An error is
    /// the end of the connection.
    fn answer(&mut self, in_two: bool) -> io::Result<()> {
        let mut buffer = [0; 8192];
        loop {
            match self.stream.read(&mut buffer) {
                Ok(0) => return Err(ErrorKind::UnexpectedEof.into()),
                Ok(read) => self.head.extend_from_slice(&buffer[..read]),
                Err(why) if why.kind() == ErrorKind::WouldBlock => return Ok(()),
                Err(why) => return Err(why),
            }
            while let Some(end) = self.head.windows(4).position(|four| four == b"\r\n\r\n") {
                self.head.drain(..end + 4);
                // Nothing is held back (TCP_NODELAY), so two writes are two segments.
                let (head, body) = REPLY.split_at(if in_two { REPLY.len() / 2 } else { REPLY.len() });
                self.stream.write_all(head)?;
                self.stream.write_all(body)?;
            }
        }
    }
}
