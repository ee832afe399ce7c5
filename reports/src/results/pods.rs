//! Pods of a cluster as the plain data of results.json: when each was there, ready and served, and what took the place of
//! those that went.

use std::time::Duration;

use brunt_scenario::units::Offset;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{rounded_seconds, seconds};
use crate::facts::{Facts, PodFacts, PodSpan};

/// What brunt hears at once, for it was kept waiting, it hears in any order: pods and slices are watched by two connections.
const AT_ONCE: Duration = Duration::from_millis(100);

/// A pod that a target of the scenario names, as the cluster's API told of it. Instants are those at which brunt heard of it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct PodData {
    /// The target.
    pub target: String,
    /// Where it is.
    pub namespace: String,
    /// Its name.
    pub name: String,
    /// Its UID: a name may be used again.
    pub uid: String,
    /// Where it was put; null if it never was.
    pub node: Option<String>,
    /// When it was made; null if it was there before the run.
    pub created_s: Option<f64>,
    /// When it was told to end; null if it was not.
    pub ending_s: Option<f64>,
    /// When the API knew it no more; null if it still did.
    pub gone_s: Option<f64>,
    /// Spans in which it was ready, `[from, to]`.
    pub ready: Vec<[f64; 2]>,
    /// Spans in which an endpoint slice named it as ready, so that Services sent to it.
    pub serving: Vec<[f64; 2]>,
    /// When its containers were started again.
    pub restarts: Vec<RestartData>,
    /// The pod that took its place: of the same maker, and made after it had been told to end or was gone.
    pub replaced_by: Option<String>,
    /// From its end (told to end, or gone) until that pod was made.
    pub time_to_replace_s: Option<f64>,
    /// From its end until that pod was ready.
    pub time_to_ready_s: Option<f64>,
    /// From its end until no endpoint slice named it as ready; null if none did then, or one did for ever.
    pub endpoint_removal_lag_s: Option<f64>,
    /// When the first request that it answered was sent; null where no `instance_header` of a load's target named it.
    #[serde(default)]
    pub first_request_s: Option<f64>,
    /// When the last request that it answered was sent; null as above.
    #[serde(default)]
    pub last_request_s: Option<f64>,
    /// From its end until the last request that it answered was sent; below zero if that was before.
    #[serde(default)]
    pub last_request_lag_s: Option<f64>,
    /// From its end until the first request was sent that the pod in its place answered.
    #[serde(default)]
    pub time_to_first_request_s: Option<f64>,
}

/// A container was started again.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct RestartData {
    /// When brunt heard of it.
    pub at_s: f64,
    /// How the one before it ended: `OOMKilled`, `Error (exit code 137)`.
    pub why: String,
}

/// All pods in the order in which they were first seen; `answered` says when whoever has a name answered.
pub fn pod_data(facts: &Facts, answered: impl Fn(&str) -> Vec<(Offset, Offset)>) -> Vec<PodData> {
    let substitutes = substitutes(&facts.pods);
    let requests: Vec<Option<(Offset, Offset)>> =
        facts.pods.iter().map(|pod| requested(pod, facts, &answered)).collect();
    let pods = facts.pods.iter().zip(substitutes).zip(&requests);
    pods.map(|((pod, by), own)| {
        let data = data(pod, by.map(|by| &facts.pods[by]), facts.ended);
        let since_end = |at: Offset| end(pod).map(|end| rounded_seconds(at.as_secs_f64() - end.as_secs_f64()));
        PodData {
            first_request_s: own.map(|(first, _)| seconds(first)),
            last_request_s: own.map(|(_, last)| seconds(last)),
            last_request_lag_s: own.and_then(|(_, last)| since_end(last)),
            time_to_first_request_s: by.and_then(|by| requests[by]).and_then(|(first, _)| since_end(first)),
            ..data
        }
    })
    .collect()
}

/// When the first and the last request that a pod answered were sent. Replies name it by its UID or by its name; a name that
/// several pods had, one after the other, counts for each as far as its life goes.
fn requested(
    pod: &PodFacts,
    facts: &Facts,
    answered: &impl Fn(&str) -> Vec<(Offset, Offset)>,
) -> Option<(Offset, Offset)> {
    let mut spans = answered(&pod.uid);
    if spans.is_empty() {
        spans = answered(&pod.name);
        let others = facts.pods.iter().any(|other| other.name == pod.name && other.uid != pod.uid);
        if others {
            let (from, to) = (pod.created.unwrap_or_default(), pod.gone.unwrap_or(facts.ended));
            spans.retain(|(first, last)| *first >= from && *last <= to);
        }
    }
    Some((spans.first()?.0, spans.iter().map(|(_, last)| *last).max()?))
}

/// For each pod the index of the one that took its place. The first that went gets the first that came after it, and so on:
/// which of two that were made together stands for which of two that went together is nothing that the API knows.
fn substitutes(pods: &[PodFacts]) -> Vec<Option<usize>> {
    let mut went: Vec<(Offset, usize)> =
        pods.iter().enumerate().filter_map(|(index, pod)| Some((end(pod)?, index))).collect();
    went.sort();
    let mut came: Vec<(Offset, usize)> =
        pods.iter().enumerate().filter_map(|(index, pod)| Some((pod.created?, index))).collect();
    came.sort();
    let mut found = vec![None; pods.len()];
    for (at, pod) in went {
        let fits = |(made, other): &(Offset, usize)| {
            let other = &pods[*other];
            *made >= at && other.maker.is_some() && other.maker == pods[pod].maker && other.target == pods[pod].target
        };
        if let Some(position) = came.iter().position(fits) {
            found[pod] = Some(came.remove(position).1);
        }
    }
    found
}

/// When a pod was told to end; one that nobody told ends when it is gone.
fn end(pod: &PodFacts) -> Option<Offset> {
    pod.ending.or(pod.gone)
}

fn data(pod: &PodFacts, by: Option<&PodFacts>, run_ended: Offset) -> PodData {
    let end = end(pod);
    let since_end = |at: Offset| end.map(|end| super::seconds_of(at.since(end)));
    let spans = |spans: &[PodSpan]| {
        spans.iter().map(|(from, to)| [seconds(*from), seconds(to.unwrap_or(run_ended))]).collect::<Vec<_>>()
    };
    // It was served when its end began, and then no more. Nobody leaves the slices for an end that has yet to begin, so a span
    // that seems to be over a moment before was heard with it: no lag is known then, and it is zero.
    let left = |end: Offset| {
        let until = |to: Offset| to.after(AT_ONCE) >= end;
        let last = pod.serving.iter().rfind(|(from, to)| *from <= end && to.is_none_or(until));
        last.and_then(|(_, to)| *to)
    };
    PodData {
        target: pod.target.clone(),
        namespace: pod.namespace.clone(),
        name: pod.name.clone(),
        uid: pod.uid.clone(),
        node: pod.node.clone(),
        created_s: pod.created.map(seconds),
        ending_s: pod.ending.map(seconds),
        gone_s: pod.gone.map(seconds),
        ready: spans(&pod.ready),
        serving: spans(&pod.serving),
        restarts: pod.restarts.iter().map(|(at, why)| RestartData { at_s: seconds(*at), why: why.clone() }).collect(),
        replaced_by: by.map(|by| by.name.clone()),
        time_to_replace_s: by.and_then(|by| by.created).and_then(since_end),
        time_to_ready_s: by.and_then(|by| by.ready.first()).and_then(|(from, _)| since_end(*from)),
        endpoint_removal_lag_s: end.and_then(left).and_then(since_end),
        first_request_s: None,
        last_request_s: None,
        last_request_lag_s: None,
        time_to_first_request_s: None,
    }
}

/// The targets whose pods were watched, in order.
pub fn targets(pods: &[PodData]) -> Vec<&str> {
    let mut found: Vec<&str> = Vec::new();
    for pod in pods {
        if !found.contains(&pod.target.as_str()) {
            found.push(&pod.target);
        }
    }
    found
}

/// Spans in which fewer pods of a target were ready than when the run began, and how many those were. `None` for a target of
/// which no pod was there then.
pub fn fewer_ready(pods: &[PodData], target: &str, end_s: f64) -> Option<(usize, Vec<[f64; 2]>)> {
    let of: Vec<&PodData> = pods.iter().filter(|pod| pod.target == target).collect();
    let at_first = of.iter().filter(|pod| pod.created_s.is_none() && !pod.ready.is_empty()).count();
    if at_first == 0 {
        return None;
    }
    // Those that are ready and not told to end: the rest is on its way out.
    let mut edges: Vec<(f64, i64)> = Vec::new();
    for pod in &of {
        let until = pod.ending_s.or(pod.gone_s).unwrap_or(f64::INFINITY);
        for [from, to] in pod.ready.iter().filter(|[from, _]| *from < until) {
            edges.push((if pod.created_s.is_none() && *from <= pod.ready[0][0] { 0.0 } else { *from }, 1));
            edges.push((to.min(until), -1));
        }
    }
    // What comes counts before what goes at the same instant.
    edges.sort_by(|a, b| a.0.total_cmp(&b.0).then(b.1.cmp(&a.1)));
    let wanted = i64::try_from(at_first).unwrap_or(i64::MAX);
    let mut ready = 0;
    let mut broken: Vec<[f64; 2]> = Vec::new();
    let mut since = None;
    for (at, change) in edges {
        let before = ready;
        ready += change;
        if before >= wanted && ready < wanted && at < end_s {
            since = Some(at);
        } else if before < wanted && ready >= wanted {
            broken.extend(since.take().map(|from| [from, at]));
        }
    }
    broken.extend(since.map(|from| [from, end_s]));
    Some((at_first, broken))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(seconds: f64) -> Offset {
        Offset::from_secs_f64(seconds)
    }

    fn pod(name: &str) -> PodFacts {
        let ready = vec![(at(0.0), None)];
        PodFacts {
            target: "payments".into(),
            name: name.into(),
            uid: format!("uid-{name}"),
            maker: Some("set".into()),
            serving: ready.clone(),
            ready,
            ..PodFacts::default()
        }
    }

    /// It was told to end at 2 s, left the slices at 2.1 s and was gone at 3 s.
    fn killed(name: &str) -> PodFacts {
        PodFacts {
            ready: vec![(at(0.0), Some(at(2.5)))],
            serving: vec![(at(0.0), Some(at(2.1)))],
            ending: Some(at(2.0)),
            gone: Some(at(3.0)),
            ..pod(name)
        }
    }

    fn made(name: &str, created: f64, ready: f64) -> PodFacts {
        PodFacts { created: Some(at(created)), ready: vec![(at(ready), None)], serving: Vec::new(), ..pod(name) }
    }

    fn judged(pods: Vec<PodFacts>) -> Vec<PodData> {
        pod_data(&Facts { pods, ended: at(20.0), ..Facts::default() }, |_| Vec::new())
    }

    fn answering(pods: Vec<PodFacts>, answered: &[(&str, f64, f64)]) -> Vec<PodData> {
        let of = |name: &str| {
            let spans = answered.iter().filter(|(known, ..)| *known == name);
            spans.map(|(_, first, last)| (at(*first), at(*last))).collect()
        };
        pod_data(&Facts { pods, ended: at(20.0), ..Facts::default() }, of)
    }

    #[test]
    fn the_last_request_to_the_dead_pod_and_the_first_one_to_the_new_one_count_from_its_end() {
        let all = [("a", 0.1, 2.05), ("b", 0.1, 19.0), ("c", 4.7, 19.0)];
        let pods = answering(vec![killed("a"), pod("b"), made("c", 2.2, 4.5)], &all);
        assert_eq!((pods[0].last_request_s, pods[0].last_request_lag_s), (Some(2.05), Some(0.05)));
        assert_eq!((pods[2].first_request_s, pods[0].time_to_first_request_s), (Some(4.7), Some(2.7)));
        assert_eq!((pods[1].last_request_lag_s, pods[1].time_to_first_request_s), (None, None));
        let early = answering(vec![killed("a")], &[("uid-a", 0.1, 1.5)]);
        assert_eq!(early[0].last_request_lag_s, Some(-0.5), "named by its UID, and the last one was before its end");
        let unnamed = judged(vec![killed("a")]);
        assert_eq!((unnamed[0].first_request_s, unnamed[0].last_request_s), (None, None));
    }

    #[test]
    fn a_name_that_is_used_again_counts_for_each_pod_as_far_as_its_life_goes() {
        let again = PodFacts { uid: "another".into(), ..made("a", 4.0, 6.0) };
        let pods = answering(vec![killed("a"), again], &[("a", 0.1, 2.1), ("a", 6.2, 19.0)]);
        assert_eq!((pods[0].last_request_s, pods[1].first_request_s), (Some(2.1), Some(6.2)));
    }

    #[test]
    fn a_pod_that_goes_is_replaced_by_the_next_one_that_its_maker_makes() {
        let pods = judged(vec![killed("a"), pod("b"), made("c", 2.2, 4.5)]);
        assert_eq!(pods[0].replaced_by.as_deref(), Some("c"));
        assert_eq!(pods[0].time_to_replace_s, Some(0.2));
        assert_eq!(pods[0].time_to_ready_s, Some(2.5));
        assert_eq!(pods[0].endpoint_removal_lag_s, Some(0.1));
        assert_eq!((pods[1].replaced_by.as_deref(), pods[1].endpoint_removal_lag_s), (None, None));
    }

    #[test]
    fn two_pods_that_go_together_have_two_replacements_and_a_stranger_is_none() {
        let stranger = PodFacts { maker: Some("another set".into()), ..made("x", 2.1, 3.0) };
        let older = made("y", 1.0, 1.5);
        let pods = judged(vec![killed("a"), killed("b"), stranger, older, made("c", 2.2, 4.0), made("d", 2.3, 5.0)]);
        let by: Vec<Option<&str>> = pods.iter().map(|pod| pod.replaced_by.as_deref()).collect();
        assert_eq!(by, [Some("c"), Some("d"), None, None, None, None]);
    }

    #[test]
    fn a_pod_that_is_heard_to_leave_with_the_word_to_end_left_at_once() {
        let lag = |left: f64| {
            let serving = vec![(at(0.0), Some(at(left)))];
            judged(vec![PodFacts { serving, ..killed("a") }])[0].endpoint_removal_lag_s
        };
        assert_eq!((lag(1.9999), lag(1.5)), (Some(0.0), None), "half a second before it left for another reason");
    }

    #[test]
    fn a_pod_that_nobody_told_to_end_ends_when_it_is_gone() {
        let lost =
            PodFacts { ready: vec![(at(0.0), Some(at(6.0)))], gone: Some(at(6.0)), serving: Vec::new(), ..pod("a") };
        let pods = judged(vec![lost, made("b", 7.0, 9.0)]);
        assert_eq!((pods[0].time_to_replace_s, pods[0].time_to_ready_s), (Some(1.0), Some(3.0)));
        assert_eq!(pods[0].endpoint_removal_lag_s, None, "no slice named it");
    }

    #[test]
    fn a_target_has_fewer_pods_from_the_word_to_end_until_the_replacement_is_ready() {
        let pods = judged(vec![killed("a"), pod("b"), made("c", 2.2, 4.5)]);
        assert_eq!(fewer_ready(&pods, "payments", 20.0), Some((2, vec![[2.0, 4.5]])));
        let never = judged(vec![killed("a"), pod("b")]);
        assert_eq!(fewer_ready(&never, "payments", 20.0), Some((2, vec![[2.0, 20.0]])));
        let none = judged(vec![pod("a"), pod("b")]);
        assert_eq!(fewer_ready(&none, "payments", 20.0), Some((2, Vec::new())));
        assert_eq!(fewer_ready(&none, "orders", 20.0), None);
    }
}
