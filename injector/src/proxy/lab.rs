//! What the tests of the proxy and of its faults stand on: real servers, a real proxy, real clients.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::{Arc, Mutex};
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

/// The same for thousands of connections at once: one thread serves them all.
pub fn echo_of_many() -> SocketAddr {
    let (tell, told) = std::sync::mpsc::channel();
    std::thread::spawn(move || {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_io().build().unwrap();
        runtime.block_on(async {
            let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
            tell.send(listener.local_addr().unwrap()).unwrap();
            while let Ok((mut socket, _)) = listener.accept().await {
                tokio::spawn(async move {
                    let (mut reader, mut writer) = socket.split();
                    let _ = tokio::io::copy(&mut reader, &mut writer).await;
                });
            }
        });
    });
    told.recv().unwrap()
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

/// Waits until `look` finds the effect (the proxy files a delay just after the client has its bytes) and returns what it
/// says.
pub fn seen(mut look: impl FnMut() -> Seen) -> String {
    let mut said = String::new();
    eventually("the effect is seen", || match look() {
        Seen::Yes(text) => {
            said = text;
            true
        }
        Seen::NotExercised(_) => false,
        Seen::Absent(text) => panic!("absent: {text}"),
    });
    said
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

/// What an HTTP server has been asked: `POST /orders 12` (method, target, bytes of body).
pub type Asked = Arc<Mutex<Vec<String>>>;

/// An HTTP/1.1 server with keep-alive that answers each request with what it was asked. `/slow` takes 100 ms; `/upgrade`
/// becomes an echo.
pub fn http() -> (SocketAddr, Asked) {
    let asked = Asked::default();
    let log = Arc::clone(&asked);
    let address = server(move |socket| {
        let mut http = Http { reader: BufReader::new(socket) };
        while let Some((line, body)) = http.message(false) {
            let words: Vec<_> = line.split(' ').collect();
            let text = format!("{} {} {}", words[0], words[1], body.len());
            log.lock().unwrap().push(text.clone());
            let mut socket = http.reader.get_ref();
            match words[1] {
                "/upgrade" => {
                    socket.write_all(b"HTTP/1.1 101 Switching Protocols\r\nupgrade: echo\r\n\r\n").unwrap();
                    let mut back = socket.try_clone().unwrap();
                    let _ = std::io::copy(&mut http.reader, &mut back);
                    return;
                }
                "/slow" => std::thread::sleep(Duration::from_millis(100)),
                _ => {}
            }
            let body = if words[0] == "HEAD" { "" } else { text.as_str() };
            let reply = format!("HTTP/1.1 200 OK\r\ncontent-length: {}\r\n\r\n{body}", text.len());
            if socket.write_all(reply.as_bytes()).is_err() {
                return;
            }
        }
    });
    (address, asked)
}

/// An HTTP/1.1 server that sends what `answer` makes of method and path, as it is. It closes after a reply that says so.
pub fn http_saying(answer: impl Fn(&str, &str) -> String + Send + Sync + 'static) -> (SocketAddr, Asked) {
    let asked = Asked::default();
    let log = Arc::clone(&asked);
    let address = server(move |socket| {
        let mut http = Http { reader: BufReader::new(socket) };
        while let Some((line, _)) = http.message(false) {
            let words: Vec<_> = line.split(' ').collect();
            log.lock().unwrap().push(format!("{} {}", words[0], words[1]));
            let reply = answer(words[0], words[1]);
            if http.reader.get_ref().write_all(reply.as_bytes()).is_err() || reply.contains("connection: close") {
                return;
            }
        }
    });
    (address, asked)
}

/// One end of an HTTP/1.1 connection.
pub struct Http {
    pub reader: BufReader<TcpStream>,
}

impl Http {
    /// Sends text as it is.
    pub fn send(&mut self, text: &str) {
        self.reader.get_ref().write_all(text.as_bytes()).unwrap();
    }

    /// Status and body of the next reply, `None` after the end.
    pub fn reply(&mut self) -> Option<(u16, String)> {
        self.reply_to(false)
    }

    /// The same, to a HEAD if `bodyless`.
    pub fn reply_to(&mut self, bodyless: bool) -> Option<(u16, String)> {
        let (line, body) = self.message(bodyless)?;
        Some((line.split(' ').nth(1).unwrap().parse().unwrap(), String::from_utf8(body).unwrap()))
    }

    /// Sends a request and waits for its reply.
    pub fn ask(&mut self, text: &str) -> (u16, String) {
        self.send(text);
        self.reply().expect("a reply")
    }

    /// First line and body of the next message.
    fn message(&mut self, bodyless: bool) -> Option<(String, Vec<u8>)> {
        let (head, body) = self.whole(bodyless)?;
        Some((head.into_iter().next()?, body))
    }

    /// The lines of the next message's head and its body: by content-length, by chunked coding, or a reply's until the end.
    pub fn whole(&mut self, bodyless: bool) -> Option<(Vec<String>, Vec<u8>)> {
        let mut head = vec![self.line()?];
        let (mut length, mut chunked) = (None, false);
        loop {
            let line = self.line()?;
            let field = line.to_ascii_lowercase();
            if let Some(value) = field.strip_prefix("content-length: ") {
                length = Some(value.parse().unwrap());
            }
            chunked |= field == "transfer-encoding: chunked";
            if field.contains("100-continue") {
                self.send("HTTP/1.1 100 Continue\r\n\r\n");
            }
            if field.is_empty() {
                break;
            }
            head.push(line);
        }
        let empty = ["204", "304", "100", "101"].iter().any(|status| head[0].contains(&format!("HTTP/1.1 {status}")));
        let mut body = Vec::new();
        if bodyless || empty {
            return Some((head, body));
        }
        if !chunked {
            match length {
                Some(length) => {
                    body.resize(length, 0);
                    self.reader.read_exact(&mut body).ok()?;
                }
                None if head[0].starts_with("HTTP/") => drop(self.reader.read_to_end(&mut body)),
                None => {}
            }
            return Some((head, body));
        }
        loop {
            let line = self.line()?;
            let size = usize::from_str_radix(line.split(';').next().unwrap(), 16).unwrap();
            if size == 0 {
                // Trailers count as head here.
                loop {
                    match self.line()? {
                        line if line.is_empty() => return Some((head, body)),
                        line => head.push(line),
                    }
                }
            }
            let mut chunk = vec![0; size + 2];
            self.reader.read_exact(&mut chunk).ok()?;
            body.extend(&chunk[..size]);
        }
    }

    fn line(&mut self) -> Option<String> {
        let mut line = String::new();
        let read = self.reader.read_line(&mut line).ok()?;
        (read > 0).then(|| line.trim_end().to_owned())
    }
}

impl Lab {
    /// A connection that speaks HTTP.
    pub fn http(&self) -> Http {
        Http { reader: BufReader::new(self.connect()) }
    }
}

pub fn text(name: &'static str, value: &str) -> (&'static str, ParamValue) {
    (name, ParamValue::Text(brunt_scenario::plan::Text::literal(value)))
}

pub fn number(name: &'static str, value: u64) -> (&'static str, ParamValue) {
    (name, ParamValue::Number(value))
}

pub fn names(name: &'static str, values: &[&str]) -> (&'static str, ParamValue) {
    (name, ParamValue::Names(values.iter().map(|value| (*value).to_owned()).collect()))
}

pub fn pairs(name: &'static str, values: &[(&str, &str)]) -> (&'static str, ParamValue) {
    (name, ParamValue::Pairs(values.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect()))
}

pub fn size(name: &'static str, value: u64) -> (&'static str, ParamValue) {
    (name, ParamValue::Size(value))
}
