//! How well delays are kept under the load that the design names: 1,000 connections, 2,000 messages a second, spread evenly.
//! A measurement, so it runs only when asked for: `cargo test -p brunt-injector --release -- --ignored --nocapture accuracy`.

use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

use super::lab::{Lab, allow_many_descriptors, eventually, fault, ms};

const CONNECTIONS: u32 = 1000;
const EVERY: Duration = Duration::from_millis(500);
const ROUNDS: u32 = 10;

#[test]
#[ignore = "a measurement of some seconds that wants a quiet machine"]
fn accuracy_of_delays_with_a_thousand_connections() {
    allow_many_descriptors();
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let listener = runtime.block_on(TcpListener::bind("127.0.0.1:0")).unwrap();
    let lab = Lab::new(listener.local_addr().unwrap());
    let slow = fault("network.latency", &[ms("latency", 100), ms("jitter", 20)]);
    let counters = lab.add("slow", slow);
    runtime.spawn(async move {
        while let Ok((mut socket, _)) = listener.accept().await {
            tokio::spawn(async move {
                let (mut reader, mut writer) = socket.split();
                let _ = tokio::io::copy(&mut reader, &mut writer).await;
            });
        }
    });
    let before = thread_cpu();
    runtime.block_on(async {
        let clients: Vec<_> = (0..CONNECTIONS).map(|number| tokio::spawn(talk(lab.address, number))).collect();
        for client in clients {
            client.await.unwrap();
        }
    });
    let cpu = thread_cpu() - before;
    let late = &counters.lateness;
    // The last one is filed just after its client has it.
    eventually("every message is filed", || late.count() == u64::from(CONNECTIONS * ROUNDS));
    let (p50, p99, max) = (late.quantile(0.5), late.quantile(0.99), late.quantile(1.0));
    let messages = late.count();
    println!("{messages} messages, from due to written: p50 {p50:?}, p99 {p99:?}, max {max:?}");
    println!("proxy thread: {:.1} us CPU a message and direction", cpu * 1e6 / messages as f64 / 2.0);
    assert!(p50 <= Duration::from_micros(300) && p99 <= Duration::from_micros(1500), "p50 {p50:?}, p99 {p99:?}");
}

async fn talk(address: std::net::SocketAddr, number: u32) {
    let mut socket = TcpStream::connect(address).await.unwrap();
    socket.set_nodelay(true).unwrap();
    let mut pace = tokio::time::interval_at(tokio::time::Instant::now() + EVERY * number / CONNECTIONS, EVERY);
    for _ in 0..ROUNDS {
        pace.tick().await;
        socket.write_all(&[7; 200]).await.unwrap();
        socket.read_exact(&mut [0; 200]).await.unwrap();
    }
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
