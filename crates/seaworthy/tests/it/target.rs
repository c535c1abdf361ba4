//! Drills at a service that Seaworthy does not run: faults are commands, which are proven and
//! undone.

use std::fs;
use std::io::{BufRead, BufReader};
use std::net::SocketAddr;
use std::process::{Child, Stdio};

use rustix::process::Signal;
use serde_json::Value;

use crate::client::get;
use crate::world::{World, code_and_words, eventually};

const FILE: &str = r#"
title = "somebody else's service"
target = "http://TARGET"
claims = [CLAIMS]

[load]
rate = 50
paths = ["/products?q=lamp"]

[objective]
latency = "200ms"
success = "90%"

[hypothesis]
window = "500ms"
tolerated_gap = "300ms"

[[schedule]]
name = "bad"
duration = "2s"
faults = [FAULTS]
"#;

/// A service of the test's own. Dropping it kills it.
struct Service {
    process: Child,
    address: SocketAddr,
}

// === impl Service ===

impl Service {
    fn start(world: &World) -> Self {
        let generated = world.run(&["store", "generate", "--products", "50"]);
        assert!(generated.status.success(), "{}", code_and_words(&generated).1);
        let mut command = world.seaworthy(&["store", "serve", "--port", "0"]);
        let mut process = command.stderr(Stdio::piped()).spawn().unwrap();
        let mut line = String::new();
        BufReader::new(process.stderr.take().unwrap()).read_line(&mut line).unwrap();
        // So that it is ended whatever it says.
        let mut service = Self { process, address: ([127, 0, 0, 1], 0).into() };
        service.address = line.trim().rsplit_once("http://").expect(&line).1.parse().unwrap();
        service
    }

    fn pid(&self) -> u32 {
        self.process.id()
    }

    /// Whether it is stopped, as by SIGSTOP.
    fn is_stopped(&self) -> bool {
        let status = fs::read_to_string(format!("/proc/{}/status", self.pid())).unwrap();
        status.contains("\nState:\tT")
    }

    fn answers(&self) -> bool {
        get(self.address, "/health").is_some_and(|answer| answer.status == 200)
    }

    /// A fault that stops it for a moment.
    fn stopped(&self, proof: &str) -> String {
        let pid = self.pid();
        format!(
            r#"{{ at = "500ms", lasts = "700ms", exec = ["sh", "-c", "kill -STOP {pid}"],
                 proof = {proof}, heal = ["sh", "-c", "kill -CONT {pid}"] }}"#
        )
    }

    /// A proof of that.
    fn proof(&self) -> String {
        format!(r#"["grep", "State:.T", "/proc/{}/status"]"#, self.pid())
    }

    fn file(&self, faults: &str, claims: &str) -> String {
        let address = self.address.to_string();
        FILE.replace("TARGET", &address).replace("FAULTS", faults).replace("CLAIMS", claims)
    }
}

impl Drop for Service {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

#[test]
fn a_command_breaks_the_target_and_another_mends_it() {
    let world = World::new();
    let service = Service::start(&world);
    let claims = r#""{1.bad.failed} >= 10", "{1.bad.requests} >= {1.bad.failed} + 10""#;
    world.write("drill.toml", &service.file(&service.stopped(&service.proof()), claims));
    let (code, words) = code_and_words(&world.judged("drill.toml", &["--json", "out.json"]));
    assert_eq!(code, Some(0), "{words}");
    assert_eq!(words.matches("holds  {").count(), 2, "{words}");
    let report = fs::read_to_string(world.path("out.json")).unwrap();
    let report: Value = serde_json::from_str(&report).unwrap();
    assert_eq!(report["cells"][0]["tasks"], 0);
    assert!(service.answers() && !service.is_stopped());
    drop(service);
    world.assert_nothing_is_left();
}

#[test]
fn what_is_not_proven_or_cannot_be_healed_is_invalid() {
    let world = World::new();
    let service = Service::start(&world);
    let fault = |exec: &str, proof: &str, heal: &str| {
        format!(
            r#"{{ at = "500ms", lasts = "500ms", exec = {exec}, proof = {proof}, heal = {heal} }}"#
        )
    };
    let (well, badly) = (r#"["true"]"#, r#"["sh", "-c", "echo out of fish; exit 7"]"#);
    let cases = [
        (fault(badly, well, well), "`sh -c echo out of fish; exit 7` ended with exit status: 7"),
        (
            fault(well, badly, well),
            "had no effect: its proof failed until it was over: `sh -c echo out of fish",
        ),
        (
            fault(well, well, badly),
            "had no effect: it could not be healed: `sh -c echo out of fish",
        ),
        (fault(r#"["not-there"]"#, well, well), "`not-there` ended with"),
    ];
    for (fault, why) in cases {
        world.write("drill.toml", &service.file(&fault, ""));
        let (code, words) = code_and_words(&world.judged("drill.toml", &["--json", "out.json"]));
        assert_eq!(code, Some(3), "{words}");
        let report = fs::read_to_string(world.path("out.json")).unwrap();
        assert!(report.contains(why), "`{why}` is not in:\n{report}");
    }
    drop(service);
    world.assert_nothing_is_left();
}

#[test]
fn a_command_that_is_slower_than_its_fault_is_undone_and_proves_nothing() {
    let world = World::new();
    let service = Service::start(&world);
    // It is to be undone after 700 ms, when nothing is done yet.
    let slow = service.stopped(&service.proof()).replace("kill -STOP", "sleep 1; kill -STOP");
    world.write("drill.toml", &service.file(&slow, ""));
    let (code, words) = code_and_words(&world.judged("drill.toml", &["--json", "out.json"]));
    assert_eq!(code, Some(3), "{words}");
    let report = fs::read_to_string(world.path("out.json")).unwrap();
    let why = "had no effect: its proof failed until it was over: nothing came of it in time";
    assert!(report.contains(why), "{report}");
    assert!(!service.is_stopped() && service.answers(), "it is still stopped");
    drop(service);
    world.assert_nothing_is_left();
}

#[test]
fn commands_know_the_run_s_directory() {
    let world = World::new();
    let service = Service::start(&world);
    let fault = r#"{ at = "500ms", exec = ["touch", "{run}/broken"], proof = ["test", "-f", "{run}/broken"],
                     heal = ["rm", "{run}/broken"] }"#;
    world.write("drill.toml", &service.file(fault, ""));
    let (code, words) = code_and_words(&world.judged("drill.toml", &[]));
    assert_eq!(code, Some(0), "{words}");
    drop(service);
    world.assert_nothing_is_left();
}

#[test]
fn a_drill_that_is_ended_heals_its_target() {
    let world = World::new();
    let service = Service::start(&world);
    // Also while the proof is still being looked for.
    for proof in [service.proof(), r#"["sleep", "1000"]"#.to_owned()] {
        for (signal, code) in [(Signal::INT, 130), (Signal::TERM, 143)] {
            let file = service.file(&service.stopped(&proof), "");
            let file = file.replace("700ms", "1m").replace("\"2s\"", "\"2m\"");
            world.write("drill.toml", &file);
            let started = world.start(&["drill", "drill.toml"], "the load begins");
            eventually("the fault", || service.is_stopped().then_some(()));
            assert_eq!(started.signal(signal), Some(code));
            assert!(!service.is_stopped() && service.answers(), "it is still stopped: {proof}");
        }
    }
    drop(service);
    world.assert_nothing_is_left();
}

#[test]
fn what_a_target_does_not_allow_is_refused_by_name() {
    let world = World::new();
    let exec = r#"{ at = "1s", exec = ["true"], proof = ["true"] }"#;
    let good = FILE.replace("TARGET", "127.0.0.1:1").replace("FAULTS", exec).replace("CLAIMS", "");
    let fault = |other: &str| good.replace(exec, &format!("{{ at = \"1s\", {other} }}"));
    let none = "a drill with a target of its own knows no services";
    let cases = [
        (good.replace("http://", "https://"), "target: `https://127.0.0.1:1` is no target"),
        (good.replace(":1\"", ":1/path\""), "target: `http://127.0.0.1:1/path` is no target"),
        (good.replace("target =", "scale = 1 #"), "target: is allowed in place of [fleet]"),
        (
            format!("{good}[fleet.service.store]\ncommand = [\"true\"]\n"),
            "target: is allowed in place of [fleet], and one of them must be there",
        ),
        (
            format!("{good}[[configuration]]\ntitle = \"two\"\n"),
            "configuration: changes a fleet; a drill with a `target` has none",
        ),
        (good.replace("rate =", "service = \"store\"\nrate ="), none),
        (fault("stop = 1"), none),
        (fault("kill = \"all\""), none),
        (fault("ask = \"/\""), none),
        (fault("query_of_death = \"/\""), none),
        (fault("latency = \"1s\", to = \"store\""), "schedule[1].faults[1].to: `store` is no"),
        (fault("exec = [\"true\"]"), "schedule[1].faults[1].proof: names no program"),
        (fault("exec = []"), "schedule[1].faults[1].exec: names no program"),
        (fault("exec = [\"true\"], share = \"1%\""), "share: means nothing beside `exec`"),
    ];
    for (text, problem) in cases {
        world.write("drill.toml", &text);
        let output = world.run(&["drill", "drill.toml", "--dry-run"]);
        let (code, words) = code_and_words(&output);
        assert_eq!(code, Some(2), "{problem}: {words}");
        assert!(words.contains(problem), "`{problem}` is not in:\n{words}");
    }
    world.write("drill.toml", &good);
    let (code, words) = code_and_words(&world.run(&["drill", "drill.toml", "--dry-run"]));
    assert_eq!(code, Some(0), "{words}");
    assert!(words.contains("nothing: http://127.0.0.1:1 is there"), "{words}");

    // There is a name, and nobody has it.
    world.write("drill.toml", &good.replace("127.0.0.1:1", "nowhere.invalid"));
    let (code, words) = code_and_words(&world.run(&["drill", "drill.toml"]));
    assert_eq!(code, Some(2), "{words}");
    assert!(words.contains("target: http://nowhere.invalid: cannot be found"), "{words}");
    world.assert_nothing_is_left();
}
