//! Reads what /proc, /sys and the limits of this process say. Changes nothing, asks for no rights.

use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

use brunt_injector::docker::Docker;
use brunt_injector::error::DockerError;
use brunt_injector::journal;
use brunt_kubernetes::{Cluster, KubernetesError};
use nix::sys::resource::{Resource, getrlimit};
use rustix::fs::Access;
use rustix::process::{PidfdFlags, geteuid, getpid, pidfd_open};

use super::facts::{Descriptors, Facts, State, Terminal};
use super::timing;
use crate::isolation;
use crate::load::limits;

/// The capability to signal processes of others.
const CAP_KILL: u32 = 5;

/// Looks at everything; takes about half a second, for it measures.
pub fn look() -> Facts {
    let before = processor_time();
    let timer_late = timing::timer_lateness().map_err(|why| why.to_string());
    let loopback = timing::loopback().map_err(|why| why.to_string());
    let stolen = before.zip(processor_time()).map(|(before, after)| share_stolen(before, after));
    let about = crate::environment::describe(0, "");
    let uid = geteuid();
    Facts {
        kernel: about.kernel,
        has_pidfd: pidfd_open(getpid(), PidfdFlags::empty()).is_ok(),
        usable_cores: about.cores,
        cores: read("/proc/cpuinfo").lines().filter(|line| line.starts_with("processor")).count().max(about.cores),
        cpu_quota: cgroup("cpu.max").and_then(|text| quota(&text)),
        memory_mib: about.memory_mib,
        memory_limit_mib: cgroup("memory.max").and_then(|text| Some(text.trim().parse::<u64>().ok()? >> 20)),
        descriptors: descriptors(),
        ports: port_range(&read("/proc/sys/net/ipv4/ip_local_port_range")),
        clock_source: read("/sys/devices/system/clocksource/clocksource0/current_clocksource"),
        clock_ns: timing::clock_cost(),
        timer_late,
        stolen,
        loopback,
        state: state(),
        uid: uid.as_raw(),
        may_signal_others: has_capability(&read("/proc/self/status"), CAP_KILL),
        packet_rules: brunt_injector::packets::try_rules(),
        packet_queues: brunt_injector::packets::try_queues(),
        packet_emulation: brunt_injector::packets::emulation::works(),
        packet_verdicts: brunt_injector::packets::try_queue(),
        cgroups: brunt_injector::cgroup::site::try_rights(),
        file_accesses: brunt_injector::fault::disk::latency::may_hold(),
        kubernetes: kubernetes().map_err(|why| why.to_string()),
        docker: docker().map_err(|why| why.to_string()),
        isolation: isolation::look(&[]).map_err(|impossible| impossible.to_string()),
        terminal: terminal(|name| std::env::var(name).ok()),
    }
}

fn read(path: impl AsRef<Path>) -> String {
    fs::read_to_string(path).map(|text| text.trim().to_owned()).unwrap_or_default()
}

fn descriptors() -> Descriptors {
    let (soft, hard) = getrlimit(Resource::RLIMIT_NOFILE).unwrap_or((0, 0));
    Descriptors { soft, hard, connections: limits::connections(hard) }
}

/// A file of this process's cgroup (version 2), from the innermost folder that has it: a limit of an outer one counts too,
/// but only the nearest is named.
fn cgroup(file: &str) -> Option<String> {
    let own = read("/proc/self/cgroup");
    let path = own.lines().find_map(|line| line.strip_prefix("0::/"))?.to_owned();
    let root = Path::new("/sys/fs/cgroup");
    let mut folder: PathBuf = root.join(path);
    while folder.starts_with(root) {
        match fs::read_to_string(folder.join(file)) {
            Ok(text) if !text.starts_with("max") => return Some(text),
            _ if !folder.pop() => return None,
            _ => {}
        }
    }
    None
}

/// `200000 100000`: microseconds of processor time in each period.
fn quota(text: &str) -> Option<f64> {
    let (allowed, period) = text.trim().split_once(' ')?;
    Some(allowed.parse::<f64>().ok()? / period.parse::<f64>().ok()?)
}

fn port_range(text: &str) -> Option<(u16, u16)> {
    let mut ends = text.split_whitespace().map(str::parse);
    Some((ends.next()?.ok()?, ends.next()?.ok()?))
}

/// Ticks of all processors: all of them, and those that the host took.
fn processor_time() -> Option<(u64, u64)> {
    let text = read("/proc/stat");
    let line = text.lines().find(|line| line.starts_with("cpu "))?;
    let ticks: Vec<u64> = line.split_whitespace().skip(1).filter_map(|tick| tick.parse().ok()).collect();
    Some((ticks.iter().take(8).sum(), *ticks.get(7)?))
}

fn share_stolen(before: (u64, u64), after: (u64, u64)) -> f64 {
    let all = after.0.saturating_sub(before.0).max(1);
    after.1.saturating_sub(before.1) as f64 / all as f64
}

fn has_capability(status: &str, capability: u32) -> bool {
    let effective = status.lines().find_map(|line| line.strip_prefix("CapEff:"));
    let bits = effective.and_then(|hex| u64::from_str_radix(hex.trim(), 16).ok()).unwrap_or(0);
    bits & (1 << capability) != 0
}

fn state() -> Result<State, String> {
    let folder = journal::state_folder(None).map_err(|why| why.to_string())?;
    let mut state = State {
        folder: folder.display().to_string(),
        problem: not_writable(&folder),
        alive: Vec::new(),
        left_behind: Vec::new(),
    };
    let Ok(entries) = fs::read_dir(&folder) else { return Ok(state) };
    let mut journals: Vec<PathBuf> = entries.filter_map(|entry| Some(entry.ok()?.path())).collect();
    journals.retain(|path| path.extension().is_some_and(|end| end == "journal"));
    journals.sort();
    for path in journals {
        let name = path.file_stem().unwrap_or_default().to_string_lossy().into_owned();
        match journal::is_live(&path) {
            Ok(true) => state.alive.push(name),
            // One that cannot be read is left behind as well: cleanup says why.
            Ok(false) | Err(_) => state.left_behind.push(name),
        }
    }
    Ok(state)
}

/// Asks without writing: the folder, or the nearest one above it that is there.
fn not_writable(folder: &Path) -> Option<String> {
    let there = folder.ancestors().find(|path| path.exists())?;
    if !there.is_dir() {
        return Some(format!("{} is no folder", there.display()));
    }
    rustix::fs::access(there, Access::WRITE_OK | Access::EXEC_OK)
        .err()
        .map(|why| format!("{}: {}", there.display(), std::io::Error::from(why)))
}

/// Asks for the list of containers, as a run would.
fn docker() -> Result<String, DockerError> {
    let docker = Docker::of_this_host()?;
    docker.list()?;
    Ok(docker.socket().display().to_string())
}

/// Asks the cluster of the current context which one it is, with little patience: one that is away must not hold the rest up.
fn kubernetes() -> Result<String, KubernetesError> {
    let cluster = Cluster::of_context(None)?;
    let identity = cluster.ask(Duration::from_secs(2), async |client| cluster.identity(&client).await)?;
    Ok(identity.to_string())
}

fn terminal(variable: impl Fn(&str) -> Option<String>) -> Terminal {
    let size = rustix::termios::tcgetwinsize(std::io::stderr()).ok().map(|size| (size.ws_col, size.ws_row));
    let term = variable("TERM").unwrap_or_default();
    let characters = ["LC_ALL", "LC_CTYPE", "LANG"].into_iter().filter_map(&variable).find(|value| !value.is_empty());
    let characters = characters.unwrap_or_default().to_ascii_lowercase();
    Terminal {
        size,
        no_color: variable("NO_COLOR").is_some() || term == "dumb",
        utf8: characters.contains("utf-8") || characters.contains("utf8"),
        term,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_the_kernel_writes_is_read() {
        assert_eq!(quota("150000 100000\n"), Some(1.5));
        assert_eq!(quota("max 100000"), None);
        assert_eq!(port_range("32768\t60999"), Some((32768, 60999)));
        assert_eq!(port_range(""), None);
        assert!(has_capability("Name:\tx\nCapEff:\t0000000000000020\n", CAP_KILL));
        assert!(!has_capability("CapEff:\t0000000000000040", CAP_KILL));
        assert!(!has_capability("", CAP_KILL));
        assert_eq!(share_stolen((100, 10), (200, 15)), 0.05);
        assert_eq!(share_stolen((100, 10), (100, 10)), 0.0);
    }

    #[test]
    fn a_folder_that_is_not_there_is_judged_by_the_one_above_it() {
        let folder = tempfile::tempdir().expect("a temporary folder");
        assert_eq!(not_writable(&folder.path().join("a/b/c")), None);
        fs::write(folder.path().join("file"), "").expect("it is ours");
        let told = not_writable(&folder.path().join("file/b")).expect("a file is no folder");
        assert!(told.contains("is no folder"), "{told}");
    }

    #[test]
    fn a_terminal_says_what_it_can_by_its_variables() {
        let with = |set: &'static [(&str, &str)]| {
            terminal(move |name| set.iter().find(|(key, _)| *key == name).map(|(_, value)| (*value).to_owned()))
        };
        assert!(with(&[("LANG", "de_CH.UTF-8")]).utf8);
        assert!(!with(&[("LC_ALL", "C"), ("LANG", "de_CH.UTF-8")]).utf8, "LC_ALL is stronger");
        assert!(with(&[("TERM", "dumb")]).no_color && with(&[("NO_COLOR", "")]).no_color);
        assert!(!with(&[("TERM", "xterm")]).no_color);
    }

    #[test]
    fn this_machine_is_read_without_a_gap() {
        let facts = look();
        assert!(facts.has_pidfd && facts.cores >= facts.usable_cores && facts.usable_cores >= 1, "{facts:?}");
        assert!(facts.timer_late.is_ok() && facts.loopback.is_ok() && facts.ports.is_some(), "{facts:?}");
        assert!(facts.descriptors.hard >= facts.descriptors.soft && facts.kernel.starts_with("Linux"), "{facts:?}");
    }
}
