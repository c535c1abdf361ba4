//! What cannot work in a fleet, or is likely not what was meant, with the numbers.

mod control;

use std::time::Duration;

use humantime::format_duration as say;
use serde::Serialize;

use super::{Fleet, Service};
use crate::call::Route;
use crate::health::{self, Check};
use crate::policy::breaker::Window;
use crate::policy::guard::Severity;

/// Something about a fleet that its owner should know.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Finding {
    /// The full key, such as `service.store.start_timeout`.
    pub key: String,
    /// How bad it is.
    pub severity: Severity,
    /// What it is, with the numbers.
    pub text: String,
}

/// Everything there is to say about `fleet`, the worst first. With the calls a second that one
/// service gets, if known, it says more.
pub fn check(fleet: &Fleet, rate: Option<f64>) -> Vec<Finding> {
    let mut findings = Vec::new();
    for service in &fleet.services {
        let key = format!("service.{}", service.name);
        let mut add = |below: &str, severity, text| {
            findings.push(Finding { key: format!("{key}{below}"), severity, text });
        };
        verdicts(service, &mut add);
        if service.targets.is_empty() {
            start(service, &mut add);
            retirement(service, &mut add);
            control::check(service, rate, &mut add);
        } else {
            standing(service, &mut add);
        }
        stickiness(service, &mut add);
        shadowed(service, &mut add);
        for (n, route) in service.call.routes.iter().enumerate() {
            let last = n + 1 == service.call.routes.len();
            let below = if last { String::new() } else { format!(".route[{}]", n + 1) };
            let mut add = |key: &str, severity, text| {
                add(&format!("{below}{key}"), severity, text);
            };
            policies(route, rate, &mut add);
            tries(service, route, &mut add);
            connecting(service, route, &mut add);
        }
    }
    findings.extend(open_agent(fleet));
    findings.extend(multiplied_tries(fleet));
    findings.extend(inverted_deadlines(fleet));
    findings.sort_by_key(|finding| finding.severity);
    findings
}

type Add<'a> = &'a mut dyn FnMut(&str, Severity, String);

/// A new task must have passed a check before its patience is over, and the next check comes up to
/// one fast interval after it is ready.
fn start(service: &Service, add: Add<'_>) {
    let (patience, health) = (service.cluster.start_timeout, &service.health);
    if patience <= health.fast_interval {
        let text = format!(
            "a task is given up {} after its start, and if its first check comes too early the next one \
             comes {} later: no task that needs a moment to start ever gets a request",
            say(patience),
            say(health.fast_interval)
        );
        add(".start_timeout", Severity::Refused, text);
    }
    let count = service.cluster.desired_count;
    if count == 0 {
        let text = "no task is wanted: every request is answered with 503 until it is scaled";
        return add(".desired_count", Severity::Warning, text.to_owned());
    }
    // The first check is up to one interval away; once one has failed they come faster.
    let again = health.fast_interval.max(health.timeout) * (health.unhealthy_threshold - 1);
    let noticed = health.interval + again + health.timeout;
    let (shortest, longest) = service.cluster.provisioning;
    let text = format!(
        "{}; one that dies is replaced within {} to {} and its own start: meanwhile {} of {count} tasks serve",
        one_that_hangs(health, noticed),
        say(shortest),
        say(longest + health.fast_interval),
        count - 1,
    );
    let severity = if count == 1 { Severity::Warning } else { Severity::Note };
    add(".desired_count", severity, text);
}

/// Nobody replaces a task that somebody else runs, as far as we know.
fn standing(service: &Service, add: Add<'_>) {
    let health = &service.health;
    let noticed = health.interval * health.unhealthy_threshold + health.timeout;
    let count = service.targets.len();
    let text = format!(
        "{}: until it is back, {} of {count} serve",
        one_that_hangs(health, noticed),
        count - 1,
    );
    let severity = if count == 1 { Severity::Warning } else { Severity::Note };
    add(".targets", severity, text);
}

/// When it leaves the rotation, if its checks tell: a connection opens also where nobody answers.
fn one_that_hangs(health: &health::Config, noticed: Duration) -> String {
    match health.check {
        Check::Http { .. } => {
            format!("a task that hangs leaves the rotation after up to {}", say(noticed))
        }
        Check::Tcp => "a task that hangs passes its checks by TCP, and only requests show it \
                       (health.passive)"
            .to_owned(),
    }
}

/// Verdicts of requests that can never be carried out.
fn verdicts(service: &Service, add: Add<'_>) {
    let (count, rules) = (service.cluster.desired_count, service.health.passive);
    let kept = rules.map_or(1, |rules| rules.minimum_in_rotation);
    if kept > 1 && kept >= count {
        let text = format!(
            "{kept} tasks are kept in rotation whatever their requests show, and there are {count}: none is \
             ever ejected"
        );
        add(".health.passive.minimum_in_rotation", Severity::Warning, text);
    }
}

/// The one way to retire a task: drained first, then SIGTERM, then SIGKILL.
fn retirement(service: &Service, add: Add<'_>) {
    let (drain, stop) = (service.cluster.deregistration_delay, service.cluster.stop_timeout);
    let longest = service.call.routes.iter().filter_map(|route| route.guard.timeout).max();
    let longest = longest.unwrap_or(Duration::MAX);
    if longest > drain + stop {
        let text = format!(
            "a request may take {}, and a task that retires is killed after {} (drained for {}, then {} from \
             SIGTERM to SIGKILL): a long request is cut off",
            say(longest),
            say(drain + stop),
            say(drain),
            say(stop)
        );
        add(".deregistration_delay", Severity::Warning, text);
    } else if longest > drain {
        let text = format!(
            "a request may take {}, and a task that retires gets SIGTERM after {}: it must finish its \
             requests in the {} that are left",
            say(longest),
            say(drain),
            say(stop)
        );
        add(".deregistration_delay", Severity::Note, text);
    }
    if drain > stop && drain > longest {
        let text = format!(
            "a drain of up to {} is longer than any request may take ({}) and than the stop timeout of {}: \
             a connection that never ends holds up a deployment for nothing",
            say(drain),
            say(longest),
            say(stop)
        );
        add(".deregistration_delay", Severity::Note, text);
    }
}

fn stickiness(service: &Service, add: Add<'_>) {
    if let Some(cookie) = &service.sticky_cookie {
        let text = format!(
            "the cookie `{cookie}` brings a client back to its task: what a task remembers of its \
             clients dies with it; it has {}",
            service.cluster.desired_count
        );
        add(".sticky_cookie", Severity::Warning, text);
    }
}

/// The guard's own findings, and what a breaker before several tasks means.
fn policies(route: &Route, rate: Option<f64>, add: Add<'_>) {
    for finding in route.findings(rate) {
        add(".breaker", finding.severity(), finding.to_string());
    }
    if let (Some(timeout), true) = (route.guard.timeout, route.outlasts > Duration::ZERO)
        && route.guard.bulkhead.is_none()
    {
        let text = format!(
            "work that goes on for {} after the beginning of a call of up to {} is counted by a bulkhead, \
             and there is none",
            say(route.outlasts),
            say(timeout)
        );
        add(".call.outlasts", Severity::Warning, text);
    }
    if let (Some(bulkhead), Some(timeout), Some(rate)) =
        (&route.guard.bulkhead, route.guard.timeout, rate)
    {
        let held = timeout.max(route.outlasts).as_secs_f64();
        let permits = bulkhead.largest();
        let text = format!(
            "{permits} permits let {:.1} calls a second through when each is held for {held} s (Little), and \
             {rate} come: in a hang the others are turned away at once",
            f64::from(permits) / held
        );
        if rate * held > f64::from(permits) {
            add(".bulkhead", Severity::Note, text);
        }
    }
}

/// Tries that are of no use, or a breaker that one bad task opens for all.
fn tries(service: &Service, route: &Route, add: Add<'_>) {
    let count = service.cluster.desired_count;
    if route.tries > count {
        let text = format!(
            "{} tries are more than there are tasks ({count}): after a failure the same tasks are asked \
             again",
            route.tries
        );
        add(".call.tries", Severity::Note, text);
    }
    if let Some(breaker) = &route.guard.breaker {
        let percent = breaker.failure_percent;
        if count > 1 && percent * count <= 100 {
            let text = format!(
                "one of {count} tasks that fails every request makes {} % of the calls fail, and {percent} % \
                 open the breaker for all {count}: health checks take a bad task out, a breaker is for a \
                 service that is bad as a whole",
                100 / count
            );
            add(".breaker.failure_percent", Severity::Warning, text);
        }
        if let Window::Calls(calls) = breaker.window
            && u64::from(breaker.minimum_calls) == u64::from(calls)
            && calls > 1000
        {
            let text = format!("the breaker is blind until {calls} calls have ended");
            add(".breaker.window_calls", Severity::Note, text);
        }
    }
    if let Some(budget) = route.budget.filter(|budget| budget.success_percent > 100) {
        let text = format!(
            "each success pays for {:.1} retries: a service that fails half of its calls gets more \
             retries than calls",
            f64::from(budget.success_percent) / 100.0
        );
        add(".call.retry_budget", Severity::Warning, text);
    }
}

/// One connection that does not come about uses up the whole call.
fn connecting(service: &Service, route: &Route, add: Add<'_>) {
    let connect = service.call.connect_timeout;
    if let Some(timeout) = route.guard.timeout.filter(|timeout| *timeout <= connect) {
        let text = format!(
            "a call may take {}, and opening one connection {}: a task that takes no connections uses \
             up the whole call, and no other one is tried",
            say(timeout),
            say(connect)
        );
        add(".call.timeout", Severity::Note, text);
    }
}

/// The first route that is for a request counts, so one behind a wider one never does.
fn shadowed(service: &Service, add: Add<'_>) {
    let routes = &service.call.routes;
    for (n, route) in routes.iter().enumerate().take(routes.len() - 1) {
        let wider = routes[..n].iter().find(|earlier| earlier.matches.covers(&route.matches));
        if let Some(wider) = wider {
            let text = format!(
                "`{}` is never used: every request it is for goes by `{}`, which stands before it",
                route.name, wider.name
            );
            add(&format!(".route[{}]", n + 1), Severity::Warning, text);
        }
    }
}

/// Who calls whom does not stand in the file; a caller that waits less than its callee works leaves
/// work behind that nobody wants.
fn inverted_deadlines(fleet: &Fleet) -> Option<Finding> {
    let longest = |service: &Service| {
        service.call.routes.iter().filter_map(|route| route.guard.timeout).max()
    };
    let times = || fleet.services.iter().filter_map(|s| Some((longest(s)?, s.name.as_str())));
    let (short, long) = (times().min()?, times().max()?);
    (short.0 < long.0).then(|| Finding {
        key: "service".to_owned(),
        severity: Severity::Note,
        text: format!(
            "a call of `{}` may take {} and one of `{}` {}: if the first calls the second, its deadline \
             comes first, and unless it sends on what is left of it (X-Request-Timeout-Ms) the second \
             works on for nobody",
            short.1,
            say(short.0),
            long.1,
            say(long.0)
        ),
    })
}

/// What goes over TCP is not encrypted.
fn open_agent(fleet: &Fleet) -> Option<Finding> {
    let listen = fleet.agent.listen.filter(|address| !address.ip().is_loopback())?;
    Some(Finding {
        key: "agent.listen".to_owned(),
        severity: Severity::Warning,
        text: format!(
            "{listen} can be reached from other machines, and the token goes there as it is: whoever \
             listens on the way can start and stop tasks"
        ),
    })
}

/// Services that call each other through the gateway try again at every step.
fn multiplied_tries(fleet: &Fleet) -> Option<Finding> {
    let tries = |service: &Service| service.call.routes.iter().map(|route| route.tries).max();
    let tries: Vec<u32> = fleet.services.iter().filter_map(tries).collect();
    let product = tries.iter().fold(1_u32, |product, tries| product.saturating_mul(*tries));
    if tries.len() < 2 || product <= tries.iter().copied().max().unwrap_or(1) {
        return None;
    }
    let each: Vec<String> = tries.iter().map(u32::to_string).collect();
    let share = |service: &Service| {
        let budgets = service.call.routes.iter().map(|route| route.budget);
        budgets
            .map(|budget| budget.map(|b| f64::from(b.success_percent) / 100.0))
            .max_by(|a, b| a.unwrap_or(f64::INFINITY).total_cmp(&b.unwrap_or(f64::INFINITY)))
    };
    let bound: f64 =
        fleet.services.iter().filter_map(share).map(|s| 1.0 + s.unwrap_or(f64::INFINITY)).product();
    let bounded = if bound.is_finite() {
        format!("the retry budgets bound it to {bound:.2} in the long run")
    } else {
        "no retry budget bounds it".to_owned()
    };
    let severity = if bound <= 4.0 { Severity::Note } else { Severity::Warning };
    Some(Finding {
        key: "service".to_owned(),
        severity,
        text: format!(
            "if these services call each other in a chain, one request becomes up to {} = {product} calls \
             of the last one; {bounded}",
            each.join(" * ")
        ),
    })
}
