//! The answer for people.

use std::fmt::Write;

use seaworthy_sim::availability::{DAY, Interval, MONTH, Span};
use seaworthy_sim::planner::{Answer, Assessed, Question, World};

use crate::command::table::{BAD, Cell, FAINT, GOOD, PLAIN, Table, cell};

/// No table of alternatives is longer.
const MOST_ROWS: usize = 15;

/// All of it.
pub(super) fn words(question: &Question<'_>, answer: &Answer) -> String {
    let mut text = head(question, answer);
    if !answer.pareto.is_empty() {
        text +=
            "\nWORTH CHOOSING: no other is better in price, failed share and number of changes\n";
        text += &pareto(question, answer);
    }
    text += &verdict(question, answer);
    text += &causes(answer);
    text += &buys(answer);
    text += &refused(answer);
    text += "\nTAKEN FOR GRANTED\n";
    for assumption in assumptions(question) {
        let _ = writeln!(text, "- {assumption}");
    }
    text
}

fn head(question: &Question<'_>, answer: &Answer) -> String {
    let tolerated = question.tolerated() * MONTH;
    format!(
        "{}: {} % of requests are to succeed, which tolerates {} a month; {} of its tasks must be up\n",
        question.service.name,
        question.target,
        seconds(tolerated),
        answer.needed
    )
}

fn pareto(question: &Question<'_>, answer: &Answer) -> String {
    let mut table = Table::new(&[
        "TASKS",
        "PRICE",
        "FAILED SHARE",
        "A MONTH",
        "SHORTEST TO LONGEST",
        "SIMULATED",
        "WINDOW",
        "SECOND FAILURE IN IT",
        "CHANGES",
    ]);
    for one in answer.pareto.iter().take(MOST_ROWS) {
        let expected = &one.expected;
        let failed = expected.causes.total();
        let good = if one.meets(question) { GOOD } else { BAD };
        table.row([
            cell(PLAIN, one.candidate.tasks),
            cell(PLAIN, money(one.price)),
            cell(good, share(failed)),
            cell(good, seconds(failed * MONTH)),
            range(expected.range()),
            cell(PLAIN, interval(expected.simulated(one.simulate(question)))),
            cell(PLAIN, span(expected.window)),
            cell(PLAIN, share(expected.second_failure)),
            changes(one),
        ]);
    }
    table.render()
}

fn verdict(question: &Question<'_>, answer: &Answer) -> String {
    let describe = |one: &Assessed| {
        let failed = one.expected.causes.total();
        format!(
            "{}, {} a month, {:.5} % succeed, {} a month fail; {}",
            tasks(one.candidate.tasks),
            money(one.price),
            100.0 * (1.0 - failed),
            seconds(failed * MONTH),
            say_changes(one)
        )
    };
    let target = question.target;
    match (&answer.cheapest, &answer.nearest) {
        (Some(cheapest), _) => {
            format!(
                "\nThe cheapest that meets {target} %, all times at their longest: {}\n",
                describe(cheapest)
            )
        }
        (None, Some(nearest)) => {
            let percent = 100.0 * (1.0 - nearest.expected.range().1);
            format!(
                "\nNone of {} candidates meets {target} %. The nearest: {}; with all times at their longest \
                 it meets {percent:.5} %\n",
                answer.candidates,
                describe(nearest)
            )
        }
        (None, None) => format!("\nNone of {} candidates can work.\n", answer.candidates),
    }
}

/// Which nine is bought by what: what is left of each cause.
fn causes(answer: &Answer) -> String {
    let Ok(now) = &answer.now else { return String::new() };
    let chosen = answer.cheapest.as_ref().or(answer.nearest.as_ref());
    let chosen = chosen.filter(|chosen| chosen.candidate != now.candidate);
    let mut table = Table::new(&["CAUSE", "THE FILE", "A MONTH", "CHOSEN", "A MONTH"]);
    let empty = || [cell(FAINT, "-"), cell(FAINT, "-")];
    let pair = |failed: f64| [cell(PLAIN, share(failed)), cell(PLAIN, seconds(failed * MONTH))];
    let mut row = |name: &str, own: f64, other: Option<f64>| {
        let [a, b] = pair(own);
        let [c, d] = other.map_or_else(empty, pair);
        table.row([cell(PLAIN, name), a, b, c, d]);
    };
    let named = now.expected.causes.named();
    let others = chosen.map(|chosen| chosen.expected.causes.named());
    for (n, (name, own)) in named.into_iter().enumerate() {
        row(name, own, others.map(|others| others[n].1));
    }
    let total = chosen.map(|chosen| chosen.expected.causes.total());
    row("all", now.expected.causes.total(), total);
    format!("\nWHAT MAKES REQUESTS FAIL\n{}", table.render())
}

fn buys(answer: &Answer) -> String {
    let Ok(now) = &answer.now else { return String::new() };
    if answer.buys.is_empty() {
        return String::new();
    }
    let mut table = Table::new(&["PRICE", "FAILED SHARE", "A MONTH", "MOSTLY OF", "CHANGE"]);
    let before = &now.expected.causes;
    for one in answer.buys.iter().take(MOST_ROWS) {
        let after = &one.expected.causes;
        let gains = before.named().into_iter().zip(after.named()).map(|(b, a)| (b.0, b.1 - a.1));
        let most = gains.max_by(|a, b| a.1.abs().total_cmp(&b.1.abs())).map_or("", |gain| gain.0);
        let (from, to) = (before.total(), after.total());
        let style = if to < from { GOOD } else { BAD };
        let more = one.price - now.price;
        let sign = |number: f64| if number < 0.0 { "-" } else { "+" };
        table.row([
            cell(PLAIN, format!("{}{}", sign(more), money(more.abs()))),
            cell(style, format!("{} -> {}", share(from), share(to))),
            cell(style, format!("{}{}", sign(to - from), seconds((to - from).abs() * MONTH))),
            cell(PLAIN, most),
            changes(one),
        ]);
    }
    format!("\nWHAT ONE CHANGE BUYS\n{}", table.render())
}

fn refused(answer: &Answer) -> String {
    let mut text = String::new();
    if let Err(why) = &answer.now {
        let _ = write!(text, "\nThe file as it is cannot work: {why}\n");
    }
    if !answer.refused.is_empty() {
        text += "\nREFUSED\n";
    }
    for refused in answer.refused.iter().take(MOST_ROWS) {
        let changes = refused.changes.join(", ");
        let changes = if changes.is_empty() { "as the file is" } else { &changes };
        let _ = writeln!(text, "- {changes}: {} ({} candidates)", refused.why, refused.count);
    }
    text
}

/// What the answer stands on, in plain words.
pub(super) fn assumptions(question: &Question<'_>) -> Vec<String> {
    let World { mttf, common_percent, hangs_percent, writes_percent, latency, deployments, start } =
        question.world;
    let started = match &question.evidence {
        Some(evidence) => format!(
            "a process takes {} to be ready: measured {} times; windows were {}",
            evidence.start().map_or("?".to_owned(), span),
            evidence.count(),
            evidence.window().map_or("not measured".to_owned(), span)
        ),
        None => {
            format!("a process takes {} to be ready (--start): nothing was measured", span(start))
        }
    };
    let needed = match (question.load, question.capacity) {
        (Some(load), Some(capacity)) => {
            format!("{load} requests a second come and a task bears {capacity}")
        }
        (Some(load), None) if question.needed() > 1 => {
            format!("{load} requests a second come and a task bears what its most_in_flight allows")
        }
        _ => "any one task in rotation bears the whole load (give --load and --capacity if not)"
            .to_owned(),
    };
    vec![
        format!("each task fails once in {:.1} days on average, at any time as likely (--mttf)", mttf / DAY),
        format!("{common_percent} % of these failures take all tasks at once (--common-cause); else they are independent"),
        format!("{hangs_percent} % of failures are hangs, found by health checks alone (--hangs); that a task has died is known at once"),
        started,
        needed,
        format!("an answer takes {} (--latency); {writes_percent} % of requests may not be sent twice (--writes)", seconds(latency)),
        format!("{deployments} deployments a month (--deployments), in which as many tasks serve as the floor keeps, to their end"),
        "a task that hangs gets its even share of the requests until it is found out; all replacements go on side by side".to_owned(),
        "failed share: in closed form, with exponential times; simulated: with times as they are, by forced failures, and a 95 % interval; both are only as good as what is taken for granted".to_owned(),
        "not reckoned with: overload, broken dependencies, autoscaling, requests that wait in the queue, the gateway and its machine; a drill shows those".to_owned(),
    ]
}

fn changes(one: &Assessed) -> Cell {
    let style = if one.candidate.changes.is_empty() { FAINT } else { PLAIN };
    cell(style, say_changes(one))
}

fn say_changes(one: &Assessed) -> String {
    match one.candidate.changes.join(", ") {
        none if none.is_empty() => "as the file is".to_owned(),
        changes => changes,
    }
}

fn range((low, high): (f64, f64)) -> Cell {
    cell(FAINT, span((low * MONTH, high * MONTH)))
}

fn interval(interval: Interval) -> String {
    match interval.relative() {
        Some(relative) => format!("{:.1e} +- {:.0} %", interval.value, (relative * 100.0).ceil()),
        None => "too rare".to_owned(),
    }
}

fn span((low, high): Span) -> String {
    let (low, high) = (seconds(low), seconds(high));
    if low == high { low } else { format!("{low} to {high}") }
}

fn share(share: f64) -> String {
    if share == 0.0 { "0".to_owned() } else { format!("{share:.1e}") }
}

fn tasks(count: u32) -> String {
    format!("{count} task{}", if count == 1 { "" } else { "s" })
}

fn money(amount: f64) -> String {
    if amount.fract() == 0.0 { format!("${amount}") } else { format!("${amount:.2}") }
}

/// With two digits at least, in the unit in which that is short.
fn seconds(seconds: f64) -> String {
    match seconds {
        0.0 => "0 s".to_owned(),
        small if small < 0.000_95 => format!("{small:.1e} s"),
        small if small < 0.95 => format!("{:.0} ms", small * 1e3),
        some if some < 9.5 => format!("{some:.1} s"),
        some if some < 600.0 => format!("{some:.0} s"),
        some if some < 36_000.0 => format!("{:.0} min", some / 60.0),
        many => format!("{:.1} h", many / 3600.0),
    }
}
