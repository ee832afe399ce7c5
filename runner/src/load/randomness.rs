//! Where the load's random numbers come from: never the machine, always the scenario's seed.

use rand::{Rng, SeedableRng};
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
    /// Which journey of a mix an iteration takes.
    Mix = 4,
    /// Which row of a feeder an iteration gets.
    Rows = 5,
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

/// A key for [`draw`]: one for each purpose, seed, load entry and thing that it decides about.
pub fn key(purpose: Purpose, seed: u64, load: u64, which: u64) -> u64 {
    stream(purpose, seed, load, which).next_u64()
}

/// A random number for an index, without the ones before it: the output of SplitMix64 with this number (G. Steele, D. Lea,
/// C. Flood, "Fast Splittable Pseudorandom Number Generators", OOPSLA 2014). For decisions that are made for each iteration,
/// where a stream of ChaCha8 would take a hundred times as long.
pub fn draw(key: u64, index: u64) -> u64 {
    let mut z = key.wrapping_add(index.wrapping_add(1).wrapping_mul(0x9e37_79b9_7f4a_7c15));
    z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    z ^ (z >> 31)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn draws_are_the_outputs_of_splitmix64() {
        // The first outputs for the seed 1234567, as published with its reference code.
        let first = [6_457_827_717_110_365_317, 3_203_168_211_198_807_973, 9_817_491_932_198_370_423];
        assert_eq!([0, 1, 2].map(|index| draw(1_234_567, index)), first);
    }
}
