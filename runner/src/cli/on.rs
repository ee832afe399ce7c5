//! `--on kubernetes`: the load comes from pods.

use brunt_scenario::plan::Plan;

use super::Failure;
use super::image::Image;
use crate::load::pods::{self, How};

/// Where the load comes from.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub enum Place {
    /// Threads of this process.
    Here,
    /// Pods of a Job, one for each worker.
    Kubernetes,
}

/// Where the load comes from, and how to get there.
#[derive(Debug, Clone, clap::Args)]
pub struct On {
    /// Where the load comes from.
    ///
    /// With `kubernetes` an Indexed Job makes one pod for each of --workers. They send one schedule together; faults, probes and
    /// the report stay here. The Job goes with the run. docs/kubernetes.md says more.
    #[arg(long, value_enum, default_value = "here", value_name = "PLACE", help_heading = "Kubernetes")]
    on: Place,
    /// The namespace of these pods [default: that of the context].
    #[arg(long, value_name = "NAMESPACE", help_heading = "Kubernetes")]
    namespace: Option<String>,
    /// The context of the kubeconfig that leads to their cluster [default: the current one].
    #[arg(long, value_name = "CONTEXT", help_heading = "Kubernetes")]
    context: Option<String>,
}

impl On {
    /// The context and the namespace of the pods, as far as can be said without asking a cluster; `None`: the load comes from
    /// here.
    pub fn place(&self) -> Option<(Option<String>, String)> {
        let of_context = || pods::namespace_of(self.context.as_deref());
        let namespace = || self.namespace.clone().or_else(of_context).unwrap_or_else(|| "default".to_owned());
        (self.on == Place::Kubernetes).then(|| (self.context.clone(), namespace()))
    }

    /// How to send the load of these plans from pods; `None`: it comes from here.
    ///
    /// # Errors
    /// The command line contradicts itself, or a plan's load cannot come from pods.
    pub fn how(&self, plans: &[Plan], workers: Option<usize>, image: &Image) -> Result<Option<How>, Failure> {
        let Self { on, namespace, context } = self.clone();
        if on == Place::Here {
            let given =
                [("--namespace", namespace), ("--context", context)].into_iter().find(|(_, value)| value.is_some());
            return match given {
                Some((flag, _)) => Err(Failure::Usage(format!("{flag} goes with --on kubernetes"))),
                None => Ok(None),
            };
        }
        let workers = workers.ok_or_else(|| {
            Failure::Usage("--on kubernetes needs --workers N: how many pods send the load?".to_owned())
        })?;
        for plan in plans {
            if let Some(why) = pods::cannot(plan, workers) {
                return Err(Failure::Usage(format!("{}: {why}", plan.source)));
            }
        }
        Ok(Some(How { context, namespace, image: image.name.clone(), workers }))
    }
}
