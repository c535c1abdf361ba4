//! What a request is for: a host, if the target names one, and what a task gets.

use crate::http::Fault;
use crate::http::desync::Reason;

/// A request's target in its parts.
#[derive(Clone, Copy, Debug)]
pub(super) struct Target<'a> {
    /// The host of an absolute target, which counts more than a `Host` field.
    pub(super) authority: Option<&'a str>,
    /// Path and query, as a task gets them.
    pub(super) path: &'a str,
}

// === impl Target ===

impl<'a> Target<'a> {
    /// Source: RFC 9112, section 3.2.
    pub(super) fn of(method: &str, target: &'a str) -> Result<Self, Fault> {
        if method.eq_ignore_ascii_case("CONNECT") {
            return Err(Fault::Tunnel);
        }
        let bad = Err(Fault::Desync(Reason::BadUri));
        if !target.is_ascii() || memchr::memchr(b'#', target.as_bytes()).is_some() {
            return bad;
        }
        if target.starts_with('/') || (target == "*" && method == "OPTIONS") {
            return Ok(Self { authority: None, path: target });
        }
        let scheme = target.get(..7).filter(|s| s.eq_ignore_ascii_case("http://"));
        let Some(rest) = scheme.map(|scheme| &target[scheme.len()..]) else { return bad };
        let end = rest.find(['/', '?']).unwrap_or(rest.len());
        let (authority, path) = rest.split_at(end);
        if authority.is_empty() || path.starts_with('?') || !is_host(authority.as_bytes()) {
            return bad;
        }
        let path = if path.is_empty() { "/" } else { path };
        Ok(Self { authority: Some(authority), path })
    }
}

/// Whether it is a host, or a host and a port, or nothing. Source: RFC 3986, section 3.2.
pub(super) fn is_host(host: &[u8]) -> bool {
    let proper = |byte: &u8| byte.is_ascii_alphanumeric() || b"-._~%!$&'()*+,;=:[]".contains(byte);
    host.iter().all(proper)
}
