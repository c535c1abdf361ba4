//! One dependency behind its patterns.

use std::pin::pin;
use std::time::Duration;

use axum::http::StatusCode;
use axum::http::uri::PathAndQuery;
use seaworthy_core::policy::breaker::{State, Transition};
use seaworthy_core::policy::fallback::{Config, Metrics};
use seaworthy_layers::fallback::{self, Answer, Keep};
use seaworthy_layers::guard::{Handle, Refused, View};
use seaworthy_layers::http::{SendDeadline, Statuses, idempotent};
use seaworthy_layers::{self as layers, deadline, retry};
use tokio::sync::oneshot;
use tower::util::BoxCloneSyncService;
use tower::{Layer, ServiceExt};

use super::client::{Call, Client, Reply};
use super::count::Count;
use super::patterns;
use super::piece::Piece;
use super::pool::Pool;
use super::settings::{Fallback, Settings};
use crate::Error;

/// So many answers of a dependency are kept: one for each customer there may be, and some room.
const MOST_KEPT: u32 = 10_000;

/// What came of a call.
pub(super) type Got = Result<Answer<Reply>, layers::Error>;

/// A service of calls, whatever is inside.
type Boxed<Response> = BoxCloneSyncService<Call, Response, layers::Error>;

/// A service that the storefront calls.
#[derive(Debug)]
pub(super) struct Dependency {
    piece: Piece,
    client: Client,
    calls: Boxed<Answer<Reply>>,
    guard: Handle,
    retry: Option<retry::Handle>,
    fallback: Option<fallback::Handle<String, Reply>>,
    abandoned: Count,
}

// === impl Dependency ===

impl Dependency {
    /// The patterns, from the outside in: fallback, one deadline for all that follows, a slot of
    /// the shared pool if there is one, retry, and core's guard of breaker and bulkhead.
    pub(super) fn new(
        piece: Piece,
        url: &str,
        settings: &Settings,
        pool: Option<&Pool>,
    ) -> Result<Self, Error> {
        let cannot_work = |refused: Refused| Error::Settings(refused.to_string());
        let client = Client::new(url)?;
        let guard = layers::guard().config(settings.guard(piece)).classify(Statuses::default());
        let guard = guard.build().map_err(cannot_work)?;
        let mut calls = Boxed::new(guard.layer(SendDeadline.layer(client.clone())));
        let retry =
            settings.retry.then(|| layers::retry(idempotent).classify(Statuses::default()).build());
        if let Some(retry) = &retry {
            calls = Boxed::new(retry.layer(calls));
        }
        if let Some(pool) = pool {
            calls = Boxed::new(pool.layer(calls));
        }
        if let Some(limit) = settings.timeout {
            let timeout = layers::timeout(limit).build().map_err(cannot_work)?;
            calls = Boxed::new(timeout.layer(calls));
        }
        let (calls, fallback) = with_fallback(calls, settings.fallback);
        let (guard, retry) = (guard.handle(), retry.map(|retry| retry.handle()));
        Ok(Self { piece, client, calls, guard, retry, fallback, abandoned: Count::default() })
    }

    pub(super) fn piece(&self) -> Piece {
        self.piece
    }

    pub(super) fn view(&self) -> View {
        self.guard.view()
    }

    /// What was tried again, and what may be, if anything is.
    pub(super) fn retry(&self) -> Option<retry::View> {
        self.retry.as_ref().map(retry::Handle::view)
    }

    /// How often an old answer helped, if old answers are kept.
    pub(super) fn fallback(&self) -> Option<Metrics> {
        self.fallback.as_ref().map(fallback::Handle::metrics)
    }

    /// Calls that nobody waits for any more.
    pub(super) fn abandoned(&self) -> u32 {
        self.abandoned.get()
    }

    /// Gets what is at this path and query, once more if need be, or what was there.
    ///
    /// The call belongs to the storefront and not to the caller's patience: it holds its slot until
    /// it is over, as the thread of a pool does whose client has hung up.
    pub(super) async fn get(&self, target: PathAndQuery) -> Got {
        let call = self.calls.clone().oneshot(self.client.get(target));
        let (mut tell, told) = oneshot::channel();
        let (piece, guard, abandoned) = (self.piece, self.guard.clone(), self.abandoned.clone());
        tokio::spawn(deadline::carry(async move {
            let mut call = pin!(call);
            let outcome = tokio::select! {
                outcome = call.as_mut() => outcome,
                () = tell.closed() => {
                    let _one = abandoned.one_more();
                    call.await
                }
            };
            tell_transitions(piece, &guard);
            // Whoever asked may have gone.
            let _ = tell.send(outcome);
        }));
        told.await.expect("the call does not panic, and ends with the runtime")
    }
}

fn with_fallback(
    calls: Boxed<Reply>,
    fallback: Fallback,
) -> (Boxed<Answer<Reply>>, Option<fallback::Handle<String, Reply>>) {
    if fallback == Fallback::Error {
        return (Boxed::new(calls.map_response(Answer::Fresh)), None);
    }
    let target = |call: &Call| call.uri().to_string();
    let good = |reply: &Reply| {
        let weight = reply.body().len() as u64;
        (reply.status() == StatusCode::OK).then_some(Keep { weight, fresh_for: Duration::ZERO })
    };
    let kept = Config { most_values: MOST_KEPT, ..Config::default() };
    let builder = layers::fallback(target).config(kept).keep(good);
    let layer = builder.classify(Statuses::default()).build();
    (Boxed::new(layer.layer(calls)), Some(layer.handle()))
}

/// One line for each decision of the breaker.
fn tell_transitions(piece: Piece, guard: &Handle) {
    while let Some(Transition { at, before, after, cause }) = guard.poll_transition() {
        let trials = match after {
            State::Open { until } => format!(", trials in {:.1?}", until.since(at)),
            _ => String::new(),
        };
        let (before, after) = (patterns::state(before), patterns::state(after));
        eprintln!("storefront: {}: {before} -> {after}: {cause}{trials}", piece.name());
    }
}
