//! What the operating system allows this process: file descriptors.

use nix::sys::resource::{Resource, getrlimit, setrlimit};

/// Descriptors that are not for load: the binary's own files, pipes of services, the screen, name servers, and two for each
/// worker's reactor.
const RESERVED: u64 = 256;

/// Raises the soft limit of open files to the hard one. Returns how many connections may be open, over all workers.
pub fn raise_descriptors() -> Result<usize, nix::Error> {
    let (soft, hard) = getrlimit(Resource::RLIMIT_NOFILE)?;
    if soft < hard {
        setrlimit(Resource::RLIMIT_NOFILE, hard, hard)?;
    }
    Ok(connections(hard))
}

/// How many connections may be open under this hard limit.
pub fn connections(hard: u64) -> usize {
    usize::try_from(hard.saturating_sub(RESERVED)).unwrap_or(usize::MAX).max(1)
}
