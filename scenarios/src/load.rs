//! From files and options to a sound scenario.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::path::{Path, PathBuf};

use sha2::{Digest as _, Sha256};

use crate::diagnostic::{Diagnostics, Problems};
use crate::interpolate::{fill_matrix, interpolate};
use crate::matrix::{self, Cell};
use crate::overlay;
use crate::plan::Plan;
use crate::resolve::{Given, resolve};
use crate::scenario::Root;
use crate::source::{FileId, Sources};
use crate::tables::{self, Shared, Tables};
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

/// A scenario without errors, in all of its cells.
#[derive(Debug, Clone)]
pub struct Scenario {
    /// Never empty; one without a matrix.
    cells: Vec<Read>,
    sources: Sources,
    options: LoadOptions,
    /// How it is called in messages.
    source: String,
    from_file: bool,
}

/// One cell as it was read.
#[derive(Debug, Clone)]
struct Read {
    cell: Cell,
    root: Root,
    tables: Tables,
    resolved_yaml: String,
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
        fill_matrix(&mut tree, &options.env, &self.sources, &mut self.problems);
        let cells = matrix::cells(&tree, &mut self.problems);
        let mut scenario =
            Scenario { cells: Vec::new(), sources: self.sources, options: options.clone(), source, from_file };
        let (mut told, mut shared) = (Vec::new(), Shared::new());
        for cell in cells {
            let mut problems = Problems::default();
            let name = cell.cell.to_string();
            if let Some(read) = scenario.read(&tree, cell, &mut shared, &mut problems) {
                scenario.cells.push(read);
            }
            told.push((name, problems));
        }
        self.problems.extend_from_cells(told);
        if self.problems.errors() > 0 {
            return Err(self.problems.into_diagnostics(scenario.sources));
        }
        Ok(scenario)
    }
}

impl Scenario {
    /// What will happen in each cell, with every default filled in; one plan without a matrix, never none. All have the
    /// same seed: cells differ in their values alone.
    ///
    /// # Errors
    /// None for a scenario that was loaded: [`load`] has made the plans once, so that their problems are told with all
    /// others.
    pub fn plans(&self) -> Result<Vec<Plan>, Diagnostics> {
        let mut problems = Problems::default();
        let plans = self.cells.iter().map(|cell| self.resolve(cell, &mut problems)).collect();
        if problems.errors() > 0 {
            return Err(problems.into_diagnostics(self.sources.clone()));
        }
        Ok(plans)
    }

    /// The plan of a scenario that has no matrix; else that of the first cell.
    ///
    /// # Errors
    /// As for [`Scenario::plans`].
    pub fn plan(&self) -> Result<Plan, Diagnostics> {
        Ok(self.plans()?.swap_remove(0))
    }

    /// `validate --strict`: what will run, but may not show what it seems to show. Warnings only, often none.
    pub fn lint(&self) -> Diagnostics {
        let mut problems = Problems::default();
        let told = self.cells.iter().map(|cell| {
            let mut problems = Problems::default();
            let plan = self.resolve(cell, &mut Problems::default());
            crate::lint::lint(&cell.root, &plan, &mut problems);
            (cell.cell.to_string(), problems)
        });
        problems.extend_from_cells(told.collect());
        problems.into_diagnostics(self.sources.clone())
    }

    /// What the author wrote, typed, with the place of every value; of the first cell where there are several.
    pub fn root(&self) -> &Root {
        &self.cells[0].root
    }

    /// The texts that it was read from.
    pub fn sources(&self) -> &Sources {
        &self.sources
    }

    /// Fills in and checks one cell. `None` when it could not be read at all, which is told.
    fn read(
        &mut self,
        tree: &Node,
        cell: matrix::Values,
        shared: &mut Shared,
        problems: &mut Problems,
    ) -> Option<Read> {
        let mut tree = matrix::narrow(tree, &cell);
        let filled = interpolate(&mut tree, cell.nodes, &self.options.env, &self.sources, problems);
        read_tables(&mut tree, &mut self.sources, problems);
        let root = Root::read(&tree, problems)?;
        let tables = tables::read(&root, &self.sources, shared, problems);
        validate(&root, &filled, &tables, &self.sources, problems);
        let read =
            Read { cell: cell.cell, root, tables, resolved_yaml: print(&crate::scenario::without_free_keys(tree)) };
        self.resolve(&read, problems);
        Some(read)
    }

    fn resolve(&self, cell: &Read, problems: &mut Problems) -> Plan {
        let Read { cell, root, tables, resolved_yaml } = cell;
        let written = root.seed.as_ref().map(|seed| seed.value);
        let random = self.options.random_seed & ((1 << SEED_BITS) - 1);
        let folder = if self.from_file { Path::new(&self.source).parent().map(Path::to_path_buf) } else { None };
        let given = Given {
            sources: &self.sources,
            tables,
            name: root.name.clone().unwrap_or_else(|| file_stem(&self.source)),
            source: self.source.clone(),
            folder: folder.filter(|folder| !folder.as_os_str().is_empty()).unwrap_or_else(|| PathBuf::from(".")),
            seed: self.options.seed.or(written).unwrap_or(random),
            scenario_sha256: digest(resolved_yaml),
            resolved_yaml: resolved_yaml.clone(),
            cell: cell.clone(),
            from_file: self.from_file,
        };
        resolve(root, given, problems)
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
