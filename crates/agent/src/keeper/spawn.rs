//! How a task's process is started.

use std::ffi::OsString;
use std::fs::{File, OpenOptions};
use std::io;
use std::path::{Path, PathBuf};
use std::process::Stdio;

use rustix::fs::{FallocateFlags, fallocate};
use rustix::io::Errno;

use super::Keeper;
use crate::messages::{Child, Spawn};
use crate::processes::Identity;
use crate::say::say;

/// So many bytes are kept for a task's output from its start.
const ROOM: u64 = 64 << 10;

impl Keeper {
    /// Starts the process of a task; an error says why it could not be.
    pub(super) fn spawn(&mut self, spawn: Spawn) -> Result<Identity, String> {
        let Spawn { task, command, environment, directory, log, within } = spawn;
        let (name, arguments) = command.split_first().ok_or("the command is empty")?;
        let program = find_program(name, &self.program, directory.as_deref())?;
        let out = output(&log)?;
        let err = out.try_clone().map_err(|e| format!("{}: {e}", log.display()))?;
        let words =
            std::iter::once(program.into_os_string()).chain(arguments.iter().map(OsString::from));
        let mut command = self.exec(&within, words);
        command.envs(environment.variables()).stdin(Stdio::null()).stdout(out).stderr(err);
        if let Some(directory) = directory {
            command.current_dir(directory);
        }
        let pid = command.spawn().map_err(|e| format!("{name}: cannot be started: {e}"))?.id();
        let started = self.children.started(pid, Child::Task(task));
        started.ok_or_else(|| format!("{name}: ended before it could be looked at"))
    }
}

/// Where a task writes. On a full disk it starts all the same, and what it writes is lost.
fn output(log: &Path) -> Result<File, String> {
    let failed = |path: &Path, e: &io::Error| format!("{}: cannot be written: {e}", path.display());
    let open = || OpenOptions::new().append(true).create(true).open(log);
    open().and_then(|file| reserve(&file).map(|()| file)).or_else(|error| {
        say(format_args!("keeper: {}; what the task writes is lost", failed(log, &error)));
        let nowhere = Path::new("/dev/null");
        OpenOptions::new().write(true).open(nowhere).map_err(|error| failed(nowhere, &error))
    })
}

/// Room for the first that a task writes: many a program ends if that fails.
fn reserve(file: &File) -> io::Result<()> {
    match fallocate(file, FallocateFlags::KEEP_SIZE, 0, ROOM) {
        // Not every file system can.
        Err(Errno::OPNOTSUPP | Errno::NOSYS) => Ok(()),
        reserved => Ok(reserved?),
    }
}

/// The file to run for `name`: this very program, a path as given (from `directory`, where the task
/// starts), or the first of that name in PATH.
pub fn find_program(
    name: &str,
    ourselves: &Path,
    directory: Option<&Path>,
) -> Result<PathBuf, String> {
    use std::os::unix::fs::PermissionsExt;
    let runnable = |path: &Path| {
        path.metadata().is_ok_and(|meta| meta.is_file() && meta.permissions().mode() & 0o111 != 0)
    };
    if name == "seaworthy" {
        return Ok(ourselves.to_owned());
    }
    if name.contains('/') {
        let path = directory.map_or_else(|| PathBuf::from(name), |directory| directory.join(name));
        return if runnable(&path) {
            Ok(path)
        } else {
            Err(format!("{}: there is no such program, or it is not executable", path.display()))
        };
    }
    let path = std::env::var_os("PATH").unwrap_or_default();
    std::env::split_paths(&path)
        .map(|directory| directory.join(name))
        .find(|path| runnable(path))
        .ok_or_else(|| format!("{name}: there is no such program in PATH ({})", path.display()))
}

#[cfg(test)]
mod tests {
    use std::io::Write;

    use super::*;

    #[test]
    fn where_there_is_no_room_a_task_writes_to_nowhere() {
        let mut output = output(Path::new("/dev/full")).unwrap();
        output.write_all(b"the disk is full").unwrap();
    }
}
