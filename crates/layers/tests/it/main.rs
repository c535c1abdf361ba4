//! The layers around a service of our own, mostly in paused time.

mod allocations;
mod anchors;
mod bulkhead;
mod deadline;
mod dependency;
mod fallback;
mod handle;
mod http;
mod keys;
mod retry;
mod stress;
