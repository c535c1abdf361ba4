//! The proxies: where their programs are, how they are configured and started.

use std::fmt;
use std::fs;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use anyhow::Context;
use serde::Serialize;

use crate::child::{Child, output};
use crate::client::free_address;

/// A proxy that can be measured.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, clap::ValueEnum)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Kind {
    Seaworthy,
    Haproxy,
    Nginx,
    Envoy,
}

/// Which proxies are measured
#[derive(Debug, clap::Args)]
pub(crate) struct Programs {
    /// Only these
    #[arg(long, value_name = "NAME", value_delimiter = ',')]
    proxies: Vec<Kind>,
    /// Where `seaworthy` is, built with `--profile dist`; without it, beside this program
    #[arg(long, value_name = "FILE")]
    seaworthy: Option<PathBuf>,
    /// Where `envoy` is; without it, where programs are
    #[arg(long, value_name = "FILE")]
    envoy: Option<PathBuf>,
}

/// A proxy that is installed.
#[derive(Clone, Debug)]
pub(crate) struct Program {
    pub(crate) kind: Kind,
    pub(crate) path: PathBuf,
}

/// What a proxy is configured for.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Setup<'a> {
    pub(crate) purpose: Purpose,
    pub(crate) threads: u32,
    /// It can have so many connections.
    pub(crate) connections: u32,
    /// The only CPU that it may run on.
    pub(crate) pinned: Option<u32>,
    pub(crate) backends: &'a [SocketAddr],
    /// Where it keeps its files.
    pub(crate) directory: &'a Path,
}

/// Which configurations are used.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Purpose {
    Throughput,
    Failover,
}

/// A proxy at work.
pub(crate) struct Proxy {
    pub(crate) child: Child,
    pub(crate) address: SocketAddr,
}

// === impl Programs ===

impl Programs {
    /// Those that are installed; says loudly which are not.
    pub(crate) fn find(&self) -> anyhow::Result<Vec<Program>> {
        let all = [Kind::Seaworthy, Kind::Haproxy, Kind::Nginx, Kind::Envoy];
        let mut found = Vec::new();
        for kind in all {
            if !(self.proxies.is_empty() || self.proxies.contains(&kind)) {
                continue;
            }
            if kind == Kind::Seaworthy {
                found.push(Program::seaworthy(self.seaworthy.as_deref())?);
                continue;
            }
            match self.path(kind) {
                Some(path) => found.push(Program { kind, path }),
                None => eprintln!("!!! {kind} is not installed: it is left out"),
            }
        }
        Ok(found)
    }

    fn path(&self, kind: Kind) -> Option<PathBuf> {
        if kind == Kind::Envoy && self.envoy.is_some() {
            return self.envoy.clone();
        }
        let name = kind.to_string();
        let path = std::env::var_os("PATH").unwrap_or_default();
        // Where Debian has its servers, which is not on everybody's path.
        let directories = std::env::split_paths(&path).chain([PathBuf::from("/usr/sbin")]);
        directories.map(|directory| directory.join(&name)).find(|path| path.is_file())
    }
}

// === impl Program ===

impl Program {
    /// The one that was given, or the one beside this program.
    pub(crate) fn seaworthy(given: Option<&Path>) -> anyhow::Result<Self> {
        let path = match given {
            Some(path) => path.to_owned(),
            None => std::env::current_exe()?.with_file_name(Kind::Seaworthy.to_string()),
        };
        anyhow::ensure!(
            path.is_file(),
            "seaworthy is not beside this program: `cargo build --profile dist -p seaworthy`, or --seaworthy"
        );
        Ok(Self { kind: Kind::Seaworthy, path })
    }

    /// What it says of itself.
    pub(crate) fn version(&self) -> String {
        let flag = match self.kind {
            Kind::Seaworthy | Kind::Envoy => "--version",
            Kind::Haproxy | Kind::Nginx => "-v",
        };
        let text = output(Command::new(&self.path).arg(flag)).unwrap_or_default();
        let line = text.lines().find(|line| !line.trim().is_empty()).unwrap_or("unknown").trim();
        let version = match self.kind {
            // Behind its path: `version: COMMIT/VERSION/…`.
            Kind::Envoy => {
                line.rsplit_once("version: ").and_then(|(_, text)| text.split('/').nth(1))
            }
            // Before the address of its support.
            Kind::Haproxy => line.split(" - http").next(),
            Kind::Seaworthy | Kind::Nginx => None,
        };
        version.unwrap_or(line).to_owned()
    }

    /// Starts it with a configuration made from ours for it.
    pub(crate) fn start(&self, setup: Setup<'_>) -> anyhow::Result<Proxy> {
        let address = free_address()?;
        let (name, template) = self.kind.template(setup.purpose);
        let file = setup.directory.join(name);
        let values = [
            ("TMP", setup.directory.display().to_string()),
            ("PORT", address.port().to_string()),
            ("THREADS", setup.threads.to_string()),
            ("CONNECTIONS", setup.connections.to_string()),
        ];
        let configured = fill(template, &values, setup.backends);
        fs::write(&file, configured).with_context(|| format!("{}", file.display()))?;
        let log = fs::File::create(setup.directory.join(format!("{}.log", self.kind)))?;
        let mut command = pinned(setup.pinned, &self.path);
        command.args(self.kind.arguments(&file, setup.threads));
        command.stdin(Stdio::null()).stdout(log.try_clone()?).stderr(log);
        Ok(Proxy { child: Child::start(&mut command)?, address })
    }
}

// === impl Kind ===

impl Kind {
    fn template(self, purpose: Purpose) -> (&'static str, &'static str) {
        macro_rules! peers {
            ($file:literal) => {
                match purpose {
                    Purpose::Throughput => {
                        ($file, include_str!(concat!("../peers/throughput/", $file)))
                    }
                    Purpose::Failover => {
                        ($file, include_str!(concat!("../peers/failover/", $file)))
                    }
                }
            };
        }
        match self {
            Self::Seaworthy => peers!("seaworthy.toml"),
            Self::Haproxy => peers!("haproxy.cfg"),
            Self::Nginx => peers!("nginx.conf"),
            Self::Envoy => peers!("envoy.yaml"),
        }
    }

    fn arguments(self, file: &Path, threads: u32) -> Vec<String> {
        let file = file.display().to_string();
        let words: Vec<&str> = match self {
            Self::Seaworthy => vec!["gateway", &file],
            Self::Haproxy => vec!["-db", "-f", &file],
            Self::Nginx => vec!["-c", &file],
            Self::Envoy => {
                let concurrency = ["--concurrency", &threads.to_string()].map(str::to_owned);
                let rest = ["--disable-hot-restart", "--log-level", "error", "-c", &file];
                return concurrency.into_iter().chain(rest.map(str::to_owned)).collect();
            }
        };
        words.into_iter().map(str::to_owned).collect()
    }
}

impl fmt::Display for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::Seaworthy => "seaworthy",
            Self::Haproxy => "haproxy",
            Self::Nginx => "nginx",
            Self::Envoy => "envoy",
        })
    }
}

/// A command that runs on one CPU only, if one is given.
pub(crate) fn pinned(cpu: Option<u32>, program: &Path) -> Command {
    let Some(cpu) = cpu else { return Command::new(program) };
    let mut command = Command::new("taskset");
    command.args(["-c", &cpu.to_string()]).arg(program);
    command
}

/// Puts values in place of `@KEY@`, and ports in place of `@B1@`, `@B2@` …. A line for a backend that is not there is
/// left out.
pub(crate) fn fill(template: &str, values: &[(&str, String)], backends: &[SocketAddr]) -> String {
    let mut text = template.to_owned();
    for (key, value) in values {
        text = text.replace(&format!("@{key}@"), value);
    }
    for (n, backend) in backends.iter().enumerate() {
        text = text.replace(&format!("@B{}@", n + 1), &backend.port().to_string());
    }
    text.lines().filter(|line| !line.contains("@B")).flat_map(|line| [line, "\n"]).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ports_are_filled_in_and_lines_without_one_left_out() {
        let backends = [([127, 0, 0, 1], 81).into(), ([127, 0, 0, 1], 82).into()];
        let filled = fill("a @X@\nb @B1@\nb @B2@\nb @B3@\n", &[("X", "1".into())], &backends);
        assert_eq!(filled, "a 1\nb 81\nb 82\n");
    }

    #[test]
    fn every_template_is_filled_whole() {
        let three = [81, 82, 83].map(|port| ([127, 0, 0, 1], port).into());
        let keys = ["TMP", "PORT", "THREADS", "CONNECTIONS"].map(|key| (key, "7".to_owned()));
        for kind in [Kind::Seaworthy, Kind::Haproxy, Kind::Nginx, Kind::Envoy] {
            for purpose in [Purpose::Throughput, Purpose::Failover] {
                let filled = fill(kind.template(purpose).1, &keys, &three);
                assert!(["81", "82", "83"].iter().all(|port| filled.contains(port)), "{filled}");
                let left = filled
                    .split('@')
                    .skip(1)
                    .find(|word| word.chars().all(|c| c.is_ascii_uppercase()));
                assert_eq!(left, None, "{kind} {purpose:?}");
            }
        }
    }
}
