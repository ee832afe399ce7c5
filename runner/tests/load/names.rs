//! Load that follows service discovery: a real name server on loopback, whose records change while the load runs.

use std::net::{Ipv4Addr, SocketAddr, UdpSocket};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use brunt::clock::Clock;
use brunt::load::destinations::Destinations;
use brunt::load::dns::Resolver;
use brunt::load::{self, Options};
use brunt_report::sample::{Batch, ErrorClass};
use brunt_scenario::plan::Addresses;
use tokio::sync::mpsc::{UnboundedReceiver, unbounded_channel};

use crate::rig::plan_of;
use crate::server::Server;

/// A name server with one name. Answers RFC 1035 messages over UDP.
struct NameServer {
    address: SocketAddr,
    /// Its addresses; none: the name does not exist.
    records: Arc<Mutex<Vec<Ipv4Addr>>>,
}

/// Seconds.
const TTL: u32 = 1;

impl NameServer {
    fn start(records: &[Ipv4Addr]) -> Self {
        let socket = UdpSocket::bind("127.0.0.1:0").unwrap();
        let address = socket.local_addr().unwrap();
        let records = Arc::new(Mutex::new(records.to_vec()));
        let shared = records.clone();
        std::thread::spawn(move || {
            let mut query = [0; 512];
            while let Ok((length, from)) = socket.recv_from(&mut query) {
                let reply = reply(&query[..length], &shared.lock().unwrap());
                socket.send_to(&reply, from).unwrap();
            }
        });
        Self { address, records }
    }

    fn set(&self, records: &[Ipv4Addr]) {
        *self.records.lock().unwrap() = records.to_vec();
    }
}

/// The answer to a query: its own question, and an A record for each address if it asks for those.
fn reply(query: &[u8], addresses: &[Ipv4Addr]) -> Vec<u8> {
    let name_ends = 12 + query[12..].iter().position(|byte| *byte == 0).unwrap() + 1;
    let question = &query[12..name_ends + 4];
    let wants_a = query[name_ends..name_ends + 2] == [0, 1];
    let answers = if wants_a { addresses } else { &[] };
    let name_error = if addresses.is_empty() { 3 } else { 0 };
    let mut reply = query[..2].to_vec();
    // A response that is authoritative, recursion wanted and available; one question, so many answers.
    reply.extend([0x85, 0x80 | name_error, 0, 1, 0, answers.len() as u8, 0, 0, 0, 0]);
    reply.extend(question);
    for address in answers {
        reply.extend([0xc0, 12, 0, 1, 0, 1]);
        reply.extend(TTL.to_be_bytes());
        reply.extend([0, 4]);
        reply.extend(address.octets());
    }
    reply
}

const ONE: Ipv4Addr = Ipv4Addr::new(127, 0, 0, 1);
const TWO: Ipv4Addr = Ipv4Addr::new(127, 0, 0, 2);
const THREE: Ipv4Addr = Ipv4Addr::new(127, 0, 0, 3);

/// Three servers on one port of three addresses.
fn servers() -> [Server; 3] {
    for _ in 0..20 {
        let first = Server::start();
        let port = first.address.port();
        let at = |ip: Ipv4Addr| Server::start_at(SocketAddr::from((ip, port)));
        if let (Ok(second), Ok(third)) = (at(TWO), at(THREE)) {
            return [first, second, third];
        }
    }
    panic!("no port is free on three addresses");
}

/// Takes batches until one is as wanted.
async fn until(received: &mut UnboundedReceiver<Batch>, all: &mut Vec<Batch>, wanted: impl Fn(&Batch) -> bool) {
    let deadline = Instant::now() + Duration::from_secs(30);
    loop {
        let batch = tokio::time::timeout(Duration::from_secs(30), received.recv()).await.unwrap().unwrap();
        let is_it = wanted(&batch);
        all.push(batch);
        if is_it {
            return;
        }
        assert!(Instant::now() < deadline, "it did not happen within 30 s");
    }
}

#[test]
fn all_addresses_are_used_in_turn_and_a_changed_record_moves_the_traffic() {
    let [one, two, three] = servers();
    let names = NameServer::start(&[ONE, TWO]);
    let text = "load: { main: { get: /fast, rate: 200/s, for: timeline } }\ntimeline: [ { pause: 60s } ]\n";
    let plan = plan_of(&format!("http://shop.test:{}", one.address.port()), text);
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(async {
        let (known, clock) = (Addresses::default(), Clock::start());
        let resolver = Resolver::asking(names.address).unwrap();
        let destinations = Arc::new(Destinations::resolve_by(&plan, &known, resolver).await.unwrap());
        let (batches, mut received) = unbounded_channel();
        let options = Options { workers: Some(1), ..Options::default() };
        let load = load::start(Arc::new(plan), &known, destinations, clock, &options, batches).unwrap();
        let mut all = Vec::new();

        until(&mut received, &mut all, |_| one.count() + two.count() >= 200).await;
        let (first, second) = (one.count(), two.count());
        assert!(first.abs_diff(second) <= 2, "half each: {first} and {second}");
        assert_eq!(three.count(), 0);

        names.set(&[THREE]);
        until(&mut received, &mut all, |_| three.count() >= 20).await;
        // What was under way when the record changed has arrived by now.
        let before = (one.count(), two.count());
        until(&mut received, &mut all, |_| three.count() >= 100).await;
        assert_eq!((one.count(), two.count()), before, "nobody goes to the old addresses any more");

        names.set(&[]);
        let is_dns = |class: Option<ErrorClass>| class == Some(ErrorClass::Dns);
        until(&mut received, &mut all, |batch| batch.requests.iter().any(|request| is_dns(request.error))).await;
        names.set(&[ONE]);
        let counted = one.count();
        until(&mut received, &mut all, |_| one.count() >= counted + 20).await;

        load.steering().end_timeline(clock.now());
        load.join().await.unwrap();
        while let Some(batch) = received.recv().await {
            all.push(batch);
        }
        let requests = || all.iter().flat_map(|batch| &batch.requests);
        assert!(requests().all(|request| request.error.is_none() || is_dns(request.error)), "nothing else failed");
        let example = all.iter().flat_map(|batch| &batch.examples).next().unwrap();
        assert_eq!(example.text, "GET /fast: no such name: `shop.test`");
        let instances: std::collections::BTreeSet<u16> =
            requests().filter(|request| request.error.is_none()).map(|request| request.instance).collect();
        assert_eq!(instances.into_iter().collect::<Vec<u16>>(), [0, 1, 2], "each address keeps its number");
    });
}
