use super::{Figures, Scenario, Strategy, all, run};

/// The first of the requests of a scenario.
fn first(requests: u64, name: &str) -> Scenario {
    let scenario = all().into_iter().find(|scenario| scenario.name == name);
    let scenario = scenario.unwrap_or_else(|| panic!("there is no {name}"));
    Scenario { requests: requests.min(scenario.requests), ..scenario }
}

/// Few requests of a scenario, under the first strategy and under the second.
fn both(requests: u64, name: &str, strategies: [Strategy; 2]) -> [Figures; 2] {
    let scenario = first(requests, name);
    strategies.map(|strategy| run(&scenario, strategy, 1))
}

/// With the defaults more is answered in time than in turn and with a deadline alone.
fn defaults_help(requests: u64, name: &str) {
    let [alone, defaults] = both(requests, name, [Strategy::Deadline, Strategy::Defaults]);
    assert!(defaults.good > alone.good, "{name}: {defaults:?} is no better than {alone:?}");
}

#[test]
fn simplest_possible_case() {
    for strategy in [Strategy::Patient, Strategy::Deadline, Strategy::Defaults] {
        let figures = run(&first(200, "simplest_possible_case"), strategy, 1);
        assert_eq!((figures.good, figures.succeeded), (200, 200), "{strategy}");
    }
}

#[test]
fn slowdown_and_error_thresholds() {
    let name = "slowdown_and_error_thresholds";
    let [all_in, bounded] = both(3000, name, [Strategy::Defaults, Strategy::Bulkhead]);
    assert!(bounded.good > all_in.good, "{bounded:?} is no better than {all_in:?}");
}

#[test]
fn slow_503s_then_revert() {
    defaults_help(1000, "slow_503s_then_revert");
}

#[test]
fn fast_503s_then_revert() {
    defaults_help(3000, "fast_503s_then_revert");
}

/// A 400 is the client's fault: it is passed on, and does not count against the server.
#[test]
fn fast_400s_then_revert() {
    let name = "fast_400s_then_revert";
    let [alone, defaults] = both(1000, name, [Strategy::Deadline, Strategy::Defaults]);
    assert!(defaults.good <= alone.good, "{defaults:?} is better than {alone:?}");
}

#[test]
fn short_outage_on_one_node() {
    defaults_help(900, "short_outage_on_one_node");
}

#[test]
fn drastic_slowdown() {
    defaults_help(1500, "drastic_slowdown");
}

/// Nothing helps while all fail, and retries do not make it worse than their budget.
#[test]
fn all_nodes_500() {
    let strategies = [Strategy::Deadline, Strategy::Defaults];
    let [alone, defaults] = both(2000, "all_nodes_500", strategies);
    assert!(alone.good > 0 && defaults.good > 0, "{alone:?}, {defaults:?}");
    assert_eq!(alone.sent, alone.requests);
    assert!(defaults.sent < defaults.requests * 13 / 10, "{defaults:?}");
}

#[test]
fn black_hole() {
    let [patient, deadline] = both(2000, "black_hole", [Strategy::Patient, Strategy::Deadline]);
    assert_eq!(patient.good, deadline.good, "a deadline alone brings no answer");
    defaults_help(2000, "black_hole");
}

/// What must not be repeated is not, whoever else could have answered.
#[test]
fn one_endpoint_dies_on_each_server() {
    let name = "one_endpoint_dies_on_each_server";
    let figures = run(&first(1500, name), Strategy::Defaults, 1);
    assert_eq!(figures.sent, figures.requests);
    assert!(figures.good < figures.requests, "{figures:?}");
}

#[test]
fn uncommon_flakes() {
    defaults_help(3000, "uncommon_flakes");
}

#[test]
fn one_big_spike() {
    let strategies = [Strategy::Defaults, Strategy::Queue];
    let [all_at_once, queue] = both(1000, "one_big_spike", strategies);
    assert!(queue.good > all_at_once.good, "{queue:?} is no better than {all_at_once:?}");
}

/// A 429 is passed on: whoever is told to come more seldom must not come again at once.
#[test]
fn server_side_rate_limits() {
    let figures = run(&first(200, "server_side_rate_limits"), Strategy::Defaults, 1);
    assert!(figures.good < figures.requests && figures.sent < 230, "{figures:?}");
}

#[test]
fn the_same_seed_tells_the_same_story() {
    let story = |seed| -> Vec<String> {
        let few = all().into_iter().map(|scenario| first(150, scenario.name));
        few.map(|few| format!("{:?}", run(&few, Strategy::Defaults, seed))).collect()
    };
    assert_eq!(story(7), story(7));
    assert_ne!(story(7), story(8));
}
