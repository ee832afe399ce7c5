//! CSV files of feeders to tables of rows. They are read once, when the scenario is: a missing file or a broken line is a
//! problem of the scenario, and the templates are checked against the columns that are really there.
//!
//! The format is RFC 4180: comma, double quotes, a head line. Quotes that are left open would swallow the rest of the file
//! in one cell, so they are looked for.

use std::collections::HashMap;
use std::fs::File;
use std::io::Read as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use csv::{ErrorKind, ReaderBuilder, StringRecord, Trim};
use sha2::{Digest as _, Sha256};

use crate::diagnostic::{Code, Problems};
use crate::plan::Table;
use crate::scenario::Root;
use crate::source::Sources;
use crate::words::nearest;

/// A file of rows may have at most so many bytes: they are kept in memory.
const MAX_BYTES: u64 = 1 << 30;

/// The tables of a scenario by the name of their feeder; a file that several feeders name is read once.
pub(crate) type Tables = HashMap<String, Arc<Table>>;

/// Files that were read for one cell of a matrix serve the others.
pub(crate) type Shared = HashMap<PathBuf, Arc<Table>>;

/// Reads every file that a feeder names; tells those that cannot be used.
pub(crate) fn read(root: &Root, sources: &Sources, shared: &mut Shared, problems: &mut Problems) -> Tables {
    let mut tables = Tables::new();
    let mut seen: HashMap<PathBuf, Option<Arc<Table>>> =
        shared.iter().map(|(path, table)| (path.clone(), Some(Arc::clone(table)))).collect();
    for (name, feeder) in root.feeders.iter().flat_map(|feeders| feeders.iter()) {
        let Some(written) = &feeder.csv else { continue };
        let path = sources.get(written.span.file).folder.join(&written.value);
        let table = seen.entry(path.clone()).or_insert_with(|| match table(&path) {
            Ok(table) => Some(Arc::new(table)),
            Err(why) => {
                let at = why.line.map_or_else(|| written.value.clone(), |line| format!("{}:{line}", written.value));
                problems.error(why.code, written.span, format!("cannot use `{at}`: {}", why.what), why.help);
                None
            }
        });
        tables.extend(table.clone().map(|table| (name.value.clone(), table)));
    }
    // What could not be used is told again in the next cell, so that it is known to be wrong in each.
    shared.extend(seen.into_iter().filter_map(|(path, table)| Some((path, table?))));
    tables
}

/// Why a file cannot be used.
struct Unusable {
    code: Code,
    line: Option<u64>,
    what: String,
    help: String,
}

fn unusable(code: Code, line: Option<u64>, what: impl Into<String>, help: impl Into<String>) -> Unusable {
    Unusable { code, line, what: what.into(), help: help.into() }
}

fn table(path: &Path) -> Result<Table, Unusable> {
    let bytes = bytes(path)?;
    let mut reader = ReaderBuilder::new().trim(Trim::Headers).from_reader(bytes.as_slice());
    let head = reader.headers().map_err(|error| broken(&error))?.clone();
    check_head(&head)?;
    let sha256 = Sha256::digest(&bytes).iter().map(|byte| format!("{byte:02x}")).collect();
    let mut table = Table::new(head.iter().map(str::to_owned).collect(), sha256);
    let mut record = StringRecord::new();
    let mut last_line = 1;
    while reader.read_record(&mut record).map_err(|error| broken(&error))? {
        last_line = record.position().map_or(last_line, csv::Position::line);
        if !record.iter().all(|cell| table.push(cell)) {
            return Err(unusable(Code::E003, Some(last_line), "too much text", "split the file"));
        }
    }
    if bytes.iter().filter(|&&byte| byte == b'"').count() % 2 == 1 {
        let help = "every `\"` needs a second one; inside of a quoted cell it is written twice";
        return Err(unusable(Code::E070, Some(last_line), "a quote is not closed", help));
    }
    if table.rows() == 0 {
        return Err(unusable(
            Code::E070,
            None,
            "it has no row below its head line",
            "add rows below it, one a line, with as many cells: `ann@example.com,secret`",
        ));
    }
    table.shrink();
    Ok(table)
}

/// The whole file. Only files: a device or a pipe may never end.
fn bytes(path: &Path) -> Result<Vec<u8>, Unusable> {
    let shown = path.display();
    let io = |error: std::io::Error| {
        let help = format!("paths are relative to the file that names them: looked for `{shown}`");
        unusable(Code::E001, None, error.to_string(), help)
    };
    let about = std::fs::metadata(path).map_err(io)?;
    if !about.is_file() {
        return Err(unusable(
            Code::E001,
            None,
            "it is no file",
            "name a CSV file with a head line: `csv: ./users.csv`",
        ));
    }
    if about.len() > MAX_BYTES {
        let help = "rows are kept in memory: use a part of them";
        return Err(unusable(Code::E003, None, format!("it is larger than {} GiB", MAX_BYTES >> 30), help));
    }
    let mut bytes = Vec::with_capacity(usize::try_from(about.len()).unwrap_or_default());
    File::open(path).and_then(|file| file.take(MAX_BYTES).read_to_end(&mut bytes)).map_err(io)?;
    Ok(bytes)
}

fn check_head(head: &StringRecord) -> Result<(), Unusable> {
    if head.is_empty() {
        return Err(unusable(Code::E070, None, "it is empty", "begin it with a head line: `email,password`"));
    }
    for (number, name) in head.iter().enumerate() {
        if name.is_empty() {
            let what = format!("column {} has no name", number + 1);
            return Err(unusable(Code::E070, Some(1), what, "name it in the head line, as in `email,password`"));
        }
        if head.iter().take(number).any(|before| before == name) {
            let what = format!("two columns are called `{}`", name.escape_debug());
            return Err(unusable(
                Code::E070,
                Some(1),
                what,
                "give them different names in the head line, as in `email,password`",
            ));
        }
    }
    Ok(())
}

fn broken(error: &csv::Error) -> Unusable {
    let line = error.position().map(csv::Position::line);
    match error.kind() {
        ErrorKind::UnequalLengths { expected_len, len, .. } => {
            let cells = |count: u64| if count == 1 { "1 cell".to_owned() } else { format!("{count} cells") };
            let what = format!("the line has {}, the head line {}", cells(*len), cells(*expected_len));
            unusable(Code::E070, line, what, "a cell that holds a comma or a line break stands in quotes: `\"a, b\"`")
        }
        ErrorKind::Utf8 { .. } => {
            let help = "save it as UTF-8, for example with `iconv -t utf-8`";
            unusable(Code::E002, line, "not UTF-8 text", help)
        }
        _ => unusable(Code::E070, line, error.to_string(), "is it a CSV file?"),
    }
}

/// What a person may have meant by a column that is not there.
pub(crate) fn column_help<'c>(wanted: &str, columns: impl Iterator<Item = &'c str> + Clone) -> String {
    match nearest(wanted, columns.clone()) {
        Some(near) => format!("did you mean `{near}`?"),
        None => {
            let all: Vec<String> = columns.take(20).map(|name| format!("`{}`", name.escape_debug())).collect();
            format!("its columns are {}", all.join(", "))
        }
    }
}
