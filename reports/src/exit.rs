//! Every way in which the process may end, in one place.

/// An exit code. 2 and 3 exclude the rest, because nothing was run; of the others the strongest wins, in the order below.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Exit {
    /// 2: the command line or the scenario is wrong; nothing was started.
    Usage,
    /// 3: a check before the run failed, or the steady state was not met; nothing was injected.
    Preflight,
    /// 6: a fault could not be undone completely.
    RollbackIncomplete,
    /// 1: a bug in brunt, or a broken machine.
    Internal,
    /// 130: interrupted (SIGINT), and rolled back.
    Interrupted,
    /// 143: terminated (SIGTERM), and rolled back.
    Terminated,
    /// 4: a guardrail stopped it, and it was rolled back.
    Guardrail,
    /// 5: the measurement cannot be trusted.
    Invalid,
    /// 99: a gate failed.
    GatesFailed,
    /// 5: too little data to judge a gate.
    Inconclusive,
    /// 0: every gate held.
    Pass,
}

impl Exit {
    /// The strongest first.
    pub const STRONGEST_FIRST: [Self; 11] = [
        Self::Usage,
        Self::Preflight,
        Self::RollbackIncomplete,
        Self::Internal,
        Self::Interrupted,
        Self::Terminated,
        Self::Guardrail,
        Self::Invalid,
        Self::GatesFailed,
        Self::Inconclusive,
        Self::Pass,
    ];

    /// As the shell sees it.
    pub fn code(self) -> u8 {
        match self {
            Self::Pass => 0,
            Self::Internal => 1,
            Self::Usage => 2,
            Self::Preflight => 3,
            Self::Guardrail => 4,
            Self::Invalid | Self::Inconclusive => 5,
            Self::RollbackIncomplete => 6,
            Self::GatesFailed => 99,
            Self::Interrupted => 130,
            Self::Terminated => 143,
        }
    }

    /// The strongest of several: of one run's reasons, of several files, of the cells of a matrix. `Pass` if there is none.
    pub fn strongest(all: impl IntoIterator<Item = Self>) -> Self {
        all.into_iter().min_by_key(|exit| exit.strength()).unwrap_or(Self::Pass)
    }

    /// The exit for a signal, by its number or as the shell shows it (number + 128).
    pub fn of_signal(signal: i32) -> Self {
        if signal == 15 || signal == 143 { Self::Terminated } else { Self::Interrupted }
    }

    fn strength(self) -> usize {
        Self::STRONGEST_FIRST.iter().position(|exit| *exit == self).unwrap_or(usize::MAX)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_precedence_is_the_one_of_the_documentation() {
        let codes: Vec<u8> = Exit::STRONGEST_FIRST.iter().map(|exit| exit.code()).collect();
        assert_eq!(codes, [2, 3, 6, 1, 130, 143, 4, 5, 99, 5, 0]);
        for (stronger, exit) in Exit::STRONGEST_FIRST.iter().enumerate() {
            for weaker in &Exit::STRONGEST_FIRST[stronger..] {
                assert_eq!(Exit::strongest([*weaker, *exit]), *exit);
            }
        }
        assert_eq!(Exit::strongest([]), Exit::Pass);
    }

    #[test]
    fn a_signal_is_known_by_its_number_and_by_the_shells() {
        assert_eq!([2, 130, 15, 143].map(|s| Exit::of_signal(s).code()), [130, 130, 143, 143]);
    }
}
