//! Where the load's random numbers come from: never the machine, always the scenario's seed.

use rand::SeedableRng;
use rand_chacha::ChaCha8Rng;

/// What a stream of random numbers decides; two purposes never share a stream.
#[derive(Debug, Clone, Copy)]
pub enum Purpose {
    /// The gaps of Poisson arrivals.
    Arrivals = 1,
    /// `uuid()` and `rand_int()` of an iteration.
    Values = 2,
    /// The think times of an iteration.
    Think = 3,
}

/// The stream for (purpose, seed, load, iteration): ChaCha8 with these four numbers as its key, so any two streams are
/// independent and each can be made without the ones before it.
pub fn stream(purpose: Purpose, seed: u64, load: u64, iteration: u64) -> ChaCha8Rng {
    let mut key = [0; 32];
    for (part, number) in key.chunks_exact_mut(8).zip([purpose as u64, seed, load, iteration]) {
        part.copy_from_slice(&number.to_le_bytes());
    }
    ChaCha8Rng::from_seed(key)
}
