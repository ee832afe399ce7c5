//! `brunt agent`: the process beside a fault. `brunt run` starts it; it undoes everything when the run is gone.

/// Hold faults and services for a run, which starts this by itself.
#[derive(Debug, clap::Args)]
#[command(
    after_help = "Speaks JSON lines on standard input and output. There is nothing to type: `brunt run` starts it."
)]
pub struct Args {}

pub fn run(_: &Args) -> u8 {
    brunt_injector::agent::main()
}
