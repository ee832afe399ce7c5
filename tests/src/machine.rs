//! Who may use the machine at the same time. Latencies that were measured beside another test measure that test.

use std::sync::{PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard};

static MACHINE: RwLock<()> = RwLock::new(());

/// Held by a test that measures: no other test that holds the machine runs beside it.
pub fn alone() -> RwLockWriteGuard<'static, ()> {
    // A test that failed while it held the machine does not make the others fail.
    MACHINE.write().unwrap_or_else(PoisonError::into_inner)
}

/// Held by a test that does not care what runs beside it, as long as that does not measure.
pub fn shared() -> RwLockReadGuard<'static, ()> {
    MACHINE.read().unwrap_or_else(PoisonError::into_inner)
}
