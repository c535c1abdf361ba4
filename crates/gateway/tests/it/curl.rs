//! The client everybody has, against the whole gateway. Without it there is nothing to test, and that
//! is said.

use std::io::{self, Write};
use std::process::{Command, Stdio};

use crate::harness::{Gateway, Task};

/// What curl prints of a request, or none without curl.
fn curl(arguments: &[&str]) -> Option<String> {
    // It must end by itself, whatever happens.
    let fixed = ["--silent", "--show-error", "--noproxy", "*", "--max-time", "30"];
    let curl = Command::new("curl").args(fixed).args(arguments).stdin(Stdio::null()).output();
    let Ok(output) = curl else {
        let _ = writeln!(io::stderr(), "SKIPPED: there is no curl on the PATH");
        return None;
    };
    let errors = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "curl {arguments:?}: {errors}");
    Some(String::from_utf8_lossy(&output.stdout).into_owned())
}

/// A task that says what it was asked.
fn talker() -> Task {
    Task::early(1, |request, wire| {
        let mut whole = request.clone();
        if request.field("Expect").is_some() {
            if request.target() == "/closed" {
                return wire.say("HTTP/1.1 401 Who\r\nContent-Length: 4\r\n\r\nwho?");
            }
            wire.say("HTTP/1.1 100 Continue\r\n\r\n");
        }
        if whole.read_body(&mut wire.stream).is_err() {
            return wire.close();
        }
        let method = request.head.split(' ').next().unwrap_or_default();
        let body = format!("{method} {} of {}\n", request.target(), whole.body.len());
        if request.target() == "/trailers" {
            let size = body.len();
            return wire.say(format!(
                "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nTrailer: X-Sum\r\n\r\n\
                 {size:x};ext\r\n{body}\r\n0\r\nX-Sum: 42\r\n\r\n"
            ));
        }
        let length = body.len();
        let body = if method == "HEAD" { "" } else { &body };
        wire.say(format!("HTTP/1.1 200 OK\r\nContent-Length: {length}\r\n\r\n{body}"));
    })
}

#[test]
fn curl_is_served_in_every_way_it_asks() {
    let task = talker();
    let gateway = Gateway::of(&[&task]);
    let url = |path: &str| format!("http://{}{path}", gateway.address);
    let body = "x".repeat(3 << 20);
    let file = tempfile::NamedTempFile::new().expect("a file");
    std::fs::write(file.path(), &body).expect("it is written");
    let upload = file.path().to_str().expect("text");
    let data = format!("@{upload}");

    let Some(plain) = curl(&[&url("/a")]) else { return };
    assert_eq!(plain, "GET /a of 0\n");
    assert_eq!(curl(&["--http1.0", &url("/old")]).as_deref(), Some("GET /old of 0\n"));
    // It knows no chunks and gets the data of them.
    assert_eq!(curl(&["--http1.0", &url("/trailers")]).as_deref(), Some("GET /trailers of 0\n"));
    let head = curl(&["--head", &url("/h")]).expect("it is there");
    assert!(head.starts_with("HTTP/1.1 200 OK\r\nContent-Length: 13\r\n"), "{head}");
    let told = "%{http_code} %{num_connects} %{time_total}\n";

    // Over 1 MiB it asks first, and waits for the word at most a second.
    let posted = curl(&["--data-binary", &data, "--write-out", told, &url("/p")]);
    let posted = posted.expect("it is there");
    assert!(posted.starts_with("POST /p of 3145728\n200 1 "), "{posted}");
    let seen = task.requests().pop().expect("it came");
    assert_eq!(seen.field("Expect"), Some("100-continue"));

    let chunked = ["--upload-file", upload, "--header", "Transfer-Encoding: chunked"];
    let sent = curl(&[&chunked[..], &[&url("/c")]].concat());
    assert_eq!(sent.as_deref(), Some("PUT /c of 3145728\n"));
    let seen = task.requests().pop().expect("it came");
    assert_eq!(seen.field("Transfer-Encoding"), Some("chunked"));

    let closed = curl(&["--data-binary", &data, "--write-out", "%{http_code}", &url("/closed")]);
    assert_eq!(closed.as_deref(), Some("who?401"));

    // One connection for three requests, and trailers at the end of them.
    let many = ["--write-out", "%{num_connects}\n", "--dump-header", "-"];
    let urls = [url("/1"), url("/trailers"), url("/3")];
    let urls: Vec<&str> = urls.iter().map(String::as_str).collect();
    let answers = curl(&[&many[..], &urls].concat()).expect("it is there");
    for part in ["GET /1 of 0\n1\n", "GET /trailers of 0\n", "X-Sum: 42\r\n", "GET /3 of 0\n0\n"] {
        assert!(answers.contains(part), "{part} in {answers}");
    }
}
