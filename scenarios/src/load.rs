//! From files and options to a sound scenario.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::path::{Path, PathBuf};

use sha2::{Digest as _, Sha256};

use crate::diagnostic::{Diagnostics, Problems};
use crate::interpolate::{Filled, interpolate};
use crate::overlay;
use crate::plan::Plan;
use crate::resolve::{Given, resolve};
use crate::scenario::Root;
use crate::source::{FileId, Sources};
use crate::tables::{self, Tables};
use crate::trace::read_tables;
use crate::validate::validate;
use crate::yaml::{Node, Reader, print};

/// Seeds are below 2^53, so that every JSON reader keeps them exactly.
const SEED_BITS: u32 = 53;

/// What stands beside the file. Nothing is read from the process itself.
#[derive(Debug, Clone, Default)]
pub struct LoadOptions {
    /// The environment: `${env.X}`, `${secret.env.X}`, `BRUNT_VAR_X`.
    pub env: BTreeMap<String, String>,
    /// `--set path=value`, in order.
    pub sets: Vec<(String, String)>,
    /// `-f` files, merged by key over the scenario, in order.
    pub merges: Vec<PathBuf>,
    /// `--seed`: stronger than the scenario's.
    pub seed: Option<u64>,
    /// The seed of a scenario that has none; its upper bits are cut off.
    pub random_seed: u64,
}

/// A scenario without errors.
#[derive(Debug, Clone)]
pub struct Scenario {
    root: Root,
    sources: Sources,
    filled: Filled,
    tables: Tables,
    resolved_yaml: String,
    options: LoadOptions,
    /// How it is called in messages.
    source: String,
    from_file: bool,
}

/// Reads a scenario file with everything that it includes and that lies over it.
///
/// # Errors
/// Every problem that was found, in one pass: unreadable files, YAML, types, names, rules.
pub fn load(path: &Path, options: &LoadOptions) -> Result<Scenario, Diagnostics> {
    let mut loader = Loader::default();
    let tree = Reader::new(&mut loader.sources, &mut loader.problems).file(path);
    loader.finish(tree, path.display().to_string(), true, options)
}

/// Reads a scenario from a text, for example one that was made from a command line. `name` is how messages call it; relative
/// paths start from the current folder, and gates have no line.
///
/// # Errors
/// As for [`load`].
pub fn load_text(name: &str, text: &str, options: &LoadOptions) -> Result<Scenario, Diagnostics> {
    let mut loader = Loader::default();
    let id: FileId = loader.sources.add(name, "", text);
    let tree = Reader::new(&mut loader.sources, &mut loader.problems).text(id);
    loader.finish(tree, name.to_owned(), false, options)
}

#[derive(Default)]
struct Loader {
    sources: Sources,
    problems: Problems,
}

impl Loader {
    fn finish(
        mut self,
        tree: Option<Node>,
        source: String,
        from_file: bool,
        options: &LoadOptions,
    ) -> Result<Scenario, Diagnostics> {
        let overlays: Vec<Option<Node>> =
            options.merges.iter().map(|path| Reader::new(&mut self.sources, &mut self.problems).file(path)).collect();
        let Some(mut tree) = tree else { return Err(self.problems.into_diagnostics(self.sources)) };
        for over in overlays.into_iter().flatten() {
            overlay::merge(&mut tree, over);
        }
        overlay::set_vars(&mut tree, &options.env, &mut self.sources);
        for (path, value) in &options.sets {
            overlay::set(&mut tree, path, value, &mut self.sources, &mut self.problems);
        }
        let filled = interpolate(&mut tree, &options.env, &self.sources, &mut self.problems);
        read_tables(&mut tree, &mut self.sources, &mut self.problems);
        let Some(root) = Root::read(&tree, &mut self.problems) else {
            return Err(self.problems.into_diagnostics(self.sources));
        };
        let tables = tables::read(&root, &self.sources, &mut self.problems);
        validate(&root, &filled, &tables, &self.sources, &mut self.problems);
        let resolved_yaml = print(&crate::scenario::without_free_keys(tree));
        let options = options.clone();
        let sources = self.sources;
        let scenario = Scenario { root, sources, filled, tables, resolved_yaml, options, source, from_file };
        scenario.resolve(&mut self.problems);
        if self.problems.errors() > 0 {
            return Err(self.problems.into_diagnostics(scenario.sources));
        }
        Ok(scenario)
    }
}

impl Scenario {
    /// What will happen, with every default filled in.
    ///
    /// # Errors
    /// None for a scenario that was loaded: [`load`] has made the plan once, so that its problems are told with all others.
    pub fn plan(&self) -> Result<Plan, Diagnostics> {
        let mut problems = Problems::default();
        let plan = self.resolve(&mut problems);
        if problems.errors() > 0 {
            return Err(problems.into_diagnostics(self.sources.clone()));
        }
        Ok(plan)
    }

    /// `validate --strict`: what will run, but may not show what it seems to show. Warnings only, often none.
    pub fn lint(&self) -> Diagnostics {
        let plan = self.resolve(&mut Problems::default());
        let mut problems = Problems::default();
        crate::lint::lint(&self.root, &plan, &mut problems);
        problems.into_diagnostics(self.sources.clone())
    }

    /// What the author wrote, typed, with the place of every value.
    pub fn root(&self) -> &Root {
        &self.root
    }

    /// The texts that it was read from.
    pub fn sources(&self) -> &Sources {
        &self.sources
    }

    /// The scenario after includes, merges and variables, secrets masked.
    pub fn resolved_yaml(&self) -> &str {
        &self.resolved_yaml
    }

    /// Whether `${matrix.x}` is used: each cell is then another run.
    pub fn uses_matrix(&self) -> bool {
        self.filled.matrix
    }

    fn resolve(&self, problems: &mut Problems) -> Plan {
        let written = self.root.seed.as_ref().map(|seed| seed.value);
        let random = self.options.random_seed & ((1 << SEED_BITS) - 1);
        let folder = if self.from_file { Path::new(&self.source).parent().map(Path::to_path_buf) } else { None };
        let given = Given {
            sources: &self.sources,
            tables: &self.tables,
            name: self.root.name.clone().unwrap_or_else(|| file_stem(&self.source)),
            source: self.source.clone(),
            folder: folder.filter(|folder| !folder.as_os_str().is_empty()).unwrap_or_else(|| PathBuf::from(".")),
            seed: self.options.seed.or(written).unwrap_or(random),
            scenario_sha256: digest(&self.resolved_yaml),
            resolved_yaml: self.resolved_yaml.clone(),
            from_file: self.from_file,
        };
        resolve(&self.root, given, problems)
    }
}

/// `checkout` for `path/checkout.brunt.yaml`.
fn file_stem(source: &str) -> String {
    let name = source.rsplit('/').find(|part| !part.is_empty()).unwrap_or(source);
    let endings = [".brunt.yaml", ".brunt.yml", ".yaml", ".yml"];
    endings.iter().find_map(|ending| name.strip_suffix(ending)).unwrap_or(name).to_owned()
}

/// SHA-256 of the resolved text, in which ports stand as `${port}` and secrets as `***`.
fn digest(text: &str) -> String {
    Sha256::digest(text.as_bytes()).iter().fold(String::new(), |mut out, byte| {
        write!(out, "{byte:02x}").expect("writing to a String cannot fail");
        out
    })
}
