//! The programs that are measured: which of them are there, how they are started, and what they use.

use std::fs;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use brunt_tests::answering::Answering;
use brunt_tests::brunt::{Brunt, Running};
use brunt_tests::scenario::Scenario;
use brunt_tests::{host, ports};
use nix::sys::signal::Signal;

/// Cores: whoever asks and whoever answers share one, what is measured has the other.
pub const SERVER_CORE: usize = 0;
/// See [`SERVER_CORE`].
pub const MEASURED_CORE: usize = 1;

/// The peers that no distribution ships; `tests/run` builds them and says where they are. wrk and HAProxy are always there.
#[derive(Debug)]
pub struct Peers {
    /// Path of oha.
    pub oha: Option<String>,
    /// Path of Toxiproxy's server.
    pub toxiproxy: Option<String>,
}

impl Peers {
    /// Reads `BRUNT_PEER_OHA` and `BRUNT_PEER_TOXIPROXY`.
    pub fn find() -> Self {
        let find = |name: &str| {
            let path = std::env::var(name).ok().filter(|path| Path::new(path).is_file());
            if path.is_none() {
                println!("-- {name} names no program: this peer is left out");
            }
            path
        };
        Self { oha: find("BRUNT_PEER_OHA"), toxiproxy: find("BRUNT_PEER_TOXIPROXY") }
    }
}

/// A process that ends with this value.
#[derive(Debug)]
pub struct Part(Child);

impl Part {
    /// Starts a command on one core, its output thrown away.
    pub fn start(core: usize, command: &[String]) -> Self {
        let mut line = Command::new("taskset");
        line.args(["-c", &core.to_string()]).args(command);
        line.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
        Self(line.spawn().unwrap_or_else(|why| panic!("cannot start {command:?}: {why}")))
    }

    /// Its id.
    pub fn pid(&self) -> u32 {
        self.0.id()
    }

    /// Waits for its end; fails if it failed.
    pub fn end(mut self) {
        let status = self.0.wait().expect("a child can be waited for");
        assert!(status.success(), "{:?} ended with {status}", self.0);
    }
}

impl Drop for Part {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// Waits until somebody listens there.
pub fn wait_for(address: &str) {
    let answers = || std::net::TcpStream::connect(address).is_ok();
    assert!(host::comes_true(Duration::from_secs(20), answers), "nobody listens at {address}");
}

/// CPU time in microseconds of a process, its threads and its children, all of them as long as they live: the
/// scheduler's own count, not the ticks of 10 ms.
pub fn cpu_us(pid: u32) -> f64 {
    let Ok(tasks) = fs::read_dir(format!("/proc/{pid}/task")) else { return 0.0 };
    let mut sum = 0.0;
    for task in tasks.flatten() {
        let first = |text: String| text.split(' ').next()?.parse::<f64>().ok();
        sum += fs::read_to_string(task.path().join("schedstat")).ok().and_then(first).unwrap_or(0.0) / 1e3;
        let children = fs::read_to_string(task.path().join("children")).unwrap_or_default();
        sum += children.split_whitespace().filter_map(|child| child.parse().ok()).map(cpu_us).sum::<f64>();
    }
    sum
}

/// The share of its CPU time that a process spent in the kernel, from its ticks.
pub fn kernel_share(pid: u32) -> f64 {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
    let fields = stat.rsplit_once(") ").map_or("", |(_, fields)| fields);
    let mut ticks = fields.split(' ').skip(11).map_while(|field| field.parse::<f64>().ok());
    let (user, system) = (ticks.next().unwrap_or(0.0), ticks.next().unwrap_or(0.0));
    system / (user + system).max(1.0)
}

/// The most memory that a process had, in MiB.
pub fn most_memory_mib(pid: u32) -> f64 {
    let status = fs::read_to_string(format!("/proc/{pid}/status")).unwrap_or_default();
    let line = status.lines().find(|line| line.starts_with("VmHWM:")).unwrap_or_default();
    line.split_whitespace().nth(1).and_then(|kib| kib.parse::<f64>().ok()).unwrap_or(0.0) / 1024.0
}

/// brunt's proxy on the way to a server, as people run it: `brunt run` with a link. A scenario has a load; this one goes
/// elsewhere, once a second.
#[derive(Debug)]
pub struct Wire {
    running: Running,
    address: String,
    _idle: Answering,
}

impl Wire {
    /// With this fault (`network.latency`, `latency: 100ms`) in place, or with none.
    pub fn start(upstream: &str, fault: Option<(&str, &str)>) -> Self {
        let idle = Answering::on_core_0();
        let [port] = ports::free();
        let (step, begun) = match fault {
            Some((kind, with)) => {
                (format!("id: it, fault: {kind}, target: wire, for: 1h, with: {{ {with} }}"), "event=fault.active")
            }
            None => ("pause: 1h".to_owned(), "event=run.started"),
        };
        let scenario = Scenario::new(&format!(
            "
            version: 1
            name: on-the-wire
            seed: 1
            links: {{ wire: {{ to: \"{upstream}\", listen: \"127.0.0.1:{port}\" }} }}
            targets: {{ wire: {{ link: wire }}, idle: {{ url: \"{}\" }} }}
            load: {{ main: {{ target: idle, get: /, rate: 1/s, for: timeline }} }}
            timeline: [ {{ {step} }} ]
            ",
            idle.url()
        ));
        let core = MEASURED_CORE.to_string();
        let running = Brunt::run(&scenario).under(["taskset", "-c", &core]).within(Duration::from_secs(1800)).start();
        running.wait_for(begun);
        Self { running, address: format!("127.0.0.1:{port}"), _idle: idle }
    }

    /// Where the proxy listens.
    pub fn address(&self) -> &str {
        &self.address
    }

    /// The process that holds the proxy.
    pub fn pid(&self) -> u32 {
        self.running.pid()
    }

    /// Ends it as a person would.
    pub fn end(self) {
        self.running.signal(Signal::SIGINT);
        self.running.wait();
    }
}

/// Toxiproxy with one proxy on which this toxic lies, if any: its name and attributes as its API has them.
pub fn toxiproxy(program: &str, folder: &Path, upstream: &str, toxic: Option<(&str, &str)>) -> (Part, String) {
    let [port, api] = ports::free();
    let listen = format!("127.0.0.1:{port}");
    let config = format!(r#"[{{"name":"measured","listen":"{listen}","upstream":"{upstream}","enabled":true}}]"#);
    let path = folder.join(format!("toxiproxy-{port}.json"));
    fs::write(&path, config).expect("the folder can be written to");
    let words =
        ["-host", "127.0.0.1", "-port", &api.to_string(), "-config", &path.display().to_string()].map(str::to_owned);
    let part = Part::start(MEASURED_CORE, &[&[program.to_owned()], words.as_slice()].concat());
    wait_for(&listen);
    wait_for(&format!("127.0.0.1:{api}"));
    if let Some((kind, attributes)) = toxic {
        let body = format!(r#"{{"name":"it","type":"{kind}","stream":"downstream","attributes":{attributes}}}"#);
        crate::wire::post(&format!("127.0.0.1:{api}"), "/proxies/measured/toxics", &body);
    }
    (part, listen)
}
