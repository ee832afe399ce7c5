//! Where isolated services can be: as root in this host's own network, as an ordinary user in a user namespace of brunt's own.
//!
//! A process can enter a user namespace only while it has one thread, so brunt does it between reading the scenario and starting
//! its runtime, and only if a scenario asks for it. In there the user keeps its own id (programs that refuse root run), and the
//! network is a new one: the host's is out of reach, for brunt as for the services. Whatever a run needs from outside is refused
//! before anything is touched.

use std::fs;
use std::io;
use std::process::{Command, Stdio};

use brunt_injector::agent::network::Network;
use brunt_injector::agent::rights;
use brunt_injector::netlink::link;
use brunt_scenario::plan::{LinkTo, Piece, Plan, ProbeKind, Target, Text};
use nix::sched::{CloneFlags, unshare};
use nix::unistd::{getegid, geteuid};

/// Isolated services cannot be had here.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Impossible {
    /// This user may not make namespaces.
    #[error("services with `isolate: true` need network namespaces, and this user cannot make any: {why}; {cure}")]
    Forbidden {
        /// What the system said.
        why: String,
        /// What helps.
        cure: String,
    },
    /// What a child that has tried it said.
    #[error("{0}")]
    Told(String),
    /// The scenario needs this host's network.
    #[error(
        "without root, services with `isolate: true` live in a network of brunt's own, from where this host's is out of reach; \
         the run needs it for {}: run it as root, or as a run of its own without isolated services", .0.join(", ")
    )]
    Outside(Vec<String>),
}

/// How isolated services are had here.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Way {
    /// In this host's network.
    Here,
    /// In a user namespace.
    Apart,
}

/// Goes where the isolated services of these plans can be. Without any nothing happens.
///
/// # Errors
/// When that cannot be, or a plan needs what is out of reach there. Nothing is touched then.
pub fn enter(plans: &[Plan]) -> Result<Option<Way>, Impossible> {
    if !plans.iter().any(is_wanted) {
        return Ok(None);
    }
    if rights::are_here() {
        return Ok(Some(Way::Here));
    }
    let outside: Vec<String> = plans.iter().flat_map(outside).collect();
    if !outside.is_empty() {
        return Err(Impossible::Outside(outside));
    }
    go_apart().map_err(|error| forbidden(&error)).map(|()| Some(Way::Apart))
}

/// Whether a plan has isolated services.
pub fn is_wanted(plan: &Plan) -> bool {
    plan.services.iter().any(|service| service.isolated)
}

/// What [`enter`] would say, looked for in a child; this process stays where it is.
///
/// # Errors
/// As those of [`enter`].
pub fn look(plans: &[Plan]) -> Result<Way, Impossible> {
    let way = if rights::are_here() { Way::Here } else { Way::Apart };
    let outside: Vec<String> = plans.iter().flat_map(outside).collect();
    if way == Way::Apart && !outside.is_empty() {
        return Err(Impossible::Outside(outside));
    }
    let own = |error: io::Error| Impossible::Forbidden { why: error.to_string(), cure: cure(None) };
    let exe = std::env::current_exe().map_err(own)?;
    let output = Command::new(exe).args(["agent", "--attempt"]).stdin(Stdio::null()).output().map_err(own)?;
    match output.status.success() {
        true => Ok(way),
        false => Err(Impossible::Told(String::from_utf8_lossy(&output.stderr).trim().to_owned())),
    }
}

/// Makes a network for nobody, where nobody sees it, and lets it go. The process that tries stays there: a child is to do it.
///
/// # Errors
/// When services could not be isolated either, with the reason.
pub fn attempt() -> Result<Way, Impossible> {
    let way = if rights::are_here() { Way::Here } else { Way::Apart };
    let apart = if way == Way::Here { unshare(CloneFlags::CLONE_NEWNET).map_err(Into::into) } else { go_apart() };
    apart.map_err(|error| forbidden(&error))?;
    match Network::build("attempt", "brunt attempt", Vec::new()) {
        Ok(_network) => Ok(way),
        Err(error) => Err(Impossible::Forbidden { why: error.to_string(), cure: cure(None) }),
    }
}

/// User and network namespace, this user as itself, loopback up.
fn go_apart() -> io::Result<()> {
    let (user, group) = (geteuid(), getegid());
    unshare(CloneFlags::CLONE_NEWUSER | CloneFlags::CLONE_NEWNET)?;
    let write = |file: &str, text: String| {
        let path = format!("/proc/self/{file}");
        fs::write(&path, text).map_err(|error| io::Error::new(error.kind(), format!("{path}: {error}")))
    };
    // Groups could be dropped else, and with them what is forbidden to a group; the kernel insists.
    write("setgroups", "deny".into())?;
    write("uid_map", format!("{user} {user} 1"))?;
    write("gid_map", format!("{group} {group} 1"))?;
    let mut socket = link::open()?;
    let loopback = link::by_name(&mut socket, "lo")?.index;
    link::set_up(&mut socket, loopback)
}

fn forbidden(error: &io::Error) -> Impossible {
    Impossible::Forbidden { why: error.to_string(), cure: cure(error.raw_os_error()) }
}

/// The switches that are known to turn user namespaces off, in words that can be typed.
fn cure(number: Option<i32>) -> String {
    let is = |name: &str, value: &str| {
        let path = format!("/proc/sys/{}", name.replace('.', "/"));
        fs::read_to_string(path).is_ok_and(|text| text.trim() == value)
    };
    let switch =
        |name: &str, value: &str| format!("{name} forbids it: `sysctl -w {name}={value}` as root, or run as root");
    if is("kernel.unprivileged_userns_clone", "0") {
        switch("kernel.unprivileged_userns_clone", "1")
    } else if is("user.max_user_namespaces", "0") || number == Some(nix::libc::ENOSPC) {
        switch("user.max_user_namespaces", "10000")
    } else if is("kernel.apparmor_restrict_unprivileged_userns", "1") {
        switch("kernel.apparmor_restrict_unprivileged_userns", "0")
    } else {
        "run as root (in a container: with CAP_SYS_ADMIN and CAP_NET_ADMIN, and /proc/sys/net writable)".to_owned()
    }
}

/// What a plan needs from this host's network.
fn outside(plan: &Plan) -> Vec<String> {
    let mut needs = Vec::new();
    for (name, target) in &plan.targets {
        match target {
            Target::Url(url) if !is_own(url) => needs.push(format!("target `{name}` ({url})")),
            Target::Url(_) | Target::Service(_) | Target::Link(_) | Target::Process(_) => {}
            _ => needs.push(format!("target `{name}`")),
        }
    }
    for link in &plan.links {
        if let LinkTo::Address { host, port, .. } = &link.to {
            needs.push(format!("link `{}` ({host}:{port})", link.name));
        }
    }
    for probe in plan.steady_state.iter().flat_map(|steady| &steady.probes) {
        if let ProbeKind::Tcp { address } = &probe.kind
            && !is_own(address)
        {
            needs.push(format!("probe `{}` ({address})", probe.id));
        }
    }
    needs
}

/// An address that brunt itself gives, of a service or a link.
fn is_own(address: &Text) -> bool {
    matches!(address.0.first(), Some(Piece::Service { .. } | Piece::Link { .. }))
}

#[cfg(test)]
mod tests;
