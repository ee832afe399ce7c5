//! Whether a share that was asked for is the one that was counted.

use crate::fault::Seen;
use crate::fault::link::{amount, grouped};

/// What was `done` to `acted` of the packets that `came`, where `share` of them was asked for. What happens in runs tells as much as
/// fewer packets on their own.
pub(super) fn judge(came: u64, acted: u64, (done, share, runs): (&str, f64, f64)) -> Seen {
    let of = format!("{} of {} were {done}", grouped(acted), amount(came, "packet"));
    let (came, acted) = (came as f64, acted as f64);
    let number = came / runs.max(1.0);
    if number * share < 10.0 {
        return if acted > 0.0 { Seen::Yes(of) } else { Seen::NotExercised(format!("{of}: too few came along")) };
    }
    let [low, high] = interval(acted / came, number);
    let text = format!("{of} ({:.2} %, asked for {:.2} %)", 100.0 * acted / came, 100.0 * share);
    if (low..=high).contains(&share) { Seen::Yes(text) } else { Seen::Absent(text) }
}

/// The interval in which the true share lies with 99.99 %, by Wilson's score (E. B. Wilson, JASA 22, 1927).
pub(super) fn interval(observed: f64, number: f64) -> [f64; 2] {
    const Z: f64 = 3.891;
    let spread = Z * Z / number;
    let middle = (observed + spread / 2.0) / (1.0 + spread);
    let half = Z / (1.0 + spread) * (observed * (1.0 - observed) / number + spread / (4.0 * number)).sqrt();
    // At both ends it touches what was observed, which rounding must not put outside.
    [(middle - half).min(observed), (middle + half).max(observed)]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_interval_is_wilsons() {
        // By hand for 5 of 100: (0.05 + 0.0757) / 1.1514 +- 3.891 / 1.1514 * sqrt(0.000475 + 0.0003785)
        let [low, high] = interval(0.05, 100.0);
        assert!((low - 0.0105).abs() < 0.002 && (high - 0.2079).abs() < 0.002, "{low} {high}");
        for number in 1..500 {
            let (all, none) = (interval(1.0, f64::from(number)), interval(0.0, f64::from(number)));
            assert!(all[1] >= 1.0 && none[0] <= 0.0, "{number}");
        }
    }
}
