//! Users who come again, in virtual time: by what they are used to a task.
#![allow(clippy::unwrap_used, reason = "the helpers of tests are tests, too")]

use seaworthy_core::experiment::{Drill, Findings, RawDrill};
use seaworthy_sim::cell;

/// What comes of each cell.
fn run(text: &str) -> Vec<Findings> {
    let raw: RawDrill = toml::from_str(text).unwrap();
    let drill: Drill = raw.try_into().unwrap();
    let run = |cell| cell::run(&drill, cell, 1).unwrap();
    drill.cells().into_iter().map(run).collect()
}

/// How many requests of each flow fail, by cell.
fn failed(text: &str) -> Vec<Vec<u64>> {
    let flows = |of: Findings| of.flows.iter().map(|numbers| numbers.failed).collect();
    run(text).into_iter().map(flows).collect()
}

/// One of two tasks answers 500. A user of whom nobody knows yet may meet it, and asks once more without a cookie: that
/// would lead to the same task again, and the cookie of the last answer counts from then on.
#[test]
fn a_client_that_asks_again_says_what_it_said_before() {
    let all = failed(
        r#"
        title = "users that nobody knows yet"
        objective = { latency = "1s", success = "50%" }
        hypothesis = { window = "1s", tolerated_gap = "1s" }
        [fleet.service.shop]
        command = ["shop"]
        desired_count = 2
        sticky_cookie = "task"
        balancing = "weighted_random"
        call = { retry_status = "none", hedge.enabled = false }
        health.passive.enabled = false
        [[load.flow]]
        name = "all"
        rate = 100
        users = 1000
        attempts = 2
        until = "10s"
        paths = ["/"]
        [[schedule]]
        name = "one_is_bad"
        duration = "12s"
        faults = [{ at = "100ms", lasts = "10s", fail = 1 }]
        "#,
    );
    // Half of them meet it, and half of those again.
    assert!((200..300).contains(&all[0][0]), "{all:?}");
}

/// A cart is known to the task where it was filled.
#[test]
fn cookies_of_the_same_name_are_the_same_cookie_whichever_service_gave_them() {
    let all = failed(
        r#"
        title = "two services of one site"
        objective = { latency = "1s", success = "50%" }
        hypothesis = { window = "1s", tolerated_gap = "1s" }
        [fleet.service.carts]
        command = ["carts"]
        desired_count = 4
        sticky_cookie = "cart"
        balancing = "weighted_random"
        call.hedge.enabled = false
        [fleet.service.shop]
        command = ["shop"]
        desired_count = 4
        listen = "127.0.0.1:8081"
        sticky_cookie = "shop"
        balancing = "weighted_random"
        call.hedge.enabled = false
        [model.carts]
        remembers = true
        [load]
        service = "carts"
        [[load.flow]]
        name = "fill"
        method = "PUT"
        rate = 100
        users = 100
        until = "1s"
        paths = ["/carts/{user}"]
        [[load.flow]]
        name = "shop"
        service = "shop"
        rate = 100
        users = 100
        from = "1500ms"
        until = "2500ms"
        paths = ["/"]
        [[load.flow]]
        name = "look"
        rate = 100
        users = 100
        from = "3s"
        until = "4s"
        paths = ["/carts/{user}"]
        [[configuration]]
        title = "each its own cookie"
        [[configuration]]
        title = "the same name"
        service.carts.sticky_cookie = "task"
        service.shop.sticky_cookie = "task"
        [[schedule]]
        name = "control"
        duration = "5s"
        "#,
    );
    assert_eq!(all[0], [0, 0, 0]);
    assert!((55..95).contains(&all[1][2]), "three of four come to another task: {all:?}");
}

#[test]
fn what_is_hashed_is_what_the_service_says() {
    let tasks = |affinity: &str, users: &str| {
        let text = format!(
            r#"
            title = "hashed"
            objective = {{ latency = "1s", success = "50%" }}
            hypothesis = {{ window = "1s", tolerated_gap = "1s" }}
            [fleet.service.shop]
            command = ["shop"]
            desired_count = 3
            balancing = "consistent_hash"
            affinity = {affinity}
            call.hedge.enabled = false
            [[load.flow]]
            name = "all"
            rate = 100
            paths = ["/1", "/2", "/3", "/4", "/5", "/6", "/7", "/8", "/9"]
            {users}
            [[schedule]]
            name = "control"
            duration = "3s"
            "#
        );
        run(&text)[0].numbers.answers.len()
    };
    for users in ["", "users = 50"] {
        assert!(tasks("'path'", users) > 1, "{users}");
        for one in ["'source'", "{ header = 'X-User' }"] {
            assert_eq!(tasks(one, users), 1, "all come from one address, and without fields");
        }
    }
}
