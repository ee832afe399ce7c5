//! `brunt cleanup`: undoes what a crash, a kill or a power loss has left, from journals and by the mark alone.
//!
//! Running it twice finds nothing the second time. What belongs to a run that is alive is left to it. A dry run looks at the same
//! things, in the same order, and touches none of them.

mod queues;

use std::collections::BTreeSet;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::time::Duration;

use crate::agent::network::{self, Wire};
use crate::error::Error;
use crate::fault::Undo;
use crate::journal::{self, Found};
use crate::mark;
use crate::process::{Pidfd, ProcessId, boot_id};
use crate::undo;

/// How long an agent whose runner is dead may take to undo everything by itself.
const AGENT_GRACE: Duration = Duration::from_secs(3);

/// How long a worker whose agent is dead may take to give back what it holds and to end.
const WORKER_GRACE: Duration = Duration::from_secs(1);

/// What was found and what became of it; one sentence each.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct CleanupReport {
    /// What a run had left.
    pub found: Vec<String>,
    /// What was done about it.
    pub undone: Vec<String>,
    /// What could not be done, with what a person can do.
    pub failed: Vec<String>,
    /// What would be done, in a dry run.
    pub would: Vec<String>,
    /// Runs that are alive.
    pub skipped_live: Vec<String>,
}

/// What is asked for.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct How {
    /// Only say what would be done.
    pub dry_run: bool,
    /// Also what only looks like a run's, with no journal, agent or process that could be asked: files of its name in the state
    /// folder.
    pub all: bool,
}

impl CleanupReport {
    /// 0 when nothing is left, 6 when something is.
    pub fn exit_code(&self) -> u8 {
        if self.failed.is_empty() && self.would.is_empty() { 0 } else { 6 }
    }
}

/// Cleans up. An error means that it could not even look; what it could not undo stands in the report.
pub fn cleanup(state_dir: Option<&Path>) -> Result<CleanupReport, Error> {
    cleanup_as(state_dir, How::default())
}

/// The same, in another way.
pub fn cleanup_as(state_dir: Option<&Path>, how: How) -> Result<CleanupReport, Error> {
    let folder = journal::state_folder(state_dir)?;
    let mut report = CleanupReport::default();
    let mut live = BTreeSet::new();
    for path in journals(&folder)? {
        if journal::is_live(&path)? {
            let name = name(&path);
            report.skipped_live.push(format!("run {name} is alive"));
            live.insert(name);
            continue;
        }
        match journal::read(&path) {
            Ok(found) if how.dry_run => foresee(&found, &mut report),
            Err(Error::JournalRefused { .. }) if how.dry_run && is_empty(&path) => {}
            Ok(found) => replay(&path, &found, &mut report),
            // A crash before the first line was whole: nothing was done yet.
            Err(Error::JournalRefused { .. }) if is_empty(&path) => remove(&path, &mut report),
            Err(error) => report.failed.push(error.to_string()),
        }
    }
    end_orphans(&live, how, &mut report);
    take_wires_away(&live, how, &mut report);
    queues::remove_orphans(how, &mut report);
    if how.all {
        remove_stray_logs(&folder, how, &mut report);
    }
    Ok(report)
}

/// What [`replay`] would do.
fn foresee(found: &Found, report: &mut CleanupReport) {
    let run = &found.header.run_id;
    let same_boot = boot_id().is_ok_and(|boot| boot == found.header.boot_id);
    if let Some(agent) = found.agent.filter(|agent| same_boot && agent.is_alive()) {
        report
            .would
            .push(format!("run {run}: wait for its agent ({agent}), which is undoing it, and end it if it hangs"));
    }
    for entry in found.open.iter().rev().filter(|entry| same_boot || entry.undo.iter().any(Undo::outlives_a_boot)) {
        let what = format!("run {run}: {} `{}`", entry.kind, entry.fault);
        let words: Vec<String> = entry.undo.iter().map(undo::in_words).collect();
        report.would.push(format!("{what}: {}", words.join("; ")));
        report.found.push(what);
    }
}

/// Logs of agents whose journal is gone: their run has ended, or was taken apart by hand.
fn remove_stray_logs(folder: &Path, how: How, report: &mut CleanupReport) {
    for entry in fs::read_dir(folder).into_iter().flatten().flatten() {
        let log = entry.path();
        let Some(run) = entry.file_name().to_str().and_then(|name| name.strip_suffix(".agent.log")).map(str::to_owned)
        else {
            continue;
        };
        if folder.join(format!("{run}.journal")).exists() {
            continue;
        }
        let what = format!("run {run}: the log of its agent, with no journal, {}", log.display());
        if how.dry_run {
            report.would.push(format!("{what}: remove it"));
        } else {
            match fs::remove_file(&log) {
                Ok(()) => report.undone.push(format!("{what}: removed")),
                Err(error) => report.failed.push(format!("{what}: {error}")),
            }
        }
        report.found.push(what);
    }
}

/// Wires to isolated services without any journal: those whose agent is dead. The kernel takes them away with the last process
/// behind them, which the search for orphans has just ended.
fn take_wires_away(live: &BTreeSet<String>, how: How, report: &mut CleanupReport) {
    for Wire { name, alias, run_id, agent } in network::wires() {
        if live.contains(&run_id) || agent.is_alive() {
            continue;
        }
        let what = format!("run {run_id}: the wire {name} to isolated services that outlived it");
        if how.dry_run {
            report.would.push(format!("{what}: remove it"));
            report.found.push(what);
            continue;
        }
        match undo::take_away(&name, &alias) {
            Ok(None) => continue,
            Ok(Some(done)) => report.undone.push(format!("{what}: {done}")),
            Err(error) => report.failed.push(format!("{what}: {error}")),
        }
        report.found.push(what);
    }
}

fn journals(folder: &Path) -> Result<Vec<PathBuf>, Error> {
    let failed = |source| Error::Journal { action: "look for", path: folder.to_owned(), source };
    let entries = match fs::read_dir(folder) {
        Ok(entries) => entries,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
        Err(error) => return Err(failed(error)),
    };
    let mut paths = Vec::new();
    for entry in entries {
        let path = entry.map_err(failed)?.path();
        if path.extension().is_some_and(|extension| extension == "journal") {
            paths.push(path);
        }
    }
    paths.sort();
    Ok(paths)
}

fn name(path: &Path) -> String {
    path.file_stem().map(|stem| stem.to_string_lossy().into_owned()).unwrap_or_default()
}

fn is_empty(path: &Path) -> bool {
    fs::read(path).is_ok_and(|bytes| !bytes.contains(&b'\n'))
}

/// Undoes what is open, the last first, and removes the journal once nothing is.
fn replay(path: &Path, found: &Found, report: &mut CleanupReport) {
    let run = &found.header.run_id;
    if boot_id().is_ok_and(|boot| boot != found.header.boot_id) {
        // Every process that it names ended with that boot; the same pids are strangers now.
        let (outlives, ended): (Vec<_>, Vec<_>) =
            found.open.iter().partition(|entry| entry.undo.iter().any(Undo::outlives_a_boot));
        let failures = report.failed.len();
        outlives.into_iter().rev().for_each(|entry| undo_entry(path, run, entry, report));
        if report.failed.len() > failures {
            return;
        }
        for entry in ended {
            report.found.push(format!("run {run}: {} `{}`, from before the last boot", entry.kind, entry.fault));
            report.undone.push(format!("run {run}: `{}` ended with that boot; nothing was touched", entry.fault));
        }
        return remove(path, report);
    }
    if let Some(agent) = found.agent {
        wait_for_agent(run, agent, AGENT_GRACE + time_for_commands(found), report);
    }
    let found = match journal::read(path) {
        Ok(found) => found,
        // The agent has closed it meanwhile.
        Err(_) if !path.exists() => return,
        Err(error) => return report.failed.push(error.to_string()),
    };
    let failures = report.failed.len();
    for entry in found.open.iter().rev() {
        undo_entry(path, run, entry, report);
    }
    if report.failed.len() == failures {
        remove(path, report);
    }
}

fn undo_entry(path: &Path, run: &str, entry: &journal::Entry, report: &mut CleanupReport) {
    let what = format!("{} `{}`", entry.kind, entry.fault);
    let mut whole = true;
    let mut sentences = Vec::new();
    for undo in &entry.undo {
        match undo::apply(undo) {
            Ok(done) => sentences.extend(done),
            Err(error) => {
                whole = false;
                report.failed.push(format!("run {run}: {what}: {error}"));
            }
        }
    }
    // Services that had all ended left nothing behind.
    let ended_alone = |undo: &Undo| matches!(undo, Undo::EndMarked { .. } | Undo::Network { .. });
    let nothing = sentences.is_empty() && entry.undo.iter().all(ended_alone);
    if whole && !nothing {
        report.found.push(format!("run {run}: {what}"));
        report.undone.push(format!("run {run}: {what}: {}", sentences.join("; ")));
    }
    if whole && let Err(error) = journal::note_undone(path, &entry.fault, "cleanup") {
        report.failed.push(error.to_string());
    }
}

/// The runner is dead, so its agent is at it already, or hangs. Give it a moment; then it is ended, so that two do not
/// work on the same thing.
fn wait_for_agent(run: &str, agent: ProcessId, grace: Duration, report: &mut CleanupReport) {
    if ends_within(agent, grace) {
        return;
    }
    match undo::end(agent) {
        Ok(()) => report.undone.push(format!("run {run}: its agent ({agent}) hung and was ended")),
        Err(error) => {
            report.failed.push(format!("run {run}: its agent ({agent}) hangs: {error}; run `kill -9 {}`", agent.pid));
        }
    }
}

/// Whether it is gone, or is by then.
fn ends_within(process: ProcessId, time: Duration) -> bool {
    Pidfd::open(process).map_or(true, |handle| handle.wait_end(time).unwrap_or(false))
}

/// An agent runs the commands that undo `exec` faults one after the other.
fn time_for_commands(found: &Found) -> Duration {
    let undo = found.open.iter().flat_map(|entry| &entry.undo);
    let time = |undo: &Undo| match undo {
        Undo::Run { command, .. } => command.within,
        Undo::StartContainers { grace, .. } => *grace,
        Undo::Cluster { .. } | Undo::EndsInPods { .. } => brunt_kubernetes::ANSWER,
        _ => Duration::ZERO,
    };
    undo.map(time).sum()
}

fn remove(path: &Path, report: &mut CleanupReport) {
    let log = path.with_extension("agent.log");
    for file in [path, &log] {
        match fs::remove_file(file) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => {
                report.failed.push(format!("cannot remove {}: {error}", file.display()));
            }
            _ => {}
        }
    }
}

/// Marked processes without any journal: those whose agent is dead and whose run nobody holds a lock for.
fn end_orphans(live: &BTreeSet<String>, how: How, report: &mut CleanupReport) {
    for marked in mark::find() {
        if live.contains(&marked.run_id) || marked.agent.is_some_and(ProcessId::is_alive) {
            continue;
        }
        let what = format!("run {}: a process that outlived it, {} ({})", marked.run_id, marked.name, marked.process);
        if how.dry_run {
            report.would.push(format!("{what}: end it"));
            report.found.push(what);
            continue;
        }
        // Who kills it keeps it from giving back what nobody else may know of.
        if marked.is_worker && ends_within(marked.process, WORKER_GRACE) {
            continue;
        }
        match undo::end(marked.process) {
            Ok(()) => report.undone.push(format!("{what}: ended")),
            Err(error) => report.failed.push(format!("{what}: {error}; run `kill -9 {}`", marked.process.pid)),
        }
        report.found.push(what);
    }
}
