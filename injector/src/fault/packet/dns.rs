//! `network.dns`: answers of name servers come late, never, or say something else.
//!
//! *What the service feels*: a name that fails to resolve, resolves elsewhere, or takes its time. The question goes to the real
//! server; its answer (UDP, from port 53) is held, dropped or rewritten where it arrives, so nothing is redirected and nothing is
//! left in a table of connections. Addresses have a TTL of 0 and "no such name" has no SOA record, so nobody may remember either
//! once it is over; what was remembered before it began is not asked for, and not hit. A server inside of the target's own
//! network namespace (127.0.0.11 of a container, 127.0.0.53) is one like any other, and so is the one that it asks outside.
//! *Not covered*: questions over TCP, TLS or HTTPS, those to another port, and a server that does not answer at all.
//! *Privileges*: CAP_NET_ADMIN in the target's network namespace and CAP_SYS_ADMIN to enter it. *Rung*: NFQUEUE. *Verified*:
//! answers about the names were held, dropped or rewritten; without one it was not exercised. *Undone*: what is held goes on at
//! once, and the table is removed.

use std::net::IpAddr;

use brunt_scenario::plan::Params;

use crate::error::Error;
use crate::packets::{Effect, Treatment, queue};
use crate::proxy::Ways;

/// The kind, as in the catalogue.
pub const KIND: &str = "network.dns";

/// Reads `names`, and `latency`, or `answer` with its `address`.
pub fn from_params(with: &Params) -> Result<Treatment, Error> {
    let unfit = |why: String| Error::Unfit { kind: KIND.into(), why };
    let given = with.names("names").unwrap_or_default();
    let name = |text: &String| {
        let help = "write `db.example.com`, or `*.example.com` for all names below it; without `names` all are meant";
        queue::Name::new(text).ok_or_else(|| unfit(format!("`{text}` is no name: {help}")))
    };
    let names = given.iter().map(name).collect::<Result<Vec<_>, _>>()?;
    let addresses = with.names("address").unwrap_or_default();
    let answer = with.word("answer").unwrap_or("servfail");
    let outcome = match with.duration("latency") {
        Some(latency) => queue::Outcome::Late(latency),
        None => match answer {
            "nxdomain" => queue::Outcome::NoSuchName,
            "timeout" => queue::Outcome::Silence,
            "address" => {
                queue::Outcome::Addresses(addresses.iter().map(|text| address(text)).collect::<Result<_, _>>()?)
            }
            _ => queue::Outcome::Failure,
        },
    };
    match (&outcome, addresses) {
        (queue::Outcome::Addresses(_), []) => {
            return Err(unfit("`answer: address` needs `address`, as in `address: 192.0.2.1`".into()));
        }
        (queue::Outcome::Addresses(all), _) if all.len() > MOST => {
            return Err(unfit(format!("one answer holds at most {MOST} addresses here")));
        }
        (queue::Outcome::Addresses(_), _) | (_, []) => {}
        _ => return Err(unfit("`address` belongs to `answer: address`: write that, or leave `address` out".into())),
    }
    let effect = Effect::Queued(queue::Treatment::Answers(queue::Answers { names, outcome }));
    Ok(Treatment { ways: Ways { to: true, from: false }, peers: None, effect })
}

/// With these an answer is shorter than the 512 bytes that everybody takes (RFC 1035, 4.2.1), whatever its name.
const MOST: usize = 8;

fn address(text: &str) -> Result<IpAddr, Error> {
    let why = || format!("`address: {text}` is no address: write one of IPv4 or IPv6, or a list of both");
    text.parse().map_err(|_| Error::Unfit { kind: KIND.into(), why: why() })
}

#[cfg(test)]
mod tests {
    use brunt_scenario::plan::ParamValue;

    use super::*;

    #[test]
    fn what_cannot_be_meant_is_refused_with_what_can() {
        let names = |all: &[&str]| ParamValue::Names(all.iter().map(|&name| name.to_owned()).collect());
        let told = |with: &[(&'static str, ParamValue)]| match from_params(&Params(with.iter().cloned().collect())) {
            Ok(treatment) => format!("{:?}", treatment.effect),
            Err(error) => error.to_string(),
        };
        assert!(told(&[]).contains("Failure"));
        assert!(told(&[("names", names(&["*.Example.com.", "db"]))]).contains("example.com"));
        assert!(told(&[("names", names(&["a..b"]))]).contains("`a..b` is no name"));
        assert!(told(&[("names", names(&["a.*.b"]))]).contains("is no name"));
        let elsewhere = ("answer", ParamValue::Word("address"));
        assert!(told(std::slice::from_ref(&elsewhere)).contains("needs `address`"));
        assert!(told(&[elsewhere.clone(), ("address", names(&["10.0.0.300"]))]).contains("is no address"));
        assert!(told(&[elsewhere, ("address", names(&["10.0.0.3", "::1"]))]).contains("Addresses([10.0.0.3, ::1])"));
        assert!(told(&[("address", names(&["10.0.0.3"]))]).contains("belongs to `answer: address`"));
    }
}
