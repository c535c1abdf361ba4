//! The closed forms against values that were worked out elsewhere.

use super::*;

/// Days to failure, tasks, needed, unavailability with all crews and with one, days to the first
/// outage, outages a year. Each repair takes 120 s.
const TABLE: [(f64, u32, u32, f64, f64, f64, f64); 12] = [
    (30.0, 1, 1, 4.629e-5, 4.629e-5, 30.0, 12.2),
    (30.0, 2, 1, 2.143e-9, 4.286e-9, 3.24e5, 1.13e-3),
    (30.0, 3, 2, 6.429e-9, 1.286e-8, 1.08e5, 3.38e-3),
    (30.0, 4, 3, 1.286e-8, 2.572e-8, 5.40e4, 6.76e-3),
    (30.0, 6, 5, 3.214e-8, 6.429e-8, 2.16e4, 1.69e-2),
    (30.0, 6, 4, 1.984e-12, 1.191e-11, 2.33e8, 1.56e-6),
    (1.0, 1, 1, 1.387e-3, 1.387e-3, 1.0, 364.5),
    (1.0, 2, 1, 1.924e-6, 3.847e-6, 361.5, 1.01),
    (1.0, 3, 2, 5.766e-6, 1.154e-5, 120.8, 3.03),
    (1.0, 6, 5, 2.875e-5, 5.771e-5, 24.4, 15.1),
    (1.0, 6, 4, 5.320e-8, 3.202e-7, 8737.0, 0.042),
    (1.0, 12, 10, 5.815e-7, 3.522e-6, 804.0, 0.457),
];

fn group(days: f64, tasks: u32, needed: u32, crews: u32) -> Group {
    let (failure_rate, repair_rate) = (1.0 / (days * DAY), 1.0 / 120.0);
    Group { tasks, needed, failure_rate, repair_rate, crews }
}

/// Equal up to half of the last of so many digits.
fn assert_digits(digits: i32, found: f64, given: f64, what: &str) {
    let error = (found / given - 1.0).abs();
    assert!(
        error <= 5.01 * libm::pow(10.0, f64::from(-digits)),
        "{what}: {found:e}, not {given:e}"
    );
}

#[test]
fn the_table_is_met_to_its_last_digit() {
    for (days, tasks, needed, all_crews, one_crew, mttf, yearly) in TABLE {
        let what = format!("{needed} of {tasks}, {days} d");
        let (all, one) = (group(days, tasks, needed, tasks), group(days, tasks, needed, 1));
        assert_digits(4, all.unavailability(), all_crews, &what);
        assert_digits(4, one.unavailability(), one_crew, &what);
        assert_digits(3, all.mttf() / DAY, mttf, &what);
        // 0.042 has two digits.
        assert_digits(if yearly < 0.1 { 2 } else { 3 }, all.outage_rate() * YEAR, yearly, &what);
        let down = all.outage_rate() * all.mean_outage();
        assert_digits(12, down, all.unavailability(), &what);
    }
}

#[test]
fn all_crews_are_a_binomial_and_one_of_two_has_a_short_form() {
    let up = 1.0 / 120.0 / (1.0 / 120.0 + 1.0 / DAY);
    let three_down = libm::pow(1.0 - up, 3.0);
    let (all, one) = (group(1.0, 3, 1, 3), group(1.0, 3, 1, 1));
    assert_digits(12, all.unavailability(), three_down, "0 of 3");
    // Waiting repairs make it (s + 1)! times as bad.
    assert_digits(2, one.unavailability() / all.unavailability(), 6.0, "one crew");
    let (failures, repairs) = (1.0 / DAY, 1.0 / 120.0);
    let short = (3.0 * failures + repairs) / (2.0 * failures * failures);
    assert_digits(12, group(1.0, 2, 1, 1).mttf(), short, "one crew");
    assert_digits(12, group(1.0, 2, 1, 2).mttf(), short, "two crews");
}

#[test]
fn a_second_failure_falls_into_a_window() {
    let rate = 1.0 / (30.0 * DAY);
    for (tasks, chance) in [(2, 4.63e-5), (3, 9.26e-5), (6, 2.31e-4), (12, 5.09e-4)] {
        assert_digits(3, failure_within(tasks - 1, rate, 120.0), chance, "a fixed window");
        let exponential = failure_before_repair(tasks - 1, rate, 1.0 / 120.0);
        assert_digits(3, exponential, chance, "an exponential one");
    }
    assert_digits(
        12,
        undetected_share(1.0 / DAY, 8.64),
        1.0 / 10_001.0,
        "8.64 s, and a day without",
    );
}
