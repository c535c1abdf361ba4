//! The answer for people.

use std::fmt::Write;

use anstyle::Style;
use seaworthy_core::call::Route;
use seaworthy_sim::availability::{Interval, MONTH, Place};
use seaworthy_sim::planner::{Answer, Assessed, Causes, Question};

use super::amounts::{change, from_to, many, money, more, nines, seconds, share, span, success};
use super::assumptions::assumptions;
use super::beside::beside;
use super::places::places;
use super::prose::Width;
use super::rehearsed::rehearsed;
use super::routes::by_route;
use super::verdict::verdict;
use crate::command::table::{BAD, Cell, FAINT, GOOD, PLAIN, Table, cell, known};

/// The route that is for everything no other is for.
const DEFAULT: &str = "default";
/// No table of alternatives is longer, but for what must be in it.
const MOST_ROWS: usize = 15;
/// Above this share of what tasks bear it matters that arrivals are not even.
const HARDLY: f64 = 0.95;
/// A difference below this share is none.
const ROUNDED: f64 = 0.01;

/// All of it.
pub(super) fn words(question: &Question<'_>, answer: &Answer, width: Width) -> String {
    let mut text = width.prose(&head(question, answer));
    for told in warnings(question, answer) {
        text += &width.prose(&format!("WARNING: {told}\n"));
    }
    if !answer.pareto.is_empty() {
        text += &pareto(question, answer, width);
    }
    text += &width.prose(&verdict(question, answer));
    text += &causes(question, answer);
    text += &rehearsed(question, answer, width);
    text += &by_route(question, answer);
    text += &steps(question, answer, width);
    text += &buys(answer, width);
    text += &places(question, answer);
    text += &width.prose(&refused(answer));
    text += &beside(question, answer);
    text += "\nTAKEN FOR GRANTED\n";
    for assumption in assumptions(question, answer) {
        text += &width.prose(&format!("- {assumption}\n"));
    }
    text
}

fn head(question: &Question<'_>, answer: &Answer) -> String {
    let tolerated = question.tolerated() * MONTH;
    let route = match question.route.name.as_str() {
        _ if !question.along.is_empty() => format!(", by {}", shares(question)),
        DEFAULT => String::new(),
        name => format!(", route {name}"),
    };
    format!(
        "{}{route}: {} % of requests are to succeed, which tolerates {} a month; {} of its tasks must be up\n",
        question.service.name,
        question.target,
        seconds(tolerated),
        answer.needed
    )
}

/// What an answer should not be believed without.
pub(super) fn warnings(question: &Question<'_>, answer: &Answer) -> Vec<String> {
    let Some(load) = question.load else { return Vec::new() };
    let unknown = question.demand().is_none().then(|| {
        format!(
            "nobody said what one task can bear, so any one is taken to bear all {load} requests a second; say it \
             with --capacity, or with `most_in_flight` in the file"
        )
    });
    let name = &question.route.name;
    let by_others = question.route_percent.is_none() && !others(question).is_empty();
    let all = by_others.then(|| {
        format!(
            "all {load} requests a second are taken to come by the route `{name}`; say which share does with \
             --share"
        )
    });
    unknown.into_iter().chain(all).chain(hardly(question, answer)).collect()
}

/// Where the tasks of the file, or those that are chosen, hardly bear what comes.
fn hardly(question: &Question<'_>, answer: &Answer) -> Option<String> {
    let (load, demand) = question.load.zip(question.demand())?;
    let share = |one: &Assessed| demand / f64::from(one.candidate.tasks);
    let mut ones = answer.now.iter().chain(answer.chosen());
    let one = ones.find(|one| share(one) > HARDLY)?;
    Some(format!(
        "{load} requests a second are {:.1} % of what {} bear{}; arrivals are taken as even, and they are not: close \
         to 100 % far more fails than is said. A smaller --capacity leaves room",
        100.0 * share(one),
        many(one.candidate.tasks, "task"),
        if one.candidate.tasks == 1 { "s" } else { "" },
    ))
}

/// Routes of the service that are not asked for.
pub(super) fn others<'a>(question: &Question<'a>) -> Vec<&'a str> {
    let names = question.service.call.routes.iter().map(|route| &route.name[..]);
    names.filter(|name| question.shares().all(|(route, _)| route.name != *name)).collect()
}

/// `search 20 %, default 80 %`
pub(super) fn shares(question: &Question<'_>) -> String {
    let one = |(route, percent): (&Route, f64)| format!("{} {percent} %", route.name);
    question.shares().map(one).collect::<Vec<_>>().join(", ")
}

fn pareto(question: &Question<'_>, answer: &Answer, width: Width) -> String {
    let title = "\nWORTH CHOOSING: no other is better in price, number of changes and failed share, both on average and at \
                 its longest; with the file and what is chosen in any case\n";
    let mut table = Table::new(&[
        "TASKS",
        "PRICE",
        "FAILED SHARE",
        "A MONTH",
        "SHORTEST TO LONGEST",
        "SIMULATED",
        "MEETS",
        "WINDOW",
        "SECOND FAILURE IN IT",
        "CHANGES",
    ]);
    let mut beyond = Vec::new();
    let all = answer.pareto.iter().enumerate();
    let (shown, left): (Vec<_>, Vec<_>) =
        all.partition(|(n, one)| *n < MOST_ROWS || answer.is_told(one));
    for (_, one) in shown {
        let expected = &one.expected;
        let failed = expected.causes.total();
        let simulated = answer.simulate(question, one).map(|down| expected.simulated(down));
        if let Some(known) = simulated.filter(|known| differs(failed, known)) {
            beyond.push(format!("{failed:.2e} and {known}"));
        }
        let meets = answer.meets(question, one);
        let good = style(meets);
        table.row([
            cell(PLAIN, one.candidate.tasks),
            cell(PLAIN, money(one.price)),
            cell(good, share(failed)),
            cell(good, seconds(failed * MONTH)),
            range(expected.range()),
            cell(PLAIN, simulated.map_or("too crowded".to_owned(), interval)),
            cell(good, mark(meets)),
            cell(PLAIN, span(expected.window)),
            cell(PLAIN, share(expected.second_failure)),
            changes(one),
        ]);
    }
    let left_out = left.first().map_or(String::new(), |(_, first)| {
        format!(
            "{} more, from {} on: --json has all.\n",
            many(left.len(), "row"),
            many(first.candidate.tasks, "task")
        )
    });
    width.prose(title) + &table.render() + &width.prose(&(left_out + &notes(question, &beyond)))
}

/// Of what meets the target, or does not, if that is known.
fn style(meets: Option<bool>) -> Style {
    meets.map_or(PLAIN, |meets| if meets { GOOD } else { BAD })
}

/// The same where there are no colours.
fn mark(meets: Option<bool>) -> &'static str {
    meets.map_or("?", |meets| if meets { "yes" } else { "no" })
}

/// Whether a simulation is beyond its interval, and by more than rounding.
fn differs(failed: f64, known: &Interval) -> bool {
    let bound = known.half_width.map(|half| half.max(failed * ROUNDED));
    bound.is_some_and(|bound| (known.value - failed).abs() > bound)
}

/// What to know of the table above, of which some pairs of reckonings are `beyond` an interval.
fn notes(question: &Question<'_>, beyond: &[String]) -> String {
    let (name, route) = (&question.service.name, &question.route.name);
    let alone = question.service.call.routes.len() == 1;
    let of_route = match (route.as_str(), alone) {
        (DEFAULT, true) => String::new(),
        (DEFAULT, false) => {
            " (those of `call`, `breaker` and `bulkhead` are also for routes that leave them out)"
                .to_owned()
        }
        _ => format!(
            " (but for `call.queue`, those of `call`, `breaker` and `bulkhead` of its route `{route}`)"
        ),
    };
    let mut text = format!(
        "Changes are keys of [service.{name}]{of_route}; what they do not name stays. What they switch on is reckoned with its \
         defaults: whatever else stands in its table while it is off is to go.\n\
         SHORTEST TO LONGEST is of starts, replacements and detection alone: how often tasks fail, hang, are \
         sick or fail together is as given (--mttf, --hangs, --sick, --common-cause).\n"
    );
    if !beyond.is_empty() {
        let _ = writeln!(
            text,
            "FAILED SHARE and SIMULATED are two reckonings of the same, and differ by more than the interval: as one in \
             twenty does by chance (and rows draw the same numbers), or as in closed form two causes of several tasks do not meet, nor what two outages leave to be worked off: {}.",
            beyond.join("; ")
        );
    }
    text
}

/// What is left of each cause; nothing where none can work.
fn causes(question: &Question<'_>, answer: &Answer) -> String {
    let now = answer.now.as_ref().ok();
    let is_other = |one: &&Assessed| now.is_none_or(|now| now.candidate != one.candidate);
    let both = [now, answer.chosen().filter(is_other)];
    let both = both.map(|one| one.map(|one| &one.expected.causes));
    if both.iter().all(Option::is_none) {
        return String::new();
    }
    let mut table = Table::new(&["CAUSE", "THE FILE", "A MONTH", "CHOSEN", "A MONTH"]);
    let pair = |failed: Option<f64>| {
        [known(failed.map(share)), known(failed.map(|failed| seconds(failed * MONTH)))]
    };
    let failing = question.world.places();
    let mut row = |name: &str, failed: [Option<f64>; 2]| {
        // A nought would say that they do no harm.
        let of_place =
            |(place, word)| name == word && failing.iter().all(|(other, _)| *other != place);
        if [(Place::Zone, "zone"), (Place::Machine, "machine")].into_iter().any(of_place) {
            return;
        }
        let [[a, b], [c, d]] = failed.map(pair);
        table.row([cell(PLAIN, name), a, b, c, d]);
    };
    for (n, (name, _)) in Causes::default().named().into_iter().enumerate() {
        row(name, both.map(|causes| causes.map(|causes| causes.named()[n].1)));
    }
    row("all", both.map(|causes| causes.map(Causes::total)));
    format!("\nWHAT MAKES REQUESTS FAIL\n{}", table.render())
}

/// One change after the other, each with its own price.
fn steps(question: &Question<'_>, answer: &Answer, width: Width) -> String {
    let Some(first) = answer.steps.first() else { return String::new() };
    let mut table =
        Table::new(&["SUCCEED", "NINES", "MEETS", "BUYS", "FOR", "PRICE", "MOSTLY OF", "CHANGE"]);
    let mut before = first;
    for one in &answer.steps {
        let failed = one.expected.causes.total();
        let known = &before.candidate.changes;
        let own = one.candidate.changes.iter().filter(|change| !known.contains(change));
        let own = own.map(String::as_str).collect::<Vec<_>>().join(", ");
        let is_step = !own.is_empty();
        let meets = answer.meets(question, one);
        let style = style(meets);
        let of_step = |text: String| cell(PLAIN, if is_step { text } else { String::new() });
        table.row([
            cell(style, success(failed)),
            cell(style, nines(failed)),
            cell(style, mark(meets)),
            of_step(change(failed - before.expected.causes.total())),
            of_step(more(one.price - before.price)),
            cell(PLAIN, money(one.price)),
            of_step(most_of(&before.expected.causes, &one.expected.causes).to_owned()),
            if is_step { cell(PLAIN, own) } else { changes(one) },
        ]);
        before = one;
    }
    let title = "\nWHICH NINE IS BOUGHT BY WHAT: each line adds one change, first those for nothing that buy most, then \
                 those that buy most for their price\n";
    width.prose(title) + &table.render()
}

fn buys(answer: &Answer, width: Width) -> String {
    let Ok(now) = &answer.now else { return String::new() };
    let mut table = Table::new(&["PRICE", "FAILED SHARE", "A MONTH", "MOSTLY OF", "CHANGE"]);
    let before = &now.expected.causes;
    for one in answer.buys.iter().take(MOST_ROWS) {
        let after = &one.expected.causes;
        let (from, to) = (before.total(), after.total());
        let style = if to < from { GOOD } else { BAD };
        table.row([
            cell(PLAIN, more(one.price - now.price)),
            cell(style, from_to(from, to)),
            cell(style, change(to - from)),
            cell(PLAIN, most_of(before, after)),
            changes(one),
        ]);
    }
    let mut text = format!("\nWHAT ONE CHANGE BUYS\n{}", table.render());
    if !answer.idle.is_empty() {
        text += &width.prose(&format!("Nothing is bought by {}.\n", answer.idle.join("; ")));
    }
    text
}

/// The cause that changes most.
pub(super) fn most_of(before: &Causes, after: &Causes) -> &'static str {
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
        let count = many(refused.count, "candidate");
        let _ = writeln!(text, "- {changes}: {} ({count})", refused.why);
    }
    text
}

fn changes(one: &Assessed) -> Cell {
    let style = if one.candidate.changes.is_empty() { FAINT } else { PLAIN };
    cell(style, say_changes(one))
}

pub(super) fn say_changes(one: &Assessed) -> String {
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
