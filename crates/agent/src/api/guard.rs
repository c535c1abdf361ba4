//! Who may use the API over TCP: whoever has the token, and came by no detour.

use std::net::IpAddr;

use axum::extract::{Request, State};
use axum::http::{HeaderMap, StatusCode, header};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};

use super::ApiError;
use super::token::Token;

/// Refuses what comes under somebody else's name. A page of any site may make a browser send requests
/// to its own name, and let that name mean this machine (DNS rebinding); the browser then still says
/// whom it believes it talks to.
pub(super) async fn host(request: Request, next: Next) -> Response {
    if request.headers().get(header::HOST).is_some_and(|host| host.to_str().is_ok_and(is_ours)) {
        return next.run(request).await;
    }
    let error = "host: the request is meant for somebody else".to_owned();
    let allowed = "localhost, or an IP address".to_owned();
    ApiError::new(StatusCode::MISDIRECTED_REQUEST, error, allowed).into_response()
}

/// Refuses whoever does not have the token.
pub(super) async fn token(State(token): State<Token>, request: Request, next: Next) -> Response {
    if given(request.headers()).is_some_and(|given| token.is(given)) {
        return next.run(request).await;
    }
    let error = "authorization: the token is missing or wrong".to_owned();
    let allowed = "`Bearer TOKEN`, where TOKEN stands in the token file of the fleet".to_owned();
    let refusal = ApiError::new(StatusCode::UNAUTHORIZED, error, allowed);
    ([(header::WWW_AUTHENTICATE, "Bearer")], refusal).into_response()
}

fn given(fields: &HeaderMap) -> Option<&str> {
    let (scheme, token) = fields.get(header::AUTHORIZATION)?.to_str().ok()?.split_once(' ')?;
    scheme.eq_ignore_ascii_case("bearer").then_some(token.trim())
}

fn is_ours(host: &str) -> bool {
    let is_port = |text: &str| !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    let name = match host.rsplit_once(':') {
        Some((name, port)) if is_port(port) => name,
        _ => host,
    };
    let name = name.strip_prefix('[').and_then(|name| name.strip_suffix(']')).unwrap_or(name);
    name.eq_ignore_ascii_case("localhost") || name.parse::<IpAddr>().is_ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_addresses_and_localhost_are_ours() {
        for ours in ["localhost", "LocalHost:1", "127.0.0.1:8080", "10.0.0.1", "[::1]:80", "[::1]"]
        {
            assert!(is_ours(ours), "{ours}");
        }
        for others in [
            "",
            "evil.example",
            "evil.example:80",
            "localhost.evil.example",
            "127.0.0.1.x",
            "localhost:",
            "localhost:80:80",
            ":80",
            "127.0.0.1:x",
        ] {
            assert!(!is_ours(others), "{others}");
        }
    }
}
