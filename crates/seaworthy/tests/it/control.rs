//! The commands about a running fleet, with one behind them that is only made up.

use std::io::{BufRead, BufReader, Lines};
use std::path::Path;
use std::process::{Child, ChildStdout, Command, Output, Stdio};

use expect_test::{Expect, expect};
use seaworthy_agent::api::types::RevisionState;
use tempfile::TempDir;

use crate::fake::{self, Happens};

/// What `seaworthy ARGUMENTS` says about the fleet in `directory`.
async fn seaworthy(directory: &Path, arguments: &[&str]) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_seaworthy"));
    command.args(arguments).env("SEAWORTHY_STATE", directory).stdin(Stdio::null());
    tokio::task::spawn_blocking(move || command.output().unwrap()).await.unwrap()
}

/// A command that goes on.
struct Running {
    child: Child,
    lines: Option<Lines<BufReader<ChildStdout>>>,
}

impl Running {
    fn start(directory: &TempDir, arguments: &[&str]) -> Self {
        let mut command = Command::new(env!("CARGO_BIN_EXE_seaworthy"));
        command.args(arguments).arg("--state").arg(directory.path());
        let mut child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
        let lines = BufReader::new(child.stdout.take().unwrap()).lines();
        Self { child, lines: Some(lines) }
    }

    async fn line(&mut self) -> String {
        let mut lines = self.lines.take().unwrap();
        let read = move || (lines.next().unwrap().unwrap(), lines);
        let (line, lines) = tokio::task::spawn_blocking(read).await.unwrap();
        self.lines = Some(lines);
        line
    }

    /// Exit code and standard error.
    async fn end(self) -> (i32, String) {
        let end = move || self.child.wait_with_output().unwrap();
        let end = tokio::task::spawn_blocking(end).await.unwrap();
        (end.status.code().unwrap(), String::from_utf8(end.stderr).unwrap())
    }
}

fn fleet(fourth: RevisionState) -> TempDir {
    let directory = tempfile::tempdir().unwrap();
    let (_, happens) = fake::start(directory.path(), fourth);
    drop(happens);
    directory
}

/// Exit code, standard output and standard error.
async fn expect(directory: &TempDir, arguments: &str, expected: Expect) {
    let arguments: Vec<_> = arguments.split(' ').collect();
    let output = seaworthy(directory.path(), &arguments).await;
    let text = |bytes| String::from_utf8(bytes).unwrap();
    let (out, err) = (text(output.stdout), text(output.stderr));
    let said = format!("{out}{err}{}\n", output.status.code().unwrap());
    expected.assert_eq(&said.replace(directory.path().to_str().unwrap(), "DIR"));
}

#[tokio::test]
async fn ps_shows_services_what_they_wait_for_and_tasks() {
    expect(&fleet(RevisionState::InProgress), "ps", expect![[r"
        SERVICE  REVISION  DESIRED   RUNNING  IN ROTATION  URL                    DEPLOYMENT
        carts    1         1 (auto)  1        1            http://127.0.0.1:8081  -
        store    4         3         3        2            http://127.0.0.1:8080  revision 4: rolling, 1 of 3 settled, 1 failed (3 are too many)
        store: 1 task is coming

        TASK     SERVICE  REVISION  STATE            PORT   PID    AGE      CPU     MEMORY  LIMITS
        task-2   carts    1         in rotation      40002  40003  3m 20s   12.5 %  34 MiB  -
        task-1   store    3         in rotation      40001  40002  1m 40s   12.5 %  34 MiB  cgroup v2
        task-3   store    3         draining         40003  40004  5m 0s    12.5 %  34 MiB  cgroup v2
        task-5   store    4         in rotation      40005  40006  8m 20s   12.5 %  34 MiB  cgroup v2
        task-7   store    4         starting         40007  40008  11m 40s  12.5 %  34 MiB  cgroup v2
        task-9   store    4         provisioning     -      -      15m 0s   -       -       cgroup v2
        task-11  store    3         out of rotation  40011  40012  18m 20s  12.5 %  34 MiB  cgroup v2

        /srv/shop/.seaworthy, up since 2026-11-02T09:00:00Z; processes: keeper 100, agent 101, gateway 102
        0
    "]]).await;
}

#[tokio::test]
async fn revisions_are_shown_with_how_they_went() {
    expect(
        &fleet(RevisionState::RolledBack),
        "revisions store",
        expect![[r"
        REVISION  STATE        DEPLOYED              COMMAND       REASON
        3         completed    2026-11-02T09:03:00Z  ./store --v3  -
        4 *       rolled back  2026-11-02T09:04:00Z  ./store --v4  3 new tasks have failed
        0
    "]],
    )
    .await;
    expect(
        &fleet(RevisionState::RolledBack),
        "revisions shop",
        expect![[r"
        seaworthy: `shop` is no service of this fleet; allowed is carts, store
        2
    "]],
    )
    .await;
}

#[tokio::test]
async fn json_is_what_the_api_says() {
    let fleet = fleet(RevisionState::Completed);
    expect(
        &fleet,
        "scale store=5 carts=9 --json",
        expect![[r#"
        {"service":"store","desired":5,"was":3}
        seaworthy: carts: its desired count follows the load; allowed is 1 to 4
        2
    "#]],
    )
    .await;
    expect(
        &fleet,
        "rollback store --json --no-wait",
        expect![[r#"
        {"service":"store","revision":4,"from":3}
        0
    "#]],
    )
    .await;
    expect(
        &fleet,
        "logs store --json",
        expect![[r#"
        [{"task":"task-1","service":"store","line":"listening"}]
        0
    "#]],
    )
    .await;
    let output = seaworthy(fleet.path(), &["ps", "--json"]).await;
    let json: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(json["fleet"]["services"][1]["name"], "store");
    assert_eq!(json["tasks"][0]["state"], "in_rotation");
    let output = seaworthy(fleet.path(), &["events", "--json"]).await;
    let json: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(json[0]["cause"], serde_json::json!({ "exited": { "signal": 9 } }));
}

#[tokio::test]
async fn tasks_and_counts_are_changed_by_their_names() {
    let fleet = fleet(RevisionState::Completed);
    expect(
        &fleet,
        "stop task-1",
        expect![[r"
        task-1 of store is told to end
        0
    "]],
    )
    .await;
    expect(
        &fleet,
        "drain task-3",
        expect![[r"
        task-3 of store gets no new requests and ends when it has none
        0
    "]],
    )
    .await;
    expect(&fleet, "drain task-8", expect![[r"
        seaworthy: `task-8` is no task of this fleet; allowed is task-1, task-2, task-3, task-5, task-7, task-9, task-11
        2
    "]]).await;
    expect(
        &fleet,
        "scale store=5 carts=2",
        expect![[r"
        store: 5 tasks, before: 3
        carts: 2 tasks, before: 3
        0
    "]],
    )
    .await;
    expect(&fleet, "scale store", expect![[r"
        error: invalid value 'store' for '<SERVICE=N>...': allowed is a service and a whole number, such as store=5

        For more information, try '--help'.
        2
    "]]).await;
    expect(
        &fleet,
        "logs",
        expect![[r"
        carts task-2 | hello
        store task-1 | listening
        0
    "]],
    )
    .await;
    expect(
        &fleet,
        "logs task-2 -n 0",
        expect![[r"
        0
    "]],
    )
    .await;
}

#[tokio::test]
async fn what_is_not_known_is_refused_and_not_waited_for() {
    let fleet = fleet(RevisionState::Completed);
    for command in ["logs task-77", "logs task-77 -f", "events --task task-77 -f"] {
        expect(&fleet, command, expect![[r"
            seaworthy: `task-77` is no task of this fleet; allowed is task-1, task-2, task-3, task-5, task-7, task-9, task-11
            2
        "]]).await;
    }
    for command in ["logs zz", "logs zz -f", "events --service zz -f"] {
        expect(
            &fleet,
            command,
            expect![[r"
                seaworthy: `zz` is no service of this fleet; allowed is carts, store
                2
            "]],
        )
        .await;
    }
}

#[tokio::test]
async fn a_deployment_is_waited_for_and_its_end_is_the_exit_code() {
    let file = tempfile::tempdir().unwrap();
    let file = file.path().join("fleet.toml");
    let deploy = format!("deploy {}", file.display());
    std::fs::write(&file, "[service.store]\ncommand = [\"./store\"]\n").unwrap();
    expect(
        &fleet(RevisionState::Completed),
        &deploy,
        expect![[r"
        store: deploying revision 4 in place of revision 3
        carts: nothing has changed in the file; --force makes its tasks anew
        store: revision 4 is in place
        0
    "]],
    )
    .await;
    expect(
        &fleet(RevisionState::RolledBack),
        &deploy,
        expect![[r"
        store: deploying revision 4 in place of revision 3
        carts: nothing has changed in the file; --force makes its tasks anew
        store: revision 4 has failed and was rolled back: 3 new tasks have failed
        1
    "]],
    )
    .await;
    expect(
        &fleet(RevisionState::Replaced),
        "rollback store",
        expect![[r"
        store: deploying revision 4 in place of revision 3
        store: revision 4 was replaced by another deployment
        1
    "]],
    )
    .await;
    let once = deploy.clone() + " --no-wait";
    expect(
        &fleet(RevisionState::InProgress),
        &once,
        expect![[r"
        store: deploying revision 4 in place of revision 3
        carts: nothing has changed in the file; --force makes its tasks anew
        0
    "]],
    )
    .await;

    std::fs::write(&file, "[service.store]\ncommand = [\"./store\"]\nbogus = 1\n").unwrap();
    let output =
        seaworthy(fleet(RevisionState::Completed).path(), &deploy.split(' ').collect::<Vec<_>>())
            .await;
    let error = String::from_utf8(output.stderr).unwrap();
    assert!(error.contains("line 3") && error.contains("bogus"), "{error}");
    assert_eq!(output.status.code(), Some(2));
}

#[tokio::test]
async fn who_follows_is_told_until_the_fleet_ends() {
    let directory = tempfile::tempdir().unwrap();
    let (_handle, happens) = fake::start(directory.path(), RevisionState::Completed);
    let mut events = Running::start(&directory, &["events", "--follow", "--service", "store"]);
    happens.send(Happens::Gone("store", 7)).await.unwrap();
    let first = events.line().await;
    assert!(first.ends_with("  store       task-7     gone: ended by signal 9"), "{first}");
    let mut logs = Running::start(&directory, &["logs", "task-1", "--follow"]);
    assert_eq!(logs.line().await, "store task-1 | listening");
    happens.send(Happens::Writes("store", 1, "serving")).await.unwrap();
    assert_eq!(logs.line().await, "store task-1 | serving");
    // Nothing is told twice, and nothing is lost, not even what is written while nobody follows.
    happens.send(Happens::Restarts).await.unwrap();
    for line in ["one", "two"] {
        happens.send(Happens::Writes("store", 1, line)).await.unwrap();
        assert_eq!(logs.line().await, format!("store task-1 | {line}"));
    }

    happens.send(Happens::Ends).await.unwrap();
    for running in [events, logs] {
        assert_eq!(running.end().await, (0, "seaworthy: the fleet has ended\n".to_owned()));
    }
}

#[tokio::test]
async fn how_far_a_deployment_is_is_told_once() {
    let directory = tempfile::tempdir().unwrap();
    let (_handle, happens) = fake::start(directory.path(), RevisionState::InProgress);
    let mut rollback = Running::start(&directory, &["rollback", "store"]);
    assert_eq!(rollback.line().await, "store: deploying revision 4 in place of revision 3");
    assert_eq!(
        rollback.line().await,
        "store: revision 4: rolling, 1 of 3 settled, 1 failed (3 are too many); 1 task is coming"
    );
    happens.send(Happens::Completes).await.unwrap();
    assert_eq!(rollback.line().await, "store: revision 4 is in place");
    assert_eq!(rollback.end().await, (0, String::new()));
}

#[tokio::test]
async fn down_waits_for_the_end() {
    let fleet = fleet(RevisionState::Completed);
    expect(
        &fleet,
        "down",
        expect![[r"
            the fleet ends; tasks that are drained: 3
            the fleet has ended
            0
        "]],
    )
    .await;
    expect(
        &fleet,
        "ps",
        expect![[r"
        seaworthy: no fleet runs in DIR; start one with `seaworthy up`
        2
    "]],
    )
    .await;
}
