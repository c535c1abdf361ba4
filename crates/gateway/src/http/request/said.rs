//! What the fields of a request say, found in one pass.

use std::time::Duration;

use seaworthy_core::endpoints::TaskId;
use seaworthy_core::fleet::http::{Config, RequestIds};
use seaworthy_core::policy::timeout;

use super::target::is_host;
use super::{Head, Terms};
use crate::http::Fault;
use crate::http::body::Framing;
use crate::http::desync::{Finding, Reason, is_suspicious};
use crate::http::fields::{self, Kind};
use crate::http::id::{Id, Ids, Traceparent};

/// What was said.
pub(super) struct Said<'a> {
    /// The host, if there is one.
    pub(super) host: Option<&'a [u8]>,
    /// Where the body ends.
    pub(super) framing: Framing,
    /// The client waits for a word before it sends the body.
    pub(super) expects: bool,
    /// The protocols it would like to go on with, if they can be passed on.
    pub(super) upgrade: Option<&'a [u8]>,
    /// Sending it twice does what sending it once does.
    pub(super) idempotency_key: bool,
    /// Its sender waits for so long.
    pub(super) timeout: Option<Duration>,
    /// The task its client is used to.
    pub(super) preferred: Option<TaskId>,
    /// Somebody before us has said how the client came, and where to.
    pub(super) forwarded_proto: bool,
    pub(super) forwarded_port: bool,
    /// So many addresses were forwarded.
    pub(super) forwarded: usize,
    id: Option<Id>,
    /// How often a trace is named, and whether properly.
    traces: usize,
    traced: bool,
    upgrades: usize,
    hosts: usize,
    length: Option<u64>,
    chunked: bool,
}

// === impl Said ===

impl<'a> Said<'a> {
    /// What `head` says. What is wrong with it is added to `finding`.
    pub(super) fn of(
        head: &Head<'a>,
        terms: Terms<'_>,
        finding: &mut Finding,
    ) -> Result<Self, Fault> {
        let mut said = Self::nothing();
        for field in head.fields {
            said.take(field.name, field.value, terms, finding)?;
        }
        if said.hosts > 1 || (head.http_11 && said.host.is_none()) {
            finding.add(Reason::BadHost)?;
        }
        let Config { most_forwarded, longest_body, .. } = *terms.http;
        if said.forwarded > most_forwarded {
            return Err(Fault::TooManyForwarded(most_forwarded));
        }
        if head.method.bytes().any(|byte| byte.is_ascii_lowercase()) {
            check_case(head.method, finding)?;
        }
        said.framing = said.frame(head, finding, longest_body)?;
        let has_body = !matches!(said.framing, Framing::None | Framing::Length(0));
        // Source: RFC 9110, section 10.1.1.
        said.expects &= head.http_11 && has_body;
        let may_upgrade = head.http_11 && head.options.upgrade && head.method == "GET";
        said.upgrade = said.upgrade.filter(|protocols| {
            may_upgrade
                && said.upgrades == 1
                && said.framing == Framing::None
                && may_tunnel(protocols)
        });
        Ok(said)
    }

    fn nothing() -> Self {
        Self {
            host: None,
            framing: Framing::None,
            expects: false,
            upgrade: None,
            idempotency_key: false,
            timeout: None,
            preferred: None,
            forwarded_proto: false,
            forwarded_port: false,
            id: None,
            traces: 0,
            traced: false,
            forwarded: 0,
            upgrades: 0,
            hosts: 0,
            length: None,
            chunked: false,
        }
    }

    fn take(
        &mut self,
        name: &str,
        value: &'a [u8],
        terms: Terms<'_>,
        finding: &mut Finding,
    ) -> Result<(), Fault> {
        match Kind::of(name) {
            Kind::EndToEnd if is_suspicious(name) => finding.add(Reason::SuspiciousHeader)?,
            Kind::Host if !is_host(value) => finding.add(Reason::BadHost)?,
            Kind::Host => {
                self.host = Some(value);
                self.hosts += 1;
            }
            Kind::ContentLength => self.lengths(value, finding)?,
            Kind::TransferEncoding if !fields::is_chunked(value) => return Err(Fault::Coding),
            Kind::TransferEncoding if self.chunked => {
                finding.add(Reason::MultipleTransferEncodingChunked)?;
            }
            Kind::TransferEncoding => self.chunked = true,
            Kind::Expect if !value.eq_ignore_ascii_case(b"100-continue") => {
                return Err(Fault::Expectation);
            }
            Kind::Expect => self.expects = true,
            Kind::Upgrade => {
                self.upgrade = Some(value);
                self.upgrades += 1;
            }
            Kind::IdempotencyKey => self.idempotency_key = true,
            Kind::Timeout => self.timeout = self.timeout.or_else(|| timeout::from_header(value)),
            Kind::Cookie => {
                let cookie = terms.sticky_cookie.filter(|_| self.preferred.is_none());
                self.preferred = self.preferred.or_else(|| preferred(cookie?, value));
            }
            Kind::ForwardedFor => {
                self.forwarded +=
                    value.split(|b| *b == b',').filter(|a| !a.trim_ascii().is_empty()).count();
            }
            Kind::ForwardedProto => self.forwarded_proto = true,
            Kind::ForwardedPort => self.forwarded_port = true,
            Kind::RequestId => self.id = self.id.or_else(|| Id::of(value)),
            Kind::Traceparent => {
                self.traces += 1;
                self.traced = Traceparent::is_proper(value);
            }
            _ => {}
        }
        Ok(())
    }

    /// A list of lengths is what some proxy has made of several fields.
    fn lengths(&mut self, value: &[u8], finding: &mut Finding) -> Result<(), Fault> {
        for part in value.split(|byte| *byte == b',') {
            let Some(length) = fields::length(part) else {
                return finding.add(Reason::BadContentLength);
            };
            match self.length.replace(length) {
                None => {}
                Some(other) if other == length => finding.add(Reason::DuplicateContentLength)?,
                Some(_) => finding.add(Reason::MultipleContentLength)?,
            }
        }
        Ok(())
    }

    /// Where the body ends. Source: RFC 9112, section 6.3.
    fn frame(
        &self,
        head: &Head<'_>,
        finding: &mut Finding,
        longest: Option<u64>,
    ) -> Result<Framing, Fault> {
        let most = longest.unwrap_or(u64::MAX);
        let bodyless = ["GET", "HEAD"].iter().any(|m| m.eq_ignore_ascii_case(head.method));
        if self.chunked {
            if !head.http_11 {
                finding.add(Reason::TransferEncodingInOldVersion)?;
            }
            if self.length.is_some() {
                finding.add(Reason::BothTeClPresent)?;
            }
            if bodyless {
                finding.add(Reason::UndefinedTransferEncodingSemantics)?;
            }
            return Ok(Framing::Chunked { most });
        }
        match self.length {
            None => Ok(Framing::None),
            Some(0) if bodyless => {
                finding.add(Reason::GetHeadZeroContentLength)?;
                Ok(Framing::None)
            }
            Some(length) if length > most => Err(Fault::BodyTooLong(most)),
            Some(length) => {
                if bodyless {
                    finding.add(Reason::UndefinedContentLengthSemantics)?;
                }
                Ok(Framing::Length(length))
            }
        }
    }

    /// Whose id the request has.
    pub(super) fn id(&self, whose: RequestIds, ids: &mut Ids) -> Id {
        self.id.filter(|_| whose == RequestIds::Trust).unwrap_or_else(|| ids.draw())
    }

    /// Whether it belongs to a trace that somebody has begun.
    pub(super) fn is_traced(&self) -> bool {
        self.traced && self.traces == 1
    }
}

/// The task named by the cookie of this name.
fn preferred(name: &str, cookies: &[u8]) -> Option<TaskId> {
    let cookies = str::from_utf8(cookies).ok()?;
    let mut pairs = cookies.split(';').filter_map(|cookie| cookie.split_once('='));
    let (_, task) = pairs.find(|(other, _)| other.trim() == name)?;
    task.trim().parse().ok()
}

/// A task that takes methods in any letters reads another method than we do.
fn check_case(method: &str, finding: &mut Finding) -> Result<(), Fault> {
    const KNOWN: [&str; 8] = ["GET", "HEAD", "POST", "PUT", "DELETE", "OPTIONS", "TRACE", "PATCH"];
    if KNOWN.iter().any(|known| known.eq_ignore_ascii_case(method)) {
        finding.add(Reason::NonCompliantMethod)?;
    }
    Ok(())
}

/// HTTP itself does not go through a tunnel: its requests would pass by every rule here.
fn may_tunnel(protocols: &[u8]) -> bool {
    let is_http = |protocol: &[u8]| {
        let begins = |with: &[u8]| {
            protocol.get(..with.len()).is_some_and(|name| name.eq_ignore_ascii_case(with))
        };
        begins(b"h2") || begins(b"http")
    };
    !protocols.split(|byte| *byte == b',').map(<[u8]>::trim_ascii).any(is_http)
}
