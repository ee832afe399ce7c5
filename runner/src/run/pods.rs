//! Hears what clusters tell of the pods that the scenario names, and stamps it with the run's clock.

use brunt_kubernetes::Cluster;
use brunt_kubernetes::watching::{self, Told};
use brunt_scenario::plan::{PodMatch, Target};
use tokio::sync::mpsc::{UnboundedSender, unbounded_channel};
use tokio::task::JoinHandle;

use super::Stage;
use super::orchestrator::Input;

/// Listens to each target of this kind until its task is ended.
pub fn watch(stage: &Stage, inputs: &UnboundedSender<Input>) -> Vec<JoinHandle<()>> {
    let pods = stage.plan.targets.iter().filter_map(|(name, target)| match target {
        Target::Kubernetes(wanted) => Some((name.clone(), wanted.clone())),
        _ => None,
    });
    pods.map(|(target, wanted)| tokio::spawn(listen(target, wanted, stage.clock, inputs.clone()))).collect()
}

async fn listen(target: String, wanted: PodMatch, clock: crate::clock::Clock, inputs: UnboundedSender<Input>) {
    let (says, mut heard) = unbounded_channel();
    let telling = async {
        match Cluster::of_context(wanted.context.as_deref()) {
            Ok(cluster) => watching::watch(cluster, wanted, says).await,
            // Pre-flight has asked that cluster already, so that somebody has changed the file since.
            Err(error) => drop(says.send(Told::Unknown(error.to_string()))),
        }
    };
    let hearing = async {
        while let Some(told) = heard.recv().await {
            let input = Input::Pods { target: target.clone(), told, at: clock.now() };
            if inputs.send(input).is_err() {
                return;
            }
        }
    };
    tokio::join!(telling, hearing);
}
