//! The machine that a figure holds for.

use std::fs;

use serde::Serialize;

use crate::proxy::Program;

/// Without this, no figure means anything.
#[derive(Debug, Serialize)]
pub(crate) struct Machine {
    cpu: String,
    cores: usize,
    kernel: String,
    /// The proxies, as they name themselves.
    programs: Vec<(String, String)>,
    /// The command that printed the figures.
    command: String,
}

// === impl Machine ===

impl Machine {
    /// This one.
    pub(crate) fn this(programs: &[Program]) -> Self {
        let info = fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
        let model = info.lines().find_map(|line| line.strip_prefix("model name")?.split_once(": "));
        let kernel = rustix::system::uname();
        let named = |program: &Program| (program.kind.to_string(), program.version());
        // The program's own path says nothing about the measurement.
        let arguments = std::env::args().skip(1).collect::<Vec<_>>().join(" ");
        Self {
            cpu: model.map_or("unknown", |(_, model)| model).to_owned(),
            cores: std::thread::available_parallelism().map_or(1, Into::into),
            kernel: kernel.release().to_string_lossy().into_owned(),
            programs: programs.iter().map(named).collect(),
            command: format!("seaworthy-bench {arguments}"),
        }
    }

    /// A paragraph of Markdown.
    pub(crate) fn markdown(&self) -> String {
        let Self { cpu, cores, kernel, programs, command } = self;
        let programs: Vec<String> =
            programs.iter().map(|(name, version)| format!("{name} ({version})")).collect();
        format!(
            "`{command}`\n\nOn {cpu}, {cores} cores, Linux {kernel}; everything on 127.0.0.1. {}.\n",
            programs.join(", ")
        )
    }
}
