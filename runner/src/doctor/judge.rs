//! What the facts mean for a run, and what helps.

use brunt_injector::catalogue::{CGROUP, Entry, FANOTIFY, HTB, IN_POD, NETEM, QUEUE};
use brunt_report::render::format;
use brunt_scenario::catalogue::{self as language, TargetKind};

use super::facts::{Facts, Spread, State};
use super::{Check, Diagnosis, Health, Rung};
use crate::isolation::Way;

/// With fewer open files than this not even a small run has what it needs.
const DESCRIPTORS_NEEDED: u64 = 512;
/// With fewer connections than this load runs out of them sooner than of processors.
const CONNECTIONS_USUAL: usize = 4_000;
/// A run whose sends are later than this at the 99th percentile is invalid.
const LATE_INVALID_US: f64 = 10_000.0;
/// A lateness that is seen beside the latency of a service on the same machine.
const LATE_SEEN_US: f64 = 1_000.0;
/// A port rests so long after its connection was closed, seconds.
const PORT_RESTS_S: u32 = 60;

/// Judges everything.
pub fn judge(facts: &Facts) -> Diagnosis {
    let checks = vec![
        kernel(facts),
        processors(facts),
        memory(facts),
        descriptors(facts),
        ports(facts),
        clock(facts),
        timer(facts),
        stolen(facts),
        loopback(facts),
        journals(facts),
        leftovers(facts),
        isolation(facts),
        terminal(facts),
    ];
    Diagnosis { checks, rungs: rungs(facts) }
}

fn check(about: &'static str, health: Health, found: String, means: impl Into<String>, cure: &str) -> Check {
    let cure = (health != Health::Ok).then(|| cure.to_owned());
    Check { about, health, found, means: means.into(), cure }
}

fn kernel(facts: &Facts) -> Check {
    let health = if facts.has_pidfd { Health::Ok } else { Health::No };
    let means =
        if facts.has_pidfd { "" } else { "processes cannot be held by a handle: no services, no process faults" };
    check("kernel", health, facts.kernel.clone(), means, "Linux 5.3 or newer")
}

fn processors(facts: &Facts) -> Check {
    let quota = facts.cpu_quota.map(|quota| format!(", the cgroup allows {quota:.1} of processor time"));
    let found = format!("{} of {} usable{}", facts.usable_cores, facts.cores, quota.unwrap_or_default());
    let tight = facts.usable_cores < 2 || facts.cpu_quota.is_some_and(|quota| quota < 2.0);
    let (health, means) = if tight {
        (
            Health::Weak,
            "load and whatever runs beside it wait for each other; the report says when brunt was the bottleneck",
        )
    } else {
        (Health::Ok, "one load worker each, unless --workers says otherwise")
    };
    check("processors", health, found, means, "allow brunt two processors (taskset, --cpus), or load less")
}

fn memory(facts: &Facts) -> Check {
    let limit = facts.memory_limit_mib.filter(|limit| *limit < facts.memory_mib);
    let found = match limit {
        Some(limit) => format!("{} MiB, the cgroup allows {limit} MiB", facts.memory_mib),
        None => format!("{} MiB", facts.memory_mib),
    };
    let health = if limit.unwrap_or(facts.memory_mib) < 512 { Health::Weak } else { Health::Ok };
    check(
        "memory",
        health,
        found,
        "`brunt plan` says what a scenario may take",
        "allow 512 MiB, or fewer requests in flight",
    )
}

fn descriptors(facts: &Facts) -> Check {
    let files = facts.descriptors;
    let raised = if files.soft < files.hard { format!(", raised to {} by a run", files.hard) } else { String::new() };
    let found = format!("{} open files{raised}", files.soft);
    let connections = format::count(files.connections as u64);
    let (health, means) = if files.hard < DESCRIPTORS_NEEDED {
        (Health::No, "too few for a run: services, proxy and files need a few hundred".to_owned())
    } else if files.connections < CONNECTIONS_USUAL {
        (Health::Weak, format!("at most {connections} connections at once"))
    } else {
        (Health::Ok, format!("at most {connections} connections at once"))
    };
    let cure =
        "raise the hard limit: ulimit -Hn 65536 as root, LimitNOFILE= in a unit, --ulimit nofile=65536 in a container";
    check("open files", health, found, means, cure)
}

fn ports(facts: &Facts) -> Check {
    let Some((first, last)) = facts.ports else {
        let means = "how many connections one destination can have is not known";
        return check("ports", Health::Weak, "the range cannot be read".into(), means, "mount /proc");
    };
    let count = u32::from(last.saturating_sub(first)) + 1;
    let means = format!(
        "at most {} connections at once to one address and port; {} new ones a second when none is reused",
        format::count(u64::from(count)),
        format::count(u64::from(count / PORT_RESTS_S))
    );
    let health = if count < 10_000 { Health::Weak } else { Health::Ok };
    check("ports", health, format!("{first} to {last}"), means, "sysctl net.ipv4.ip_local_port_range='1024 65535'")
}

fn clock(facts: &Facts) -> Check {
    let source = if facts.clock_source.is_empty() { "source unknown" } else { &facts.clock_source };
    let found = format!("{source}, {:.0} ns a reading", facts.clock_ns);
    let health = if facts.clock_ns < 1_000.0 { Health::Ok } else { Health::Weak };
    let means =
        if health == Health::Ok { "" } else { "each request reads it several times: that alone takes processor time" };
    let cure = "see dmesg for why the kernel left tsc; a virtual machine may need its host's setting";
    check("clock", health, found, means, cure)
}

fn timer(facts: &Facts) -> Check {
    let late = match &facts.timer_late {
        Ok(late) => *late,
        Err(why) => {
            let means = "without timers there is no load";
            return check(
                "timer",
                Health::No,
                format!("no timerfd: {why}"),
                means,
                "a kernel or sandbox that has timerfd",
            );
        }
    };
    let means = format!(
        "a request may start up to {} late, which counts as its latency: smaller differences mean nothing here",
        microseconds(late.p99_us)
    );
    let (health, means) = if late.p99_us >= LATE_INVALID_US {
        // Not `No`: nothing is missing, and the next minute may be quieter.
        (Health::Weak, format!("{means}; a run that is as late is invalid (exit code 5)"))
    } else if late.p99_us >= LATE_SEEN_US {
        (Health::Weak, means)
    } else {
        (Health::Ok, means)
    };
    let found = format!("late by {} of {} wakes", spread(late), late.samples);
    check("timer", health, found, means, "stop what else runs here, or measure from a machine of its own")
}

fn stolen(facts: &Facts) -> Check {
    let (health, found) = match facts.stolen {
        None => (Health::Ok, "nobody counts it".to_owned()),
        Some(share) if share > 0.02 => (Health::Weak, format!("{:.1} % while this was measured", share * 100.0)),
        Some(share) => (Health::Ok, format!("{:.1} % while this was measured", share * 100.0)),
    };
    let means = if health == Health::Ok {
        ""
    } else {
        "the host gives these processors to others: latencies jump for no reason"
    };
    check("stolen time", health, found, means, "a machine with processors of its own")
}

fn loopback(facts: &Facts) -> Check {
    match &facts.loopback {
        Ok(took) => {
            let means = "there and back, two threads; a service on this machine cannot be seen to be quicker";
            check("loopback", Health::Ok, format!("{} of {} round trips", spread(*took), took.samples), means, "")
        }
        Err(why) => {
            let means = "brunt's proxy listens on 127.0.0.1: no links, no services";
            check("loopback", Health::No, why.clone(), means, "ip link set lo up")
        }
    }
}

fn journals(facts: &Facts) -> Check {
    let means = "what must be undone is written there before it is done";
    let none = "no fault without it: exit code 3";
    let cure = "make it writable for this user, or set XDG_STATE_HOME to a folder that is";
    match &facts.state {
        Ok(State { folder, problem: None, .. }) => check("state folder", Health::Ok, folder.clone(), means, cure),
        Ok(State { folder, problem: Some(why), .. }) => {
            check("state folder", Health::No, format!("{folder} cannot be written to: {why}"), none, cure)
        }
        Err(why) => check("state folder", Health::No, why.clone(), none, "set HOME or XDG_STATE_HOME"),
    }
}

fn leftovers(facts: &Facts) -> Check {
    let (alive, left): (&[String], &[String]) = match &facts.state {
        Ok(state) => (&state.alive, &state.left_behind),
        Err(_) => (&[], &[]),
    };
    let going_on = if alive.is_empty() { String::new() } else { format!("going on: {}", alive.join(", ")) };
    if left.is_empty() {
        let found = if going_on.is_empty() { "no earlier run left anything".to_owned() } else { going_on };
        return check("leftovers", Health::Ok, found, "", "");
    }
    let and = if going_on.is_empty() { String::new() } else { format!("; {going_on}") };
    let found = format!("{}{and}", left.join(", "));
    let means = "runs that ended before they could undo: something may still be broken here";
    check("leftovers", Health::Weak, found, means, "brunt cleanup")
}

fn isolation(facts: &Facts) -> Check {
    let (health, found, means) = match &facts.isolation {
        Ok(Way::Here) => (Health::Ok, "with this user's rights, beside this host's network".to_owned(), ""),
        Ok(Way::Apart) => {
            let means = "no root needed; a run with isolated services cannot reach this host's network then";
            (Health::Ok, "in a user namespace".to_owned(), means)
        }
        Err(why) => (Health::Weak, why.clone(), "no services with `isolate: true`: exit code 3"),
    };
    check("isolation", health, found, means, "root, or a system that lets its users make user namespaces")
}

fn terminal(facts: &Facts) -> Check {
    let terminal = &facts.terminal;
    let found = match terminal.size {
        None => "stderr is no terminal".to_owned(),
        Some((columns, rows)) => {
            let colors = if terminal.no_color { "no colours" } else { "colours" };
            let characters = if terminal.utf8 { "UTF-8" } else { "no UTF-8" };
            let term = if terminal.term.is_empty() { "TERM is not set" } else { &terminal.term };
            format!("{columns}x{rows}, {term}, {colors}, {characters}")
        }
    };
    let small = terminal.size.is_some_and(|(columns, rows)| columns < 60 || rows < 16);
    let (health, means) = match (terminal.size, small) {
        (None, _) => (Health::Ok, "a run writes lines there"),
        (_, true) => (Health::Weak, "too small for a screen"),
        (_, false) => (Health::Ok, ""),
    };
    check("terminal", health, found, means, "60 columns and 16 rows")
}

/// How the kinds of the catalogue are carried out, each mechanism once; then what the language knows and nothing can do yet.
fn rungs(facts: &Facts) -> Vec<Rung> {
    let mut rungs: Vec<Rung> = Vec::new();
    for entry in brunt_injector::catalogue::ALL {
        match rungs.iter_mut().find(|rung| rung.by == entry.rung) {
            // One for each kind of target that it is done to.
            Some(rung) if rung.kinds.contains(&entry.kind) => {}
            Some(rung) => rung.kinds.push(entry.kind),
            None => {
                let (works, needs) = can(entry, facts);
                rungs.push(Rung { by: entry.rung, kinds: vec![entry.kind], works, needs });
            }
        }
    }
    let kinds: Vec<&str> = language::ALL.iter().filter(|kind| !kind.is_built()).map(|kind| kind.name).collect();
    if !kinds.is_empty() {
        let needs = "refused by `plan` and `run`".to_owned();
        rungs.push(Rung { by: "not built in this version", kinds, works: false, needs });
    }
    rungs
}

/// Whether a kind that is built works here, and what it needs or lacks.
fn can(entry: &Entry, facts: &Facts) -> (bool, String) {
    match entry.kind.split('.').next() {
        _ if entry.rung == NETEM => match &facts.packet_emulation {
            Ok(()) => (true, "needs no more: tried in a network namespace".to_owned()),
            Err(why) => {
                let modules = "`modprobe -a sch_netem sch_prio ifb nft_fwd_netdev`";
                (
                    false,
                    format!(
                        "lacks the kernel's part: {why}; NFQUEUE and nf_tables serve instead, or, as root, {modules}"
                    ),
                )
            }
        },
        _ if entry.rung == HTB && facts.packet_rules.is_ok() && facts.packet_queues.is_err() => {
            let why = facts.packet_queues.as_ref().err().map_or("", String::as_str);
            (false, format!("lacks the kernel's part: {why}; run on a kernel with htb (`modprobe sch_htb`)"))
        }
        _ if entry.on.contains(&TargetKind::Netns) => {
            let (tried, part) = match entry.rung {
                QUEUE => (&facts.packet_verdicts, "nf_tables and nfnetlink_queue"),
                _ => (&facts.packet_rules, "nf_tables"),
            };
            match tried {
                Ok(()) => (true, "needs no more: tried in a network namespace".to_owned()),
                Err(why) => {
                    (false, format!("lacks rights or the kernel's part: {why}; run as root, on a kernel with {part}"))
                }
            }
        }
        _ if entry.rung == CGROUP => match &facts.cgroups {
            Ok(()) => (true, "needs a target in a cgroup of its own: a container, a systemd unit".to_owned()),
            Err(why) => (false, format!("lacks cgroups that may be written: {why}; run as root, on the host itself")),
        },
        _ if entry.rung == FANOTIFY => match &facts.file_accesses {
            Ok(()) => (true, "needs no more: tried on the root folder".to_owned()),
            Err(why) => (false, format!("lacks it: {why}")),
        },
        _ if entry.rung == IN_POD => in_cluster(facts),
        Some("stress") => (true, format!("needs no more for processes of uid {}; root for those of others", facts.uid)),
        Some("disk") => (true, "needs a folder that may be written to".to_owned()),
        Some("exec") => (true, "needs --allow-exec, and what the commands need".to_owned()),
        Some("process") if !facts.has_pidfd => (false, "lacks pidfds: see `kernel`".to_owned()),
        Some("process") if facts.may_signal_others => (true, "needs no more: processes of every user".to_owned()),
        Some("process") => {
            (true, format!("needs no more for processes of uid {}; root or CAP_KILL for those of others", facts.uid))
        }
        Some("container") => match &facts.docker {
            Ok(socket) if facts.may_signal_others => (true, format!("needs {socket}, which answers")),
            Ok(socket) => (true, format!("needs {socket}, which answers; root or CAP_KILL for container.kill")),
            Err(why) => (false, format!("lacks it: {why}")),
        },
        Some("pod" | "deployment" | "node") => in_cluster(facts),
        _ if facts.loopback.is_err() => (false, "lacks 127.0.0.1: see `loopback`".to_owned()),
        _ => (true, "needs no rights".to_owned()),
    }
}

fn in_cluster(facts: &Facts) -> (bool, String) {
    match &facts.kubernetes {
        Ok(cluster) => (true, format!("needs {cluster}, which answers; rights: `brunt kube rbac SCENARIO`")),
        Err(why) => (false, format!("lacks it: {why}")),
    }
}

fn spread(spread: Spread) -> String {
    format!("p50 {}, p99 {}", microseconds(spread.p50_us), microseconds(spread.p99_us))
}

fn microseconds(time: f64) -> String {
    format::ms(time / 1e3)
}
