//! A corpus of requests, valid, ambiguous and malicious: what the client is answered, what the task
//! sees, and which connections go on.
//!
//! `UPDATE_EXPECT=1` rewrites the files of the corpus: a case is its name, the bytes that are sent,
//! and what comes of it.

use std::fmt::Write;

use expect_test::{ExpectFile, expect_file};

use crate::harness::{Client, End, Gateway, Message, Task};

#[test]
fn compliant_and_acceptable_requests_pass() {
    for file in [expect_file!["corpus/compliant.txt"], expect_file!["corpus/acceptable.txt"]] {
        let task = recorder();
        check(&file, &task);
        let (connections, requests) = (task.connections(), task.requests().len());
        assert!(connections < requests, "{connections} connections for {requests} requests");
    }
}

#[test]
fn ambiguous_requests_pass_in_one_form_and_end_both_connections() {
    let task = recorder();
    let corpus = check(&expect_file!["corpus/ambiguous.txt"], &task);
    // Nothing that was smuggled in is taken for a request, now or later.
    assert!(!corpus.contains("  task GET /smuggled"), "{corpus}");
    assert_eq!(task.connections(), task.requests().len(), "each has its own");
    task.until_closed(task.connections());
}

#[test]
fn severe_requests_reach_no_task() {
    for file in [
        expect_file!["corpus/severe-fields.txt"],
        expect_file!["corpus/severe-heads.txt"],
        expect_file!["corpus/severe-chunks.txt"],
    ] {
        let task = recorder();
        check(&file, &task);
        assert_eq!(task.targets(), [""; 0]);
    }
}

/// No answer has a body, whatever was asked.
fn recorder() -> Task {
    Task::new(1, |_, wire| wire.say("HTTP/1.1 204 No Content\r\n\r\n"))
}

/// Runs all cases of a file; returns what it should look like.
fn check(file: &ExpectFile, task: &Task) -> String {
    let gateway = Gateway::of(&[task]);
    let corpus = file.data();
    let sent = corpus.lines().filter(|line| !line.starts_with("  ") || line.starts_with("    "));
    let mut told = String::new();
    for line in sent.chain([""]) {
        // What is empty ends a case.
        if line.is_empty() {
            told += &outcome(&gateway, task, &told);
        }
        told += line;
        told += "\n";
    }
    told.pop();
    file.assert_eq(&told);
    told
}

/// What comes of the last case in `told`.
fn outcome(gateway: &Gateway, task: &Task, told: &str) -> String {
    let case = told.rsplit_once("\n## ").map_or("", |(_, case)| case);
    let bytes: Vec<u8> =
        case.lines().filter_map(|line| line.strip_prefix("    ")).flat_map(bytes).collect();
    if bytes.is_empty() {
        return String::new();
    }
    let seen = task.requests().len();
    let mut client = gateway.client();
    // The gateway may have closed before the last of it is sent.
    let _ = client.try_send(bytes);
    let mut outcome = String::new();
    writeln!(outcome, "  client: {}", answers(client.half_close())).expect("text");
    for request in &task.requests()[seen..] {
        writeln!(outcome, "  task {}", seen_by_task(request)).expect("text");
    }
    outcome
}

/// Statuses, causes and the end.
fn answers(client: &mut Client) -> String {
    let mut told = Vec::new();
    loop {
        match client.read(false) {
            Ok(answer) if answer.status() == 204 => told.push("204".to_owned()),
            Ok(answer) => {
                let problem: serde_json::Value =
                    serde_json::from_slice(&answer.body).expect("a document");
                let detail = problem["detail"].as_str().expect("text");
                let reason = detail.split_once(" (").map_or("", |(reason, _)| reason);
                told.push(
                    format!("{} {} {reason}", answer.status(), answer.cause())
                        .trim_end()
                        .to_owned(),
                );
            }
            Err(_) => break,
        }
    }
    let end = match client.rest() {
        (rest, End::Closed) if rest.is_empty() => "closed",
        (rest, End::Closed) => panic!("{rest} is no answer"),
        (_, End::Reset) => "reset",
    };
    told.push(end.to_owned());
    told.join(", ")
}

/// Line, fields and body, but for the fields that every request gains.
fn seen_by_task(request: &Message) -> String {
    let lines = request.lines().into_iter();
    let fields = lines.filter(|line| !line.starts_with("X-Forwarded-"));
    let line = request.head.lines().next().expect("a line");
    let fields: Vec<&str> = fields.collect();
    format!("{line} | {} | {}", fields.join(" | "), request.text().escape_debug())
}

/// A line of the corpus as it is sent.
fn bytes(line: &str) -> Vec<u8> {
    let (mut bytes, mut characters) = (Vec::new(), line.chars());
    while let Some(character) = characters.next() {
        if character != '\\' {
            bytes.extend(character.to_string().bytes());
            continue;
        }
        bytes.push(match characters.next().expect("something is escaped") {
            'r' => b'\r',
            'n' => b'\n',
            't' => b'\t',
            '0' => 0,
            'x' => {
                let digits: String = characters.by_ref().take(2).collect();
                u8::from_str_radix(&digits, 16).expect("two hex digits")
            }
            other => u8::try_from(other).expect("an escape"),
        });
    }
    bytes
}
