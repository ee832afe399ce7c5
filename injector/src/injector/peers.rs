//! Faults between two (`from:`): as long as one is active whom `from` means is looked for again, for pods and containers are
//! replaced by others with other addresses, and a name leads somewhere else (rule 11).
//!
//! A thread for each such fault looks every second and tells the agent what has changed. An address that nobody has any more is
//! taken out, for it may soon be somebody else's. Where nothing is found, or nobody answers, those from before are meant: that is told
//! once.

use std::collections::BTreeSet;
use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use brunt_scenario::plan::{Fault as PlannedFault, Target};

use super::{Inner, Slot, locked};
use crate::error::Error;
use crate::event::Event;
use crate::target::peers;

/// From one look to the next.
const LOOK: Duration = Duration::from_secs(1);

/// Looks, if the fault is between two. The addresses of isolated services do not change.
pub(super) fn begin(inner: &Arc<Inner>, fault: &PlannedFault) -> Result<(), Error> {
    let Some((name, target)) = fault.from.clone().filter(|(_, target)| !matches!(target, Target::Service(_))) else {
        return Ok(());
    };
    let Some(slot) = inner.find(&fault.id) else { return Ok(()) };
    let Some(known) = locked(&slot.active).peers() else { return Ok(()) };
    let (inner, known) = (Arc::clone(inner), known.into_iter().collect());
    let looks = std::thread::Builder::new().name("brunt-peers".into());
    let begun = looks.spawn(move || look(&inner, &slot, &name, &target, known));
    begun.map(drop).map_err(|source| Error::Thread { what: "who looks for the other end of a fault", source })
}

/// Until the fault is over.
fn look(inner: &Inner, slot: &Slot, name: &str, target: &Target, mut known: BTreeSet<IpAddr>) {
    let mut trouble = false;
    while slot.is_open() {
        std::thread::sleep(LOOK);
        let found = peers::addresses(name, target, None).map(BTreeSet::from_iter);
        let told = match found {
            Ok(found) if found == known => {
                trouble = false;
                continue;
            }
            Ok(found) => tell(inner, slot, &mut known, found),
            Err(error) => Err(error),
        };
        if !slot.is_open() {
            return;
        }
        let (fault, at) = (slot.id.clone(), inner.watch.now());
        match told {
            Ok(change) => {
                trouble = false;
                inner.watch.tell(Event::PeersChanged { fault, change: format!("`{name}` is met {change}"), at });
            }
            Err(error) if !trouble => {
                trouble = true;
                inner.watch.tell(Event::PeersUnknown { fault, reason: error.to_string(), at });
            }
            Err(_) => {}
        }
    }
}

/// What has changed, as a sentence's end.
fn tell(inner: &Inner, slot: &Slot, known: &mut BTreeSet<IpAddr>, found: BTreeSet<IpAddr>) -> Result<String, Error> {
    locked(&slot.active).meet(found.iter().copied().collect(), inner)?;
    let change = changed(known, &found);
    *known = found;
    Ok(change)
}

fn changed(before: &BTreeSet<IpAddr>, now: &BTreeSet<IpAddr>) -> String {
    let words = |all: Vec<&IpAddr>| all.iter().map(ToString::to_string).collect::<Vec<_>>().join(", ");
    let (new, gone) = (words(now.difference(before).collect()), words(before.difference(now).collect()));
    match (new.as_str(), gone.as_str()) {
        (new, "") => format!("at {new}, too"),
        ("", gone) => format!("no more at {gone}"),
        (new, gone) => format!("at {new}, and no more at {gone}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_has_changed_is_told_and_nothing_else() {
        let set = |all: &[&str]| all.iter().map(|one| one.parse().unwrap()).collect::<BTreeSet<IpAddr>>();
        let before = set(&["192.0.2.1", "192.0.2.2"]);
        assert_eq!(changed(&before, &set(&["192.0.2.1", "192.0.2.2", "2001:db8::3"])), "at 2001:db8::3, too");
        assert_eq!(changed(&before, &set(&["192.0.2.1"])), "no more at 192.0.2.2");
        assert_eq!(changed(&before, &set(&["192.0.2.2", "192.0.2.3"])), "at 192.0.2.3, and no more at 192.0.2.1");
    }
}
