//! How well delays are kept under the loads that the design names, from due to written: one connection, and 1,000 of them
//! with 2,000 messages a second, spread evenly.
//! Measurements, so they run only when asked for: `cargo test -p brunt-injector --release -- --ignored --nocapture accuracy`.
//! A machine whose bare timers are late is told in the same breath: no proxy can wake earlier than the kernel does.

use std::time::{Duration, Instant};

use rustix::time::{
    Itimerspec, TimerfdClockId, TimerfdFlags, TimerfdTimerFlags, Timespec, timerfd_create, timerfd_settime,
};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

use super::lab::{Lab, allow_many_descriptors, eventually, fault, ms};

/// Who talks, and how much.
#[derive(Clone, Copy)]
struct Talk {
    connections: u32,
    /// From one message of a connection to the next.
    every: Duration,
    messages: u32,
}

#[test]
#[ignore = "a measurement of some seconds that wants a quiet machine"]
fn accuracy_of_delays_with_one_connection() {
    measure(Talk { connections: 1, every: Duration::from_millis(10), messages: 1000 });
}

#[test]
#[ignore = "a measurement of some seconds that wants a quiet machine"]
fn accuracy_of_delays_with_a_thousand_connections() {
    measure(Talk { connections: 1000, every: Duration::from_millis(500), messages: 10 });
}

fn measure(asked: Talk) {
    allow_many_descriptors();
    let [timer_p50, timer_p99] = bare_timer();
    println!("a bare timer of this machine is late by: p50 {timer_p50:?}, p99 {timer_p99:?}");
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let listener = runtime.block_on(TcpListener::bind("127.0.0.1:0")).unwrap();
    let lab = Lab::new(listener.local_addr().unwrap());
    runtime.spawn(async move {
        while let Ok((mut socket, _)) = listener.accept().await {
            tokio::spawn(async move {
                let (mut reader, mut writer) = socket.split();
                let _ = tokio::io::copy(&mut reader, &mut writer).await;
            });
        }
    });
    let sockets = runtime.block_on(connected(lab.address, asked.connections));
    let counters = lab.add("slow", fault("network.latency", &[ms("latency", 100)]));
    let before = thread_cpu();
    runtime.block_on(async {
        let clients: Vec<_> =
            (0..).zip(sockets).map(|(number, socket)| tokio::spawn(talk(socket, number, asked))).collect();
        for client in clients {
            client.await.unwrap();
        }
    });
    let cpu = thread_cpu() - before;
    let late = &counters.lateness;
    // The last one is filed just after its client has it.
    eventually("every message is filed", || late.count() == u64::from(asked.connections * asked.messages));
    let (p50, p99, max) = (late.quantile(0.5), late.quantile(0.99), late.quantile(1.0));
    let messages = late.count();
    println!("{messages} messages, from due to written: p50 {p50:?}, p99 {p99:?}, max {max:?}");
    println!("proxy thread: {:.1} us CPU a message and direction", cpu * 1e6 / messages as f64 / 2.0);
    assert!(p50 <= Duration::from_micros(300) && p99 <= Duration::from_micros(1500), "p50 {p50:?}, p99 {p99:?}");
}

/// How late the kernel wakes a thread that waits for nothing but a timer: p50 and p99 of 500 waits of 4 ms.
fn bare_timer() -> [Duration; 2] {
    let timer = timerfd_create(TimerfdClockId::Monotonic, TimerfdFlags::CLOEXEC).unwrap();
    let wait = Duration::from_millis(4);
    let once = Itimerspec { it_interval: Timespec::default(), it_value: Timespec::try_from(wait).unwrap() };
    let mut late: Vec<Duration> = (0..500)
        .map(|_| {
            let due = Instant::now() + wait;
            timerfd_settime(&timer, TimerfdTimerFlags::empty(), &once).unwrap();
            rustix::io::read(&timer, &mut [0; 8]).unwrap();
            due.elapsed()
        })
        .collect();
    late.sort_unstable();
    [late[250], late[495]]
}

/// Connections over which the server has answered once: a thousand at once would overflow its queue, and those that the
/// kernel lets in seconds later send several messages as one.
async fn connected(address: std::net::SocketAddr, many: u32) -> Vec<TcpStream> {
    let mut sockets = Vec::new();
    for _ in 0..many {
        let mut socket = TcpStream::connect(address).await.unwrap();
        socket.set_nodelay(true).unwrap();
        socket.write_all(&[7]).await.unwrap();
        socket.read_exact(&mut [0]).await.unwrap();
        sockets.push(socket);
    }
    sockets
}

/// Messages leave when their time has come, whether or not those before are back.
async fn talk(mut socket: TcpStream, number: u32, asked: Talk) {
    let (mut reader, mut writer) = socket.split();
    let begin = tokio::time::Instant::now() + asked.every * number / asked.connections;
    let send = async {
        let mut pace = tokio::time::interval_at(begin, asked.every);
        for _ in 0..asked.messages {
            pace.tick().await;
            writer.write_all(&[7; 200]).await.unwrap();
        }
    };
    let receive = async {
        for _ in 0..asked.messages {
            reader.read_exact(&mut [0; 200]).await.unwrap();
        }
    };
    tokio::join!(send, receive);
}

/// Seconds of CPU that the proxy's thread has used (fields utime and stime, `man 5 proc_pid_stat`).
fn thread_cpu() -> f64 {
    let tasks = std::fs::read_dir("/proc/self/task").unwrap().flatten();
    let ticks: u64 = tasks
        .filter_map(|task| std::fs::read_to_string(task.path().join("stat")).ok())
        .filter(|stat| stat.contains("(brunt-proxy)"))
        .map(|stat| {
            let fields: Vec<_> = stat.rsplit(')').next().unwrap().split_whitespace().collect();
            fields[11].parse::<u64>().unwrap() + fields[12].parse::<u64>().unwrap()
        })
        .sum();
    ticks as f64 / 100.0
}
