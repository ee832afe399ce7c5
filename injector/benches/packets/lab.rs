//! Two network namespaces with a wire between them, and datagrams that know when they were sent.

use std::net::{IpAddr, SocketAddr, UdpSocket};
use std::os::fd::{AsFd, AsRawFd};
use std::process::Command;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::sync::{Arc, Barrier};
use std::time::{Duration, Instant};

use brunt_injector::namespace::Namespace;
use brunt_injector::netlink::nf_tables::{Hook, Match, Transport};
use brunt_injector::packets::queue::{Path, Queue, Treatment};
use rustix::thread::{CpuSet, sched_setaffinity, set_current_timer_slack};

pub const PORT: u16 = 4714;
const LEASE: Duration = Duration::from_secs(60);

/// Runs this program again with a network of its own, unless it is there already; an ordinary user needs a user namespace of
/// his own for it, where he is root but may not ask to be woken first.
pub fn enter() {
    const THERE: &str = "BRUNT_BENCH_IN_NAMESPACE";
    if std::env::var_os(THERE).is_some() {
        return;
    }
    let mut command = Command::new("unshare");
    if !rustix::process::geteuid().is_root() {
        command.args(["--user", "--map-root-user"]);
    }
    command.args(["--net", "--"]).arg(std::env::current_exe().expect("it runs"));
    let status =
        command.args(std::env::args().skip(1)).env(THERE, "1").status().expect("unshare is part of util-linux");
    std::process::exit(status.code().unwrap_or(1));
}

/// Which way packets go, seen from the namespace with the fault.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Way {
    To,
    From,
}

impl Way {
    pub const BOTH: [Self; 2] = [Self::To, Self::From];

    pub fn word(self) -> &'static str {
        match self {
            Self::To => "to",
            Self::From => "from",
        }
    }

    fn hook(self) -> Hook {
        match self {
            Self::To => Hook::Prerouting,
            Self::From => Hook::Output,
        }
    }
}

pub struct Lab {
    /// The faults are here.
    pub target: Namespace,
    pub peer: Namespace,
}

impl Lab {
    pub fn new() -> Self {
        let [target, peer] = [(); 2].map(|()| Namespace::new().expect("root in a user namespace"));
        let netns = format!("/proc/{}/fd/{}", std::process::id(), peer.as_fd().as_raw_fd());
        ip(&target, &format!("link add v0 type veth peer name v0 netns {netns}"));
        for (namespace, host) in [(&target, 1), (&peer, 2)] {
            ip(namespace, &format!("addr add 10.9.0.{host}/24 dev v0"));
            ip(namespace, &format!("-6 addr add fd09::{host}/64 dev v0 nodad"));
            ip(namespace, "link set v0 up");
        }
        Self { target, peer }
    }

    /// The queue in the target's namespace.
    pub fn queue(&self, way: Way, transport: Transport, treatment: &Treatment) -> Queue {
        let path = Path {
            hook: way.hook(),
            any_of: vec![vec![Match::Transport(transport), Match::To(PORT)]],
            but_not: Vec::new(),
        };
        // The thread of the queue inherits this one's core.
        on_core(1);
        let queue = Queue::start(&self.target, &path, treatment, 42, "brunt-bench", LEASE).expect("it starts");
        any_core();
        queue
    }

    /// Who sends and who receives, and their sockets.
    pub fn sockets(&self, way: Way, address: &str) -> (UdpSocket, UdpSocket) {
        let [target, peer]: [IpAddr; 2] =
            [1, 2].map(|host| address.replace('?', &host.to_string()).parse().expect("an address"));
        let bind = |namespace: &Namespace, address, port| {
            let bound = namespace.inside(|| UdpSocket::bind(SocketAddr::new(address, port)));
            let socket = bound.expect("it can be entered").expect("the address is there");
            socket2::SockRef::from(&socket).set_recv_buffer_size(8 << 20).expect("as much as is allowed");
            socket
        };
        let (sender, receiver) = match way {
            Way::To => (bind(&self.peer, peer, 0), bind(&self.target, target, PORT)),
            Way::From => (bind(&self.target, target, 0), bind(&self.peer, peer, PORT)),
        };
        sender.connect(receiver.local_addr().expect("it is bound")).expect("a datagram socket");
        (sender, receiver)
    }
}

pub const V4: &str = "10.9.0.?";
pub const V6: &str = "fd09::?";

pub fn ip(namespace: &Namespace, words: &str) {
    let ran = namespace.inside(|| Command::new("ip").args(words.split(' ')).output());
    let ran = ran.expect("it can be entered").expect("iproute2 is installed");
    assert!(ran.status.success(), "ip {words}: {}", String::from_utf8_lossy(&ran.stderr));
}

pub fn on_core(core: usize) {
    let mut cores = CpuSet::new();
    cores.set(core);
    // With one core only there is nothing to choose.
    let _ = sched_setaffinity(None, &cores);
}

pub fn any_core() {
    let mut cores = CpuSet::new();
    (0..CpuSet::MAX_CPU).for_each(|core| cores.set(core));
    let _ = sched_setaffinity(None, &cores);
}

/// What arrived.
pub struct Arrived {
    pub sent: u32,
    /// From sending to receiving, of each that came, in the order of arrival.
    pub took: Vec<Duration>,
    pub numbers: Vec<u32>,
    /// How long sending took.
    pub span: Duration,
}

/// Sends `many` datagrams of 64 bytes, evenly at `rate` a second (0: as fast as it goes), and receives until none has come
/// for `patience`.
pub fn stream(sender: UdpSocket, receiver: UdpSocket, many: u32, rate: u32, patience: Duration) -> Arrived {
    let began = Instant::now();
    let together = Arc::new(Barrier::new(2));
    let sending = Arc::new(AtomicBool::new(true));
    let (start, still) = (Arc::clone(&together), Arc::clone(&sending));
    let receiving = std::thread::spawn(move || {
        on_core(0);
        receiver.set_read_timeout(Some(patience)).expect("not zero");
        let (mut took, mut numbers) = (Vec::with_capacity(many as usize), Vec::with_capacity(many as usize));
        let mut buffer = [0; 64];
        start.wait();
        loop {
            match receiver.recv(&mut buffer) {
                Ok(_) => {
                    let (number, sent) = read(&buffer);
                    took.push(began.elapsed().saturating_sub(sent));
                    numbers.push(number);
                }
                Err(_) if still.load(Relaxed) => {}
                Err(_) => return (took, numbers),
            }
        }
    });
    on_core(0);
    let _ = set_current_timer_slack(std::num::NonZeroU64::new(1));
    together.wait();
    let first = Instant::now();
    for number in 0..many {
        if rate > 0 {
            let due = first + Duration::from_secs(1) * number / rate;
            let left = due.saturating_duration_since(Instant::now());
            if !left.is_zero() {
                std::thread::sleep(left);
            }
        }
        sender.send(&written(number, began.elapsed())).expect("the buffer has room, or it waits");
    }
    let span = first.elapsed();
    sending.store(false, Relaxed);
    let (took, numbers) = receiving.join().expect("it does not panic");
    any_core();
    Arrived { sent: many, took, numbers, span }
}

/// One datagram at a time, each sent when the last has come.
pub fn one_by_one(sender: &UdpSocket, receiver: &UdpSocket, many: u32) -> Vec<Duration> {
    receiver.set_read_timeout(Some(Duration::from_secs(5))).expect("not zero");
    (0..many)
        .map(|number| {
            let began = Instant::now();
            sender.send(&written(number, Duration::ZERO)).expect("there is room for one");
            receiver.recv(&mut [0; 64]).expect("it comes");
            began.elapsed()
        })
        .collect()
}

fn written(number: u32, sent: Duration) -> [u8; 64] {
    let mut bytes = [0; 64];
    bytes[..4].copy_from_slice(&number.to_be_bytes());
    bytes[4..12].copy_from_slice(&u64::try_from(sent.as_nanos()).expect("less than centuries").to_be_bytes());
    bytes
}

fn read(bytes: &[u8; 64]) -> (u32, Duration) {
    let (number, rest) = bytes.split_first_chunk().expect("64 bytes");
    let sent = rest.first_chunk().expect("60 bytes");
    (u32::from_be_bytes(*number), Duration::from_nanos(u64::from_be_bytes(*sent)))
}

/// Processor time of the queue's thread so far.
pub fn thread_time() -> Duration {
    const A_SECOND: f64 = 100.0;
    let tasks = std::fs::read_dir("/proc/self/task").expect("/proc is mounted").flatten();
    let of = |task: std::fs::DirEntry| {
        let stat = std::fs::read_to_string(task.path().join("stat")).ok()?;
        let (_, after) = stat.split_once("(brunt-packets) ")?;
        let mut words = after.split(' ').skip(11);
        let [user, system]: [f64; 2] = [words.next()?.parse().ok()?, words.next()?.parse().ok()?];
        Some((user + system) / A_SECOND)
    };
    Duration::from_secs_f64(tasks.filter_map(of).sum())
}
