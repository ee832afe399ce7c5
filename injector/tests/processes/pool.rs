//! `pool.exhaust` on servers with a known number of connections.

use std::io::Read as _;
use std::net::TcpStream;
use std::time::{Duration, Instant};

use brunt_injector::{Injector, InstanceSpec, ResolveError, Seen};
use brunt_scenario::plan::{Fault, ParamValue, Params, Target};

use crate::lab::{self, Lab, STAND_IN};
use crate::scene::{fault, shell};

fn exhaust(with: &[(&'static str, u64)]) -> Fault {
    let with = Params(with.iter().map(|(name, value)| (*name, ParamValue::Number(*value))).collect());
    Fault { with, ..fault("full", "pool.exhaust", "db") }
}

fn target() -> Target {
    Target::Service("db".into())
}

/// Starts a server with so many connections; its port.
async fn serve(lab: &Lab, injector: &Injector, service: &str, limit: usize, age_ms: u64) -> u16 {
    let args = vec!["serve".into(), limit.to_string(), age_ms.to_string()];
    let spec = InstanceSpec { program: STAND_IN.into(), args, ..shell(lab.state(), service, 0, "") };
    let log = spec.log.clone();
    injector.start_instance(spec).await.unwrap();
    let port = || std::fs::read_to_string(&log).ok().filter(|text| text.ends_with('\n'));
    lab::eventually("it says its port", || port().is_some());
    port().unwrap().trim().parse().unwrap()
}

/// What is seen once it holds these words; until then it may be less, and is never absent.
async fn told(injector: &Injector, words: &str) -> String {
    let until = Instant::now() + Duration::from_secs(20);
    loop {
        let Seen::Yes(text) = injector.verify("full").await.unwrap() else { panic!("it is not seen at all") };
        if text.contains(words) {
            return text;
        }
        assert!(Instant::now() < until, "never: {words}; but {text}");
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
}

/// Whether a new client is taken, or closed without a word.
fn is_greeted(port: u16) -> bool {
    let mut client = TcpStream::connect(("127.0.0.1", port)).unwrap();
    client.set_read_timeout(Some(Duration::from_secs(10))).unwrap();
    let mut said = [0; 5];
    client.read_exact(&mut said).is_ok_and(|()| said == *b"hello")
}

/// How many connections to this port the kernel lists as established, seen from the server.
fn established(port: u16) -> usize {
    let text = std::fs::read_to_string("/proc/self/net/tcp").unwrap();
    let local = format!(":{port:04X}");
    let of_server = |fields: &[&str]| fields[1].ends_with(&local) && fields[3] == "01";
    text.lines().skip(1).filter(|line| of_server(&line.split_whitespace().collect::<Vec<_>>())).count()
}

#[tokio::test]
async fn a_server_whose_connections_are_all_held_turns_new_clients_away_until_they_are_let_go() {
    let lab = Lab::new();
    let (injector, _events) = lab.start("pool").await;
    let port = serve(&lab, &injector, "db", 40, 0).await;
    let bystander = serve(&lab, &injector, "other", 40, 0).await;
    assert!(is_greeted(port));

    let full = exhaust(&[("connections", 40)]);
    let victims = injector.resolve(&full, &target()).await.unwrap();
    injector.inject(&full, &victims).await.unwrap();
    // The server may still count the client that looked first for a moment: then the last one comes a little later.
    told(&injector, "held 40 connections to db-0 (pid ").await;
    assert_eq!(established(port), 40);
    lab::eventually("new clients are turned away", || !is_greeted(port));
    assert!(is_greeted(bystander), "another server is not touched");

    let reverted = injector.revert("full").await;
    assert!(matches!(reverted.effect, Seen::Yes(_)), "{reverted:?}");
    assert_eq!((reverted.rollback_verified, reverted.error.as_deref()), (Some(true), None));
    lab::eventually("clients are taken again", || is_greeted(port));
    injector.close().await.unwrap();
    assert_eq!(lab.journals(), 0);
}

#[tokio::test]
async fn without_a_number_it_takes_what_the_server_has_and_says_how_the_rest_is_turned_away() {
    let lab = Lab::new();
    let (injector, _events) = lab.start("all").await;
    let port = serve(&lab, &injector, "db", 150, 0).await;
    let full = exhaust(&[]);
    let victims = injector.resolve(&full, &target()).await.unwrap();
    injector.inject(&full, &victims).await.unwrap();
    let text = told(&injector, "held 150 connections to db-0 (pid ").await;
    assert!(text.ends_with("; it closes further ones at once"), "{text}");
    lab::eventually("new clients are turned away", || !is_greeted(port));
    assert_eq!(injector.revert("full").await.rollback_verified, Some(true));
    injector.close().await.unwrap();
}

#[tokio::test]
async fn what_the_server_closes_is_opened_again() {
    let lab = Lab::new();
    let (injector, _events) = lab.start("again").await;
    serve(&lab, &injector, "db", 100, 300).await;
    let full = exhaust(&[("connections", 10)]);
    let victims = injector.resolve(&full, &target()).await.unwrap();
    injector.inject(&full, &victims).await.unwrap();
    told(&injector, "closed by the server and opened again").await;
    injector.revert("full").await;
    injector.close().await.unwrap();
}

#[tokio::test]
async fn the_connections_end_with_an_agent_that_is_killed() {
    let lab = Lab::new();
    let (injector, _events) = lab.start("orphans").await;
    // Not one of the run's own services, for those end with the agent as well.
    let mut server = std::process::Command::new(STAND_IN)
        .args(["serve", "40", "0"])
        .stdout(std::process::Stdio::piped())
        .spawn()
        .unwrap();
    let mut line = String::new();
    std::io::BufRead::read_line(&mut std::io::BufReader::new(server.stdout.as_mut().unwrap()), &mut line).unwrap();
    let port: u16 = line.trim().parse().unwrap();
    let full = exhaust(&[("connections", 30), ("port", u64::from(port))]);
    let target = crate::scene::process(server.id());
    let victims = injector.resolve(&full, &target).await.unwrap();
    injector.inject(&full, &victims).await.unwrap();
    assert_eq!(established(port), 30);
    lab::kill(injector.agent().pid);
    lab::eventually("the kernel has closed them", || established(port) == 0);
    assert!(is_greeted(port));
    let _ = injector.close().await;
    server.kill().unwrap();
    server.wait().unwrap();
}

#[tokio::test]
async fn a_fault_that_only_pretends_is_not_seen() {
    let lab = Lab::new();
    let options = brunt_injector::Options { force_no_effect: true, ..lab.options("pretends") };
    let (injector, _events) = Injector::start(options).await.unwrap();
    serve(&lab, &injector, "db", 40, 0).await;
    let full = exhaust(&[("connections", 10)]);
    let victims = injector.resolve(&full, &target()).await.unwrap();
    injector.inject(&full, &victims).await.unwrap();
    let Seen::Absent(text) = injector.verify("full").await.unwrap() else { panic!("seen") };
    assert!(text.starts_with("no connection to 127.0.0.1:"), "{text}");
    assert_eq!(injector.revert("full").await.rollback_verified, None);
    injector.close().await.unwrap();
}

#[tokio::test]
async fn what_cannot_be_held_or_reached_is_refused_before_anything_happens() {
    let lab = Lab::new();
    let (injector, _events) = lab.start("refused").await;
    injector.start_instance(shell(lab.state(), "db", 0, "sleep 1000")).await.unwrap();
    for (wanted, why) in [(0, "`connections: 0` holds none"), (28_001, "at most 28,000 ports")] {
        let refused = injector.resolve(&exhaust(&[("connections", wanted)]), &target()).await;
        let Err(ResolveError::Unfit { why: said, .. }) = refused else { panic!("{wanted} is taken") };
        assert!(said.contains(why), "{said}");
    }
    let deaf = exhaust(&[("connections", 10)]);
    let victims = injector.resolve(&deaf, &target()).await.unwrap();
    let refused = injector.inject(&deaf, &victims).await.unwrap_err().to_string();
    assert!(refused.ends_with("listens on no TCP port that brunt may see"), "{refused}");
    injector.close().await.unwrap();
}
