//! Processes of this host, found by name, pid, command line or port; and those that brunt never touches.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::net::SocketAddr;
use std::os::unix::fs::MetadataExt as _;
use std::path::Path;

use brunt_scenario::plan::{Fault, ProcessMatch};
use regex::Regex;

use crate::cgroup::Membership;
use crate::error::ResolveError;
use crate::fault::packet::dns;
use crate::process::{self, Stat};
use crate::target::{Victim, tcp_table};

/// Hitting one of these takes more than the target down: the way in, the containers, the node.
const NEVER: [&str; 6] = ["sshd", "dockerd", "containerd", "kubelet", "systemd", "init"];

/// All processes that fit, by pid. Errors: none (unless `allow_empty`), another number than `count`, a protected one.
pub fn find(target: &str, wanted: &ProcessMatch, allow_empty: bool) -> Result<Vec<Victim>, ResolveError> {
    let search = |why: String| ResolveError::Search { target: target.into(), why };
    let all = process::all().map_err(|error| search(format!("cannot read /proc: {error}")))?;
    let own = own_family(&all);
    let mut found = Vec::new();
    for stat in matching(wanted).map_err(search)? {
        protect(target, &stat, &own)?;
        found.push(Victim::Process { process: stat.id, name: stat.comm });
    }
    found.sort();
    judge_number(target, wanted, allow_empty, found)
}

/// The same, for this fault: one on names acts on all of a network namespace, so the process must have its own.
///
/// # Errors
/// As for [`find`], or others have its network, too.
pub fn find_for(fault: &Fault, wanted: &ProcessMatch) -> Result<Vec<Victim>, ResolveError> {
    let found = find(&fault.target, wanted, fault.allow_empty)?;
    if fault.kind == dns::KIND {
        for victim in &found {
            let (kind, target) = (fault.kind.into(), fault.target.clone());
            let alone = victim.pid().map_or(Ok(()), |pid| has_alone(victim, pid));
            alone.map_err(|why| ResolveError::Unfit { kind, target, why })?;
        }
    }
    Ok(found)
}

/// Whether only this process, what it started and the others of its process group are in its network namespace; if not, who
/// else is, and what helps.
pub fn has_alone(victim: &Victim, pid: u32) -> Result<(), String> {
    let of = |pid: u32| fs::metadata(format!("/proc/{pid}/ns/net")).map(|file| file.ino());
    let own = of(pid).map_err(|error| format!("the network of {victim}: {error}; run brunt as root"))?;
    let all = process::all().map_err(|error| format!("cannot read /proc: {error}"))?;
    let by_pid: BTreeMap<u32, &Stat> = all.iter().map(|stat| (stat.id.pid, stat)).collect();
    let group = by_pid.get(&pid).map(|stat| stat.group);
    let descends = |stat: &Stat| {
        let mut at = Some(stat);
        while let Some(stat) = at.filter(|stat| stat.id.pid != pid) {
            at = by_pid.get(&stat.parent).copied();
        }
        at.is_some()
    };
    let beside = all.iter().filter(|stat| of(stat.id.pid).is_ok_and(|other| other == own));
    let strangers: Vec<&Stat> = beside.filter(|stat| Some(stat.group) != group && !descends(stat)).collect();
    let Some(first) = strangers.first() else { return Ok(()) };
    let more = match strangers.len() {
        1 => String::new(),
        many => format!(" and {} more", many - 1),
    };
    Err(format!(
        "{victim} shares its network with {} ({}){more}, and an answer does not say whose question it answers: give it a network \
         of its own, or hit the whole network with a `netns` target",
        first.comm, first.id
    ))
}

/// Every process that meets all conditions, but for brunt itself and what cannot be hit.
fn matching(wanted: &ProcessMatch) -> Result<Vec<Stat>, String> {
    let cmdline = wanted.cmdline.as_deref().map(Regex::new).transpose().map_err(|error| error.to_string())?;
    let listeners = wanted.port.map(owners_of).transpose()?;
    let mut found = Vec::new();
    for stat in process::all().map_err(|error| format!("cannot read /proc: {error}"))? {
        let pid = stat.id.pid;
        // Zombies cannot be hit, and the kernel's own threads have no program.
        if stat.is_zombie() || stat.is_of_kernel {
            continue;
        }
        let fits = wanted.pid.is_none_or(|wanted| wanted == pid)
            && wanted.name.as_ref().is_none_or(|name| has_name(&stat, name))
            && cmdline.as_ref().is_none_or(|regex| regex.is_match(&command_line(pid).join(" ")))
            && listeners.as_ref().is_none_or(|pids| pids.contains(&pid));
        // brunt's own command line holds the words that it looks for, as pgrep's does; naming its pid is another matter.
        if fits && !(pid == std::process::id() && wanted.pid.is_none()) {
            found.push(stat);
        }
    }
    Ok(found)
}

/// The processes that are meant of the container beside which this process is, in a pod. Where the containers of the pod see each
/// other's processes, their cgroups tell whose they are: that of a container has its `id` in its path.
///
/// # Errors
/// None fits, or another number than `count`; its first process is among them; or this process sees none of them.
pub fn in_container(wanted: &ProcessMatch, id: Option<&str>) -> Result<Vec<Victim>, String> {
    if std::process::id() == 1 {
        return Err("the agent sees no process but itself: the runtime of the node does not let an ephemeral container share the \
                    pids of another one (`targetContainerName`)"
            .into());
    }
    let is_there = |pid: u32| id.is_none_or(|id| Membership::of(pid).is_ok_and(|of| of.names(id)));
    let all = process::all().map_err(|error| format!("cannot read /proc: {error}"))?;
    if let Some(id) = id.filter(|_| !all.iter().any(|stat| is_there(stat.id.pid))) {
        return Err(format!(
            "the pod has `shareProcessNamespace: true`, and no process that the agent there sees is in a cgroup of the container \
             that is meant ({id}): it was started again in this moment, or the node does not tell whose a process is"
        ));
    }
    let mut found = Vec::new();
    let meant = |stat: &Stat| is_there(stat.id.pid) && !is_agent(stat.id.pid);
    for stat in matching(wanted)?.into_iter().filter(meant) {
        if stat.id.pid == 1 {
            return Err(format!(
                "{} (pid 1) is the first process of its pid namespace: the kernel drops KILL and STOP for it that come from \
                 inside, and says that they were sent. `pod.kill` ends it; so does this fault where the pod has \
                 `shareProcessNamespace: true`; or let `process` mean only its children",
                stat.comm
            ));
        }
        found.push(Victim::Process { process: stat.id, name: stat.comm });
    }
    found.sort();
    let list = || found.iter().map(ToString::to_string).collect::<Vec<_>>().join(", ");
    match wanted.count {
        _ if found.is_empty() => {
            Err(format!("no process of the container has {}{}", wanted.in_words(), closest(wanted)))
        }
        Some(count) if count != found.len() => {
            Err(format!("{count} should have {}, and {} have: {}", wanted.in_words(), found.len(), list()))
        }
        _ => Ok(found),
    }
}

/// Whether it is an agent of brunt's in a pod, of this run or another one.
fn is_agent(pid: u32) -> bool {
    command_line(pid).get(1..) == Some(&["agent".to_owned(), "--in-pod".to_owned()])
}

fn judge_number(
    target: &str,
    wanted: &ProcessMatch,
    allow_empty: bool,
    found: Vec<Victim>,
) -> Result<Vec<Victim>, ResolveError> {
    if found.is_empty() && !allow_empty {
        let why = format!("no process of this host has {}{}", wanted.in_words(), closest(wanted));
        return Err(ResolveError::Empty { target: target.into(), why: why + "; `allow_empty: true` lets that pass" });
    }
    match wanted.count {
        Some(count) if count != found.len() && !(found.is_empty() && allow_empty) => Err(ResolveError::Count {
            target: target.into(),
            expected: format!("{count} {}", if count == 1 { "process" } else { "processes" }),
            found: format!("{} {}", found.len(), if found.len() == 1 { "was" } else { "were" }),
            list: found.iter().map(ToString::to_string).collect::<Vec<_>>().join(", "),
        }),
        _ => Ok(found),
    }
}

/// Which of several conditions nobody meets, and how many meet each of the others: that is the one to widen.
fn closest(wanted: &ProcessMatch) -> String {
    let parts = [
        ProcessMatch { name: wanted.name.clone(), ..ProcessMatch::default() },
        ProcessMatch { pid: wanted.pid, ..ProcessMatch::default() },
        ProcessMatch { cmdline: wanted.cmdline.clone(), ..ProcessMatch::default() },
        ProcessMatch { port: wanted.port, ..ProcessMatch::default() },
    ];
    let given: Vec<&ProcessMatch> = parts.iter().filter(|part| **part != ProcessMatch::default()).collect();
    if given.len() < 2 {
        return String::new();
    }
    let counted = given.iter().map(|part| match matching(part) {
        Ok(found) if found.is_empty() => format!("{}: nobody", part.in_words()),
        Ok(found) => format!("{}: {}", part.in_words(), found.len()),
        Err(why) => format!("{}: {why}", part.in_words()),
    });
    format!(" (each for itself: {})", counted.collect::<Vec<_>>().join(", "))
}

/// The executable's name: of the file, of the process (cut to 15 bytes by the kernel), or as it was called (a link such as
/// `python3`).
fn has_name(stat: &Stat, name: &str) -> bool {
    let base = |path: &Path| path.file_name().map(|name| name.to_string_lossy().into_owned());
    let exe = fs::read_link(format!("/proc/{}/exe", stat.id.pid)).ok().and_then(|path| base(&path));
    let exe = exe.map(|exe| exe.trim_end_matches(" (deleted)").to_owned());
    let called = command_line(stat.id.pid).first().and_then(|first| base(Path::new(first)));
    stat.comm == name || exe.as_deref() == Some(name) || called.as_deref() == Some(name)
}

fn command_line(pid: u32) -> Vec<String> {
    let bytes = fs::read(format!("/proc/{pid}/cmdline")).unwrap_or_default();
    String::from_utf8_lossy(&bytes).trim_end_matches('\0').split('\0').map(str::to_owned).collect()
}

/// brunt's runner and all that it stands on: its ancestors and its session's leader, each with the reason.
fn own_family(all: &[Stat]) -> BTreeMap<u32, &'static str> {
    let by_pid: BTreeMap<u32, &Stat> = all.iter().map(|stat| (stat.id.pid, stat)).collect();
    let mut family = BTreeMap::new();
    let mut at = by_pid.get(&std::process::id());
    if let Some(own) = at {
        family.insert(own.session, "it leads the session (the terminal) that brunt runs in");
        family.insert(own.id.pid, "it is brunt itself");
        for agent in all.iter().filter(|stat| stat.parent == own.id.pid) {
            if command_line(agent.id.pid).get(1).is_some_and(|word| word == "agent") {
                family.insert(agent.id.pid, "it is brunt's agent");
            }
        }
    }
    while let Some(parent) = at.and_then(|stat| by_pid.get(&stat.parent)) {
        family.entry(parent.id.pid).or_insert("brunt was started by it");
        at = Some(parent);
    }
    family
}

/// Refuses what must never be hit.
fn protect(target: &str, stat: &Stat, own: &BTreeMap<u32, &'static str>) -> Result<(), ResolveError> {
    let why = if stat.id.pid == 1 {
        "pid 1 takes the whole system (or container) down with it"
    } else if let Some(why) = own.get(&stat.id.pid) {
        why
    } else if NEVER.contains(&stat.comm.as_str()) {
        "whoever depends on it could not get in, or not undo it, any more"
    } else {
        return Ok(());
    };
    let process = format!("{} ({})", stat.comm, stat.id);
    Err(ResolveError::Protected { target: target.into(), process, why: why.into() })
}

/// The processes that hold a listening TCP socket on this port, in this network namespace.
fn owners_of(port: u16) -> Result<BTreeSet<u32>, String> {
    let mut inodes = BTreeSet::new();
    for table in ["/proc/self/net/tcp", "/proc/self/net/tcp6"] {
        // Without IPv6 there is no second table.
        if let Ok(text) = fs::read_to_string(table) {
            inodes.extend(listeners(&text).filter(|(listens, _)| listens.port() == port).map(|(_, inode)| inode));
        }
    }
    if inodes.is_empty() {
        return Ok(BTreeSet::new());
    }
    let mut owners = BTreeSet::new();
    for stat in process::all().map_err(|error| format!("cannot read /proc: {error}"))? {
        let Ok(descriptors) = fs::read_dir(format!("/proc/{}/fd", stat.id.pid)) else { continue };
        let holds = descriptors.flatten().any(|descriptor| {
            fs::read_link(descriptor.path()).is_ok_and(|to| inodes.contains(to.to_string_lossy().as_ref()))
        });
        if holds {
            owners.insert(stat.id.pid);
        }
    }
    if owners.is_empty() {
        return Err(format!(
            "somebody listens on port {port}, but this user may not see who; run as that user or as root"
        ));
    }
    Ok(owners)
}

/// The TCP ports on which these processes, or others of their process groups, listen: sorted, without repetition. What this
/// user may not see is left out.
pub fn ports_of(pids: &[u32]) -> Vec<u16> {
    let ports: BTreeSet<u16> = listening(pids).iter().map(SocketAddr::port).collect();
    ports.into_iter().collect()
}

/// The same with the addresses, each in the network namespace of its process.
pub fn listening(pids: &[u32]) -> BTreeSet<SocketAddr> {
    let all = process::all().unwrap_or_default();
    let groups: BTreeSet<u32> = all.iter().filter(|stat| pids.contains(&stat.id.pid)).map(|stat| stat.group).collect();
    let leads = |stat: &Stat| pids.contains(&stat.group) && groups.contains(&stat.group);
    let mut found = BTreeSet::new();
    for stat in all.iter().filter(|stat| pids.contains(&stat.id.pid) || leads(stat)) {
        let pid = stat.id.pid;
        let Ok(descriptors) = fs::read_dir(format!("/proc/{pid}/fd")) else { continue };
        let sockets: BTreeSet<String> = descriptors
            .flatten()
            .filter_map(|descriptor| Some(fs::read_link(descriptor.path()).ok()?.to_string_lossy().into_owned()))
            .filter(|to| to.starts_with("socket:"))
            .collect();
        for table in ["tcp", "tcp6"] {
            // Of the process's own network namespace.
            let text = fs::read_to_string(format!("/proc/{pid}/net/{table}")).unwrap_or_default();
            found.extend(listeners(&text).filter(|(_, inode)| sockets.contains(inode)).map(|(address, _)| address));
        }
    }
    found
}

/// The listening sockets of a table: address, and inode as descriptors link to it.
fn listeners(table: &str) -> impl Iterator<Item = (SocketAddr, String)> {
    let listening = tcp_table::rows(table).filter(|row| row.state == tcp_table::LISTEN);
    listening.map(|row| (row.local, format!("socket:[{}]", row.inode)))
}
