//! The mark that every service carries in its environment, so that what a crash leaves is found without any journal.

use std::collections::BTreeMap;
use std::fs;

use crate::process::{self, ProcessId};

/// The run that started the process.
pub const RUN_ID: &str = "BRUNT_RUN_ID";
/// The agent that looks after it, as `pid:start time`: while it lives, the process is nobody else's business.
pub const RUN_AGENT: &str = "BRUNT_RUN_AGENT";

/// Says in a worker's environment which fault it serves: `run/fault`.
pub const WORKS_FOR: &str = "BRUNT_WORKS_FOR";

/// A process that carries the mark. Descendants inherit it, whatever session or group they move to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Marked {
    /// Which process.
    pub process: ProcessId,
    /// Its name.
    pub name: String,
    /// The run.
    pub run_id: String,
    /// The agent, if the mark names one.
    pub agent: Option<ProcessId>,
    /// It is a worker of a fault, or was started by one: it ends by itself when its agent has, and first gives back what it took.
    pub is_worker: bool,
}

/// The variables that mark a service.
pub fn variables(run_id: &str, agent: ProcessId) -> [(String, String); 2] {
    [(RUN_ID.into(), run_id.into()), (RUN_AGENT.into(), format!("{}:{}", agent.pid, agent.start))]
}

/// All marked processes whose environment this user may read, but for this process itself.
pub fn find() -> Vec<Marked> {
    let mut found = Vec::new();
    for stat in process::all().unwrap_or_default() {
        if stat.is_zombie() || stat.id.pid == std::process::id() {
            continue;
        }
        let Ok(environment) = fs::read(format!("/proc/{}/environ", stat.id.pid)) else { continue };
        let variables = parse(&environment);
        let Some(run_id) = variables.get(RUN_ID) else { continue };
        let agent = variables.get(RUN_AGENT).and_then(|text| {
            let (pid, start) = text.split_once(':')?;
            Some(ProcessId { pid: pid.parse().ok()?, start: start.parse().ok()? })
        });
        let is_worker = variables.contains_key(WORKS_FOR);
        found.push(Marked { process: stat.id, name: stat.comm, run_id: run_id.clone(), agent, is_worker });
    }
    found
}

/// NUL-separated `NAME=value`; the last one of a name counts, as it does for getenv after a clean exec.
fn parse(environment: &[u8]) -> BTreeMap<String, String> {
    String::from_utf8_lossy(environment)
        .split('\0')
        .filter_map(|pair| pair.split_once('='))
        .filter(|(name, _)| [RUN_ID, RUN_AGENT, WORKS_FOR].contains(name))
        .map(|(name, value)| (name.to_owned(), value.to_owned()))
        .collect()
}
