//! What to choose, or how far that is.

use seaworthy_sim::availability::MONTH;
use seaworthy_sim::planner::{Answer, Assessed, Causes, Eased, Question, Rarer};

use super::amounts::{self, below, many, money, seconds, success};
use super::words::{most_of, say_changes};

/// The cheapest that meets the target, or the nearest and what would meet it.
pub(super) fn verdict(question: &Question<'_>, answer: &Answer) -> String {
    let target = question.target;
    match (&answer.cheapest, &answer.nearest) {
        (Some(cheapest), _) => {
            let cheaper = answer.only_closed.as_ref().map(|one| {
                let changes = |one: &Assessed| one.candidate.changes.len();
                let less = if one.price < cheapest.price {
                    "Cheaper"
                } else if one.candidate.tasks < cheapest.candidate.tasks {
                    "With fewer tasks"
                } else if changes(one) < changes(cheapest) {
                    "With fewer changes"
                } else {
                    "No worse in closed form"
                };
                let succeed = success(answer.as_simulated(question, one));
                format!("{less}, but as simulated only {succeed} succeed: {}\n", describe(one))
            });
            let simulated = question.can_be_rehearsed().then(|| {
                format!(
                    "; as simulated {} succeed",
                    success(answer.as_simulated(question, cheapest))
                )
            });
            format!(
                "\nThe cheapest that meets {target} %, also with all times at their longest ({} a month fail): {}{}\n{}{}",
                seconds(cheapest.expected.range().1 * MONTH),
                describe(cheapest),
                simulated.unwrap_or_default(),
                cheaper.unwrap_or_default(),
                skipped(question, answer)
            )
        }
        (None, Some(nearest)) => match &answer.only_closed {
            Some(one) => contradicted(question, answer, one),
            None => missed(question, answer, nearest),
        },
        (None, None) => {
            let eased = answer.eased.as_ref();
            let in_the_way = || " What is in the way is said below.".to_owned();
            let eased = eased.map_or_else(in_the_way, |eased| nearest_that_can(question, eased));
            format!("\nNone of {} candidates can work.{eased}\n", answer.candidates)
        }
    }
}

fn describe(one: &Assessed) -> String {
    let failed = one.expected.causes.total();
    format!(
        "{}, {} a month, on average {} succeed and {} a month fail; {}",
        many(one.candidate.tasks, "task"),
        money(one.price),
        success(failed),
        seconds(failed * MONTH),
        say_changes(one)
    )
}

/// What was not looked at as the others were.
fn skipped(question: &Question<'_>, answer: &Answer) -> String {
    let Answer { skipped, .. } = answer;
    if skipped.is_empty() {
        return String::new();
    }
    // Where none is chosen they are of any price.
    let price = if answer.cheapest.is_some() { ", no dearer" } else { "" };
    format!(
        "Passed over, as enough with as many tasks had missed {} % in a simulation: {}{price}.\n",
        question.target,
        many(skipped.len(), "other candidate")
    )
}

/// How far `nearest` is from the target, and what would meet it.
fn missed(question: &Question<'_>, answer: &Answer, nearest: &Assessed) -> String {
    let slow = &nearest.expected.slow;
    let (_, longest) = nearest.expected.range();
    let simulated = answer.as_simulated(question, nearest);
    let rarer = answer.rarer.as_ref().map(|Rarer { mttf, one }| {
        let same = one.candidate == nearest.candidate;
        let other = if same { String::new() } else { format!(" with {}", say_changes(one)) };
        let times = amounts::times(mttf / question.world.mttf);
        format!(
            "failures that come {times} times as rarely (--mttf {}){other}",
            amounts::mttf(*mttf)
        )
    });
    // A target is held against both.
    let would: Vec<String> = lower(longest.max(simulated)).into_iter().chain(rarer).collect();
    let would = if would.is_empty() {
        "nothing that can be asked for".to_owned()
    } else {
        would.join(", or ")
    };
    let rehearsed = question.can_be_rehearsed();
    let simulated = rehearsed.then(|| format!(" and as simulated {} succeed,", success(simulated)));
    format!(
        "\nNone of {} candidates meets {} %. The nearest: {}; with all times at their longest it meets {},{} and \
         most of what fails is of {}.\n\
         What would do: {would}\n",
        answer.candidates,
        question.target,
        describe(nearest),
        success(longest),
        simulated.unwrap_or_default(),
        most_of(&Causes::default(), slow),
    )
}

/// The target that is met, if somebody can ask for it.
fn lower(failed: f64) -> Option<String> {
    let percent = 100.0 * (1.0 - failed);
    (percent >= 1.0).then(|| format!("--target {}", below(percent)))
}

/// The cheapest that meets the target in closed form, where no simulated one does.
fn contradicted(question: &Question<'_>, answer: &Answer, one: &Assessed) -> String {
    let failed = answer.as_simulated(question, one);
    let rarer = answer.helps(question, one).then(|| "failures that come more rarely".to_owned());
    let would: Vec<String> = lower(failed).into_iter().chain(rarer).collect();
    let would =
        if would.is_empty() { "nothing that is known".to_owned() } else { would.join(", or ") };
    format!(
        "\nNone of {} candidates that was simulated meets {} %. In closed form some do, the cheapest of which: {}. But the simulations know \
         what fails beside what, and what comes of it: only {} of its requests succeed.\n\
         {}What would do: {would}\n",
        answer.candidates,
        question.target,
        describe(one),
        success(failed),
        skipped(question, answer),
    )
}

/// It may work and still miss the target.
fn nearest_that_can(question: &Question<'_>, Eased { world, one, meets }: &Eased) -> String {
    let target = question.target;
    let asked = question.world.failing();
    let raised = world.failing().into_iter().zip(asked).filter(|(new, old)| new != old);
    let raised = raised.filter_map(|((_, key, mttf), _)| Some((key, mttf?)));
    let say = |all: &mut dyn Iterator<Item = (&str, f64)>| {
        all.fold(String::new(), |text, (key, mttf)| text + &format!(" {key} {mttf}s"))
    };
    let can = format!(" The nearest that can, with{}: {}", say(&mut raised.clone()), describe(one));
    match meets {
        Some(meets) if meets.mttf <= world.mttf => format!("{can}; it meets {target} %"),
        Some(Rarer { mttf, one: other }) => {
            let same = other.candidate == one.candidate;
            let other = if same { String::new() } else { format!("{} ", say_changes(other)) };
            let beside = say(&mut raised.filter(|(key, _)| *key != "--mttf"));
            format!(
                "{can}; it works, and {other}meets {target} % with --mttf {}{beside}",
                amounts::mttf(*mttf)
            )
        }
        None => format!("{can}; it works, and no --mttf up to 1000years meets {target} %"),
    }
}
