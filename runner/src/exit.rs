//! Exit codes of several runs together.

/// From the strongest to the weakest: what is left behind outranks what broke, that outranks who stopped it, what could
/// not begin, what cannot be trusted, what failed.
const STRENGTH: [u8; 10] = [6, 1, 130, 143, 4, 2, 3, 5, 99, 0];

/// The code that says most of several; 0 for none.
pub fn strongest(codes: impl IntoIterator<Item = u8>) -> u8 {
    let rank = |code: &u8| STRENGTH.iter().position(|known| known == code).unwrap_or(1);
    codes.into_iter().min_by_key(rank).unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::strongest;

    #[test]
    fn what_is_left_behind_outranks_everything_and_a_failed_gate_outranks_a_pass() {
        assert_eq!(strongest([0, 99, 6, 5]), 6);
        assert_eq!(strongest([0, 99]), 99);
        assert_eq!(strongest([99, 5]), 5);
        assert_eq!(strongest([3, 99, 143]), 143);
        assert_eq!(strongest([]), 0);
    }
}
