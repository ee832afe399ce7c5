//! How load is sent from a cluster, and which load cannot be.

use std::collections::BTreeMap;
use std::time::Duration;

use brunt_kubernetes::{Cluster, job};
use brunt_scenario::plan::{Model, Piece, Plan, Rows, Target, Text};

use super::READY;
use super::inside::AHEAD;
use crate::load::LoadError;
use crate::load::destinations::requested_targets;
use crate::{clock, timeline};

/// What a run may take beside its own length: the Job ends after that, whatever becomes of everything else.
const SPARE: Duration = Duration::from_secs(900);

/// How load is sent from a cluster; from the command line.
#[derive(Debug, Clone)]
pub struct How {
    /// The context of the kubeconfig; `None` is the current one, or the cluster that brunt runs in.
    pub context: Option<String>,
    /// The namespace of the pods; `None` is that of the context.
    pub namespace: Option<String>,
    /// What they run.
    pub image: String,
    /// How many.
    pub workers: usize,
}

impl How {
    /// The cluster, and the Job of a run there.
    ///
    /// # Errors
    /// Nothing leads to a cluster.
    pub fn job(&self, plan: &Plan, run_id: &str) -> Result<(Cluster, job::Wanted), LoadError> {
        let cluster = Cluster::of_context(self.context.as_deref()).map_err(|error| LoadError::cluster(&error))?;
        let namespace = self.namespace.clone().or_else(|| cluster.access().namespace());
        let env = std::env::var(AHEAD).ok().map(|ahead| (AHEAD.to_owned(), ahead));
        let wanted = job::Wanted {
            namespace: namespace.unwrap_or_else(|| "default".into()),
            // A run's name is unique on its host; another host may have the same at another time.
            name: format!("brunt-{run_id}-{:x}", clock::both().1 / 1_000_000),
            run_id: run_id.to_owned(),
            pods: self.workers,
            image: self.image.clone(),
            args: vec!["worker".into()],
            env: env.into_iter().collect::<BTreeMap<_, _>>(),
            deadline: longest(plan) + READY + SPARE,
        };
        Ok((cluster, wanted))
    }
}

impl How {
    /// Whether the cluster would let a run make its Job: the namespace, and which cluster that is. Makes nothing.
    ///
    /// # Errors
    /// A right is missing, or the Job would not be admitted.
    pub fn look(&self, plan: &Plan) -> Result<(String, String), LoadError> {
        let (cluster, wanted) = self.job(plan, "plan")?;
        let identity = job::look(&cluster, &wanted).map_err(|error| LoadError::cluster(&error))?;
        Ok((wanted.namespace, identity.to_string()))
    }
}

/// The namespace of a context of the kubeconfig, if there is one here.
pub fn namespace_of(context: Option<&str>) -> Option<String> {
    Cluster::of_context(context).ok().and_then(|cluster| cluster.access().namespace())
}

/// What a run takes at most, without what a person holds.
fn longest(plan: &Plan) -> Duration {
    let stages = plan.load.iter().map(|load| load.stages.iter().filter_map(|stage| stage.length).sum::<Duration>());
    let before = plan.steady_state.iter().filter_map(|steady| steady.before).map(|before| before.within);
    let drain = plan.load.iter().map(|load| load.drain).max().unwrap_or_default();
    timeline::worst_case(&plan.timeline) + stages.max().unwrap_or_default() + before.max().unwrap_or_default() + drain
}

/// Why this plan's load cannot come from pods, if it cannot: exit 2.
pub fn cannot(plan: &Plan, workers: usize) -> Option<String> {
    let targets = requested_targets(plan).filter_map(|name| plan.targets.get(name).zip(Some(name)));
    for (target, name) in targets {
        match target {
            Target::Url(url) if !is_here(url) => {}
            Target::Url(_) | Target::Link(_) => {
                return Some(format!(
                    "target `{name}` is behind a link or a service of this host, and pods cannot reach those; with --on kubernetes load goes to a `url` that is reached from the cluster"
                ));
            }
            _ => {
                return Some(format!(
                    "target `{name}` is a service of this host, and pods cannot reach it; with --on kubernetes load goes to a `url` that is reached from the cluster"
                ));
            }
        }
    }
    let rows = plan.feeders.iter().filter_map(|feeder| match &feeder.rows {
        Rows::Table { table, .. } => Some(table.bytes()),
        Rows::Values(_) => None,
    });
    let bytes: usize = rows.sum();
    if bytes > LARGEST {
        let (mib, most) = (bytes >> 20, LARGEST >> 20);
        return Some(format!(
            "the rows of its feeders are {mib} MiB, and every worker is sent all of them: at most {most} MiB with --on kubernetes"
        ));
    }
    let open = plan.load.iter().filter(|load| load.model != Model::Closed);
    let few = open.clone().find(|load| load.max_in_flight < workers)?;
    Some(format!(
        "load `{}` may have {} iterations open at once, and {workers} workers share them: each needs one; use fewer workers",
        few.name, few.max_in_flight
    ))
}

/// Rows that are sent to each worker over its standard input.
const LARGEST: usize = 64 * 1024 * 1024;

/// Whether an address is known only on this host.
fn is_here(url: &Text) -> bool {
    url.0
        .iter()
        .any(|piece| matches!(piece, Piece::Service { .. } | Piece::Link { .. } | Piece::OwnPort | Piece::OwnAddress))
}

#[cfg(test)]
mod tests {
    use brunt_scenario::plan::Sending;
    use brunt_scenario::{LoadOptions, load_text};

    use super::*;
    use crate::load::arrivals::schedule_digest;
    use crate::secrets::Secrets;

    fn plan(text: &str) -> Plan {
        let mut options = LoadOptions::default();
        options.env.insert("TOKEN".into(), "s3cret-token".into());
        let scenario = load_text("a.brunt.yaml", text, &options);
        let scenario = scenario.unwrap_or_else(|problems| panic!("{}", problems.render(false)));
        scenario.plan().unwrap_or_else(|problems| panic!("{}", problems.render(false)))
    }

    const BUSY: &str = r#"
version: 1
seed: 11
targets: { shop: { url: "http://10.0.0.1" } }
feeders: { skus: { values: [A1, B2], strategy: shuffle } }
journeys:
  buy:
    feed: [skus]
    steps:
      - { id: order, post: /orders, json: { sku: "{{ skus.value }}" }, headers: { Authorization: "${secret.env.TOKEN}" } }
  look: { steps: [ { id: see, get: "/things/{{ uuid() }}" } ] }
load:
  visitors: { mix: { buy: 30%, look: 70% }, arrivals: poisson, stages: [ { ramp_to: 33.3/s, over: 7s }, { hold: 33.3/s, for: timeline } ] }
timeline:
  - baseline: 1s
  - load: { visitors: 2.7x }
"#;

    #[test]
    fn a_plan_that_is_sent_to_a_worker_is_the_same_schedule_there_and_keeps_its_secrets() {
        let here = plan(BUSY);
        let sent = serde_json::to_vec(&Sending::of(&here)).unwrap();
        let there = serde_json::from_slice::<Sending>(&sent).unwrap().into_plan();
        assert_eq!(schedule_digest(&there), schedule_digest(&here));
        assert_eq!(timeline::largest_factor(&there.timeline, "visitors"), 2.7);
        let said = "the reply was s3cret-token".to_owned();
        assert_eq!(Secrets::of(&there).masked(said), "the reply was ***");
    }

    #[test]
    fn load_to_what_only_this_host_can_reach_is_refused() {
        let text = "version: 1\nservices: { shop: { run: [x] } }\ntargets: { shop: { service: shop } }\n\
                    load: { main: { target: shop, get: /, rate: 10/s, for: 5s } }\n";
        assert!(cannot(&plan(text), 2).is_some_and(|why| why.contains("target `shop` is a service of this host")));
        let text = "version: 1\nlinks: { way: { to: 'http://10.0.0.1:80' } }\ntargets: { shop: { url: '${links.way.url}' } }\n\
                    load: { main: { target: shop, get: /, rate: 10/s, for: 5s } }\n";
        assert!(cannot(&plan(text), 2).is_some_and(|why| why.contains("behind a link")));
        assert_eq!(cannot(&plan(BUSY), 2), None);
        assert!(cannot(&plan(BUSY), 1_000_000).is_some_and(|why| why.contains("use fewer workers")));
    }
}
