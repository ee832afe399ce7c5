//! How exact faults on packets are: `cargo bench -p brunt-injector --bench packets -- --page docs/accuracy.md`; `--quick`
//! shows that it works, and its figures mean nothing; `--only idle` measures one part, named as in `page.md`, and prints it.
//!
//! All in network namespaces of its own, against real sockets. What must hold (shares within their interval, nothing lost by
//! the queue itself) is asserted; what depends on the machine (lateness) is only written down.

#[path = "lab.rs"]
mod lab;
#[path = "wire.rs"]
mod wire;

use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::time::{Duration, Instant};

use brunt_injector::fault::delay::Delays;
use brunt_injector::netlink::nf_tables::Transport;
use brunt_injector::netlink::queue::Losses;
use brunt_injector::packets::queue::{Loss, Queue, Rate, Share, Treatment};
use brunt_scenario::plan::{ParamValue, Params};
use lab::{Lab, PORT, V4, V6, Way, one_by_one, stream, thread_time};

const WORDS: &str = include_str!("page.md");
const LATER: Duration = Duration::from_millis(500);

fn main() {
    lab::enter();
    let words: Vec<String> = std::env::args().collect();
    let quick = words.iter().any(|word| word == "--quick");
    let after = |word: &str| words.iter().position(|one| one == word).and_then(|place| words.get(place + 1));
    let rounds = if quick { 1 } else { 5 };
    let bench = Bench { lab: Lab::new(), rounds, quick };
    let parts: [Part; 9] = [
        ("loss", Bench::loss),
        ("tcp", Bench::tcp),
        ("bursts", Bench::bursts),
        ("others", Bench::others),
        ("idle", Bench::idle),
        ("rates", Bench::rates),
        ("bandwidth", Bench::bandwidth),
        ("flood", Bench::flood),
        ("added", Bench::added),
    ];
    if let Some(only) = after("--only") {
        let (_, part) =
            parts.iter().find(|(name, _)| name == only).unwrap_or_else(|| panic!("no part is named {only}"));
        println!("{}", part(&bench));
        return;
    }
    let words = WORDS.replace("{host}", &host()).replace("{rounds}", &rounds.to_string());
    let text =
        parts.iter().fold(words, |page, (name, part)| page.replace(&format!("{{{name}}}"), part(&bench).trim_end()));
    match after("--page") {
        // Cargo runs a bench in the folder of its package.
        Some(page) => {
            let page = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("..").join(page);
            // What the stories of netem have measured in their virtual machine stands behind all others.
            let before = std::fs::read_to_string(&page).unwrap_or_default();
            let netem = before.find("\n## netem\n").map_or("", |at| &before[at..]);
            std::fs::write(&page, text + netem).expect("the page can be written");
        }
        None => println!("{text}"),
    }
}

/// Its name in `page.md`, and who measures it.
type Part = (&'static str, fn(&Bench) -> String);

struct Bench {
    lab: Lab,
    rounds: usize,
    quick: bool,
}

fn share(share: f64) -> Share {
    Share { share, correlation: 0.0 }
}

fn lose(of: f64) -> Treatment {
    Treatment::Lose(Loss::Share(share(of)))
}

fn delay(latency: Duration) -> Treatment {
    let with = [("latency", ParamValue::Duration(latency)), ("distribution", ParamValue::Word("constant"))];
    Treatment::Delay(Delays::from_params("network.latency", &Params(with.into_iter().collect())).expect("it is right"))
}

/// The end of a queue that must not have lost anything by itself.
fn end(mut queue: Queue) -> brunt_injector::packets::queue::Counters {
    let counters = queue.release().expect("it comes off");
    assert_eq!(counters.trouble(), None, "{counters:?}");
    counters
}

impl Bench {
    fn many(&self, many: u32) -> u32 {
        if self.quick { many / 20 } else { many }
    }

    /// The figures of all rounds; each has as many as the others.
    fn repeat(&self, what: &str, mut round: impl FnMut() -> Vec<f64>) -> Vec<Spread> {
        eprintln!("{what}");
        let mut all: Vec<Vec<f64>> = Vec::new();
        for _ in 0..self.rounds {
            for (place, value) in round().into_iter().enumerate() {
                if all.len() <= place {
                    all.push(Vec::new());
                }
                all[place].push(value);
            }
        }
        all.into_iter().map(Spread::of).collect()
    }

    fn loss(&self) -> String {
        let many = self.many(40_000);
        let mut rows = Vec::new();
        for asked in [0.001, 0.01, 0.05, 0.3] {
            let (low, high) = interval(many, asked);
            for (way, address, protocol) in
                Way::BOTH.into_iter().flat_map(|way| [(way, V4, "UDP, IPv4"), (way, V6, "UDP, IPv6")])
            {
                let found = self.repeat(&format!("loss of {asked} {} over {protocol}", way.word()), || {
                    let queue = self.lab.queue(way, Transport::Udp, &lose(asked));
                    let (sender, receiver) = self.lab.sockets(way, address);
                    let arrived = stream(sender, receiver, many, 20_000, LATER);
                    let lost = many - u32::try_from(arrived.numbers.len()).expect("no more than were sent");
                    assert_eq!(u64::from(lost), end(queue).acted, "others were lost, too");
                    assert!((low..=high).contains(&lost), "{lost} of {many} lost at {asked}");
                    vec![f64::from(lost)]
                });
                rows.push(vec![
                    percent(asked),
                    way.word().into(),
                    protocol.into(),
                    many.to_string(),
                    format!("{} ({})", found[0].words(0), percent(found[0].median / f64::from(many))),
                    format!("{low} to {high}"),
                ]);
            }
        }
        table(&["asked", "way", "", "sent", "lost", "interval"], &rows)
    }

    fn tcp(&self) -> String {
        let mut rows = Vec::new();
        for asked in [0.001, 0.01, 0.05] {
            let found = self.repeat(&format!("loss of {asked} for TCP"), || {
                let queue = self.lab.queue(Way::To, Transport::Tcp, &lose(asked));
                carry(&self.lab, &queue, u64::from(self.many(20_000)));
                let counters = end(queue);
                let segments = u32::try_from(counters.came).expect("of some seconds");
                let (low, high) = interval(segments, asked);
                assert!((u64::from(low)..=u64::from(high)).contains(&counters.acted), "{counters:?}");
                vec![counters.acted as f64 / counters.came as f64 * 100.0, counters.came as f64]
            });
            rows.push(vec![percent(asked), found[1].words(0), format!("{} %", found[0].words(3))]);
        }
        table(&["asked", "segments", "lost"], &rows)
    }

    fn bursts(&self) -> String {
        let many = self.many(200_000);
        let mut rows = Vec::new();
        for r in [0.5, 0.25, 0.1] {
            let loss = Loss::GilbertElliott { p: 0.01, r, loss_good: 0.0, loss_bad: 1.0 };
            let found = self.repeat(&format!("bursts with r {r}"), || {
                let queue = self.lab.queue(Way::To, Transport::Udp, &Treatment::Lose(loss));
                let (sender, receiver) = self.lab.sockets(Way::To, V4);
                // Fast enough to be done soon, slow enough for any machine: what the queue lost by itself would be bursts, too.
                let numbers = stream(sender, receiver, many, 20_000, LATER).numbers;
                end(queue);
                let bursts = numbers.windows(2).filter(|two| two[1] > two[0] + 1).count();
                let lost: u32 = numbers.windows(2).map(|two| two[1] - two[0] - 1).sum();
                vec![f64::from(lost) / bursts as f64, f64::from(lost) / f64::from(many) * 100.0]
            });
            rows.push(vec![
                percent(r),
                format!("{:.2}", 1.0 / r),
                found[0].words(3),
                percent(loss.share()),
                format!("{} %", found[1].words(2)),
            ]);
        }
        table(&["`r`", "asked in a row", "found", "share asked", "found"], &rows)
    }

    fn others(&self) -> String {
        let many = self.many(40_000);
        let hold = Duration::from_millis(5);
        let kinds = [
            ("duplicate 5 %", Way::From, Treatment::Duplicate(share(0.05))),
            ("reorder 5 %, latency 5 ms", Way::To, Treatment::Reorder(share(0.05), hold)),
            ("corrupt 5 %", Way::To, Treatment::Corrupt(share(0.05))),
        ];
        let (low, high) = interval(many, 0.05);
        let mut rows = Vec::new();
        for (name, way, treatment) in kinds {
            let found = self.repeat(name, || {
                let queue = self.lab.queue(way, Transport::Udp, &treatment);
                let (sender, receiver) = self.lab.sockets(way, V4);
                let numbers = stream(sender, receiver, many, 10_000, LATER).numbers;
                end(queue);
                let mut highest = 0;
                // Those in front of which somebody came that was sent later, twice, or not at all.
                let odd = match treatment {
                    Treatment::Duplicate(_) => numbers.len() as u32 - many,
                    Treatment::Corrupt(_) => many - numbers.len() as u32,
                    _ => {
                        let mut early = 0;
                        for number in numbers {
                            early += u32::from(number > highest + 1);
                            highest = number.max(highest);
                        }
                        early
                    }
                };
                vec![f64::from(odd)]
            });
            rows.push(vec![
                name.into(),
                way.word().into(),
                many.to_string(),
                found[0].words(0),
                format!("{low} to {high}"),
            ]);
        }
        table(&["asked", "way", "sent", "found", "interval"], &rows)
    }

    fn idle(&self) -> String {
        let mut rows = Vec::new();
        for (millis, many) in [(1, 400), (10, 100), (100, 20), (500, 6)] {
            let asked = Duration::from_millis(millis);
            for (way, address, protocol) in
                Way::BOTH.into_iter().flat_map(|way| [(way, V4, "UDP, IPv4"), (way, V6, "UDP, IPv6")])
            {
                let found = self.repeat(&format!("{asked:?} {} over {protocol}", way.word()), || {
                    let queue = self.lab.queue(way, Transport::Udp, &delay(asked));
                    let (sender, receiver) = self.lab.sockets(way, address);
                    let took = one_by_one(&sender, &receiver, self.many(many).max(3));
                    end(queue);
                    assert!(took.iter().all(|took| *took >= asked), "one was early");
                    late(&took, asked)
                });
                rows.push(vec![
                    format!("{millis} ms"),
                    way.word().into(),
                    protocol.into(),
                    found[0].words(2),
                    found[1].words(2),
                ]);
            }
        }
        table(&["asked", "way", "", "p50 late", "p99 late"], &rows)
    }

    fn rates(&self) -> String {
        let asked = Duration::from_millis(20);
        let mut rows = Vec::new();
        for rate in [5_000, 20_000, 30_000, 50_000] {
            for way in Way::BOTH {
                let found = self.repeat(&format!("{rate}/s {}", way.word()), || {
                    let queue = self.lab.queue(way, Transport::Udp, &delay(asked));
                    let (sender, receiver) = self.lab.sockets(way, V4);
                    let before = thread_time();
                    let arrived = stream(sender, receiver, self.many(rate * 3), rate, LATER);
                    let used = (thread_time() - before).as_secs_f64() / arrived.span.as_secs_f64() * 100.0;
                    let own = [0.5, 0.99].map(|quantile| queue.lateness(quantile).as_secs_f64() * 1e3);
                    let mut queue = queue;
                    let lost = lost(queue.release().expect("it comes off").losses);
                    assert_eq!(
                        arrived.numbers.len() as u64 + lost,
                        u64::from(arrived.sent),
                        "some were lost uncounted"
                    );
                    assert!(arrived.numbers.is_sorted(), "some were overtaken");
                    let real = f64::from(arrived.sent) / arrived.span.as_secs_f64();
                    let lost = lost as f64 / f64::from(arrived.sent) * 100.0;
                    [own.to_vec(), late(&arrived.took, asked), vec![real, used, lost]].concat()
                });
                let cells = [0, 1, 2, 3].map(|place: usize| found[place].words(2));
                let [own50, own99, p50, p99] = cells;
                rows.push(vec![
                    format!("{rate}/s"),
                    way.word().into(),
                    format!("{:.0}/s", found[4].median),
                    own50,
                    own99,
                    p50,
                    p99,
                    format!("{:.0} %", found[5].median),
                    format!("{} %", found[6].words(1)),
                ]);
            }
        }
        let heads =
            ["asked", "way", "sent", "queue p50", "queue p99", "receiver p50", "receiver p99", "of a core", "lost"];
        table(&heads, &rows)
    }

    fn bandwidth(&self) -> String {
        let look = Duration::from_millis(if self.quick { 200 } else { 1500 });
        let all = [(Transport::Udp, V4, "UDP, IPv4"), (Transport::Udp, V6, "UDP, IPv6")];
        let all = all.into_iter().chain([(Transport::Tcp, V4, "TCP, IPv4"), (Transport::Tcp, V6, "TCP, IPv6")]);
        let all: Vec<_> = all.flat_map(|one| Way::BOTH.map(|way| (way, one))).collect();
        let mut rows = Vec::new();
        for mbit in [1_u64, 10, 100, 200] {
            for (way, (transport, address, protocol)) in all.iter().copied() {
                let asked = mbit * 125_000;
                let found = self.repeat(&format!("{mbit} Mbit/s {} over {protocol}", way.word()), || {
                    let queue = self.lab.queue(way, transport, &Treatment::Rate(Rate { bytes_per_second: asked }));
                    let found = match transport {
                        Transport::Udp => wire::datagrams(&self.lab, way, address, asked, look),
                        Transport::Tcp => wire::stream(&self.lab, way, address, look),
                    };
                    let waited = end(queue).acted;
                    assert!(waited > 0, "nothing had to wait");
                    let off = (found / asked as f64 - 1.0) * 100.0;
                    // As much as is promised; at the most that can be asked for it is only written down.
                    assert!(
                        self.quick || mbit > 100 || off.abs() < 3.0,
                        "{off} % off at {mbit} Mbit/s over {protocol}"
                    );
                    vec![found * 8.0 / 1e6, off]
                });
                rows.push(vec![
                    format!("{mbit} Mbit/s"),
                    way.word().into(),
                    protocol.into(),
                    found[0].words(3),
                    format!("{} %", found[1].words(2)),
                ]);
            }
        }
        table(&["asked", "way", "", "Mbit/s found", "off by"], &rows)
    }

    fn flood(&self) -> String {
        let found = self.repeat("flood", || {
            let queue = self.lab.queue(Way::To, Transport::Udp, &lose(0.0));
            let (sender, receiver) = self.lab.sockets(Way::To, V4);
            let before = thread_time();
            let arrived = stream(sender, receiver, self.many(400_000), 0, LATER);
            let used = thread_time() - before;
            let mut queue = queue;
            let counters = queue.release().expect("it comes off");
            let lost = lost(counters.losses);
            assert_eq!(counters.came + lost, u64::from(arrived.sent), "{counters:?}");
            let (accepted, took) = (counters.came as f64, arrived.span.as_secs_f64());
            let lost = lost as f64 / f64::from(arrived.sent) * 100.0;
            let used = used.as_secs_f64();
            vec![accepted / took, used / accepted * 1e6, used / took * 100.0, lost]
        });
        let row = [(0, 0), (1, 2), (2, 0), (3, 2)].map(|(place, digits): (usize, usize)| found[place].words(digits));
        table(&["accepted a second", "CPU µs a packet", "% of a core", "% lost"], &[row.to_vec()])
    }

    fn added(&self) -> String {
        let many = self.many(4_000);
        let found = self.repeat("added", || {
            let round_trip = |queued: bool| {
                let queue = queued.then(|| self.lab.queue(Way::To, Transport::Udp, &lose(0.0)));
                let (sender, receiver) = self.lab.sockets(Way::To, V4);
                let took = one_by_one(&sender, &receiver, many);
                queue.map(end);
                quantile(took, 0.5) * 1e6
            };
            let (without, with) = (round_trip(false), round_trip(true));
            vec![without, with, with - without]
        });
        let cells: Vec<String> = found.iter().map(|found| found.words(1)).collect();
        table(&["p50 without", "with", "added"], &[cells])
    }
}

/// Bytes over TCP, until the queue has seen so many segments.
fn carry(lab: &Lab, queue: &Queue, segments: u64) {
    let listener = lab.target.inside(|| TcpListener::bind(("10.9.0.1", PORT))).expect("entered").expect("bound");
    let client = lab.peer.inside(|| TcpStream::connect(("10.9.0.1", PORT))).expect("entered").expect("connected");
    socket2::SockRef::from(&client).set_tcp_congestion(b"cubic").expect("cubic is in every kernel");
    let (mut server, _) = listener.accept().expect("it has connected");
    let reading = std::thread::spawn(move || {
        let mut buffer = vec![0; 1 << 16];
        while server.read(&mut buffer).is_ok_and(|read| read > 0) {}
    });
    let began = Instant::now();
    let mut client = client;
    while queue.counters().came < segments && began.elapsed() < Duration::from_secs(60) {
        client.write_all(&[7; 1 << 14]).expect("the connection holds");
    }
    drop(client);
    reading.join().expect("it does not panic");
}

/// How many the queue lost because it was too slow; others there must not be.
fn lost(losses: Losses) -> u64 {
    assert_eq!(losses.vanished, 0, "{losses:?}");
    losses.unread + losses.overflowed
}

/// p50 and p99 of what is beyond `asked`, in milliseconds.
fn late(took: &[Duration], asked: Duration) -> Vec<f64> {
    let late: Vec<Duration> = took.iter().map(|took| took.saturating_sub(asked)).collect();
    vec![quantile(late.clone(), 0.5) * 1e3, quantile(late, 0.99) * 1e3]
}

/// In seconds.
fn quantile(mut all: Vec<Duration>, quantile: f64) -> f64 {
    all.sort_unstable();
    let rank = (all.len() as f64 * quantile).ceil() as usize;
    all[rank.clamp(1, all.len()) - 1].as_secs_f64()
}

/// Median, least and most.
struct Spread {
    median: f64,
    least: f64,
    most: f64,
}

impl Spread {
    fn of(mut all: Vec<f64>) -> Self {
        all.sort_unstable_by(f64::total_cmp);
        Self { median: all[all.len() / 2], least: all[0], most: all[all.len() - 1] }
    }

    fn words(&self, digits: usize) -> String {
        let Self { median, least, most } = self;
        let [median, least, most] = [median, least, most].map(|value| format!("{value:.digits$}"));
        if least == most { median } else { format!("{median} ({least} to {most})") }
    }
}

fn percent(share: f64) -> String {
    let text = format!("{:.3}", share * 100.0);
    format!("{} %", text.trim_end_matches('0').trim_end_matches('.'))
}

fn table(heads: &[&str], rows: &[Vec<String>]) -> String {
    let line = |cells: &[String]| format!("| {} |\n", cells.join(" | "));
    let heads: Vec<String> = heads.iter().map(|head| (*head).to_owned()).collect();
    let rule = format!("|{}\n", "---|".repeat(heads.len()));
    let rows: String = rows.iter().map(|row| line(row)).collect();
    format!("{}{rule}{rows}", line(&heads))
}

/// Of `n` independent trials with chance `p`, between how many succeed in all but one of ten thousand cases.
fn interval(n: u32, p: f64) -> (u32, u32) {
    let all = f64::from(n);
    let chance = |k: f64| {
        let ways = libm::lgamma(all + 1.0) - libm::lgamma(k + 1.0) - libm::lgamma(all - k + 1.0);
        (ways + k * p.ln() + (all - k) * (1.0 - p).ln()).exp()
    };
    let (mut below, mut low, mut high) = (0.0, None, None);
    for k in 0..=n {
        below += chance(f64::from(k));
        low = low.or((below > 0.000_05).then_some(k));
        high = high.or((below > 0.999_95).then_some(k));
    }
    (low.unwrap_or(0), high.unwrap_or(n))
}

fn host() -> String {
    let read = |path: &str| std::fs::read_to_string(path).unwrap_or_default();
    let cpu = read("/proc/cpuinfo");
    let model =
        cpu.lines().find_map(|line| line.strip_prefix("model name")?.split_once(": ")).map_or("", |(_, name)| name);
    let cores = std::thread::available_parallelism().map_or(0, usize::from);
    let load = read("/proc/loadavg");
    let lines = [
        format!("* {model}, {cores} cores, Linux {}", read("/proc/sys/kernel/osrelease").trim()),
        format!("* brunt {}", env!("CARGO_PKG_VERSION")),
        format!(
            "* when it began, {} processes wanted to run (the load average of a minute): it should be near 0",
            load.split(' ').next().unwrap_or_default()
        ),
    ];
    lines.join("\n")
}
