//! A door: where clients come in for one service, whoever serves behind it.
//!
//! A service may be built anew while its gateway runs. Its door stays, and so do the clients that
//! came in by it: each looks up who serves at its next request. Looking costs one relaxed load.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};

use seaworthy_core::endpoints::{Endpoints, Sighting, Sightings, TaskId, Traffic};

use crate::service::Service;

/// The door of one service.
pub(crate) struct Door {
    /// Tells the doors of one gateway apart, also those of the same name one after the other.
    pub(crate) number: u32,
    /// The service's name.
    pub(crate) name: String,
    /// Counts the services that served behind it.
    generation: AtomicU64,
    behind: Mutex<Behind>,
    /// Clients that have come in.
    came: AtomicU64,
}

struct Behind {
    service: Arc<Service>,
    /// Earlier ones that may still have requests.
    earlier: Vec<Weak<Service>>,
    past: Past,
}

/// What those have counted whose last request is over.
#[derive(Clone, Default)]
struct Past {
    ended: u64,
    failed: u64,
    answered: BTreeMap<TaskId, u64>,
}

// === impl Door ===

impl Door {
    /// The door of `service`.
    pub(crate) fn new(number: u32, service: Arc<Service>) -> Self {
        Self {
            number,
            name: service.config.name.clone(),
            generation: AtomicU64::new(0),
            behind: Mutex::new(Behind { service, earlier: Vec::new(), past: Past::default() }),
            came: AtomicU64::new(0),
        }
    }

    /// Who serves new requests.
    pub(crate) fn service(&self) -> Arc<Service> {
        Arc::clone(&self.lock().service)
    }

    /// Who serves new requests, and in which generation.
    pub(crate) fn latest(&self) -> (u64, Arc<Service>) {
        let behind = self.lock();
        (self.generation(), Arc::clone(&behind.service))
    }

    /// All who serve or still have requests, the latest first.
    pub(crate) fn all(&self) -> Vec<Arc<Service>> {
        self.lock().all()
    }

    /// Tells all of them who the tasks are: what waits with an earlier one waits for these as well.
    pub(crate) fn endpoints(&self, endpoints: &Endpoints) {
        for service in self.all() {
            service.endpoints(endpoints.clone());
        }
    }

    /// Requests that wait with any of them.
    pub(crate) fn queued(&self) -> usize {
        self.all().iter().map(|service| service.queued()).sum()
    }

    /// Changes with everyone who serves. Read again under the lock before it is relied on.
    pub(crate) fn generation(&self) -> u64 {
        self.generation.load(Ordering::Relaxed)
    }

    /// From the next request on, `service` serves.
    pub(crate) fn replace(&self, service: Arc<Service>) {
        let mut behind = self.lock();
        let earlier = std::mem::replace(&mut behind.service, service);
        behind.earlier.retain(|earlier| earlier.strong_count() > 0);
        behind.earlier.push(Arc::downgrade(&earlier));
        self.generation.fetch_add(1, Ordering::Relaxed);
    }

    /// The last request of `service`, an earlier one, is over: what it has counted goes on counting.
    pub(crate) fn keep_counts(&self, service: &Arc<Service>) {
        let mut behind = self.lock();
        let it = Arc::downgrade(service);
        let before = behind.earlier.len();
        behind.earlier.retain(|earlier| !earlier.ptr_eq(&it));
        if behind.earlier.len() < before {
            let (seen, latest) = (service.sightings(), behind.service.sightings());
            behind.past.add(&seen, &latest);
        }
    }

    /// A client came in.
    pub(crate) fn count(&self) {
        self.came.fetch_add(1, Ordering::Relaxed);
    }

    /// How many came in so far.
    pub(crate) fn came(&self) -> u64 {
        self.came.load(Ordering::Relaxed)
    }

    /// What is seen of the tasks. Requests and answers are those of all who serve or served; how long
    /// they take is that of who serves.
    pub(crate) fn sightings(&self) -> Sightings {
        let (all, past) = {
            let behind = self.lock();
            (behind.all(), behind.past.clone())
        };
        let mut all = all.into_iter().map(|service| service.sightings());
        let mut seen = all.next().expect("somebody serves");
        seen.traffic.ended += past.ended;
        seen.traffic.failed += past.failed;
        let mut tasks: BTreeMap<TaskId, Sighting> =
            seen.tasks.into_iter().map(|seen| (seen.task, seen)).collect();
        for (task, answered) in past.answered {
            tasks.entry(task).and_modify(|seen| seen.answered += answered);
        }
        for earlier in all {
            let Traffic { ended, failed, running, p99: _ } = earlier.traffic;
            seen.traffic.ended += ended;
            seen.traffic.failed += failed;
            seen.traffic.running += running;
            for sighting in earlier.tasks {
                add(&mut tasks, &sighting);
            }
        }
        seen.tasks = tasks.into_values().collect();
        seen
    }

    fn lock(&self) -> MutexGuard<'_, Behind> {
        self.behind.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Adds what an earlier one sees of a task. One that nobody else knows is worth telling as long as it
/// has requests.
fn add(tasks: &mut BTreeMap<TaskId, Sighting>, earlier: &Sighting) {
    match tasks.get_mut(&earlier.task) {
        Some(seen) => {
            seen.in_flight += earlier.in_flight;
            seen.answered += earlier.answered;
        }
        None if earlier.in_flight > 0 => {
            tasks.insert(earlier.task, Sighting { in_rotation: false, ..earlier.clone() });
        }
        None => {}
    }
}

// === impl Behind ===

impl Behind {
    /// All who serve or still have requests, the latest first.
    fn all(&self) -> Vec<Arc<Service>> {
        let earlier = self.earlier.iter().filter_map(Weak::upgrade);
        [Arc::clone(&self.service)].into_iter().chain(earlier).collect()
    }
}

// === impl Past ===

impl Past {
    /// Adds what one has `seen`; answers only of tasks that the `latest` one knows as well.
    fn add(&mut self, seen: &Sightings, latest: &Sightings) {
        self.ended += seen.traffic.ended;
        self.failed += seen.traffic.failed;
        for task in &seen.tasks {
            *self.answered.entry(task.task).or_default() += task.answered;
        }
        self.answered.retain(|task, _| latest.of(*task).is_some());
    }
}
