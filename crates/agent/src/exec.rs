//! Becomes another program, tied to the life of its parent.
//!
//! Every process of a fleet is started through this: the tie is made in the new process itself, so
//! no code has to run between fork and exec, which could not be done without `unsafe`. It costs one
//! more exec, about a millisecond.

use std::ffi::OsString;
use std::io;
use std::os::unix::process::CommandExt;
use std::process::Command;

use rustix::process::{Signal, getppid, set_parent_process_death_signal};

/// Replaces this process by `program`, which is killed when its parent, `parent`, ends. Returns
/// only if that cannot be done.
pub fn run(parent: u32, program: &OsString, arguments: &[OsString]) -> io::Error {
    if let Err(error) = set_parent_process_death_signal(Some(Signal::KILL)) {
        return error.into();
    }
    // The parent may have ended before the tie was made.
    if getppid().map(|pid| pid.as_raw_nonzero().get().unsigned_abs()) != Some(parent) {
        return io::Error::other("the keeper is gone");
    }
    Command::new(program).args(arguments).exec()
}
