//! Packets as they are made here are read by another library than ours, and whatever comes is read without a panic.

use hickory_proto::op::{Message, MessageType, OpCode, Query, ResponseCode};
use hickory_proto::rr::rdata::{A as Four, AAAA as Six};
use hickory_proto::rr::{Name as Domain, RData, Record, RecordType};
use proptest::prelude::*;

use super::*;

/// The answer of a server to a question for the addresses of a name, over IPv4 or IPv6.
fn packet(name: &str, kind: RecordType, v6: bool) -> Vec<u8> {
    let mut message = Message::new(77, MessageType::Response, OpCode::Query);
    let domain = Domain::from_ascii(name).unwrap();
    message.metadata.recursion_desired = true;
    message.metadata.truncation = true;
    message.add_query(Query::query(domain.clone(), kind));
    for last in 1..20 {
        message.add_answer(Record::from_rdata(domain.clone(), 300, RData::A(Four::new(192, 0, 2, last))));
    }
    let dns = message.to_vec().unwrap();
    let length = |more: usize| ((dns.len() + more) as u16).to_be_bytes();
    let mut bytes = match v6 {
        true => [&[0x60, 0, 0, 0][..], &length(8), &[17, 64], &[1; 16], &[2; 16]].concat(),
        // With an option, and the first of several fragments.
        false => {
            let [one, two] = length(32);
            [&[0x46, 0, one, two, 0, 1, 0x20, 0, 64, 17, 9, 9][..], &[10, 0, 0, 1, 10, 0, 0, 2], &[1; 4]].concat()
        }
    };
    bytes.extend([&[0, 53, 0xab, 0xcd][..], &length(8), &[9, 9]].concat());
    [bytes, dns].concat()
}

fn answers(names: &[&str], outcome: Outcome) -> Answers {
    Answers { names: names.iter().map(|name| Name::new(name).unwrap()).collect(), outcome }
}

/// Reads what was rewritten, after a look at every length and checksum.
fn read(packet: &[u8]) -> Message {
    let (ip, addresses) = if packet[0] >> 4 == 4 {
        assert_eq!(folded(sum(&packet[..24])), 0xffff, "the checksum of IP");
        assert_eq!((number(packet, 2), number(packet, 6)), (Some(packet.len() as u16), Some(0)));
        (24, &packet[12..20])
    } else {
        assert_eq!(number(packet, 4), Some(packet.len() as u16 - 40));
        (40, &packet[8..40])
    };
    let udp = &packet[ip..];
    assert_eq!((&udp[..4], number(udp, 4)), (&[0, 53, 0xab, 0xcd][..], Some(udp.len() as u16)));
    assert_eq!(folded(sum(addresses) + 17 + udp.len() as u64 + sum(udp)), 0xffff, "the checksum of UDP");
    Message::from_vec(&udp[8..]).unwrap()
}

fn rewritten(answers: &Answers, packet: &[u8]) -> Message {
    match answers.fate(packet) {
        Fate::Rewritten(bytes) => read(&bytes),
        other => panic!("{other:?}"),
    }
}

#[test]
fn a_no_keeps_number_and_question_and_says_nothing_else() {
    for v6 in [false, true] {
        for (outcome, code) in
            [(Outcome::NoSuchName, ResponseCode::NXDomain), (Outcome::Failure, ResponseCode::ServFail)]
        {
            let message = rewritten(&answers(&[], outcome), &packet("DB.Shop.test.", RecordType::A, v6));
            assert_eq!((message.metadata.id, message.metadata.response_code), (77, code));
            assert!(message.metadata.recursion_desired && !message.metadata.truncation);
            // In the very letters of the question: some resolvers look at that.
            assert_eq!(message.queries[0].name().to_ascii(), "DB.Shop.test.");
            assert_eq!((message.answers.len(), message.authorities.len(), message.additionals.len()), (0, 0, 0));
        }
    }
}

#[test]
fn who_asks_for_addresses_gets_those_of_that_kind_and_of_anything_else_the_real_answer() {
    let four: IpAddr = "10.9.9.9".parse().unwrap();
    let six: IpAddr = "fd99::9".parse().unwrap();
    let both = answers(&[], Outcome::Addresses(vec![six, four]));
    let data = |answers: &Answers, kind| -> Vec<(RData, u32)> {
        let message = rewritten(answers, &packet("db.test.", kind, true));
        assert_eq!(message.metadata.response_code, ResponseCode::NoError);
        message.answers.iter().map(|record| (record.data.clone(), record.ttl)).collect()
    };
    assert_eq!(data(&both, RecordType::A), [(RData::A(Four::new(10, 9, 9, 9)), 0)]);
    assert_eq!(data(&both, RecordType::AAAA), [(RData::AAAA(Six::new(0xfd99, 0, 0, 0, 0, 0, 0, 9)), 0)]);
    assert_eq!(data(&answers(&[], Outcome::Addresses(vec![four])), RecordType::AAAA), []);
    assert_eq!(both.fate(&packet("db.test.", RecordType::MX, false)), Fate::Pass);
}

#[test]
fn only_names_that_are_meant_are_hit_whatever_their_letters() {
    let meant = answers(&["db.shop.test", "*.pay.test."], Outcome::Silence);
    let hit = |name: &str| meant.fate(&packet(name, RecordType::A, false)) == Fate::Lost;
    for name in ["db.shop.test.", "DB.shop.TEST.", "a.pay.test.", "a.b.pay.test."] {
        assert!(hit(name), "{name}");
    }
    for name in ["xdb.shop.test.", "a.db.shop.test.", "shop.test.", "pay.test.", "xpay.test.", "test."] {
        assert!(!hit(name), "{name}");
    }
    for wrong in ["", ".", "*", "*.", "a..b", "*a.test", "a.*.test", "grün.test", &"a".repeat(64), &"a.".repeat(128)] {
        assert_eq!(Name::new(wrong), None, "{wrong}");
    }
}

#[test]
fn what_is_no_answer_is_left_alone() {
    let all = answers(&[], Outcome::NoSuchName);
    let good = packet("db.test.", RecordType::A, false);
    assert_ne!(all.fate(&good), Fate::Pass);
    let with = |at: usize, byte: u8| {
        let mut bytes = good.clone();
        bytes[at] = byte;
        all.fate(&bytes)
    };
    // TCP; a fragment behind the first; a question; an update; two questions; a name that refers elsewhere.
    for (at, byte) in [(9, 6), (7, 3), (34, 0), (34, 0xa8), (37, 2), (44, 0xc0)] {
        assert_eq!(with(at, byte), Fate::Pass, "{at}");
    }
}

proptest! {
    #[test]
    fn whatever_comes_is_read_without_harm(
        v6: bool, cut in 0_usize..400, at in 0_usize..80, noise in proptest::collection::vec(any::<u8>(), 0..20)
    ) {
        let mut bytes = packet("db.shop.test.", RecordType::A, v6);
        for (place, byte) in bytes.iter_mut().skip(at).zip(noise) {
            *place = byte;
        }
        bytes.truncate(cut);
        let all = answers(&[], Outcome::Addresses(vec!["10.0.0.1".parse().unwrap()]));
        if let Fate::Rewritten(made) = all.fate(&bytes) {
            // It is answered as it was read: a second reading finds the same question.
            let (before, after) = (Answer::read(&bytes).unwrap(), Answer::read(&made).unwrap());
            prop_assert_eq!((before.name, before.kind), (after.name, after.kind));
        }
    }
}
