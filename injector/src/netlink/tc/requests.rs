//! Every request beside that of the real `tc`, as strace sees it leave. The kernel of the test need not have the kinds: it
//! refuses them after it was asked, and what was asked is what counts.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::process::Command;

use super::flow::{Family, Flow};
use super::htb::{self, Htb};
use super::netem::{Delay, Loss, Netem, Pace, Part, Reorder, Slots};
use super::*;
use crate::netlink::nf_tables::{Addresses, Transport};

/// Link 1 is the loopback of the namespace that `seen` makes.
const LINK: u32 = 1;
const OWN: Handle = Handle::qdisc(0xb270);

/// The bytes of the last message that `tc` sends, in a namespace of its own.
fn seen(words: &str) -> Vec<u8> {
    let mut command = Command::new("unshare");
    command.args(["--user", "--map-root-user", "--net", "--", "strace", "-e", "trace=sendmsg", "-e", "write=all"]);
    let output = command.args(["-s", "0", "-o", "/dev/stdout", "tc"]).args(words.split(' ')).output();
    let output = output.expect("unshare, strace and tc are installed by tests/run");
    let said = String::from_utf8_lossy(&output.stdout);
    // Each message is dumped like this: ` | 00010  00 00 ..  ..  |`; the offset 0 begins a new one.
    let mut bytes = Vec::new();
    for line in said.lines().filter_map(|line| line.strip_prefix(" | ")) {
        let (offset, rest) = line.split_once("  ").expect("an offset");
        if offset == "00000" {
            bytes.clear();
        }
        let columns = rest.get(..49).unwrap_or(rest);
        bytes.extend(columns.split_whitespace().map(|byte| u8::from_str_radix(byte, 16).unwrap()));
    }
    assert!(!bytes.is_empty(), "nothing was seen of `tc {words}`: {said}{}", String::from_utf8_lossy(&output.stderr));
    bytes
}

/// With the number of the request and the port left out.
fn compared(request: &Request, words: &str) {
    let mut theirs = seen(words);
    theirs[8..16].fill(0);
    let ours = request.message(0);
    assert_eq!(hexadecimal(ours.bytes()), hexadecimal(&theirs), "tc {words}");
}

/// The same where versions of `tc` round times in two ways: from byte `times` on, numbers may differ by a microsecond.
fn compared_but_for_rounding(request: &Request, words: &str, times: usize) {
    let mut theirs = seen(words);
    theirs[8..16].fill(0);
    let ours = request.message(0);
    let numbers = |bytes: &[u8]| -> Vec<u32> {
        bytes.chunks_exact(4).map(|word| u32::from_ne_bytes(word.try_into().unwrap())).collect()
    };
    assert_eq!(hexadecimal(&ours.bytes()[..times]), hexadecimal(&theirs[..times]), "tc {words}");
    let (ours, theirs) = (numbers(&ours.bytes()[times..]), numbers(&theirs[times..]));
    assert_eq!(ours.len(), theirs.len(), "tc {words}");
    for (at, (ours, theirs)) in ours.iter().zip(&theirs).enumerate() {
        assert!(ours.abs_diff(*theirs) <= 16, "number {at} of tc {words}: {ours} instead of {theirs}");
    }
}

fn hexadecimal(bytes: &[u8]) -> String {
    let lines = bytes.chunks(16).map(|line| line.iter().map(|byte| format!("{byte:02x} ")).collect::<String>());
    lines.collect::<Vec<_>>().join("\n")
}

fn netem_like(netem: &Netem, words: &str) {
    let request = Request::qdisc(Verb::Add, Place::root(LINK, OWN), netem);
    compared(&request, &format!("qdisc add dev lo root handle b270: netem {words}"));
}

fn delay(latency: u64, jitter: u64, correlation: f64) -> Option<Delay> {
    let (latency, jitter) = (Duration::from_millis(latency), Duration::from_millis(jitter));
    Some(Delay { table: distribution::Table::of(&distribution::Distribution::Uniform, latency, jitter), correlation })
}

fn part(share: f64, correlation: f64) -> Part {
    Part { share, correlation }
}

#[test]
fn netem_delays_and_loses_as_tc_asks_for_it() {
    netem_like(&Netem { delay: delay(100, 0, 0.0), ..Netem::default() }, "delay 100ms");
    netem_like(
        &Netem { delay: delay(100, 10, 0.25), limit: 12_345, ..Netem::default() },
        "limit 12345 delay 100ms 10ms 25%",
    );
    let loss = Loss::Uniform(part(0.3, 0.0));
    netem_like(&Netem { loss, ..Netem::default() }, "loss random 30%");
    let loss = Loss::Uniform(part(0.001, 0.5));
    netem_like(&Netem { loss, mark_instead_of_loss: true, ..Netem::default() }, "loss random 0.1% 50% ecn");
}

#[test]
fn netem_loses_in_bursts_as_tc_asks_for_it() {
    let loss = |good_to_bad, bad_to_good, loss_in_bad, loss_in_good| Netem {
        loss: Loss::GilbertElliott { good_to_bad, bad_to_good, loss_in_bad, loss_in_good },
        ..Netem::default()
    };
    netem_like(&loss(0.01, 0.99, 1.0, 0.0), "loss gemodel 1% 99%");
    netem_like(&loss(0.02, 0.3, 0.7, 0.001), "loss gemodel 2% 30% 70% 0.1%");
    let states =
        Loss::States { from_1_to_3: 0.01, from_3_to_1: 0.9, from_3_to_2: 0.2, from_2_to_3: 0.7, from_1_to_4: 0.001 };
    netem_like(&Netem { loss: states, ..Netem::default() }, "loss state 1% 90% 20% 70% 0.1%");
}

#[test]
fn netem_duplicates_reorders_and_corrupts_as_tc_asks_for_it() {
    netem_like(&Netem { duplicate: part(0.05, 0.0), ..Netem::default() }, "duplicate 5%");
    // `tc` forgets the correlation of duplicates where nothing else has one.
    let duplicate = part(0.05, 0.1);
    let both = Netem { delay: delay(10, 1, 0.2), duplicate, ..Netem::default() };
    netem_like(&both, "delay 10ms 1ms 20% duplicate 5% 10%");
    netem_like(&Netem { corrupt: part(0.02, 0.0), ..Netem::default() }, "corrupt 2%");
    let reorder = Some(Reorder { some: part(0.25, 0.5), gap: 5 });
    netem_like(&Netem { delay: delay(10, 0, 0.0), reorder, ..Netem::default() }, "delay 10ms reorder 25% 50% gap 5");
}

#[test]
fn netem_paces_and_bursts_as_tc_asks_for_it() {
    let pace = |bytes_per_second| Pace { bytes_per_second, packet_overhead: -14, cell: 48, cell_overhead: 5 };
    netem_like(&Netem { rate: Some(pace(1_250_000)), ..Netem::default() }, "rate 10mbit -14 48 5");
    netem_like(&Netem { rate: Some(pace(5_000_000_000)), ..Netem::default() }, "rate 40gbit -14 48 5");
    let slots =
        Slots { shortest: Duration::from_millis(10), longest: Duration::from_millis(20), packets: 5, bytes: 9000 };
    netem_like(&Netem { slots: Some(slots), ..Netem::default() }, "slot 10ms 20ms packets 5 bytes 9000");
}

#[test]
fn all_that_netem_can_do_stands_in_the_order_of_tc() {
    let all = Netem {
        delay: delay(1, 0, 0.0),
        loss: Loss::GilbertElliott { good_to_bad: 0.01, bad_to_good: 0.5, loss_in_bad: 1.0, loss_in_good: 0.0 },
        duplicate: part(0.01, 0.0),
        reorder: Some(Reorder { some: part(0.05, 0.0), gap: 3 }),
        corrupt: part(0.002, 0.0),
        rate: Some(Pace { bytes_per_second: 125_000, packet_overhead: 0, cell: 0, cell_overhead: 0 }),
        slots: Some(Slots {
            shortest: Duration::from_millis(1),
            longest: Duration::from_millis(2),
            packets: 0,
            bytes: 0,
        }),
        mark_instead_of_loss: true,
        limit: 4000,
    };
    let words = "limit 4000 delay 1ms loss gemodel 1% 50% ecn duplicate 1% reorder 5% gap 3 corrupt 0.2% rate 1mbit slot 1ms 2ms";
    netem_like(&all, words);
}

/// The values differ (ours are computed, theirs come from samples), so: their frame, and their number.
#[test]
fn a_table_stands_where_tc_has_it() {
    let table = distribution::Table::of(
        &distribution::Distribution::Normal,
        Duration::from_millis(100),
        Duration::from_millis(10),
    );
    let netem = Netem { delay: Some(Delay { table, correlation: 0.0 }), ..Netem::default() };
    let ours = Request::qdisc(Verb::Add, Place::root(LINK, OWN), &netem).message(0);
    let mut theirs = seen("qdisc add dev lo root handle b270: netem delay 100ms 10ms distribution normal");
    theirs[8..16].fill(0);
    const FRAME: usize = 80;
    assert_eq!(hexadecimal(&ours.bytes()[..FRAME]), hexadecimal(&theirs[..FRAME]));
    let values = |bytes: &[u8]| -> Vec<i16> {
        bytes[FRAME..].chunks_exact(2).map(|value| i16::from_ne_bytes(value.try_into().unwrap())).collect()
    };
    let (ours, theirs) = (values(ours.bytes()), values(&theirs));
    assert_eq!(ours.len(), theirs.len());
    // Of 4096: beyond these the samples are few.
    let inner = ours.iter().zip(&theirs).skip(20).take(4056);
    let furthest = inner.map(|(ours, theirs)| ours.abs_diff(*theirs)).max();
    assert!(furthest < Some(8192 / 10), "a tenth of a deviation apart at most, not {furthest:?}");
}

#[test]
fn classes_of_htb_and_their_queues_are_those_of_tc() {
    let qdisc = Request::qdisc(Verb::Add, Place::root(LINK, OWN), &Htb { direct_packets: 1000 });
    compared(&qdisc, "qdisc add dev lo root handle b270: htb direct_qlen 1000");
    let place = Place { link: LINK, parent: OWN, handle: OWN.class(2) };
    let class = |bits: u64| htb::Class { rate: rate::Rate { bytes_per_second: bits / 8 }, burst: 15 * 1024 };
    let words = "class add dev lo parent b270: classid b270:2 htb burst 15k cburst 15k rate";
    // The parameters' buffers are the first times: 36 bytes of message, 8 of kind, 8 of nests, two rates of 12.
    compared_but_for_rounding(&Request::class(Verb::Add, place, &class(10_000_000)), &format!("{words} 10mbit"), 76);
    compared_but_for_rounding(&Request::class(Verb::Add, place, &class(123_456)), &format!("{words} 123456bit"), 76);
    let large = Request::class(Verb::Change, place, &class(40_000_000_000));
    compared_but_for_rounding(&large, &format!("{} 40gbit", words.replace("add", "change")), 76 + 24);
    let leaf = Place { link: LINK, parent: OWN.class(2), handle: Handle::qdisc(0xb271) };
    let words = "qdisc add dev lo parent b270:2 handle b271:";
    compared(&Request::qdisc(Verb::Add, leaf, &fifo::Fifo::Bytes(131_072)), &format!("{words} bfifo limit 131072"));
    compared(&Request::qdisc(Verb::Add, leaf, &fifo::Fifo::Packets(1000)), &format!("{words} pfifo limit 1000"));
}

#[test]
fn tbf_and_prio_are_those_of_tc() {
    let tbf = |bits: u64| tbf::Tbf { rate: rate::Rate { bytes_per_second: bits / 8 }, burst: 32_768, limit: 102_400 };
    let words = "qdisc replace dev lo root handle b270: tbf burst 32k limit 100k rate";
    let place = Place::root(LINK, OWN);
    compared_but_for_rounding(&Request::qdisc(Verb::Replace, place, &tbf(10_000_000)), &format!("{words} 10mbit"), 80);
    compared_but_for_rounding(&Request::qdisc(Verb::Replace, place, &tbf(64_000)), &format!("{words} 64kbit"), 80);
    compared_but_for_rounding(
        &Request::qdisc(Verb::Replace, place, &tbf(35_000_000_000)),
        &format!("{words} 35gbit"),
        80,
    );
    let map = "priomap 0 0 0 0 0 0 0 0 0 0 0 0 0 0 0 0";
    compared(
        &Request::qdisc(Verb::Add, place, &prio::Prio),
        &format!("qdisc add dev lo root handle b270: prio bands 3 {map}"),
    );
}

fn v4(last: u8) -> IpAddr {
    Ipv4Addr::new(10, 0, 0, last).into()
}

fn v6() -> IpAddr {
    Ipv6Addr::new(0xfd00, 0, 0, 0, 0, 0, 0, 1).into()
}

fn filter(preference: u16, family: Family, options: &impl Options) -> Request {
    let place = Place { link: LINK, parent: OWN, handle: Handle::NONE };
    Request::filter(Verb::Add, place, preference, family, options)
}

#[test]
fn rule_1_all_matches_in_one_filter() {
    let flow = Flow {
        source: Some(Addresses { address: v4(0), prefix: 20 }),
        destination: Some(Addresses::from(v4(1))),
        transport: Some(Transport::Tcp),
        from: Some(1234..=1234),
        to: Some(80..=80),
        ..Flow::all(Family::V4)
    };
    let filters = u32::U32::of(&flow, u32::Then::Class(OWN.class(2)));
    let [one] = &filters[..] else { panic!("{filters:?}") };
    let words = "match ip src 10.0.0.0/20 match ip dst 10.0.0.1/32 match ip protocol 6 0xff match ip ihl 5 0xf match ip nofrag \
                 match ip sport 1234 0xffff match ip dport 80 0xffff";
    compared(
        &filter(1, Family::V4, one),
        &format!("filter add dev lo parent b270: protocol ip prio 1 u32 {words} flowid b270:2"),
    );
    // A range that is no power of two: several filters, and each has all the other conditions.
    let range = Flow { to: Some(80..=90), ..flow };
    let filters = u32::U32::of(&range, u32::Then::Class(OWN.class(2)));
    let parts = [("80", "0xfff8"), ("88", "0xfffe"), ("90", "0xffff")];
    assert_eq!(filters.len(), parts.len());
    for (one, (port, mask)) in filters.iter().zip(parts) {
        let words = words.replace("dport 80 0xffff", &format!("dport {port} {mask}"));
        compared(
            &filter(1, Family::V4, one),
            &format!("filter add dev lo parent b270: protocol ip prio 1 u32 {words} flowid b270:2"),
        );
    }
}

#[test]
fn rule_3_ipv6_filters_stand_under_protocol_ipv6() {
    let flow = Flow {
        destination: Some(Addresses::from(v6())),
        transport: Some(Transport::Udp),
        to: Some(80..=80),
        ..Flow::all(Family::V6)
    };
    let filters = u32::U32::of(&flow, u32::Then::Class(OWN.class(2)));
    let words = "match ip6 dst fd00::1/128 match ip6 protocol 17 0xff match ip6 dport 80 0xffff";
    compared(
        &filter(2, Family::V6, &filters[0]),
        &format!("filter add dev lo parent b270: protocol ipv6 prio 2 u32 {words} flowid b270:2"),
    );
    let flower = flower::Flower { flow, class: OWN.class(2) };
    let words = "ip_proto udp dst_ip fd00::1 dst_port 80";
    compared(
        &filter(2, Family::V6, &flower),
        &format!("filter add dev lo parent b270: protocol ipv6 prio 2 flower {words} flowid b270:2"),
    );
}

#[test]
fn flower_is_that_of_tc() {
    let flow = Flow {
        source: Some(Addresses { address: v4(0), prefix: 24 }),
        destination: Some(Addresses::from(v4(1))),
        transport: Some(Transport::Tcp),
        from: Some(100..=200),
        to: Some(80..=80),
        ..Flow::all(Family::V4)
    };
    let words = "ip_proto tcp dst_ip 10.0.0.1 src_ip 10.0.0.0/24 dst_port 80 src_port 100-200";
    let flower = flower::Flower { flow, class: OWN.class(2) };
    compared(
        &filter(3, Family::V4, &flower),
        &format!("filter add dev lo parent b270: protocol ip prio 3 flower {words} flowid b270:2"),
    );
}

#[test]
fn what_arrives_is_redirected_as_tc_asks_for_it() {
    let place = ingress::Ingress::place(LINK);
    compared(&Request::qdisc(Verb::Add, place, &ingress::Ingress), "qdisc add dev lo ingress");
    let redirect = u32::U32::of(&Flow::all(Family::V4), u32::Then::Redirect(mirred::Redirect { to: LINK }));
    let place = Place { link: LINK, parent: ingress::Ingress::HANDLE, handle: Handle::NONE };
    let request = Request::filter(Verb::Add, place, 1, Family::V4, &redirect[0]);
    let words =
        "filter add dev lo parent ffff: protocol ip prio 1 u32 match u32 0 0 action mirred egress redirect dev lo";
    compared(&request, words);
}

#[test]
fn deleting_is_that_of_tc() {
    compared(&Request::delete_qdisc(Place::root(LINK, Handle::NONE)), "qdisc del dev lo root");
    let place = Place { link: LINK, parent: Handle::NONE, handle: OWN.class(2) };
    compared(&Request::delete_class(place), "class del dev lo classid b270:2");
    let request = Request::delete_filters(LINK, OWN, 7, Family::V6);
    compared(&request, "filter del dev lo parent b270: protocol ipv6 prio 7");
}
