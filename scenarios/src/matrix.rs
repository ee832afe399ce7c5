//! The matrix: from the axes as they were written to cells, one run each.
//!
//! The cells are the cartesian product, in the order as written: the first axis changes slowest. Each cell is read as a
//! scenario of its own, so a value that does not fit its place is found in the one cell that holds it, before anything runs.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use crate::diagnostic::{Code, Problems};
use crate::yaml::{Node, Scalar, Value};

/// More runs than this are a mistake: at a minute each they take four hours.
pub const MAX_CELLS: usize = 256;

/// So many characters of a cell's name become the name of its folder; file systems take 255 bytes.
const MAX_FOLDER: usize = 120;

/// One combination of the matrix's values: axes and values as text, in the order as written. Without a matrix there is one
/// cell, and it is empty.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Cell(pub Vec<(String, String)>);

/// `added_latency=100ms,rate=50/s`: how `--only-cell` takes it.
impl fmt::Display for Cell {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, (axis, value)) in self.0.iter().enumerate() {
            let comma = if index == 0 { "" } else { "," };
            write!(f, "{comma}{axis}={value}")?;
        }
        Ok(())
    }
}

impl Cell {
    /// Whether there is no matrix.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// The name as a folder's: `added_latency=100ms,rate=50s`. Letters, digits and `. _ - = , % +` stay, `/` goes (so that a
    /// rate reads as one), anything else becomes `-`. Two cells may come to the same name; whoever makes folders numbers them.
    pub fn folder(&self) -> String {
        let name: String = self.to_string().chars().filter(|sign| *sign != '/').map(safe).take(MAX_FOLDER).collect();
        // Neither hidden nor the folder above.
        if name.starts_with('.') { format!("_{name}") } else { name }
    }

    /// Whether the cell is meant by `wanted`: its whole name (also as its folder is called), or some of its values,
    /// `added_latency=100ms` or `rate=50/s,added_latency=100ms`.
    pub fn is_meant_by(&self, wanted: &str) -> bool {
        let wanted = wanted.trim();
        if self.is_empty() || wanted.is_empty() {
            return false;
        }
        let part = |part: &str| {
            let part = part.trim();
            self.0.iter().any(|(axis, value)| {
                part.strip_prefix(axis.as_str()).and_then(|rest| rest.strip_prefix('=')) == Some(value.as_str())
            })
        };
        wanted == self.to_string() || wanted == self.folder() || wanted.split(',').all(part)
    }
}

fn safe(sign: char) -> char {
    if sign.is_alphanumeric() || matches!(sign, '.' | '_' | '-' | '=' | ',' | '%' | '+') { sign } else { '-' }
}

/// A cell before it is read: its name and what stands for each axis.
pub(crate) struct Values {
    pub cell: Cell,
    pub nodes: BTreeMap<String, Node>,
}

/// All cells of a tree whose matrix is filled in; exactly one, empty, without a matrix. Never none: where the matrix is
/// broken that is told, and the first values stand for the others, so that everything else is still checked.
pub(crate) fn cells(root: &Node, problems: &mut Problems) -> Vec<Values> {
    let Some(matrix) = root.get("matrix") else {
        return vec![Values { cell: Cell::default(), nodes: BTreeMap::new() }];
    };
    let mut axes: Vec<(&str, Vec<Node>)> = Vec::new();
    for entry in matrix.entries().unwrap_or_default() {
        axes.push((&entry.key.text, values(&entry.key.text, &entry.value, problems)));
    }
    let count = axes.iter().map(|(_, values)| values.len()).fold(1, usize::saturating_mul);
    if count > MAX_CELLS {
        let message = format!("the matrix has {count} cells, and each is a run; at most {MAX_CELLS} are allowed");
        problems.error(Code::E028, matrix.span, message, "shorten an axis, or spread the axes over several scenarios");
        axes.iter_mut().for_each(|(_, values)| values.truncate(1));
    }
    let mut cells = vec![Values { cell: Cell::default(), nodes: BTreeMap::new() }];
    for (axis, values) in axes {
        cells = cells
            .into_iter()
            .flat_map(|cell| values.iter().map(move |value| with(&cell, axis, value)).collect::<Vec<_>>())
            .collect();
    }
    cells
}

fn with(cell: &Values, axis: &str, value: &Node) -> Values {
    let mut longer = Values { cell: cell.cell.clone(), nodes: cell.nodes.clone() };
    let text = value.scalar().map(|scalar| scalar.text.to_string()).unwrap_or_default();
    longer.cell.0.push((axis.to_owned(), text));
    longer.nodes.insert(axis.to_owned(), value.clone());
    longer
}

/// The values of an axis, at least one. What is wrong with them is told and stands there as broken, so that it is not told
/// again wherever it is used.
fn values(axis: &str, node: &Node, problems: &mut Problems) -> Vec<Node> {
    let broken =
        |node: &Node| Node { span: node.span, value: Value::Scalar(Scalar { broken: true, ..Scalar::new("", true) }) };
    let items = match &node.value {
        Value::List(items) => items.as_slice(),
        // A single value is an axis of one: `--set matrix.rate=50/s` picks without a list.
        Value::Scalar(_) => std::slice::from_ref(node),
        Value::Map(_) => {
            let help = format!("write `{axis}: [a, b]`");
            problems.error(Code::E010, node.span, "the values of an axis are a list", help);
            return vec![broken(node)];
        }
    };
    let mut seen = BTreeSet::new();
    let mut values = Vec::new();
    for item in items {
        let Some(scalar) = item.scalar() else {
            let message = format!("a value of the matrix is a single value, and this is {}", item.describe());
            problems.error(Code::E010, item.span, message, "give single values, and build the rest from `${matrix.x}`");
            values.push(broken(item));
            continue;
        };
        match scalar.literal() {
            _ if scalar.broken => {}
            None => {
                let help =
                    "values of the matrix name folders and reports: nothing secret, nothing that is known only later";
                problems.error(
                    Code::E040,
                    item.span,
                    format!("`{}` cannot be a value of the matrix", scalar.text),
                    help,
                );
                values.push(broken(item));
                continue;
            }
            Some("") => {
                problems.error(Code::E014, item.span, "an empty value in the matrix", "write a value, or take it away");
                values.push(broken(item));
                continue;
            }
            Some(text) if !seen.insert(text) => {
                let message = format!("`{text}` stands twice in the axis `{axis}`");
                problems.error(Code::E005, item.span, message, "each cell is run once; take one of them away");
                continue;
            }
            Some(_) => {}
        }
        values.push(item.clone());
    }
    // An empty list is told where it is decoded.
    if values.is_empty() { vec![broken(node)] } else { values }
}

/// The tree of one cell: the matrix holds its own values only, so that the resolved scenario is that very run.
pub(crate) fn narrow(root: &Node, cell: &Values) -> Node {
    let mut root = root.clone();
    let Value::Map(entries) = &mut root.value else { return root };
    let matrix = entries.iter_mut().find(|entry| entry.key.text == "matrix").map(|entry| &mut entry.value.value);
    if let Some(Value::Map(axes)) = matrix {
        for axis in axes {
            if let (Value::List(items), Some(value)) = (&mut axis.value.value, cell.nodes.get(&axis.key.text))
                && !items.is_empty()
            {
                *items = vec![value.clone()];
            }
        }
    }
    root
}

#[cfg(test)]
mod tests {
    use super::Cell;

    fn cell() -> Cell {
        Cell(vec![("added_latency".into(), "100ms".into()), ("rate".into(), "50/s".into())])
    }

    #[test]
    fn a_cell_is_meant_by_its_whole_name_by_its_folder_and_by_any_of_its_values() {
        for wanted in [
            "added_latency=100ms,rate=50/s",
            "added_latency=100ms,rate=50s",
            "added_latency=100ms",
            "rate=50/s",
            " rate=50/s , added_latency=100ms ",
        ] {
            assert!(cell().is_meant_by(wanted), "{wanted}");
        }
        for wanted in ["", "added_latency=10", "added_latency", "100ms", "rate=50/s,added_latency=400ms", "rate=50/s,"]
        {
            assert!(!cell().is_meant_by(wanted), "{wanted}");
        }
        assert!(!Cell::default().is_meant_by(""));
    }

    #[test]
    fn the_folder_of_a_cell_is_one_path_component_whatever_the_values_are() {
        assert_eq!(cell().folder(), "added_latency=100ms,rate=50s");
        let odd = Cell(vec![("path".into(), "../../etc/pass wd\n".into()), ("long".into(), "x".repeat(500))]);
        let folder = odd.folder();
        assert!(folder.starts_with("path=....etcpass-wd-,long=xxx"), "{folder}");
        assert_eq!(folder.chars().count(), 120);
    }

    proptest::proptest! {
        #[test]
        fn no_value_leads_out_of_the_folder(axis in "[a-z_]{1,9}", value in ".{0,200}") {
            let folder = Cell(vec![(axis, value)]).folder();
            assert!(!folder.is_empty() && !folder.contains(['/', '\0', '\n', '\\']) && !folder.starts_with('.'));
            assert!(folder.len() <= 255 * 4);
        }
    }
}
