//! Containers of this host, found by name, label, or compose project and service; and those that brunt never touches.
//!
//! The engine says which containers there are and which process leads each. That process is looked at before it is believed:
//! the cgroup of a container's process has the container's id in its path. An engine that counts pids in another namespace
//! than ours (brunt in a container, with the socket passed in) names strangers.

use std::fs;
use std::os::unix::fs::MetadataExt as _;
use std::time::{Duration, Instant};

use brunt_scenario::plan::{DockerMatch, Fault};

use crate::cgroup::Membership;
use crate::docker::{Docker, Summary};
use crate::error::{Error, ResolveError};
use crate::fault::container::Held;
use crate::fault::packet;
use crate::namespace::Namespace;
use crate::process::{self, Stat};
use crate::target::{Members, Victim, netns};

/// A container with this label set to `true` is no member of any target.
pub const EXEMPT: &str = "brunt/exempt";
/// How long an engine may take to notice that a container has ended.
const NOTICED: Duration = Duration::from_secs(2);

/// The containers of a target, and those of them that faults hold.
///
/// # Errors
/// None fits (unless the fault has `allow_empty`), the engine cannot be asked, or one of them is where brunt itself runs.
pub fn members(fault: &Fault, wanted: &DockerMatch, held: &[Victim]) -> Result<Members, ResolveError> {
    let Found { alive, ids } = look(&fault.target, wanted, fault.allow_empty)?;
    check_networks(fault, &alive)?;
    let is_held = |id: &str| held.iter().any(|victim| victim.container() == Some(id));
    let held: Vec<&str> = ids.iter().map(String::as_str).filter(|id| is_held(id)).collect();
    let runs = |id: &str| alive.iter().any(|victim| victim.container() == Some(id));
    // What a fault has stopped is a member that is down.
    let total = alive.len() + held.iter().filter(|id| !runs(id)).count();
    let hit = alive.iter().filter(|victim| victim.container().is_some_and(is_held)).cloned().collect();
    Ok(Members { alive, total, hit })
}

/// All running containers that a fault may hit, by name.
///
/// # Errors
/// As for [`members`].
pub fn find_for(fault: &Fault, wanted: &DockerMatch) -> Result<Vec<Victim>, ResolveError> {
    let alive = find(&fault.target, wanted, fault.allow_empty)?;
    check_networks(fault, &alive)?;
    Ok(alive)
}

/// All running containers that fit, by name.
pub fn find(target: &str, wanted: &DockerMatch, allow_empty: bool) -> Result<Vec<Victim>, ResolveError> {
    look(target, wanted, allow_empty).map(|found| found.alive)
}

/// The members of a target.
struct Found {
    /// Those that run, by name.
    alive: Vec<Victim>,
    /// All of them.
    ids: Vec<String>,
}

fn look(target: &str, wanted: &DockerMatch, allow_empty: bool) -> Result<Found, ResolveError> {
    let search = |why: String| ResolveError::Search { target: target.into(), why };
    let docker = Docker::of_this_host().map_err(|error| search(error.to_string()))?;
    let all = docker.list().map_err(|error| search(error.to_string()))?;
    let fitting = all.iter().filter(|one| fits(wanted, one));
    let (exempt, members): (Vec<&Summary>, Vec<&Summary>) = fitting.partition(|one| one.label(EXEMPT) == Some("true"));
    let own = Membership::of(std::process::id()).map_err(|error| search(format!("/proc/self/cgroup: {error}")))?;
    let mut alive = Vec::new();
    for member in &members {
        if own.names(&member.id) {
            let (target, process) = (target.into(), format!("container {}", member.name()));
            return Err(ResolveError::Protected { target, process, why: "brunt itself runs in it".into() });
        }
        alive.extend(running(&docker, member).map_err(search)?);
    }
    alive.sort();
    if alive.is_empty() && !allow_empty {
        let why = format!("no container of this host {}{}", in_words(wanted), instead(&all, &members, &exempt));
        return Err(ResolveError::Empty { target: target.into(), why: why + "; `allow_empty: true` lets that pass" });
    }
    Ok(Found { alive, ids: members.iter().map(|member| member.id.clone()).collect() })
}

/// Whatever runs in a container now, by its cgroup.
pub fn processes(id: &str) -> Vec<u32> {
    let all = process::all().unwrap_or_default().into_iter().map(|stat| stat.id.pid);
    all.filter(|pid| Membership::of(*pid).is_ok_and(|of| of.names(id))).collect()
}

/// The network of a container, if it is the one that was picked.
pub fn namespace(victim: &Victim) -> Result<Namespace, Error> {
    let held = Held::of("network.*", victim)?;
    let namespace =
        Namespace::of_process(held.process.pid).map_err(|source| held.failed("enter the network of", source));
    // Looked at afterwards: the pid meant this container's process when its namespace was opened.
    held.still_there()?;
    namespace
}

/// In which network a container was put, in the engine's words: `bridge`, `host`, `container:<id>`...
pub(super) fn network_mode(victim: &Victim) -> Result<String, Error> {
    Ok(Held::of("from", victim)?.still_there()?.host_config.network_mode)
}

/// Faults on packets act on a network namespace, whoever is in it. One that others use too is refused: the host's
/// (`--network host`), that of another container (`--network container:X`, `network_mode: service:X`), a sidecar's.
fn check_networks(fault: &Fault, alive: &[Victim]) -> Result<(), ResolveError> {
    if packet::treatment(fault.kind, &fault.with).is_none() {
        return Ok(());
    }
    let target = &fault.target;
    let search = |why: String| ResolveError::Search { target: target.clone(), why };
    for victim in alive {
        let (Some(pid), Some(id)) = (victim.pid(), victim.container()) else { continue };
        let of = |pid: u32| fs::metadata(format!("/proc/{pid}/ns/net")).map(|file| file.ino());
        let own = of(pid).map_err(|error| search(format!("the network of {victim}: {error}; run brunt as root")))?;
        let protected =
            |why: String| ResolveError::Protected { target: target.clone(), process: victim.to_string(), why };
        if [1, std::process::id()].iter().any(|pid| of(*pid).is_ok_and(|other| other == own)) {
            let why = "its network is that of the host, or of brunt itself, and a fault on packets would hit everything there";
            return Err(protected(why.into()));
        }
        let all = process::all().map_err(|error| search(format!("cannot read /proc: {error}")))?;
        let beside = all.iter().filter(|stat| of(stat.id.pid).is_ok_and(|other| other == own));
        let strangers = beside.filter(|stat| !Membership::of(stat.id.pid).is_ok_and(|of| of.names(id)));
        let list: Vec<String> = strangers.map(|stat| format!("{} ({})", stat.comm, stat.id)).collect();
        if !list.is_empty() {
            let why = format!(
                "others share its network, and a fault on packets would hit them too: {}; hit the network of all of them \
                 with a `netns` target",
                list.join(", ")
            );
            return Err(protected(why));
        }
        let network =
            Namespace::of_process(pid).map_err(|error| search(format!("the network of {victim}: {error}")))?;
        let may = netns::may_have_rules(&network, &format!("the network of {victim}"));
        may.and_then(|()| netns::may_decide(fault, true)).map_err(search)?;
    }
    Ok(())
}

/// How many of them run now. One that went away while it was looked at is no member, and neither is any of an engine that
/// does not answer.
pub fn count(target: &str, wanted: &DockerMatch) -> usize {
    find(target, wanted, true).map_or(0, |found| found.len())
}

fn fits(wanted: &DockerMatch, one: &Summary) -> bool {
    match wanted {
        DockerMatch::Name(name) => one.name() == name,
        DockerMatch::Label { key, value } => one.label(key) == Some(value),
        DockerMatch::Compose { project, service } => {
            one.label("com.docker.compose.project") == Some(project)
                && one.label("com.docker.compose.service") == Some(service)
        }
    }
}

fn in_words(wanted: &DockerMatch) -> String {
    match wanted {
        DockerMatch::Name(name) => format!("runs under the name `{name}`"),
        DockerMatch::Label { key, value } => format!("runs with the label `{key}={value}`"),
        DockerMatch::Compose { project, service } => {
            format!("runs as service `{service}` of the compose project `{project}`")
        }
    }
}

/// What there is in place of what was looked for: those that fit and do not run or must not be hit, else what runs.
fn instead(all: &[Summary], members: &[&Summary], exempt: &[&Summary]) -> String {
    if !members.is_empty() {
        let states = members.iter().map(|one| format!("{} is {}", one.name(), one.state));
        return format!(" ({})", states.collect::<Vec<_>>().join(", "));
    }
    if !exempt.is_empty() {
        let names = exempt.iter().map(|one| one.name());
        return format!(" but for those with the label `{EXEMPT}=true`: {}", names.collect::<Vec<_>>().join(", "));
    }
    let mut running: Vec<&str> = all.iter().filter(|one| one.state == "running").map(Summary::name).collect();
    running.sort_unstable();
    match running.len() {
        0 => ", and no other one does".into(),
        1..=8 => format!("; those that run are {}", running.join(", ")),
        more => format!("; {more} others do"),
    }
}

/// The member with its process; `None` if it has none at the moment.
fn running(docker: &Docker, member: &Summary) -> Result<Option<Victim>, String> {
    let Some(container) = docker.inspect(&member.id).map_err(|error| error.to_string())? else { return Ok(None) };
    let state = container.state;
    if !state.running || state.restarting || state.pid == 0 {
        return Ok(None);
    }
    let led_by = |pid: u32| Stat::read(pid).ok().filter(|stat| !stat.is_zombie()).map(|stat| stat.id);
    let in_cgroup = |pid: u32| Membership::of(pid).is_ok_and(|of| of.names(&member.id));
    let Some(process) = led_by(state.pid).filter(|process| in_cgroup(process.pid)) else {
        return gone_or_foreign(docker, member, state.pid);
    };
    let (name, id, engine) = (member.name().to_owned(), member.id.clone(), docker.socket().to_owned());
    Ok(Some(Victim::Container { name, id, engine, process: Some(process) }))
}

/// A container whose process is not what the engine says has ended this instant, and the engine is about to notice; or the
/// engine counts pids in another namespace.
fn gone_or_foreign(docker: &Docker, member: &Summary, pid: u32) -> Result<Option<Victim>, String> {
    let until = Instant::now() + NOTICED;
    while Instant::now() < until {
        let again = docker.inspect(&member.id).map_err(|error| error.to_string())?;
        if again.is_none_or(|container| container.state.pid != pid) {
            return Ok(None);
        }
        std::thread::sleep(Duration::from_millis(20));
    }
    Err(format!(
        "the Docker Engine says that pid {pid} leads container {}, but here it does not: brunt must run on the host itself, \
         in the engine's pid namespace",
        member.name()
    ))
}
