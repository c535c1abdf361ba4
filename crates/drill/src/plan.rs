//! What a drill is going to do, for those who want to know before it does.

use std::time::Duration;

use seaworthy_core::experiment::load::ONLY_FLOW;
use seaworthy_core::experiment::{Cell, FaultKind, outage};

use crate::calibration;
use crate::job::{Job, Mode};
use crate::style::{FAINT, HEAD, paint};
use crate::words::{about, exact, rough, span, tasks, wrap};

/// Beside the load of a cell: processes come up, the first check may come too early for them.
const AROUND_A_CELL: Duration = Duration::from_millis(700);

/// Before what belongs to a cell.
const INDENT: &str = "    ";

/// A drill in outline.
pub(crate) struct Plan {
    /// What and how fast.
    pub(crate) title: String,
    /// How long it takes, roughly.
    pub(crate) estimate: Duration,
}

// === impl Plan ===

impl Plan {
    /// Of a job.
    pub(crate) fn of(job: &Job) -> Self {
        let fill = |configuration: usize| {
            let services = job.drill.configurations[configuration].services().iter();
            services.map(|service| service.health.fast_interval).max().unwrap_or_default()
        };
        let cell = |(cell, _): (Cell, u32)| {
            let duration = job.drill.schedules[cell.schedule].duration;
            duration + fill(cell.configuration) + AROUND_A_CELL
        };
        let calibrate = match job.mode {
            Mode::Compared { calibrate, .. } => {
                // One task of each service is replaced as well.
                let replacing = calibration::replacing(&job.drill.configurations[0]);
                let after = calibration::PAUSE + replacing + calibration::AFTER;
                (calibration::length(job) + fill(0) + after + AROUND_A_CELL) * calibrate
            }
            Mode::Live | Mode::Simulated => Duration::ZERO,
        };
        Self { title: title(job), estimate: calibrate + job.turns().map(cell).sum::<Duration>() }
    }
}

/// `the report's experiment, 10 times faster than life, simulated`
pub(crate) fn title(job: &Job) -> String {
    let simulated = if job.mode == Mode::Simulated { ", simulated" } else { "" };
    match job.scale {
        1 => format!("{}, at life size{simulated}", job.drill.title),
        scale => format!("{}, {scale} times faster than life{simulated}", job.drill.title),
    }
}

/// Everything that will be started and stopped, and when.
pub(crate) fn describe(job: &Job, width: usize) -> String {
    let plan = Plan::of(job);
    let runs = job.turns().count();
    let plural = if runs == 1 { "" } else { "s, one after the other" };
    let took = match job.mode {
        Mode::Live => format!("about {} in all; nothing is started now", about(plan.estimate)),
        Mode::Simulated => "in virtual time; nothing is ever started".to_owned(),
        Mode::Compared { calibrate, predict } => format!(
            "about {} in all, with {calibrate} among them in which nothing happens, and {predict} simulated ones of each cell; nothing is started now",
            about(plan.estimate)
        ),
    };
    let mut lines = vec![paint(HEAD, &plan.title), format!("{runs} run{plural}, {took}")];
    for command in job.prepare() {
        lines.push(String::new());
        lines.push(format!("first: {}", command.join(" ")));
    }
    for cell in &job.cells {
        lines.push(String::new());
        lines.extend(describe_cell(job, *cell, width));
    }
    lines.join("\n") + "\n"
}

fn describe_cell(job: &Job, cell: Cell, width: usize) -> Vec<String> {
    let configuration = &job.drill.configurations[cell.configuration];
    let schedule = &job.drill.schedules[cell.schedule];
    let name = paint(HEAD, &cell.name(&job.drill));
    let mut lines = vec![format!("{name}  {}: {}", configuration.title, schedule.title)];
    for service in configuration.services() {
        let count = tasks(service.cluster.desired_count);
        let start = format!("start {count} of `{}`", service.command.join(" "));
        let wrapped = wrap(&start, width - INDENT.len());
        lines.extend(wrapped.iter().map(|line| format!("{INDENT}{line}")));
    }
    lines.extend(
        job.drill.target.iter().map(|target| format!("{INDENT}nothing: {target} is there")),
    );
    let at = |at: Duration, what: String| {
        let life_size = format!("  ({} at life size)", rough(at * job.scale));
        let life_size = if job.scale == 1 { String::new() } else { paint(FAINT, &life_size) };
        format!("{INDENT}{:>7}  {what}{life_size}", exact(at))
    };
    for flow in &job.drill.load.flows {
        let name = if flow.name == ONLY_FLOW { String::new() } else { format!("{}: ", flow.name) };
        lines.push(at(flow.from, format!("{name}{} requests a second", flow.rate)));
    }
    let mut turns = Vec::new();
    for fault in &schedule.faults {
        turns.push((
            fault.at,
            match fault.once {
                Some(once) => format!("{INDENT}{:>7}  {} {once}", "then", fault.kind),
                None => at(fault.at, fault.kind.to_string()),
            },
        ));
        if fault.end() > fault.at && fault.end() < schedule.duration {
            let over = if let FaultKind::Spike(_) = fault.kind { "over" } else { "healed" };
            turns.push((fault.end(), at(fault.end(), format!("{}: {over}", fault.kind))));
        }
    }
    turns.sort_by_key(|(at, _)| *at);
    lines.extend(turns.into_iter().map(|(_, line)| line));
    lines.push(at(schedule.duration, "end of the load; everything is stopped".to_owned()));
    lines.push(format!("{INDENT}expected: {}", expected(job, cell)));
    lines
}

/// `up`, or `down` and for how long by arithmetic.
fn expected(job: &Job, cell: Cell) -> String {
    let schedule = &job.drill.schedules[cell.schedule];
    let configuration = &job.drill.configurations[cell.configuration];
    let down = |start| outage(configuration, job.drill.load.entry(), schedule, &(start..=start));
    let at_once = down(Duration::ZERO);
    // Where nobody comes back before the end it makes no difference how long that would take.
    let waits = at_once != down(Duration::from_secs(1));
    let range = at_once.map(|range| {
        let start = if waits { " and a task's own start" } else { "" };
        format!("; by arithmetic {}{start}", span(*range.start(), *range.end(), exact))
    });
    format!("{}{}", schedule.expect[cell.configuration], range.unwrap_or_default())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::job::tests::{job, report};

    #[test]
    fn the_report_s_experiment_in_outline() {
        let text = anstream::adapter::strip_str(&describe(&report(), 100)).to_string();
        expect_test::expect_file!["../golden/plan.txt"].assert_eq(&text);
    }

    /// One starts in zone b, and none where the power is off until the end.
    #[test]
    fn a_start_is_spoken_of_where_there_is_one() {
        let mut job = job(Some("zones"), &["1/zone", "1/power"]);
        let expected = |job: &Job| [0, 1].map(|n| expected(job, job.cells[n]));
        let with_start = "down; by arithmetic 1 to 3 s and a task's own start";
        assert_eq!(expected(&job)[0], with_start);
        let schedule = &mut job.drill.schedules[job.cells[1].schedule];
        let off = &mut schedule.faults[0];
        off.lasts = schedule.duration.saturating_sub(off.at);
        assert_eq!(expected(&job)[1], "down; by arithmetic 12 s");
    }

    #[test]
    fn deployments_and_spikes_in_outline() {
        let outline = |file, cells: &[&str]| {
            let text = describe(&job(Some(file), cells), 100);
            anstream::adapter::strip_str(&text).to_string()
        };
        let text = outline("percent", &["1/dies"]) + "\n" + &outline("autoscaling", &["2/spike"]);
        expect_test::expect_file!["../golden/plan-deployment.txt"].assert_eq(&text);
    }
}
