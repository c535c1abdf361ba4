//! The deadline as a header, on either side.

use std::task::{Context, Poll};

use http::{HeaderValue, Request};
use seaworthy_core::policy::timeout::{HEADER, from_header, to_header};
use tower::{Layer, Service};

use crate::clock;
use crate::deadline::{self, Scoped, left};

/// Tells the callee what is left of the current deadline. Without one a request goes as it is.
#[derive(Clone, Copy, Debug, Default)]
pub struct SendDeadline;

/// A service whose requests say what is left.
#[derive(Clone, Debug)]
pub struct SendingDeadline<S> {
    inner: S,
}

/// Makes what the caller has left the current deadline. A header that is not a number is as none.
#[derive(Clone, Copy, Debug, Default)]
pub struct ReceiveDeadline;

/// A service that runs under its callers' deadlines.
#[derive(Clone, Debug)]
pub struct ReceivingDeadline<S> {
    inner: S,
}

// === impl SendDeadline ===

impl<S> Layer<S> for SendDeadline {
    type Service = SendingDeadline<S>;

    fn layer(&self, inner: S) -> Self::Service {
        SendingDeadline { inner }
    }
}

impl<S: Service<Request<B>>, B> Service<Request<B>> for SendingDeadline<S> {
    type Response = S::Response;
    type Error = S::Error;
    type Future = S::Future;

    fn poll_ready(&mut self, context: &mut Context<'_>) -> Poll<Result<(), S::Error>> {
        self.inner.poll_ready(context)
    }

    fn call(&mut self, mut request: Request<B>) -> S::Future {
        if let Some(left) = left() {
            let value = HeaderValue::try_from(to_header(left)).expect("digits make a value");
            request.headers_mut().insert(HEADER, value);
        }
        self.inner.call(request)
    }
}

// === impl ReceiveDeadline ===

impl<S> Layer<S> for ReceiveDeadline {
    type Service = ReceivingDeadline<S>;

    fn layer(&self, inner: S) -> Self::Service {
        ReceivingDeadline { inner }
    }
}

impl<S: Service<Request<B>>, B> Service<Request<B>> for ReceivingDeadline<S> {
    type Response = S::Response;
    type Error = S::Error;
    type Future = Scoped<S::Future>;

    fn poll_ready(&mut self, context: &mut Context<'_>) -> Poll<Result<(), S::Error>> {
        self.inner.poll_ready(context)
    }

    fn call(&mut self, request: Request<B>) -> Self::Future {
        let left = request.headers().get(HEADER).and_then(|value| from_header(value.as_bytes()));
        // The inner service may look at it in `call` already.
        let _entered = deadline::enter(left.map(|left| clock::now() + left));
        deadline::carry(self.inner.call(request))
    }
}
