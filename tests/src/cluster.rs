//! A Kubernetes cluster of the tests' own: real servers, and two nodes with real containers, in network namespaces that are
//! made for one test process and go with it. `tests/cluster/hold` says what it consists of. Starting it needs root, and the
//! program that `./tests/run` builds once.

mod account;
mod audit;
mod shop;

use std::fs;
use std::io::{BufRead as _, BufReader, Write as _};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};
use std::sync::{Mutex, OnceLock, PoisonError};
use std::time::Duration;

use serde_json::Value;

pub use audit::{Asked, seconds_since_1970};
pub use shop::Shop;

use crate::brunt::{Brunt, binary};
use crate::image;
use crate::scenario::Scenario;

/// The image of the demo shop's pods: brunt itself.
pub const SHOP_IMAGE: &str = "brunt.test/shop:1";
/// What the nodes start each pod with.
const PAUSE_IMAGE: &str = "brunt.test/pause:1";

/// A running cluster. Dropping it ends it.
#[derive(Debug)]
pub struct Cluster {
    folder: PathBuf,
    prefix: String,
    holder: Mutex<Holder>,
}

/// The process that holds the cluster, and ends it when its standard input, which is here, ends.
#[derive(Debug)]
struct Holder {
    child: Child,
    orders: Option<ChildStdin>,
    answers: BufReader<ChildStdout>,
}

impl Cluster {
    /// The one of this test process.
    ///
    /// # Panics
    /// See [`Cluster::launch`].
    pub fn shared() -> &'static Self {
        static CLUSTER: OnceLock<Cluster> = OnceLock::new();
        CLUSTER.get_or_init(|| Self::launch(&format!("brunt-test-{}", std::process::id())))
    }

    /// Starts one whose names begin with `prefix`: ten to thirty seconds.
    ///
    /// # Panics
    /// Without root, without what `./tests/run` installs and builds, or when a part of it does not become ready.
    pub fn launch(prefix: &str) -> Self {
        let folder = tempfile::Builder::new().prefix("brunt-k8s-").tempdir().expect("a temporary folder").keep();
        let images = folder.join("images");
        fs::create_dir(&images).expect("the folder is ours");
        image::archive(&beside_this_test("pause"), PAUSE_IMAGE, &images);
        image::archive(&binary(), SHOP_IMAGE, &images);

        let mut command = Command::new(Path::new(env!("CARGO_MANIFEST_DIR")).join("cluster/hold"));
        command.arg(Self::program()).arg(&folder).arg(prefix).stdin(Stdio::piped()).stdout(Stdio::piped());
        // A terminal's Ctrl-C ends the tests first.
        std::os::unix::process::CommandExt::process_group(&mut command, 0);
        let mut child = command.spawn().expect("tests/cluster/hold can be executed");
        let orders = child.stdin.take();
        let answers = BufReader::new(child.stdout.take().expect("it is piped"));
        let mut holder = Holder { child, orders, answers };
        holder.expect("ready");
        Self { folder, prefix: prefix.to_owned(), holder: Mutex::new(holder) }
    }

    /// Every server of a cluster, and kubectl, in one.
    ///
    /// # Panics
    /// When there is none: a test never passes without it.
    pub fn program() -> PathBuf {
        let path = std::env::var_os("BRUNT_TEST_KUBERNETES").map(PathBuf::from);
        path.filter(|path| path.is_file()).expect("BRUNT_TEST_KUBERNETES names the program: run ./tests/run")
    }

    /// That of somebody who may do everything.
    pub fn kubeconfig(&self) -> PathBuf {
        self.folder.join("admin.kubeconfig")
    }

    /// The network namespace from which the API server, pods and Services are reached.
    pub fn network(&self) -> &str {
        &self.prefix
    }

    /// `brunt run` of that scenario, beside the control plane, as somebody who may do everything.
    pub fn run(&self, scenario: &Scenario) -> Brunt {
        self.beside(Brunt::run(scenario))
    }

    /// Any command of brunt, beside the control plane, as somebody who may do everything.
    pub fn beside(&self, brunt: Brunt) -> Brunt {
        brunt.env("KUBECONFIG", self.kubeconfig()).env("BRUNT_IMAGE", SHOP_IMAGE).under(["nsenter", &self.net()])
    }

    /// `kubectl ARGS`, and what it printed.
    #[track_caller]
    pub fn kubectl(&self, args: &[&str]) -> String {
        image::run(&mut self.command(args))
    }

    /// `kubectl ARGS`, for what may fail.
    pub fn command(&self, args: &[&str]) -> Command {
        let mut command = Command::new("nsenter");
        command.arg(self.net()).arg(Self::program()).arg("kubectl").arg("--kubeconfig").arg(self.kubeconfig());
        command.args(args);
        command
    }

    /// What `kubectl get ARGS` says, as data.
    #[track_caller]
    pub fn get(&self, args: &[&str]) -> Value {
        let text = self.kubectl(&[&["get", "--output", "json"], args].concat());
        serde_json::from_str(&text).expect("kubectl prints JSON")
    }

    /// Creates these objects, and returns them as they are then.
    #[track_caller]
    pub fn create(&self, namespace: &str, objects: &[Value]) -> Vec<Value> {
        let list = serde_json::json!({ "apiVersion": "v1", "kind": "List", "items": objects });
        let file = tempfile::NamedTempFile::new().expect("a temporary file");
        fs::write(file.path(), list.to_string()).expect("the file is ours");
        let path = file.path().display().to_string();
        let text = self.kubectl(&["create", "--namespace", namespace, "--output", "json", "--filename", &path]);
        // One object after the other, or a list of them.
        let mut made = Vec::new();
        for object in serde_json::Deserializer::from_str(&text).into_iter() {
            let object: Value = object.expect("kubectl prints JSON");
            match object["items"].as_array() {
                Some(items) => made.extend(items.iter().cloned()),
                None => made.push(object),
            }
        }
        made
    }

    /// A file with an image for `kubectl` and pods, taken in by both nodes.
    #[track_caller]
    pub fn import(&self, program: &Path, name: &str) {
        let archive = image::archive(program, name, &self.folder.join("images"));
        for node in ["n1", "n2"] {
            let socket = self.folder.join(node).join("containerd.sock");
            let ctr = ["--namespace", "k8s.io", "images", "import"];
            image::run(Command::new("ctr").arg("--address").arg(socket).args(ctr).arg(&archive));
        }
    }

    /// Everything of node 2 ends at once, as if its power was cut. Node 1 carries the way from outside to Services.
    #[track_caller]
    pub fn crash_node_2(&self) {
        self.order("crash 2");
    }

    /// Node 2 comes back with the disk that it had; returns when the cluster takes it for ready.
    #[track_caller]
    pub fn return_node_2(&self) {
        self.order("return 2");
        // It was lost for long enough to be seen, or it is still taken for ready: then its kubelet has yet to say so anew.
        self.kubectl(&["wait", "--for=condition=Ready", "node/n2", "--timeout=120s"]);
    }

    /// Stops (SIGSTOP) a server of the control plane while the value lives: `apiserver`, `etcd`, `controllers`, `scheduler`.
    #[track_caller]
    pub fn stopped(&self, server: &'static str) -> Stopped<'_> {
        self.order(&format!("stop {server}"));
        Stopped { cluster: self, server }
    }

    /// The API server shows a new certificate to whoever connects anew, of its own authority (`own`) or of one that nobody
    /// believes (`strange`) until another one is ordered. Connections that are there stay.
    #[track_caller]
    pub fn certificate(&self, whose: &str) {
        self.order(&format!("certificate {whose}"));
    }

    /// Who asked the API server to change what, in the order in which it answered.
    #[track_caller]
    pub fn audit(&self) -> Vec<Asked> {
        audit::read(&self.folder.join("audit.log"))
    }

    /// Waits for a change that the API server was asked for.
    ///
    /// # Panics
    /// When nobody asks within a minute.
    #[track_caller]
    pub fn asked(&self, what: &str, is: impl Fn(&Asked) -> bool) -> Asked {
        let mut found = None;
        crate::host::comes_true(Duration::from_secs(60), || {
            found = self.audit().into_iter().find(&is);
            found.is_some()
        });
        found.unwrap_or_else(|| panic!("nobody asked the API server for {what}"))
    }

    fn net(&self) -> String {
        format!("--net=/run/netns/{}", self.prefix)
    }

    #[track_caller]
    fn order(&self, line: &str) {
        let mut holder = self.holder.lock().unwrap_or_else(PoisonError::into_inner);
        let orders = holder.orders.as_mut().expect("it is open until the drop");
        orders.write_all(format!("{line}\n").as_bytes()).expect("the holder reads");
        holder.expect("done");
    }
}

impl Holder {
    #[track_caller]
    fn expect(&mut self, word: &str) {
        let mut line = String::new();
        self.answers.read_line(&mut line).expect("it prints text");
        assert_eq!(line.trim(), word, "the cluster has failed: see above");
    }
}

impl Drop for Cluster {
    fn drop(&mut self) {
        let holder = self.holder.get_mut().unwrap_or_else(PoisonError::into_inner);
        holder.orders = None;
        let _ = holder.child.wait();
    }
}

/// A server that is stopped; dropping it lets it go on.
#[derive(Debug)]
pub struct Stopped<'cluster> {
    cluster: &'cluster Cluster,
    server: &'static str,
}

impl Drop for Stopped<'_> {
    fn drop(&mut self) {
        self.cluster.order(&format!("continue {}", self.server));
    }
}

/// A program of this package; `cargo test` builds them all.
fn beside_this_test(name: &str) -> PathBuf {
    let this = std::env::current_exe().expect("a program knows its own file");
    let found = this.ancestors().skip(1).take(2).map(|folder| folder.join(name)).find(|path| path.is_file());
    found.unwrap_or_else(|| panic!("{name} is not there: cargo test -p brunt-tests builds it"))
}
