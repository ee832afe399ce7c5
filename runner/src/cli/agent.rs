//! `brunt agent`: the process beside a fault. `brunt run` starts it; it undoes everything when the run is gone.

use super::complain;
use crate::isolation;

/// Hold faults and services for a run, which starts this by itself.
#[derive(Debug, clap::Args)]
#[command(
    after_help = "Speaks JSON lines on standard input and output. There is nothing to type: `brunt run` starts it."
)]
pub struct Args {
    /// Wait for the end of standard input, then end every service of this run.
    #[arg(long, value_name = "RUN", hide = true)]
    guard: Option<String>,
    /// Weigh on a target, as standard input says.
    #[arg(long, hide = true)]
    worker: bool,
    /// Hold faults inside of the pod in which this runs.
    #[arg(long, hide = true)]
    in_pod: bool,
    /// Say whether isolated services can be had here, in a network that nobody sees.
    #[arg(long, hide = true)]
    attempt: bool,
}

pub fn run(args: &Args) -> u8 {
    if args.attempt {
        return match isolation::attempt() {
            Ok(_) => 0,
            Err(impossible) => {
                complain(&impossible.to_string());
                3
            }
        };
    }
    if args.in_pod {
        return brunt_injector::agent::in_pod::main();
    }
    if args.worker {
        return brunt_injector::agent::worker::main();
    }
    match &args.guard {
        Some(run) => brunt_injector::agent::guard::main(run),
        None => brunt_injector::agent::main(),
    }
}
