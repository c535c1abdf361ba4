//! The backend of `failover`, and of fleets: answers after its work, and misbehaves when it is told to.

use std::f64::consts::TAU;
use std::net::{Ipv4Addr, SocketAddr};
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;

use axum::Router;
use axum::extract::{Path, Query, State};
use axum::http::StatusCode;
use axum::response::IntoResponse;
use axum::routing::{any, get};
use seaworthy_core::random::{Stream, unit};
use serde::Deserialize;

use crate::journal::{CHECK, Journal};

/// With a tail, everything stands still for so long,
const PAUSE: Duration = Duration::from_millis(50);
/// at most so long after it did before.
const LONGEST_BETWEEN_PAUSES: f64 = 4.0;
/// The 99th percentile of the work divided by its median, with a tail;
const TAIL: f64 = 10.0;
/// the same percentile of a normal distribution.
const NORMAL_P99: f64 = 2.326;

/// What a backend is told.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// Where it listens on 127.0.0.1
    #[arg(long, env = "PORT")]
    port: u16,
    /// Its number: 1, 2 …; answers name it
    #[arg(long)]
    number: u32,
    /// Where it writes down what it gets
    #[arg(long)]
    journal: PathBuf,
    /// It listens so long after its start
    #[arg(long, default_value = "0s")]
    start_up: humantime::Duration,
    /// How long each request takes
    #[arg(long, default_value = "0s")]
    work: humantime::Duration,
    /// `work` is the median, the 99th percentile is ten times that, and there are pauses of 50 ms
    #[arg(long)]
    tail: bool,
}

/// What requests share.
struct Backend {
    number: u32,
    journal: Journal,
    work: Duration,
    tail: bool,
    failing: AtomicBool,
    slow_ms: AtomicU64,
}

/// `POST /control?failing=true&slow_ms=500`
#[derive(Deserialize)]
struct Mood {
    #[serde(default)]
    failing: bool,
    #[serde(default)]
    slow_ms: u64,
}

/// `GET /work/1?ms=500`: this one takes so much longer.
#[derive(Deserialize)]
struct Lasting {
    #[serde(default)]
    ms: u64,
}

/// Serves until it is ended.
pub(crate) fn run(args: &Args) -> anyhow::Result<()> {
    let backend = Arc::new(Backend {
        number: args.number,
        journal: Journal::open(&args.journal)?,
        work: args.work.into(),
        tail: args.tail,
        failing: AtomicBool::new(false),
        slow_ms: AtomicU64::new(0),
    });
    std::thread::sleep(args.start_up.into());
    let router = Router::new()
        .route("/healthz", get(check))
        .route("/work/{number}", any(work))
        .route("/control", get(name).post(control))
        .with_state(backend.clone());
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    runtime.block_on(async {
        let address: SocketAddr = (Ipv4Addr::LOCALHOST, args.port).into();
        let listener = tokio::net::TcpListener::bind(address).await?;
        if args.tail {
            tokio::spawn(pause_now_and_then(args.number));
        }
        Ok(axum::serve(listener, router).await?)
    })
}

/// Stops the whole process for a moment, as a collector of garbage does.
async fn pause_now_and_then(number: u32) {
    for ordinal in 0.. {
        let seconds = unit(number.into(), Stream::Pause, ordinal) * LONGEST_BETWEEN_PAUSES;
        tokio::time::sleep(Duration::from_secs_f64(seconds)).await;
        // Blocking is the point: there is one thread, and everybody waits.
        std::thread::sleep(PAUSE);
    }
}

async fn check(State(backend): State<Arc<Backend>>) -> StatusCode {
    match backend.journal.note(CHECK) {
        Ok(()) => StatusCode::OK,
        Err(_) => StatusCode::INTERNAL_SERVER_ERROR,
    }
}

async fn name(State(backend): State<Arc<Backend>>) -> String {
    backend.number.to_string()
}

async fn control(State(backend): State<Arc<Backend>>, Query(mood): Query<Mood>) {
    // Requests see it a moment sooner or later, so no order is needed.
    backend.failing.store(mood.failing, Ordering::Relaxed);
    backend.slow_ms.store(mood.slow_ms, Ordering::Relaxed);
}

async fn work(
    State(backend): State<Arc<Backend>>,
    Path(number): Path<u64>,
    Query(Lasting { ms }): Query<Lasting>,
) -> Result<impl IntoResponse, StatusCode> {
    backend.journal.note(number).map_err(|_| StatusCode::INTERNAL_SERVER_ERROR)?;
    if backend.failing.load(Ordering::Relaxed) {
        return Err(StatusCode::INTERNAL_SERVER_ERROR);
    }
    let slow = Duration::from_millis(backend.slow_ms.load(Ordering::Relaxed));
    let lasts = backend.work_of(number) + slow + Duration::from_millis(ms);
    if lasts > Duration::ZERO {
        tokio::time::sleep(lasts).await;
    }
    Ok(([("x-seaworthy-task", format!("task-{}", backend.number))], "done\n"))
}

// === impl Backend ===

impl Backend {
    /// How long a request takes: log-normal, if there is a tail. Tries of one request on different backends differ.
    fn work_of(&self, number: u64) -> Duration {
        if !self.tail {
            return self.work;
        }
        let seed = self.number.into();
        // Box and Muller.
        let radius = (-2.0 * (1.0 - unit(seed, Stream::Requests, number)).ln()).sqrt();
        let normal = radius * (TAU * unit(seed, Stream::Arrivals, number)).cos();
        let times = (normal * TAIL.ln() / NORMAL_P99).exp();
        self.work.mul_f64(times)
    }
}
