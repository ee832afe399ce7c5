//! A Docker Engine of the tests' own: its daemon, data, sockets and network namespace are made for one test process and go
//! with it. Nothing of an engine that the machine may have, and no firewall, is touched. Starting it needs root.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::OnceLock;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use crate::answering::program;
use crate::brunt::binary;
use crate::host;
use crate::image::{root_file_system, run};
use crate::nginx::installed;

/// Runs the daemon, and ends it when its standard input ends: with the test process, however that ends. A static value is
/// not dropped, and a daemon that is killed leaves its containers.
const GUARDIAN: &str = r#"
    nsenter --net=/run/netns/"$1" "$2" --host "unix://$3/docker.sock" --data-root "$3/data" --exec-root "$3/exec" \
        --pidfile "$3/docker.pid" --config-file "$3/daemon.json" --iptables=false --ip6tables=false \
        --userland-proxy=false --bip 10.213.77.1/24 >"$3/log" 2>&1 &
    daemon=$!
    read -r end
    docker --host "unix://$3/docker.sock" ps --all --quiet |
        xargs --no-run-if-empty docker --host "unix://$3/docker.sock" rm --force >/dev/null 2>&1
    kill "$daemon"
    wait "$daemon"
    ip netns delete "$1"
    # What containers with the network of their host were given.
    umount "$3"/exec/netns/* 2>/dev/null
    rm -rf --one-file-system "$3"
"#;

/// The image that containers are made of: the service that answers, and the libraries that it needs.
const IMAGE: &str = "answering";
/// The image of the demo shop's containers: brunt itself.
const SHOP: &str = "shop";
/// Where the service listens in its container.
const PORT: u16 = 8080;

/// A running engine.
#[derive(Debug)]
pub struct Engine {
    folder: PathBuf,
    namespace: String,
    /// The end of its standard input, which this holds, is the engine's end.
    _guardian: Child,
}

impl Engine {
    /// The one of this test process.
    ///
    /// # Panics
    /// Without root, `dockerd` and `docker`, or when the daemon does not start.
    pub fn shared() -> &'static Self {
        static ENGINE: OnceLock<Engine> = OnceLock::new();
        ENGINE.get_or_init(Self::launch)
    }

    fn launch() -> Self {
        let folder = tempfile::Builder::new().prefix("brunt-docker-").tempdir().expect("a temporary folder").keep();
        let namespace = format!("brunt-test-{}-docker", std::process::id());
        fs::write(folder.join("daemon.json"), "{}").expect("the folder can be written to");
        run(Command::new("ip").args(["netns", "add", &namespace]));
        run(Command::new("ip").args(["-n", &namespace, "link", "set", "lo", "up"]));
        let mut guardian = Command::new("sh");
        guardian.args(["-c", GUARDIAN, "sh", &namespace]).arg(installed("dockerd")).arg(&folder);
        // A terminal's Ctrl-C ends the tests first.
        std::os::unix::process::CommandExt::process_group(&mut guardian, 0);
        let guardian = guardian.stdin(Stdio::piped()).spawn().expect("there is a shell");
        let engine = Self { folder, namespace, _guardian: guardian };
        let answers = || {
            let version = engine.command(&["version"]).output().expect("`docker` is installed: run ./tests/run");
            version.status.success()
        };
        let log = || fs::read_to_string(engine.folder.join("log")).unwrap_or_default();
        assert!(host::comes_true(Duration::from_secs(60), answers), "dockerd does not start:\n{}", log());
        engine.import(IMAGE, &program());
        engine
    }

    /// For the environment of whoever is to use it.
    pub fn host(&self) -> String {
        format!("unix://{}", self.folder.join("docker.sock").display())
    }

    /// The network namespace in which containers can be reached.
    pub fn namespace(&self) -> &str {
        &self.namespace
    }

    /// The daemon's process.
    #[track_caller]
    pub fn daemon(&self) -> u32 {
        let text = fs::read_to_string(self.folder.join("docker.pid")).expect("a daemon that runs has written it");
        text.trim().parse().expect("a number")
    }

    /// `docker ARGS`, and what it printed.
    #[track_caller]
    pub fn docker(&self, args: &[&str]) -> String {
        run(&mut self.command(args))
    }

    fn command(&self, args: &[&str]) -> Command {
        let mut command = Command::new("docker");
        command.args(["--host", &self.host()]).args(args);
        command
    }

    /// A container that answers at once, with these words for `docker run`.
    #[track_caller]
    pub fn container(&'static self, words: &[&str]) -> Container {
        self.start_container(words, PORT)
    }

    /// One in the network of another.
    #[track_caller]
    pub fn beside(&'static self, other: &Container) -> Container {
        self.start_container(&["--network", &format!("container:{}", other.name)], PORT + 1)
    }

    /// A service of the demo shop, with these words for `docker run` and these for the service.
    #[track_caller]
    pub fn shop(&'static self, words: &[&str], service: &[&str]) -> Container {
        static IMPORTED: OnceLock<()> = OnceLock::new();
        IMPORTED.get_or_init(|| self.import(SHOP, &binary()));
        let port = PORT.to_string();
        let listens = ["--port", &port, "--address", "0.0.0.0"];
        self.start(words, &[&[SHOP, "/brunt", "demo-service"], service, &listens].concat())
    }

    #[track_caller]
    fn start_container(&'static self, words: &[&str], port: u16) -> Container {
        self.start(words, &[IMAGE, "/answering", "--port", &port.to_string(), "--any-address", "1"])
    }

    #[track_caller]
    fn start(&'static self, words: &[&str], service: &[&str]) -> Container {
        static COUNT: AtomicU32 = AtomicU32::new(0);
        let name = format!("story-{}", COUNT.fetch_add(1, Ordering::Relaxed));
        self.docker(&[&["run", "--detach", "--name", &name], words, service].concat());
        Container { engine: self, name }
    }

    /// Makes an image of a root file system that holds just what is needed.
    fn import(&self, image: &str, program: &Path) {
        let root = self.folder.join(image);
        root_file_system(program, &root);
        let archive = self.folder.join("root.tar");
        run(Command::new("tar").arg("-cf").arg(&archive).arg("-C").arg(&root).arg("."));
        fs::remove_dir_all(&root).expect("it was just made");
        self.docker(&["import", &archive.display().to_string(), image]);
        fs::remove_file(&archive).expect("it was just made");
    }
}

/// A container of the tests' own engine; dropping it removes it.
#[derive(Debug)]
pub struct Container {
    engine: &'static Engine,
    /// Its name.
    pub name: String,
}

impl Container {
    /// A field of `docker inspect`: `.State.Pid`.
    #[track_caller]
    pub fn inspect(&self, field: &str) -> String {
        self.engine.docker(&["inspect", "--format", &format!("{{{{{field}}}}}"), &self.name]).trim().to_owned()
    }

    /// Its main process, as the host sees it.
    #[track_caller]
    pub fn pid(&self) -> u32 {
        self.inspect(".State.Pid").parse().expect("the engine says a number")
    }

    /// `running`, `paused`, `exited`...
    #[track_caller]
    pub fn state(&self) -> String {
        self.inspect(".State.Status")
    }

    /// Where it answers, in the engine's network namespace.
    #[track_caller]
    pub fn url(&self) -> String {
        format!("http://{}:{PORT}", self.inspect(".NetworkSettings.IPAddress"))
    }
}

impl Drop for Container {
    fn drop(&mut self) {
        // A test may have removed it itself.
        let _ = self.engine.command(&["rm", "--force", &self.name]).output();
    }
}
