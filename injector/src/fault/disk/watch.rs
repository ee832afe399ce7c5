//! Has the kernel ask about reads from files that are opened before `disk.latency` begins.
//!
//! Since Linux 6.14 it is decided when a file is opened whether anybody is asked about its reads: by whether anybody wants to be
//! at that moment. A database opens its files when it starts. So before a service starts, somebody wants to be asked about its
//! folders, and wants to ignore just that: the kernel then asks nobody, so nothing waits and nobody has to answer, but the reads
//! from files that were opened meanwhile can be held later. It ends with the agent, whose descriptor it is.

use std::path::Path;

use nix::errno::Errno;
use nix::sys::fanotify::{Fanotify, MarkFlags, MaskFlags};

use super::{Folder, tree};
use crate::agent::worker::gate;
use crate::process::ProcessId;

/// Lasts until it is dropped.
#[derive(Debug)]
pub struct Watch(#[expect(dead_code, reason = "held so that its marks stay")] Fanotify);

impl Watch {
    /// On a folder, as this process sees it, and all that are below it now. Nothing (`None`) where there is no such folder yet, and
    /// on kernels that know no way to ignore so much (before 6.0): those ask about the reads of all files.
    ///
    /// # Errors
    /// Why not, as a sentence.
    pub fn on(path: &str) -> Result<Option<Self>, String> {
        if !Path::new(path).is_dir() {
            return Ok(None);
        }
        let told =
            |error: Errno| format!("accesses to the files in {path} cannot be watched (fanotify): {}", error.desc());
        let process = ProcessId::own().map_err(|error| format!("cannot tell its own process: {error}"))?;
        let group = gate::group().map_err(told)?;
        let reads = MaskFlags::FAN_ACCESS_PERM | MaskFlags::FAN_EVENT_ON_CHILD;
        let marked = tree::walk(&Folder { process, path: path.to_owned() }, |found| {
            // The other way round somebody could ask in between, and would wait for ever.
            for how in [MarkFlags::FAN_MARK_IGNORE_SURV, MarkFlags::empty()] {
                group.mark(MarkFlags::FAN_MARK_ADD | MarkFlags::FAN_MARK_ONLYDIR | how, reads, found, None::<&str>)?;
            }
            Ok(())
        });
        match marked {
            Ok(_) => Ok(Some(Self(group))),
            Err(_) if !knows_how_to_ignore(&group, reads) => Ok(None),
            Err(why) => Err(why),
        }
    }
}

/// Tried on the root folder itself: nobody is asked about reading that.
fn knows_how_to_ignore(group: &Fanotify, reads: MaskFlags) -> bool {
    let flags = MarkFlags::FAN_MARK_ADD | MarkFlags::FAN_MARK_IGNORE_SURV;
    group.mark(flags, reads, nix::fcntl::AT_FDCWD, Some("/")) != Err(Errno::EINVAL)
}
