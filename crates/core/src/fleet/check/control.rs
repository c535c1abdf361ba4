//! What is doubtful about how tasks of ours come and go: deployments, limits, autoscaling.

use std::time::Duration;

use humantime::format_duration as say;

use super::Add;
use crate::cluster::Config;
use crate::cluster::autoscaler::{self, Target};
use crate::cluster::deployment::{Alarm, Canary};
use crate::fleet::Service;
use crate::fleet::written::Size;
use crate::policy::guard::Severity;

/// A task that is broken from its start on dies within this, as a rule: it has read its settings, opened
/// its connections and served its first requests.
const YOUNG: Duration = Duration::from_secs(5);

pub(super) fn check(service: &Service, rate: Option<f64>, add: Add<'_>) {
    grace(&service.cluster, add);
    deployment(service, rate, add);
    limits(&service.cluster, add);
    if let Some(scaling) = &service.cluster.autoscaling {
        scope(scaling, rate, add);
        targets(service, scaling, add);
    }
}

/// The grace is for tasks that have passed a check once.
fn grace(cluster: &Config, add: Add<'_>) {
    let Config { health_grace, start_timeout, .. } = cluster;
    if health_grace > start_timeout {
        let text = format!(
            "failing checks do not count for {}, but a task that has not passed one {} after its start is \
             given up: raise `start_timeout`, too",
            say(*health_grace),
            say(*start_timeout)
        );
        add(".health_grace", Severity::Warning, text);
    }
}

fn deployment(service: &Service, rate: Option<f64>, add: Add<'_>) {
    let config = &service.cluster.deployment;
    if config.settle < YOUNG {
        let text = format!(
            "a new task takes an old one's place {} after its first passing check, and tasks that are broken \
             die within {} as a rule: those that do are replaced as if they had been good",
            say(config.settle),
            say(YOUNG)
        );
        add(".deployment.settle", Severity::Warning, text);
    }
    if let Some(alarm) = config.alarm {
        alarm_can_come(service, alarm, rate, add);
    }
    if let Some(canary) = config.canary {
        bake(canary, config.settle, config.alarm, add);
    }
}

fn alarm_can_come(service: &Service, alarm: Alarm, rate: Option<f64>, add: Add<'_>) {
    let longest = service.call.routes.iter().filter_map(|route| route.guard.timeout).max();
    if let (Some(p99), Some(longest)) = (alarm.p99, longest)
        && p99 >= longest
    {
        let text = format!(
            "no request takes longer than {}: an alarm at {} never comes",
            say(longest),
            say(p99)
        );
        add(".deployment.alarm.p99", Severity::Warning, text);
    }
    let Some(rate) = rate else { return };
    let requests = rate * alarm.window.as_secs_f64();
    if requests < f64::from(alarm.minimum_requests) {
        let text = format!(
            "at {rate} calls a second a window of {} holds {requests:.0}, and the alarm wants {}: it never comes",
            say(alarm.window),
            alarm.minimum_requests
        );
        add(".deployment.alarm.minimum_requests", Severity::Warning, text);
    }
}

/// A bake that ends before anything can have been seen.
fn bake(canary: Canary, settle: Duration, alarm: Option<Alarm>, add: Add<'_>) {
    let Canary { bake, .. } = canary;
    if bake < settle {
        let text = format!(
            "the canary is looked at for {}, and a new task counts as healthy only after {}",
            say(bake),
            say(settle)
        );
        add(".deployment.canary.bake", Severity::Warning, text);
    }
    match alarm {
        Some(alarm) if bake < alarm.window => {
            let text = format!(
                "the canary is looked at for {}, and the alarm looks at {} at once: most of that is from before",
                say(bake),
                say(alarm.window)
            );
            add(".deployment.canary.bake", Severity::Warning, text);
        }
        Some(_) => {}
        None => {
            let text = "without an `alarm` only what is seen of its tasks speaks against a canary: one that is \
                        somewhat worse than what was before passes";
            add(".deployment.canary", Severity::Warning, text.to_owned());
        }
    }
}

fn limits(cluster: &Config, add: Add<'_>) {
    let limits = cluster.limits;
    if let (Some(soft), Some(hard)) = (limits.memory_soft, limits.memory)
        && soft > hard / 10 * 9
    {
        let text = format!(
            "a task is replaced above {} and killed above {}: a task that leaks is likely killed while its \
             replacement starts; below {} there is time",
            Size(soft),
            Size(hard),
            Size(((hard / 10 * 9) >> 20) << 20)
        );
        add(".limits.memory_soft", Severity::Warning, text);
    }
    if let Some(memory) = limits.memory {
        let most = most_tasks(cluster);
        let text = format!(
            "up to {most} tasks at once ({} %, in a deployment) may use {} of memory",
            cluster.maximum_percent,
            Size(memory * u64::from(most))
        );
        add(".limits.memory", Severity::Note, text);
    }
}

/// Of how many tasks autoscaling may make use.
fn scope(scaling: &autoscaler::Config, rate: Option<f64>, add: Add<'_>) {
    let autoscaler::Config { minimum, maximum, .. } = *scaling;
    if minimum == maximum {
        let text = format!("{minimum} to {maximum} tasks leave nothing to scale");
        add(".autoscaling.maximum", Severity::Warning, text);
    }
    for target in &scaling.targets {
        if let (Target::RequestsPerTask(aim), Some(rate)) = (target, rate) {
            let wanted = (rate / f64::from(*aim)).ceil();
            if wanted > f64::from(maximum) {
                let text = format!(
                    "{rate} calls a second at {aim} for each task ask for {wanted} tasks, and {maximum} are \
                     allowed"
                );
                add(".autoscaling.maximum", Severity::Warning, text);
            }
        }
    }
    if scaling.scale_in_cooldown < scaling.scale_out_cooldown {
        let text = format!(
            "in after {} and out after {}: it is sooner smaller than it can grow again",
            say(scaling.scale_in_cooldown),
            say(scaling.scale_out_cooldown)
        );
        add(".autoscaling.scale_in_cooldown", Severity::Warning, text);
    }
}

/// Targets that cannot be missed, or that nothing is known of.
fn targets(service: &Service, scaling: &autoscaler::Config, add: Add<'_>) {
    let longest = service.call.routes.iter().filter_map(|route| route.guard.timeout).max();
    for target in &scaling.targets {
        match (*target, service.balancing.most_in_flight, longest) {
            (Target::Concurrency(aim), Some(most), _) if aim >= most => {
                let text = format!(
                    "a task gets at most {most} requests at once, and more tasks come when each has more than \
                     {aim}: only when requests wait"
                );
                add(".autoscaling.concurrency", Severity::Warning, text);
            }
            (Target::P99(aim), _, longest) => {
                if let Some(longest) = longest.filter(|longest| aim >= *longest) {
                    let text = format!(
                        "no request takes longer than {}: at {} it never scales out",
                        say(longest),
                        say(aim)
                    );
                    add(".autoscaling.p99", Severity::Warning, text);
                }
                let text = "with hardly any requests nothing is known of how long they take, and what is not \
                            known scales nothing: a service that nobody uses keeps its tasks";
                add(".autoscaling.p99", Severity::Note, text.to_owned());
            }
            _ => {}
        }
    }
}

/// Tasks there may be at once, whatever the load.
fn most_tasks(cluster: &Config) -> u32 {
    let highest = cluster.autoscaling.as_ref().map(|scaling| scaling.maximum);
    let desired_count = highest.unwrap_or(cluster.desired_count);
    Config { desired_count, ..cluster.clone() }.ceiling()
}
