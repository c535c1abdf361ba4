//! The directory in which a fleet keeps what outlives its processes.
//!
//! Files are replaced as a whole and never written in place: whoever is killed while it writes leaves
//! the old content. The one before is kept as well, in case the disk lost the latest.
//!
//! They outlive the program that wrote them, so each says its format. A type that is kept here
//! (`Stored` of the agent with core's `Snapshot`, and `Fleet`) is read by every later program: a field
//! that is added has a `#[serde(default)]`. Where that will not do, `FORMAT` is raised, and what is
//! older is read as what it was.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Write};
use std::os::fd::AsRawFd;
use std::os::unix::fs::{DirBuilderExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::thread::sleep;
use std::time::{Duration, Instant};

use rustix::fs::{FlockOperation, flock};
use rustix::io::Errno;
use seaworthy_core::fleet::Fleet;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

use crate::api::socket;
use crate::{Error, clients, handover};

/// The format of what this program writes, and the latest that it reads.
const FORMAT: u32 = 1;
/// Larger than this, a file of ours that is only added to begins anew.
const LONGEST_LOG: u64 = 8 << 20;
/// Longer than it takes from the start of a process until its program runs.
const MOMENT: Duration = Duration::from_millis(500);

/// Where a fleet keeps what outlives its processes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Directory(PathBuf);

/// What one process has for itself as long as it lives.
#[derive(Debug)]
pub(crate) struct Lock(pub(crate) File);

/// A file's content, and beside it which format that has.
#[derive(Serialize)]
struct Formatted<'a, T> {
    format: u32,
    #[serde(flatten)]
    content: &'a T,
}

/// What is read first of a file.
#[derive(Deserialize)]
struct Format {
    /// None was said at first.
    #[serde(default)]
    format: u32,
}

// === impl Directory ===

impl Directory {
    /// The directory at `path`, which is made if it is not there; nobody else may look into it.
    pub fn at(path: &Path) -> Result<Self, Error> {
        let failed = |what| move |source| Error::File { path: path.to_owned(), what, source };
        let absolute = std::path::absolute(path).map_err(failed("cannot be found"))?;
        if absolute.to_str().is_none() {
            return Err(Error::NotText { path: absolute });
        }
        if !path.is_dir() {
            let mut builder = fs::DirBuilder::new();
            builder.recursive(true).mode(0o700).create(path).map_err(failed("cannot be made"))?;
        }
        let path = path.canonicalize().map_err(failed("cannot be found"))?;
        Ok(Self(path))
    }

    /// The same of a directory that may be there no more.
    pub(crate) fn that_was_at(path: &Path) -> io::Result<Self> {
        let parent_and_name = || {
            let path = std::path::absolute(path)?;
            let (parent, name) = (path.parent(), path.file_name());
            let (Some(parent), Some(name)) = (parent, name) else { return Ok(path) };
            Ok(parent.canonicalize()?.join(name))
        };
        path.canonicalize().or_else(|_| parent_and_name()).map(Self)
    }

    /// Its absolute path.
    pub fn path(&self) -> &Path {
        &self.0
    }

    /// The fleet that runs, as meant, with the addresses it really has.
    pub fn fleet(&self) -> PathBuf {
        self.0.join("fleet.json")
    }

    /// The fleet to go on with, if there is one.
    pub fn known(&self) -> Result<Option<Fleet>, Error> {
        read(&self.fleet())
    }

    /// Whether there is a fleet to go on with.
    pub fn holds_a_fleet(&self) -> bool {
        [self.fleet(), before(&self.fleet())].iter().any(|path| path.exists())
    }

    /// The fleet that is to run next, as meant.
    pub(crate) fn wanted(&self) -> PathBuf {
        self.0.join("wanted.json")
    }

    /// What the agent must not forget.
    pub fn state(&self) -> PathBuf {
        self.0.join("state.json")
    }

    /// Where tasks write.
    pub fn tasks(&self) -> PathBuf {
        self.0.join("tasks")
    }

    /// Where what was decided is written.
    pub(crate) fn events(&self) -> PathBuf {
        self.0.join("events")
    }

    /// What tasks of an earlier fleet wrote, and what was decided about them, is not about the next one,
    /// whose tasks have the same names. It stays until there is a third.
    pub(crate) fn set_aside(&self) {
        for path in [self.tasks(), self.events()] {
            if path.exists() {
                let _ = fs::remove_dir_all(before(&path));
                let _ = fs::rename(&path, before(&path));
            }
        }
    }

    /// The fleet is no more. Whoever waits for that sees it at the API's socket, which goes last.
    pub(crate) fn forget(&self) {
        let files = [self.state(), self.fleet(), self.wanted()];
        let sockets = [clients::SOCKET, handover::SOCKET, socket::NAME];
        let sockets = sockets.map(|name| self.0.join(name));
        for path in files.iter().flat_map(|path| [path.clone(), before(path)]).chain(sockets) {
            let _ = fs::remove_file(path);
        }
    }

    /// Where our own processes write.
    pub fn log(&self) -> PathBuf {
        self.0.join("seaworthy.log")
    }

    /// The address of the socket `name` in the directory, however long the path is: an address has
    /// room for 107 bytes, so it goes by way of the open directory that is returned.
    pub fn socket(&self, name: &str) -> io::Result<(File, PathBuf)> {
        let directory = File::open(&self.0)?;
        let path = PathBuf::from(format!("/proc/self/fd/{}/{name}", directory.as_raw_fd()));
        Ok((directory, path))
    }

    /// Has `name` for this process alone, as long as the lock lives; none if somebody else has it for longer
    /// than a moment: until its program runs, a process that is being started has a copy of every lock of
    /// its parent, also of one that the parent has let go or died with.
    pub(crate) fn lock(&self, name: &str) -> Result<Option<Lock>, Error> {
        let path = self.0.join(name);
        let failed = |source| Error::File { path: path.clone(), what: "cannot be locked", source };
        let mut options = OpenOptions::new();
        let file = options.create(true).truncate(false).write(true).open(&path).map_err(failed)?;
        let deadline = Instant::now() + MOMENT;
        loop {
            match flock(&file, FlockOperation::NonBlockingLockExclusive) {
                Ok(()) => return Ok(Some(Lock(file))),
                Err(Errno::WOULDBLOCK) if Instant::now() < deadline => sleep(MOMENT / 100),
                Err(Errno::WOULDBLOCK) => return Ok(None),
                Err(error) => return Err(failed(error.into())),
            }
        }
    }

    /// Our own log, to add to.
    pub(crate) fn open_log(&self) -> Result<File, Error> {
        let path = self.log();
        let failed = |source| Error::File { path: path.clone(), what: "cannot be written", source };
        bound(&path);
        OpenOptions::new().create(true).append(true).open(&path).map_err(failed)
    }

    /// Bounds our own log.
    pub(crate) fn bound_log(&self) {
        bound(&self.log());
    }
}

/// Puts `content` into the file at `path`, wholly or not at all: when this returns it is on the disk.
pub fn write(path: &Path, content: &impl Serialize) -> Result<(), Error> {
    let failed = |source| Error::File { path: path.to_owned(), what: "cannot be written", source };
    let formatted = Formatted { format: FORMAT, content };
    let json = serde_json::to_vec_pretty(&formatted).expect("what we keep is plain data");
    replace(path, &json).map_err(failed)
}

/// What the file at `path` holds, or the one before it; none if there is neither.
pub(crate) fn read<T: DeserializeOwned>(path: &Path) -> Result<Option<T>, Error> {
    match read_one(path) {
        // What is before it is older than what happened since.
        Err(error @ Error::Newer { .. }) => Err(error),
        Err(error) => match read_one(&before(path)) {
            Ok(Some(value)) => {
                let (error, cause) = (&error, std::error::Error::source(&error));
                let cause = cause.map(ToString::to_string).unwrap_or_default();
                crate::say::say(format_args!("{error}: {cause}; the one before it is used"));
                Ok(Some(value))
            }
            _ => Err(error),
        },
        // Between two renames there is only the one before.
        Ok(None) => read_one(&before(path)),
        found => found,
    }
}

fn read_one<T: DeserializeOwned>(path: &Path) -> Result<Option<T>, Error> {
    match fs::read(path) {
        Ok(json) => {
            let damaged = |source| Error::Damaged { path: path.to_owned(), source };
            let Format { format } = serde_json::from_slice(&json).map_err(damaged)?;
            if format > FORMAT {
                return Err(Error::Newer { path: path.to_owned(), format, known: FORMAT });
            }
            serde_json::from_slice(&json).map(Some).map_err(damaged)
        }
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(source) => Err(Error::File { path: path.to_owned(), what: "cannot be read", source }),
    }
}

fn replace(path: &Path, content: &[u8]) -> io::Result<()> {
    let new = beside(path, "new");
    let mut file = OpenOptions::new().create(true).truncate(true).write(true).open(&new)?;
    file.set_permissions(fs::Permissions::from_mode(0o600))?;
    file.write_all(content)?;
    file.sync_data()?;
    match fs::rename(path, before(path)) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
        _ => {}
    }
    fs::rename(&new, path)
}

fn before(path: &Path) -> PathBuf {
    beside(path, "before")
}

fn beside(path: &Path, ending: &str) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(".");
    name.push(ending);
    name.into()
}

/// Whoever adds to it goes on at the new end.
fn bound(path: &Path) {
    let long = fs::metadata(path).is_ok_and(|meta| meta.len() > LONGEST_LOG);
    if long && fs::copy(path, before(path)).is_ok() {
        let _ = OpenOptions::new().write(true).open(path).and_then(|file| file.set_len(0));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Debug, PartialEq, Serialize, Deserialize)]
    struct Kept {
        number: u32,
    }

    fn kept(number: u32) -> Kept {
        Kept { number }
    }

    #[test]
    fn a_file_is_replaced_wholly_and_the_one_before_is_kept() {
        let temporary = tempfile::tempdir().unwrap();
        let directory = Directory::at(&temporary.path().join("a/b")).unwrap();
        let path = directory.state();
        assert_eq!(read::<Kept>(&path).unwrap(), None);
        write(&path, &kept(1)).unwrap();
        write(&path, &kept(2)).unwrap();
        assert_eq!(read(&path).unwrap(), Some(kept(2)));
        fs::write(&path, "{\"half").unwrap();
        assert_eq!(read(&path).unwrap(), Some(kept(1)), "half-written");
        fs::remove_file(&path).unwrap();
        assert_eq!(read(&path).unwrap(), Some(kept(1)), "killed between two renames");
        fs::write(&path, "").unwrap();
        fs::write(before(&path), "").unwrap();
        let error = read::<Kept>(&path).unwrap_err().to_string();
        assert!(error.contains("state.json"), "{error}");
    }

    #[test]
    fn a_full_disk_leaves_what_was_there() {
        let temporary = tempfile::tempdir().unwrap();
        let directory = Directory::at(temporary.path()).unwrap();
        write(&directory.state(), &kept(1)).unwrap();
        // Nothing can be written to the place of the new file.
        fs::create_dir(beside(&directory.state(), "new")).unwrap();
        assert!(write(&directory.state(), &kept(2)).is_err());
        assert_eq!(read(&directory.state()).unwrap(), Some(kept(1)));
    }

    #[test]
    fn a_file_says_its_format_and_one_of_a_later_program_is_not_guessed_at() {
        let temporary = tempfile::tempdir().unwrap();
        let path = temporary.path().join("state.json");
        write(&path, &kept(1)).unwrap();
        assert!(fs::read_to_string(&path).unwrap().contains("\"format\": 1"));
        fs::write(&path, "{\"number\": 2}").unwrap();
        assert_eq!(read(&path).unwrap(), Some(kept(2)), "none was said at first");
        write(&path, &kept(3)).unwrap();
        fs::write(&path, "{\"format\": 2, \"numbers\": [4]}").unwrap();
        let error = read::<Kept>(&path).unwrap_err().to_string();
        assert!(error.contains("newer") && error.contains("format 2"), "{error}");
    }

    #[test]
    fn a_lock_is_had_by_one() {
        let temporary = tempfile::tempdir().unwrap();
        let directory = Directory::at(temporary.path()).unwrap();
        let lock = directory.lock("lock").unwrap();
        assert!(lock.is_some() && directory.lock("lock").unwrap().is_none());
        drop(lock);
        assert!(directory.lock("lock").unwrap().is_some());
    }
}
