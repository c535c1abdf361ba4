//! The contract of everything that is *driven*.

use crate::time::Instant;

/// A state machine that owns all its waiting and does no I/O.
///
/// # The contract
///
/// - `now` never goes back.
/// - After [`handle`](Self::handle) or [`handle_timeout`](Self::handle_timeout), drain
///   [`poll_action`](Self::poll_action) until it is `None`, then ask
///   [`poll_timeout`](Self::poll_timeout) again. [`drive`] does just that.
/// - A timeout that comes early, late or twice changes nothing that the time itself does not.
/// - Results of actions come back as inputs that carry the id of the action. A result nobody waits
///   for any more is ignored.
/// - The same seed and the same inputs at the same times give the same actions, byte for byte.
pub trait Machine {
    /// What happened.
    type Input;
    /// What the driver must do now. It leaves nothing to choose.
    type Action;

    /// Takes note of what happened.
    fn handle(&mut self, now: Instant, input: Self::Input);

    /// Takes note of the time.
    fn handle_timeout(&mut self, now: Instant);

    /// The next thing to do, in order.
    fn poll_action(&mut self) -> Option<Self::Action>;

    /// When [`handle_timeout`](Self::handle_timeout) is wanted next, if at all.
    fn poll_timeout(&self) -> Option<Instant>;
}

/// Feeds one input (`None`: only the time), hands every action to `act` and returns the next
/// deadline.
pub fn drive<M: Machine>(
    machine: &mut M,
    now: Instant,
    input: Option<M::Input>,
    mut act: impl FnMut(M::Action),
) -> Option<Instant> {
    match input {
        Some(input) => machine.handle(now, input),
        None => machine.handle_timeout(now),
    }
    while let Some(action) = machine.poll_action() {
        act(action);
    }
    machine.poll_timeout()
}

/// The earlier of two deadlines, either of which may be absent.
pub fn soonest(a: Option<Instant>, b: Option<Instant>) -> Option<Instant> {
    match (a, b) {
        (Some(a), Some(b)) => Some(a.min(b)),
        (a, b) => a.or(b),
    }
}
