//! Amounts, as people read them.

use std::fmt::Display;

use seaworthy_sim::availability::{DAY, MONTH, Span};

/// One time, or two.
pub(super) fn span((low, high): Span) -> String {
    let (low, high) = (seconds(low), seconds(high));
    if low == high { low } else { format!("{low} to {high}") }
}

pub(super) fn share(share: f64) -> String {
    if share == 0.0 { "0".to_owned() } else { format!("{share:.1e}") }
}

/// From one share to another, with so many digits that they differ.
pub(super) fn from_to(from: f64, to: f64) -> String {
    let digits = (1..9).find(|digits| format!("{from:.digits$e}") != format!("{to:.digits$e}"));
    match digits {
        Some(digits) if from > 0.0 && to > 0.0 => format!("{from:.digits$e} -> {to:.digits$e}"),
        _ => format!("{} -> {}", share(from), share(to)),
    }
}

/// One of them, or several.
pub(super) fn many(count: impl Display, one: &str) -> String {
    let count = count.to_string();
    let plural = if count == "1" { "" } else { "s" };
    format!("{count} {one}{plural}")
}

/// How many there are on average: those that are few with two digits.
pub(super) fn count(number: f64) -> String {
    if number < 9.95 && number.fract() != 0.0 {
        format!("{number:.1}")
    } else {
        format!("{number:.0}")
    }
}

pub(super) fn money(amount: f64) -> String {
    if amount.fract() == 0.0 {
        return format!("${amount}");
    }
    // Of what is less than a cent its first two digits.
    let digits = (1.0 - amount.abs().log10().floor()).clamp(2.0, 17.0) as usize;
    format!("${amount:.digits$}")
}

/// If nothing fails.
const ALL: &str = "all";
/// A part below this is one of rounding.
const ROUNDED: f64 = 1e-9;
/// What happens less often is told by its power of ten.
const RARE: f64 = 0.001;

/// What succeeds if that share fails, and never more: with two digits beyond the nines, so that what misses a target does not
/// look as if it met it.
pub(super) fn success(failed: f64) -> String {
    if failed == 0.0 {
        return ALL.to_owned();
    }
    let digits = (ROUNDED - failed.log10()).floor().clamp(5.0, 13.0);
    let parts = 10_f64.powf(digits);
    let fail = (100.0 * failed * parts * (1.0 - ROUNDED)).ceil() / parts;
    format!("{:.*} %", digits as usize, 100.0 - fail)
}

/// How many nines that is, and never more.
pub(super) fn nines(failed: f64) -> String {
    if failed == 0.0 {
        return ALL.to_owned();
    }
    format!("{:.1}", ((ROUNDED - failed.log10()) * 10.0).floor() / 10.0)
}

/// So many times at least: those that are few to a hundredth.
pub(super) fn times(number: f64) -> String {
    if number < 10.0 {
        format!("{:.2}", (100.0 * number * (1.0 - ROUNDED)).ceil() / 100.0)
    } else {
        format!("{}", number.ceil())
    }
}

/// How often something happens: what is rare with its first two digits.
pub(super) fn often(number: f64) -> String {
    if number < RARE {
        return share(number);
    }
    let digits = (1.0 - number.log10().floor()).max(2.0) as usize;
    format!("{number:.digits$}")
}

/// A percentage that is a little lower, with as many nines and two digits more.
pub(super) fn below(percent: f64) -> String {
    let digits = (1.0 - (1.0 - percent / 100.0).log10()).clamp(1.0, 9.0).ceil();
    let parts = 10_f64.powf(digits);
    format!("{}%", (percent * parts).floor() / parts)
}

/// A time at least so long, as `--mttf` takes it, and hardly longer.
pub(super) fn mttf(seconds: f64) -> String {
    let days = seconds / DAY;
    if days < 10.0 { format!("{}s", seconds.ceil()) } else { format!("{}d", days.ceil()) }
}

/// What is paid beyond that.
pub(super) fn more(amount: f64) -> String {
    format!("{}{}", sign(amount), money(amount.abs()))
}

/// What a share of all requests is of a month, more or less.
pub(super) fn change(share: f64) -> String {
    format!("{}{}", sign(share), seconds(share.abs() * MONTH))
}

fn sign(number: f64) -> char {
    if number < 0.0 { '-' } else { '+' }
}

/// With two digits at least, in the unit in which that is short.
pub(super) fn seconds(seconds: f64) -> String {
    match seconds {
        0.0 => "0 s".to_owned(),
        small if small < 0.000_95 => format!("{small:.1e} s"),
        small if small < 0.95 => format!("{:.0} ms", small * 1e3),
        some if some < 9.5 => format!("{some:.1} s"),
        some if some < 600.0 => format!("{some:.0} s"),
        some if some < 36_000.0 => format!("{:.0} min", some / 60.0),
        many if many < 172_800.0 => format!("{:.1} h", many / 3600.0),
        more => format!("{:.1} days", more / DAY),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_misses_a_target_does_not_look_as_if_it_met_it() {
        assert_eq!(
            [1.0004e-6, 1e-6, 0.9996e-6].map(success),
            ["99.99989 %", "99.999900 %", "99.999900 %"]
        );
        assert_eq!([1.000_04e-4, 5.000_01e-4].map(success), ["99.98999 %", "99.94999 %"]);
        assert_eq!(
            [1.0, 1e-9, 1e-20].map(success),
            ["0.00000 %", "99.999999900 %", "99.9999999999999 %"]
        );
        assert_eq!([1.0004e-6, 1e-6, 0.0].map(nines), ["5.9", "6.0", "all"]);
        assert_eq!([1.0, 1.000_4, 9.999, 12.3].map(times), ["1.00", "1.01", "10.00", "13"]);
    }

    #[test]
    fn what_is_rare_is_not_told_as_never() {
        assert_eq!([20.0, 1.81, 0.2, 0.003_38].map(often), ["20.00", "1.81", "0.20", "0.0034"]);
        assert_eq!([1e-6, 0.0].map(often), ["1.0e-6", "0"]);
    }
}
