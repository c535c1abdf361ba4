//! Numbers and durations as people read them.

use std::time::Duration;

/// `1,234,567`
pub(crate) fn count(number: u64) -> String {
    let digits = number.to_string();
    let mut text = String::new();
    for (n, digit) in digits.chars().enumerate() {
        if n > 0 && (digits.len() - n).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

/// `1 task`, `2 tasks`
pub(crate) fn tasks(number: u32) -> String {
    format!("{number} task{}", if number == 1 { "" } else { "s" })
}

/// A share: `0 %`, `0.04 %`, `26.5 %`
pub(crate) fn percent(share: f64) -> String {
    let percent = share * 100.0;
    match percent {
        0.0 => "0 %".to_owned(),
        ..1.0 => format!("{percent:.2} %"),
        _ => format!("{percent:.1} %"),
    }
}

/// As measured, with up to three digits: `0.21 ms`, `34 ms`, `3.41 s`, `34.1 s`.
pub(crate) fn exact(duration: Duration) -> String {
    let seconds = duration.as_secs_f64();
    let millis = seconds * 1000.0;
    match millis {
        0.0 => "0 ms".to_owned(),
        ..9.995 => format!("{} ms", trimmed(millis, 2)),
        ..999.5 => format!("{millis:.0} ms"),
        ..9_995.0 => format!("{} s", trimmed(seconds, 2)),
        _ => format!("{} s", trimmed(seconds, 1)),
    }
}

/// Without zeros at the end.
fn trimmed(number: f64, digits: usize) -> String {
    format!("{number:.digits$}").trim_end_matches('0').trim_end_matches('.').to_owned()
}

/// At life size, where more digits would pretend: `40 ms`, `3.4 s`, `34 s`.
pub(crate) fn rough(duration: Duration) -> String {
    let seconds = duration.as_secs_f64();
    match seconds {
        0.0 => "0 s".to_owned(),
        ..0.9995 => format!("{:.0} ms", seconds * 1000.0),
        ..9.95 => format!("{} s", trimmed(seconds, 1)),
        _ => format!("{seconds:.0} s"),
    }
}

/// How long something will take: `45 s`, `1 min 35 s`.
pub(crate) fn about(duration: Duration) -> String {
    match duration.as_secs() {
        seconds @ ..60 => format!("{seconds} s"),
        seconds => format!("{} min {} s", seconds / 60, seconds % 60),
    }
}

/// One figure, or the range of several: `3 s`, `3 s to 5 s`, `3 to 5 s` if they share a unit.
pub(crate) fn span<T: PartialEq>(low: T, high: T, say: impl Fn(T) -> String) -> String {
    let (low, high) = (say(low), say(high));
    if low == high {
        return low;
    }
    match (low.rsplit_once(' '), high.rsplit_once(' ')) {
        (Some((number, unit)), Some((_, other))) if unit == other => format!("{number} to {high}"),
        _ => format!("{low} to {high}"),
    }
}

/// Lines of at most `width` characters, broken between words.
pub fn wrap(text: &str, width: usize) -> Vec<String> {
    let mut lines: Vec<String> = Vec::new();
    for word in text.split_whitespace() {
        match lines.last_mut() {
            Some(line) if line.chars().count() + 1 + word.chars().count() <= width => {
                line.push(' ');
                line.push_str(word);
            }
            _ => lines.push(word.to_owned()),
        }
    }
    lines
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_have_as_many_digits_as_they_deserve() {
        assert_eq!([0, 999, 2400, 1_234_567].map(count), ["0", "999", "2,400", "1,234,567"]);
        let shares = [0.0, 0.000_41, 0.2648, 1.0].map(percent);
        assert_eq!(shares, ["0 %", "0.04 %", "26.5 %", "100.0 %"]);
        let micros = [0, 213, 5_000, 34_400, 999_400, 3_412_000, 10_000_000, 34_120_000];
        let exactly = micros.map(|micros| exact(Duration::from_micros(micros)));
        assert_eq!(
            exactly,
            ["0 ms", "0.21 ms", "5 ms", "34 ms", "999 ms", "3.41 s", "10 s", "34.1 s"]
        );
        let roughly = [0, 40, 3_412, 9_960, 34_120].map(|ms| rough(Duration::from_millis(ms)));
        assert_eq!(roughly, ["0 s", "40 ms", "3.4 s", "10 s", "34 s"]);
        assert_eq!([45, 95].map(|s| about(Duration::from_secs(s))), ["45 s", "1 min 35 s"]);
    }

    #[test]
    fn a_span_names_a_shared_unit_once() {
        let span = |low, high| span(Duration::from_millis(low), Duration::from_millis(high), rough);
        assert_eq!(span(30_000, 30_100), "30 s");
        assert_eq!(span(30_000, 65_000), "30 to 65 s");
        assert_eq!(span(500, 2_000), "500 ms to 2 s");
    }

    #[test]
    fn lines_are_broken_between_words() {
        let lines = wrap("two, one by one, inside  the window", 12);
        assert_eq!(lines, ["two, one by", "one, inside", "the window"]);
        assert_eq!(wrap("incomprehensibilities it is", 5), ["incomprehensibilities", "it is"]);
    }
}
