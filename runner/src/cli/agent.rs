//! `brunt agent`: the process beside a fault. `brunt run` starts it; it undoes everything when the run is gone.

/// Hold faults and services for a run, which starts this by itself.
#[derive(Debug, clap::Args)]
#[command(
    after_help = "Speaks JSON lines on standard input and output. There is nothing to type: `brunt run` starts it."
)]
pub struct Args {
    /// Wait for the end of standard input, then end every service of this run.
    #[arg(long, value_name = "RUN", hide = true)]
    guard: Option<String>,
}

pub fn run(args: &Args) -> u8 {
    match &args.guard {
        Some(run) => brunt_injector::agent::guard::main(run),
        None => brunt_injector::agent::main(),
    }
}
