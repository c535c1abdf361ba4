//! What `seaworthy check` says of fleets that can be read.

use expect_test::expect;
use seaworthy_core::fleet::{Finding, Fleet, RawFleet, check};
use seaworthy_core::policy::guard::Severity;

fn told(text: &str, rate: Option<f64>) -> String {
    let fleet = super::read::<RawFleet, Fleet>(text).expect("a fleet");
    let line = |Finding { key, severity, text }| format!("{severity:?}: {key}: {text}\n");
    check(&fleet, rate).into_iter().map(line).collect()
}

#[test]
fn everything_that_is_wrong_is_said_with_its_numbers_the_worst_first() {
    let text = r#"
        [service.products]
        command = ["products"]
        start_timeout = "10s"
        deregistration_delay = "5s"
        stop_timeout = "2s"
        health = { interval = "30s", fast_interval = "30s", timeout = "5s", unhealthy_threshold = 2 }
        breaker = { window_calls = 100 }
        bulkhead.size = 10
        call = { timeout = "30s", retry_budget = { success_percent = 400 } }
        [[service.products.route]]
        name = "slow"
        path = "/slow"
        call.outlasts = "1m"
        bulkhead.enabled = false
        [service.orders]
        command = ["orders"]
        desired_count = 1
        health.passive.minimum_in_rotation = 2
        sticky_cookie = "task"
    "#;
    expect![[r#"
        Refused: service.products.start_timeout: a task is given up 10s after its start, and if its first check comes too early the next one comes 30s later: no task that needs a moment to start ever gets a request
        Warning: service.orders.health.passive.minimum_in_rotation: 2 tasks are kept in rotation whatever their requests show, and there are 1: none is ever ejected
        Warning: service.orders.desired_count: a task that hangs leaves the rotation after up to 5s; one that dies is replaced within 0s to 200ms and its own start: meanwhile 0 of 1 tasks serve
        Warning: service.orders.sticky_cookie: the cookie `task` brings a client back to its task: what a task remembers of its clients dies with it; it has 1
        Warning: service.products.deregistration_delay: a request may take 30s, and a task that retires is killed after 7s (drained for 5s, then 2s from SIGTERM to SIGKILL): a long request is cut off
        Warning: service.products.route[1].breaker: a trial has failed after 10s, although its caller waits 30s for it
        Warning: service.products.route[1].call.outlasts: work that goes on for 1m after the beginning of a call of up to 30s is counted by a bulkhead, and there is none
        Warning: service.products.route[1].breaker.failure_percent: one of 2 tasks that fails every request makes 50 % of the calls fail, and 50 % open the breaker for all 2: health checks take a bad task out, a breaker is for a service that is bad as a whole
        Warning: service.products.route[1].call.retry_budget: each success pays for 4.0 retries: a service that fails half of its calls gets more retries than calls
        Warning: service.products.breaker: a trial has failed after 10s, although its caller waits 30s for it
        Warning: service.products.breaker: at 50 calls a second, when all of them hang, the breaker opens after 150s
        Warning: service.products.breaker.failure_percent: one of 2 tasks that fails every request makes 50 % of the calls fail, and 50 % open the breaker for all 2: health checks take a bad task out, a breaker is for a service that is bad as a whole
        Warning: service.products.call.retry_budget: each success pays for 4.0 retries: a service that fails half of its calls gets more retries than calls
        Warning: service: if these services call each other in a chain, one request becomes up to 3 * 3 = 9 calls of the last one; the retry budgets bound it to 6.00 in the long run
        Note: service.orders.deregistration_delay: a drain of up to 5m is longer than any request may take (1m) and than the stop timeout of 30s: a connection that never ends holds up a deployment for nothing
        Note: service.orders.call.tries: 3 tries are more than there are tasks (1): after a failure the same tasks are asked again
        Note: service.products.desired_count: a task that hangs leaves the rotation after up to 1m 5s; one that dies is replaced within 0s to 30s and its own start: meanwhile 1 of 2 tasks serve
        Note: service.products.route[1].call.tries: 3 tries are more than there are tasks (2): after a failure the same tasks are asked again
        Note: service.products.bulkhead: 10 permits let 0.3 calls a second through when each is held for 30 s (Little), and 50 come: in a hang the others are turned away at once
        Note: service.products.call.tries: 3 tries are more than there are tasks (2): after a failure the same tasks are asked again
        Note: service: a call of `products` may take 30s and one of `orders` 1m: if the first calls the second, its deadline comes first, and unless it sends on what is left of it (X-Request-Timeout-Ms) the second works on for nobody
    "#]].assert_eq(&told(text, Some(50.0)));
}

#[test]
fn what_is_doubtful_about_how_tasks_come_and_go() {
    let text = r#"
        agent.listen = "0.0.0.0:9900"
        [service.s]
        command = ["s"]
        health_grace = "2m"
        call.timeout = "20s"
        most_in_flight = 4
        limits = { memory = "1GiB", memory_soft = "1000MiB" }
        deployment = { settle = "2s", alarm = { p99 = "20s", window = "30s" }, canary = { bake = "1s" } }
        [service.s.autoscaling]
        minimum = 2
        maximum = 4
        requests_per_task = 2
        concurrency = 4
        p99 = "30s"
        scale_in_cooldown = "10s"
        [service.t]
        command = ["t"]
        deployment.canary = {}
        autoscaling = { maximum = 2, cpu_percent = 50 }
    "#;
    let told = told(text, Some(0.5));
    let new = ["agent", "grace", ".deployment", ".limits", ".autoscaling"];
    let lines = told.lines().filter(|line| new.iter().any(|key| line.contains(key)));
    expect![[r#"
        Warning: service.s.health_grace: failing checks do not count for 2m, but a task that has not passed one 1m after its start is given up: raise `start_timeout`, too
        Warning: service.s.deployment.settle: a new task takes an old one's place 2s after its first passing check, and tasks that are broken die within 5s as a rule: those that do are replaced as if they had been good
        Warning: service.s.deployment.alarm.p99: no request takes longer than 20s: an alarm at 20s never comes
        Warning: service.s.deployment.alarm.minimum_requests: at 0.5 calls a second a window of 30s holds 15, and the alarm wants 20: it never comes
        Warning: service.s.deployment.canary.bake: the canary is looked at for 1s, and a new task counts as healthy only after 2s
        Warning: service.s.deployment.canary.bake: the canary is looked at for 1s, and the alarm looks at 30s at once: most of that is from before
        Warning: service.s.limits.memory_soft: a task is replaced above 1000MiB and killed above 1GiB: a task that leaks is likely killed while its replacement starts; below 921MiB there is time
        Warning: service.s.autoscaling.scale_in_cooldown: in after 10s and out after 30s: it is sooner smaller than it can grow again
        Warning: service.s.autoscaling.concurrency: a task gets at most 4 requests at once, and more tasks come when each has more than 4: only when requests wait
        Warning: service.s.autoscaling.p99: no request takes longer than 20s: at 30s it never scales out
        Warning: service.t.deployment.canary: without an `alarm` only what is seen of its tasks speaks against a canary: one that is somewhat worse than what was before passes
        Warning: service.t.autoscaling.maximum: 2 to 2 tasks leave nothing to scale
        Warning: agent.listen: 0.0.0.0:9900 can be reached from other machines, and the token goes there as it is: whoever listens on the way can start and stop tasks
        Note: service.s.limits.memory: up to 8 tasks at once (200 %, in a deployment) may use 8GiB of memory
        Note: service.s.autoscaling.p99: with hardly any requests nothing is known of how long they take, and what is not known scales nothing: a service that nobody uses keeps its tasks"#]].assert_eq(&lines.collect::<Vec<_>>().join("\n"));
    let many = self::told(text, Some(100.0));
    assert!(
        many.contains("100 calls a second at 2 for each task ask for 50 tasks, and 4 are allowed")
    );
}

#[test]
fn a_route_behind_a_wider_one_is_never_used() {
    let shadowed = |first: &str, second: &str| {
        let text = format!(
            "[service.s]\ncommand = [\"s\"]\nroute = [{{ name = \"first\", {first} }}, {{ name = \
             \"second\", {second} }}]"
        );
        told(&text, None)
            .contains("`second` is never used: every request it is for goes by `first`")
    };
    assert!(shadowed(r#"path_prefix = "/a""#, r#"path = "/a/b""#));
    assert!(shadowed(r#"host = "*.test""#, r#"host = "a.test", path = "/a""#));
    assert!(shadowed(r#"headers = ["X-A"]"#, r#"headers = ["x-a: 1", "X-B"]"#));
    assert!(!shadowed(r#"host = "a.test", path = "/a""#, r#"path = "/a""#));
    assert!(!shadowed(r#"headers = ["X-A: 1"]"#, r#"headers = ["X-A"]"#));
}

#[test]
fn a_sound_fleet_has_notes_at_most() {
    let text = r#"
        [service.store]
        command = ["store"]
        desired_count = 3
        deregistration_delay = "30s"
        health.interval = "5s"
        health.timeout = "2s"
        breaker = {}
        bulkhead = {}
        call.timeout = "2s"
    "#;
    let fleet = super::read::<RawFleet, Fleet>(text).expect("a fleet");
    for rate in [None, Some(10.0), Some(1000.0)] {
        let worst = check(&fleet, rate).into_iter().map(|finding| finding.severity).min();
        assert_eq!(worst, Some(Severity::Note), "{rate:?}: {}", told(text, rate));
    }
}
