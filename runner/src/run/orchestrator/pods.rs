//! The pods that the scenario names: what is told of them becomes events and their lives.

use std::collections::{BTreeMap, BTreeSet};

use brunt_kubernetes::watching::PodNow;
use brunt_report::facts::{PodFacts, PodSpan};
use brunt_scenario::units::Offset;

use super::clusters::Say;

/// The pods of all targets.
#[derive(Debug, Default)]
pub(super) struct Pods {
    /// In the order in which they were first seen.
    all: Vec<PodFacts>,
    /// How often containers of each had been started again.
    restarts: Vec<u32>,
    /// By target and UID.
    by_uid: BTreeMap<(String, String), usize>,
    /// By target and endpoint slice: the UIDs of what is ready in it.
    slices: BTreeMap<(String, String), BTreeSet<String>>,
    /// Targets that were listed once: what comes later is made, not found.
    listed: BTreeSet<String>,
}

impl Pods {
    /// Their lives.
    pub(super) fn into_facts(self) -> Vec<PodFacts> {
        self.all
    }

    /// Everything that there is has been told.
    pub(super) fn known(&mut self, target: &str) -> Vec<Say> {
        let first = self.listed.insert(target.to_owned());
        let known = ("pods.known", target.to_owned(), "the cluster tells of its pods again".to_owned());
        if first { Vec::new() } else { vec![known] }
    }

    pub(super) fn pod(&mut self, target: &str, now: PodNow, at: Offset) -> Vec<Say> {
        let made = self.listed.contains(target);
        let mut says = Vec::new();
        let key = (target.to_owned(), now.uid.clone());
        let index = *self.by_uid.entry(key).or_insert_with(|| {
            self.all.push(PodFacts {
                target: target.to_owned(),
                namespace: now.namespace.clone(),
                name: now.name.clone(),
                uid: now.uid.clone(),
                maker: now.maker.clone(),
                created: made.then_some(at),
                ..PodFacts::default()
            });
            // What was before the run is not counted.
            self.restarts.push(now.restarts);
            if made {
                says.push(("pod.created", now.name.clone(), format!("made for {target} (uid {})", now.uid)));
            }
            self.all.len() - 1
        });
        let pod = &mut self.all[index];
        pod.node = now.node.or(pod.node.take());
        if now.ready != is_on(&pod.ready) {
            turn(&mut pod.ready, now.ready, at);
            if made {
                let text = if now.ready { "ready" } else { "not ready any more" };
                says.push((if now.ready { "pod.ready" } else { "pod.unready" }, now.name.clone(), text.to_owned()));
            }
        }
        if now.ending && pod.ending.is_none() {
            pod.ending = Some(at);
            if made {
                says.push(("pod.ending", now.name.clone(), "told to end".to_owned()));
            }
        }
        for _ in self.restarts[index]..now.restarts {
            let why = now.last_end.clone().unwrap_or_else(|| "for a reason that the API does not tell".to_owned());
            says.push(("pod.restarted", now.name.clone(), format!("a container was started again: {why}")));
            pod.restarts.push((at, why));
        }
        self.restarts[index] = now.restarts;
        says
    }

    pub(super) fn gone(&mut self, target: &str, uid: &str, at: Offset) -> Vec<Say> {
        let Some(index) = self.by_uid.get(&(target.to_owned(), uid.to_owned())) else { return Vec::new() };
        let pod = &mut self.all[*index];
        if pod.gone.is_some() {
            return Vec::new();
        }
        pod.gone = Some(at);
        turn(&mut pod.ready, false, at);
        vec![("pod.gone", pod.name.clone(), format!("gone (uid {uid})"))]
    }

    pub(super) fn slice(&mut self, target: &str, name: String, ready: BTreeSet<String>, at: Offset) -> Vec<Say> {
        self.slices.insert((target.to_owned(), name), ready);
        let slices = self.slices.iter().filter(|((of, _), _)| of == target);
        let serving: BTreeSet<&String> = slices.flat_map(|(_, uids)| uids).collect();
        let listed = self.listed.contains(target);
        let mut says = Vec::new();
        for pod in self.all.iter_mut().filter(|pod| pod.target == target) {
            let serves = serving.contains(&pod.uid);
            if serves == is_on(&pod.serving) {
                continue;
            }
            turn(&mut pod.serving, serves, at);
            if listed {
                let (kind, text) = match serves {
                    true => ("pod.serving", "an endpoint slice names it as ready"),
                    false => ("pod.left", "no endpoint slice names it as ready"),
                };
                says.push((kind, pod.name.clone(), text.to_owned()));
            }
        }
        says
    }
}

fn is_on(spans: &[PodSpan]) -> bool {
    spans.last().is_some_and(|(_, to)| to.is_none())
}

fn turn(spans: &mut Vec<PodSpan>, on: bool, at: Offset) {
    match (on, spans.last_mut()) {
        (true, _) => spans.push((at, None)),
        (false, Some((_, to))) => {
            to.get_or_insert(at);
        }
        (false, None) => {}
    }
}

#[cfg(test)]
mod tests {
    use brunt_kubernetes::watching::Told;

    use super::super::clusters::Clusters;
    use super::*;

    fn at(seconds: f64) -> Offset {
        Offset::from_secs_f64(seconds)
    }

    fn pod(name: &str, ready: bool) -> PodNow {
        PodNow { name: name.into(), uid: format!("uid-{name}"), maker: Some("set".into()), ready, ..PodNow::default() }
    }

    fn slice(uids: &[&str]) -> Told {
        Told::Slice { name: "payments-x".into(), ready: uids.iter().map(|uid| (*uid).to_owned()).collect() }
    }

    /// What is said of it all, and what is left.
    fn story(told: Vec<(f64, Told)>) -> (Vec<String>, Vec<PodFacts>) {
        let mut clusters = Clusters::default();
        let mut said = Vec::new();
        for (seconds, told) in told {
            let says = clusters.told("payments", told, at(seconds));
            said.extend(says.into_iter().map(|(kind, subject, _)| format!("{kind} {subject}")));
        }
        (said, clusters.pods.into_facts())
    }

    #[test]
    fn what_is_there_when_the_run_begins_is_no_news() {
        let (said, facts) = story(vec![(0.0, Told::Pod(pod("a", true))), (0.0, slice(&["uid-a"])), (0.1, Told::Known)]);
        assert!(said.is_empty(), "{said:?}");
        assert_eq!((facts[0].created, facts[0].ready.as_slice()), (None, [(at(0.0), None)].as_slice()));
        assert_eq!(facts[0].serving, [(at(0.0), None)]);
    }

    #[test]
    fn a_pod_that_is_killed_and_replaced_is_told_step_by_step() {
        let ending = PodNow { ending: true, ..pod("a", true) };
        let (said, facts) = story(vec![
            (0.0, Told::Pod(pod("a", true))),
            (0.0, slice(&["uid-a"])),
            (0.1, Told::Known),
            (2.0, Told::Pod(ending)),
            (2.1, slice(&[])),
            (2.2, Told::Pod(pod("b", false))),
            (3.0, Told::PodGone { uid: "uid-a".into() }),
            (4.0, Told::Pod(pod("b", true))),
            (4.1, slice(&["uid-b"])),
        ]);
        let wanted = ["pod.ending a", "pod.left a", "pod.created b", "pod.gone a", "pod.ready b", "pod.serving b"];
        assert_eq!(said, wanted);
        assert_eq!((facts[0].ending, facts[0].gone), (Some(at(2.0)), Some(at(3.0))));
        assert_eq!(facts[0].serving, [(at(0.0), Some(at(2.1)))]);
        assert_eq!((facts[1].created, facts[1].ready.as_slice()), (Some(at(2.2)), [(at(4.0), None)].as_slice()));
    }

    #[test]
    fn containers_that_are_started_again_are_counted_from_the_first_look_on() {
        let restarted = |times| PodNow { restarts: times, last_end: Some("OOMKilled".into()), ..pod("a", true) };
        let (said, facts) =
            story(vec![(0.0, Told::Pod(restarted(3))), (0.1, Told::Known), (2.0, Told::Pod(restarted(4)))]);
        assert_eq!(said, ["pod.restarted a"]);
        assert_eq!(facts[0].restarts, [(at(2.0), "OOMKilled".to_owned())]);
    }

    #[test]
    fn a_gap_in_what_is_known_is_told_and_so_is_its_end() {
        let (said, _) = story(vec![(0.1, Told::Known), (2.0, Told::Unknown("no answer".into())), (5.0, Told::Known)]);
        assert_eq!(said, ["pods.unknown payments", "pods.known payments"]);
    }
}
