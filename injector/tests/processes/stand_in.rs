//! Stands in for the brunt binary in this crate's tests.
//!
//! `agent` is what `brunt agent` is. `hold STATE LEASE_MS PID` is a runner in the middle of a run: two services (one leaves
//! a child in its process group), of which one is paused, process PID paused as well, and a link that is slow. It prints a
//! line of JSON with the pids once all is in place and then waits to be killed. `full STATE PID` is a runner whose disk is
//! full when it wants to pause process PID; it prints the error. `slow STATE LEASE_MS NETNS DIRECTION MS` is a runner that holds
//! packets of a network namespace: it prints its agent's pid once it does. `serve LIMIT AGE_MS` is a server with so many connections:
//! it prints its port, greets whom it takes, closes what is above the limit at once, and what is older than that (0: never).

mod scene;

use std::io::{Read as _, Write as _};
use std::net::{TcpListener, TcpStream};
use std::path::Path;
use std::process::ExitCode;
use std::time::{Duration, Instant};

use brunt_injector::Injector;
use brunt_scenario::plan::{Fault, ParamValue, Params, Target};

fn main() -> ExitCode {
    let args: Vec<String> = std::env::args().skip(1).collect();
    let args: Vec<&str> = args.iter().map(String::as_str).collect();
    match args.as_slice() {
        ["agent", "--guard", run] => ExitCode::from(brunt_injector::agent::guard::main(run)),
        ["agent", "--worker"] => ExitCode::from(brunt_injector::agent::worker::main()),
        ["agent"] => ExitCode::from(brunt_injector::agent::main()),
        ["hold", state, lease, pid] => {
            let lease = lease.parse().expect("the lease is a number of milliseconds");
            hold(Path::new(state), lease, pid.parse().expect("a pid"));
            ExitCode::SUCCESS
        }
        ["full", state, pid] => {
            full(Path::new(state), pid.parse().expect("a pid"));
            ExitCode::SUCCESS
        }
        ["slow", state, lease, netns, direction, latency] => {
            let lease = lease.parse().expect("the lease is a number of milliseconds");
            slow(Path::new(state), lease, netns, direction, latency.parse().expect("a number of milliseconds"));
            ExitCode::SUCCESS
        }
        ["serve", limit, age] => {
            serve(limit.parse().expect("a number"), age.parse().expect("a number of milliseconds"));
            ExitCode::SUCCESS
        }
        _ => ExitCode::from(2),
    }
}

fn hold(state: &Path, lease: u64, pid: u32) {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
    runtime.block_on(async {
        let exe = std::env::current_exe().expect("an own path");
        let run_id = format!("run-{}", std::process::id());
        let lease = Duration::from_millis(lease);
        let (injector, mut events) =
            Injector::start(scene::options(&exe, state, &run_id, lease)).await.expect("an injector");
        let mut pids = vec![injector.agent().pid];
        for (index, script) in ["sleep 1000", "sleep 1000 & sleep 1000"].into_iter().enumerate() {
            let instance =
                injector.start_instance(scene::shell(state, "held", index, script)).await.expect("a service");
            pids.push(instance.process.pid);
        }
        let slow = Fault {
            with: Params([("latency", ParamValue::Duration(Duration::from_millis(5)))].into()),
            ..scene::fault("slow", "network.latency", "wire")
        };
        injector.open_link("wire", false, vec!["127.0.0.1:1".into()], None).await.expect("a link");
        let faults = [
            (slow, Target::Link("wire".into())),
            (scene::fault("pause-instance", "process.pause", "held"), Target::Service("held".into())),
            (scene::fault("pause-process", "process.pause", "other"), scene::process(pid)),
        ];
        for (fault, target) in faults {
            let victims = injector.resolve(&fault, &target).await.expect("victims");
            injector.inject(&fault, &victims).await.expect("in place");
        }
        println!("{pids:?}");
        while let Some(event) = events.recv().await {
            println!("{event:?}");
        }
    });
}

fn full(state: &Path, pid: u32) {
    // Exceeding the limit below is to fail the write, not to end the process; threads inherit the mask.
    nix::sys::signal::SigSet::from_iter([nix::sys::signal::Signal::SIGXFSZ]).thread_block().expect("a signal mask");
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
    runtime.block_on(async {
        let exe = std::env::current_exe().expect("an own path");
        let options = scene::options(&exe, state, "full", Duration::from_secs(5));
        let (injector, _events) = Injector::start(options).await.expect("an injector");
        let pause = scene::fault("frozen", "process.pause", "other");
        let victims = injector.resolve(&pause, &scene::process(pid)).await.expect("victims");
        let limit = rustix::process::Rlimit { current: Some(1), maximum: None };
        rustix::process::setrlimit(rustix::process::Resource::Fsize, limit).expect("a limit");
        match injector.inject(&pause, &victims).await {
            Err(error) if error.is_preflight() => println!("preflight: {error}"),
            other => println!("{other:?}"),
        }
        injector.close().await.expect("nothing is left");
    });
}

fn slow(state: &Path, lease: u64, netns: &str, direction: &str, latency: u64) {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
    runtime.block_on(async {
        let exe = std::env::current_exe().expect("an own path");
        let options = scene::options(&exe, state, "slow", Duration::from_millis(lease));
        let (injector, mut events) = Injector::start(options).await.expect("an injector");
        let direction = ["to", "from", "both"].into_iter().find(|one| *one == direction).expect("a direction");
        let with = [
            ("latency", ParamValue::Duration(Duration::from_millis(latency))),
            ("direction", ParamValue::Word(direction)),
        ];
        let fault = Fault { with: Params(with.into()), ..scene::fault("line", "network.latency", "network") };
        let victims = injector.resolve(&fault, &Target::Netns(netns.into())).await.expect("a victim");
        injector.inject(&fault, &victims).await.expect("in place");
        println!("{}", injector.agent().pid);
        while let Some(event) = events.recv().await {
            println!("{event:?}");
        }
    });
}

fn serve(limit: usize, age: u64) {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    listener.set_nonblocking(true).expect("it can be asked without waiting");
    println!("{}", listener.local_addr().expect("an address").port());
    let mut taken: Vec<(TcpStream, Instant)> = Vec::new();
    loop {
        taken.retain_mut(|(client, since)| {
            let old = age > 0 && since.elapsed() > Duration::from_millis(age);
            let open = client.read(&mut [0]).is_err_and(|error| error.kind() == std::io::ErrorKind::WouldBlock);
            open && !old
        });
        while let Ok((mut client, _)) = listener.accept() {
            if taken.len() < limit && client.write_all(b"hello").is_ok() {
                client.set_nonblocking(true).expect("it can be asked without waiting");
                taken.push((client, Instant::now()));
            }
        }
        std::thread::sleep(Duration::from_millis(1));
    }
}
