//! Faults that end the process: each in a process of its own, which is this test program again.

use std::env;
use std::io::{BufRead, BufReader, Lines};
use std::net::SocketAddr;
use std::os::unix::process::ExitStatusExt;
use std::process::{Child, ChildStderr, Command, ExitStatus, Stdio};

use axum::http::HeaderValue;
use seaworthy_store::faults::Faults;
use seaworthy_store::generate::generate;
use seaworthy_store::index::Index;
use seaworthy_store::service::{self, Task, products};

use crate::server::{Answer, DEADLINE, Server, TASK, send, until};

/// Set in a process that is to be a task.
const MARK: &str = "STORE_TEST_TASK";

/// Not a test of its own: the task, if this process is to be one.
#[test]
fn task() {
    if env::var_os(MARK).is_none() {
        return;
    }
    let task = Task::new(TASK, 0).unwrap();
    let index = Index::build(generate(50, 1)).unwrap();
    let faults = Faults { query_of_death: Some("kraken".to_owned()), ..Faults::default() };
    let router = products::router(index, Some(&faults), task.name.clone());
    service::run(&task, "products", router).unwrap();
}

/// A task in a process of its own. Dropping it kills it.
struct Process {
    child: Child,
    /// What it says; kept open, so that it may.
    said: Lines<BufReader<ChildStderr>>,
    address: SocketAddr,
}

// === impl Process ===

impl Process {
    fn start() -> Self {
        let mut command = Command::new(env::current_exe().unwrap());
        command.args(["--exact", "faults::task", "--nocapture"]).env(MARK, "1");
        command.stdout(Stdio::null()).stderr(Stdio::piped()).stdin(Stdio::null());
        let mut child = command.spawn().unwrap();
        let said = BufReader::new(child.stderr.take().unwrap()).lines();
        let address = SocketAddr::from(([127, 0, 0, 1], 0));
        let mut process = Self { child, said, address };
        let line = process.says(" on http://");
        process.address = line.split("http://").nth(1).unwrap().parse().unwrap();
        process
    }

    /// The next line with this in it.
    fn says(&mut self, part: &str) -> String {
        let mut lines = self.said.by_ref().map(Result::unwrap);
        lines.find(|line| line.contains(part)).expect("it says so before its end")
    }

    /// Waits for its end.
    fn end(&mut self) -> ExitStatus {
        let mut status = None;
        until("it ends", || {
            status = self.child.try_wait().unwrap();
            status.is_some()
        });
        status.unwrap()
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        // It may have ended.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn is_aborted(status: ExitStatus) -> bool {
    const SIGABRT: i32 = 6;
    status.signal() == Some(SIGABRT)
}

#[test]
fn a_leak_grows_to_its_limit_and_the_process_aborts() {
    let mut process = Process::start();
    let leak = "/faults/leak?bytes_per_second=200000000&limit=20000000";
    let answer = Answer::receive(send(process.address, "POST", leak));
    assert_eq!(answer.json()["limit"], 20_000_000);
    process.says("a leak of 20000000 bytes is at its limit");
    assert!(is_aborted(process.end()));
}

#[test]
fn a_task_that_leaks_answers_until_then() {
    let process = Process::start();
    let leak = "/faults/leak?bytes_per_second=1000000&limit=1000000000";
    assert_eq!(Answer::receive(send(process.address, "POST", leak)).status, 200);
    for _ in 0..20 {
        assert_eq!(Answer::receive(send(process.address, "GET", "/products?q=lamp")).status, 200);
    }
}

#[test]
fn a_query_of_death_is_the_last_one() {
    let mut process = Process::start();
    assert_eq!(Answer::receive(send(process.address, "GET", "/products?q=krakens")).status, 200);
    drop(send(process.address, "GET", "/products?q=red+Kraken"));
    process.says("a query of death: `kraken`");
    assert!(is_aborted(process.end()));
}

#[test]
fn a_broken_one_passes_its_checks_and_answers_nothing_else() {
    let index = Index::build(generate(50, 1)).unwrap();
    let faults = Faults { broken: true, ..Faults::default() };
    let router = products::router(index, Some(&faults), HeaderValue::from_static(TASK));
    let server = Server::with(router, DEADLINE);
    assert_eq!(server.get("/health").status, 200);
    server.request("GET", "/products?q=lamp").problem(500);
}

#[test]
fn a_service_without_faults_has_no_switch() {
    let index = Index::build(generate(50, 1)).unwrap();
    let router = products::router(index, None, HeaderValue::from_static(TASK));
    let server = Server::with(router, DEADLINE);
    server.request("POST", "/faults/leak?bytes_per_second=1").problem(404);
    assert_eq!(server.get("/products?q=kraken").status, 200);
}

#[test]
fn a_leak_that_cannot_be_meant_is_refused() {
    let index = Index::build(generate(50, 1)).unwrap();
    let task = HeaderValue::from_static(TASK);
    let router = products::router(index, Some(&Faults::default()), task);
    let server = Server::with(router, DEADLINE);
    for query in ["", "?bytes_per_second=0", "?bytes_per_second=1&limit=1073741825"] {
        server.request("POST", &format!("/faults/leak{query}")).problem(400);
    }
}
