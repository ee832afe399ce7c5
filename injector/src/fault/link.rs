//! Stream faults through the four verbs: the same for every kind, because a kind is only a [`StreamFault`].
//!
//! There is nothing to snapshot and nothing that could outlive the runner: the undo record says that the fault ends with the
//! process whose proxy carries it.

use std::io;
use std::sync::Arc;

use brunt_scenario::plan::{self, Addresses, Params};

use super::{Change, Fault, Reverted, Seen, Undo, http, network, tcp};
use crate::error::Error;
use crate::proxy::{Counted, FaultCounters, Look, Proxy, StreamFault, Ways};

/// A stream fault with the listeners that it hits.
pub struct LinkFault {
    id: String,
    link: String,
    listeners: Vec<usize>,
    fault: StreamFault,
    counters: Vec<Arc<FaultCounters>>,
}

/// The stream fault of a kind of the catalogue, `None` for kinds that do not act on a link (or are not built).
pub fn stream_fault(kind: &str, with: &Params) -> Option<Result<StreamFault, Error>> {
    Some(match kind {
        network::latency::KIND => network::latency::from_params(with),
        network::bandwidth::KIND => network::bandwidth::from_params(with),
        network::partition::KIND => network::partition::from_params(with),
        network::blackhole::KIND => network::blackhole::from_params(with),
        tcp::reset::KIND => tcp::reset::from_params(with),
        tcp::timeout::KIND => tcp::timeout::from_params(with),
        tcp::slow_close::KIND => tcp::slow_close::from_params(with),
        tcp::slicer::KIND => tcp::slicer::from_params(with),
        tcp::limit::KIND => tcp::limit::from_params(with),
        http::latency::KIND => http::latency::from_params(with),
        http::error::KIND => http::error::from_params(with),
        http::abort::KIND => http::abort::from_params(with),
        http::body::KIND => http::body::from_params(with),
        http::header::KIND => http::header::from_params(with),
        _ => return None,
    })
}

impl LinkFault {
    /// `fault` at these listeners (from 0) of `link`.
    pub fn new(fault: &plan::Fault, link: &str, listeners: Vec<usize>) -> Result<Self, Error> {
        let stream = stream_fault(fault.kind, &fault.with)
            .ok_or_else(|| Error::Unfit { kind: fault.kind.into(), why: "it does not act on a link".into() })??;
        Ok(Self { id: fault.id.clone(), link: link.to_owned(), listeners, fault: stream, counters: Vec::new() })
    }

    fn seen(&self, proxy: &Proxy) -> Seen {
        let mut look = || -> io::Result<Look> {
            let first = self.listeners.first().copied().unwrap_or_default();
            proxy.look(&self.link, first).map_err(io::Error::other)?
        };
        self.fault.verify(&Counted::sum(&self.counters), &mut look)
    }
}

impl Fault<Arc<Proxy>> for LinkFault {
    fn prepare(&mut self, proxy: &mut Arc<Proxy>) -> Result<Vec<Undo>, Error> {
        let total = proxy.listeners(&self.link);
        match self.listeners.iter().find(|listener| **listener >= total) {
            Some(missing) => Err(Error::Unknown { what: "link listener", name: format!("{}[{missing}]", self.link) }),
            None => Ok(vec![Undo::EndsWithRunner]),
        }
    }

    fn inject(&mut self, proxy: &mut Arc<Proxy>, change: Change) -> Result<(), Error> {
        if !self.counters.is_empty() {
            return Ok(());
        }
        let fault = match change {
            Change::Make => self.fault.clone(),
            Change::Skip => self.fault.clone().without_effect(),
        };
        for listener in &self.listeners {
            self.counters.push(proxy.add(&self.link, *listener, &self.id, fault.clone())?);
        }
        Ok(())
    }

    fn verify(&mut self, proxy: &mut Arc<Proxy>) -> Result<Seen, Error> {
        Ok(self.seen(proxy))
    }

    fn revert(&mut self, proxy: &mut Arc<Proxy>) -> Reverted {
        // Judged before the removal, because a connection made afterwards would pass.
        let effect = self.seen(proxy);
        let failed: Vec<_> = self
            .listeners
            .iter()
            .filter_map(|listener| proxy.remove(&self.link, *listener, &self.id).err())
            .map(|error| error.to_string())
            .collect();
        Reverted {
            effect,
            rollback_verified: Some(failed.is_empty()),
            residue: self.residue(),
            error: (!failed.is_empty()).then(|| failed.join("; ")),
        }
    }
}

impl LinkFault {
    /// What removal cannot bring back.
    fn residue(&self) -> Vec<String> {
        let counted = Counted::sum(&self.counters);
        let mut residue = Vec::new();
        if counted.bytes_discarded > 0 {
            residue.push(format!("{} discarded", amount(counted.bytes_discarded, "byte")));
        }
        if counted.connections_reset > 0 {
            residue.push(format!("{} reset", amount(counted.connections_reset, "connection")));
        }
        if counted.connections_closed > 0 {
            residue.push(format!("{} closed", amount(counted.connections_closed, "connection")));
        }
        residue
    }
}

/// `direction`, or `default`.
pub(crate) fn ways(kind: &str, with: &Params, default: &str) -> Result<Ways, Error> {
    let word = with.word("direction").unwrap_or(default);
    Ways::from_word(word).ok_or_else(|| Error::Unfit {
        kind: kind.into(),
        why: format!("`direction: {word}` is none of to, from, both"),
    })
}

/// `share`, or all.
pub(crate) fn share(with: &Params) -> f64 {
    with.share("share").unwrap_or(1.0)
}

/// A text parameter. Addresses that are known only when the run starts make no sense in a fault.
pub(crate) fn text(kind: &str, with: &Params, name: &str) -> Result<Option<String>, Error> {
    let Some(text) = with.text(name) else { return Ok(with.word(name).map(str::to_owned)) };
    let filled = text.fill(&Addresses::default(), None);
    filled.map(Some).map_err(|error| Error::Unfit { kind: kind.into(), why: format!("`{name}`: {error}") })
}

/// `1,204`.
pub(crate) fn grouped(n: u64) -> String {
    let digits = n.to_string();
    let mut text = String::new();
    for (place, digit) in digits.chars().enumerate() {
        if place > 0 && (digits.len() - place).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

/// `1 message`, `1,204 messages`.
pub(crate) fn amount(n: u64, what: &str) -> String {
    let text = grouped(n);
    match what.strip_suffix('y') {
        _ if n == 1 => format!("{text} {what}"),
        Some(stem) => format!("{text} {stem}ies"),
        None => format!("{text} {what}s"),
    }
}

/// The judgement when nothing was hit; `None` when something was. With a share, a few that were spared prove nothing: the
/// effect is absent when so many would be spared less than once in a million times.
pub(crate) fn nothing_hit(counted: &Counted, share: f64, what: &str) -> Option<Seen> {
    if counted.affected > 0 {
        return None;
    }
    let seen = amount(counted.seen, what);
    let by_chance = (1.0 - share).max(0.0).powf(counted.seen as f64);
    Some(if counted.seen == 0 {
        Seen::NotExercised(format!("no {what} came along"))
    } else if by_chance < 1e-6 {
        Seen::Absent(format!("{seen} came along and not one was hit"))
    } else {
        Seen::NotExercised(format!("{seen} came along, too few for one to be drawn"))
    })
}

#[cfg(test)]
mod tests {
    use brunt_scenario::units::{CountOrShare, Share};

    use super::*;
    use crate::proxy::lab::{LINK, Lab, echo, is_reset, ms, round_trip, seen};

    fn planned(kind: &'static str, with: Params) -> plan::Fault {
        plan::Fault {
            id: "sick".into(),
            kind,
            target: "wire".into(),
            pick: CountOrShare::All,
            max_affected: CountOrShare::Share(Share(1.0)),
            allow_empty: false,
            follow: false,
            lasts: None,
            repeat: None,
            with,
            from: None,
            place: "a.yaml:1".into(),
        }
    }

    #[test]
    fn a_stream_fault_goes_through_its_four_verbs_and_may_repeat_them() {
        let lab = Lab::new(echo());
        let mut proxy = Arc::clone(&lab.proxy);
        let mut fault =
            LinkFault::new(&planned("network.latency", Params([ms("latency", 50)].into())), LINK, vec![0]).unwrap();
        assert_eq!(fault.prepare(&mut proxy).unwrap(), [Undo::EndsWithRunner]);
        for _ in 0..2 {
            fault.inject(&mut proxy, Change::Make).unwrap();
        }
        let mut client = lab.connect();
        for _ in 0..6 {
            let span = round_trip(&mut client, b"x").as_millis();
            assert!((50..98).contains(&span), "{span} ms: injected once");
        }
        seen(|| fault.verify(&mut proxy).unwrap());
        for _ in 0..2 {
            let reverted = fault.revert(&mut proxy);
            assert!(matches!(reverted.effect, Seen::Yes(_)));
            assert_eq!((reverted.rollback_verified, reverted.error), (Some(true), None));
        }
        assert!(round_trip(&mut client, b"x").as_millis() < 50);
    }

    #[test]
    fn what_cannot_be_brought_back_is_said() {
        let lab = Lab::new(echo());
        let mut proxy = Arc::clone(&lab.proxy);
        let mut client = lab.connect();
        round_trip(&mut client, b"x");
        let mut fault = LinkFault::new(&planned("tcp.reset", Params::default()), LINK, vec![0]).unwrap();
        fault.inject(&mut proxy, Change::Make).unwrap();
        assert!(is_reset(&mut client));
        assert_eq!(fault.revert(&mut proxy).residue, ["1 connection reset"]);
    }

    #[test]
    fn a_change_that_is_skipped_is_found_absent() {
        let lab = Lab::new(echo());
        let mut proxy = Arc::clone(&lab.proxy);
        let mut fault = LinkFault::new(&planned("network.partition", Params::default()), LINK, vec![0]).unwrap();
        fault.inject(&mut proxy, Change::Skip).unwrap();
        round_trip(&mut lab.connect(), b"x");
        assert!(matches!(fault.verify(&mut proxy).unwrap(), Seen::Absent(_)));
    }

    #[test]
    fn what_does_not_exist_is_refused_before_anything_happens() {
        let mut proxy = Arc::clone(&Lab::new(echo()).proxy);
        let mut fault = LinkFault::new(&planned("tcp.reset", Params::default()), LINK, vec![3]).unwrap();
        assert_eq!(fault.prepare(&mut proxy).unwrap_err().to_string(), "no link listener named `wire[3]`");
        let error = LinkFault::new(&planned("process.kill", Params::default()), LINK, vec![0]).err().unwrap();
        assert_eq!(error.to_string(), "process.kill: it does not act on a link");
    }

    #[test]
    fn amounts_read_as_people_write_them() {
        assert_eq!(amount(1, "byte"), "1 byte");
        assert_eq!(amount(0, "byte"), "0 bytes");
        assert_eq!(amount(1_204_567, "message"), "1,204,567 messages");
        assert_eq!((amount(1, "reply"), amount(2, "reply")), ("1 reply".into(), "2 replies".into()));
    }

    #[test]
    fn a_small_share_of_few_proves_nothing_and_of_many_does() {
        let seen = |seen| nothing_hit(&Counted { seen, ..Counted::default() }, 0.1, "request");
        assert!(matches!(seen(0), Some(Seen::NotExercised(_))));
        assert!(matches!(seen(20), Some(Seen::NotExercised(_))));
        assert!(matches!(seen(1000), Some(Seen::Absent(_))));
        assert_eq!(nothing_hit(&Counted { affected: 1, ..Counted::default() }, 0.1, "request"), None);
    }
}
