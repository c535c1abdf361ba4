//! A bound to what one task can do, known beforehand: for drills of what load does.
//!
//! A task of the store answers in well under a millisecond, so a drill on one machine could never bring
//! as many requests as a few tasks can take: all of them share the machine's processors. With a capacity
//! each request holds one of a few places for a while, as where it waits for something else. What finds
//! no place waits for one, first come first served, for as long as its client does.

use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::extract::{Request, State};
use axum::middleware::{self, Next};
use axum::response::Response;
use tokio::sync::Semaphore;

/// Checks say whether a task works, not how much it has to do: they need no place.
const HEALTH: &str = "/health";

/// What one task can do: `at_once` / `takes` requests a second.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Capacity {
    /// So many requests at once; at least 1.
    pub at_once: u32,
    /// Each holds its place for so long, and is answered then.
    pub takes: Duration,
}

// === impl Capacity ===

impl Capacity {
    /// The same routes with this capacity, all together.
    pub fn bound(self, router: Router) -> Router {
        let places = Arc::new(Semaphore::new(self.at_once as usize));
        router.layer(middleware::from_fn_with_state((places, self.takes), hold_a_place))
    }
}

async fn hold_a_place(
    State((places, takes)): State<(Arc<Semaphore>, Duration)>,
    request: Request,
    next: Next,
) -> Response {
    if request.uri().path() == HEALTH {
        return next.run(request).await;
    }
    // It is never closed, and whoever is given up gives its place back.
    let _place = places.acquire().await;
    tokio::time::sleep(takes).await;
    next.run(request).await
}

#[cfg(test)]
mod tests {
    use axum::body::Body;
    use axum::routing::get;
    use tokio::time::Instant;
    use tower::ServiceExt;

    use super::*;

    const MS: fn(u64) -> Duration = Duration::from_millis;

    #[tokio::test(start_paused = true)]
    async fn so_many_at_once_and_the_others_after_them_but_for_checks() {
        let routes = Router::new().route("/", get(|| async {})).route(HEALTH, get(|| async {}));
        let bound = Capacity { at_once: 2, takes: MS(50) }.bound(routes);
        let begin = Instant::now();
        let ask = |path: &'static str| {
            let request = Request::get(path).body(Body::empty()).unwrap();
            let answered = bound.clone().oneshot(request);
            tokio::spawn(async move {
                answered.await.unwrap();
                begin.elapsed()
            })
        };
        let asked = ["/", "/", "/", "/", "/", HEALTH].map(ask);
        let mut took = Vec::new();
        for answered in asked {
            took.push(answered.await.unwrap());
        }
        assert_eq!(took, [50, 50, 100, 100, 150, 0].map(MS));
    }

    #[tokio::test(start_paused = true)]
    async fn who_is_gone_has_no_place() {
        let routes = Router::new().route("/", get(|| async {}));
        let bound = Capacity { at_once: 1, takes: MS(50) }.bound(routes);
        let ask = || bound.clone().oneshot(Request::get("/").body(Body::empty()).unwrap());
        assert!(tokio::time::timeout(MS(10), ask()).await.is_err());
        let begin = Instant::now();
        ask().await.unwrap();
        assert_eq!(begin.elapsed(), MS(50));
    }
}
