//! nginx as the distribution ships it: in the foreground, one process (so that a kill is a kill), with configuration and
//! folder of its own, on loopback.

use std::fs;
use std::io::{Read as _, Write as _};
use std::net::TcpStream;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use crate::{host, ports};

/// Counts its own requests here: `GET /status`.
const STATUS: &str = "/status";

/// Finds a program that may lie where only root looks by itself.
///
/// # Panics
/// When it is not installed: a test never passes without it.
pub(crate) fn installed(program: &str) -> PathBuf {
    let path = std::env::var("PATH").unwrap_or_default();
    let folders = path.split(':').chain(["/usr/sbin", "/usr/local/sbin"]);
    let mut candidates = folders.map(|folder| Path::new(folder).join(program));
    candidates.find(|path| path.is_file()).unwrap_or_else(|| panic!("{program} is not installed: run ./tests/run"))
}

/// What one nginx is to be.
#[derive(Debug)]
pub struct Site {
    /// Its files lie here, named after it.
    pub folder: PathBuf,
    /// What distinguishes it from others in the same folder.
    pub name: String,
    /// On 127.0.0.1.
    pub port: u16,
    /// How many bytes each reply's body has.
    pub bytes: usize,
}

impl Site {
    /// Writes its configuration and returns the command that runs it.
    pub fn command(&self) -> Vec<String> {
        let body = "x".repeat(self.bytes);
        self.command_that(&format!("default_type text/plain; return 200 \"{body}\";"))
    }

    /// The same for another answer to all but the question for its count.
    fn command_that(&self, answers: &str) -> Vec<String> {
        let Self { folder, name, port, .. } = self;
        let folder = folder.display();
        // The default places of temporary files belong to root; they are not used, but nginx makes them when it starts.
        let temporary = ["client_body", "proxy", "fastcgi", "uwsgi", "scgi"]
            .map(|what| format!("  {what}_temp_path {folder}/{name}.temporary;\n"))
            .concat();
        let text = format!(
            "daemon off;\nmaster_process off;\npid {folder}/{name}.pid;\nerror_log stderr warn;\n\
             events {{ worker_connections 8192; }}\n\
             http {{\n  access_log off;\n{temporary}  keepalive_requests 1000000000;\n  keepalive_timeout 1h;\n\
             \x20 server {{\n    listen 127.0.0.1:{port} backlog=4096;\n\
             \x20   location / {{ {answers} }}\n\
             \x20   location {STATUS} {{ stub_status; }}\n  }}\n}}\n"
        );
        let path = self.folder.join(format!("{name}.conf"));
        fs::write(&path, text).expect("the folder can be written to");
        let program = installed("nginx").display().to_string();
        [program, "-p".into(), folder.to_string(), "-c".into(), path.display().to_string()].into()
    }
}

/// A running nginx that the test started; dropping it ends it.
#[derive(Debug)]
pub struct Nginx {
    child: Child,
    port: u16,
    _folder: tempfile::TempDir,
}

impl Nginx {
    /// Starts one under this name and waits until it answers; `core` pins it.
    pub fn start(name: &str, bytes: usize, core: Option<usize>) -> Self {
        let folder = tempfile::Builder::new().prefix("brunt-nginx-").tempdir().expect("a temporary folder");
        let [port] = ports::free();
        let site = Site { folder: folder.path().to_owned(), name: name.to_owned(), port, bytes };
        Self::ready(spawned(&site.command(), core), port, folder)
    }

    /// Starts one that opens and reads a file of this folder for each request, and waits until it answers.
    pub fn of_files(files: &Path) -> Self {
        let folder = tempfile::Builder::new().prefix("brunt-nginx-").tempdir().expect("a temporary folder");
        let [port] = ports::free();
        let site = Site { folder: folder.path().to_owned(), name: "files".into(), port, bytes: 0 };
        let child = spawned(&site.command_that(&format!("root {};", files.display())), None);
        Self::ready(child, port, folder)
    }

    fn ready(child: Child, port: u16, folder: tempfile::TempDir) -> Self {
        let nginx = Self { child, port, _folder: folder };
        let answers = || TcpStream::connect(nginx.address()).is_ok();
        assert!(host::comes_true(Duration::from_secs(10), answers), "nginx does not listen at {}", nginx.address());
        nginx
    }

    /// `http://127.0.0.1:port`.
    pub fn url(&self) -> String {
        format!("http://{}", self.address())
    }

    /// `127.0.0.1:port`.
    pub fn address(&self) -> String {
        format!("127.0.0.1:{}", self.port)
    }

    /// The id of its process.
    pub fn pid(&self) -> u32 {
        self.child.id()
    }

    /// Whether its process has ended.
    pub fn has_ended(&mut self) -> bool {
        self.child.try_wait().expect("a child can be asked").is_some()
    }

    /// How many requests it has answered by its own count, those of this question left out if only it asks.
    pub fn requests(&self) -> u64 {
        let mut stream = TcpStream::connect(self.address()).expect("nginx answers");
        let request = format!("GET {STATUS} HTTP/1.1\r\nHost: nginx\r\nConnection: close\r\n\r\n");
        stream.write_all(request.as_bytes()).expect("nginx reads");
        let mut reply = String::new();
        stream.read_to_string(&mut reply).expect("nginx answers in text");
        let counts = reply.lines().skip_while(|line| !line.starts_with("server accepts")).nth(1);
        let count = counts.and_then(|line| line.split_whitespace().nth(2)?.parse().ok());
        count.unwrap_or_else(|| panic!("no count of requests in {reply}"))
    }
}

impl Drop for Nginx {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Starts a command with its output thrown away, on one core if asked to.
pub(crate) fn spawned(command: &[String], core: Option<usize>) -> Child {
    let mut line = match core {
        Some(core) => vec!["taskset".to_owned(), "-c".to_owned(), core.to_string()],
        None => Vec::new(),
    };
    line.extend_from_slice(command);
    let mut command = Command::new(&line[0]);
    command.args(&line[1..]).stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
    command.spawn().unwrap_or_else(|why| panic!("cannot start {line:?}: {why}"))
}
