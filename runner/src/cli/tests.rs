//! The texts that people meet first.

use clap::{CommandFactory as _, Parser as _};

use super::{Cli, in_full};

#[test]
fn help_shows_the_first_two_commands_to_try() {
    insta::assert_snapshot!(Cli::command().term_width(100).render_help());
}

#[test]
fn every_command_has_a_help_with_examples() {
    for command in Cli::command().term_width(100).get_subcommands_mut() {
        let name = command.get_name().to_owned();
        let help = command.clone().bin_name(format!("brunt {name}")).term_width(100).render_help().to_string();
        assert!(help.contains("Example"), "{name} has no example");
        insta::assert_snapshot!(format!("help_{name}"), help);
    }
}

#[test]
fn the_command_line_is_consistent() {
    Cli::command().debug_assert();
}

#[test]
fn a_wrong_command_line_is_exit_2() {
    for wrong in [&["brunt", "fly"][..], &["brunt", "run"], &["brunt", "run", "x", "--ui", "gui"], &["brunt", "plan"]] {
        let answer = Cli::try_parse_from(wrong).expect_err("it is wrong");
        assert_eq!(answer.exit_code(), 2, "{wrong:?}");
    }
}

#[test]
fn an_error_is_told_with_every_cause_once() {
    #[derive(Debug, thiserror::Error)]
    #[error("cannot open x")]
    struct Outer(#[source] std::io::Error);
    let error = Outer(std::io::Error::new(std::io::ErrorKind::NotFound, "no such file"));
    assert_eq!(in_full(&error), "cannot open x: no such file");
}
