//! How the changes of a fault on objects of a cluster come off.

use brunt_kubernetes::Cluster;
use brunt_kubernetes::inverse::{Back, Inverse};

use super::Reverted;

/// Puts changes back, each of them whatever becomes of the others, and tells what came of it.
pub fn put_all_back(cluster: &Cluster, inverses: &[Inverse], injected: &mut bool, mut reverted: Reverted) -> Reverted {
    if !*injected {
        return reverted;
    }
    let mut failed = Vec::new();
    let mut left = false;
    for inverse in inverses {
        match inverse.put_back(cluster) {
            Ok(Back::Restored(_) | Back::AsBefore(_)) => {}
            Ok(Back::Left(why)) => {
                left = true;
                reverted.residue.push(why);
            }
            Err(error) => failed.push(format!("{error}; run {}", inverse.by_hand())),
        }
    }
    reverted.rollback_verified = if failed.is_empty() { (!left).then_some(true) } else { Some(false) };
    reverted.error = (!failed.is_empty()).then(|| failed.join("; "));
    // What could not be put back is tried again.
    *injected = reverted.error.is_some();
    reverted
}
