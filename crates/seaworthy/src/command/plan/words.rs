//! The answer for people.

use std::fmt::Write;

use seaworthy_sim::availability::{Interval, MONTH};
use seaworthy_sim::planner::{Answer, Assessed, Causes, Question};

use super::amounts::{money, seconds, share, span, tasks};
use super::assumptions::assumptions;
use super::beside::beside;
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
        let name = &question.service.name;
        let _ =
            writeln!(text, "Changes are keys of [service.{name}]; what they do not name stays.");
    }
    text += &verdict(question, answer);
    text += &causes(answer);
    text += &steps(question, answer);
    text += &buys(answer);
    text += &refused(answer);
    text += &beside(question, answer);
    text += "\nTAKEN FOR GRANTED\n";
    for assumption in assumptions(question, answer) {
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

/// What is left of each cause.
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

/// One change after the other, each the one that buys most.
fn steps(question: &Question<'_>, answer: &Answer) -> String {
    let Some(first) = answer.steps.first() else { return String::new() };
    let mut table = Table::new(&["SUCCEED", "NINES", "PRICE", "MOSTLY OF", "CHANGE"]);
    let mut before = first;
    for one in &answer.steps {
        let failed = one.expected.causes.total();
        let known = &before.candidate.changes;
        let own = one.candidate.changes.iter().find(|change| !known.contains(change));
        let style = if one.meets(question) { GOOD } else { BAD };
        table.row([
            cell(style, format!("{:.6} %", 100.0 * (1.0 - failed))),
            cell(style, format!("{:.1}", -failed.log10())),
            cell(PLAIN, money(one.price)),
            cell(PLAIN, own.map_or("", |_| most_of(&before.expected.causes, &one.expected.causes))),
            own.map_or_else(|| changes(one), |change| cell(PLAIN, change)),
        ]);
        before = one;
    }
    format!(
        "\nWHICH NINE IS BOUGHT BY WHAT: each line adds the change that buys most\n{}",
        table.render()
    )
}

fn buys(answer: &Answer) -> String {
    let Ok(now) = &answer.now else { return String::new() };
    let mut table = Table::new(&["PRICE", "FAILED SHARE", "A MONTH", "MOSTLY OF", "CHANGE"]);
    let before = &now.expected.causes;
    for one in answer.buys.iter().take(MOST_ROWS) {
        let after = &one.expected.causes;
        let (from, to) = (before.total(), after.total());
        let style = if to < from { GOOD } else { BAD };
        let more = one.price - now.price;
        let sign = |number: f64| if number < 0.0 { "-" } else { "+" };
        table.row([
            cell(PLAIN, format!("{}{}", sign(more), money(more.abs()))),
            cell(style, format!("{} -> {}", share(from), share(to))),
            cell(style, format!("{}{}", sign(to - from), seconds((to - from).abs() * MONTH))),
            cell(PLAIN, most_of(before, after)),
            changes(one),
        ]);
    }
    let mut text = format!("\nWHAT ONE CHANGE BUYS\n{}", table.render());
    if !answer.idle.is_empty() {
        let _ = writeln!(text, "Nothing is bought by {}.", answer.idle.join("; "));
    }
    text
}

/// The cause that changes most.
fn most_of(before: &Causes, after: &Causes) -> &'static str {
    let gains = before.named().into_iter().zip(after.named()).map(|(b, a)| (b.0, b.1 - a.1));
    gains.max_by(|a, b| a.1.abs().total_cmp(&b.1.abs())).map_or("", |gain| gain.0)
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
