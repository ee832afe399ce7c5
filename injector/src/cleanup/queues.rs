//! Queues of brunt's on links, and its links for what arrives, found by their handle and name alone, with no journal: in the
//! namespaces that have a name, in those of processes, and in this one.
//!
//! Beside the queues of a live run there is a table of nf_tables that its agent owns and that goes with it; queues without one
//! are what a death has left. They hold nothing, for nothing leads into them.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use super::{CleanupReport, How};
use crate::namespace::{Identity, Namespace};
use crate::netlink::nf_tables;
use crate::netlink::tc::tree::{Queues, Tree};
use crate::netlink::tc::{Handle, Place, Request, Tc};
use crate::packets::arrivals;

/// Removes them. A namespace that this user may not enter has nothing of theirs.
pub(super) fn remove_orphans(how: How, report: &mut CleanupReport) {
    for (at, namespace) in namespaces().into_values() {
        if how.dry_run {
            let queues = namespace.inside(orphans).unwrap_or_default();
            let queues = queues.iter().map(|queues| format!("a queue of brunt's on {}", queues.name));
            let link = namespace.inside(has_orphan_link).unwrap_or_default();
            for found in queues.chain(link.then(|| format!("brunt's link {}", arrivals::NAME))) {
                let found = format!("{found} in {}", at.display());
                report.would.push(format!("{found}: remove it"));
                report.found.push(found);
            }
            continue;
        }
        // First the link, with its queue.
        if namespace.inside(has_orphan_link).unwrap_or_default() {
            let found = format!("brunt's link {} in {}", arrivals::NAME, at.display());
            match namespace.inside(arrivals::remove).and_then(|removed| removed) {
                Ok(_) => report.undone.push(format!("{found}: removed")),
                Err(why) => {
                    let by_hand = format!("nsenter --net={} ip link del {}", at.display(), arrivals::NAME);
                    report.failed.push(format!("{found}: {why}; run `{by_hand}`"));
                }
            }
            report.found.push(found);
        }
        if let Ok(removed) = namespace.inside(remove) {
            for one in removed {
                let found = format!("a queue of brunt's on {} in {}", one.link, at.display());
                match one.outcome {
                    Ok(()) => report.undone.push(format!("{found}: removed; the link has what the kernel gives it")),
                    Err(why) => report.failed.push(format!(
                        "{found}: {why}; run `nsenter --net={} tc qdisc del dev {} root`",
                        at.display(),
                        one.link
                    )),
                }
                report.found.push(found);
            }
        }
    }
}

struct Removed {
    link: String,
    outcome: Result<(), String>,
}

/// On a thread that has entered the namespace.
fn orphans() -> Vec<Queues> {
    let Ok(mut tc) = Tc::open() else { return Vec::new() };
    let links = Tree::of(&mut tc).map(|tree| tree.links).unwrap_or_default();
    let left: Vec<Queues> =
        links.into_iter().filter(|queues| queues.is_own() && queues.name != arrivals::NAME).collect();
    if left.is_empty() || is_somebodys() { Vec::new() } else { left }
}

/// On a thread that has entered the namespace: a link through which nothing is sent any more.
fn has_orphan_link() -> bool {
    arrivals::find().is_ok_and(|found| found.is_some()) && !is_somebodys()
}

/// On a thread that has entered the namespace.
fn remove() -> Vec<Removed> {
    let Ok(mut tc) = Tc::open() else { return Vec::new() };
    let left = orphans();
    let each = |queues: Queues| {
        let asked = tc.ask(&Request::delete_qdisc(Place::root(queues.link, Handle::NONE)));
        Removed { link: queues.name, outcome: asked.map_err(|refused| refused.to_string()) }
    };
    left.into_iter().map(each).collect()
}

/// A table of brunt's is there, so its agent lives. Where they cannot be listed nobody knows, and nothing is touched.
fn is_somebodys() -> bool {
    nf_tables::tables().map_or(true, |names| names.iter().any(|name| name.starts_with("brunt-")))
}

/// Every network namespace that can be found, once, with where.
fn namespaces() -> BTreeMap<Identity, (PathBuf, Namespace)> {
    let below = |folder: &str| fs::read_dir(folder).into_iter().flatten().flatten().map(|entry| entry.path());
    // Nothing is joined to a name: with a slash behind it the kernel takes it for a folder, and there is none.
    let mut places: Vec<PathBuf> = below("/run/netns").collect();
    let numbered = |path: &Path| {
        let name = path.parent().and_then(Path::parent).and_then(Path::file_name);
        name.is_some_and(|name| name.to_string_lossy().bytes().all(|byte| byte.is_ascii_digit()))
    };
    places.extend(below("/proc").map(|path| path.join("ns/net")).filter(|path| numbered(path)));
    let mut found = BTreeMap::new();
    let mut seen = BTreeSet::new();
    for at in places {
        // Most processes share one: its inode tells that without entering it.
        let Ok(inode) = fs::metadata(&at).map(|about| about.ino()) else { continue };
        if seen.insert(inode)
            && let Ok(namespace) = Namespace::at(&at)
        {
            found.entry(namespace.identity()).or_insert((at, namespace));
        }
    }
    found
}
