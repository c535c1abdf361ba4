use std::fs;
use std::os::fd::AsFd;
use std::os::unix::fs::PermissionsExt;
use std::os::unix::net::UnixListener;
use std::path::{Path, PathBuf};
use std::time::Duration;

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use seaworthy_agent::api::client::{Client, ClientError};
use seaworthy_agent::api::types::{Deploy, EventsQuery, LogsQuery, RevisionState};
use seaworthy_agent::api::{ApiError, document, socket};
use seaworthy_core::endpoints::TaskId;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::UnixStream;

use crate::fake::{self, Happens};

/// Longer than any path of a socket may be.
fn long(directory: &Path) -> PathBuf {
    let long = directory.join("d".repeat(120));
    fs::create_dir(&long).unwrap();
    long
}

async fn soon<T>(what: impl Future<Output = T>) -> T {
    tokio::time::timeout(Duration::from_secs(10), what).await.expect("it takes too long")
}

/// What is answered to a request as it stands on the wire: status and body.
async fn raw(directory: &Path, request: &str) -> (u16, String) {
    let mut stream = UnixStream::connect(directory.join(socket::NAME)).await.unwrap();
    stream.write_all(request.as_bytes()).await.unwrap();
    let mut answer = String::new();
    soon(stream.read_to_string(&mut answer)).await.unwrap();
    let (head, body) = answer.split_once("\r\n\r\n").unwrap();
    (head.split(' ').nth(1).unwrap().parse().unwrap(), body.to_owned())
}

async fn ask(directory: &Path, method: &str, path: &str, body: &str) -> (u16, String) {
    let length = body.len();
    let head = format!("{method} {path} HTTP/1.1\r\nhost: x\r\nconnection: close\r\n");
    raw(directory, &format!("{head}content-length: {length}\r\n\r\n{body}")).await
}

#[tokio::test]
async fn every_call_gets_its_answer_however_long_the_path() {
    let directory = tempfile::tempdir().unwrap();
    let directory = long(directory.path());
    let (_handle, happens) = fake::start(&directory, RevisionState::InProgress);
    let client = Client::new(&directory);

    let fleet = client.fleet().await.unwrap();
    assert_eq!(fleet.value.services[1].deployment.as_ref().unwrap().settled, 1);
    assert_eq!(serde_json::to_string(&fleet.value).unwrap(), fleet.json);
    happens.send(Happens::Completes).await.unwrap();
    assert!(client.fleet().await.unwrap().value.services[1].deployment.is_none());
    assert_eq!(client.tasks().await.unwrap().value.len(), 7);
    assert_eq!(client.revisions("store").await.unwrap().value.len(), 2);
    assert_eq!(client.rollback("store").await.unwrap().value.revision, 4);
    assert_eq!(client.scale("store", 5).await.unwrap().value.desired, 5);
    assert_eq!(client.stop(TaskId(1)).await.unwrap().value.task, TaskId(1));
    assert_eq!(client.drain(TaskId(3)).await.unwrap().value.service, "store");
    let deploy = Deploy {
        force: false,
        remove: false,
        fleet: serde_json::json!({ "service": {} }),
        directory: "/srv/shop".into(),
        file: None,
        service: Some("carts".to_owned()),
    };
    assert_eq!(client.deploy(&deploy).await.unwrap().value.deployed[0].service, "carts");
    let logs = LogsQuery { service: Some("store".to_owned()), ..LogsQuery::default() };
    assert_eq!(client.logs(&logs).await.unwrap().value[0].line, "listening");

    assert_eq!(client.down().await.unwrap().value.tasks, 3);
    assert!(client.fleet().await.unwrap_err().is_absence());
}

#[tokio::test]
async fn events_are_told_as_they_happen_and_only_those_wanted() {
    let directory = tempfile::tempdir().unwrap();
    let (_handle, happens) = fake::start(directory.path(), RevisionState::Completed);
    let client = Client::new(directory.path());
    let past = client.events(&EventsQuery::default()).await.unwrap().value;
    assert_eq!(past.len(), 1);

    let after = Some(past[0].ordinal);
    let service = Some("store".to_owned());
    let query = EventsQuery { after, service, follow: true, task: None };
    let mut events = client.follow_events(&query).await.unwrap();
    // Many more than the feed holds: the rest comes from memory, none twice.
    for task in 1..=3000 {
        happens.send(Happens::Gone("carts", 2)).await.unwrap();
        happens.send(Happens::Gone("store", task)).await.unwrap();
    }
    for task in 1..=3000 {
        let event = soon(events.next()).await.unwrap().unwrap();
        assert_eq!(event.value.task, Some(TaskId(task)));
        assert_eq!(event.value.text, "gone: ended by signal 9");
    }
    drop(happens);
}

#[tokio::test]
async fn lines_are_told_as_they_are_written() {
    let directory = tempfile::tempdir().unwrap();
    let (_handle, happens) = fake::start(directory.path(), RevisionState::Completed);
    let client = Client::new(directory.path());
    let query = LogsQuery { task: Some(TaskId(1)), follow: true, ..LogsQuery::default() };
    let mut lines = client.follow_logs(&query).await.unwrap();
    assert_eq!(soon(lines.next()).await.unwrap().unwrap().value.line, "listening");
    happens.send(Happens::Writes("carts", 2, "not asked for")).await.unwrap();
    happens.send(Happens::Writes("store", 1, "asked for")).await.unwrap();
    let line = soon(lines.next()).await.unwrap().unwrap();
    assert_eq!(line.json, r#"{"task":"task-1","service":"store","line":"asked for"}"#);
    happens.send(Happens::Restarts).await.unwrap();
    assert!(soon(lines.next()).await.unwrap().is_none());
    let mut lines = client.follow_logs(&query).await.unwrap();
    assert_eq!(lines.past(), 2);
    for line in ["listening", "asked for"] {
        assert_eq!(soon(lines.next()).await.unwrap().unwrap().value.line, line);
    }
    happens.send(Happens::Ends).await.unwrap();
    assert!(soon(lines.next()).await.unwrap().is_none());
}

#[tokio::test]
async fn what_cannot_be_is_refused_with_what_can() {
    let directory = tempfile::tempdir().unwrap();
    let _fleet = fake::start(directory.path(), RevisionState::Completed);
    let client = Client::new(directory.path());
    let refusal = |error: ClientError| match error {
        ClientError::Refused(refusal) => (refusal.status, refusal.to_string()),
        other => panic!("{other}"),
    };
    let (status, text) = refusal(client.rollback("st/re?").await.unwrap_err());
    assert_eq!(
        (status, &*text),
        (404, "`st/re?` is no service of this fleet; allowed is carts, store")
    );
    let (status, text) = refusal(client.stop(TaskId(99)).await.unwrap_err());
    assert_eq!(status, 404);
    assert!(text.ends_with("allowed is task-1, task-2, task-3, task-5, task-7, task-9, task-11"));
    let (status, text) = refusal(client.scale("carts", 9).await.unwrap_err());
    assert_eq!((status, text.ends_with("allowed is 1 to 4")), (409, true));

    let asks = [
        ("GET", "/v1/events?follw=true", "", 422, "unknown field `follw`"),
        ("GET", "/v1/events?task=7", "", 422, "`7` is not a task"),
        ("GET", "/v1/logs?lines=10001", "", 422, "0 to 10000"),
        ("GET", "/v1/logs?lines=many", "", 422, "lines: invalid digit"),
        ("POST", "/v1/tasks/task-01/stop", "", 422, "task-1, task-2"),
        ("PUT", "/v1/services/store/desired-count", "", 422, "body: EOF"),
        ("PUT", "/v1/services/store/desired-count", r#"{"count":-1}"#, 422, "invalid value"),
        ("PUT", "/v1/services/store/desired-count", r#"{"cuont":1}"#, 422, "unknown field `cuont`"),
        (
            "POST",
            "/v1/deployments",
            r#"{"fleet":{},"directory":"x"}"#,
            422,
            "directory: it is relative",
        ),
        ("GET", "/v1/down", "", 405, "GET cannot be done"),
        ("GET", "/v2", "", 404, "/v1/fleet, /v1/tasks"),
        // The dashboard is for browsers, and they come over TCP.
        ("GET", "/", "", 404, "nothing here"),
    ];
    for (method, path, body, status, text) in asks {
        let (is, answer) = ask(directory.path(), method, path, body).await;
        assert_eq!(is, status, "{method} {path}: {answer}");
        let refusal: ApiError = serde_json::from_str(&answer).unwrap();
        assert!(refusal.to_string().contains(text), "{method} {path}: {refusal}");
    }
    let long = "x".repeat((1 << 20) + 1);
    assert_eq!(ask(directory.path(), "POST", "/v1/deployments", &long).await.0, 413);
}

#[tokio::test]
async fn the_document_and_the_router_know_the_same_routes() {
    let directory = tempfile::tempdir().unwrap();
    let _fleet = fake::start(directory.path(), RevisionState::Completed);
    let document = document();
    let told = ask(directory.path(), "GET", "/v1/openapi.json", "").await.1;
    assert_eq!(serde_json::from_str::<serde_json::Value>(&told).unwrap(), document);

    let paths = document["paths"].as_object().unwrap();
    // The other way round: whoever asks for nothing there is told of every path.
    let nothing: ApiError =
        serde_json::from_str(&ask(directory.path(), "GET", "/v1", "").await.1).unwrap();
    let all = nothing.allowed.unwrap();
    assert_eq!(all.split(", ").count(), paths.len());
    for (path, operations) in paths {
        assert!(all.contains(path), "{path}");
        let real = path.replace("{service}", "store").replace("{task}", "task-1");
        for method in ["get", "post", "put", "delete", "patch"] {
            if real == "/v1/down" && method == "post" {
                continue;
            }
            let (status, _) = ask(directory.path(), &method.to_uppercase(), &real, "").await;
            let is_there = operations.get(method).is_some();
            assert_eq!(is_there, ![404, 405].contains(&status), "{method} {path}: {status}");
        }
    }
}

/// Whoever makes a client from the document finds all that it points to.
#[test]
fn every_reference_of_the_document_leads_somewhere() {
    fn references<'a>(value: &'a serde_json::Value, found: &mut Vec<&'a str>) {
        match value {
            serde_json::Value::Object(object) => {
                found.extend(object.get("$ref").and_then(|reference| reference.as_str()));
                for value in object.values() {
                    references(value, found);
                }
            }
            serde_json::Value::Array(list) => {
                for value in list {
                    references(value, found);
                }
            }
            _ => {}
        }
    }
    let document = document();
    let mut found = Vec::new();
    references(&document, &mut found);
    assert!(found.len() > 10);
    for reference in found {
        let pointer = reference.strip_prefix('#').unwrap();
        assert!(document.pointer(pointer).is_some(), "{reference}");
    }
}

#[tokio::test]
async fn whoever_is_not_there_is_called_so() {
    let directory = tempfile::tempdir().unwrap();
    let client = Client::new(directory.path());
    let error = client.fleet().await.unwrap_err();
    assert!(error.is_absence());
    let expected =
        format!("no fleet runs in {}; start one with `seaworthy up`", directory.path().display());
    assert_eq!(error.to_string(), expected);
    assert!(Client::new(&directory.path().join("none")).fleet().await.unwrap_err().is_absence());

    drop(UnixListener::bind(directory.path().join(socket::NAME)).unwrap());
    let error = client.fleet().await.unwrap_err();
    assert!(matches!(error, ClientError::Stale(_)) && error.is_passing(), "{error}");
}

#[tokio::test]
async fn the_socket_is_its_owners_alone_and_takes_the_place_of_a_stale_one() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join(socket::NAME);
    drop(UnixListener::bind(&path).unwrap());
    let _fleet = fake::start(directory.path(), RevisionState::Completed);
    assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
    let others = fs::read_dir(directory.path()).unwrap().map(|entry| entry.unwrap().file_name());
    let others: Vec<_> = others.filter(|name| name != socket::NAME && name != "events").collect();
    assert!(others.is_empty(), "{others:?}");
    assert!(Client::new(directory.path()).fleet().await.is_ok());
}

/// An agent that is started again is waited for.
#[tokio::test]
async fn an_agent_that_comes_back_is_waited_for() {
    let directory = tempfile::tempdir().unwrap();
    drop(UnixListener::bind(directory.path().join(socket::NAME)).unwrap());
    let client = Client::new(directory.path());
    let (fleet, _fleet) = tokio::join!(client.fleet(), async {
        tokio::task::yield_now().await;
        fake::start(directory.path(), RevisionState::Completed)
    });
    assert!(fleet.is_ok());
}

/// Comes back with `socket` as soon as there is something to be taken from it, and leaves it there.
async fn asked<T: AsFd + Send + 'static>(socket: T) -> T {
    let wait = move || {
        let patience = Timespec { tv_sec: 10, tv_nsec: 0 };
        let ready = poll(&mut [PollFd::new(&socket, PollFlags::IN)], Some(&patience));
        assert_eq!(ready, Ok(1), "nobody asks");
        socket
    };
    tokio::task::spawn_blocking(wait).await.unwrap()
}

/// Nothing was done, so the next agent is told all of it, also what must not be done twice.
#[tokio::test]
async fn what_an_agent_did_not_read_is_for_the_next_one() {
    for takes in [false, true] {
        let directory = tempfile::tempdir().unwrap();
        let first = socket::listen_in(directory.path(), socket::NAME).unwrap();
        let client = Client::new(directory.path());
        let scaled = tokio::spawn(async move { client.scale("store", 5).await });
        let first = asked(first.into_std().unwrap()).await;
        if takes {
            let (taken, _) = first.accept().unwrap();
            asked(taken).await;
        }
        drop(first);
        let _fleet = fake::start(directory.path(), RevisionState::Completed);
        assert_eq!(soon(scaled).await.unwrap().unwrap().value.desired, 5, "taken: {takes}");
    }
}

/// It may have been done.
#[tokio::test]
async fn what_an_agent_read_and_did_not_answer_is_not_asked_of_the_next_one() {
    let directory = tempfile::tempdir().unwrap();
    let first = socket::listen_in(directory.path(), socket::NAME).unwrap();
    let client = Client::new(directory.path());
    let scaled = tokio::spawn(async move { client.scale("store", 5).await });
    let (mut taken, _) = first.accept().await.unwrap();
    let mut request = Vec::new();
    while !request.ends_with(br#"{"count":5}"#) {
        assert_ne!(soon(taken.read_buf(&mut request)).await.unwrap(), 0);
    }
    drop((taken, first));
    let _fleet = fake::start(directory.path(), RevisionState::Completed);
    let error = soon(scaled).await.unwrap().unwrap_err();
    assert!(error.is_broken() && !error.was_unread(), "{error}");
}
