//! Questions on a terminal: one line each, what stands in brackets is taken with Enter. A flag is an answer already.

use std::io::{self, BufRead, Write};

use super::Args;
use crate::init::{Ci, Template, Wishes};

/// Asks for what the flags have not said; returns the compose file that is still to be read, if it takes one.
///
/// # Errors
/// When the terminal is gone, or ends in the middle (Ctrl-D): then nothing is written.
pub fn missing(
    wishes: &mut Wishes,
    args: &Args,
    from: &mut impl BufRead,
    to: &mut impl Write,
) -> io::Result<Option<String>> {
    if args.template.is_none() && args.from.is_none() && args.url.is_none() {
        wishes.template = template(from, to)?;
    }
    let template = wishes.template;
    let mut compose_file = None;
    if template == Template::Compose && wishes.published.is_empty() {
        compose_file = Some(until(from, to, "Which compose file?", "compose.yaml", |answer| {
            (!std::path::Path::new(answer).is_file()).then(|| "there is no such file".to_owned())
        })?);
    }
    if template.takes_url() && wishes.url.is_none() {
        wishes.url = Some(until(from, to, "Where does it answer?", "http://localhost:8080", |answer| {
            let ok = super::super::url::is_url(answer);
            if ok { None } else { Some("a URL begins with http:// or https://".to_owned()) }
        })?);
    }
    if template == Template::Services {
        if wishes.command.is_none() {
            let question = "How is it started? ${port} is a free port, also in $PORT";
            wishes.command = Some(until(from, to, question, "", |answer| {
                answer.is_empty().then(|| "for example: node server.js --port ${port}".to_owned())
            })?);
        }
        if wishes.ready.is_none() {
            let answer = line(from, to, "A path that answers when it is ready; nothing: its port is open", "")?;
            wishes.ready = (!answer.is_empty()).then_some(answer);
        }
    }
    if wishes.rate.is_none() {
        wishes.rate = Some(until(from, to, "How many requests a second?", "50/s", |answer| {
            answer.parse::<brunt_scenario::units::Rate>().err().map(|why| why.to_string())
        })?);
    }
    if wishes.name.is_none() {
        wishes.name = Some(line(from, to, "How is it called?", template.word())?);
    }
    if wishes.ci.is_none() {
        wishes.ci = ci(from, to)?;
    }
    Ok(compose_file)
}

fn template(from: &mut impl BufRead, to: &mut impl Write) -> io::Result<Template> {
    writeln!(to, "What is it to be about?")?;
    for (at, template) in Template::ALL.iter().enumerate() {
        writeln!(to, "  {} {:<11} {}", at + 1, template.word(), template.asks())?;
    }
    let chosen = |answer: &str| {
        let by_number =
            answer.parse::<usize>().ok().and_then(|number| Template::ALL.get(number.checked_sub(1)?).copied());
        by_number.or_else(|| Template::ALL.into_iter().find(|template| template.word() == answer))
    };
    let answer = until(from, to, "Number or name", "1", |answer| {
        chosen(answer).is_none().then(|| format!("1 to {}, or a name", Template::ALL.len()))
    })?;
    Ok(chosen(&answer).unwrap_or_default())
}

fn ci(from: &mut impl BufRead, to: &mut impl Write) -> io::Result<Option<Ci>> {
    let chosen = |answer: &str| match answer {
        "none" => Some(None),
        "github" => Some(Some(Ci::Github)),
        "gitlab" => Some(Some(Ci::Gitlab)),
        "jenkins" => Some(Some(Ci::Jenkins)),
        _ => None,
    };
    let answer = until(from, to, "A job for CI? github, gitlab, jenkins", "none", |answer| {
        chosen(answer).is_none().then(|| "github, gitlab, jenkins or none".to_owned())
    })?;
    Ok(chosen(&answer).flatten())
}

/// Asks until the answer is a good one; `wrong` says why it is not.
fn until(
    from: &mut impl BufRead,
    to: &mut impl Write,
    question: &str,
    default: &str,
    wrong: impl Fn(&str) -> Option<String>,
) -> io::Result<String> {
    loop {
        let answer = line(from, to, question, default)?;
        match wrong(&answer) {
            None => return Ok(answer),
            Some(why) => writeln!(to, "  `{answer}`: {why}")?,
        }
    }
}

fn line(from: &mut impl BufRead, to: &mut impl Write, question: &str, default: &str) -> io::Result<String> {
    let shown = if default.is_empty() { String::new() } else { format!(" [{default}]") };
    write!(to, "{question}{shown} ")?;
    to.flush()?;
    let mut answer = String::new();
    if from.read_line(&mut answer)? == 0 {
        writeln!(to)?;
        return Err(io::Error::new(io::ErrorKind::UnexpectedEof, "the input ended"));
    }
    let answer = answer.trim();
    Ok(if answer.is_empty() { default.to_owned() } else { answer.to_owned() })
}

#[cfg(test)]
mod tests {
    use clap::Parser;

    use super::*;

    #[derive(Debug, Parser)]
    struct Flags {
        #[command(flatten)]
        args: Args,
    }

    /// What was asked, and the wishes after these answers.
    fn asked(flags: &[&str], answers: &str) -> (String, io::Result<Wishes>) {
        let args = Flags::try_parse_from([&["init"], flags].concat()).expect("good flags").args;
        let mut wishes = crate::cli::init::wishes(&args).expect("good wishes");
        let mut to = Vec::new();
        let result = missing(&mut wishes, &args, &mut answers.as_bytes(), &mut to);
        (String::from_utf8(to).expect("text"), result.map(|_| wishes))
    }

    #[test]
    fn enter_takes_what_stands_in_brackets() {
        let (questions, wishes) = asked(&[], "\n\n\n\n\n");
        let wishes = wishes.expect("all was answered");
        assert_eq!((wishes.template, wishes.url.as_deref()), (Template::Http, Some("http://localhost:8080")));
        assert_eq!((wishes.rate.as_deref(), wishes.name.as_deref(), wishes.ci), (Some("50/s"), Some("http"), None));
        insta::assert_snapshot!(questions);
    }

    #[test]
    fn a_bad_answer_is_asked_again_with_the_reason() {
        let (questions, wishes) =
            asked(&[], "9\nspike\nlocalhost:80\nhttp://localhost:80\nfast\n20/s\n\ntravis\ngithub\n");
        let wishes = wishes.expect("all was answered");
        assert_eq!((wishes.template, wishes.rate.as_deref()), (Template::Spike, Some("20/s")));
        assert_eq!(wishes.ci, Some(Ci::Github));
        insta::assert_snapshot!(questions);
    }

    #[test]
    fn a_flag_is_an_answer() {
        let flags = ["--template", "services", "--command", "app", "--rate", "9/s", "--name", "x", "--ci", "gitlab"];
        let (questions, wishes) = asked(&flags, "/ready\n");
        assert_eq!(wishes.expect("all was answered").ready.as_deref(), Some("/ready"));
        assert_eq!(questions.matches('?').count() + questions.matches("A path").count(), 1, "{questions}");
    }

    #[test]
    fn an_end_of_input_is_no_answer() {
        assert!(asked(&[], "1\n").1.is_err());
    }
}
