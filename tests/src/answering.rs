//! A service that answers every request at once, or freezes at fixed times: `tests/services/answering.rs`, as its own
//! process, so that it can have a core of its own and can be stopped and killed.

use std::io::{BufRead as _, BufReader};
use std::process::{Child, Command, Stdio};

/// A running service; dropping it ends it.
#[derive(Debug)]
pub struct Answering {
    child: Child,
    address: String,
}

impl Answering {
    /// Answers at once.
    pub fn at_once() -> Self {
        Self::start(&[])
    }

    /// Answers at once, but freezes every reply for `freeze_ms` each `every_ms`, on core 0.
    pub fn freezing(freeze_ms: u32, every_ms: u32) -> Self {
        Self::start(&["--core", "0", "--freeze-ms", &freeze_ms.to_string(), "--every-ms", &every_ms.to_string()])
    }

    /// Answers at once, on core 0.
    pub fn on_core_0() -> Self {
        Self::start(&["--core", "0"])
    }

    /// Answers at once, on core 0, each reply in two segments.
    pub fn in_two_segments_on_core_0() -> Self {
        Self::start(&["--core", "0", "--segments", "2"])
    }

    /// Answers at once at every address of a network namespace.
    pub fn inside(namespace: &str) -> Self {
        let mut command = Command::new("ip");
        command.args(["netns", "exec", namespace]).arg(program()).args(["--any-address", "1"]);
        Self::start_by(command)
    }

    fn start(args: &[&str]) -> Self {
        let mut command = Command::new(program());
        command.args(args);
        Self::start_by(command)
    }

    fn start_by(mut command: Command) -> Self {
        let mut child = command.stdout(Stdio::piped()).spawn().expect("the service can be started");
        let mut line = String::new();
        let stdout = child.stdout.take().expect("stdout is piped");
        BufReader::new(stdout).read_line(&mut line).expect("it says where it listens");
        let address = line.trim().strip_prefix("listening on ").expect("it listens").to_owned();
        Self { child, address }
    }

    /// `http://127.0.0.1:port`.
    pub fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// `127.0.0.1:port`.
    pub fn address(&self) -> &str {
        &self.address
    }

    /// Its port.
    pub fn port(&self) -> u16 {
        self.address.rsplit_once(':').and_then(|(_, port)| port.parse().ok()).expect("it said where it listens")
    }

    /// The id of its process.
    pub fn pid(&self) -> u32 {
        self.child.id()
    }
}

impl Drop for Answering {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// The program beside the running test: cargo builds the binaries of this package before its tests.
pub fn program() -> std::path::PathBuf {
    let test = std::env::current_exe().expect("a test knows its own file");
    let folder = test.ancestors().nth(2).expect("a test lies in target/<profile>/deps");
    let path = folder.join("answering");
    assert!(path.exists(), "{} is not there: cargo test -p brunt-tests builds it", path.display());
    path
}
