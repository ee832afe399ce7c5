//! The door of the `brunt` binary; everything is in the library.

use std::process::ExitCode;

fn main() -> ExitCode {
    brunt::cli::main(std::env::args_os())
}
