//! A request's head as a task gets it: in one form, whatever form it came in.

use seaworthy_core::fleet::http::Forwarded as Mode;

use super::said::Said;
use super::target::Target;
use super::{Forwarded, Head, Request};
use crate::http::desync::{Class, is_suspicious};
use crate::http::fields::{self, Kind, REQUEST_ID};
use crate::http::id::Traceparent;

/// What is passed on besides the fields.
pub(super) struct Meant<'a> {
    pub(super) request: &'a Request,
    pub(super) target: Target<'a>,
    pub(super) said: &'a Said<'a>,
    /// A trace that begins here.
    pub(super) trace: Option<Traceparent>,
}

// === impl Head ===

impl Head<'_> {
    /// Writes it to `out`.
    pub(super) fn rewrite(
        &self,
        meant: &Meant<'_>,
        forwarded: &Forwarded,
        mode: Mode,
        out: &mut Vec<u8>,
    ) {
        let Meant { request, target: Target { authority, path }, said, trace } = meant;
        for part in [self.method, " ", *path, " HTTP/1.1\r\n"] {
            out.extend_from_slice(part.as_bytes());
        }
        // A request of HTTP/1.0 need not have a host, one of HTTP/1.1 must.
        if let Some(host) = authority.or(said.host.is_none().then_some("")) {
            fields::write(out, "Host", host.as_bytes());
        }
        let doubtful = request.desync.class() >= Class::Ambiguous;
        for field in self.fields {
            let passes = match Kind::of(field.name) {
                Kind::EndToEnd if doubtful && is_suspicious(field.name) => false,
                Kind::Host => authority.is_none(),
                Kind::Traceparent | Kind::Tracestate => trace.is_none(),
                Kind::ForwardedFor | Kind::ForwardedProto | Kind::ForwardedPort => {
                    mode == Mode::Preserve
                }
                Kind::EndToEnd | Kind::IdempotencyKey | Kind::Task | Kind::Cookie => {
                    !self.options.name(self.fields, field.name)
                }
                _ => false,
            };
            if passes {
                fields::write(out, field.name, field.value);
            }
        }
        self.write_forwarded(forwarded, said, mode, out);
        fields::write(out, REQUEST_ID, request.id.as_bytes());
        if let Some(trace) = trace {
            fields::write(out, "traceparent", trace.as_bytes());
        }
        if request.expects {
            fields::write(out, "Expect", b"100-continue");
        }
        if let Some(protocols) = said.upgrade {
            fields::write(out, "Connection", b"Upgrade");
            fields::write(out, "Upgrade", protocols);
        }
        fields::write_framing(out, request.framing);
        out.extend_from_slice(b"\r\n");
    }

    fn write_forwarded(&self, from: &Forwarded, said: &Said<'_>, mode: Mode, out: &mut Vec<u8>) {
        if mode == Mode::Append {
            out.extend_from_slice(b"X-Forwarded-For: ");
            let looked_at = if said.forwarded > 0 { self.fields } else { &[] };
            let earlier = looked_at.iter().filter(|f| Kind::of(f.name) == Kind::ForwardedFor);
            for field in earlier.filter(|field| !field.value.is_empty()) {
                out.extend_from_slice(field.value);
                out.extend_from_slice(b", ");
            }
            out.extend_from_slice(from.address.as_bytes());
            out.extend_from_slice(b"\r\n");
        }
        let ours = mode != Mode::Preserve;
        if ours || !said.forwarded_proto {
            fields::write(out, "X-Forwarded-Proto", b"http");
        }
        if ours || !said.forwarded_port {
            fields::write(out, "X-Forwarded-Port", from.port.as_bytes());
        }
    }
}
