//! Some of the tasks of a model, by their numbers.

/// A set of them. Not one is beyond [`MOST`](Self::MOST).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Members(u128);

// === impl Members ===

impl Members {
    /// No model has more tasks.
    pub const MOST: u32 = u128::BITS;

    /// The first so many.
    pub fn first(count: u32) -> Self {
        (0..count).collect()
    }

    /// How many they are.
    pub fn count(self) -> u32 {
        self.0.count_ones()
    }

    /// Their numbers, in order.
    pub(super) fn numbers(self) -> impl Iterator<Item = u32> {
        (0..Self::MOST - self.0.leading_zeros()).filter(move |task| self.0 >> task & 1 == 1)
    }

    /// Those that are also among `others`.
    pub(super) fn among(self, others: Self) -> Self {
        Self(self.0 & others.0)
    }

    pub(crate) fn with(self, others: Self) -> Self {
        Self(self.0 | others.0)
    }

    pub(super) fn without(self, others: Self) -> Self {
        Self(self.0 & !others.0)
    }
}

impl From<u32> for Members {
    fn from(task: u32) -> Self {
        Self(1 << task)
    }
}

impl FromIterator<u32> for Members {
    fn from_iter<I: IntoIterator<Item = u32>>(tasks: I) -> Self {
        tasks.into_iter().map(Self::from).fold(Self::default(), Self::with)
    }
}
