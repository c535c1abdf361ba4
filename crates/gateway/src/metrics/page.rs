//! The page of metrics: everything there is to tell, family by family.

use std::collections::BTreeMap;

use seaworthy_core::call::{RouteId, Standing};
use seaworthy_core::fleet;
use seaworthy_core::policy::breaker::State;
use seaworthy_core::time::Instant;

use super::histogram::{self, end};
use super::text::{Format, Kind, Text, seconds};
use super::{Counts, Key, STATUSES, status, word};
use crate::gateway::Gateway;
use crate::service::Service;

/// All workers' sets of one route, added up.
#[derive(Default)]
struct Sum {
    /// By place.
    statuses: BTreeMap<usize, u64>,
    duration: histogram::Sum,
    /// First tries, retries, hedges.
    tries: [u64; 3],
    received: u64,
    sent: u64,
    refusals: BTreeMap<&'static str, u64>,
}

/// All metrics of `gateway`.
pub(crate) fn page(gateway: &Gateway, format: Format) -> String {
    let mut text = Text::new(format);
    process(gateway, &mut text);
    let mut sums: BTreeMap<Key, Sum> = BTreeMap::new();
    let doors = gateway.doors();
    for worker in gateway.workers() {
        worker.ledger().prune(&doors);
        for (key, set) in worker.ledger().sets() {
            sums.entry(key).or_default().add(&set);
        }
    }
    requests(&sums, &mut text);
    tries(&sums, &mut text);
    tasks(gateway, &mut text);
    queues(gateway, &mut text);
    policies(gateway, &mut text);
    decisions(gateway, &mut text);
    text.end()
}

fn process(gateway: &Gateway, text: &mut Text) {
    text.family("seaworthy_build_info", Kind::Gauge, "What is running.");
    text.sample("", &[("version", env!("CARGO_PKG_VERSION"))], 1);
    let help = "Whether every service has a task in rotation and the gateway is not stopping.";
    text.family("seaworthy_ready", Kind::Gauge, help);
    text.sample("", &[], u8::from(gateway.why_not_ready().is_empty()));
    text.family("seaworthy_client_connections", Kind::Gauge, "Client connections, by worker.");
    for (n, worker) in gateway.workers().iter().enumerate() {
        text.sample("", &[("worker", &(n + 1).to_string())], worker.connections());
    }
    let help = "Client connections that were accepted.";
    text.family("seaworthy_client_connections_accepted", Kind::Counter, help);
    for door in gateway.doors() {
        text.sample("_total", &[("service", &door.name)], door.came());
    }
    let help = "How often the file was read again, by how that went.";
    text.family("seaworthy_reloads", Kind::Counter, help);
    let (done, failed) = gateway.reloads();
    text.sample("_total", &[("result", "done")], done);
    text.sample("_total", &[("result", "failed")], failed);
    let help = "Lines that could not be written fast enough.";
    text.family("seaworthy_access_log_dropped_lines", Kind::Counter, help);
    text.sample("_total", &[], gateway.access.dropped());
}

fn requests(sums: &BTreeMap<Key, Sum>, text: &mut Text) {
    let help = "Requests that are over, by the status their client got.";
    text.family("seaworthy_requests", Kind::Counter, help);
    for ((service, route), sum) in sums {
        for (place, count) in &sum.statuses {
            let labels =
                [("service", &**service), ("route", &**route), ("status", &*status(*place))];
            text.sample("_total", &labels, count);
        }
    }
    let help = "From the end of a request's head to the last byte of its answer.";
    text.family("seaworthy_request_duration_seconds", Kind::Histogram, help);
    for ((service, route), sum) in sums {
        let labels = [("service", &**service), ("route", &**route)];
        duration(&sum.duration, &labels, text);
    }
    let help = "Bytes of bodies that came from clients.";
    text.family("seaworthy_request_bytes", Kind::Counter, help);
    for ((service, route), sum) in sums {
        text.sample("_total", &[("service", service), ("route", route)], sum.received);
    }
    let help = "Bytes of answers that went to clients.";
    text.family("seaworthy_response_bytes", Kind::Counter, help);
    for ((service, route), sum) in sums {
        text.sample("_total", &[("service", service), ("route", route)], sum.sent);
    }
}

fn duration(sum: &histogram::Sum, labels: &[(&str, &str); 2], text: &mut Text) {
    let mut all = 0;
    for (bucket, count) in sum.buckets.iter().enumerate() {
        all += count;
        let le = end(bucket).map_or_else(|| "+Inf".to_owned(), seconds);
        text.sample("_bucket", &[labels[0], labels[1], ("le", &le)], all);
    }
    text.sample("_sum", labels, seconds(sum.nanoseconds));
    text.sample("_count", labels, all);
}

fn tries(sums: &BTreeMap<Key, Sum>, text: &mut Text) {
    let help = "How often requests were sent to tasks, by why.";
    text.family("seaworthy_tries", Kind::Counter, help);
    for ((service, route), sum) in sums {
        for (reason, count) in ["first", "retry", "hedge"].into_iter().zip(sum.tries) {
            let labels = [("service", &**service), ("route", &**route), ("reason", reason)];
            text.sample("_total", &labels, count);
        }
    }
    text.family("seaworthy_refusals", Kind::Counter, "Answers of the gateway itself, by cause.");
    for ((service, route), sum) in sums {
        for (cause, count) in &sum.refusals {
            let labels = [("service", &**service), ("route", &**route), ("cause", *cause)];
            text.sample("_total", &labels, count);
        }
    }
}

fn tasks(gateway: &Gateway, text: &mut Text) {
    let seen: Vec<_> = gateway.doors().iter().map(|d| (d.name.clone(), d.sightings())).collect();
    let samples = seen.iter().flat_map(|(service, seen)| {
        seen.tasks.iter().map(move |seen| (&**service, seen.task.to_string(), seen))
    });
    let samples: Vec<_> = samples.collect();
    let help = "Requests sent to a task and not yet finished.";
    text.family("seaworthy_requests_in_flight", Kind::Gauge, help);
    for (service, task, seen) in &samples {
        text.sample("", &[("service", service), ("task", task)], seen.in_flight);
    }
    text.family("seaworthy_task_in_rotation", Kind::Gauge, "Whether a task gets new requests.");
    for (service, task, seen) in &samples {
        text.sample("", &[("service", service), ("task", task)], u8::from(seen.in_rotation));
    }
}

fn queues(gateway: &Gateway, text: &mut Text) {
    let help = "Requests that wait because no task may get them.";
    text.family("seaworthy_queue_length", Kind::Gauge, help);
    for door in gateway.doors() {
        text.sample("", &[("service", &door.name)], door.queued());
    }
}

fn policies(gateway: &Gateway, text: &mut Text) {
    let standing = |service: &Service| {
        let fleet::Service { name, call, .. } = &service.config;
        let routes = call.routes.iter().enumerate();
        let standing = routes.map(|(n, route)| (route, service.standing(RouteId(n))));
        standing.map(|(route, s)| (name.clone(), route.name.clone(), s)).collect::<Vec<_>>()
    };
    let all: Vec<_> = gateway.doors().iter().flat_map(|door| standing(&door.service())).collect();
    let help = "The state of the breaker before a route: 1 for the one it is in.";
    text.family("seaworthy_breaker_state", Kind::Gauge, help);
    for (service, route, Standing { breaker, .. }) in &all {
        for state in breaker.iter().flat_map(states) {
            let labels = [("service", &**service), ("route", &**route), ("state", &*state.0)];
            text.sample("", &labels, state.1);
        }
    }
    let mut gauge = |name, help, value: fn(&Standing) -> Option<u32>| {
        text.family(name, Kind::Gauge, help);
        for (service, route, standing) in &all {
            if let Some(value) = value(standing) {
                text.sample("", &[("service", service), ("route", route)], value);
            }
        }
    };
    let help = "Calls that hold a place in the bulkhead before a route.";
    gauge("seaworthy_bulkhead_running", help, |s| s.limit.map(|_| s.running));
    let help = "Those of them that nobody waits for any more.";
    gauge("seaworthy_bulkhead_abandoned", help, |s| s.limit.map(|_| s.abandoned));
    let help = "Places in the bulkhead before a route.";
    gauge("seaworthy_bulkhead_limit", help, |s| s.limit);
    let help = "Retries that the budget of a route would pay for now.";
    gauge("seaworthy_retry_budget_left", help, |s| s.retries_left);
}

/// Every state there is, and whether it is this one.
fn states(state: &State) -> Vec<(String, u8)> {
    let open = State::Open { until: Instant::EPOCH };
    let all = [State::Closed, open, State::HalfOpen, State::ForcedOpen, State::ForcedClosed];
    let now = word(state);
    all.iter().map(word).map(|word| (word.clone(), u8::from(word == now))).collect()
}

fn decisions(gateway: &Gateway, text: &mut Text) {
    let help = "Decisions about tasks and policies, by what was decided and why.";
    text.family("seaworthy_decisions", Kind::Counter, help);
    for ((service, decision, cause), count) in gateway.decisions.all() {
        let labels = [("service", &*service), ("decision", &*decision), ("cause", &*cause)];
        text.sample("_total", &labels, count);
    }
}

// === impl Sum ===

impl Sum {
    fn add(&mut self, set: &Counts) {
        let statuses = (0..STATUSES).map(|place| (place, set.statuses[place].get()));
        for (place, count) in statuses.filter(|(_, count)| *count > 0) {
            *self.statuses.entry(place).or_default() += count;
        }
        self.duration.add(&set.duration);
        let tries = [&set.tries.first, &set.tries.retries, &set.tries.hedges];
        for (sum, count) in self.tries.iter_mut().zip(tries) {
            *sum += count.get();
        }
        self.received += set.received.get();
        self.sent += set.sent.get();
        let refusals = set.refusals.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        for (cause, count) in &*refusals {
            *self.refusals.entry(cause).or_default() += count;
        }
    }
}
