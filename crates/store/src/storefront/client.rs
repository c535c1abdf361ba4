//! The innermost service: one HTTP call to one dependency.

use std::error::Error as _;
use std::future::Future;
use std::iter::successors;
use std::pin::Pin;
use std::str::FromStr;
use std::task::{Context, Poll};

use axum::body::Bytes;
use axum::http::uri::{Authority, PathAndQuery, Scheme};
use axum::http::{Request, Response, Uri};
use http_body_util::{BodyExt, Empty, Limited};
use hyper_util::client::legacy;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::TokioExecutor;
use tower::{BoxError, Service};

use crate::Error;

/// A request, which is always a GET.
pub(super) type Call = Request<Empty<Bytes>>;
/// What a dependency says, as a whole.
pub(super) type Reply = Response<Bytes>;

/// No answer of a dependency is larger.
const LARGEST: usize = 4 << 20;

/// Calls the service at one address, keeping connections open.
#[derive(Clone, Debug)]
pub(super) struct Client {
    authority: Authority,
    connections: legacy::Client<HttpConnector, Empty<Bytes>>,
}

// === impl Client ===

impl Client {
    /// A client of the service at `url`, such as `http://127.0.0.1:8081`.
    pub(super) fn new(url: &str) -> Result<Self, Error> {
        let authority = authority(url).ok_or_else(|| Error::Url(url.to_owned()))?;
        let mut connector = HttpConnector::new();
        connector.set_nodelay(true);
        // Whether to try again is for the policies to say, and for nobody behind their back.
        let connections = legacy::Client::builder(TokioExecutor::new())
            .retry_canceled_requests(false)
            .build(connector);
        Ok(Self { authority, connections })
    }

    /// A GET of this path and query.
    pub(super) fn get(&self, target: PathAndQuery) -> Call {
        let uri = Uri::builder().scheme(Scheme::HTTP).authority(self.authority.clone());
        let uri = uri.path_and_query(target).build().expect("it has all parts");
        Request::get(uri).body(Empty::new()).expect("its parts are valid")
    }
}

impl Service<Call> for Client {
    type Response = Reply;
    type Error = BoxError;
    type Future = Pin<Box<dyn Future<Output = Result<Reply, BoxError>> + Send>>;

    fn poll_ready(&mut self, _context: &mut Context<'_>) -> Poll<Result<(), BoxError>> {
        Poll::Ready(Ok(()))
    }

    /// The call is over when all of the answer is there.
    fn call(&mut self, call: Call) -> Self::Future {
        let answer = self.connections.request(call);
        Box::pin(async move {
            let (head, body) = answer.await.map_err(|error| with_causes(&error))?.into_parts();
            let body = Limited::new(body, LARGEST).collect().await?.to_bytes();
            Ok(Response::from_parts(head, body))
        })
    }
}

/// The client's own error says only where it failed.
fn with_causes(error: &legacy::Error) -> BoxError {
    let causes = successors(error.source(), |&cause| cause.source());
    causes.fold(error.to_string(), |told, cause| format!("{told}: {cause}")).into()
}

fn authority(url: &str) -> Option<Authority> {
    let uri = Uri::from_str(url).ok()?;
    let plain = uri.scheme() == Some(&Scheme::HTTP) && uri.path() == "/" && uri.query().is_none();
    uri.authority().filter(|_| plain).cloned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_url_names_a_scheme_and_an_address_and_no_more() {
        for url in ["http://127.0.0.1:8080", "http://localhost:1/"] {
            assert!(Client::new(url).is_ok(), "{url}");
        }
        for url in ["127.0.0.1:8080", "https://127.0.0.1", "http://a/b", "http://a?b", "", "/"] {
            assert!(Client::new(url).is_err(), "{url}");
        }
    }
}
