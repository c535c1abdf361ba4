//! Waits for a moment, to well under a millisecond, without spinning.
//!
//! The runtime's own timers come up to two milliseconds late, which would be most of the lateness
//! of a generator. A timer of the kernel wakes the runtime through its poll, as a socket does.

use std::fs::File;
use std::io;

use rustix::time::{
    Itimerspec, TimerfdClockId, TimerfdFlags, TimerfdTimerFlags, Timespec, timerfd_create,
    timerfd_settime,
};
use seaworthy_agent::clock::now;
use seaworthy_core::time::Instant;
use tokio::net::unix::pipe::Receiver;

/// A timer of the kernel, on the clock of [`now`].
pub(crate) struct Pace {
    /// Not a pipe, but eight bytes come out of it in the same way.
    timer: Receiver,
    armed: Option<Instant>,
}

impl Pace {
    /// Must be called within a runtime.
    pub(crate) fn new() -> io::Result<Self> {
        let flags = TimerfdFlags::NONBLOCK | TimerfdFlags::CLOEXEC;
        let timer = File::from(timerfd_create(TimerfdClockId::Monotonic, flags)?);
        Ok(Self { timer: Receiver::from_file_unchecked(timer)?, armed: None })
    }

    /// Returns at `moment`, at once if it is past. Cancel safe.
    pub(crate) async fn until(&mut self, moment: Instant) -> io::Result<()> {
        while now() < moment {
            if self.armed != Some(moment) {
                let value = timespec(moment);
                let once = Itimerspec { it_interval: Timespec::default(), it_value: value };
                timerfd_settime(&self.timer, TimerfdTimerFlags::ABSTIME, &once)?;
                self.armed = Some(moment);
            }
            self.timer.readable().await?;
            // Whether it told this moment or an earlier one, the clock knows better.
            let _ = self.timer.try_read(&mut [0; 8]);
        }
        Ok(())
    }
}

fn timespec(moment: Instant) -> Timespec {
    let nanos = moment.as_nanos();
    Timespec {
        tv_sec: (nanos / 1_000_000_000).cast_signed(),
        tv_nsec: (nanos % 1_000_000_000).cast_signed(),
    }
}
