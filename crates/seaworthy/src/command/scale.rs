//! `seaworthy scale`: how many tasks there are to be.

use std::process::ExitCode;
use std::str::FromStr;

use super::running::Running;

/// Says how many tasks services of a running fleet are to have
///
/// A service whose desired count follows the load takes a count within its bounds, and goes on from there.
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:
  seaworthy scale store=5
  seaworthy scale store=5 carts=2

With --json: one answer on each line.")]
pub(crate) struct Args {
    /// A service and its desired count
    #[arg(value_name = "SERVICE=N", required = true)]
    counts: Vec<Count>,
    #[command(flatten)]
    running: Running,
}

#[derive(Clone, Debug)]
struct Count {
    service: String,
    desired: u32,
}

/// Sets the desired counts, one by one, up to the first that is refused.
pub(crate) fn run(args: &Args) -> anyhow::Result<ExitCode> {
    args.running.talk(async |client| {
        for Count { service, desired } in &args.counts {
            let scaled = client.scale(service, *desired).await?;
            args.running.tell(&scaled, |scaled| {
                format!("{}: {} tasks, before: {}", scaled.service, scaled.desired, scaled.was)
            })?;
        }
        Ok(ExitCode::SUCCESS)
    })
}

impl FromStr for Count {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let read = || {
            let (service, desired) = text.split_once('=')?;
            let (service, desired) = (service.to_owned(), desired.parse().ok()?);
            (!service.is_empty()).then_some(Self { service, desired })
        };
        read().ok_or("allowed is a service and a whole number, such as store=5")
    }
}
