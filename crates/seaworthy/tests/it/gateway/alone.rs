//! A `seaworthy gateway FILE` in a process of its own.

use std::fs::{self, File};
use std::io::{BufRead, BufReader, Write};
use std::net::TcpStream;
use std::path::PathBuf;
use std::process::{Child, ExitStatus, Stdio};
use std::time::Duration;

use rustix::process::{Pid, Signal, kill_process};

use super::echo::{Echo, Message};
use crate::world::{World, eventually};

/// No test that passes waits so long.
pub(crate) const PATIENCE: Duration = Duration::from_secs(60);

/// Killed when dropped.
pub(crate) struct Alone {
    child: Child,
    file: PathBuf,
    stderr: PathBuf,
    /// Where its service `s` listens, and where it tells about itself.
    pub(crate) service: String,
    pub(crate) admin: String,
}

/// A file for a service `s` with these targets, and more below it.
pub(crate) fn file(top: &str, targets: &[&Echo], more: &str) -> String {
    let targets: Vec<String> = targets.iter().map(|echo| format!("\"{}\"", echo.address)).collect();
    format!(
        "[gateway]\nadmin = \"127.0.0.1:0\"\n{top}\n[service.s]\ntargets = [{}]\n\
         health = {{ interval = \"100ms\", timeout = \"90ms\", unhealthy_threshold = 10 }}\n{more}\n",
        targets.join(", ")
    )
}

/// A gateway whose service `s` is ready.
pub(crate) fn start(world: &World, text: &str) -> Alone {
    world.write("gateway.toml", text);
    let mut command = world.seaworthy(&["gateway", "gateway.toml"]);
    let stderr = world.path("stderr");
    command.stdout(Stdio::piped()).stderr(File::create(&stderr).unwrap());
    let mut child = command.spawn().unwrap();
    let mut stdout = BufReader::new(child.stdout.take().unwrap());
    let mut address = |who: &str| {
        let mut line = String::new();
        stdout.read_line(&mut line).unwrap();
        let address = line.trim_end().strip_prefix(&format!("{who} http://"));
        let said = || fs::read_to_string(&stderr).unwrap();
        address.unwrap_or_else(|| panic!("`{line}` is not where {who} is: {}", said())).to_owned()
    };
    let (service, admin) = (address("s"), address("admin"));
    let file = world.path("gateway.toml");
    let alone = Alone { child, file, stderr, service, admin };
    eventually("a ready gateway", || (alone.ask("GET", "/readyz").0 == 200).then_some(()));
    alone
}

// === impl Alone ===

impl Alone {
    /// What the admin address answers.
    pub(crate) fn ask(&self, method: &str, path: &str) -> (u16, String) {
        let answer = self.ask_for(method, path, "*/*");
        (answer.line.split(' ').nth(1).unwrap().parse().unwrap(), text(answer.body))
    }

    /// The same, with an `Accept`.
    pub(crate) fn ask_for(&self, method: &str, path: &str, accept: &str) -> Message {
        let mut stream = TcpStream::connect(&self.admin).unwrap();
        stream.set_read_timeout(Some(PATIENCE)).unwrap();
        let request = format!(
            "{method} {path} HTTP/1.1\r\nHost: a\r\nAccept: {accept}\r\nConnection: close\r\n\r\n"
        );
        stream.write_all(request.as_bytes()).unwrap();
        Message::read(&mut BufReader::new(stream), false).unwrap().unwrap()
    }

    /// The value of one sample.
    pub(crate) fn metric(&self, sample: &str) -> Option<u64> {
        let page = self.ask("GET", "/metrics").1;
        let value = page.lines().find_map(|line| line.strip_prefix(sample)?.strip_prefix(' '));
        value.map(|value| value.parse().unwrap())
    }

    /// Writes the file anew. Nobody ever sees half of it.
    pub(crate) fn write(&self, text: &str) {
        let new = self.file.with_extension("new");
        fs::write(&new, text).unwrap();
        fs::rename(new, &self.file).unwrap();
    }

    pub(crate) fn signal(&self, signal: Signal) {
        kill_process(Pid::from_child(&self.child), signal).unwrap();
    }

    /// Bytes of memory that it has for itself, and its share of what it has with others.
    pub(crate) fn memory(&self) -> u64 {
        let rollup = format!("/proc/{}/smaps_rollup", self.child.id());
        let rollup = fs::read_to_string(rollup).unwrap();
        let kilobytes = rollup.lines().find_map(|line| line.strip_prefix("Pss:")).unwrap();
        kilobytes.trim().trim_end_matches(" kB").parse::<u64>().unwrap() << 10
    }

    /// Waits for its end; returns all that it has said on standard error, too.
    pub(crate) fn wait(mut self) -> (ExitStatus, String) {
        let status = self.child.wait().unwrap();
        (status, fs::read_to_string(&self.stderr).unwrap())
    }
}

impl Drop for Alone {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

pub(crate) fn text(bytes: Vec<u8>) -> String {
    String::from_utf8(bytes).unwrap()
}
