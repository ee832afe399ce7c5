//! The files of a run: one folder, opened before anything is touched, filled at the end whatever happened.
//!
//! `events.jsonl` is appended to and flushed as things happen, so that a run that is killed still tells its story
//! (`brunt report events.jsonl`). Everything else is written at the end under a temporary name and renamed, each file
//! even if another one fails: a reader never sees half a file, and a full disk costs as little as it can.

pub mod events;
mod renderings;
pub mod story;

use std::fs::{self, File};
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};
use std::time::SystemTime;

use brunt_report::results::{Event, Results};
use brunt_scenario::plan::{Outputs, Plan};
use brunt_scenario::units::Offset;
use time::OffsetDateTime;
use time::macros::format_description;

pub use renderings::{RENDERINGS, Rendering};

use crate::clock::Clock;
use events::Header;

/// Parent of the folders of runs that were not given one.
const DEFAULT_PARENT: &str = "results";
/// What a run leaves in its folder, beside `events.jsonl` and the services' logs.
const LEFT_BY_A_RUN: [&str; 5] = ["results.json", "report.html", "junit.xml", "summary.md", "scenario.resolved.yaml"];

/// What several runs leave above their folders, beside files of the same names.
const LEFT_BY_SEVERAL: [&str; 2] = ["index.html", "runs.json"];

/// The folder of one run.
#[derive(Debug)]
pub struct Files {
    out: PathBuf,
    made: bool,
    outputs: Outputs,
    events: File,
    /// The first event that could not be appended; told at the end.
    events_broke: Option<io::Error>,
}

/// The folder cannot be had. Found before anything is started, so nothing is lost: exit 3.
#[derive(Debug, thiserror::Error)]
#[error("cannot write the results: {what} {}: {source}; choose another folder with --out", .path.display())]
pub struct FilesError {
    what: &'static str,
    path: PathBuf,
    source: io::Error,
}

impl Files {
    /// Makes the folder (`out`, else the scenario's `outputs.dir`, else `results/<name>-<time>`), removes what an earlier
    /// run left in it, opens `events.jsonl` and writes `scenario.resolved.yaml`: what these need, the report needs too.
    ///
    /// # Errors
    /// When one of these cannot be done: a read-only folder, a full disk, a file where the folder should be.
    pub fn prepare(plan: &Plan, out: Option<&Path>, clock: Clock) -> Result<Self, FilesError> {
        let began = clock.wall_at(Offset::default());
        let (out, made) = match out.or(plan.outputs.dir.as_deref()) {
            Some(given) => {
                let made = !given.exists();
                make(given)?;
                (given.to_owned(), made)
            }
            None => (make_below(Path::new(DEFAULT_PARENT), &plan.name, began)?, true),
        };
        remove_earlier(&out)?;
        let path = out.join("events.jsonl");
        let mut events = File::create(&path).map_err(|source| failed("opening", &path, source))?;
        let header = Header::new(plan, rfc3339(began)).line();
        events.write_all(header.as_bytes()).map_err(|source| failed("writing", &path, source))?;
        write_whole(&out, "scenario.resolved.yaml", &plan.resolved_yaml)
            .map_err(|source| failed("writing", &out.join("scenario.resolved.yaml"), source))?;
        Ok(Self { out, made, outputs: plan.outputs.clone(), events, events_broke: None })
    }

    /// The folder.
    pub fn out(&self) -> &Path {
        &self.out
    }

    /// The folder of the services' output; made by whoever starts a service.
    pub fn logs(&self) -> PathBuf {
        self.out.join("services")
    }

    /// Appends an event to `events.jsonl`. A failure is kept for [`Files::write`]: a run that may have faults in place
    /// goes on.
    pub fn event(&mut self, event: &Event) {
        // A `File` has no buffer of its own: when the call returns, the line is out of this process.
        if let Err(why) = self.events.write_all(events::line(event).as_bytes()) {
            self.events_broke.get_or_insert(why);
        }
    }

    /// Writes results.json and every rendering that the scenario wants; each is tried even if another one fails. Returns
    /// what could not be written, in words. If it is results.json, a copy goes to the temporary folder: everything else
    /// can be made from it.
    pub fn write(self, results: &Results) -> Vec<String> {
        let mut unwritten = Vec::new();
        if let Some(why) = &self.events_broke {
            unwritten.push(format!("events.jsonl is not complete: {why}"));
        }
        if let Err(why) = self.events.sync_all() {
            unwritten.push(format!("events.jsonl may not be complete: {why}"));
        }
        if self.outputs.json {
            let text = renderings::json(results);
            if let Err(why) = write_whole(&self.out, "results.json", &text) {
                unwritten.push(format!("results.json: {why}"));
                unwritten.push(rescue(&text));
            }
        }
        for rendering in RENDERINGS.iter().filter(|rendering| (rendering.wanted)(&self.outputs)) {
            if let Err(why) = write_whole(&self.out, rendering.file, &(rendering.render)(results)) {
                unwritten.push(format!("{}: {why}", rendering.file));
            }
        }
        unwritten
    }

    /// Takes back what [`Files::prepare`] made, for a run that did not begin. The services' logs stay if there are any: they
    /// may say why.
    pub fn discard(self) {
        // Nobody waits for these files; what cannot be removed is harmless.
        for name in ["events.jsonl", "scenario.resolved.yaml"] {
            let _ = fs::remove_file(self.out.join(name));
        }
        if self.made {
            let _ = fs::remove_dir(&self.out);
        }
    }
}

/// Writes a text under a temporary name beside its place, and renames it: whole or not at all.
///
/// # Errors
/// What the system said; the temporary file is removed.
pub fn write_whole(folder: &Path, name: &str, text: &str) -> io::Result<()> {
    let temporary = folder.join(format!(".{name}.part"));
    let written = File::create(&temporary).and_then(|mut file| {
        file.write_all(text.as_bytes())?;
        file.sync_all()
    });
    let placed = written.and_then(|()| fs::rename(&temporary, folder.join(name)));
    if placed.is_err() {
        // The first error is the one to tell.
        let _ = fs::remove_file(&temporary);
    }
    placed
}

/// Removes what an earlier run, or several, left in a folder: a reader must not take it for what is there now.
///
/// # Errors
/// When a file is there and cannot be removed.
pub fn remove_earlier(folder: &Path) -> Result<(), FilesError> {
    for name in LEFT_BY_A_RUN.iter().chain(&LEFT_BY_SEVERAL) {
        let path = folder.join(name);
        match fs::remove_file(&path) {
            Err(source) if source.kind() != io::ErrorKind::NotFound => {
                return Err(failed("removing an earlier run's", &path, source));
            }
            _ => {}
        }
    }
    Ok(())
}

/// Makes a folder that was given, unless it is there.
///
/// # Errors
/// When it cannot be made.
pub fn make(folder: &Path) -> Result<(), FilesError> {
    fs::create_dir_all(folder).map_err(|source| failed("making the folder", folder, source))
}

/// Makes the folder of several runs that were not given one: `results/<name>-<time>`.
///
/// # Errors
/// When it cannot be made.
pub fn make_default(name: &str) -> Result<PathBuf, FilesError> {
    make_below(Path::new(DEFAULT_PARENT), name, Clock::start().wall_at(Offset::default()))
}

/// `results/<name>-<time>`, or with `-2`, `-3`... for runs of the same second.
fn make_below(parent: &Path, name: &str, began: SystemTime) -> Result<PathBuf, FilesError> {
    fs::create_dir_all(parent).map_err(|source| failed("making the folder", parent, source))?;
    let stem = format!("{}-{}", file_name(name), compact(began));
    let mut attempt = 1;
    loop {
        let path = parent.join(if attempt == 1 { stem.clone() } else { format!("{stem}-{attempt}") });
        match fs::create_dir(&path) {
            Ok(()) => return Ok(path),
            Err(why) if why.kind() == io::ErrorKind::AlreadyExists && attempt < 1000 => attempt += 1,
            Err(source) => return Err(failed("making the folder", &path, source)),
        }
    }
}

/// A scenario's name as a file name: letters, digits, dots, dashes; anything else becomes a dash.
pub fn file_name(name: &str) -> String {
    let kept = |c: char| if c.is_alphanumeric() || matches!(c, '.' | '_') { c } else { '-' };
    let name: String = name.chars().take(100).map(kept).collect();
    let name = name.trim_matches(['-', '.']);
    if name.is_empty() { "run".to_owned() } else { name.to_owned() }
}

fn rescue(text: &str) -> String {
    let folder = std::env::temp_dir();
    let name = format!("brunt-results-{}.json", std::process::id());
    match write_whole(&folder, &name, text) {
        Ok(()) => format!("a copy is in {}; `brunt report` makes the other files from it", folder.join(name).display()),
        Err(why) => format!("nor could a copy be left in {}: {why}", folder.display()),
    }
}

fn failed(what: &'static str, path: &Path, source: io::Error) -> FilesError {
    FilesError { what, path: path.to_owned(), source }
}

fn compact(at: SystemTime) -> String {
    OffsetDateTime::from(at)
        .format(format_description!("[year][month][day]T[hour][minute][second]Z"))
        .expect("a date has every component of the format")
}

/// RFC 3339 in UTC, to the millisecond.
pub fn rfc3339(at: SystemTime) -> String {
    OffsetDateTime::from(at)
        .format(format_description!("[year]-[month]-[day]T[hour]:[minute]:[second].[subsecond digits:3]Z"))
        .expect("a date has every component of the format")
}

#[cfg(test)]
pub mod tests;
