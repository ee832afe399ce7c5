//! The binary as people and scripts call it.

use std::fs::File;
use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::{TcpListener, TcpStream};
use std::process::{Child, Command, Output, Stdio};
use std::time::{Duration, Instant};

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

const SHOP: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/src/demo/shop.brunt.yaml");

fn brunt(arguments: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_brunt"));
    command.args(arguments).stdin(Stdio::null());
    command
}

fn output(arguments: &[&str]) -> Output {
    brunt(arguments).output().expect("the binary can be started")
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

#[test]
fn brunt_alone_is_help_and_not_an_error() {
    let told = output(&[]);
    assert_eq!(told.status.code(), Some(0));
    assert!(text(&told.stdout).contains("brunt demo"), "{}", text(&told.stdout));
}

#[test]
fn validate_tells_every_problem_of_every_file_with_its_place() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let broken = folder.path().join("broken.brunt.yaml");
    std::fs::write(&broken, "version: 1\nvus: 5\ngates:\n  - { metric: latency.p98, max: 200 }\n")
        .expect("it can be written");
    let told = output(&["validate", broken.to_str().expect("a plain path"), SHOP]);
    assert_eq!(told.status.code(), Some(2));
    let problems = text(&told.stderr);
    assert!(problems.contains("broken.brunt.yaml:2:1") && problems.contains("broken.brunt.yaml:4:"), "{problems}");
    assert!(text(&told.stdout).contains("ok: "), "the good file is good: {}", text(&told.stdout));
}

#[test]
fn a_reader_that_leaves_early_is_no_error_and_no_panic() {
    let mut child = brunt(&["plan", SHOP]).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().expect("it starts");
    drop(child.stdout.take());
    let told = child.wait_with_output().expect("it ends");
    assert_eq!((told.status.code(), text(&told.stderr).as_str()), (Some(0), ""));
}

#[test]
fn a_full_disk_behind_stdout_is_told() {
    let full = File::options().write(true).open("/dev/full").expect("Linux has /dev/full");
    let told = brunt(&["plan", SHOP]).stdout(full).output().expect("it starts");
    assert_eq!(told.status.code(), Some(1));
    assert!(text(&told.stderr).contains("No space left"), "{}", text(&told.stderr));
}

/// A demo service that is ready, ended with the test.
struct Service(Child);

impl Service {
    fn start(name: &str, port: u16, variables: &[(&str, &str)]) -> Self {
        let mut command = brunt(&["demo-service", name, "--port", &port.to_string()]);
        let service = Self(command.envs(variables.iter().copied()).spawn().expect("it starts"));
        let give_up = Instant::now() + Duration::from_secs(10);
        while TcpStream::connect(("127.0.0.1", port)).is_err() {
            assert!(Instant::now() < give_up, "{name} does not listen");
            std::thread::sleep(Duration::from_millis(5));
        }
        service
    }
}

impl Drop for Service {
    fn drop(&mut self) {
        // Already ended and reaped by the test, or ended here.
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

fn free_port() -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").expect("loopback has a free port");
    listener.local_addr().expect("a bound socket has an address").port()
}

fn status_of_post(port: u16, path: &str, body: &str) -> String {
    let mut stream = TcpStream::connect(("127.0.0.1", port)).expect("it listens");
    let length = body.len();
    write!(stream, "POST {path} HTTP/1.1\r\nhost: x\r\nconnection: close\r\ncontent-length: {length}\r\n\r\n{body}")
        .expect("it reads");
    let mut line = String::new();
    let mut reader = BufReader::new(stream);
    reader.read_line(&mut line).expect("it answers");
    let _ = reader.read_to_string(&mut String::new());
    line.trim_end().to_owned()
}

#[test]
fn the_demo_services_keep_their_contract_and_end_on_sigterm() {
    let [payments, orders, gateway] = [free_port(), free_port(), free_port()];
    let mut first = Service::start("payments", payments, &[]);
    let payments = format!("http://127.0.0.1:{payments}");
    let _orders = Service::start("orders", orders, &[("PAYMENTS_URLS", &payments), ("RESILIENT", "false")]);
    let _gateway = Service::start("gateway", gateway, &[("ORDERS_URL", &format!("http://127.0.0.1:{orders}"))]);
    let order = r#"{"sku":"A1","amount":3}"#;
    assert_eq!(status_of_post(gateway, "/orders", order), "HTTP/1.1 201 Created");

    let process = Pid::from_raw(i32::try_from(first.0.id()).expect("a pid"));
    kill(process, Signal::SIGTERM).expect("it is ours");
    assert_eq!(first.0.wait().expect("it ends").code(), Some(0));
    assert_eq!(status_of_post(gateway, "/orders", order), "HTTP/1.1 502 Bad Gateway");
}

#[test]
fn a_demo_service_whose_port_is_taken_or_whose_environment_is_missing_says_so() {
    let taken = TcpListener::bind("127.0.0.1:0").expect("loopback has a free port");
    let port = taken.local_addr().expect("a bound socket has an address").port().to_string();
    let told = output(&["demo-service", "payments", "--port", &port]);
    assert_eq!(told.status.code(), Some(3));
    assert!(text(&told.stderr).contains(&format!("127.0.0.1:{port}")), "{}", text(&told.stderr));

    let told =
        brunt(&["demo-service", "orders", "--port", "0"]).env_remove("PAYMENTS_URLS").output().expect("it starts");
    assert_eq!(told.status.code(), Some(2));
    assert!(text(&told.stderr).contains("PAYMENTS_URLS"), "{}", text(&told.stderr));
}

#[test]
fn a_first_command_that_misses_says_what_to_type_instead() {
    let cases: [(&[&str], i32, &str); 6] = [
        (&["rnu", "x"], 2, "Did you mean: brunt run"),
        (&["http://localhost:8080"], 2, "To run it: brunt run http://localhost:8080"),
        (&["shop.brunt.yaml"], 2, "To run it: brunt run shop.brunt.yaml"),
        (&["run", "localhost:8080", "--rate", "5/s"], 2, "write `brunt run http://localhost:8080`"),
        (&["plan", "/dev"], 2, "`brunt init` writes one"),
        (&["run", "http://127.0.0.1:1", "--for", "1s"], 3, "is it started, and is this its address?"),
    ];
    for (arguments, code, wanted) in cases {
        let told = output(arguments);
        assert_eq!(told.status.code(), Some(code), "{arguments:?}: {}", text(&told.stderr));
        assert!(text(&told.stderr).contains(wanted), "{arguments:?}: {}", text(&told.stderr));
    }
}
