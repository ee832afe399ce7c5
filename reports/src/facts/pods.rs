//! What the API of a cluster told of the pods that a scenario names, each line stamped when it was heard.

use brunt_scenario::units::Offset;

/// A span of the run; the end is `None` while it lasts.
pub type PodSpan = (Offset, Option<Offset>);

/// One pod.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct PodFacts {
    /// The target that names it.
    pub target: String,
    /// Where it is.
    pub namespace: String,
    /// Its name, which another pod may have had before or after.
    pub name: String,
    /// The UID, which no other pod has.
    pub uid: String,
    /// The UID of what made it; pods with the same maker take each other's place.
    pub maker: Option<String>,
    /// Where it was put.
    pub node: Option<String>,
    /// When it was made; `None`: it was there before the run.
    pub created: Option<Offset>,
    /// When it was ready.
    pub ready: Vec<PodSpan>,
    /// When an endpoint slice named it as ready, so that Services sent to it.
    pub serving: Vec<PodSpan>,
    /// When it was told to end.
    pub ending: Option<Offset>,
    /// When the API knew it no more.
    pub gone: Option<Offset>,
    /// When a container of it was started again, and why.
    pub restarts: Vec<(Offset, String)>,
}
