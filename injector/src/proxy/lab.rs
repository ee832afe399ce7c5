//! What the tests of the proxy and of its faults stand on: real servers, a real proxy, real clients.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::Arc;
use std::time::{Duration, Instant};

use brunt_scenario::plan::{ParamValue, Params};
use brunt_scenario::units::Share;

use super::{Counted, FaultCounters, Proxy, StreamFault};
use crate::fault::Seen;
use crate::fault::link::stream_fault;

/// Lets this process open as many descriptors as it ever may: a thousand connections take three thousand.
pub fn allow_many_descriptors() {
    use nix::sys::resource::{Resource, getrlimit, setrlimit};
    let (_, hard) = getrlimit(Resource::RLIMIT_NOFILE).unwrap();
    setrlimit(Resource::RLIMIT_NOFILE, hard, hard).unwrap();
}

/// The only link.
pub const LINK: &str = "wire";

/// A server that answers every connection by `serve`, each on a thread of its own. Lives as long as the test process.
pub fn server(serve: impl Fn(TcpStream) + Send + Sync + 'static) -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    let serve = Arc::new(serve);
    std::thread::spawn(move || {
        for socket in listener.incoming().flatten() {
            socket.set_nodelay(true).unwrap();
            let serve = Arc::clone(&serve);
            std::thread::spawn(move || serve(socket));
        }
    });
    address
}

/// A server that sends back what it gets, until the client closes its half.
pub fn echo() -> SocketAddr {
    server(|mut socket| {
        let mut writer = socket.try_clone().unwrap();
        let _ = std::io::copy(&mut socket, &mut writer);
        let _ = socket.shutdown(std::net::Shutdown::Write);
    })
}

/// A proxy with one link to one server.
pub struct Lab {
    pub proxy: Arc<Proxy>,
    pub address: SocketAddr,
}

impl Lab {
    pub fn new(upstream: SocketAddr) -> Self {
        let proxy = Proxy::start(7).unwrap();
        let address = proxy.open(LINK, false, vec![upstream.to_string()], None).unwrap()[0];
        Self { proxy: Arc::new(proxy), address }
    }

    pub fn connect(&self) -> TcpStream {
        let socket = TcpStream::connect(self.address).unwrap();
        socket.set_nodelay(true).unwrap();
        socket.set_read_timeout(Some(Duration::from_secs(10))).unwrap();
        socket
    }

    pub fn add(&self, id: &str, fault: StreamFault) -> Arc<FaultCounters> {
        self.proxy.add(LINK, 0, id, fault).unwrap()
    }

    pub fn remove(&self, id: &str) {
        self.proxy.remove(LINK, 0, id).unwrap();
    }

    /// What `verify` says of `fault`, given its counters.
    pub fn verify(&self, fault: &StreamFault, counters: &Arc<FaultCounters>) -> Seen {
        fault.verify(&Counted::sum([counters]), &mut || self.proxy.look(LINK, 0).unwrap())
    }
}

/// A fault of the catalogue by its parameters.
pub fn fault(kind: &str, with: &[(&'static str, ParamValue)]) -> StreamFault {
    stream_fault(kind, &Params(with.iter().cloned().collect())).expect("the kind is built").unwrap()
}

pub fn ms(name: &'static str, value: u64) -> (&'static str, ParamValue) {
    (name, ParamValue::Duration(Duration::from_millis(value)))
}

pub fn word(name: &'static str, value: &'static str) -> (&'static str, ParamValue) {
    (name, ParamValue::Word(value))
}

pub fn share(value: f64) -> (&'static str, ParamValue) {
    ("share", ParamValue::Percent(Share(value)))
}

/// Sends `text` and reads as many bytes back. How long that took.
pub fn round_trip(socket: &mut TcpStream, text: &[u8]) -> Duration {
    let start = Instant::now();
    socket.write_all(text).unwrap();
    let mut back = vec![0; text.len()];
    socket.read_exact(&mut back).unwrap();
    assert_eq!(back, text);
    start.elapsed()
}

/// Whether nothing can be read for `span`.
pub fn is_silent_for(socket: &mut TcpStream, span: Duration) -> bool {
    let before = socket.read_timeout().unwrap();
    socket.set_read_timeout(Some(span)).unwrap();
    let read = socket.read(&mut [0; 1]);
    socket.set_read_timeout(before).unwrap();
    read.is_err_and(|error| matches!(error.kind(), std::io::ErrorKind::WouldBlock | std::io::ErrorKind::TimedOut))
}

/// Whether the connection ends with a reset.
pub fn is_reset(socket: &mut TcpStream) -> bool {
    socket.read(&mut [0; 1]).is_err_and(|error| error.kind() == std::io::ErrorKind::ConnectionReset)
}

/// Waits until `condition` holds, at most five seconds.
pub fn eventually(what: &str, mut condition: impl FnMut() -> bool) {
    let start = Instant::now();
    while !condition() {
        assert!(start.elapsed() < Duration::from_secs(5), "not within 5 s: {what}");
        std::thread::sleep(Duration::from_millis(1));
    }
}
