//! Numbers below `n` in a random order, without a list of them: the place of each number is computed.
//!
//! A Feistel network over a rectangle that holds at least `n` fields, with its results outside of `0..n` sent through again
//! (J. Black, P. Rogaway, "Ciphers with Arbitrary Finite Domains", CT-RSA 2002: generalised Feistel and cycle walking). The
//! round function is SplitMix64's. This is no cipher: nobody attacks the order of test data, it only has to look random.

use super::randomness::draw;

/// Many more than Black and Rogaway's three: with 8, some orders of five numbers came twice as often as others. They take
/// less than 0.1 us.
const ROUNDS: u64 = 24;

/// Where `index` (below `n`) stands in the order that `key` decides.
pub fn place(key: u64, n: u64, index: u64) -> u64 {
    // The rectangle is as square as can be: fewer than one side more fields than needed, so few are walked twice.
    let width = n.isqrt().max(1);
    let width = if width * width < n { width + 1 } else { width };
    let height = n.div_ceil(width);
    let mut at = index;
    loop {
        at = shuffled(key, width, height, at);
        if at < n {
            return at;
        }
    }
}

fn shuffled(key: u64, width: u64, height: u64, at: u64) -> u64 {
    let (mut x, mut y) = (at % width, at / width);
    for round in 0..ROUNDS / 2 {
        x = (x + below(draw(key, ((2 * round) << 32) | y), width)) % width;
        y = (y + below(draw(key, ((2 * round + 1) << 32) | x), height)) % height;
    }
    y * width + x
}

/// A random number below `n`: multiply and shift, even to one part in 2^64 / n.
pub fn below(random: u64, n: u64) -> u64 {
    ((u128::from(random) * u128::from(n)) >> 64) as u64
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn every_number_has_one_place(key: u64, n in 1u64..3000) {
            let mut seen = vec![false; n as usize];
            for index in 0..n {
                let at = place(key, n, index) as usize;
                prop_assert!(!std::mem::replace(&mut seen[at], true), "{at} twice");
            }
        }
    }

    /// Pearson's chi-square of counts that should be equal.
    fn chi_square(counts: impl ExactSizeIterator<Item = u64> + Clone) -> f64 {
        let (cells, all) = (counts.len() as f64, counts.clone().sum::<u64>() as f64);
        counts.map(|count| (count as f64 - all / cells).powi(2) / (all / cells)).sum()
    }

    #[test]
    fn all_orders_of_few_numbers_are_equally_likely() {
        // The 99.99 % quantiles of chi-square with 1, 5, 23 and 119 degrees of freedom.
        for (n, orders, limit) in [(2u64, 2usize, 15.1), (3, 6, 25.7), (4, 24, 56.0), (5, 120, 186.0)] {
            let mut seen: BTreeMap<Vec<u64>, u64> = BTreeMap::new();
            for pass in 0..24_000 {
                let order = (0..n).map(|index| place(draw(7, pass), n, index)).collect();
                *seen.entry(order).or_default() += 1;
            }
            assert_eq!(seen.len(), orders, "orders of {n}");
            let chi = chi_square(seen.values().copied());
            assert!(chi < limit, "orders of {n}: chi-square {chi}");
        }
    }

    #[test]
    fn in_a_large_order_neighbours_have_nothing_to_do_with_each_other() {
        let n = 1_000_000;
        let mut gaps = [0u64; 20];
        for index in 0..100_000 {
            let (a, b) = (place(3, n, index), place(3, n, index + 1));
            gaps[((b + n - a) % n * 20 / n) as usize] += 1;
        }
        let chi = chi_square(gaps.iter().copied());
        assert!(chi < 52.0, "chi-square {chi} with 19 degrees of freedom");
    }
}
