//! Lines that are no tables.

use seaworthy_drill::{Paper, wrap};

/// How many characters a line may have; none if nobody watches: then each is one, for whoever searches them.
#[derive(Clone, Copy, Debug)]
pub(super) struct Width(Option<usize>);

/// What begins one of several things that are said.
const ITEM: &str = "- ";

// === impl Width ===

impl Width {
    /// Of standard output.
    pub(super) fn of_output() -> Self {
        Self(Paper::Out.is_terminal().then(|| Paper::Out.width()))
    }

    /// The text with its lines broken between words.
    pub(super) fn prose(self, text: &str) -> String {
        let Some(width) = self.0 else { return text.to_owned() };
        text.split_inclusive('\n').map(|line| broken(line, width)).collect()
    }
}

fn broken(line: &str, width: usize) -> String {
    let (sign, rest) = line.strip_prefix(ITEM).map_or(("", line), |rest| (ITEM, rest));
    let lines = wrap(rest, width - sign.len());
    let below = format!("\n{:1$}", "", sign.len());
    let end = if line.ends_with('\n') { "\n" } else { "" };
    format!("{sign}{}{end}", lines.join(&below))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_are_broken_where_somebody_watches() {
        let text = "\nTAKEN FOR GRANTED\n- each task fails once\n- none";
        assert_eq!(Width(None).prose(text), text);
        let narrow = "\nTAKEN FOR\nGRANTED\n- each task\n  fails once\n- none";
        assert_eq!(Width(Some(12)).prose(text), narrow);
    }
}
