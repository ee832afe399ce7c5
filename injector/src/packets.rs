//! Faults on packets: rules in the kernel, in a network namespace of the target's.
//!
//! They are held by the agent, never by the runner. A rule acts only while the kernel-held lease of its table lives; `beats`
//! renews those leases as long as the agent's own lease lives, which the runner renews. So rules stop acting when the runner,
//! the agent, or both are killed *or stopped*, and a table is gone when the agent is.
//! `treatment` says what happens to packets and to which, as data; `fault/packet` has the verbs; `queue` is the program that
//! decides about each packet where the kernel's rules cannot; `emulation` is what its queues (netem, htb) can do of that by
//! themselves, on what leaves and, by `arrivals`, on what comes.

pub mod arrivals;
pub mod beats;
pub mod chains;
pub mod emulation;
pub mod probe;
pub mod queue;
pub mod site;
pub mod treatment;

use crate::namespace::Namespace;
use crate::netlink::nf_tables::{Hook, Leased, Match, Rule, Verdict};
use crate::netlink::tc::rate::Rate;
use crate::netlink::tc::shaped::{Shape, Shaped};

pub use beats::{Beats, Leasing, Table};
pub use site::{Passage, Site};
pub use treatment::{Effect, Loss, Treatment};

/// Whether this process may put rules on packets into a network namespace, and the kernel has them: it makes a namespace of its
/// own, puts one of each there, and lets it go.
///
/// # Errors
/// What was refused, as a sentence's end.
pub fn try_rules() -> Result<(), String> {
    let rules = [
        Rule { hook: Hook::Prerouting, matches: vec![Match::ArrivedFromOutside], verdict: Verdict::Count },
        Rule { hook: Hook::Output, matches: vec![Match::Share { millionths: 10_000 }], verdict: Verdict::Drop },
    ];
    let namespace = Namespace::new().map_err(|error| format!("cannot make a network namespace: {error}"))?;
    let installed = namespace.inside(|| Leased::install("brunt-doctor", std::time::Duration::from_secs(1), &rules));
    match installed {
        Ok(Ok(table)) => table.remove().map_err(|refused| refused.to_string()),
        Ok(Err(refused)) => Err(refused.to_string()),
        Err(error) => Err(format!("cannot enter a network namespace: {error}")),
    }
}

/// The same for a rate on what leaves a link: on the loopback of a namespace of its own.
///
/// # Errors
/// What was refused, as a sentence's end.
pub fn try_queues() -> Result<(), String> {
    let shape = Shape::Rate(Rate { bytes_per_second: 1_000_000 });
    let tried = || -> Result<(), String> {
        let mut shaped = Shaped::prepare(|_| true).map_err(|cannot| cannot.to_string())?;
        shaped.install(&shape).map_err(|refused| refused.to_string())
    };
    let namespace = Namespace::new().map_err(|error| format!("cannot make a network namespace: {error}"))?;
    namespace.inside(tried).map_err(|error| format!("cannot enter a network namespace: {error}"))?
}

/// Whether this process may also decide about packets in user space (NFQUEUE, and raw sockets for what leaves).
///
/// # Errors
/// What was refused, as a sentence's end.
pub fn try_queue() -> Result<(), String> {
    let namespace = Namespace::new().map_err(|error| format!("cannot make a network namespace: {error}"))?;
    let path = queue::Path { hook: Hook::Output, any_of: Vec::new(), but_not: Vec::new() };
    let treatment = queue::Treatment::Duplicate(queue::Share { share: 0.0, correlation: 0.0 });
    let lease = std::time::Duration::from_secs(1);
    let started = queue::Queue::start(&namespace, &path, &treatment, 0, "brunt-doctor", lease);
    started.and_then(|mut queue| queue.release()).map(|_| ()).map_err(|error| error.to_string())
}
