//! The generator against a server that behaves as the path says. Counts, not times.

use std::sync::Mutex;
use std::time::Duration;

use seaworthy_core::endpoints::TaskId;
use seaworthy_core::experiment::load::{Arrivals, CONNECTIONS, Method, NOTICE};
use seaworthy_core::fleet::written::Share;
use seaworthy_core::health::Matcher;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

use super::progress::Tally;
use super::*;

/// Long enough for an answer that comes at all.
const LATENCY: Duration = Duration::from_millis(500);
const DEADLINE: Duration = Duration::from_secs(30);

/// The paths that a server was asked for, in order; those of the warm-up come first.
type Seen = Arc<Mutex<Vec<String>>>;

/// A request to each of `paths`, a millisecond apart; sent to `address`.
fn order(address: SocketAddr, paths: &[&str]) -> Order {
    let planned =
        |n: usize| Planned { intended: Duration::from_millis(n as u64), flow: 0, path: n, user: 0 };
    let flow = Flow {
        name: "all".into(),
        service: 0,
        rate: 1000,
        arrivals: Arrivals::Constant,
        method: Method::Get,
        paths: paths.iter().map(|path| (*path).to_owned()).collect(),
        users: None,
        attempts: 1,
        from: Duration::ZERO,
        until: None,
    };
    Order {
        flows: vec![Destination { address, host: address.to_string(), flow }],
        planned: (0..paths.len()).map(planned).collect(),
        connections: CONNECTIONS,
        notice: NOTICE,
        objective: Objective {
            status: Matcher::only(200),
            latency: LATENCY,
            success: Share::WHOLE,
        },
        progress: Arc::new(Progress::new(Duration::from_secs(1))),
    }
}

/// Sends a request to each of `paths`; returns the samples, what the server saw after the warm-up,
/// and the tally of the whole load.
fn send(paths: &[&str]) -> (Vec<Sample>, Vec<String>, Tally) {
    send_as(paths, |_| {})
}

/// The same, of an order that is changed before.
fn send_as(paths: &[&str], change: impl Fn(&mut Order)) -> (Vec<Sample>, Vec<String>, Tally) {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(async {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let mut order = order(listener.local_addr().unwrap(), paths);
        change(&mut order);
        let (progress, seen) = (order.progress.clone(), Seen::default());
        tokio::spawn(serve(listener, seen.clone()));
        let mut generator = Generator::start(order).unwrap();
        let samples = async {
            generator.begin().await?;
            let warm_up = seen.lock().unwrap().len();
            let samples = generator.samples().await?;
            let seen = seen.lock().unwrap().split_off(warm_up);
            Ok::<_, io::Error>((samples, seen, progress.tally(Duration::ZERO..DEADLINE)))
        };
        tokio::time::timeout(DEADLINE, samples).await.expect("it ends").unwrap()
    })
}

async fn serve(listener: TcpListener, seen: Seen) {
    while let Ok((stream, _)) = listener.accept().await {
        tokio::spawn(answer_all(stream, seen.clone()));
    }
}

/// Answers one request after the other as its path says.
async fn answer_all(mut stream: TcpStream, seen: Seen) -> io::Result<()> {
    let mut head = Vec::new();
    loop {
        while !head.ends_with(b"\r\n\r\n") {
            head.push(stream.read_u8().await?);
        }
        let text = String::from_utf8(std::mem::take(&mut head)).expect("a head is text");
        let path = text.split(' ').nth(1).expect("it has a path").to_owned();
        seen.lock().unwrap().push(path.clone());
        let right = "HTTP/1.1 200 OK\r\nX-Seaworthy-Task: task-7\r\nContent-Length: 4\r\n";
        let answer = match path.as_str() {
            "/right" => format!("{right}\r\nfish"),
            "/close" => format!("{right}Connection: close\r\n\r\nfish"),
            "/wrong" => "HTTP/1.1 503 Nobody\r\nContent-Length: 0\r\n\r\n".to_owned(),
            "/short" => format!("{right}\r\nfi"),
            "/malformed" => "fish\r\n\r\n".to_owned(),
            "/nothing" => String::new(),
            _ => std::future::pending().await,
        };
        stream.write_all(answer.as_bytes()).await?;
        if matches!(path.as_str(), "/close" | "/short" | "/malformed" | "/nothing") {
            return Ok(());
        }
    }
}

#[test]
fn right_answers_are_counted_with_their_task_on_kept_and_on_fresh_connections() {
    for path in ["/right", "/close"] {
        let (samples, seen, tally) = send(&[path; 50]);
        assert_eq!((seen.len(), tally), (50, Tally { right: 50, failed: 0 }));
        for (n, sample) in samples.iter().enumerate() {
            assert_eq!(sample.intended, Duration::from_millis(n as u64));
            let answer = sample.answer.expect("it was answered");
            assert_eq!((answer.status, answer.task), (200, Some(TaskId(7))));
            assert!(sample.intended <= sample.sent && sample.sent <= answer.completed);
        }
    }
}

#[test]
fn what_is_wrong_cut_short_or_no_answer_at_all_fails() {
    let paths = ["/wrong", "/short", "/malformed", "/nothing", "/right"];
    let (samples, _, tally) = send(&paths);
    let statuses: Vec<Option<u16>> =
        samples.iter().map(|sample| sample.answer.map(|answer| answer.status)).collect();
    assert_eq!(statuses, [Some(503), None, None, None, Some(200)]);
    assert_eq!(tally, Tally { right: 1, failed: 4 });
}

#[test]
fn who_may_ask_again_does_so_until_there_is_a_right_answer() {
    let attempts = |order: &mut Order| order.flows[0].flow.attempts = 3;
    let (samples, mut seen, tally) = send_as(&["/wrong", "/nothing", "/stall", "/right"], attempts);
    seen.sort();
    let thrice = ["/nothing", "/right", "/stall", "/wrong"].map(|path| {
        let asked = if path == "/right" { 1 } else { 3 };
        vec![path.to_owned(); asked]
    });
    assert_eq!(seen, thrice.concat());
    assert_eq!(samples[0].answer.map(|answer| answer.status), Some(503));
    assert_eq!(tally, Tally { right: 1, failed: 3 });
}

#[test]
fn answers_that_do_not_come_hold_up_nothing() {
    let mut paths = ["/stall"; 100];
    paths[99] = "/right";
    let (samples, seen, tally) = send(&paths);
    assert_eq!(seen.len(), 100, "an open loop does not wait for answers");
    assert_eq!(samples.iter().filter(|sample| sample.answer.is_some()).count(), 1);
    assert_eq!(tally, Tally { right: 1, failed: 99 });
}

#[test]
fn where_nobody_listens_everything_fails() {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    // Bound and not listened on, so that nobody else can have it.
    let taken = tokio::net::TcpSocket::new_v4().unwrap();
    taken.bind("127.0.0.1:0".parse().unwrap()).unwrap();
    let mut generator =
        Generator::start(order(taken.local_addr().unwrap(), &["/right"; 5])).unwrap();
    let samples = runtime.block_on(generator.samples()).unwrap();
    assert_eq!(samples.iter().map(|sample| sample.answer).collect::<Vec<_>>(), [None; 5]);
}

#[test]
fn dropping_a_generator_ends_its_load() {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(async {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let mut order = order(listener.local_addr().unwrap(), &["/right", "/right"]);
        order.planned[1].intended = Duration::from_secs(3600);
        tokio::spawn(serve(listener, Seen::default()));
        let mut generator = Generator::start(order).unwrap();
        generator.begin().await.unwrap();
        // This waits for the thread, so it would not return if the load went on.
        drop(generator);
    });
}

#[test]
fn there_are_never_more_connections_than_allowed() {
    let mut pool = pool::Pool::new(2);
    assert!(pool.take().is_some() && pool.take().is_some());
    assert!(pool.take().is_none());
    pool.give_back(None);
    assert!(pool.take().is_some());
    assert!(pool.take().is_none());
}
