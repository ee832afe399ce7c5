//! Rows of data for templates, as they were read when the scenario was.

use std::sync::Arc;

use serde::{Deserialize, Serialize};

use super::Text;

/// Rows, one an iteration.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Feeder {
    /// Its name under `feeders:`, and in templates: `{{ users.email }}`.
    pub name: String,
    /// Where the rows come from.
    pub rows: Rows,
    /// How many rows each row counts for; empty: one. Their sum is at least 1 and at most 2^32.
    pub weights: Vec<u64>,
    /// In which order they are taken.
    pub strategy: Strategy,
}

/// Where rows come from.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub enum Rows {
    /// A CSV file.
    Table {
        /// As the scenario writes it.
        path: String,
        /// What is in it.
        table: Arc<Table>,
    },
    /// Single values, in a column called `value`. Parts that only the run knows are still open.
    Values(Vec<Text>),
}

impl Rows {
    /// How many there are; never 0.
    pub fn count(&self) -> usize {
        match self {
            Self::Table { table, .. } => table.rows(),
            Self::Values(values) => values.len(),
        }
    }
}

/// In which order rows are taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum Strategy {
    /// As they stand, again from the beginning.
    Sequential,
    /// Any row, any time.
    Random,
    /// Each once in a random order, then each once in another one.
    Shuffle,
    /// Each once, as they stand; when none is left the load ends.
    Unique,
}

impl Strategy {
    /// As it is written.
    pub fn word(self) -> &'static str {
        match self {
            Self::Sequential => "sequential",
            Self::Random => "random",
            Self::Shuffle => "shuffle",
            Self::Unique => "unique",
        }
    }
}

/// Columns by name and rows of cells: one text and the end of each cell in it, 4 bytes a cell more than the cells.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Table {
    columns: Vec<String>,
    text: String,
    ends: Vec<u32>,
    /// Of what it was made from, hexadecimal.
    sha256: String,
}

/// The column of a feeder that was written as `values`.
pub const VALUE_COLUMN: &str = "value";

impl Table {
    /// An empty table. `sha256` is the digest of what the rows will be taken from.
    pub fn new(columns: Vec<String>, sha256: String) -> Self {
        Self { columns, text: String::new(), ends: Vec::new(), sha256 }
    }

    /// Appends the next cell, row by row; false if the table is full (4 GiB).
    #[must_use]
    pub fn push(&mut self, cell: &str) -> bool {
        let Ok(end) = u32::try_from(self.text.len() + cell.len()) else { return false };
        self.text.push_str(cell);
        self.ends.push(end);
        true
    }

    /// Gives back what was reserved and not used.
    pub fn shrink(&mut self) {
        self.text.shrink_to_fit();
        self.ends.shrink_to_fit();
    }

    /// The names of its columns.
    pub fn columns(&self) -> &[String] {
        &self.columns
    }

    /// How many whole rows it has.
    pub fn rows(&self) -> usize {
        self.ends.len() / self.columns.len().max(1)
    }

    /// A cell; `None` outside of the table.
    pub fn cell(&self, row: usize, column: usize) -> Option<&str> {
        if column >= self.columns.len() {
            return None;
        }
        let at = row.checked_mul(self.columns.len())?.checked_add(column)?;
        let end = *self.ends.get(at)? as usize;
        let start = at.checked_sub(1).map_or(0, |before| self.ends[before] as usize);
        self.text.get(start..end)
    }

    /// The digest of what it was made from, hexadecimal.
    pub fn sha256(&self) -> &str {
        &self.sha256
    }

    /// Bytes that it takes.
    pub fn bytes(&self) -> usize {
        self.text.capacity() + self.ends.capacity() * size_of::<u32>()
    }
}

impl std::fmt::Debug for Table {
    /// Without its rows, which may be millions.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Table({} rows of {:?})", self.rows(), self.columns)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cells_are_found_by_row_and_column_and_nothing_is_found_outside() {
        let mut table = Table::new(vec!["a".into(), "b".into()], String::new());
        for cell in ["1", "", "three", "4"] {
            assert!(table.push(cell));
        }
        assert_eq!((table.rows(), table.cell(0, 0), table.cell(0, 1)), (2, Some("1"), Some("")));
        assert_eq!((table.cell(1, 0), table.cell(1, 1)), (Some("three"), Some("4")));
        assert_eq!((table.cell(0, 2), table.cell(2, 0), table.cell(usize::MAX, 0)), (None, None, None));
    }
}
