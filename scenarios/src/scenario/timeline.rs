//! `timeline:` what happens when.

use std::time::Duration;

use crate::decode::fields::exactly_one;
use crate::decode::{Name, Pairs, Spanned, record, words};
use crate::diagnostic::{Code, Problems};
use crate::units::{CountOrShare, Factor};
use crate::yaml::Node;

record! {
    /// One item: exactly one of its forms.
    Item, "an item of the timeline", check = check, schema = crate::schema::add_parameters;
    /// Nothing is injected for so long: the reference window.
    optional baseline: Spanned<Duration>,
    /// Nothing happens for so long.
    optional pause: Spanned<Duration>,
    /// Waits for the steady state; measures recovery.
    optional recover: Recover,
    /// Items that start together.
    optional parallel: Spanned<Vec<Item>>,
    /// Changes the rate of load entries by a factor.
    optional load: Spanned<Pairs<Spanned<Factor>>>,
    /// In a parallel group: starts this long after the group.
    optional delay: Spanned<Duration>,
    /// A fault.
    flatten fault: Fault,
}

record! {
    /// A fault with the keys that all kinds share.
    Fault, "a fault", check = check_fault;
    /// Unique; windows are named after it. Default: kind and position.
    optional id: Spanned<Name>,
    /// The kind: `network.latency`.
    required kind as "fault": Spanned<String>,
    /// A name under `targets`.
    required target: Spanned<String>,
    /// How many of its members; default: all listeners of a link, one of anything else.
    optional pick: Spanned<CountOrShare>,
    /// Overrides `safety.max_affected`.
    optional max_affected: CountOrShare,
    /// No member found is not an error.
    optional allow_empty: bool,
    /// Only traffic between the target and this one.
    optional from: Spanned<String>,
    /// Which way.
    optional direction: Spanned<Direction>,
    /// Also hits pods that replace one of its victims while it is active; as many are hit as were picked.
    optional follow: Spanned<bool>,
    /// How long it stays active.
    optional lasts as "for": Spanned<Duration>,
    /// The parameters of the kind.
    optional with: Node,
    /// In several rounds, each with victims of its own.
    optional repeat: Spanned<Repeat>,
}

words! {
    /// Which way traffic goes, seen from the target.
    Direction:
    /// Towards it.
    To = "to",
    /// From it.
    From = "from",
    /// Both.
    Both = "both",
}

impl Direction {
    pub(crate) fn word(self) -> &'static str {
        match self {
            Self::To => "to",
            Self::From => "from",
            Self::Both => "both",
        }
    }
}

record! {
    /// Waits for the steady state.
    Recover, "recover";
    /// At most this long.
    required within: Spanned<Duration>,
}

record! {
    /// Again and again.
    Repeat, "repeat", check = check_repeat;
    /// How often in all.
    required times: Spanned<u64>,
    /// From one start to the next; a round that takes longer is waited for.
    required every: Spanned<Duration>,
}

fn check_repeat(repeat: &Repeat, problems: &mut Problems) {
    if !(1..=10_000).contains(&repeat.times.value) {
        problems.error(Code::E028, repeat.times.span, format!("{} times", repeat.times.value), "from 1 to 10000");
    }
    if repeat.every.value.is_zero() {
        problems.error(
            Code::E028,
            repeat.every.span,
            "rounds without time between them",
            "give them some: `every: 30s`",
        );
    }
}

fn check(item: &Item, problems: &mut Problems) {
    let given = [
        ("baseline", item.baseline.is_some()),
        ("fault", item.fault.is_some()),
        ("recover", item.recover.is_some()),
        ("parallel", item.parallel.is_some()),
        ("pause", item.pause.is_some()),
        ("load", item.load.is_some()),
    ];
    exactly_one(item.span, "an item of the timeline", &given, problems);
    for (key, span) in [("baseline", &item.baseline), ("pause", &item.pause)] {
        if let Some(span) = span.as_ref().filter(|span| span.value.is_zero()) {
            problems.error(Code::E028, span.span, format!("a {key} of no length"), "give it some time, or remove it");
        }
    }
}

fn check_fault(fault: &Fault, problems: &mut Problems) {
    if let Some(lasts) = fault.lasts.as_ref().filter(|lasts| lasts.value.is_zero()) {
        problems.error(Code::E028, lasts.span, "a fault of no length", "give it some time: `for: 30s`");
    }
    if let (Some(lasts), Some(repeat)) = (&fault.lasts, &fault.repeat)
        && lasts.value > repeat.value.every.value
        && !repeat.value.every.value.is_zero()
    {
        let print = crate::units::print_duration;
        let (every, lasts) = (print(repeat.value.every.value), print(lasts.value));
        let message = format!("the next round begins after {every}, and each lasts {lasts}");
        let help = format!("rounds follow each other: `every` is at least `for`, `every: {lasts}` or more");
        problems.error(Code::E028, repeat.value.every.span, message, help);
    }
    if let Some(pick) = &fault.pick
        && (pick.value == CountOrShare::Count(0) || matches!(pick.value, CountOrShare::Share(share) if share.0 <= 0.0))
    {
        problems.error(
            Code::E028,
            pick.span,
            "a fault that hits nothing",
            "pick `one`, `all`, a number or a percentage",
        );
    }
}
