//! What is told inside the virtual machine: two namespaces with a veth between them, and what comes through it.

use std::net::UdpSocket;
use std::os::fd::AsFd;
use std::process::Command;
use std::time::{Duration, Instant};

use brunt_injector::namespace::Namespace;
use brunt_injector::netlink::link;
use brunt_injector::netlink::nf_tables::{Hook, Leased, Match, Rule, Transport, Verdict};
use brunt_injector::netlink::tc::distribution::{Distribution, Table};
use brunt_injector::netlink::tc::flow::{Family, Flow};
use brunt_injector::netlink::tc::netem::{Delay, Loss, Netem, Pace, Part, Reorder, Slots, limit_for};
use brunt_injector::netlink::tc::shaped::{CLASS, ROOT, Shape, Shaped};
use brunt_injector::netlink::tc::tree::{Restored, Tree};
use brunt_injector::netlink::tc::{Handle, Place, Request, Tc, Verb, flower, u32};

const PORT: u16 = 4711;
const OTHER: u16 = 4712;
const V4: &str = "10.9.0.2";
const V6: &str = "fd09::2";

/// Runs in a namespace that this thread has entered; a child process is in it too.
pub(crate) fn sh(line: &str) -> String {
    let output = Command::new("sh").args(["-ec", line]).output().unwrap();
    assert!(output.status.success(), "{line}: {}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap()
}

/// Two namespaces: faults are put on what leaves `here`.
struct Two {
    here: Namespace,
    there: Namespace,
}

impl Two {
    fn new() -> Self {
        assert!(std::env::var_os("BRUNT_TEST_IN_MACHINE").is_some(), "this is told inside the virtual machine");
        let (here, there) = (Namespace::new().unwrap(), Namespace::new().unwrap());
        here.inside(|| link::add_pair(&mut link::open().unwrap(), "va", "", there.as_fd(), "vb")).unwrap().unwrap();
        for (namespace, name, last) in [(&here, "va", 1), (&there, "vb", 2)] {
            let lines = format!(
                "ip link set lo up; ip addr add 10.9.0.{last}/24 dev {name}; ip addr add fd09::{last}/64 dev {name} nodad; \
                 ip link set {name} up"
            );
            namespace.inside(|| sh(&lines)).unwrap();
        }
        let this = Self { here, there };
        // Both sides learn the other's hardware address before anything is counted.
        for address in [V4, V6] {
            let until = Instant::now() + Duration::from_secs(10);
            while this.through(address, OTHER, 1, 0) == 0 {
                assert!(Instant::now() < until, "nothing reaches {address}");
            }
        }
        this
    }

    fn tree(&self) -> Tree {
        self.here.inside(|| Tree::of(&mut Tc::open().unwrap()).unwrap()).unwrap()
    }

    /// netem on what goes to [`PORT`].
    fn with(&self, netem: Netem) -> (Shaped, Leased) {
        let prepare = || {
            let mut shaped = Shaped::prepare(|queues| queues.name != "lo").unwrap();
            let matches = vec![Match::Transport(Transport::Udp), Match::To(PORT)];
            let rule = Rule { hook: Hook::Postrouting, matches, verdict: Verdict::Priority(CLASS) };
            let table = Leased::install("brunt-test", Duration::from_secs(600), &[rule]).unwrap();
            shaped.install(&Shape::Netem(Box::new(netem))).unwrap();
            (shaped, table)
        };
        self.here.inside(prepare).unwrap()
    }

    fn receiver(&self, address: &str, port: u16) -> UdpSocket {
        let receiver = self.there.inside(|| UdpSocket::bind((address, port))).unwrap().unwrap();
        receiver.set_nonblocking(true).unwrap();
        receiver
    }

    /// With this type of service.
    fn sender(&self, address: &str, port: u16, service: u32) -> UdpSocket {
        let any = if address.contains(':') { "[::]:0" } else { "0.0.0.0:0" };
        let sender = self.here.inside(|| UdpSocket::bind(any)).unwrap().unwrap();
        if service != 0 {
            rustix::net::sockopt::set_ip_tos(&sender, service as u8).unwrap();
        }
        sender.connect((address, port)).unwrap();
        sender
    }

    /// How many datagrams arrive of so many.
    fn through(&self, address: &str, port: u16, many: u32, service: u32) -> u32 {
        u32::try_from(self.which(address, port, many, service, 4).len()).unwrap()
    }

    /// Which of so many datagrams of so many bytes arrive, by their numbers. The emulated machine may be slow to hand them over:
    /// what has not come after a silence is taken for lost.
    fn which(&self, address: &str, port: u16, many: u32, service: u32, size: usize) -> Vec<u32> {
        const SILENCE: Duration = Duration::from_millis(100);
        let (receiver, sender) = (self.receiver(address, port), self.sender(address, port, service));
        let mut came = Vec::new();
        let mut buffer = [0; 1500];
        let mut take = |came: &mut Vec<u32>| {
            let received = receiver.recv(&mut buffer).is_ok();
            if received {
                came.push(u32::from_be_bytes(*buffer.first_chunk().unwrap()));
            }
            received
        };
        let mut datagram = vec![0; size];
        for number in 0..many {
            datagram[..4].copy_from_slice(&number.to_be_bytes());
            // A loss is told to the sender as ENOBUFS or not at all.
            let _ = sender.send(&datagram);
            while take(&mut came) {}
        }
        let mut last = Instant::now();
        while came.len() < many as usize && last.elapsed() < SILENCE {
            if take(&mut came) {
                last = Instant::now();
            } else {
                std::thread::sleep(Duration::from_millis(1));
            }
        }
        came
    }

    /// The numbers of the datagrams that arrive of so many that are sent at once, in their order, with the time of each.
    fn numbers(&self, port: u16, many: u32, within: Duration) -> Vec<(u32, Duration)> {
        let (receiver, sender) = (self.receiver(V4, port), self.sender(V4, port, 0));
        let began = Instant::now();
        for number in 0..many {
            let _ = sender.send(&number.to_be_bytes());
        }
        let mut came = Vec::new();
        let mut buffer = [0; 4];
        while began.elapsed() < within && came.len() < many as usize {
            if receiver.recv(&mut buffer).is_ok() {
                came.push((u32::from_be_bytes(buffer), began.elapsed()));
            }
        }
        came
    }
}

fn part(share: f64) -> Part {
    Part { share, correlation: 0.0 }
}

fn delay(milliseconds: u64) -> Option<Delay> {
    let table = Table::of(&Distribution::Uniform, Duration::from_millis(milliseconds), Duration::ZERO);
    Some(Delay { table, correlation: 0.0 })
}

fn lossy(loss: Loss) -> Netem {
    Netem { loss, ..Netem::default() }
}

/// Whether chance explains it with 99.99 %, by the normal approximation.
pub(crate) fn near(seen: u32, many: u32, share: f64) -> bool {
    let (mean, deviation) = (f64::from(many) * share, (f64::from(many) * share * (1.0 - share)).sqrt());
    (f64::from(seen) - mean).abs() <= 3.9 * deviation.max(1.0)
}

#[test]
#[ignore = "told in a virtual machine"]
fn the_kernel_takes_every_request_and_tc_reads_back_what_was_meant() {
    let two = Two::new();
    let table = Table::of(&Distribution::Normal, Duration::from_millis(100), Duration::from_millis(10));
    let slots =
        Slots { shortest: Duration::from_millis(1), longest: Duration::from_millis(2), packets: 5, bytes: 9000 };
    let pace = Pace { bytes_per_second: 1_250_000, packet_overhead: 14, cell: 48, cell_overhead: 5 };
    let elliott = Loss::GilbertElliott { good_to_bad: 0.02, bad_to_good: 0.3, loss_in_bad: 0.75, loss_in_good: 0.001 };
    let states =
        Loss::States { from_1_to_3: 0.01, from_3_to_1: 0.9, from_3_to_2: 0.2, from_2_to_3: 0.7, from_1_to_4: 0.001 };
    let all = [
        (Netem { delay: Some(Delay { table, correlation: 0.25 }), ..Netem::default() }, "delay 100ms  10ms 25%"),
        (lossy(Loss::Uniform(Part { share: 0.1, correlation: 0.5 })), "loss 10% 50%"),
        (lossy(elliott), "loss gemodel p 2% r 30% 1-h 75% 1-k 0.1%"),
        (lossy(states), "loss state p13 1% p31 90% p32 20% p23 70% p14 0.1%"),
        (Netem { duplicate: part(0.05), ..Netem::default() }, "duplicate 5%"),
        (
            Netem { delay: delay(10), reorder: Some(Reorder { some: part(0.25), gap: 5 }), ..Netem::default() },
            "delay 10ms reorder 25% gap 5",
        ),
        (Netem { corrupt: part(0.02), limit: 77, ..Netem::default() }, "limit 77 corrupt 2%"),
        (Netem { rate: Some(pace), ..Netem::default() }, "rate 10Mbit packetoverhead 14 cellsize 48 celloverhead 5"),
        (Netem { slots: Some(slots), ..Netem::default() }, "slot 1ms 2ms packets 5 bytes 9000"),
    ];
    for (netem, meant) in all {
        let (mut shaped, table) = two.with(netem);
        let read = two.here.inside(|| sh("tc qdisc show dev va")).unwrap();
        let line = read
            .lines()
            .find(|line| line.starts_with("qdisc netem b271: parent b270:2"))
            .unwrap_or_else(|| panic!("{read}"));
        assert!(
            line.split_whitespace().collect::<Vec<_>>().join(" ").contains(&meant.replace("  ", " ")),
            "{line}, not {meant}"
        );
        shaped.restore().unwrap();
        drop(table);
    }
}

#[test]
#[ignore = "told in a virtual machine"]
fn shares_are_kept_over_ipv4_and_ipv6_and_other_ports_lose_nothing() {
    let two = Two::new();
    for share in [0.001, 0.01, 0.05, 0.3] {
        let (mut shaped, table) = two.with(lossy(Loss::Uniform(part(share))));
        for (address, many) in [(V4, 20_000), (V6, 5000)] {
            let lost = many - two.through(address, PORT, many, 0);
            println!("loss {share}: {lost} of {many} to {address}");
            assert!(near(lost, many, share), "{lost} of {many} lost to {address} at {share}");
            assert_eq!(two.through(address, OTHER, 300, 0), 300, "to another port of {address}");
        }
        shaped.restore().unwrap();
        drop(table);
    }
    let many = 5000;
    let (mut shaped, _table) = two.with(Netem { duplicate: part(0.1), ..Netem::default() });
    let came = two.through(V4, PORT, many, 0);
    assert!(near(came - many, many, 0.1), "{came} for {many} with a tenth doubled");
    shaped.restore().unwrap();
}

#[test]
#[ignore = "told in a virtual machine"]
fn losses_come_in_bursts_as_long_as_the_model_says() {
    let two = Two::new();
    let (bad_to_good, many) = (0.25, 40_000);
    let loss = Loss::GilbertElliott { good_to_bad: 0.02, bad_to_good, loss_in_bad: 1.0, loss_in_good: 0.0 };
    let (mut shaped, _table) = two.with(lossy(loss));
    let mut came = two.which(V4, PORT, many, 0, 4).into_iter().peekable();
    let (mut bursts, mut lost, mut last) = (0_u32, 0_u32, false);
    for number in 0..many {
        let gone = came.next_if_eq(&number).is_none();
        lost += u32::from(gone);
        bursts += u32::from(gone && !last);
        last = gone;
    }
    let length = f64::from(lost) / f64::from(bursts);
    println!("{lost} of {many} lost in {bursts} bursts of {length:.2}");
    // About 740 bursts whose lengths have a deviation of 3.5: four of them are half a packet.
    assert!((length - 1.0 / bad_to_good).abs() < 0.5, "bursts of {length}");
    let share = 0.02 / (0.02 + bad_to_good);
    assert!((f64::from(lost) / f64::from(many) - share).abs() < 0.15 * share, "{lost} of {many}, not {share}");
    shaped.restore().unwrap();
}

#[test]
#[ignore = "told in a virtual machine"]
fn what_is_damaged_is_dropped_by_the_receivers_checksum() {
    let two = Two::new();
    let many = 4000;
    let errors = || -> u32 {
        let text = two.there.inside(|| sh("cat /proc/thread-self/net/snmp || cat /proc/self/net/snmp")).unwrap();
        let mut lines = text.lines().filter(|line| line.starts_with("Udp:"));
        let place = lines.next().unwrap().split(' ').position(|word| word == "InCsumErrors").unwrap();
        lines.next().unwrap().split(' ').nth(place).unwrap().parse().unwrap()
    };
    let (mut shaped, _table) = two.with(Netem { corrupt: part(0.2), ..Netem::default() });
    // One bit of the frame is turned. Six of its bytes are the sender's hardware address, which nobody looks at: so long ones.
    let came = u32::try_from(two.which(V4, PORT, many, 0, 1000).len()).unwrap();
    let errors = errors();
    println!("{came} of {many} came, {errors} checksum errors");
    assert!(near(many - came, many, 0.2 * 1036.0 / 1042.0), "{came} of {many}");
    // Of the frame, all but 14 bytes of Ethernet and 20 of IPv4 are under this checksum.
    assert!(near(errors, many, 0.2 * 1008.0 / 1042.0), "{errors} errors of {many}");
    shaped.restore().unwrap();
}

#[test]
#[ignore = "told in a virtual machine"]
fn a_delay_holds_what_it_should_and_revert_lets_it_go_in_order() {
    let two = Two::new();
    let before = two.tree();
    let (mut shaped, table) = two.with(Netem { delay: delay(100), ..Netem::default() });
    let held: Vec<Duration> = (0..10).map(|_| two.numbers(PORT, 1, Duration::from_secs(2))[0].1).collect();
    let mut sorted = held.clone();
    sorted.sort();
    // What comes late does so because the machine is emulated on a busy host; nothing may be early.
    assert!(sorted[0] >= Duration::from_millis(100) && sorted[0] < Duration::from_millis(103), "{held:?}");
    assert!(two.numbers(OTHER, 1, Duration::from_secs(2))[0].1 < Duration::from_millis(50), "another port");
    // 200 are held when it comes off.
    let (receiver, sender) = (two.receiver(V4, PORT), two.sender(V4, PORT, 0));
    (0..200_u32).for_each(|number| drop(sender.send(&number.to_be_bytes())));
    let (restored, lost) = shaped.restore().unwrap();
    assert_eq!((restored, lost), (vec![Restored::Yes("the queues of va are as they were".into())], 0));
    let mut buffer = [0; 4];
    let came: Vec<u32> =
        std::iter::from_fn(|| receiver.recv(&mut buffer).ok().map(|_| u32::from_be_bytes(buffer))).collect();
    assert_eq!(came, (0..200).collect::<Vec<u32>>());
    table.remove().unwrap();
    assert_eq!(two.tree(), before);
}

#[test]
#[ignore = "told in a virtual machine"]
fn some_overtake_those_that_are_held() {
    let two = Two::new();
    let many = 200;
    let reorder = Some(Reorder { some: part(1.0), gap: 5 });
    let (mut shaped, _table) = two.with(Netem { delay: delay(300), reorder, ..Netem::default() });
    let came = two.numbers(PORT, many, Duration::from_secs(3));
    assert_eq!(came.len(), many as usize);
    let early: Vec<u32> = came.iter().take(many as usize / 5).map(|(number, _)| *number).collect();
    // Each fifth one goes ahead of all others.
    assert!(early.windows(2).all(|two| two[1] - two[0] == 5), "{early:?}");
    shaped.restore().unwrap();
}

#[test]
#[ignore = "told in a virtual machine"]
fn rule_2_no_band_is_reached_by_the_type_of_service() {
    let two = Two::new();
    // Everything in the class is lost; the kernel's own map of a prio would lead some services into it.
    let (mut shaped, _table) = two.with(lossy(Loss::Uniform(part(1.0))));
    for service in (0..=0x1c).step_by(4) {
        assert_eq!(two.through(V4, OTHER, 50, service), 50, "type of service {service:#x}");
        assert_eq!(two.through(V4, PORT, 20, service), 0, "type of service {service:#x}");
    }
    shaped.restore().unwrap();
}

#[test]
#[ignore = "told in a virtual machine"]
fn rules_1_and_3_a_filter_takes_its_flow_and_neither_its_neighbours_nor_its_ipv6_twin() {
    let two = Two::new();
    let link = two.tree().links.iter().find(|queues| queues.name == "va").unwrap().link;
    for kind in ["u32", "flower"] {
        for family in [Family::V4, Family::V6] {
            let (mut shaped, table) = two.with(lossy(Loss::Uniform(part(1.0))));
            // Filters alone lead into the class here.
            table.remove().unwrap();
            let flow = Flow { transport: Some(Transport::Udp), to: Some(PORT - 1..=PORT), ..Flow::all(family) };
            let place = Place { link, parent: ROOT, handle: Handle::NONE };
            let requests: Vec<Request> = if kind == "u32" {
                let filters = u32::U32::of(&flow, u32::Then::Class(CLASS));
                filters.iter().map(|one| Request::filter(Verb::Add, place, 1, family, one)).collect()
            } else {
                vec![Request::filter(Verb::Add, place, 1, family, &flower::Flower { flow, class: CLASS })]
            };
            two.here
                .inside(|| requests.iter().try_for_each(|request| Tc::open().unwrap().ask(request)))
                .unwrap()
                .unwrap();
            let (hit, twin) = if family == Family::V4 { (V4, V6) } else { (V6, V4) };
            for port in [PORT - 1, PORT] {
                assert_eq!(two.through(hit, port, 20, 0), 0, "{kind} to {hit} {port}");
                assert_eq!(two.through(twin, port, 20, 0), 20, "{kind} for {hit}, to {twin} {port}");
            }
            for port in [PORT - 2, OTHER] {
                assert_eq!(two.through(hit, port, 20, 0), 20, "{kind} for {hit}, to its port {port}");
            }
            shaped.restore().unwrap();
        }
    }
}

#[test]
#[ignore = "told in a virtual machine"]
fn rule_4_what_a_distribution_puts_there_comes_back() {
    let two = Two::new();
    for root in ["fq", "fq_codel limit 1234 target 7ms", "pfifo_fast"] {
        two.here.inside(|| sh(&format!("tc qdisc replace dev va root handle 8001: {root}"))).unwrap();
        let before = two.tree();
        let (mut shaped, _table) = two.with(Netem { delay: delay(1), ..Netem::default() });
        assert_ne!(two.tree(), before);
        shaped.restore().unwrap();
        assert_eq!(two.tree(), before, "{root}");
        two.here.inside(|| sh("tc qdisc del dev va root")).unwrap();
    }
}

#[test]
#[ignore = "told in a virtual machine"]
fn rule_6_netem_goes_before_what_leads_into_it_and_holds_nothing_else_meanwhile() {
    use std::sync::atomic::{AtomicBool, Ordering};
    let two = Two::new();
    for _ in 0..5 {
        let (mut shaped, table) = two.with(Netem { delay: delay(2000), ..Netem::default() });
        let over = AtomicBool::new(false);
        let (sent, latest) = std::thread::scope(|scope| {
            let flood = scope.spawn(|| {
                let (mut sent, mut latest) = (0, Duration::ZERO);
                while !over.load(Ordering::Relaxed) {
                    sent += 1;
                    // The kernel itself loses what is sent while a link changes its root; what comes must not have been held.
                    let came = two.numbers(OTHER, 1, Duration::from_millis(50));
                    latest = came.first().map_or(latest, |(_, took)| latest.max(*took));
                }
                // Nor may anything come afterwards.
                (sent, latest.max(Duration::from_secs(u64::from(two.through(V4, OTHER, 1, 0) != 1))))
            });
            std::thread::sleep(Duration::from_millis(50));
            shaped.restore().unwrap();
            table.remove().unwrap();
            std::thread::sleep(Duration::from_millis(50));
            over.store(true, Ordering::Relaxed);
            flood.join().unwrap()
        });
        assert!(sent > 1 && latest < Duration::from_millis(50), "held for {latest:?} of 2 s, of {sent}");
    }
}

#[test]
#[ignore = "told in a virtual machine"]
fn rule_7_the_limit_fits_what_is_held() {
    let two = Two::new();
    let many = 2000;
    // All at once: for the limit that is a rate of as many in the time that they are held.
    let longest = Duration::from_millis(1500);
    let limit = limit_for(f64::from(many) / longest.as_secs_f64(), longest);
    for (limit, whole) in [(1000, false), (limit, true)] {
        let (mut shaped, _table) = two.with(Netem { delay: delay(1500), limit, ..Netem::default() });
        let receiver = two.receiver(V4, PORT);
        rustix::net::sockopt::set_socket_recv_buffer_size_force(&receiver, 16 << 20).unwrap();
        let sender = two.sender(V4, PORT, 0);
        (0..many).for_each(|number| drop(sender.send(&u32::to_be_bytes(number))));
        let seen = shaped.statistics().unwrap();
        assert_eq!(seen.drops == 0, whole, "limit {limit}: {seen:?}");
        shaped.restore().unwrap();
    }
}
