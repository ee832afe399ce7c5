//! `node.cordon`: nodes take no new pods, undone by taking them again.
//!
//! The service feels nothing until it needs a new pod: after a crash, a rollout, a scale-up it finds less room. Rights: get
//! and patch of nodes, which only a ClusterRole can give. A node that somebody else has cordoned is refused, for it must not
//! be uncordoned afterwards. Verified by the taint that the cluster puts on such a node, by which its scheduler goes.

use brunt_kubernetes::inverse::Inverse;
use brunt_kubernetes::{ANSWER, Cluster, KubernetesError, Object, cordon};

use super::names;
use crate::error::Error;
use crate::fault::looking::Looking;
use crate::fault::put_back::put_all_back;
use crate::fault::{Change, Elsewhere, Fault, Reverted, Seen, Undo};

/// See the module.
pub struct Cordon {
    cluster: Cluster,
    nodes: Vec<Object>,
    inverses: Vec<Inverse>,
    looking: Looking,
    injected: bool,
}

impl Cordon {
    pub(super) fn new(cluster: Cluster, nodes: Vec<Object>) -> Self {
        let looking = Looking::new(look(cluster.clone(), nodes.clone()));
        Self { cluster, nodes, inverses: Vec::new(), looking, injected: false }
    }
}

fn look(cluster: Cluster, nodes: Vec<Object>) -> impl FnMut() -> Result<Seen, KubernetesError> + Send + 'static {
    move || {
        cluster.ask(ANSWER, async |client| {
            let absent = cordon::not_left_out(&client, &nodes).await?;
            Ok(absent.map_or_else(|| Seen::Yes(format!("take no new pods: {}", names(&nodes))), Seen::Absent))
        })
    }
}

impl Fault<Elsewhere> for Cordon {
    fn prepare(&mut self, _: &mut Elsewhere) -> Result<Vec<Undo>, Error> {
        let (cluster, nodes) = (&self.cluster, &self.nodes);
        self.inverses = cluster.ask(ANSWER, async |client| cordon::inverses(cluster, &client, nodes).await)?;
        Ok(self.inverses.iter().map(|inverse| Undo::Cluster { inverse: Box::new(inverse.clone()) }).collect())
    }

    fn inject(&mut self, _: &mut Elsewhere, change: Change) -> Result<(), Error> {
        if self.injected || change == Change::Skip {
            return Ok(());
        }
        self.injected = true;
        cordon::cordon(&self.cluster, &self.nodes).map_err(Error::from)
    }

    fn verify(&mut self, _: &mut Elsewhere) -> Result<Seen, Error> {
        self.looking.seen()
    }

    fn revert(&mut self, _: &mut Elsewhere) -> Reverted {
        let effect = self.looking.at_last();
        put_all_back(&self.cluster, &self.inverses, &mut self.injected, Reverted::nothing(effect))
    }
}
