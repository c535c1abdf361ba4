//! How a service takes HTTP, as written.

use serde::Deserialize;

use crate::fleet::ConfigError;
use crate::fleet::http::{Config, Desync, Forwarded, HalfClose, RequestIds};
use crate::fleet::range::{duration, number};
use crate::fleet::written::{Number, Written};

/// `[service.NAME.http]`. The defaults, each with its reason, are those of [`Config`].
#[derive(Clone, Debug, Default, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields, expecting = "a table")]
pub(super) struct RawHttp {
    desync: Option<Desync>,
    forwarded: Option<Forwarded>,
    most_forwarded: Option<Number>,
    request_id: Option<RequestIds>,
    half_close: Option<HalfClose>,
    longest_line: Option<Number>,
    longest_head: Option<Number>,
    most_fields: Option<Number>,
    longest_body: Option<Number>,
    idle_timeout: Option<Written>,
    head_timeout: Option<Written>,
    body_timeout: Option<Written>,
    write_timeout: Option<Written>,
    tunnel_timeout: Option<Written>,
}

/// A head is held in memory as a whole, once for each connection.
const LONGEST_HEAD: usize = 1 << 20;
/// The place for fields is on the stack.
const MOST_FIELDS: usize = 256;
const MOST_FORWARDED: usize = 1000;

// === impl RawHttp ===

impl RawHttp {
    /// What this one leaves out, it has from the other.
    pub(super) fn or(&self, service: &Self) -> Self {
        Self {
            desync: self.desync.or(service.desync),
            forwarded: self.forwarded.or(service.forwarded),
            most_forwarded: self.most_forwarded.or(service.most_forwarded),
            request_id: self.request_id.or(service.request_id),
            half_close: self.half_close.or(service.half_close),
            longest_line: self.longest_line.or(service.longest_line),
            longest_head: self.longest_head.or(service.longest_head),
            most_fields: self.most_fields.or(service.most_fields),
            longest_body: self.longest_body.or(service.longest_body),
            idle_timeout: self.idle_timeout.or(service.idle_timeout),
            head_timeout: self.head_timeout.or(service.head_timeout),
            body_timeout: self.body_timeout.or(service.body_timeout),
            write_timeout: self.write_timeout.or(service.write_timeout),
            tunnel_timeout: self.tunnel_timeout.or(service.tunnel_timeout),
        }
    }

    pub(super) fn read(&self) -> Result<Config, ConfigError> {
        let default = Config::default();
        let line =
            number("longest_line", self.longest_line, default.longest_line, 64..=LONGEST_HEAD)?;
        let head = default.longest_head.max(line);
        let body =
            self.longest_body.map(|_| number("longest_body", self.longest_body, 0, 0..=u64::MAX));
        Ok(Config {
            desync: self.desync.unwrap_or(default.desync),
            forwarded: self.forwarded.unwrap_or(default.forwarded),
            most_forwarded: number(
                "most_forwarded",
                self.most_forwarded,
                default.most_forwarded,
                0..=MOST_FORWARDED,
            )?,
            request_id: self.request_id.unwrap_or(default.request_id),
            half_close: self.half_close.unwrap_or(default.half_close),
            longest_line: line,
            longest_head: number("longest_head", self.longest_head, head, line..=LONGEST_HEAD)?,
            most_fields: number(
                "most_fields",
                self.most_fields,
                default.most_fields,
                1..=MOST_FIELDS,
            )?,
            longest_body: body.transpose()?,
            idle_timeout: duration("idle_timeout", self.idle_timeout, default.idle_timeout)?,
            head_timeout: duration("head_timeout", self.head_timeout, default.head_timeout)?,
            body_timeout: duration("body_timeout", self.body_timeout, default.body_timeout)?,
            write_timeout: duration("write_timeout", self.write_timeout, default.write_timeout)?,
            tunnel_timeout: duration(
                "tunnel_timeout",
                self.tunnel_timeout,
                default.tunnel_timeout,
            )?,
        })
    }
}
