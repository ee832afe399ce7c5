//! Intervals of shares.

/// Half width of the 95 % interval of the standard normal distribution.
const Z: f64 = 1.959_963_984_540_054;

/// The 95 % interval of a share by Wilson's score method (Newcombe, "Two-sided confidence intervals for the single
/// proportion", 1998, method 3). `n` may be fractional: an effective number of trials. `None` without trials.
pub fn wilson(share: f64, n: f64) -> Option<[f64; 2]> {
    if n <= 0.0 {
        return None;
    }
    let z2 = Z * Z;
    let centre = (share + z2 / (2.0 * n)) / (1.0 + z2 / n);
    let half = Z * (share * (1.0 - share) / n + z2 / (4.0 * n * n)).sqrt() / (1.0 + z2 / n);
    Some([(centre - half).max(0.0), (centre + half).min(1.0)])
}

/// The 95 % interval of the difference of two shares, the second taken from the first, each with its number of trials (Newcombe,
/// "Interval estimation for the difference between independent proportions", 1998, method 10). `None` without trials.
pub fn newcombe(of: (f64, f64), reference: (f64, f64)) -> Option<[f64; 2]> {
    let [low_of, high_of] = wilson(of.0, of.1)?;
    let [low_ref, high_ref] = wilson(reference.0, reference.1)?;
    let difference = of.0 - reference.0;
    let below = ((of.0 - low_of).powi(2) + (high_ref - reference.0).powi(2)).sqrt();
    let above = ((high_of - of.0).powi(2) + (reference.0 - low_ref).powi(2)).sqrt();
    Some([difference - below, difference + above])
}

/// How much more the parts of a count vary than independent trials would: Pearson's chi-square over its degrees of freedom,
/// at least 1 (McCullagh and Nelder, "Generalized Linear Models", 1989, 4.5). Errors cluster in time, so `n` divided by
/// this is the number of trials that they are worth. Takes pairs of failures and trials.
pub fn overdispersion(parts: &[(u64, u64)]) -> f64 {
    let (bad, n) = parts.iter().fold((0, 0), |(bad, n), part| (bad + part.0, n + part.1));
    let used = parts.iter().filter(|part| part.1 > 0).count();
    if used < 2 || bad == 0 || bad == n {
        return 1.0;
    }
    let share = bad as f64 / n as f64;
    let chi_square: f64 = parts
        .iter()
        .filter(|part| part.1 > 0)
        .map(|(bad, n)| (*bad as f64 - *n as f64 * share).powi(2) / (*n as f64 * share * (1.0 - share)))
        .sum();
    (chi_square / (used - 1) as f64).max(1.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn wilson_gives_the_values_of_newcombes_table() {
        let cases = [
            (81.0, 263.0, 0.2553, 0.3662),
            (15.0, 148.0, 0.0624, 0.1605),
            (0.0, 20.0, 0.0, 0.1611),
            (1.0, 29.0, 0.0061, 0.1718),
        ];
        for (bad, n, low, high) in cases {
            let [got_low, got_high] = wilson(bad / n, n).unwrap();
            assert!(
                (got_low - low).abs() < 5e-5 && (got_high - high).abs() < 5e-5,
                "{bad}/{n}: {got_low} to {got_high}"
            );
        }
        assert_eq!(wilson(0.0, 0.0), None);
    }

    #[test]
    fn newcombe_gives_the_values_of_his_table() {
        // Rows of the paper's table II, method 10.
        let cases = [
            (56.0, 70.0, 48.0, 80.0, 0.0524, 0.3339),
            (6.0, 7.0, 2.0, 7.0, 0.0582, 0.8062),
            (5.0, 56.0, 0.0, 29.0, -0.0381, 0.1926),
        ];
        for (x1, n1, x2, n2, low, high) in cases {
            let [got_low, got_high] = newcombe((x1 / n1, n1), (x2 / n2, n2)).unwrap();
            assert!(
                (got_low - low).abs() < 5e-5 && (got_high - high).abs() < 5e-5,
                "{x1}/{n1}: {got_low} to {got_high}"
            );
        }
        assert_eq!(newcombe((0.5, 0.0), (0.5, 10.0)), None);
    }

    #[test]
    fn errors_that_come_all_at_once_count_for_fewer_trials() {
        let even = vec![(1, 100); 20];
        assert_eq!(overdispersion(&even), 1.0);
        let mut at_once = vec![(0, 100); 20];
        at_once[7] = (20, 100);
        // By hand: p = 0.01; 19 parts of 1/0.99 and one of 19^2/0.99, over 19.
        let by_hand = (19.0 / 0.99 + 361.0 / 0.99) / 19.0;
        assert!((overdispersion(&at_once) - by_hand).abs() < 1e-9);
        assert_eq!(overdispersion(&[(0, 100), (0, 100)]), 1.0);
    }
}
