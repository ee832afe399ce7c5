//! The texts that people meet first.

use clap::{CommandFactory as _, Parser as _};

use super::guide::Example;
use super::{Cli, guide_of, in_full};

/// As wide as the widest help.
const WIDTH: usize = 100;

fn visible() -> Vec<clap::Command> {
    let program = Cli::command();
    program.get_subcommands().filter(|command| !command.is_hide_set()).cloned().collect()
}

#[test]
fn help_shows_the_first_two_commands_to_try() {
    insta::assert_snapshot!(Cli::command().term_width(WIDTH).render_help());
    insta::assert_snapshot!(Cli::command().term_width(WIDTH).render_long_help());
}

#[test]
fn every_command_has_a_short_and_a_long_help() {
    for command in Cli::command().get_subcommands() {
        let name = command.get_name().to_owned();
        let mut command = command.clone().bin_name(format!("brunt {name}")).term_width(WIDTH);
        insta::assert_snapshot!(format!("help_{name}"), command.render_help());
        if !command.is_hide_set() {
            insta::assert_snapshot!(format!("help_{name}_long"), command.render_long_help());
        }
    }
}

#[test]
fn every_command_has_examples_in_both_helps_and_says_how_it_exits() {
    for mut command in visible() {
        let name = command.get_name().to_owned();
        let guide = guide_of(&name).unwrap_or_else(|| panic!("`{name}` has no guide"));
        let first = guide.examples.first().unwrap_or_else(|| panic!("`{name}` has no example")).line;
        let [short, long] = [command.render_help(), command.render_long_help()].map(|help| help.to_string());
        assert!(short.contains("Examples:") && short.contains(first), "{name}: {short}");
        assert!(long.contains("Examples:") && long.contains(first), "{name}: {long}");
        assert!(long.contains("Exit status:"), "{name}: {long}");
        assert!(guide.exit_status.iter().any(|(code, _)| *code == "0"), "{name} never succeeds?");
    }
}

#[test]
fn every_flag_says_what_it_does_and_what_its_value_is() {
    for command in visible() {
        for flag in command.get_arguments().filter(|flag| !flag.is_hide_set()) {
            let place = format!("{} {}", command.get_name(), flag.get_id());
            let help = flag.get_help().unwrap_or_else(|| panic!("{place} has no help")).to_string();
            assert!(help.chars().count() <= 110, "{place}: the first paragraph is for -h and has to be short: {help}");
            let names = flag.get_value_names().unwrap_or_default();
            let takes_value = flag.get_action().takes_values();
            assert!(!takes_value || !names.is_empty(), "{place} does not name its value");
        }
    }
}

/// A line as a shell cuts it, up to a pipe or a redirection. Only single quotes: no example needs more.
fn words(line: &str) -> Vec<String> {
    let mut words = Vec::new();
    let (mut word, mut quoted, mut begun) = (String::new(), false, false);
    for letter in line.chars() {
        match letter {
            '\'' => (quoted, begun) = (!quoted, true),
            ' ' if !quoted => {
                if begun {
                    words.push(std::mem::take(&mut word));
                }
                begun = false;
            }
            '|' | '>' if !quoted => break,
            other => {
                word.push(other);
                begun = true;
            }
        }
    }
    assert!(!quoted, "an open quote: {line}");
    if begun {
        words.push(word);
    }
    words
}

#[test]
fn every_example_of_a_help_is_a_command_line_that_brunt_takes() {
    let mut wrong = Vec::new();
    for name in visible().iter().map(|command| command.get_name().to_owned()).chain(["brunt".to_owned()]) {
        for Example { line, .. } in guide_of(&name).expect("each has one").examples {
            let words = words(line);
            let is_about_it = name == "brunt" || words.get(1) == Some(&name);
            if words[0] != "brunt" || !is_about_it {
                wrong.push(format!("{name}: `{line}` is about something else"));
            }
            if let Err(why) = Cli::try_parse_from(&words) {
                wrong.push(format!("{name}: `{line}`: {why}"));
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
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
