//! What the kernel's own emulator (netem) can do of a [`Treatment`], in its words; what it would do in another way is left to
//! NFQUEUE, and why is said.
//!
//! Faults differ by rung in one thing: netem draws without a seed, and what it takes for a packet is what the link gets, up to
//! 64 KiB where the sender leaves the cutting to the link. Where it would act on other packets, in another order, or where
//! nobody could tell whether it has acted, it is not used:
//!
//! | | why it stays with NFQUEUE |
//! |---|---|
//! | latency with `jitter`, `distribution`, `table` | netem lets packets of one flow overtake each other |
//! | `correlation` | netem averages each draw with the last one, which changes the share |
//! | latency above [`LONGEST`] | what netem holds cannot be let go before its time |
//! | duplicate | a kernel counts what it doubles in segments, and what came in packets |
//! | corrupt | netem does not count it, and also damages the headers of the link and of IP |
//! | dns | netem does not read what it carries |

use std::sync::OnceLock;
use std::time::Duration;

use super::arrivals::Arrivals;
use super::{Effect, Loss, Treatment, queue};
use crate::namespace::Namespace;
use crate::netlink::nf_tables::{Hook, Leased, Rule, Verdict};
use crate::netlink::tc::distribution::{Distribution, Table};
use crate::netlink::tc::netem::{self, Delay, Netem, Part, Reorder, limit_for};
use crate::netlink::tc::rate::Rate;
use crate::netlink::tc::shaped::{CLASS, Shape, Shaped};

/// A fault that comes off waits until all that is held has gone on.
pub const LONGEST: Duration = Duration::from_millis(500);
/// So many packets a second must find room while the first is held (rule 7).
const PACKETS_PER_SECOND: f64 = 50_000.0;

/// The shape that does it.
///
/// # Errors
/// Why there is none, as a sentence's end.
pub fn shape_of(treatment: &Treatment) -> Result<Shape, &'static str> {
    let netem = match &treatment.effect {
        Effect::Lost(Loss::All) => return Err("where nothing passes there is nothing to emulate"),
        Effect::Lost(Loss::Uniform(share)) => lossy(netem::Loss::Uniform(part(*share))),
        Effect::Queued(queued) => match queued {
            queue::Treatment::Delay(delays) => match delays.constant() {
                Some(latency) if latency <= LONGEST => held(latency),
                Some(_) => {
                    return Err("netem lets go of nothing before its time, and a fault must come off within a second");
                }
                None => return Err("with a jitter netem lets packets of one flow overtake each other"),
            },
            queue::Treatment::Lose(loss) => lossy(lost(*loss)?),
            queue::Treatment::Reorder(share, hold) => {
                if share.correlation > 0.0 {
                    return Err(CORRELATED);
                }
                if *hold > LONGEST {
                    return Err("netem lets go of nothing before its time, and a fault must come off within a second");
                }
                Netem { reorder: Some(Reorder { some: part(share.share), gap: 1 }), ..held(*hold) }
            }
            queue::Treatment::Duplicate(_) => {
                return Err("netem counts what it doubles in segments, and what came in packets");
            }
            queue::Treatment::Corrupt(_) => {
                return Err("netem does not count what it damages, and damages the link's header, too");
            }
            queue::Treatment::Answers(_) => return Err("netem does not read what it carries"),
            queue::Treatment::Rate(rate) => {
                return Ok(Shape::Rate(Rate { bytes_per_second: rate.bytes_per_second }));
            }
        },
    };
    Ok(Shape::Netem(Box::new(netem)))
}

const CORRELATED: &str = "netem's `correlation` averages each draw with the last one, which changes the share";

fn lost(loss: queue::Loss) -> Result<netem::Loss, &'static str> {
    Ok(match loss {
        queue::Loss::Share(share) if share.correlation > 0.0 => return Err(CORRELATED),
        queue::Loss::Share(share) => netem::Loss::Uniform(part(share.share)),
        queue::Loss::GilbertElliott { p, r, loss_good, loss_bad } => netem::Loss::GilbertElliott {
            good_to_bad: p,
            bad_to_good: r,
            loss_in_bad: loss_bad,
            loss_in_good: loss_good,
        },
        queue::Loss::FourStates { p13, p31, p32, p23, p14 } => netem::Loss::States {
            from_1_to_3: p13,
            from_3_to_1: p31,
            from_3_to_2: p32,
            from_2_to_3: p23,
            from_1_to_4: p14,
        },
    })
}

fn part(share: f64) -> Part {
    Part { share, correlation: 0.0 }
}

fn lossy(loss: netem::Loss) -> Netem {
    Netem { loss, ..Netem::default() }
}

fn held(latency: Duration) -> Netem {
    let table = Table::of(&Distribution::Uniform, latency, Duration::ZERO);
    let limit = limit_for(PACKETS_PER_SECOND, latency);
    Netem { delay: Some(Delay { table, correlation: 0.0 }), limit, ..Netem::default() }
}

/// Whether this process can have all that an emulation needs, tried once in a namespace that nobody sees: a kernel does not
/// change under a run.
///
/// # Errors
/// What was refused, as a sentence's end.
pub fn works() -> Result<(), String> {
    static TRIED: OnceLock<Result<(), String>> = OnceLock::new();
    TRIED.get_or_init(attempt).clone()
}

fn attempt() -> Result<(), String> {
    let namespace = Namespace::new().map_err(|error| format!("cannot make a network namespace: {error}"))?;
    let tried = || -> Result<(), String> {
        let shape = Shape::Netem(Box::new(held(Duration::from_millis(1))));
        Shaped::prepare(|_| true)
            .map_err(|cannot| cannot.to_string())?
            .install(&shape)
            .map_err(|refused| refused.to_string())?;
        let (arrivals, _shaped) = Arrivals::make("brunt-doctor", &shape).map_err(|why| why.to_string())?;
        let verdict = Verdict::Redirect { link: arrivals.link(), class: CLASS };
        let rule = Rule { hook: Hook::Ingress, matches: Vec::new(), verdict };
        let table = Leased::install_at(&["lo".into()], "brunt-doctor", Duration::from_secs(1), &[rule]);
        table.map(drop).map_err(|refused| refused.to_string())
    };
    namespace.inside(tried).map_err(|error| format!("cannot enter a network namespace: {error}"))?
}

#[cfg(test)]
mod tests {
    use brunt_scenario::plan::{ParamValue, Params};
    use brunt_scenario::units::Share;

    use super::*;
    use crate::fault::packet::treatment;

    /// What becomes of a fault with these parameters.
    fn of(kind: &str, with: &[(&'static str, ParamValue)]) -> Result<Shape, &'static str> {
        let params = Params(with.iter().cloned().collect());
        shape_of(&treatment(kind, &params).unwrap().unwrap())
    }

    fn percent(name: &'static str, share: f64) -> (&'static str, ParamValue) {
        (name, ParamValue::Percent(Share(share)))
    }

    fn time(name: &'static str, milliseconds: u64) -> (&'static str, ParamValue) {
        (name, ParamValue::Duration(Duration::from_millis(milliseconds)))
    }

    #[test]
    fn a_constant_latency_is_emulated_with_room_for_what_comes_meanwhile() {
        let Ok(Shape::Netem(netem)) = of("network.latency", &[time("latency", 500)]) else { panic!() };
        assert_eq!(netem.limit, 50_000);
        assert_eq!(netem.delay.unwrap().table.longest(), Duration::from_millis(500));
        assert!(of("network.latency", &[time("latency", 501)]).is_err_and(|why| why.contains("before its time")));
    }

    #[test]
    fn what_netem_would_do_in_another_way_is_left_to_others() {
        let jitter = of("network.latency", &[time("latency", 50), time("jitter", 5)]);
        assert!(jitter.is_err_and(|why| why.contains("overtake")));
        for kind in ["loss", "reorder"] {
            let with = |correlation| {
                let (kind, name) = (format!("network.{kind}"), if kind == "loss" { "loss" } else { "reorder" });
                of(&kind, &[percent(name, 0.05), percent("correlation", correlation)])
            };
            assert_eq!(with(0.25), Err(CORRELATED), "{kind}");
            assert!(with(0.0).is_ok(), "{kind}");
        }
        assert!(of("network.corrupt", &[percent("corrupt", 0.05)]).is_err());
        assert!(of("network.duplicate", &[percent("duplicate", 0.05)]).is_err());
    }

    #[test]
    fn bursts_keep_their_chances() {
        let model = ("model", ParamValue::Word("gilbert_elliott"));
        let Ok(Shape::Netem(netem)) = of("network.loss", &[model, percent("p", 0.01), percent("r", 0.1)]) else {
            panic!()
        };
        let chances =
            netem::Loss::GilbertElliott { good_to_bad: 0.01, bad_to_good: 0.1, loss_in_bad: 1.0, loss_in_good: 0.0 };
        assert_eq!(netem.loss, chances);
    }
}
