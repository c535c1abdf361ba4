//! Timeout, circuit breaker, bulkhead, retry and fallback for any Rust service, as [`tower`] layers.
//!
//! The policies are those of `seaworthy-core`; this crate gives them a clock, a timer and the shape
//! of a layer. They are safe to cancel: a caller that goes away, or an outer timeout, never leaves a
//! permit taken, never leaves a breaker half-open, and never hides a service that hangs.
//!
//! # A breaker in five minutes
//!
//! ```toml
//! [dependencies]
//! seaworthy-layers = "0.1"
//! seaworthy-core = "0.1" # the policies' settings
//! tower = { version = "0.5", features = ["util"] }
//! tokio = { version = "1", features = ["macros", "rt", "time"] }
//! ```
//!
//! [`guard()`] is a timeout, a breaker and a bulkhead in the right order, with defaults that
//! suit most calls between services. Put one around the client of *each* service you call:
//!
//! ```
//! use std::io;
//! use std::time::Duration;
//!
//! use seaworthy_layers::Error;
//! use tower::{Layer, ServiceExt, service_fn};
//!
//! #[tokio::main(flavor = "current_thread")]
//! async fn main() -> Result<(), Box<dyn std::error::Error>> {
//!     // Any tower service: here a client whose service is down.
//!     let client = service_fn(|_query: &'static str| async {
//!         Err::<String, _>(io::Error::other("connection refused"))
//!     });
//!
//!     let guard = seaworthy_layers::guard().timeout(Duration::from_millis(500)).build()?;
//!     let products = guard.layer(client);
//!
//!     // Half of at least twenty calls within ten seconds have failed: that is enough.
//!     for _ in 0..20 {
//!         let error = products.clone().oneshot("shoes").await.unwrap_err();
//!         assert!(matches!(error, Error::Inner(_)));
//!     }
//!     let Err(error) = products.clone().oneshot("shoes").await else { unreachable!() };
//!     assert!(matches!(error, Error::Rejected(_)));
//!     // "the call was not made: the breaker is open, trials begin in 4.7s"
//!     println!("{error}");
//!     assert!(error.retry_after().is_some_and(|wait| wait <= Duration::from_secs(5)));
//!     Ok(())
//! }
//! ```
//!
//! What happens next needs nothing from you. After the open time three *trials* pass; when they go
//! well the breaker closes, and a growing share of the calls passes for ten seconds, so that a cold
//! service is not run over. When they fail it opens again, for twice as long.
//!
//! Clones share the guard, and so do all services made by one layer. Make the layer once, not for
//! each request.
//!
//! # Which layers, in which order
//!
//! From the outside to the inside, the way `ServiceBuilder` lists them:
//!
//! | | layer | here, because |
//! |---|---|---|
//! | 1 | [`fallback()`] | it answers whatever goes wrong inside: rejections and timeouts, too |
//! | 2 | [`timeout()`] | one deadline for all tries together: what the caller waits at most |
//! | 3 | [`retry()`] | each try passes the guard on its own; a rejection ends the tries |
//! | 4 | [`guard()`] | its timeout is for one try; its breaker sees every try |
//! | 5 | `http::SendDeadline` | tells the callee what is left for *this* try |
//!
//! Leave out what you do not need: 4 alone is a good beginning, 1 is what users notice.
//!
//! ```
//! use std::time::Duration;
//!
//! use seaworthy_layers::fallback::Answer;
//! use tower::{ServiceBuilder, ServiceExt, service_fn};
//!
//! # #[tokio::main(flavor = "current_thread")]
//! # async fn main() -> Result<(), Box<dyn std::error::Error>> {
//! # let client = service_fn(|query: String| async move { Ok::<_, std::io::Error>(query) });
//! let products = ServiceBuilder::new()
//!     .layer(seaworthy_layers::fallback(|query: &String| query.clone()).build())
//!     .layer(seaworthy_layers::timeout(Duration::from_millis(800)).build()?)
//!     .layer(seaworthy_layers::retry(|query: &String| Some(query.clone())).build())
//!     .layer(seaworthy_layers::guard().timeout(Duration::from_millis(300)).build()?)
//!     .service(client);
//!
//! match products.clone().oneshot("shoes".to_owned()).await? {
//!     Answer::Fresh(shoes) => println!("{shoes}"),
//!     Answer::Stale(stale) => println!("{} (of {:?} ago)", stale.value, stale.age),
//! }
//! # Ok(())
//! # }
//! ```
//!
//! A page that needs several services has a stack for each, so that none can take the others' slots,
//! and degrades piece by piece. [`BoxCloneSyncService`](tower::util::BoxCloneSyncService) gives them
//! one type:
//!
//! ```
//! # use std::time::Duration;
//! use seaworthy_layers::fallback::Answer;
//! use seaworthy_layers::guard::{Guardable, Handle, Refused};
//! use tower::util::BoxCloneSyncService;
//! use tower::{BoxError, ServiceBuilder, ServiceExt};
//!
//! type Client = BoxCloneSyncService<String, Answer<String>, BoxError>;
//!
//! /// One stack: call it once for each service, when the program starts.
//! fn guarded<S>(client: S) -> Result<(Client, Handle), Refused>
//! where
//!     S: Guardable<String, Response = String> + Sync,
//! {
//!     let guard = seaworthy_layers::guard().timeout(Duration::from_secs(1)).build()?;
//!     let handle = guard.handle();
//!     let service = ServiceBuilder::new()
//!         .map_err(BoxError::from)
//!         .layer(seaworthy_layers::fallback(String::clone).build())
//!         .layer(guard)
//!         .service(client);
//!     Ok((Client::new(service), handle))
//! }
//!
//! async fn page(products: Client, customers: Client, orders: Client) -> [Option<String>; 3] {
//!     let (products, customers, orders) = tokio::join!(
//!         products.oneshot("shoes".to_owned()),
//!         customers.oneshot("42".to_owned()),
//!         orders.oneshot("42".to_owned()),
//!     );
//!     [products, customers, orders].map(|piece| piece.ok().map(Answer::into_inner))
//! }
//! # #[tokio::main(flavor = "current_thread")]
//! # async fn main() -> Result<(), Refused> {
//! # let works = tower::service_fn(|query: String| async move { Ok::<_, std::io::Error>(query) });
//! # let broken = tower::service_fn(|_: String| async { Err(std::io::Error::other("it is down")) });
//! # let ((a, _), (b, _), (c, _)) = (guarded(works)?, guarded(broken)?, guarded(works)?);
//! # assert_eq!(page(a, b, c).await.map(|piece| piece.is_some()), [true, false, true]);
//! # Ok(())
//! # }
//! ```
//!
//! Within a guard the order is fixed: has the deadline passed, is the breaker open, has the bulkhead
//! room, and only then the breaker's pass. So a full bulkhead never takes a trial, and an open
//! breaker never takes a permit. For another order there are [`timeout()`], [`breaker()`] and
//! [`bulkhead()`] on their own.
//!
//! # One deadline
//!
//! A timeout sets a deadline for everything inside it, which inner timeouts can only shorten. It is
//! the task's ([`deadline`]): inner layers, tries and calls made by a handler find it whatever their
//! requests look like. A call that would begin after it is refused and not made; a try that could
//! not begin before it is not waited for. With the feature `http` it goes on over the network as a
//! header, and a server reads it back: see the module `http`.
//!
//! # The key
//!
//! A breaker judges what fails *together*. One for many services opens for all of them when one
//! fails; one for each replica of a service sees too little to judge (taking a single bad replica
//! out is the load balancer's business). So: one for each service, or each host of it. With several
//! behind one client, say which: [`per_key`](guard::Builder::per_key).
//!
//! ```
//! # fn main() -> Result<(), seaworthy_layers::guard::Refused> {
//! # struct Request { host: String }
//! let guard = seaworthy_layers::guard()
//!     .per_key(100, |request: &Request| request.host.clone())
//!     .build()?;
//! # tower::Layer::layer(&guard, tower::service_fn(|_: Request| async { Ok::<_, std::io::Error>(()) }));
//! # Ok(())
//! # }
//! ```
//!
//! # What counts as a failure
//!
//! An error, unless you say otherwise: [`classify`]. Not an answer that its caller dislikes: a "not
//! found" is an answer. Never a rejection, ours or that of a layer inside: it says nothing about the
//! service. A call that was cancelled counts nowhere, unless it was past its deadline or the
//! breaker's slow threshold: then it is a slow failure, whoever cancelled it.
//!
//! # Watching and switching
//!
//! A layer's `handle()` reads state, rates and counts as they are now, tells the breaker's decisions
//! with their reasons, and holds a breaker open, closed, or counting only (to try settings on live
//! traffic):
//!
//! ```
//! use seaworthy_core::policy::breaker::{Mode, State};
//!
//! # fn main() -> Result<(), seaworthy_layers::guard::Refused> {
//! let guard = seaworthy_layers::guard().build()?;
//! let handle = guard.handle();
//! handle.switch(Mode::ForcedOpen);
//! let view = handle.view();
//! assert_eq!(view.breaker.map(|breaker| breaker.state), Some(State::ForcedOpen));
//! assert_eq!(view.bulkhead.map(|bulkhead| bulkhead.running), Some(0));
//! while let Some(transition) = handle.poll_transition() {
//!     println!("{transition}"); // "closed -> forced open: switched to forced open by hand"
//! }
//! # Ok(())
//! # }
//! ```
//!
//! # Pitfalls
//!
//! - **A breaker without a timeout** learns of a call that hangs only when somebody drops it, and
//!   counts it only past a deadline it knows or its slow threshold. Use [`guard()`], put a
//!   [`timeout()`] around it, or set `slow`. Somebody else's timeout outside tells it no deadline.
//! - **A bulkhead can starve the breaker.** Ten permits held for 30 s give a window of ten seconds at
//!   most ten outcomes: a minimum of twenty is never reached. `build` refuses such settings with the
//!   arithmetic, and [`check`](guard::Builder::check) warns of more.
//! - **A timeout stops waiting, not work.** Whether dropping a future stops its work depends on the
//!   work. [`WhenGone`](guard::WhenGone) says what the permit does, and which choice is honest when.
//! - **A response is its head.** With streaming bodies (hyper, axum) the call is over when the head
//!   is there. Read the body inside the guarded service if it is to count.
//! - **Retries multiply**: three tries at three hops are 27 calls. Retry in one place.
//! - **A key that leaves out the user** mixes up users in [`fallback()`].
//! - **`tokio::spawn` ends the deadline**, unless the future is [carried](deadline::carry).
//!
//! # Tests
//!
//! All time here is tokio's: `#[tokio::test(start_paused = true)]` makes ten seconds of open breaker
//! take no time and come out exact.

pub mod classify;
mod clock;
pub mod deadline;
mod error;
pub mod fallback;
pub mod guard;
#[cfg(feature = "http")]
pub mod http;
mod keys;
pub mod retry;

use std::time::Duration;

use seaworthy_core::policy::guard::Config;
use seaworthy_core::policy::{breaker, bulkhead};

pub use error::Error;
pub use keys::{Key, KeyValue, Whole};

/// Timeout, breaker and bulkhead, in core's fixed order and with core's defaults: 1 s, half of at
/// least twenty calls in ten seconds, ten calls at a time.
pub fn guard() -> guard::Builder {
    let Config { timeout, breaker, bulkhead, .. } = Config::default();
    guard::only(timeout, breaker, bulkhead)
}

/// One deadline for all that is inside, and nothing else.
pub fn timeout(limit: Duration) -> guard::Builder {
    guard::only(Some(limit), None, None)
}

/// A breaker and nothing else. It needs a timeout around it or within, or a slow threshold: of a
/// call that hangs for ever nobody can tell it.
pub fn breaker(config: breaker::Config) -> guard::Builder {
    guard::only(None, Some(config), None)
}

/// A bulkhead and nothing else.
pub fn bulkhead(config: bulkhead::Config) -> guard::Builder {
    guard::only(None, None, Some(config))
}

/// Tries again what failed, within a budget. `copy` gives a second copy of a request that may be
/// sent twice, and `None` for any other.
pub fn retry<R, A: Fn(&R) -> Option<R>>(copy: A) -> retry::Builder<A> {
    retry::copied_by(copy)
}

/// Gives the last good answer instead of an error. `key` tells apart whatever must not be mixed up.
pub fn fallback<R, K: KeyValue, V, F: Fn(&R) -> K>(key: F) -> fallback::Builder<F, K, V> {
    fallback::by_key(key)
}
