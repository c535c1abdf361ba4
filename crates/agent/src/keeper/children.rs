//! The processes that a keeper answers for: those it started, and those it found.

use std::collections::BTreeMap;
use std::path::Path;

use rustix::process::{Signal as Raw, WaitOptions, WaitStatus, wait};
use seaworthy_core::cluster::reconciler::Signal;
use seaworthy_core::endpoints::TaskId;
use seaworthy_core::record::Exit;
use tokio::signal::unix::{Signal as KernelSignal, SignalKind};
use tokio::sync::mpsc;

use crate::Error;
use crate::messages::Child;
use crate::processes::{Identity, of_fleet, signal_group, wait_for};
use crate::say::say;

/// Enough for a thread that only waits.
const STACK: usize = 64 << 10;

/// All children of the keeper, by process number.
pub(super) struct Children {
    all: BTreeMap<u32, Of>,
    /// A process that we started has ended.
    ended: KernelSignal,
    /// One that we found has ended.
    found: (mpsc::Sender<u32>, mpsc::Receiver<u32>),
}

/// One of them.
#[derive(Clone, Copy)]
struct Of {
    child: Child,
    identity: Identity,
    /// We started it, so its exit status is told to us.
    ours: bool,
}

/// A child that ended.
pub(super) struct Ended {
    pub(super) child: Child,
    pub(super) identity: Identity,
    pub(super) exit: Exit,
}

// === impl Children ===

impl Children {
    pub(super) fn new() -> Result<Self, Error> {
        let ended = super::watch(SignalKind::child())?;
        Ok(Self { all: BTreeMap::new(), ended, found: mpsc::channel(1024) })
    }

    /// One that we started. It is not reaped, so it can be looked at even if it has ended already.
    pub(super) fn started(&mut self, pid: u32, child: Child) -> Option<Identity> {
        let identity = Identity::of(pid)?;
        self.all.insert(pid, Of { child, identity, ours: true });
        Some(identity)
    }

    /// One that somebody else started, if it runs and is not known yet.
    pub(super) fn found(&mut self, identity: Identity, child: Child) {
        if self.all.contains_key(&identity.pid) {
            return;
        }
        let Some(watch) = identity.watch() else { return };
        let tell = self.found.0.clone();
        // Nobody tells us of its end, so a thread waits for it. That costs nothing meanwhile.
        let wait = move || {
            wait_for(&watch);
            let _ = tell.blocking_send(identity.pid);
        };
        let thread = std::thread::Builder::new().name("found".to_owned()).stack_size(STACK);
        match thread.spawn(wait) {
            Ok(_) => drop(self.all.insert(identity.pid, Of { child, identity, ours: false })),
            Err(error) => say(format_args!("keeper: {} cannot be adopted: {error}", identity.pid)),
        }
    }

    /// The tasks that an agent knows of, and those that say themselves that they are of this fleet.
    pub(super) fn adopt_tasks(&mut self, known: &[(TaskId, Identity)], directory: &Path) {
        for (task, identity) in known {
            self.found(*identity, Child::Task(*task));
        }
        for marked in of_fleet(directory) {
            if let (Some(task), None) = (marked.task, marked.part) {
                self.found(marked.identity, Child::Task(task));
            }
        }
    }

    pub(super) fn has(&self, child: Child) -> bool {
        self.all.values().any(|of| of.child == child)
    }

    pub(super) fn of(&self, child: Child) -> Vec<Identity> {
        self.all.values().filter(|of| of.child == child).map(|of| of.identity).collect()
    }

    /// From now on this child is another one.
    pub(super) fn rename(&mut self, identity: Identity, child: Child) {
        if let Some(of) = self.all.get_mut(&identity.pid) {
            of.child = child;
        }
    }

    /// Those that we started.
    pub(super) fn ours(&self) -> Vec<(u32, Child)> {
        self.all.iter().filter(|(_, of)| of.ours).map(|(pid, of)| (*pid, of.child)).collect()
    }

    pub(super) fn tasks(&self) -> Vec<(TaskId, Identity)> {
        let task = |of: &Of| match of.child {
            Child::Task(task) => Some((task, of.identity)),
            _ => None,
        };
        self.all.values().filter_map(task).collect()
    }

    pub(super) fn signal(&self, task: TaskId, signal: Signal) {
        let signal = match signal {
            Signal::Terminate => Raw::TERM,
            Signal::Kill => Raw::KILL,
        };
        for identity in self.of(Child::Task(task)) {
            if identity.is_alive() {
                signal_group(identity.pid, signal);
            }
        }
    }

    /// Waits until some have ended. Cancel safe.
    pub(super) async fn ended(&mut self) -> Result<Vec<Ended>, Error> {
        tokio::select! {
            _ = self.ended.recv() => self.reap(),
            Some(pid) = self.found.1.recv() => {
                let of = self.all.remove(&pid);
                Ok(of.map(|of| finish(of, Exit::Unknown)).into_iter().collect())
            }
        }
    }

    /// All that have ended by now.
    pub(super) fn reap(&mut self) -> Result<Vec<Ended>, Error> {
        let mut ended = Vec::new();
        loop {
            match wait(WaitOptions::NOHANG) {
                Ok(Some((pid, status))) => {
                    let pid = pid.as_raw_nonzero().get().unsigned_abs();
                    // What is not known is an orphan that came to us.
                    let of = self.all.remove(&pid);
                    ended.extend(of.map(|of| finish(of, exit(status))));
                }
                Ok(None) | Err(rustix::io::Errno::CHILD) => return Ok(ended),
                Err(rustix::io::Errno::INTR) => {}
                Err(error) => return Err(Error::Talk("kernel", error.into())),
            }
        }
    }
}

/// What a task leaves behind in its group goes with it.
fn finish(of: Of, exit: Exit) -> Ended {
    if let Child::Task(_) = of.child {
        signal_group(of.identity.pid, Raw::KILL);
    }
    Ended { child: of.child, identity: of.identity, exit }
}

fn exit(status: WaitStatus) -> Exit {
    match (status.exit_status(), status.terminating_signal()) {
        (Some(code), _) => Exit::Code(code),
        (None, Some(signal)) => Exit::Signal(signal),
        (None, None) => Exit::Unknown,
    }
}
