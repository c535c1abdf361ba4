//! Amounts, as people read them.

use seaworthy_sim::availability::Span;

/// One time, or two.
pub(super) fn span((low, high): Span) -> String {
    let (low, high) = (seconds(low), seconds(high));
    if low == high { low } else { format!("{low} to {high}") }
}

pub(super) fn share(share: f64) -> String {
    if share == 0.0 { "0".to_owned() } else { format!("{share:.1e}") }
}

pub(super) fn tasks(count: u32) -> String {
    format!("{count} task{}", if count == 1 { "" } else { "s" })
}

pub(super) fn money(amount: f64) -> String {
    if amount.fract() == 0.0 { format!("${amount}") } else { format!("${amount:.2}") }
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
        many => format!("{:.1} h", many / 3600.0),
    }
}
