//! The bench's own clients: small enough that what they measure is what lies between them and the server.

use std::collections::VecDeque;
use std::io::{ErrorKind, Read as _, Write as _};
use std::net::TcpStream;
use std::os::fd::AsFd;
use std::time::{Duration, Instant};

use rustix::event::epoll;
use rustix::time::{
    Itimerspec, TimerfdClockId, TimerfdFlags, TimerfdTimerFlags, Timespec, timerfd_create, timerfd_settime,
};

use crate::parts::MEASURED_CORE;

const REQUEST: &[u8] = b"GET / HTTP/1.1\r\nHost: bench\r\n\r\n";
/// Replies that have not come so long after the last request will not come.
const PATIENCE: Duration = Duration::from_secs(5);

/// A connection on which a request follows a reply. All replies are taken to be as long as the first.
pub struct Connection {
    stream: TcpStream,
    length: usize,
    buffer: Vec<u8>,
}

impl Connection {
    /// Connects, and learns from a first exchange how long a reply is.
    pub fn open(address: &str) -> Self {
        let stream = connected(address);
        stream.set_read_timeout(Some(PATIENCE)).expect("a time-out can be set");
        let mut connection = Self { stream, length: 0, buffer: vec![0; 64 * 1024] };
        connection.stream.write_all(REQUEST).expect("the server reads");
        connection.length = connection.first_reply();
        connection
    }

    fn first_reply(&mut self) -> usize {
        let mut reply = Vec::new();
        loop {
            let read = self.stream.read(&mut self.buffer).expect("the server answers");
            assert!(read > 0, "the server hung up");
            reply.extend_from_slice(&self.buffer[..read]);
            let text = String::from_utf8_lossy(&reply);
            let Some((head, body)) = text.split_once("\r\n\r\n") else { continue };
            let length = head.lines().find_map(|line| line.strip_prefix("Content-Length: ")?.parse::<usize>().ok());
            let length = length.expect("replies of these servers have a length");
            if body.len() >= length {
                return head.len() + 4 + length;
            }
        }
    }

    /// One request and its whole reply.
    pub fn ask(&mut self) {
        self.stream.write_all(REQUEST).expect("the server reads");
        let mut left = self.length;
        while left > 0 {
            let read = self.stream.read(&mut self.buffer).expect("the server answers");
            assert!(read > 0 && read <= left, "a reply of another length");
            left -= read;
        }
    }
}

fn connected(address: &str) -> TcpStream {
    let stream = TcpStream::connect(address).unwrap_or_else(|why| panic!("{address}: {why}"));
    stream.set_nodelay(true).expect("TCP can do that");
    stream
}

/// Requests at even distances, spread over connections in turn; no request waits for a reply.
#[derive(Debug, Clone, Copy)]
pub struct Evenly {
    /// How many connections.
    pub connections: usize,
    /// Requests a second, all connections together.
    pub rate: f64,
    /// How long requests are sent.
    pub lasts: Duration,
}

impl Evenly {
    /// Milliseconds from each request's write to the end of its reply. Before that every connection has one exchange which
    /// does not count: whoever lies between has opened its own connections then.
    pub fn latencies_ms(self, address: &str) -> Vec<f64> {
        let length = Connection::open(address).length;
        let mut lines: Vec<Line> = (0..self.connections).map(|_| Line::open(address)).collect();
        let poller = epoll::create(epoll::CreateFlags::CLOEXEC).expect("an epoll");
        for (place, line) in lines.iter().enumerate() {
            let data = epoll::EventData::new_u64(place as u64);
            epoll::add(&poller, &line.stream, data, epoll::EventFlags::IN).expect("a socket can be watched");
        }
        self.exchange(&poller, &mut lines, length, self.connections);
        self.exchange(&poller, &mut lines, length, (self.rate * self.lasts.as_secs_f64()) as usize)
    }

    /// So many requests, and all their replies.
    fn exchange(self, poller: &impl AsFd, lines: &mut [Line], length: usize, total: usize) -> Vec<f64> {
        let mut latencies = Vec::with_capacity(total);
        let mut events = Vec::with_capacity(256);
        let began = Instant::now();
        let due = |number: usize| began + Duration::from_secs_f64(number as f64 / self.rate);
        let give_up = due(total) + PATIENCE;
        let mut sent = 0;
        while latencies.len() < total {
            while sent < total && Instant::now() >= due(sent) {
                lines[sent % self.connections].send();
                sent += 1;
            }
            let until = if sent < total { due(sent) } else { give_up };
            let left = until.saturating_duration_since(Instant::now());
            assert!(sent < total || !left.is_zero(), "{} of {total} replies came", latencies.len());
            let left = Timespec::try_from(left).expect("seconds fit");
            events.clear();
            match epoll::wait(poller, rustix::buffer::spare_capacity(&mut events), Some(&left)) {
                Err(rustix::io::Errno::INTR) => continue,
                other => other.expect("an epoll can be waited for"),
            };
            for event in &events {
                let event: &epoll::Event = event;
                lines[event.data.u64() as usize].receive(length, &mut latencies);
            }
        }
        latencies
    }
}

/// One connection, and when its open requests were written.
struct Line {
    stream: TcpStream,
    open: VecDeque<Instant>,
    received: usize,
}

impl Line {
    fn open(address: &str) -> Self {
        let stream = connected(address);
        stream.set_nonblocking(true).expect("a socket can be non-blocking");
        Self { stream, open: VecDeque::new(), received: 0 }
    }

    fn send(&mut self) {
        self.open.push_back(Instant::now());
        self.stream.write_all(REQUEST).expect("a few requests fit into any socket");
    }

    fn receive(&mut self, length: usize, latencies: &mut Vec<f64>) {
        let mut buffer = [0; 4096];
        match self.stream.read(&mut buffer) {
            Ok(0) => panic!("the server hung up"),
            Ok(read) => self.received += read,
            Err(why) if why.kind() == ErrorKind::WouldBlock => return,
            Err(why) => panic!("a connection broke: {why}"),
        }
        let now = Instant::now();
        while self.received >= length {
            self.received -= length;
            let sent = self.open.pop_front().expect("replies follow requests");
            latencies.push((now - sent).as_secs_f64() * 1e3);
        }
    }
}

/// How many milliseconds late the kernel wakes a thread on the measured core that waits for even instants and nothing else.
pub fn timer_lateness_ms(rate: f64, lasts: Duration) -> Vec<f64> {
    let wait = move || {
        let mut core = rustix::thread::CpuSet::new();
        core.set(MEASURED_CORE);
        rustix::thread::sched_setaffinity(None, &core).expect("a machine of two cores has the second");
        let timer = timerfd_create(TimerfdClockId::Monotonic, TimerfdFlags::CLOEXEC).expect("a timer");
        let began = Instant::now();
        let wait_until = |due: Instant| {
            let left = due.saturating_duration_since(Instant::now()).max(Duration::from_nanos(1));
            let once = Itimerspec { it_interval: Timespec::default(), it_value: left.try_into().expect("seconds fit") };
            timerfd_settime(&timer, TimerfdTimerFlags::empty(), &once).expect("a timer can be set");
            rustix::io::read(&timer, &mut [0; 8]).expect("a timer expires");
            due.elapsed().as_secs_f64() * 1e3
        };
        let total = (rate * lasts.as_secs_f64()) as u32;
        (1..=total).map(|number| wait_until(began + Duration::from_secs_f64(f64::from(number) / rate))).collect()
    };
    std::thread::spawn(wait).join().expect("waiting cannot fail")
}

/// Bytes a second that come by themselves after a first moment, in which buffers fill.
pub fn bytes_a_second(address: &str, first: Duration, span: Duration) -> f64 {
    let mut stream = connected(address);
    stream.set_read_timeout(Some(PATIENCE)).expect("a time-out can be set");
    let mut buffer = vec![0; 64 * 1024];
    let began = Instant::now();
    // From one arrival to another: a chunk that came just before the span does not count, the last one does.
    let (mut from, mut bytes) = (None, 0);
    loop {
        let read = stream.read(&mut buffer).expect("bytes come");
        assert!(read > 0, "the sender hung up");
        let now = Instant::now();
        match from {
            None if now - began >= first => from = Some(now),
            None => {}
            Some(from) => {
                bytes += read;
                if now - from >= span {
                    return bytes as f64 / (now - from).as_secs_f64();
                }
            }
        }
    }
}

/// Posts JSON; fails unless the answer is a success.
pub fn post(address: &str, path: &str, json: &str) {
    let mut stream = connected(address);
    let length = json.len();
    let request = format!(
        "POST {path} HTTP/1.1\r\nHost: {address}\r\nContent-Type: application/json\r\nConnection: close\r\n\
         Content-Length: {length}\r\n\r\n{json}"
    );
    stream.write_all(request.as_bytes()).expect("the API reads");
    let mut reply = String::new();
    stream.read_to_string(&mut reply).expect("the API answers in text");
    assert!(reply.starts_with("HTTP/1.1 2"), "POST {path} {json}: {reply}");
}
