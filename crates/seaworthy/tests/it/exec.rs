//! Every process of a fleet is started through `seaworthy part exec`, and what it is told holds.

use std::io::{BufRead, BufReader};
use std::os::unix::process::ExitStatusExt;
use std::process::{Command, Output, Stdio};
use std::time::{Duration, Instant};

use seaworthy_agent::cgroup::Cgroups;
use seaworthy_agent::exec::Within;
use seaworthy_agent::processes::Identity;
use seaworthy_core::cluster::limits::Limits;
use seaworthy_core::endpoints::TaskId;

const PATIENCE: Duration = Duration::from_secs(30);

/// A shell script as a task of this test would be started.
fn exec(within: &Within, script: &str) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_seaworthy"));
    command.args(["part", "exec"]).arg(std::process::id().to_string()).args(within.arguments());
    command.args(["--", "sh", "-c", script]);
    command
}

fn said(within: &Within, script: &str) -> String {
    let Output { status, stdout, stderr } = exec(within, script).output().unwrap();
    assert!(status.success(), "{}", String::from_utf8_lossy(&stderr));
    String::from_utf8(stdout).unwrap()
}

#[test]
fn watched_limits_are_kept_as_far_as_they_can_be() {
    let limits = Limits { cpu: Some(500), memory: Some(64 << 20), memory_soft: None };
    let within = Within::observed(&limits);
    // In KiB: twice 64 MiB, and a gibibyte.
    assert_eq!(said(&within, "ulimit -d").trim(), "1179648");
    let status = said(&within, "cat /proc/self/status");
    let list = status.lines().find_map(|line| line.strip_prefix("Cpus_allowed_list:")).unwrap();
    assert!(list.trim().parse::<u32>().is_ok(), "one processor, not {list}");

    let eats = "x=0123456789; while :; do x=$x$x; done";
    let output = exec(&within, eats).output().unwrap();
    assert!(!output.status.success(), "it is refused more");
    assert_eq!(said(&Within::default(), "echo as ever").trim(), "as ever");
}

#[test]
fn nothing_of_a_task_is_outside_of_its_control_group() {
    let none = Within { cgroups: vec!["/none/cgroup.procs".into()], ..Within::default() };
    let output = exec(&none, "echo runs").output().unwrap();
    assert!(!output.status.success() && output.stdout.is_empty(), "{output:?}");
    let error = String::from_utf8(output.stderr).unwrap();
    assert!(error.contains("/none/cgroup.procs: cannot be joined"), "{error}");

    let state = tempfile::tempdir().unwrap();
    let mut cgroups = match Cgroups::find(state.path()) {
        Ok(cgroups) => cgroups,
        Err(error) => return eprintln!("SKIPPED, as no control group can be had here: {error}"),
    };
    let limits = Limits { cpu: Some(500), memory: Some(32 << 20), memory_soft: None };
    let group = cgroups.create(TaskId(3), &limits).unwrap();
    let groups = said(&Within::group(&group), "cat /proc/self/cgroup");
    let inside = groups.lines().filter(|line| line.ends_with("/task-3"));
    assert_eq!(inside.count(), group.join_paths().len(), "{groups}");
    assert!(!group.was_killed_for_memory());
    let eats = exec(&Within::group(&group), "x=0123456789; while :; do x=$x$x; done").output();
    assert_eq!(eats.unwrap().status.signal(), Some(9));
    assert!(group.was_killed_for_memory());
    cgroups.end(PATIENCE).unwrap();
}

/// A process that its parent, which has ended, started in this way.
fn orphan(untied: &str) -> Identity {
    let start = format!(
        "{} part exec $$ {untied} -- sleep 60 >/dev/null & echo $!; read end",
        env!("CARGO_BIN_EXE_seaworthy")
    );
    let mut parent = Command::new("sh")
        .args(["-c", &start])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut pid = String::new();
    BufReader::new(parent.stdout.take().unwrap()).read_line(&mut pid).unwrap();
    let process = Identity::of(pid.trim().parse().unwrap()).unwrap();
    // The parent may not end before the process has become what it is to be.
    let name = format!("/proc/{}/comm", process.pid);
    until(|| std::fs::read_to_string(&name).is_ok_and(|name| name == "sleep\n"));
    drop(parent.stdin.take());
    parent.wait().unwrap();
    process
}

fn until(mut holds: impl FnMut() -> bool) {
    let deadline = Instant::now() + PATIENCE;
    while !holds() {
        assert!(Instant::now() < deadline, "not in time");
        std::thread::sleep(Duration::from_millis(5));
    }
}

#[test]
fn a_process_ends_with_its_parent_unless_it_is_untied() {
    let tied = orphan("");
    until(|| !tied.is_alive());
    let untied = orphan("--untied");
    assert!(untied.is_alive());
    let pid = rustix::process::Pid::from_raw(untied.pid.cast_signed()).unwrap();
    rustix::process::kill_process(pid, rustix::process::Signal::KILL).unwrap();
    until(|| !untied.is_alive());

    let mut stranger = Command::new(env!("CARGO_BIN_EXE_seaworthy"));
    let output = stranger.args(["part", "exec", "1", "--", "echo", "runs"]).output().unwrap();
    assert!(!output.status.success() && output.stdout.is_empty(), "{output:?}");
}
