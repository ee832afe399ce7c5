//! A verb that waits for an API server which does not answer, or is stuck: what becomes of the other faults of the same agent
//! meanwhile.

use std::collections::BTreeMap;
use std::io::{BufRead, BufReader, Write as _};
use std::net::{TcpListener, TcpStream};
use std::path::PathBuf;
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};
use std::sync::mpsc::{self, Receiver, Sender};
use std::sync::{Arc, Condvar, Mutex};
use std::time::{Duration, Instant};

use brunt_injector::agent::lease::boottime;
use brunt_injector::journal::{Entry, Journal};
use brunt_injector::process::ProcessId;
use brunt_injector::{Event, InstanceSpec, Seen};
use brunt_kubernetes::{Access, Identity};
use serde_json::{Value, json};

use crate::lab::{Bystander, Lab, STAND_IN, eventually, runs, state_of};
use crate::scene::{fault, process, shell};

const LEASE: Duration = Duration::from_secs(1);
/// What is told soon is told by then, on a machine that is busy.
const SOON: Duration = Duration::from_millis(700);

/// An API server with one node, which can be made to take requests and answer none of them.
struct Server {
    folder: tempfile::TempDir,
    shared: Arc<Shared>,
    /// Of each request that is not answered yet.
    unanswered: Receiver<String>,
}

#[derive(Default)]
struct Shared {
    state: Mutex<State>,
    changed: Condvar,
}

#[derive(Default)]
struct State {
    is_silent: bool,
    unschedulable: bool,
}

impl Server {
    fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let folder = tempfile::tempdir().unwrap();
        let server = format!("http://{}", listener.local_addr().unwrap());
        let kubeconfig = json!({
            "apiVersion": "v1",
            "kind": "Config",
            "current-context": "test",
            "clusters": [{ "name": "test", "cluster": { "server": server } }],
            "contexts": [{ "name": "test", "context": { "cluster": "test", "user": "test" } }],
            "users": [{ "name": "test", "user": {} }],
        });
        std::fs::write(folder.path().join("kubeconfig"), kubeconfig.to_string()).unwrap();
        let shared = Arc::<Shared>::default();
        let (tell, unanswered) = mpsc::channel();
        let theirs = Arc::clone(&shared);
        std::thread::spawn(move || {
            for client in listener.incoming() {
                let (client, shared, tell) = (client.unwrap(), Arc::clone(&theirs), tell.clone());
                std::thread::spawn(move || shared.serve(client, &tell));
            }
        });
        Self { folder, shared, unanswered }
    }

    fn is_silent(&self, is_silent: bool) {
        self.shared.state.lock().unwrap().is_silent = is_silent;
        self.shared.changed.notify_all();
    }

    fn is_cordoned(&self) -> bool {
        self.shared.state.lock().unwrap().unschedulable
    }

    fn kubeconfig(&self) -> PathBuf {
        self.folder.path().join("kubeconfig")
    }

    /// The order to cordon its node.
    fn cordon(&self, fault: &str) -> Value {
        let identity = Identity { context: Some("test".into()), files: vec![self.kubeconfig()], uid: "cluster".into() };
        let access = Access::again(&identity).unwrap();
        let node = json!({ "kind": "node", "name": "n1", "uid": "node", "cluster": identity, "grace": 0 });
        order(fault, "node.cordon", json!({ "kubernetes": node }), json!({ "access": access }))
    }
}

impl Shared {
    /// Until the client has enough of it.
    fn serve(&self, client: TcpStream, tell: &Sender<String>) {
        let mut input = BufReader::new(client.try_clone().unwrap());
        while let Some((request, body)) = request(&mut input) {
            let mut state = self.state.lock().unwrap();
            if state.is_silent {
                // The test may be over.
                let _ = tell.send(request.clone());
                state = self.changed.wait_while(state, |state| state.is_silent).unwrap();
            }
            let answer = state.answer(&request, &body).to_string();
            drop(state);
            let head = format!(
                "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: {}\r\n\r\n",
                answer.len()
            );
            if (&client).write_all((head + &answer).as_bytes()).is_err() {
                return;
            }
        }
    }
}

impl State {
    fn answer(&mut self, request: &str, body: &[u8]) -> Value {
        let (method, path) = request.split_once(' ').unwrap();
        match path.split('?').next() {
            Some("/api/v1/namespaces/kube-system") => {
                json!({ "kind": "Namespace", "apiVersion": "v1", "metadata": { "name": "kube-system", "uid": "cluster" } })
            }
            Some("/api/v1/nodes/n1") => {
                if method == "PATCH" {
                    let change: Value = serde_json::from_slice(body).unwrap();
                    self.unschedulable = change["spec"]["unschedulable"] == true;
                }
                let spec = if self.unschedulable { json!({ "unschedulable": true }) } else { json!({}) };
                let metadata = json!({ "name": "n1", "uid": "node", "resourceVersion": "1" });
                json!({ "kind": "Node", "apiVersion": "v1", "metadata": metadata, "spec": spec })
            }
            _ => panic!("nobody knows {request}"),
        }
    }
}

/// `GET /path` and a body; `None` at the end.
fn request(input: &mut impl BufRead) -> Option<(String, Vec<u8>)> {
    let mut lines = Vec::new();
    loop {
        let mut line = String::new();
        if input.read_line(&mut line).ok()? == 0 {
            return None;
        }
        match line.trim_end() {
            "" => break,
            line => lines.push(line.to_owned()),
        }
    }
    let length = lines.iter().find_map(|line| line.to_lowercase().strip_prefix("content-length: ")?.parse().ok());
    let mut body = vec![0; length.unwrap_or(0)];
    input.read_exact(&mut body).ok()?;
    Some((lines[0].strip_suffix(" HTTP/1.1")?.to_owned(), body))
}

fn order(fault: &str, kind: &str, victim: Value, more: Value) -> Value {
    let mut order = json!({ "fault": fault, "kind": kind, "victims": [victim], "seed": 7 });
    order.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    order
}

fn on_process(fault: &str, kind: &str, pid: u32, more: Value) -> Value {
    let process = ProcessId::of(pid).unwrap();
    order(fault, kind, json!({ "process": { "process": process, "name": "it" } }), more)
}

/// An agent, and this test in the place of its runner.
struct Agent {
    child: Child,
    stdin: Option<ChildStdin>,
    lines: Receiver<Value>,
    journal: Journal,
    asked: u64,
    /// Answers to what was asked later than what somebody waits for.
    early: BTreeMap<u64, Value>,
}

impl Agent {
    fn start(lab: &Lab) -> Self {
        let mut agent = Command::new(STAND_IN);
        let mut child = agent.arg("agent").stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
        let stdin = child.stdin.take();
        let lines = lines(child.stdout.take().unwrap());
        let journal = Journal::create(lab.state(), &Lab::run_id("waiting")).unwrap();
        let mut agent = Self { child, stdin, lines, journal, asked: 0, early: BTreeMap::new() };
        let hello = json!({
            "version": env!("CARGO_PKG_VERSION"),
            "run_id": Lab::run_id("waiting"),
            "runner": ProcessId::own().unwrap(),
            "journal": agent.journal.path(),
            "lease": LEASE,
        });
        agent.say(&json!({ "hello": hello }));
        assert!(agent.lines.recv_timeout(Duration::from_secs(10)).unwrap()["ready"].is_object());
        agent
    }

    fn say(&mut self, what: &Value) {
        let line = format!("{what}\n");
        self.stdin.as_mut().unwrap().write_all(line.as_bytes()).unwrap();
    }

    fn beat(&mut self) {
        let now = u64::try_from(boottime().as_nanos()).unwrap();
        self.say(&json!({ "beat": now }));
    }

    fn ask(&mut self, ask: Value) -> u64 {
        self.asked += 1;
        let seq = self.asked;
        self.say(&json!({ "ask": { "seq": seq, "ask": ask } }));
        seq
    }

    /// The answer to that one, `None` if it takes longer; heartbeats go on meanwhile.
    fn answer(&mut self, seq: u64, within: Duration) -> Option<Value> {
        let until = Instant::now() + within;
        loop {
            if let Some(answer) = self.early.remove(&seq) {
                return Some(answer);
            }
            if Instant::now() > until {
                return None;
            }
            self.beat();
            if let Ok(line) = self.lines.recv_timeout(Duration::from_millis(50))
                && let Some(seq) = line["answer"]["seq"].as_u64()
            {
                self.early.insert(seq, line["answer"]["answer"].clone());
            }
        }
    }

    #[track_caller]
    fn does(&mut self, ask: Value) -> Value {
        let seq = self.ask(ask.clone());
        let answer = self.answer(seq, Duration::from_secs(10)).unwrap_or_else(|| panic!("no answer to {ask}"));
        assert!(answer["Ok"] != Value::Null, "{ask}: {answer}");
        answer["Ok"].clone()
    }

    #[track_caller]
    fn injects(&mut self, order: Value) {
        let fault = order["fault"].clone();
        let prepared = self.does(json!({ "prepare": order }));
        let undo = serde_json::from_value(prepared["prepared"]["undo"].clone()).unwrap();
        let entry = Entry { fault: fault.as_str().unwrap().into(), kind: "of a test".into(), undo };
        self.journal.doing(&entry).unwrap();
        self.does(json!({ "inject": { "fault": fault, "change": "make" } }));
    }
}

impl Drop for Agent {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn lines(stdout: ChildStdout) -> Receiver<Value> {
    let (sender, lines) = mpsc::channel();
    std::thread::spawn(move || {
        for line in BufReader::new(stdout).lines().map_while(Result::ok) {
            if sender.send(serde_json::from_str(&line).unwrap()).is_err() {
                return;
            }
        }
    });
    lines
}

/// A server of connections, and its port.
struct Database(Child, u16);

impl Database {
    fn start() -> Self {
        let mut child = Command::new(STAND_IN).args(["serve", "40", "0"]).stdout(Stdio::piped()).spawn().unwrap();
        let mut port = String::new();
        BufReader::new(child.stdout.take().unwrap()).read_line(&mut port).unwrap();
        Self(child, port.trim().parse().unwrap())
    }
}

impl Drop for Database {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// Connections that end with their lease are there all the time, and are told of at once, whatever another fault waits for.
#[test]
fn while_a_verb_waits_for_an_api_server_the_leases_of_other_faults_are_renewed_and_their_verbs_answered() {
    let (lab, server, database) = (Lab::new(), Server::start(), Database::start());
    let mut agent = Agent::start(&lab);
    let pool = json!({ "pool": { "connections": 20, "port": database.1, "send": null } });
    agent.injects(on_process("full", "pool.exhaust", database.0.id(), pool));
    server.is_silent(true);
    let waits = agent.ask(json!({ "prepare": server.cordon("cordon") }));
    server.unanswered.recv_timeout(Duration::from_secs(10)).unwrap();
    let asked = Instant::now();
    while asked.elapsed() < LEASE * 3 {
        let seq = agent.ask(json!({ "verify": { "fault": "full" } }));
        let answer = agent.answer(seq, SOON).unwrap_or_else(|| panic!("no answer after {:?}", asked.elapsed()));
        assert!(answer["Ok"]["seen"]["yes"].is_string() || asked.elapsed() < LEASE / 2, "{answer}");
        assert!(!agent.early.contains_key(&waits), "it did not wait");
    }
    server.is_silent(false);
    let prepared = agent.answer(waits, Duration::from_secs(10)).unwrap();
    assert!(prepared["Ok"]["prepared"].is_object(), "{prepared}");
    // What is asked of one fault is done in the order in which it is asked.
    let seqs = [
        json!({ "inject": { "fault": "cordon", "change": "make" } }),
        json!({ "revert": { "fault": "cordon" } }),
        json!({ "verify": { "fault": "cordon" } }),
    ];
    let seqs = seqs.map(|ask| agent.ask(ask));
    let [injected, reverted, gone] = seqs.map(|seq| agent.answer(seq, Duration::from_secs(10)).unwrap());
    assert_eq!(injected["Ok"], "injected");
    assert_eq!(reverted["Ok"]["reverted"]["rollback_verified"], true, "{reverted}");
    assert_eq!(gone["Err"], "no fault `cordon` was prepared");
    assert!(!server.is_cordoned());
}

/// The paused process goes on in time, though the agent waits for an answer and then for another one, to undo what it did in
/// the cluster; and that is undone when the server is back.
#[test]
fn a_runner_that_is_gone_or_silent_while_a_verb_waits_ends_the_other_faults_in_time() {
    for is_gone in [true, false] {
        let (lab, server, bystander) = (Lab::new(), Server::start(), Bystander::start());
        let mut agent = Agent::start(&lab);
        // The first in the order of their names would be undone first.
        agent.injects(server.cordon("a-cordon"));
        agent.injects(on_process("b-pause", "process.pause", bystander.pid(), json!({})));
        assert!(server.is_cordoned());
        eventually("it is paused", || state_of(bystander.pid()) == Some('T'));
        server.is_silent(true);
        agent.ask(json!({ "prepare": server.cordon("c-cordon") }));
        server.unanswered.recv_timeout(Duration::from_secs(10)).unwrap();
        agent.beat();
        let last = Instant::now();
        if is_gone {
            agent.stdin = None;
        }
        eventually("it goes on", || runs(bystander.pid()));
        let took = last.elapsed();
        let within = if is_gone { Duration::from_secs(1) } else { LEASE + Duration::from_secs(1) };
        assert!(took < within, "the runner is gone: {is_gone}; {took:?}");
        assert!(server.is_cordoned(), "that could not be undone");
        // Both are stuck, each for itself.
        server.unanswered.recv_timeout(Duration::from_secs(10)).unwrap();
        server.is_silent(false);
        eventually("the cluster is as before", || !server.is_cordoned());
        let mut status = None;
        eventually("it ends", || {
            status = agent.child.try_wait().unwrap();
            status.is_some()
        });
        assert!(status.unwrap().success());
    }
}

/// A service that cannot be started: whoever opens its log waits for a reader who does not come.
fn stuck(lab: &Lab) -> InstanceSpec {
    let spec = shell(lab.state(), "stuck", 0, "sleep 1000");
    assert!(Command::new("mkfifo").arg(&spec.log).status().unwrap().success());
    spec
}

/// As a runner that lives sees it: it ends the agent, and undoes in its place.
#[tokio::test]
async fn an_agent_that_is_stuck_on_this_host_is_ended_and_its_faults_are_undone() {
    let (lab, bystander) = (Lab::new(), Bystander::start());
    let mut options = lab.options("stuck");
    options.lease = LEASE;
    let (injector, mut events) = brunt_injector::Injector::start(options).await.unwrap();
    let pause = fault("frozen", "process.pause", "other");
    let victims = injector.resolve(&pause, &process(bystander.pid())).await.unwrap();
    injector.inject(&pause, &victims).await.unwrap();
    let error = injector.start_instance(stuck(&lab)).await.unwrap_err().to_string();
    assert!(error.contains("did not answer") || error.contains("heartbeats"), "{error}");
    let lost = tokio::time::timeout(Duration::from_secs(10), events.recv()).await.unwrap().unwrap();
    assert!(matches!(&lost, Event::AgentLost { reason, .. } if !reason.contains("left behind")), "{lost:?}");
    assert!(runs(bystander.pid()));
    assert!(matches!(injector.verify("frozen").await, Err(_) | Ok(Seen::Absent(_))));
    injector.close().await.unwrap();
}
