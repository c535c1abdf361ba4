//! System calls a request, counted by `strace`. It slows a program, so it is done in a run of its own.

use std::collections::BTreeMap;
use std::path::Path;
use std::process::{Command, Stdio};

use anyhow::Context;
use rustix::process::Signal;

use crate::child::Child;

/// More seldom than this a call is not named.
const WORTH_NAMING: f64 = 0.02;

/// Calls a request, by name.
pub(crate) type Calls = BTreeMap<String, f64>;

/// Counts the calls of `child` while `load` goes on, which tells how many requests there were.
pub(crate) fn count(
    child: &Child,
    directory: &Path,
    load: impl FnOnce() -> anyhow::Result<u64>,
) -> anyhow::Result<Calls> {
    let file = directory.join("strace");
    let mut command = Command::new("strace");
    command.args(["-f", "-c", "-o"]).arg(&file);
    for pid in child.processes() {
        command.args(["-p", &pid.to_string()]);
    }
    command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
    let mut strace = Child::start(&mut command)?;
    let requests = load()?;
    strace.signal(Signal::INT);
    strace.wait()?;
    let text = std::fs::read_to_string(&file).context("strace has counted nothing")?;
    Ok(read(&text, requests))
}

/// Of the table that `strace -c` writes: `% time seconds usecs/call calls [errors] syscall`.
fn read(text: &str, requests: u64) -> Calls {
    let rows = text.lines().filter_map(|line| {
        let fields: Vec<&str> = line.split_whitespace().collect();
        let calls: u64 = fields.get(3)?.parse().ok()?;
        let name = fields.last().filter(|name| **name != "total")?;
        Some(((*name).to_owned(), calls as f64 / requests.max(1) as f64))
    });
    rows.collect()
}

/// `4.07: recvfrom 2.01, sendto 2.01, epoll_wait 0.03`: of the first round that was counted.
pub(crate) fn cell<'a>(mut counted: impl Iterator<Item = &'a Calls>) -> String {
    let Some(calls) = counted.next() else { return "–".to_owned() };
    let mut named: Vec<_> = calls.iter().filter(|(_, share)| **share >= WORTH_NAMING).collect();
    named.sort_by(|a, b| b.1.total_cmp(a.1));
    let named: Vec<String> =
        named.iter().map(|(name, share)| format!("{name} {share:.2}")).collect();
    format!("{:.2}: {}", calls.values().sum::<f64>(), named.join(", "))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_table_of_strace_is_read() {
        let text = "% time     seconds  usecs/call     calls    errors syscall\n\
                    ------ ----------- ----------- --------- --------- ----------------\n \
                    50.00    0.100000           5       200         3 recvfrom\n \
                    50.00    0.100000           5       100           sendto\n\
                    ------ ----------- ----------- --------- --------- ----------------\n\
                    100.00    0.200000           5       300         3 total\n";
        let calls = read(text, 100);
        assert_eq!(cell([calls].iter()), "3.00: recvfrom 2.00, sendto 1.00");
    }
}
