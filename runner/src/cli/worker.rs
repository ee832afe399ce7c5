//! `brunt worker`: what runs in each pod of `run --on kubernetes`.

use crate::load::pods::inside;

/// Send a part of a load, as whoever is attached says. `run --on kubernetes` starts this by itself.
#[derive(Debug, clap::Args)]
#[command(after_help = "There is nothing to type: the pods of `brunt run --on kubernetes` run it.")]
pub struct Args {}

pub fn run(_: &Args) -> u8 {
    inside::main()
}
