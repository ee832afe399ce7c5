//! Rules between the parameters of one fault.

use crate::catalogue::{FOUR_STATES, FaultKind};
use crate::diagnostic::{Code, Problems};
use crate::scenario::timeline::Fault;
use crate::yaml::Node;

pub(super) fn check(kind: &FaultKind, fault: &Fault, problems: &mut Problems) {
    let gives = |name: &str| fault.with.as_ref().is_some_and(|with| with.get(name).is_some());
    if kind.name == "deployment.limits" && !gives("cpu") && !gives("memory") {
        let message = "`deployment.limits` needs `cpu` or `memory`, or both";
        problems.error(Code::E012, fault.kind.span, message, "write `with: { memory: 64MiB }`");
    }
    let Some(with) = &fault.with else { return };
    if kind.param("distribution").is_some() {
        check_distribution(with, problems);
    }
    if kind.name == "network.loss" {
        check_loss(with, problems);
    }
    let nothing = [("rate", "0bit"), ("size", "0B")];
    for (name, unit) in nothing.into_iter().filter(|_| ["network.bandwidth", "tcp.slicer"].contains(&kind.name)) {
        let Some(node) = with.get(name).filter(|node| is_zero(node)) else { continue };
        let help = "to let nothing pass, use `network.partition`";
        problems.error(Code::E028, node.span, format!("at `{name}: {unit}` nothing passes"), help);
    }
}

/// `0bit`, `0.0kbit`, `0B`; what is no number is told by its type.
fn is_zero(node: &Node) -> bool {
    let text = node.scalar().and_then(|scalar| scalar.literal()).unwrap_or_default();
    let number = text.trim_end_matches(|letter: char| letter.is_ascii_alphabetic());
    number.parse::<f64>().is_ok_and(|number| number == 0.0)
}

/// What a model of losses needs, and what it cannot use.
fn check_loss(with: &Node, problems: &mut Problems) {
    let model = with.get("model").and_then(|node| node.scalar()).and_then(|scalar| scalar.literal());
    check_four_states(model, with, problems);
    let chain = model == Some("gilbert_elliott");
    for name in ["p", "r", "loss_good", "loss_bad"] {
        match with.get(name) {
            Some(node) if !chain => {
                let message = format!("`{name}` belongs to `model: gilbert_elliott`");
                problems.error(Code::E013, node.span, message, "write that model, or `loss` alone");
            }
            // Without `p` and `loss` the missing `loss` is told, with this way out.
            None if chain && (name == "r" && with.get("p").is_some() || name == "p" && with.get("loss").is_some()) => {
                let message = format!("`model: gilbert_elliott` needs the parameter `{name}`");
                let help =
                    "write `p: 1%` and `r: 25%`, in place of `loss`: the chances to go from good to bad, and back";
                problems.error(Code::E012, with.span, message, help);
            }
            _ => {}
        }
    }
    match (model, with.get("correlation")) {
        (Some(model @ ("uniform" | "gilbert_elliott" | "four_state")), Some(node)) => {
            let message = format!("`model: {model}` has no correlation");
            problems.error(Code::E013, node.span, message, "write `model: correlated`, or remove `correlation`");
        }
        (Some("correlated"), None) => {
            let message = "`model: correlated` needs the parameter `correlation`";
            problems.error(Code::E012, with.span, message, "write `correlation: 25%`");
        }
        _ => {}
    }
}

/// The chances of four states: all of them or none, those that leave one state no more than everything, and a way back from
/// each, for what is never left again is no model of a line.
fn check_four_states(model: Option<&str>, with: &Node, problems: &mut Problems) {
    if model != Some("four_state") {
        for (name, node) in FOUR_STATES.iter().filter_map(|name| Some((name, with.get(name)?))) {
            let message = format!("`{name}` belongs to `model: four_state`");
            problems.error(Code::E013, node.span, message, "write that model, or `loss` alone");
        }
        return;
    }
    let missing: Vec<String> =
        FOUR_STATES.iter().filter(|name| with.get(name).is_none()).map(|name| format!("`{name}`")).collect();
    if !missing.is_empty() {
        let message = format!("`model: four_state` needs {} as well", missing.join(", "));
        let help = "write all five, in place of `loss`, as in `p13: 1%, p31: 30%, p32: 10%, p23: 50%, p14: 0.1%`; bursts without gaps \
                    have `p32: 0%, p23: 100%`, and `p14: 0%` loses none on its own";
        problems.error(Code::E012, with.span, message, help);
    }
    let chance = |name: &str| with.get(name)?.scalar()?.literal()?.strip_suffix('%')?.trim().parse::<f64>().ok();
    for [one, other] in [["p31", "p32"], ["p13", "p14"]] {
        if let (Some(first), Some(second), Some(node)) = (chance(one), chance(other), with.get(other))
            && first + second > 100.0
        {
            let message = format!("`{one}` and `{other}` are {}% together", first + second);
            problems.error(Code::E028, node.span, message, "both leave the same state: together they are at most 100%");
        }
    }
    for (into, back, stays) in
        [("p13", "p31", "every burst lasts for ever"), ("p32", "p23", "nothing is lost any more after one that passed")]
    {
        if let (Some(into_it), Some(0.0), Some(node)) = (chance(into), chance(back), with.get(back))
            && into_it > 0.0
        {
            let message = format!("at `{back}: 0%` {stays}");
            problems.error(Code::E028, node.span, message, format!("give `{back}` a chance, or write `{into}: 0%`"));
        }
    }
}

/// What a distribution needs, and what it cannot use.
fn check_distribution(with: &Node, problems: &mut Problems) {
    let Some(node) = with.get("distribution") else { return };
    let Some(distribution) = node.scalar().and_then(|scalar| scalar.literal()) else { return };
    let (jitter, table) = (with.get("jitter"), with.get("table"));
    match distribution {
        // Without either the missing `latency` is told, with this way out.
        "table" if table.is_none() && with.get("latency").is_some() => {
            let help =
                "write `table: ./latencies.csv`, a file with one duration a line, or `table: [12ms, 15ms, 90ms]`";
            problems.error(Code::E012, node.span, "`distribution: table` needs the parameter `table`", help);
        }
        "constant" | "uniform" | "normal" | "pareto" if table.is_some() => {
            let message = format!("`distribution: {distribution}` and `table` exclude each other");
            problems.error(Code::E013, node.span, message, "remove `distribution`: the table is one");
        }
        "normal" | "pareto" if jitter.is_none() => {
            let message = format!("`distribution: {distribution}` needs the parameter `jitter`");
            problems.error(Code::E012, node.span, message, "write `jitter: 20ms`: its standard deviation");
        }
        "constant" => {
            if let Some(jitter) = jitter {
                let message = "`distribution: constant` has no jitter";
                problems.error(Code::E013, jitter.span, message, "remove `jitter`, or the distribution");
            }
        }
        _ => {}
    }
}
