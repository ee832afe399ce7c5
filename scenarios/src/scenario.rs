//! What the author wrote, typed: one file a top-level key. Nothing here is defaulted or resolved.

pub mod auth;
pub mod feeders;
pub mod gates;
pub mod journeys;
pub mod load;
pub mod outputs;
pub mod safety;
pub mod services;
pub mod slos;
pub mod steady_state;
pub mod targets;
pub mod timeline;

use crate::decode::{Decode, Named, OneOrMany, Pairs, Spanned, record};
use crate::diagnostic::{Code, Problems};
use crate::yaml::{Node, Value};

record! {
    /// A whole file.
    Root, "the scenario", check = check, schema = free_keys;
    /// The version of the language: 1.
    expected version: Version,
    /// How the run is called in outputs; default: the file's name.
    optional name: String,
    /// What it is about.
    optional description: String,
    /// Copied to every output.
    optional labels: Pairs<String>,
    /// Decides arrivals, victims and fault randomness; default: a random one, printed and stored.
    optional seed: Spanned<u64>,
    /// Values for `${vars.x}`; `--set vars.x=...` and `BRUNT_VAR_X` override them.
    optional vars: Named<Node>,
    /// One run for each combination of these values, as `${matrix.x}`.
    optional matrix: Named<OneOrMany<Node>>,
    /// Processes that brunt starts and stops.
    optional services: Named<services::Service>,
    /// brunt's proxy on the way to a service or an address.
    optional links: Named<services::Link>,
    /// Everything that load goes to or that a fault hits, named once.
    optional targets: Named<targets::Target>,
    /// Who the user is.
    optional auth: Named<auth::Auth>,
    /// Data rows for templates.
    optional feeders: Named<feeders::Feeder>,
    /// What one user does.
    optional journeys: Named<journeys::Journey>,
    /// How many come, when.
    expected load: Spanned<Named<load::Load>>,
    /// Objectives over a sliding span.
    optional slos: Named<slos::Slo>,
    /// The hypothesis: what must be true for the system to count as well.
    optional steady_state: steady_state::SteadyState,
    /// What happens when, in order.
    optional timeline: Vec<timeline::Item>,
    /// Where brunt may act and how much it may hit.
    optional safety: safety::Safety,
    /// When the run must stop.
    optional abort_if: Vec<safety::AbortIf>,
    /// What CI judges.
    optional gates: Vec<gates::Gate>,
    /// Which files are written; default: all.
    optional outputs: outputs::Outputs,
}

impl Root {
    /// Reads a whole tree. Keys that begin with `x-` are free; they are left out.
    pub(crate) fn read(root: &Node, problems: &mut Problems) -> Option<Self> {
        Self::decode(&without_free_keys(root.clone()), problems)
    }

    /// The sound entries of `load`.
    pub(crate) fn loads(&self) -> impl Iterator<Item = (&Spanned<String>, &load::Load)> {
        self.load.iter().flat_map(|load| load.value.iter())
    }

    /// The target that is meant when none is named: the only one that can take requests.
    pub(crate) fn default_target(&self) -> Option<&str> {
        let targets = self.targets.iter().flat_map(|targets| targets.iter());
        let mut able = targets.filter(|(_, target)| target.url.is_some() || target.service.is_some());
        let first = able.next()?;
        able.next().is_none().then_some(first.0.value.as_str())
    }

    /// Whether every target could be read: if not, nothing can be said about those that are missing.
    pub(crate) fn targets_are_sound(&self) -> bool {
        match &self.targets {
            None => self.sound,
            Some(targets) => targets.0.iter().all(|(_, target)| target.as_ref().is_some_and(|target| target.sound)),
        }
    }
}

/// Keys that begin with `x-` hold what they like.
fn free_keys(schema: &mut serde_json::Map<String, serde_json::Value>, _: &mut crate::schema::Definitions) {
    schema.insert("patternProperties".into(), serde_json::json!({ "^x-": {} }));
}

/// The tree without its `x-*` keys, which only hold anchors.
pub(crate) fn without_free_keys(mut root: Node) -> Node {
    if let Value::Map(entries) = &mut root.value {
        entries.retain(|entry| !entry.key.text.starts_with("x-"));
    }
    root
}

/// The version of the language that a file is written in: 1.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Version;

impl Decode for Version {
    const WHAT: &'static str = "`1`, the only version of the language";

    fn decode(node: &Node, problems: &mut Problems) -> Option<Self> {
        if node.scalar().is_some_and(|scalar| scalar.plain && scalar.literal() == Some("1")) {
            return Some(Self);
        }
        if !node.scalar().is_some_and(|scalar| scalar.broken) {
            let message = format!("{} is not a version of the language", node.describe());
            problems.error(Code::E067, node.span, message, "write `version: 1`");
        }
        None
    }

    fn schema(_: &mut crate::schema::Definitions) -> serde_json::Value {
        serde_json::json!({ "const": 1, "errorMessage": "write `version: 1`" })
    }
}

/// The largest seed that a JSON reader keeps exactly.
const MAX_SEED: u64 = (1 << 53) - 1;

fn check(root: &Root, problems: &mut Problems) {
    if let Some(seed) = root.seed.as_ref().filter(|seed| seed.value > MAX_SEED) {
        let help = format!("at most {MAX_SEED}, so that every JSON reader keeps it");
        problems.error(Code::E028, seed.span, "the seed is too large", help);
    }
    if let Some(load) = root.load.as_ref().filter(|load| load.value.0.is_empty()) {
        problems.error(
            Code::E014,
            load.span,
            "`load` is empty",
            "add an entry: `main: { get: /, rate: 50/s, for: 30s }`",
        );
    }
}
