//! The `brunt` binary as a test starts it: in a folder of its own, with a state folder of its own, marked, and never left
//! behind.

use std::ffi::{OsStr, OsString};
use std::io::Read;
use std::os::unix::process::ExitStatusExt as _;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Condvar, Mutex, PoisonError};
use std::time::{Duration, Instant};

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::process::{PidfdFlags, pidfd_open};
use tempfile::TempDir;

use crate::ended::Ended;
use crate::host::MARK;
use crate::scenario::Scenario;

/// How long a command may take unless the test says otherwise.
const PATIENCE: Duration = Duration::from_secs(120);
/// How long the streams may stay open after the end (a service that was started may still hold them).
const STREAMS_WITHIN: Duration = Duration::from_secs(1);
/// How often a run is made again whose only fault is that the machine stalled. On a machine where each third run is spoilt,
/// one story in seven hundred still fails for that.
const AGAIN: usize = 5;

/// The binary under test: `BRUNT_BIN`, else `target/release/brunt`.
///
/// # Panics
/// When there is none: a test never passes without it.
pub fn binary() -> PathBuf {
    let path = std::env::var_os("BRUNT_BIN")
        .map_or_else(|| Path::new(env!("CARGO_MANIFEST_DIR")).join("../target/release/brunt"), PathBuf::from);
    assert!(path.exists(), "{} is not there: run ./tests/run, or cargo build --release first", path.display());
    path.canonicalize().expect("an existing path can be made absolute")
}

/// A command to be started.
#[derive(Debug)]
pub struct Brunt {
    prefix: Vec<OsString>,
    binary: PathBuf,
    args: Vec<OsString>,
    env: Vec<(OsString, OsString)>,
    without: Vec<OsString>,
    stdout: Option<Stdio>,
    folder: Option<PathBuf>,
    scenario: Option<Arc<TempDir>>,
    home: Arc<TempDir>,
    out: PathBuf,
    mark: String,
    limit: Duration,
}

impl Brunt {
    /// `brunt <args>`.
    pub fn with<Arg: Into<OsString>>(args: impl IntoIterator<Item = Arg>) -> Self {
        static COUNT: AtomicU64 = AtomicU64::new(0);
        let home = Arc::new(tempfile::Builder::new().prefix("brunt-test-").tempdir().expect("a temporary folder"));
        Self {
            prefix: Vec::new(),
            binary: binary(),
            args: args.into_iter().map(Into::into).collect(),
            env: Vec::new(),
            without: Vec::new(),
            stdout: None,
            folder: None,
            scenario: None,
            out: home.path().join("out"),
            mark: format!("{}-{}", std::process::id(), COUNT.fetch_add(1, Ordering::Relaxed)),
            home,
            limit: PATIENCE,
        }
    }

    /// `brunt run SCENARIO --ui plain --out DIR`, in the scenario's folder.
    pub fn run(scenario: &Scenario) -> Self {
        let mut brunt = Self::with(["run"]).arg(scenario.path()).args(["--ui", "plain", "--out"]);
        brunt.args.push(brunt.out.clone().into());
        brunt.scenario = Some(scenario.folder());
        brunt.in_folder(scenario.path().parent().expect("a file has a folder"))
    }

    /// One more argument.
    pub fn arg(mut self, arg: impl AsRef<OsStr>) -> Self {
        self.args.push(arg.as_ref().to_owned());
        self
    }

    /// More arguments.
    pub fn args<Arg: AsRef<OsStr>>(mut self, args: impl IntoIterator<Item = Arg>) -> Self {
        self.args.extend(args.into_iter().map(|arg| arg.as_ref().to_owned()));
        self
    }

    /// An environment variable on top of the test's own.
    pub fn env(mut self, name: &str, value: impl AsRef<OsStr>) -> Self {
        self.env.push((name.into(), value.as_ref().to_owned()));
        self
    }

    /// An environment variable taken away.
    pub fn without_env(mut self, name: &str) -> Self {
        self.without.push(name.into());
        self
    }

    /// Another copy of the binary.
    pub fn binary(mut self, path: impl Into<PathBuf>) -> Self {
        self.binary = path.into();
        self
    }

    /// A program in front of it: `taskset -c 1`, `setpriv ...`. The last one given stands first.
    pub fn under<Arg: AsRef<OsStr>>(mut self, prefix: impl IntoIterator<Item = Arg>) -> Self {
        let mut all: Vec<OsString> = prefix.into_iter().map(|arg| arg.as_ref().to_owned()).collect();
        all.append(&mut self.prefix);
        self.prefix = all;
        self
    }

    /// Where it is started.
    pub fn in_folder(mut self, folder: impl Into<PathBuf>) -> Self {
        self.folder = Some(folder.into());
        self
    }

    /// Standard output goes there and is not collected.
    pub fn stdout_to(mut self, stdout: impl Into<Stdio>) -> Self {
        self.stdout = Some(stdout.into());
        self
    }

    /// Where its state (journals) lies, shared by several commands of one test: give each the same folder.
    pub fn state_in(self, folder: &Path) -> Self {
        self.env("XDG_STATE_HOME", folder)
    }

    /// It is killed and the test fails if it takes longer.
    pub fn within(mut self, limit: Duration) -> Self {
        self.limit = limit;
        self
    }

    /// Its own temporary folder.
    pub fn home(&self) -> &Path {
        self.home.path()
    }

    /// Starts it.
    #[track_caller]
    pub fn start(self) -> Running {
        let mut line = self.prefix.clone();
        line.push(self.binary.clone().into());
        line.extend(self.args);
        let mut command = Command::new(&line[0]);
        command.args(&line[1..]).stdin(Stdio::null()).stderr(Stdio::piped());
        command.stdout(self.stdout.unwrap_or_else(Stdio::piped));
        command.env("XDG_STATE_HOME", self.home.path().join("state")).env(MARK, &self.mark).env_remove("BRUNT_BIN");
        command.envs(self.env);
        for name in self.without {
            command.env_remove(name);
        }
        let folder = self.folder.unwrap_or_else(|| self.home.path().to_owned());
        command.current_dir(&folder);
        let began = Instant::now();
        let mut child = command.spawn().unwrap_or_else(|why| panic!("cannot start {line:?}: {why}"));
        let stdout = child.stdout.take().map(Stream::collect);
        let stderr = Stream::collect(child.stderr.take().expect("stderr is piped"));
        Running {
            child,
            began,
            stdout,
            stderr,
            limit: self.limit,
            mark: self.mark,
            out: self.out,
            folder,
            home: self.home,
            _scenario: self.scenario,
        }
    }

    /// Starts it and waits for its end. A machine that stalls makes brunt distrust its own measurement, rightly; then the run
    /// says nothing of what the test asks, so it is made again, at most five times. A test *of* that distrust calls
    /// [`Brunt::start`] and waits.
    #[track_caller]
    pub fn go(mut self) -> Ended {
        for _ in 0..AGAIN {
            let Some(same) = self.again() else { break };
            let ended = std::mem::replace(&mut self, same).start().wait();
            if !ended.only_the_machine_was_late() {
                return ended;
            }
            eprintln!(
                "the machine stalled, so the run is made again: {}",
                ended.stdout.lines().nth(1).unwrap_or_default()
            );
            // It may not have come so far as to make it.
            let _ = std::fs::remove_dir_all(&self.out);
        }
        self.start().wait()
    }

    /// The same command, unless its output goes to a stream that cannot be had twice.
    fn again(&self) -> Option<Self> {
        if self.stdout.is_some() {
            return None;
        }
        Some(Self {
            prefix: self.prefix.clone(),
            binary: self.binary.clone(),
            args: self.args.clone(),
            env: self.env.clone(),
            without: self.without.clone(),
            stdout: None,
            folder: self.folder.clone(),
            scenario: self.scenario.clone(),
            home: Arc::clone(&self.home),
            out: self.out.clone(),
            mark: self.mark.clone(),
            limit: self.limit,
        })
    }
}

/// A command that was started. Dropping it kills it.
#[derive(Debug)]
pub struct Running {
    child: Child,
    began: Instant,
    stdout: Option<Stream>,
    stderr: Stream,
    limit: Duration,
    mark: String,
    out: PathBuf,
    folder: PathBuf,
    home: Arc<TempDir>,
    /// Keeps the scenario's folder.
    _scenario: Option<Arc<TempDir>>,
}

impl Running {
    /// The id of the process that was started (the prefix program's, until it executes brunt).
    pub fn pid(&self) -> u32 {
        self.child.id()
    }

    /// The mark of its processes.
    pub fn mark(&self) -> &str {
        &self.mark
    }

    /// The folder given by `--out`.
    pub fn out(&self) -> &Path {
        &self.out
    }

    /// Its own temporary folder, which holds the state folder.
    pub fn home(&self) -> Arc<TempDir> {
        Arc::clone(&self.home)
    }

    /// Sends a signal to it alone.
    pub fn signal(&self, signal: Signal) {
        // The child is not reaped before `wait`, so the id is its own.
        let _ = kill(Pid::from_raw(self.child.id().cast_signed()), signal);
    }

    /// Waits until standard error holds this text.
    #[track_caller]
    pub fn wait_for(&self, text: &str) {
        assert!(self.stderr.holds(text, self.limit), "nothing said {text:?} in time:\n{}", self.stderr.text());
    }

    /// Waits until standard error holds one of these texts, or the command has ended; says whether the first one is there.
    pub fn says(&self, text: &str, or: &str) -> bool {
        let (said, _) = self.stderr.until(self.limit, |said| said.contains(text) || said.contains(or));
        said.contains(text)
    }

    /// What standard error holds now.
    pub fn said(&self) -> String {
        self.stderr.text()
    }

    /// Waits for its end.
    #[track_caller]
    pub fn wait(mut self) -> Ended {
        let pid = rustix::process::Pid::from_child(&self.child);
        let ended = pidfd_open(pid, PidfdFlags::empty()).expect("a child has a pidfd");
        let left = self.limit.saturating_sub(self.began.elapsed());
        let left = Timespec::try_from(left).expect("a limit of minutes fits");
        let ready = poll(&mut [PollFd::new(&ended, PollFlags::IN)], Some(&left)).unwrap_or(0);
        let late = ready == 0;
        if late {
            let _ = self.child.kill();
        }
        let status = self.child.wait().expect("a child can be waited for");
        let ended = Ended {
            code: status.code().unwrap_or_else(|| 128 + status.signal().unwrap_or(0)),
            stdout: self.stdout.take().map(|stream| stream.all(STREAMS_WITHIN)).unwrap_or_default(),
            stderr: self.stderr.all(STREAMS_WITHIN),
            took: self.began.elapsed(),
            mark: self.mark.clone(),
            out: self.out.clone(),
            folder: self.folder.clone(),
            _home: Arc::clone(&self.home),
        };
        assert!(!late, "it took longer than {:?} and was killed:\n{ended}", self.limit);
        ended
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// A stream that a thread collects.
#[derive(Debug, Clone)]
struct Stream(Arc<(Mutex<Collected>, Condvar)>);

#[derive(Debug, Default)]
struct Collected {
    bytes: Vec<u8>,
    closed: bool,
}

impl Stream {
    fn collect(mut from: impl Read + Send + 'static) -> Self {
        let stream = Self(Arc::new((Mutex::new(Collected::default()), Condvar::new())));
        let into = stream.clone();
        std::thread::spawn(move || {
            let mut buffer = [0; 4096];
            loop {
                let read = from.read(&mut buffer).unwrap_or(0);
                let (lock, changed) = &*into.0;
                let mut collected = lock.lock().unwrap_or_else(PoisonError::into_inner);
                collected.bytes.extend_from_slice(&buffer[..read]);
                collected.closed = read == 0;
                changed.notify_all();
                if read == 0 {
                    return;
                }
            }
        });
        stream
    }

    /// Waits until `enough` or the stream is closed, at most `within`; returns the text and whether it was enough.
    fn until(&self, within: Duration, enough: impl Fn(&str) -> bool) -> (String, bool) {
        let (lock, changed) = &*self.0;
        let guard = lock.lock().unwrap_or_else(PoisonError::into_inner);
        let open = |collected: &mut Collected| !collected.closed && !enough(&String::from_utf8_lossy(&collected.bytes));
        let (collected, _) = changed.wait_timeout_while(guard, within, open).unwrap_or_else(PoisonError::into_inner);
        let text = String::from_utf8_lossy(&collected.bytes).into_owned();
        let found = enough(&text);
        (text, found)
    }

    fn holds(&self, wanted: &str, within: Duration) -> bool {
        self.until(within, |text| text.contains(wanted)).1
    }

    fn all(&self, within: Duration) -> String {
        self.until(within, |_| false).0
    }

    fn text(&self) -> String {
        self.all(Duration::ZERO)
    }
}
