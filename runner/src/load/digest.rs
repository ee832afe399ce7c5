//! What a load entry does beside its arrivals, for the digest of the schedule: its journeys with their shares, and the rows
//! that they are fed with.

use brunt_scenario::plan::{Load, Plan, Rows};
use sha2::{Digest as _, Sha256};

/// Adds the mix of a load entry and the contents of its feeders. With the seed they decide which journey and which rows
/// each iteration takes. Rows from a file go in by the digest of the file, values as they are shown: a secret as `***`.
pub fn mix(plan: &Plan, load: &Load, hash: &mut Sha256) {
    hash.update((load.mix.len() as u64).to_le_bytes());
    for part in &load.mix {
        let Some(journey) = plan.journeys.get(part.journey) else { continue };
        text(hash, &journey.name);
        hash.update(part.share.to_bits().to_le_bytes());
        hash.update((journey.feed.len() as u64).to_le_bytes());
        for feeder in journey.feed.iter().filter_map(|feeder| plan.feeders.get(*feeder)) {
            text(hash, &feeder.name);
            text(hash, feeder.strategy.word());
            hash.update((feeder.weights.len() as u64).to_le_bytes());
            feeder.weights.iter().for_each(|weight| hash.update(weight.to_le_bytes()));
            match &feeder.rows {
                Rows::Table { table, .. } => text(hash, table.sha256()),
                Rows::Values(values) => values.iter().for_each(|value| text(hash, &value.to_string())),
            }
        }
    }
}

/// With its length, so that two texts are never taken for two others.
fn text(hash: &mut Sha256, text: &str) {
    hash.update((text.len() as u64).to_le_bytes());
    hash.update(text.as_bytes());
}
