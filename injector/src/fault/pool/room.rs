//! Room for connections: the limit of open files of this process, raised for as long as somebody needs it.
//!
//! What this process starts inherits the limit as it is at that moment, and services must not get another one than the user has
//! given them. So it goes back to what it was when the last fault that needs more of it ends.

use std::sync::{Mutex, PoisonError};

use nix::Result;
use nix::sys::resource::{Resource, getrlimit, setrlimit};

use super::exhaust::RESERVED;

/// Who needs how much, and what the soft limit was before the first.
static RAISED: Mutex<Raised> = Mutex::new(Raised { before: 0, needs: Vec::new() });

struct Raised {
    before: u64,
    needs: Vec<u64>,
}

/// Held by a fault; the room goes when this is dropped.
#[derive(Debug)]
pub(super) struct Room {
    need: u64,
    descriptors: u64,
}

impl Room {
    /// For so many, or as many as the hard limit lets this process have.
    ///
    /// # Errors
    /// The kernel's.
    pub fn of(wanted: u64) -> Result<Self> {
        let mut raised = RAISED.lock().unwrap_or_else(PoisonError::into_inner);
        let (soft, hard) = getrlimit(Resource::RLIMIT_NOFILE)?;
        if raised.needs.is_empty() {
            raised.before = soft;
        }
        let need = (wanted + RESERVED).min(hard);
        if soft < need {
            setrlimit(Resource::RLIMIT_NOFILE, need, hard)?;
        }
        raised.needs.push(need);
        Ok(Self { need, descriptors: need.max(soft).saturating_sub(RESERVED) })
    }

    /// How many there are for whoever asked.
    pub fn descriptors(&self) -> u64 {
        self.descriptors
    }
}

impl Drop for Room {
    fn drop(&mut self) {
        let mut raised = RAISED.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(own) = raised.needs.iter().position(|need| *need == self.need) {
            raised.needs.swap_remove(own);
        }
        let most = raised.needs.iter().copied().max().unwrap_or(0).max(raised.before);
        // Lowering a soft limit is always allowed, and what is open stays open.
        if let Ok((soft, hard)) = getrlimit(Resource::RLIMIT_NOFILE)
            && most < soft
        {
            let _ = setrlimit(Resource::RLIMIT_NOFILE, most, hard);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_limit_goes_back_when_the_last_who_needs_more_has_ended() {
        let soft = || getrlimit(Resource::RLIMIT_NOFILE).unwrap().0;
        let (before, hard) = getrlimit(Resource::RLIMIT_NOFILE).unwrap();
        // As high as it can be with something above it, for other tests of this process have the same limit meanwhile.
        let low = before.min(hard - 200);
        setrlimit(Resource::RLIMIT_NOFILE, low, hard).unwrap();
        let first = Room::of(low + 10).unwrap();
        let second = Room::of(low + 20).unwrap();
        assert_eq!(soft(), low + 20 + RESERVED);
        drop(second);
        assert_eq!(soft(), low + 10 + RESERVED);
        drop(first);
        assert_eq!(soft(), low);
        setrlimit(Resource::RLIMIT_NOFILE, before, hard).unwrap();
    }
}
