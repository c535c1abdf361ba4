//! Cells in virtual time.

use std::num::NonZero;
use std::panic::resume_unwind;
use std::thread::{self, ScopedJoinHandle};
use std::time::Duration;

use seaworthy_core::experiment::comparison::Role;
use seaworthy_core::experiment::{Cell, Findings};
use seaworthy_sim::cell::Error::NotUp;
use seaworthy_sim::machine::{Calibration, Machine};

use crate::Error;
use crate::calibration;
use crate::job::Job;
use crate::report::Row;

/// A cell is repeated at most so often.
pub const MOST_REPEATS: u32 = 1000;

/// If it comes up on none of so many machines, it never does.
const MACHINES: u32 = 10;

/// Runs a cell that draws from `seed`, on a machine that is as the model says.
pub(crate) fn run(job: &Job, cell: Cell, seed: u64) -> Result<Findings, Error> {
    run_on(job, cell, [seed; 2], &Machine::default())
}

fn run_on(job: &Job, cell: Cell, seeds: [u64; 2], machine: &Machine) -> Result<Findings, Error> {
    let found = seaworthy_sim::cell::run_on(&job.drill, cell, seeds, machine);
    found.map_err(|source| Error::Simulation { file: job.file.clone(), source })
}

/// What is known of runs with real processes, whatever came of them: of those of one day.
#[derive(Clone, Debug)]
pub(crate) struct Day {
    /// From which they drew what they meant to do.
    pub(crate) seed: u64,
    /// Each run that measured something: of which cell, and the how many-th of it.
    pub(crate) runs: Vec<(Cell, u32)>,
    /// What is known of the machine, if anything is.
    pub(crate) calibration: Option<Calibration>,
}

/// A run to be simulated.
#[derive(Clone, Copy, Debug)]
struct Turn<'a> {
    cell: Cell,
    /// Counts its runs: 1, 2, …
    repeat: u32,
    /// The live runs of its cell, and the how many-th each was on its day.
    live: &'a [(&'a Day, u32)],
}

/// Runs every cell that measured something so often. All cores have a part in it.
pub(crate) fn predict(job: &Job, runs: u32, days: &[Day]) -> Result<Vec<Row>, Error> {
    let is_known = days.iter().any(|day| day.calibration.is_some());
    let calm = if is_known { calibration::latencies(job)? } else { Default::default() };
    let live: Vec<_> = job.cells.iter().map(|cell| (*cell, runs_of(*cell, days))).collect();
    let measured = live.iter().filter(|(_, live)| !live.is_empty());
    let turns = measured
        .flat_map(|(cell, live)| (1..=runs).map(|repeat| Turn { cell: *cell, repeat, live }));
    let turns: Vec<Turn> = turns.collect();
    let cores = thread::available_parallelism().map_or(1, NonZero::get);
    thread::scope(|scope| {
        let parts = turns.chunks(turns.len().div_ceil(cores).max(1));
        let part = |part: &'_ [Turn]| part.iter().map(|turn| turn.run(job, runs, calm)).collect();
        let threads: Vec<_> = parts.map(|turns| scope.spawn(move || part(turns))).collect();
        let ended = threads.into_iter().map(ScopedJoinHandle::join);
        let parts = ended.map(|part| part.unwrap_or_else(|panic| resume_unwind(panic)));
        let parts: Result<Vec<Vec<Row>>, Error> = parts.collect();
        Ok(parts?.into_iter().flatten().collect())
    })
}

/// Each with its day.
fn runs_of(cell: Cell, days: &[Day]) -> Vec<(&Day, u32)> {
    let all = days.iter().flat_map(|day| day.runs.iter().map(move |(of, round)| (day, of, *round)));
    all.filter(|(_, of, _)| **of == cell).map(|(day, _, round)| (day, round)).collect()
}

// === impl Turn ===

impl Turn<'_> {
    /// It means to do what one of the live runs did, one after the other, and what happens to it draws from a seed that
    /// none of them knows, on one of the machines that there may have been on the day of one of them ([`Role`]). On one
    /// on which the fleet does not come up nothing would be measured, so another one is taken, which none of all `runs` is on.
    fn run(self, job: &Job, runs: u32, calm: [Duration; 2]) -> Result<Row, Error> {
        let Self { cell, repeat, live } = self;
        let role = Role::of(repeat as usize - 1, live.len());
        let ((Day { seed, .. }, round), (day, _)) = (live[role.meant], live[role.day]);
        let mut again = MOST_REPEATS;
        loop {
            let seeds = [role.drift as u32, role.machine as u32, repeat];
            let [drift, of_both, chance] = seeds.map(|n| cell.seed(job.seed, again + n));
            let machine =
                |known: &Calibration| known.machine(calm, drift, role.machine % 2, of_both);
            let machine = day.calibration.as_ref().map(machine).unwrap_or_default();
            let found = run_on(job, cell, [cell.seed(*seed, round), chance], &machine);
            if found.as_ref().is_err_and(is_not_up) && again < MOST_REPEATS + MACHINES * runs {
                again += runs;
                continue;
            }
            return Ok(Row { cell, repeat, findings: found? });
        }
    }
}

fn is_not_up(error: &Error) -> bool {
    matches!(error, Error::Simulation { source: NotUp { .. }, .. })
}

#[cfg(test)]
mod tests {
    use std::ops::RangeInclusive;

    use seaworthy_core::experiment::course::{Replacement, Starts};
    use seaworthy_core::experiment::expectation::Verdict;
    use seaworthy_sim::machine::Run;

    use super::*;
    use crate::job::Mode;
    use crate::job::tests::job;
    use crate::report::{self, Results};
    use crate::shipped;

    fn simulate(name: &str) -> (Job, Results) {
        let mut job = job(Some(name), &[]);
        job.mode = Mode::Simulated;
        let row = |(cell, repeat): (Cell, u32)| Row {
            cell,
            repeat,
            findings: run(&job, cell, cell.seed(job.seed, repeat)).unwrap(),
        };
        let rows = job.turns().map(row).collect();
        (job, Results { rows, ..Results::default() })
    }

    /// Verdicts and claims, as live.
    #[test]
    fn every_drill_goes_as_it_says() {
        for (name, _) in shipped::ALL {
            let (job, results) = simulate(name);
            let said = report::text(&job, &results, 100);
            assert_eq!(report::verdict(&job, &results), Verdict::AsExpected, "{name}: {said}");
        }
    }

    /// By three runs of the first cell in which the tasks of each service took so long to start.
    fn calibrated(job: &Job, starts: impl Fn(&str) -> Starts) -> Calibration {
        as_measured(job, |measured| {
            measured.starts.iter_mut().for_each(|(name, all)| *all = starts(name));
        })
    }

    /// By three runs of the first cell in which all but this was as simulated.
    fn as_measured(job: &Job, change: impl Fn(&mut Findings)) -> Calibration {
        let simulated = run(job, job.cells[0], 1).unwrap();
        let mut measured = simulated.clone();
        change(&mut measured);
        let calm = Run { measured, simulated, length: Duration::from_secs(1), tasks: 3 };
        Calibration::of(&[calm.clone(), calm.clone(), calm], &[], &[])
    }

    /// So many milliseconds.
    fn took(all: RangeInclusive<u64>, alone: Option<u64>) -> Starts {
        let [least, most] = [*all.start(), *all.end()].map(Duration::from_millis);
        let alone = alone.map(Duration::from_millis).map(|took| took..=took);
        Starts { all: least..=most, alone }
    }

    /// The next revision, too, unless its model says how it starts.
    #[test]
    fn tasks_start_as_slowly_as_the_machine_does() {
        let job = job(Some("bad-revisions"), &["2/never", "2/dies"]);
        let known = calibrated(&job, |_| took(300..=310, None));
        let machine = known.machine([Duration::ZERO; 2], 1, 0, 1);
        let ran = |cell| run_on(&job, cell, [1; 2], &machine).unwrap();
        let [never, dies] = [job.cells[0], job.cells[1]].map(ran);
        let window = dies.replacements.iter().filter_map(Replacement::window).min();
        assert!(window.is_some_and(|window| window > Duration::from_millis(300)), "{window:?}");
        assert_eq!(never.rollouts[0].kept, 2);
    }

    /// The last of three takes half as long again.
    #[test]
    fn a_task_starts_sooner_alone_than_beside_others() {
        let job = job(Some("bad-revisions"), &["1/good"]);
        let known = calibrated(&job, |_| took(200..=300, Some(200)));
        let machine = known.machine([Duration::ZERO; 2], 1, 0, 1);
        let findings = run_on(&job, job.cells[0], [1; 2], &machine).unwrap();
        let all = &findings.starts.values().next().unwrap().all;
        let nearly = |time: &Duration, millis| {
            let meant = Duration::from_millis(millis);
            time.abs_diff(meant) < meant / 20
        };
        assert!(nearly(all.start(), 200) && nearly(all.end(), 300), "{all:?}");
    }

    /// The storefront's sooner than those behind it.
    #[test]
    fn each_service_starts_as_slowly_as_its_own_tasks_did() {
        let job = job(Some("dead-dependency"), &[]);
        let millis = |service: &str| if service == "storefront" { 100..=110 } else { 300..=310 };
        let known = calibrated(&job, |service| took(millis(service), None));
        let machine = known.machine([Duration::ZERO; 2], 1, 0, 1);
        let findings = run_on(&job, job.cells[0], [1; 2], &machine).unwrap();
        assert_eq!(findings.starts.len(), 4);
        let margin = Duration::from_millis(20);
        for (service, starts) in findings.starts {
            let meant = took(millis(&service), None).all;
            let [least, most] = [*starts.all.start(), *starts.all.end()];
            assert!(least + margin > *meant.start() && most < *meant.end() + margin, "{service}");
        }
    }

    /// Of two others that start beside it, one of the storefront takes twice as long, and each other one half as
    /// long again.
    #[test]
    fn how_starts_slow_each_other_is_known_of_all_services_together() {
        let job = job(Some("dead-dependency"), &[]);
        let known = calibrated(&job, |service| match service {
            "storefront" => took(200..=400, Some(200)),
            _ => took(100..=150, Some(100)),
        });
        let known = serde_json::to_value(known).unwrap();
        let crowd = known["physics"]["crowd"].as_f64().unwrap();
        assert!((crowd - (3.0 * 0.25 + 0.5) / 4.0).abs() < 0.01, "{crowd}");
    }

    /// Orders took half as long again as they should, and all requests together as long as they should.
    #[test]
    fn what_one_flow_asks_for_may_be_more_work() {
        let job = job(Some("flaky-network"), &["1/control"]);
        let median = |findings: &Findings, flow: usize| findings.flows[flow].latency_p50.unwrap();
        let simulated = run(&job, job.cells[0], 1).unwrap();
        let known = as_measured(&job, |measured| {
            let orders = &mut measured.flows[1].latency_p50;
            *orders = orders.map(|median| median.mul_f64(1.5));
        });
        let machine = known.machine([Duration::ZERO; 2], 1, 0, 1);
        let findings = run_on(&job, job.cells[0], [1; 2], &machine).unwrap();
        let [pages, orders] = [0, 1].map(|flow| {
            median(&findings, flow).as_secs_f64() / median(&simulated, flow).as_secs_f64()
        });
        assert!((pages - 1.0).abs() < 0.1 && (1.3..1.6).contains(&orders), "{pages} {orders}");
    }

    /// Before the first answer of a task that is cold nobody gets one for long.
    #[test]
    fn a_silence_that_is_foreseen_is_no_standstill() {
        let job = job(Some("metastable-cold"), &["1/control"]);
        let stall = |late: u64| {
            let known = as_measured(&job, |measured| {
                measured.numbers.longest_silence += Duration::from_millis(late);
            });
            serde_json::to_value(known).unwrap()["stall"]["mean"].as_f64().unwrap().exp()
        };
        assert!((stall(3) - 0.003).abs() < 1e-6, "{}", stall(3));
        assert!(stall(1000) > 1.0, "{}", stall(1000));
    }

    /// On which its first cell was run so often.
    fn day(job: &Job, runs: u32, calibration: Option<Calibration>) -> Day {
        let runs = (1..=runs).map(|round| (job.cells[0], round)).collect();
        Day { seed: job.seed, runs, calibration }
    }

    /// Starts took a second on the one on which three of four runs were.
    #[test]
    fn each_day_has_its_part_in_what_is_predicted() {
        let job = job(Some("bad-revisions"), &["1/good"]);
        let slow = calibrated(&job, |_| took(1000..=1010, None));
        let days = [day(&job, 10, None), day(&job, 30, Some(slow))];
        let predicted = predict(&job, 80, &days).unwrap();
        let is_slow = |row: &&Row| {
            row.findings.starts.values().all(|starts| *starts.all.end() >= Duration::from_secs(1))
        };
        let slow = predicted.iter().filter(is_slow).count();
        assert!((54..=66).contains(&slow), "{slow} of 80");
    }

    /// Nobody was answered for 30 ms more than usual while a process started.
    #[test]
    fn a_start_disturbs_who_is_there() {
        let job = job(Some("bad-revisions"), &["1/good"]);
        let silence = |lags: Vec<Duration>| {
            let known = as_measured(&job, |measured| measured.lags = lags.clone());
            let machine = known.machine([Duration::ZERO; 2], 1, 0, 1);
            run_on(&job, job.cells[0], [1; 2], &machine).unwrap().numbers.longest_silence
        };
        let [calm, disturbed] = [Vec::new(), vec![Duration::from_millis(30); 3]].map(silence);
        assert!(calm < Duration::from_millis(25) && disturbed > Duration::from_millis(30));
    }

    /// How long provisioning takes is drawn on purpose, and what requests take is not.
    #[test]
    fn predicted_runs_mean_to_do_what_live_ones_did() {
        let job = job(Some("kill-one"), &[]);
        let predicted = predict(&job, 6, &[day(&job, 3, None)]).unwrap();
        let meant = |findings: &Findings| findings.replacements[0].provisioning;
        let of_live = |repeat| run(&job, job.cells[0], job.cells[0].seed(job.seed, repeat));
        for repeat in 1..=3 {
            let of_live = of_live(repeat).unwrap();
            let [one, other] = [repeat, repeat + 3].map(|n| &predicted[n as usize - 1].findings);
            assert_eq!([meant(one), meant(other)], [meant(&of_live); 2]);
            assert!(one.numbers.latency_p99 != other.numbers.latency_p99);
        }
    }

    /// On some machines a task needs longer to start than it may.
    #[test]
    fn where_the_fleet_does_not_come_up_nothing_is_predicted() {
        let job = job(Some("bad-revisions"), &["1/good"]);
        let calibration = calibrated(&job, |_| took(1000..=6000, None));
        let on_first = |turn: u32| {
            let seed = job.cells[0].seed(job.seed, MOST_REPEATS + turn);
            run_on(
                &job,
                job.cells[0],
                [seed; 2],
                &calibration.machine([Duration::ZERO; 2], seed, 0, seed),
            )
        };
        assert!((1..=10).map(on_first).any(|found| found.is_err_and(|error| is_not_up(&error))));
        let day = day(&job, 10, Some(calibration));
        assert_eq!(predict(&job, 10, &[day]).unwrap().len(), 10);
    }

    /// The same seed, the same report: on any machine.
    #[test]
    fn a_drill_in_virtual_time() {
        let (job, results) = simulate("kill-one");
        let text = anstream::adapter::strip_str(&report::text(&job, &results, 100)).to_string();
        expect_test::expect_file!["../golden/simulated.txt"].assert_eq(&text);
    }
}
