//! `seaworthy completions`: what a shell needs to complete our command lines.

use std::process::ExitCode;

use clap::CommandFactory;
use clap_complete::Shell;

use super::say::say;

/// Prints what SHELL needs to complete command lines of seaworthy
#[derive(Debug, clap::Args)]
#[command(after_help = "For example:
  seaworthy completions bash > ~/.local/share/bash-completion/completions/seaworthy
  seaworthy completions zsh > ~/.zfunc/_seaworthy          # with ~/.zfunc in $fpath
  seaworthy completions fish > ~/.config/fish/completions/seaworthy.fish")]
pub(crate) struct Args {
    /// Which shell
    shell: Shell,
}

/// Prints it.
pub(crate) fn run(args: &Args) -> anyhow::Result<ExitCode> {
    // What is hidden in the help is offered nowhere else.
    let all = crate::Cli::command();
    let shown = all.get_subcommands().filter(|command| !command.is_hide_set()).cloned();
    let mut command = clap::Command::new("seaworthy").version("").subcommands(shown);
    // By way of memory: whoever reads may go away, and clap would panic.
    let mut script = Vec::new();
    clap_complete::generate(args.shell, &mut command, "seaworthy", &mut script);
    say(String::from_utf8(script)?.trim_end())?;
    Ok(ExitCode::SUCCESS)
}
