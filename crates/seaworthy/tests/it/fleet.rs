//! Fleets as `seaworthy up` runs them: any of their own processes may die, and so may their keeper.

mod foreground;
mod full_disk;
mod kills;
mod surroundings;
mod under_load;
mod without_keeper;

use std::io;
use std::path::Path;
use std::process::Output;
use std::time::Duration;

use rustix::process::{Pid, Signal, kill_process};
use seaworthy_core::experiment::load::Method;
use seaworthy_drill::standing::{Glimpse, Standing};
use seaworthy_drill::witness::{Seen, Users, Way};

use crate::world::{World, code_and_words, eventually};

/// Three tasks that come and are missed soon.
const FILE: &str = r#"
[service.store]
command = ["seaworthy", "store", "serve", "--database", "DATABASE"]
listen = "127.0.0.1:0"
desired_count = 3
minimum_healthy_percent = 66
health = { path = "/health", interval = "200ms", timeout = "150ms" }
deployment = { settle = "500ms" }
"#;

/// Whatever is waited for comes within this, or never.
const DEADLINE: Duration = Duration::from_secs(60);

/// A standing fleet, and the place that it stands in. The fleet goes first.
struct Place {
    fleet: Standing,
    world: World,
}

// === impl Place ===

impl Place {
    /// With a fleet file, and nothing that runs.
    fn new() -> Self {
        let world = World::new();
        let database = world.path("store.db");
        let database = database.to_str().unwrap();
        let generate =
            ["store", "generate", "--database", database, "--products", "50", "--customers", "20"];
        let generated = code_and_words(&world.run(&generate));
        assert_eq!(generated.0, Some(0), "{generated:?}");
        world.write("fleet.toml", &FILE.replace("DATABASE", database));
        // No socket's own address has room for such a path.
        let state = world.path(&"state".repeat(30));
        let fleet = Standing::at(Path::new(env!("CARGO_BIN_EXE_seaworthy")), &state);
        Self { fleet: fleet.unwrap(), world }
    }

    /// With a fleet that is whole.
    fn up() -> (Self, Glimpse) {
        let place = Self::new();
        place.must(&["up", "fleet.toml", "--detach"]);
        let whole = place.until("the whole fleet", Glimpse::is_whole);
        (place, whole)
    }

    /// `seaworthy ARGUMENTS`, where the fleet file is.
    fn seaworthy(&self, arguments: &[&str]) -> Output {
        self.fleet.command(arguments).current_dir(self.world.path("")).output().unwrap()
    }

    /// It must end well; returns what it said.
    fn must(&self, arguments: &[&str]) -> String {
        let (code, words) = code_and_words(&self.seaworthy(arguments));
        assert_eq!(code, Some(0), "{arguments:?}: {words}\n{}", self.log());
        words
    }

    /// It must be refused; returns why.
    fn refused(&self, arguments: &[&str]) -> String {
        let (code, words) = code_and_words(&self.seaworthy(arguments));
        assert_eq!(code, Some(2), "{arguments:?}: {words}\n{}", self.log());
        words
    }

    fn log(&self) -> String {
        std::fs::read_to_string(self.fleet.directory().log()).unwrap_or_default()
    }

    fn until(&self, what: &str, is_meant: impl FnMut(&Glimpse) -> bool) -> Glimpse {
        block_on(self.fleet.until(what, DEADLINE, is_meant)).unwrap()
    }

    /// Kills every process, first of all the one that would start the others again.
    fn end_at_once(&self, now: &Glimpse) {
        kill(now.pid("keeper").unwrap());
        for process in self.fleet.processes() {
            process.kill();
        }
        self.assert_no_process_is_left();
    }

    /// Waits for the end of the last process.
    fn assert_no_process_is_left(&self) {
        let none = || self.fleet.processes().is_empty().then_some(());
        eventually("the end of the last process", none);
    }
}

fn block_on<T>(future: impl Future<Output = io::Result<T>>) -> io::Result<T> {
    tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap().block_on(future)
}

/// Users who keep their connections, and users who do not.
fn users(whole: &Glimpse) -> Users {
    let address = whole.address("store").unwrap();
    let way = |name, keeps| {
        let path = "/products?q=lamp".to_owned();
        Way { name, address, rate: 50, method: Method::Get, path, keeps }
    };
    Users::start(vec![way("kept", true), way("once", false)]).unwrap()
}

/// Every request was answered well, and there were some.
fn assert_all_good(seen: &[Seen]) {
    let failed: Vec<_> = seen.iter().filter(|seen| !seen.outcome.is_good()).collect();
    assert!(failed.is_empty(), "{} of {}: {failed:?}", failed.len(), seen.len());
    assert!(!seen.is_empty());
}

/// Whole, and somebody keeps it.
fn is_kept(now: &Glimpse) -> bool {
    now.is_whole() && now.pid("keeper").is_some()
}

/// No deployment is under way.
fn no_deployment(now: &Glimpse) -> bool {
    now.fleet.services.iter().all(|service| service.deployment.is_none())
}

/// Every command that changes something of a fleet that goes on; `task` is one of its tasks.
fn changes(task: &str) -> Vec<Vec<&str>> {
    vec![
        vec!["scale", "store=4"],
        vec!["stop", task],
        vec!["drain", task],
        vec!["deploy", "--force"],
        vec!["rollback", "store"],
        vec!["upgrade"],
    ]
}

fn kill(pid: u32) {
    kill_process(Pid::from_raw(pid.cast_signed()).unwrap(), Signal::KILL).unwrap();
}
