//! How a bad task keeps everybody out: a breaker before all tasks takes its failures for those of all, or its
//! calls take the last permits of the bulkhead.

use seaworthy_core::call::Route;
use seaworthy_core::policy::breaker::{self, Mode, Window};

use super::candidate::is_failure;
use super::chosen::Chosen;
use super::harm::unhedged;
use super::timing::{Timing, mean};
use super::{Candidate, Question, ROUNDED};

/// For how many seconds nobody else gets through.
#[derive(Clone, Copy, Default)]
pub(super) struct Shut {
    /// While the task gets requests.
    pub(super) before: f64,
    /// When it gets none any more.
    pub(super) after: f64,
}

/// A share of all calls that fails for a while.
#[derive(Clone, Copy)]
pub(super) struct Bad {
    pub(super) share: f64,
    /// Each of them fails so many seconds after it began: at once, or by its timeout.
    pub(super) late: f64,
    /// How long they go on to begin.
    pub(super) seconds: f64,
}

/// So many times of a span stand for all of it.
const TIMES: u32 = 100;
/// So many moments are looked at for the one at which a breaker opens.
const MOMENTS: u32 = 100;
/// What is less likely is left out.
const UNLIKELY: f64 = 0.01;
/// A window slides in tenths: so much of it counts at least.
const COUNTS: f64 = 0.9;

// === impl Shut ===

impl Shut {
    /// By a task that hangs, on average over all times until that is found out.
    pub(super) fn by_hang(
        question: &Question<'_>,
        candidate: &Candidate,
        timing: &Timing,
        hanging: &Chosen,
    ) -> Self {
        let (low, high) = timing.detection;
        let piece = (high - low) / f64::from(TIMES);
        (0..TIMES).fold(Self::default(), |mut all, n| {
            let found = low + (f64::from(n) + 0.5) * piece;
            let bad = Bad::hangs(question, candidate, hanging, found);
            let open = by_breaker(question, candidate, &bad);
            let full = by_bulkhead(question, candidate, timing, hanging, &bad);
            all.before += open.before.max(full.before) / f64::from(TIMES);
            all.after += open.after.max(full.after) / f64::from(TIMES);
            all
        })
    }

    /// By a task that fails such a share of all requests, at once, for so long, if that is a failure to a breaker.
    pub(super) fn by_sick(
        question: &Question<'_>,
        candidate: &Candidate,
        share: f64,
        seconds: f64,
    ) -> Self {
        if !is_failure(&candidate.route) {
            return Self::default();
        }
        by_breaker(question, candidate, &Bad { share, late: 0.0, seconds })
    }

    /// This, and the other one by its chance.
    fn and(self, other: Self, chance: f64) -> Self {
        Self {
            before: self.before + chance * other.before,
            after: self.after + chance * other.after,
        }
    }

    /// What it adds up to for all tasks but, as long as it gets requests, the bad one.
    pub(super) fn seconds(self, tasks: u32) -> f64 {
        f64::from(tasks - 1) * self.before + f64::from(tasks) * self.after
    }
}

// === impl Bad ===

impl Bad {
    /// One of all tasks hangs, and has its requests until they are overdue or their clients have gone; but for those that a
    /// hedge saves.
    fn hangs(question: &Question<'_>, candidate: &Candidate, hanging: &Chosen, found: f64) -> Self {
        let (held, is_overdue) = candidate.holds(question);
        let breaker = candidate.route.guard.breaker.as_ref();
        let slow =
            breaker.and_then(|breaker| breaker.slow).map(|slow| slow.threshold.as_secs_f64());
        // Whose client has gone is told as slow, or not at all.
        let is_told = is_overdue || slow.is_some_and(|slow| slow < held);
        let late = if is_told { held } else { f64::INFINITY };
        let share = unhedged(question, candidate, hanging, found, held) * hanging.share(found);
        Self { share, late, seconds: found }
    }

    /// The share of failures that is too much, if `enough` calls come to judge it.
    fn excess(&self, breaker: &breaker::Config, enough: impl Fn(u32) -> bool) -> Option<f64> {
        let failures = enough(breaker.minimum_calls).then_some(breaker.failure_percent);
        // What ends by its timeout is slow as well.
        let slow = breaker.slow.filter(|slow| self.late > 0.0 && enough(slow.minimum_calls));
        let percent = failures.into_iter().chain(slow.map(|slow| slow.percent)).min()?;
        Some(f64::from(percent) / 100.0)
    }

    /// The chance that too many trials fail: the bad task gets its share of them, to one more or less.
    fn fails_trials(&self, breaker: &breaker::Config) -> f64 {
        let calls = f64::from(breaker.trials.calls);
        let share = self.excess(breaker, |_| true).unwrap_or(1.0);
        // Rounding is not to make one more of a whole number.
        let too_many = (share * calls - ROUNDED).ceil();
        (self.share * calls - (too_many - 1.0)).clamp(0.0, 1.0)
    }

    /// When failures are so large a share of a window of so many seconds: at one of them.
    fn outweighs(&self, share: f64, window: f64) -> Option<f64> {
        let Self { share: own, late, seconds } = *self;
        let outweighs = |failing: &f64| {
            let now = late + failing;
            // Those that have not failed yet are missing in the window, until others get them.
            let missing = seconds.min(now) - (now - window).max(0.0);
            let failed = own * failing.min(window);
            failed * (1.0 - share) >= share * (window - own * missing.max(0.0))
        };
        let moments = (1..=MOMENTS).map(|n| seconds * f64::from(n) / f64::from(MOMENTS));
        // From then on nothing in it is older than the first failure.
        let moments = moments.chain([window]).filter(|moment| *moment <= seconds);
        let first = moments.filter(outweighs).min_by(f64::total_cmp);
        first.map(|failing| late + failing)
    }
}

/// A breaker opens when enough calls have failed, again and again as long as its trials do, and lets a growing
/// share through when they do not.
fn by_breaker(question: &Question<'_>, candidate: &Candidate, bad: &Bad) -> Shut {
    let Some(breaker) = &candidate.route.guard.breaker else { return Shut::default() };
    let Some(opens) = opens(breaker, question.by_route(), bad) else { return Shut::default() };
    let fails = bad.fails_trials(breaker);
    let again = opens_again(breaker, question.by_route(), bad, opens);
    Course { bad, breaker, again, fails }.from(opens, 1.0)
}

/// When it opens first, if it does.
pub(super) fn opens(breaker: &breaker::Config, rate: Option<f64>, bad: &Bad) -> Option<f64> {
    if breaker.mode != Mode::Normal || bad.late.is_infinite() {
        return None;
    }
    // A window of calls is judged when it is full.
    let share = bad.excess(breaker, |minimum| match (breaker.window, rate) {
        (Window::Time(length), Some(rate)) => rate * length.as_secs_f64() >= f64::from(minimum),
        (Window::Time(_), None) | (Window::Calls(_), _) => true,
    })?;
    if share > bad.share {
        return None;
    }
    match breaker.window {
        Window::Time(length) => bad.outweighs(share, COUNTS * length.as_secs_f64()),
        Window::Calls(calls) => {
            // At once, if nobody knows how many come.
            let failures = share * f64::from(calls);
            let failing = rate.map_or(0.0, |rate| failures / (rate * bad.share));
            (failing <= bad.seconds).then_some(bad.late + failing)
        }
    }
}

/// How long after it was closed by luck. It has forgotten what was before: what fails at once outweighs as soon as
/// enough calls are let through; what is late does when calls are back in full.
fn opens_again(breaker: &breaker::Config, rate: Option<f64>, bad: &Bad, opens: f64) -> f64 {
    let breaker::Ramp { length, floor_percent } = breaker.ramp;
    let (length, floor) = (length.as_secs_f64(), f64::from(floor_percent) / 100.0);
    let (Window::Time(_), Some(rate)) = (breaker.window, rate.filter(|_| bad.late <= 0.0)) else {
        return length + opens;
    };
    // Seconds of the whole load; the ramp lets through floor + (1 - floor) t / length of it.
    let enough = f64::from(breaker.minimum_calls) / rate;
    let in_ramp = f64::midpoint(1.0, floor) * length;
    if enough >= in_ramp {
        return length + enough - in_ramp;
    }
    let grows = (1.0 - floor) / length;
    if grows > 0.0 {
        (libm::sqrt(floor * floor + 2.0 * grows * enough) - floor) / grows
    } else {
        enough / floor
    }
}

/// What becomes of a breaker once it has opened.
struct Course<'a> {
    bad: &'a Bad,
    breaker: &'a breaker::Config,
    /// So long after it was closed by luck.
    again: f64,
    /// The chance that its trials fail as long as the bad task is there.
    fails: f64,
}

// === impl Course ===

impl Course<'_> {
    /// From the first opening in a row on, and by the `chance` that it comes to that: on average over what becomes of
    /// its trials.
    fn from(&self, opened: f64, chance: f64) -> Shut {
        let breaker::Opening { first, longest, jitter_percent } = self.breaker.open;
        let [first, longest] = [first, longest].map(|time| time.as_secs_f64());
        let lasts = |full: f64| full * (1.0 - f64::from(jitter_percent) / 200.0);
        // A trial that hangs has failed when its lease ends.
        let late = self.bad.late.min(self.breaker.trials.lease.as_secs_f64());
        let seconds = self.bad.seconds;
        let (mut length, mut closes, mut still) = (first, opened + lasts(first), chance);
        let mut all = Shut::default();
        loop {
            let lucky = still * (1.0 - self.fails);
            if closes >= seconds || length >= longest && lucky <= UNLIKELY {
                break;
            }
            if lucky > UNLIKELY {
                all = all.and(self.shut(opened, closes), lucky);
                let again = closes + self.again;
                if again < seconds {
                    all = all.and(self.from(again, lucky), 1.0);
                }
                still -= lucky;
            }
            length = (2.0 * length).min(longest);
            closes += late + lasts(length);
        }
        let again = late + lasts(longest);
        closes += ((seconds - closes).max(0.0) / again).ceil() * again;
        all.and(self.shut(opened, closes), still)
    }

    /// For so long, and what its ramp keeps out afterwards.
    fn shut(&self, opened: f64, closes: f64) -> Shut {
        let breaker::Ramp { length, floor_percent } = self.breaker.ramp;
        let length = length.as_secs_f64();
        let out_from = |age: f64| {
            let left = (length - age).max(0.0);
            (1.0 - f64::from(floor_percent) / 100.0) * left * left
                / (2.0 * length).max(f64::MIN_POSITIVE)
        };
        let found = self.bad.seconds.clamp(opened, closes);
        let late = out_from((self.bad.seconds - closes).max(0.0));
        Shut { before: found - opened + out_from(0.0) - late, after: closes - found + late }
    }
}

/// A bulkhead is full when a task that hangs has got all that is to spare. As its calls took their permits,
/// they give them back, and if it still gets requests, it takes them again.
fn by_bulkhead(
    question: &Question<'_>,
    candidate: &Candidate,
    timing: &Timing,
    hanging: &Chosen,
    bad: &Bad,
) -> Shut {
    let Route { guard, outlasts, .. } = &candidate.route;
    let (Some(bulkhead), Some(load)) = (&guard.bulkhead, question.by_route()) else {
        return Shut::default();
    };
    // A call keeps its permit until it, or its work, is given up, or its task is killed: when it has been
    // replaced, if another one may start beside it.
    let cluster = candidate.cluster(question.service);
    let retired = (cluster.deregistration_delay + cluster.stop_timeout).as_secs_f64();
    let replaced = if candidate.has_room(question) { mean(timing.replacement) } else { 0.0 };
    let killed = mean(timing.verdict) + replaced + retired;
    let Bad { share, seconds: found, .. } = *bad;
    let (within, _) = candidate.holds(question);
    let held = within.max(outlasts.as_secs_f64()).min(killed);
    let spare = f64::from(bulkhead.largest()) - load * question.world.latency;
    // Those that hedges save give theirs back at once.
    let lost = unhedged(question, candidate, hanging, found, within);
    // Of what it gets a part comes by this route.
    let full = hanging.when(spare / (lost * question.percent() / 100.0));
    let Some(fills) = full.filter(|fills| *fills < found.min(held)) else {
        return Shut::default();
    };
    let times = ((found - fills) / held).ceil();
    let after = (times * held - found).max(0.0);
    // Each permit that it takes is one less for all who ask, and so for itself.
    let taken = 1.0 - libm::exp(-share * (found.min(held) - fills) / question.world.latency);
    Shut { before: taken * (times * (held - fills) - after), after: taken * after }
}
