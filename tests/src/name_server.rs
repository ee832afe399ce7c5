//! A name server (DNS over UDP) that knows every name, and questions for it: in network namespaces that a test made.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, UdpSocket};
use std::time::{Duration, Instant};

use brunt_injector::namespace::Namespace;
use hickory_proto::op::{Message, MessageType, OpCode, Query, ResponseCode};
use hickory_proto::rr::rdata::{A, AAAA};
use hickory_proto::rr::{Name, RData, Record, RecordType};

/// What it says to everybody who asks for an address of IPv4.
pub const V4: IpAddr = IpAddr::V4(Ipv4Addr::new(192, 0, 2, 1));
/// And of IPv6.
pub const V6: IpAddr = IpAddr::V6(Ipv6Addr::new(0x2001, 0xdb8, 0, 0, 0, 0, 0, 1));

/// Answers at an address of a namespace, until the test's process ends. At `::` it does at all, but for those of the loopback of
/// which the kernel would answer from another one.
///
/// # Panics
/// Without root, or if the port is taken there.
pub fn start(namespace: &Namespace, address: &str, port: u16) {
    let bind = || UdpSocket::bind((address, port));
    let socket = namespace.inside(bind).expect("root may enter").expect("the port is free");
    std::thread::spawn(move || {
        let mut buffer = [0; 1500];
        while let Ok((length, client)) = socket.recv_from(&mut buffer) {
            if let Some(answer) = answer(&buffer[..length]) {
                let _ = socket.send_to(&answer, client);
            }
        }
    });
}

fn answer(question: &[u8]) -> Option<Vec<u8>> {
    let question = Message::from_vec(question).ok()?;
    let query = question.queries.first()?.clone();
    let data = match query.query_type() {
        RecordType::A => RData::A(A::new(192, 0, 2, 1)),
        RecordType::AAAA => RData::AAAA(AAAA::new(0x2001, 0xdb8, 0, 0, 0, 0, 0, 1)),
        _ => return None,
    };
    let mut answer = Message::new(question.metadata.id, MessageType::Response, OpCode::Query);
    answer.add_answer(Record::from_rdata(query.name().clone(), 60, data));
    answer.add_query(query);
    answer.to_vec().ok()
}

/// What somebody learns who asks.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Learnt {
    /// The name has these addresses.
    Addresses(Vec<IpAddr>),
    /// There is no such name.
    NoSuchName,
    /// The server has failed.
    Failed,
    /// Nothing, in the time that it was given.
    Nothing,
}

/// Asks a server for the addresses of a name, from within a namespace, and says how long that took.
///
/// # Panics
/// Without root, and if something comes that is no answer to this question, or has a wrong checksum (then it does not come).
pub fn ask(from: &Namespace, server: SocketAddr, name: &str, v6: bool, patience: Duration) -> (Learnt, Duration) {
    let any: IpAddr = if server.is_ipv4() { Ipv4Addr::UNSPECIFIED.into() } else { Ipv6Addr::UNSPECIFIED.into() };
    let socket = from.inside(|| UdpSocket::bind((any, 0))).expect("root may enter").expect("a free port");
    socket.connect(server).expect("there is a route");
    socket.set_read_timeout(Some(patience)).expect("it is not zero");
    let mut question = Message::new(4711, MessageType::Query, OpCode::Query);
    let kind = if v6 { RecordType::AAAA } else { RecordType::A };
    question.metadata.recursion_desired = true;
    question.add_query(Query::query(Name::from_ascii(name).expect("a sound name"), kind));
    let asked = Instant::now();
    socket.send(&question.to_vec().expect("it fits")).expect("the cable is up");
    let mut buffer = [0; 1500];
    let Ok(length) = socket.recv(&mut buffer) else { return (Learnt::Nothing, asked.elapsed()) };
    let took = asked.elapsed();
    let answer = Message::from_vec(&buffer[..length]).expect("it is a message of the DNS");
    assert_eq!((answer.metadata.id, &answer.queries), (4711, &question.queries), "an answer to another question");
    let learnt = match answer.metadata.response_code {
        ResponseCode::NXDomain => Learnt::NoSuchName,
        ResponseCode::ServFail => Learnt::Failed,
        ResponseCode::NoError => {
            Learnt::Addresses(answer.answers.iter().filter_map(|record| record.data.ip_addr()).collect())
        }
        other => panic!("an unexpected answer: {other}"),
    };
    (learnt, took)
}
