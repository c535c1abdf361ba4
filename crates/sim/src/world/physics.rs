//! What a simulation has to be told of the world: everything that nobody decides.

use std::time::Duration;

use seaworthy_core::fleet::written::as_written;
use seaworthy_core::time::Instant;
use serde::{Deserialize, Serialize};

use crate::distribution::{Dice, Distribution};

/// For whoever has done nothing for so long there has been a pause.
pub const PAUSE: Duration = Duration::from_secs(1);

/// Nobody starts slower by more times itself for each that starts beside it.
pub(crate) const MOST_CROWDED: f64 = 100.0;

/// The networks of a fleet.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Physics {
    /// From the gateway to a task, and back again.
    #[serde(with = "as_written")]
    pub hop: Duration,
    /// The link between agent and gateway.
    pub link: Network,
    /// How late whoever waits for a message or a moment wakes up: gateway, agent, a process that is to be
    /// started, and a task whose calls have a timeout.
    #[serde(default)]
    pub late: Distribution,
    /// Who waits for a moment wakes up later still, by up to two of these: it is rounded up to a whole one, and slept for
    /// whole ones from wherever the last ended.
    #[serde(default, with = "as_written", skip_serializing_if = "Duration::is_zero")]
    pub tick: Duration,
    /// How long it takes until something is on the disk: the agent acts on nothing before.
    #[serde(default)]
    pub write: Distribution,
    /// How long it takes to start a process, which is not its own start.
    #[serde(default)]
    pub spawn: Distribution,
    /// How long it takes from the end of a process until its keeper tells of it: it looks for what a task has left
    /// behind first.
    #[serde(default)]
    pub end: Distribution,
    /// By so much longer is the way of a request to a task after a pause.
    #[serde(default, with = "as_written", skip_serializing_if = "Duration::is_zero")]
    pub first: Duration,
    /// By so much of itself a process's own start is longer for each other one that starts at the time.
    #[serde(default)]
    pub crowd: f64,
    /// For so long the machine stands still while a process starts, with all that runs on it.
    #[serde(default)]
    pub lag: Distribution,
    /// When nobody does anything, if that happens.
    #[serde(default)]
    pub stalls: Option<Stalls>,
}

/// A machine that stands still now and then, with all that runs on it.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Stalls {
    /// Once in each such time, from a random moment of it on as soon as something is due,
    #[serde(with = "as_written")]
    pub every: Duration,
    /// for so long, which is less,
    #[serde(with = "as_written")]
    pub length: Duration,
    /// or, if they differ, half of the times longer: the deviation of their logarithms.
    #[serde(default)]
    pub spread: f64,
}

/// A network on which messages are late or lost.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Network {
    /// How late a message is.
    pub latency: Distribution,
    /// The share that is lost, 0 to 1.
    pub loss: f64,
}

/// When the timers of one program turn: each tick, from a moment of its own. Of two programs that wait for as long it
/// is always the same one that is there first.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Turns {
    tick: Duration,
    phase: Duration,
}

// === impl Physics ===

impl Physics {
    /// How late it is for whoever waited for a moment: until its timers turn, and then [`Self::late`].
    pub(crate) fn timer(&self, dice: &mut Dice) -> Duration {
        dice.part_of(self.tick) + self.late(dice)
    }

    /// How late it is for whoever slept until its timers turned: it does so for whole ticks, from wherever it began.
    pub(crate) fn late(&self, dice: &mut Dice) -> Duration {
        dice.part_of(self.tick) + dice.duration(self.late)
    }
}

// === impl Turns ===

impl Turns {
    /// Those of a program that begins now.
    pub(crate) fn of(physics: &Physics, dice: &mut Dice) -> Self {
        let Physics { tick, .. } = *physics;
        Self { tick, phase: dice.part_of(tick) }
    }

    /// How long after this moment is the next one of them.
    pub(crate) fn after(self, at: Instant) -> Duration {
        let [tick, phase] = [self.tick, self.phase].map(|time| time.as_nanos() as u64);
        let beyond = (at.as_nanos() + tick - phase).checked_rem(tick).unwrap_or_default();
        Duration::from_nanos(if beyond == 0 { 0 } else { tick - beyond })
    }
}

// === impl Default ===

/// One machine: loopback, and parts that answer at once.
impl Default for Physics {
    fn default() -> Self {
        Self {
            hop: Duration::from_micros(40),
            link: Network {
                latency: Distribution::Constant(Duration::from_micros(200)),
                loss: 0.0,
            },
            late: Distribution::default(),
            tick: Duration::ZERO,
            write: Distribution::default(),
            spawn: Distribution::default(),
            end: Distribution::default(),
            first: Duration::ZERO,
            crowd: 0.0,
            lag: Distribution::default(),
            stalls: None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn timers_of_a_program_turn_at_moments_of_its_own() {
        let micros = Duration::from_micros;
        let turns = Turns { tick: micros(1000), phase: micros(300) };
        let after = |at| turns.after(Instant::EPOCH + micros(at));
        assert_eq!([0, 300, 301, 5_000, 5_300].map(after), [300, 0, 999, 300, 0].map(micros));
        let mut dice = Dice::new(7, seaworthy_core::random::Stream::Machine);
        let none = Turns::of(&Physics::default(), &mut dice);
        assert_eq!(none.after(Instant::EPOCH + micros(5)), micros(0));
        let physics = Physics { tick: micros(1000), ..Physics::default() };
        let [one, other] = [(); 2].map(|()| Turns::of(&physics, &mut dice).phase);
        assert!(one != other && one.max(other) < physics.tick);
    }
}
