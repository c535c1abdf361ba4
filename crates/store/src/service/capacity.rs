//! A bound to what one task can do, known beforehand: for drills of what load does.
//!
//! A task of the store answers in well under a millisecond, so a drill on one machine could never bring
//! as many requests as a few tasks can take: all of them share the machine's processors. With a capacity
//! each request holds one of a few places for a while, as where it waits for something else. As many more
//! wait for a place unless another number is said, first come first served; everybody else is refused at
//! once, so that who is served has not waited for longer than that takes.
//!
//! A task can also have a cache, empty at its start, and a limit to how long it tries.

use std::collections::BTreeSet;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use axum::Router;
use axum::extract::{Request, State};
use axum::http::StatusCode;
use axum::middleware::{self, Next};
use axum::response::Response;
use tokio::sync::Semaphore;
use tokio::time::timeout;

use super::HEALTH;
use crate::problem::Problem;

/// What one task can do: `at_once` / `takes` requests a second.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Capacity {
    /// So many requests at once; at least 1.
    pub at_once: u32,
    /// Each holds its place for so long, and is answered then.
    pub takes: Duration,
    /// So many more wait.
    pub waiting: u32,
    /// What this task has not answered yet holds its place for so long instead.
    pub cold: Option<Duration>,
    /// What is not answered by then, waiting included, is refused.
    pub gives_up: Option<Duration>,
}

/// So many answers are in a cache at most.
const MOST_ANSWERS: usize = 100_000;

/// What a task has of it.
struct Bound {
    capacity: Capacity,
    /// For those who are served.
    places: Semaphore,
    /// For these and those who wait.
    room: Semaphore,
    /// What was answered, if it matters.
    answered: Mutex<BTreeSet<String>>,
}

// === impl Capacity ===

impl Capacity {
    /// The same routes with this capacity, all together.
    pub fn bound(self, router: Router) -> Router {
        let (at_once, waiting) = (self.at_once as usize, self.waiting as usize);
        let (places, room) = (Semaphore::new(at_once), Semaphore::new(at_once + waiting));
        let answered = Mutex::default();
        let bound = Arc::new(Bound { capacity: self, places, room, answered });
        router.layer(middleware::from_fn_with_state(bound, hold_a_place))
    }
}

async fn hold_a_place(
    State(bound): State<Arc<Bound>>,
    request: Request,
    next: Next,
) -> Result<Response, Problem> {
    // Checks say whether a task works, not how much it has to do: they need no place.
    if request.uri().path() == HEALTH {
        return Ok(next.run(request).await);
    }
    let Ok(_room) = bound.room.try_acquire() else { return Err(bound.full()) };
    let serve = async {
        // It is never closed, and whoever is given up gives its place back.
        let _place = bound.places.acquire().await;
        let asked = request.uri().to_string();
        tokio::time::sleep(bound.takes(&asked)).await;
        bound.has_answered(asked);
        next.run(request).await
    };
    match bound.capacity.gives_up {
        Some(patience) => timeout(patience, serve).await.map_err(|_| Bound::late(patience)),
        None => Ok(serve.await),
    }
}

// === impl Bound ===

impl Bound {
    /// How long a request for this holds its place.
    fn takes(&self, asked: &str) -> Duration {
        let Capacity { takes, cold, .. } = self.capacity;
        let answered = self.answered.lock().unwrap_or_else(PoisonError::into_inner);
        cold.filter(|_| !answered.contains(asked)).unwrap_or(takes)
    }

    fn has_answered(&self, asked: String) {
        let mut answered = self.answered.lock().unwrap_or_else(PoisonError::into_inner);
        if self.capacity.cold.is_some() && answered.len() < MOST_ANSWERS {
            answered.insert(asked);
        }
    }

    fn late(patience: Duration) -> Problem {
        let detail = format!("it was not done within {patience:?}; try again later");
        Problem::new(StatusCode::SERVICE_UNAVAILABLE, detail)
    }

    fn full(&self) -> Problem {
        let Capacity { at_once, waiting, .. } = self.capacity;
        let detail = format!("{at_once} requests are served and {waiting} wait; try again later");
        Problem::new(StatusCode::SERVICE_UNAVAILABLE, detail)
    }
}

#[cfg(test)]
mod tests {
    use axum::body::Body;
    use axum::routing::get;
    use tokio::time::Instant;
    use tower::ServiceExt;

    use super::*;

    const MS: fn(u64) -> Duration = Duration::from_millis;

    async fn ask(routes: &Router, path: &str) -> u16 {
        let request = Request::get(path).body(Body::empty()).unwrap();
        routes.clone().oneshot(request).await.unwrap().status().as_u16()
    }

    fn capacity(at_once: u32, waiting: u32) -> Capacity {
        Capacity { at_once, takes: MS(50), waiting, cold: None, gives_up: None }
    }

    #[tokio::test(start_paused = true)]
    async fn what_was_answered_is_quick_and_what_takes_too_long_is_refused() {
        let routes = Router::new().route("/{id}", get(|| async {}));
        let cold = Some(MS(200));
        let bound = Capacity { cold, gives_up: Some(MS(220)), ..capacity(1, 1) }.bound(routes);
        let begin = Instant::now();
        let mut told = Vec::new();
        for path in ["/1", "/1", "/2", "/1"] {
            told.push((ask(&bound, path).await, begin.elapsed()));
        }
        let (first, second) = tokio::join!(ask(&bound, "/3"), ask(&bound, "/1"));
        told.push((first, begin.elapsed()));
        let expected = [(200, 200), (200, 250), (200, 450), (200, 500), (200, 720)];
        assert_eq!(told, expected.map(|(status, after)| (status, MS(after))));
        assert_eq!(second, 503, "it waited for 200 ms and takes 50");
    }

    #[tokio::test(start_paused = true)]
    async fn so_many_at_once_so_many_after_them_and_no_more_but_for_checks() {
        let routes = Router::new().route("/", get(|| async {})).route(HEALTH, get(|| async {}));
        let bound = capacity(2, 2).bound(routes);
        let begin = Instant::now();
        let asked = ["/", "/", "/", "/", "/", HEALTH].map(|path| {
            let bound = bound.clone();
            tokio::spawn(async move { (ask(&bound, path).await, begin.elapsed()) })
        });
        let mut told = Vec::new();
        for answered in asked {
            told.push(answered.await.unwrap());
        }
        let expected = [(200, 50), (200, 50), (200, 100), (200, 100), (503, 0), (200, 0)];
        assert_eq!(told, expected.map(|(status, after)| (status, MS(after))));
    }

    #[tokio::test(start_paused = true)]
    async fn who_is_gone_has_no_place() {
        let routes = Router::new().route("/", get(|| async {}));
        let bound = capacity(1, 1).bound(routes);
        for _ in 0..3 {
            assert!(tokio::time::timeout(MS(10), ask(&bound, "/")).await.is_err());
        }
        let begin = Instant::now();
        assert_eq!((ask(&bound, "/").await, begin.elapsed()), (200, MS(50)));
    }
}
