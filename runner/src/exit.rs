//! Exit codes of several runs together.

/// From the strongest to the weakest: what is left behind outranks what broke, that outranks who stopped it, what could
/// not begin, what cannot be trusted, what failed.
const STRENGTH: [u8; 10] = [6, 1, 130, 143, 4, 2, 3, 5, 99, 0];

/// What a run's exit code means, for helps and man pages.
pub const MEANINGS: &[(&str, &str)] = &[
    ("0", "every gate held"),
    ("99", "a gate failed"),
    ("5", "the measurement cannot be trusted, or is too small to judge; never a pass"),
    ("2", "the command line or a scenario is wrong; nothing was started"),
    ("3", "pre-flight failed or the steady state was not met; nothing was injected"),
    ("4", "a guardrail aborted it; rolled back"),
    ("6", "something could not be undone: brunt cleanup"),
    ("130, 143", "stopped by SIGINT or SIGTERM; rolled back"),
    ("1", "an internal error, or results could not be written"),
];

/// The code that says most of several; 0 for none.
pub fn strongest(codes: impl IntoIterator<Item = u8>) -> u8 {
    let rank = |code: &u8| STRENGTH.iter().position(|known| known == code).unwrap_or(1);
    codes.into_iter().min_by_key(rank).unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_code_has_a_meaning_and_only_these() {
        let told: Vec<u8> = MEANINGS
            .iter()
            .flat_map(|(codes, _)| codes.split(", "))
            .map(|code| code.parse().expect("a code"))
            .collect();
        assert!(STRENGTH.iter().all(|code| told.contains(code)) && told.len() == STRENGTH.len(), "{told:?}");
    }

    #[test]
    fn what_is_left_behind_outranks_everything_and_a_failed_gate_outranks_a_pass() {
        assert_eq!(strongest([0, 99, 6, 5]), 6);
        assert_eq!(strongest([0, 99]), 99);
        assert_eq!(strongest([99, 5]), 5);
        assert_eq!(strongest([3, 99, 143]), 143);
        assert_eq!(strongest([]), 0);
    }
}
