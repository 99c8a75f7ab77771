//! Bugs put in on purpose, to see that simulations find them. Outside of unit tests and the feature `simulation`, which the
//! program has not, there are none and every question for one is answered at compile time.

/// A bug.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Bug {
    /// A planned change does not close the old primary.
    TwoPrimaries,
    /// A node is admitted without having caught up.
    EarlyAdmission,
    /// A scaling action that failed is held for running for ever.
    WedgedQueue,
}

impl Bug {
    /// All of them, with their names.
    pub const ALL: [(&'static str, Self); 3] = [
        ("two-primaries", Self::TwoPrimaries),
        ("early-admission", Self::EarlyAdmission),
        ("wedged-queue", Self::WedgedQueue),
    ];
}

/// Which bug is in; none by default.
#[derive(Clone, Copy, Debug, Default)]
pub struct Planted {
    #[cfg(any(test, feature = "simulation"))]
    bug: Option<Bug>,
}

impl Planted {
    /// With a bug.
    #[cfg(any(test, feature = "simulation"))]
    pub fn new(bug: Option<Bug>) -> Self {
        Self { bug }
    }

    /// Whether this one is in.
    #[inline]
    pub fn has(self, bug: Bug) -> bool {
        #[cfg(any(test, feature = "simulation"))]
        return self.bug == Some(bug);
        #[cfg(not(any(test, feature = "simulation")))]
        {
            let _ = bug;
            false
        }
    }
}
