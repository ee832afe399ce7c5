//! What a load entry can say, through the whole program: a mix with rows of a CSV file and a step that waits for an order to
//! be paid, against a shop that writes down what it was asked.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use brunt_tests::brunt::Brunt;
use brunt_tests::ended::window;
use brunt_tests::machine;
use brunt_tests::scenario::Scenario;

/// A shop on a thread of its own: an order is paid when it is looked at for the third time.
struct Shop {
    address: SocketAddr,
    asked: Arc<Mutex<Vec<String>>>,
}

impl Shop {
    fn open() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
        let address = listener.local_addr().expect("it is bound");
        let (asked, looks) = (Arc::default(), Arc::default());
        let shop = Self { address, asked: Arc::clone(&asked) };
        std::thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                let (asked, looks) = (Arc::clone(&asked), Arc::clone(&looks));
                std::thread::spawn(move || serve(stream, &asked, &looks));
            }
        });
        shop
    }

    /// Everything it was asked, sorted: method, path and body.
    fn asked(&self) -> Vec<String> {
        let mut asked = self.asked.lock().unwrap_or_else(PoisonError::into_inner).clone();
        asked.sort();
        asked
    }
}

fn serve(stream: TcpStream, asked: &Mutex<Vec<String>>, looks: &Mutex<HashMap<String, u32>>) -> Option<()> {
    let mut writer = stream.try_clone().ok()?;
    let mut reader = BufReader::new(stream);
    loop {
        let mut line = String::new();
        reader.read_line(&mut line).ok().filter(|read| *read > 0)?;
        let what = line.trim_end().trim_end_matches(" HTTP/1.1").to_owned();
        let mut length = 0;
        loop {
            let mut header = String::new();
            reader.read_line(&mut header).ok()?;
            if let Some(value) = header.to_lowercase().strip_prefix("content-length:") {
                length = value.trim().parse().ok()?;
            }
            if header.trim_end().is_empty() {
                break;
            }
        }
        let mut body = vec![0; length];
        reader.read_exact(&mut body).ok()?;
        asked.lock().ok()?.push(format!("{what} {}", String::from_utf8_lossy(&body)));
        let state = if what.starts_with("GET /orders") {
            let mut looks = looks.lock().ok()?;
            let count = looks.entry(what).or_default();
            *count += 1;
            if *count >= 3 { "paid" } else { "open" }
        } else {
            "known"
        };
        let reply = format!("{{\"state\":\"{state}\"}}");
        write!(writer, "HTTP/1.1 200 OK\r\ncontent-length: {}\r\n\r\n{reply}", reply.len()).ok()?;
    }
}

fn scenario(shop: &Shop, strategy: &str) -> Scenario {
    let users: String = (0..500).map(|user| format!("u{user}@example.org,\"Row {user}, quoted\"\n")).collect();
    let text = format!(
        "
        version: 1
        name: mixed
        seed: 11
        targets: {{ shop: {{ url: \"http://{}\" }} }}
        feeders:
          users: {{ csv: ./users.csv, strategy: {strategy} }}
          skus: {{ values: [A1, B2], weights: [3, 1] }}
        journeys:
          browse: {{ feed: skus, steps: [ {{ get: \"/items?sku={{{{ skus.value }}}}&i={{{{ iteration }}}}\" }} ] }}
          order:
            feed: users
            steps:
              - {{ id: buy, post: /orders, json: {{ who: \"{{{{ users.email }}}}\", name: \"{{{{ users.name }}}}\" }} }}
              - id: paid
                get: \"/orders?who={{{{ users.email }}}}\"
                retry_until: {{ body: {{ $.state: paid }}, within: 20s, every: 30ms }}
        load:
          main: {{ mix: {{ browse: 80%, order: 20% }}, rate: 200/s, for: 2s, max_per_host: 50, reuse: 100 }}
        gates:
          - {{ metric: error_rate, max: 0% }}
          - {{ metric: latency.p50, step: paid, min: 60ms }}
        ",
        shop.address
    );
    Scenario::new(&text).beside("users.csv", format!("email,name\n{users}").as_bytes())
}

#[test]
fn a_mix_with_rows_of_a_file_and_a_wait_for_payment_does_the_same_with_one_worker_and_two() {
    let _machine = machine::alone();
    let mut received = Vec::new();
    let mut digests = BTreeSet::new();
    for workers in ["1", "2"] {
        let shop = Shop::open();
        let scenario = scenario(&shop, "shuffle");
        let ended =
            Brunt::run(&scenario).args(["--workers", workers]).within(Duration::from_secs(60)).go().expect_code(0);
        let results = ended.results();
        digests.insert(results.summary.schedule_digest.clone());
        let asked = shop.asked();
        let of = |start: &str| asked.iter().filter(|line| line.starts_with(start)).count() as u64;
        let (browsed, bought, looked) = (of("GET /items"), of("POST /orders"), of("GET /orders"));
        assert_eq!(browsed + bought, 400, "200/s for two seconds");
        // Five standard deviations of a binomial with n = 400 and p = 0.2.
        assert!((40..=120).contains(&bought), "{bought} orders of 400 iterations");
        assert_eq!(looked, 3 * bought, "each order is paid at the third look");
        // The report tells the steps, and beside them what went over the wire.
        let run = window(&results, "run");
        let paid = &results.summary.steps["order"]["paid"].windows["run"];
        assert_eq!((run.requests, paid.requests), (browsed + 2 * bought, bought));
        assert!(paid.repeats <= 2 * bought && paid.repeats > bought, "{} repeats of {bought} orders", paid.repeats);
        let rate = paid.offered_per_s * paid.length_s;
        assert!((rate - (bought + paid.repeats) as f64).abs() < 3.0, "{rate} requests were offered: {paid:?}");
        received.push(asked);
    }
    assert_eq!(received[0], received[1]);
    assert_eq!(digests.len(), 1, "one schedule: {digests:?}");
    let buyers: Vec<&String> = received[0].iter().filter(|line| line.starts_with("POST")).collect();
    let each: BTreeMap<&String, usize> = buyers.iter().map(|buyer| (*buyer, 1)).collect();
    assert_eq!(each.len(), buyers.len(), "500 rows, fewer orders: everyone bought once");
    assert!(buyers.iter().all(|line| line.contains("Row ") && line.contains(", quoted\"")), "{:?}", buyers[0]);
}

#[test]
fn when_the_unique_rows_are_used_up_the_load_ends_and_the_report_says_so() {
    let _machine = machine::alone();
    let shop = Shop::open();
    let scenario = scenario(&shop, "unique").beside("users.csv", b"email,name\na@example.org,A\nb@example.org,B\n");
    let ended = Brunt::run(&scenario).within(Duration::from_secs(60)).go();
    let bought = shop.asked().iter().filter(|line| line.starts_with("POST")).count();
    assert_eq!(bought, 2);
    let results = ended.results();
    let said = results.summary.health.warnings.iter().any(|text| text.contains("load `main` ended after"));
    assert!(said, "{:?}", results.summary.health.warnings);
}
