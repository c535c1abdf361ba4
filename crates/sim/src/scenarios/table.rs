//! The scenarios.

use std::time::Duration;

use super::{Scenario, Server};
use crate::world::{Room, Strain};

const ROOT: &[(&str, &str)] = &[("GET", "/")];
const MINUTE: u64 = 60;

/// All thirteen, in the order of their source.
pub fn all() -> Vec<Scenario> {
    vec![
        simplest_possible_case(),
        slowdown_and_error_thresholds(),
        slow_503s_then_revert(),
        fast_503s_then_revert(),
        fast_400s_then_revert(),
        short_outage_on_one_node(),
        drastic_slowdown(),
        all_nodes_500(),
        black_hole(),
        one_endpoint_dies_on_each_server(),
        uncommon_flakes(),
        one_big_spike(),
        server_side_rate_limits(),
    ]
}

fn simplest_possible_case() -> Scenario {
    let servers = [600, 800, 1000].map(|work| always(good(work)));
    scenario("simplest_possible_case", servers, 11.0, 20 * MINUTE, 60 * MINUTE, 3000)
}

fn slowdown_and_error_thresholds() -> Scenario {
    let refuses = Some((Room::AtOnce(40), 500));
    let strain = Strain { slows_at: Some(30), refuses, broken: None };
    let servers = [600, 800, 1000].map(|work| always(Server { strain, ..good(work) }));
    Scenario {
        room: Some(30),
        ..scenario("slowdown_and_error_thresholds", servers, 500.0, 20, 10 * MINUTE, 3000)
    }
}

fn slow_503s_then_revert() -> Scenario {
    let bad = Server { status: 503, ..linear(1000) };
    let servers = [always(linear(60)), meanwhile(linear(60), 3, bad, 10, linear(10))];
    Scenario {
        room: Some(60),
        ..scenario("slow_503s_then_revert", servers, 100.0, 15, 10 * MINUTE, 1000)
    }
}

fn fast_503s_then_revert() -> Scenario {
    let bad = Server { status: 503, ..good(10) };
    let servers = [always(good(120)), meanwhile(good(120), 3, bad, 60, good(120))];
    scenario("fast_503s_then_revert", servers, 500.0, 90, 10 * MINUTE, 1000)
}

fn fast_400s_then_revert() -> Scenario {
    let bad = Server { status: 400, ..good(20) };
    let servers = [always(good(120)), meanwhile(good(120), 3, bad, 30, good(120))];
    scenario("fast_400s_then_revert", servers, 100.0, 60, 10 * MINUTE, 1000)
}

fn short_outage_on_one_node() -> Scenario {
    let bad = Server { work: Duration::from_nanos(10), status: 500, ..good(2000) };
    let servers = [always(good(2000)), meanwhile(good(2000), 30, bad, 50, good(2000))];
    scenario("short_outage_on_one_node", servers, 20.0, 80, 3 * MINUTE, 6000)
}

fn drastic_slowdown() -> Scenario {
    let servers = [always(linear(60)), meanwhile(linear(60), 3, linear(10_000), 10, linear(60))];
    Scenario {
        room: Some(60),
        ..scenario("drastic_slowdown", servers, 200.0, 20, 10 * MINUTE, 1000)
    }
}

fn all_nodes_500() -> Scenario {
    let bad = Server { status: 500, ..good(600) };
    let server = || vec![(Duration::ZERO, bad), (Duration::from_secs(10), good(600))];
    scenario("all_nodes_500", [server(), server()], 100.0, 20, 10 * MINUTE, 1800)
}

fn black_hole() -> Scenario {
    let hole = good(24 * 60 * MINUTE * 1000);
    let servers = [always(good(600)), since(good(600), 3, hole)];
    scenario("black_hole", servers, 200.0, 10, 30, 1800)
}

fn one_endpoint_dies_on_each_server() -> Scenario {
    let without = |thing| {
        let strain = Strain { broken: Some(thing), ..Strain::default() };
        since(good(600), 3, Server { strain, ..good(600) })
    };
    let servers = [without(1), without(2)];
    Scenario {
        asks: &[("POST", "/e1"), ("POST", "/e2")],
        ..scenario("one_endpoint_dies_on_each_server", servers, 250.0, 10, MINUTE, 1800)
    }
}

fn uncommon_flakes() -> Scenario {
    let flaky = Server { work: Duration::from_micros(1), failing_percent: 1, ..good(0) };
    let servers = [always(flaky), always(flaky)];
    scenario("uncommon_flakes", servers, 1000.0, 10, 20, 1000)
}

/// As many come within 33 ms as the servers can carry in 750 ms.
fn one_big_spike() -> Scenario {
    let strain = Strain { refuses: Some((Room::AtOnce(100), 429)), ..Strain::default() };
    let servers = [(); 2].map(|()| always(Server { strain, ..good(150) }));
    Scenario {
        requests: 1000,
        room: Some(100),
        ..scenario("one_big_spike", servers, 30_000.0, 1, 10, 1000)
    }
}

/// Together they let in about as many as come, if nobody gets more than a fourth. The source has 25,000
/// minutes of it, and its rate is counted in steps of 5 s.
fn server_side_rate_limits() -> Scenario {
    let strain = Strain { refuses: Some((Room::Rate(0.025), 429)), ..Strain::default() };
    let servers = [(); 4].map(|()| always(Server { strain, ..good(200_000) }));
    scenario("server_side_rate_limits", servers, 0.1, 300 * MINUTE, 600 * MINUTE, 600_000)
}

/// Of which nothing unusual is said. `lasts` and `patience` are in seconds, `deadline` in milliseconds.
fn scenario<const N: usize>(
    name: &'static str,
    servers: [Vec<(Duration, Server)>; N],
    rate: f64,
    lasts: u64,
    patience: u64,
    deadline: u64,
) -> Scenario {
    Scenario {
        name,
        servers: servers.into(),
        rate,
        requests: (rate * lasts as f64) as u64,
        asks: ROOT,
        deadline: Duration::from_millis(deadline),
        patience: Duration::from_secs(patience),
        room: None,
    }
}

/// Answers with 200 after so many milliseconds.
fn good(millis: u64) -> Server {
    let work = Duration::from_millis(millis);
    Server { work, status: 200, failing_percent: 0, strain: Strain::default() }
}

/// The same with nothing else to do, and slower with up to 60 requests at once.
fn linear(millis: u64) -> Server {
    Server { strain: Strain { slows_at: Some(60), ..Strain::default() }, ..good(millis) }
}

fn always(server: Server) -> Vec<(Duration, Server)> {
    vec![(Duration::ZERO, server)]
}

/// The one, and the other from this second on.
fn since(before: Server, second: u64, after: Server) -> Vec<(Duration, Server)> {
    vec![(Duration::ZERO, before), (Duration::from_secs(second), after)]
}

/// The first, the second one between two seconds, and then the third.
fn meanwhile(
    before: Server,
    from: u64,
    bad: Server,
    until: u64,
    after: Server,
) -> Vec<(Duration, Server)> {
    let mut phases = since(before, from, bad);
    phases.push((Duration::from_secs(until), after));
    phases
}
