//! What a guarded call can end with besides an answer.

use std::any::Any;
use std::error::Error as StdError;
use std::fmt;
use std::time::Duration;

use seaworthy_core::policy::Rejection;
use tower::BoxError;

/// Why there is no answer.
///
/// One type for every layer, so that nested layers do not nest their errors: an inner layer's
/// error passes through an outer one as it is, and none of them mistakes an inner rejection for a
/// failure of the service.
#[derive(Debug)]
pub enum Error {
    /// A policy said no, and the inner service was not called.
    Rejected(Rejection),
    /// There was no answer by the deadline.
    Timeout {
        /// The call had begun so long before.
        after: Duration,
    },
    /// The inner service's own error.
    Inner(BoxError),
}

// === impl Error ===

impl Error {
    /// After how long it may be worth asking again, if that is known.
    pub fn retry_after(&self) -> Option<Duration> {
        match self {
            Self::Rejected(why) => why.retry_after(),
            Self::Timeout { .. } | Self::Inner(_) => None,
        }
    }

    /// The inner service's error, if it is of this type.
    pub fn inner<E: StdError + 'static>(&self) -> Option<&E> {
        match self {
            Self::Inner(error) => error.downcast_ref(),
            Self::Rejected(_) | Self::Timeout { .. } => None,
        }
    }

    /// The layers' own error in `error`, or in what it was caused by.
    pub fn find<'a>(error: &'a (dyn StdError + 'static)) -> Option<&'a Self> {
        let mut next = Some(error);
        while let Some(error) = next {
            if let Some(own) = error.downcast_ref() {
                return Some(own);
            }
            next = error.source();
        }
        None
    }

    /// What an inner service gave, which may be an inner layer.
    pub(crate) fn from_inner<E: Into<BoxError> + 'static>(error: E) -> Self {
        let mut slot = Some(error);
        if let Some(own) = (&mut slot as &mut dyn Any).downcast_mut::<Option<Self>>() {
            return own.take().expect("it was just put there");
        }
        let error: BoxError = slot.expect("nobody took it").into();
        error.downcast().map_or_else(Self::Inner, |own| *own)
    }

    /// The layers' own error, if an inner layer gave this one, boxed or not.
    pub(crate) fn of<E: 'static>(error: &E) -> Option<&Self> {
        let error: &dyn Any = error;
        let boxed =
            || error.downcast_ref::<BoxError>().and_then(|boxed| Self::find(boxed.as_ref()));
        error.downcast_ref().or_else(boxed)
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Rejected(why) => write!(f, "the call was not made: {why}"),
            Self::Timeout { after } => write!(f, "no answer within {after:.1?}"),
            Self::Inner(error) => error.fmt(f),
        }
    }
}

impl StdError for Error {
    fn source(&self) -> Option<&(dyn StdError + 'static)> {
        match self {
            Self::Rejected(_) | Self::Timeout { .. } => None,
            Self::Inner(error) => error.source(),
        }
    }
}
