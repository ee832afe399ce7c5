//! From the arguments to plans: what `run`, `validate`, `plan` and `demo` have in common.

use std::hash::{BuildHasher as _, Hasher as _, RandomState};
use std::path::PathBuf;

use brunt_scenario::matrix::Cell;
use brunt_scenario::plan::Plan;
use brunt_scenario::{Diagnostics, LoadOptions, Scenario, load, load_text};

use super::{Failure, not_a_file, streams, url};

/// What lies over the scenario files.
#[derive(Debug, Clone, Default, clap::Args)]
pub struct Overrides {
    /// A file that is merged by key over each scenario (repeatable, the last one wins).
    #[arg(short = 'f', long = "file", value_name = "FILE", value_hint = clap::ValueHint::FilePath, help_heading = "Scenario")]
    merges: Vec<PathBuf>,
    /// Override a value: --set vars.rate=500/s (repeatable).
    ///
    /// PATH is the keys with dots between them; an item of a list is its number, from 0. `vars` can also be set by
    /// variables of the environment: BRUNT_VAR_RATE=500/s.
    #[arg(long, value_name = "PATH=VALUE", help_heading = "Scenario")]
    set: Vec<String>,
    /// Decides arrivals, victims and the dice of faults [default: the scenario's, else a random one].
    #[arg(long, value_name = "N", help_heading = "Scenario")]
    seed: Option<u64>,
}

impl Overrides {
    /// One `--set`.
    pub fn set_one(path: &str, value: &str) -> Self {
        Self { set: vec![format!("{path}={value}")], ..Self::default() }
    }

    fn options(&self, secrets: &[(String, String)]) -> Result<LoadOptions, Failure> {
        let sets = self
            .set
            .iter()
            .map(|text| match text.split_once('=') {
                Some((path, value)) => Ok((path.to_owned(), value.to_owned())),
                None => Err(Failure::Usage(format!("--set {text}: write it as --set path=value"))),
            })
            .collect::<Result<_, _>>()?;
        // Variables that are not UTF-8 cannot stand in a scenario, which is.
        let env = std::env::vars_os()
            .filter_map(|(name, value)| Some((name.into_string().ok()?, value.into_string().ok()?)))
            .chain(secrets.iter().cloned())
            .collect();
        Ok(LoadOptions { env, sets, merges: self.merges.clone(), seed: self.seed, random_seed: random_seed() })
    }
}

/// The plans of all files, one a cell; every problem of every file is told before anything runs. `only_cell` picks among
/// the cells of all files; that none is meant is an error. `command` is for the message that says what to type instead.
pub fn plans(
    command: &str,
    files: &[String],
    overrides: &Overrides,
    allow_hosts: &[String],
    only_cell: Option<&str>,
) -> Result<Vec<Plan>, Failure> {
    let mistaken: Vec<String> = files.iter().filter_map(|file| not_a_file::meant(command, file)).collect();
    if !mistaken.is_empty() {
        return Err(Failure::Usage(mistaken.join("\n")));
    }
    let mut plans = Vec::new();
    let mut problems = Vec::new();
    for file in files {
        match cells(file, overrides, allow_hosts) {
            Ok(cells) => plans.extend(cells),
            Err(Failure::Scenario(text)) => problems.push(text),
            Err(other) => return Err(other),
        }
    }
    if !problems.is_empty() {
        return Err(Failure::Scenario(problems.join("\n")));
    }
    match only_cell {
        Some(wanted) => meant(plans, wanted),
        None => Ok(plans),
    }
}

/// The plans of one file, one a cell.
fn cells(file: &str, overrides: &Overrides, allow_hosts: &[String]) -> Result<Vec<Plan>, Failure> {
    planned(&read(file, overrides)?.map_err(told)?, allow_hosts)
}

/// One file, or everything that is wrong with it. The outer error is one of the command line.
pub fn read(file: &str, overrides: &Overrides) -> Result<Result<Scenario, Diagnostics>, Failure> {
    Ok(load(file.as_ref(), &overrides.options(&[])?))
}

/// So many cells are listed for somebody who named one that is not there.
const LISTED: usize = 40;

fn meant(plans: Vec<Plan>, wanted: &str) -> Result<Vec<Plan>, Failure> {
    let (meant, others): (Vec<Plan>, Vec<Plan>) = plans.into_iter().partition(|plan| plan.cell.is_meant_by(wanted));
    if !meant.is_empty() {
        return Ok(meant);
    }
    let mut text = format!("--only-cell {wanted}: no cell is meant by that");
    let cells: Vec<&Plan> = others.iter().filter(|plan| !plan.cell.is_empty()).collect();
    if cells.is_empty() {
        return Err(Failure::Usage(text + ", for there is no `matrix`"));
    }
    text.push_str("; a whole name or some of its values, `axis=value`. There are:");
    for plan in cells.iter().take(LISTED) {
        text.push_str(&format!("\n  {}", plan.cell));
    }
    if cells.len() > LISTED {
        text.push_str(&format!("\n  and {} more", cells.len() - LISTED));
    }
    Err(Failure::Usage(text))
}

/// The plan of a scenario that is no file and has no matrix. `secrets` are read by its `${secret.env.NAME}`.
pub fn plan_of_text(
    name: &str,
    text: &str,
    secrets: &[(String, String)],
    overrides: &Overrides,
    allow_hosts: &[String],
) -> Result<Plan, Failure> {
    let scenario = load_text(name, text, &overrides.options(secrets)?).map_err(told)?;
    Ok(planned(&scenario, allow_hosts)?.swap_remove(0))
}

fn planned(scenario: &Scenario, allow_hosts: &[String]) -> Result<Vec<Plan>, Failure> {
    let mut plans = scenario.plans().map_err(told)?;
    plans.iter_mut().for_each(|plan| plan.safety.allow_hosts.extend_from_slice(allow_hosts));
    Ok(plans)
}

/// A seed that nobody has chosen: the standard library seeds its hashers from the system.
fn random_seed() -> u64 {
    RandomState::new().build_hasher().finish()
}

pub fn told(problems: Diagnostics) -> Failure {
    Failure::Scenario(rendered(&problems))
}

/// Problems for people, and where more is said about the first of them.
pub fn rendered(problems: &Diagnostics) -> String {
    let text = problems.render(streams::has_color_on_stderr());
    let more = problems.iter().next().map(|first| format!("\n\n`brunt explain {}` says more", first.code.id()));
    text.trim_end().to_owned() + &more.unwrap_or_default()
}

/// The command line for the report and for repeating the run. Values of headers that carry credentials are masked, as they
/// are in the scenario.
pub fn command_line() -> String {
    masked(std::env::args())
}

/// The command line that repeats one cell alone.
pub fn command_of_cell(command: &str, cell: &Cell) -> String {
    if cell.is_empty() { command.to_owned() } else { format!("{command} --only-cell {}", quoted(&cell.to_string())) }
}

fn masked(arguments: impl Iterator<Item = String>) -> String {
    let mut words = vec!["brunt".to_owned()];
    let mut header_follows = false;
    for argument in arguments.skip(1) {
        let shown = match argument.strip_prefix("--header=") {
            Some(header) => format!("--header={}", masked_header(header)),
            None if header_follows => masked_header(&argument),
            None => argument.clone(),
        };
        header_follows = argument == "--header";
        words.push(quoted(&shown));
    }
    words.join(" ")
}

fn masked_header(header: &str) -> String {
    match header.split_once(':') {
        Some((name, _)) if url::is_secret_header(name) => format!("{name}: ***"),
        _ => header.to_owned(),
    }
}

/// As a shell wants it.
pub fn quoted(argument: &str) -> String {
    let bare = |c: char| c.is_ascii_alphanumeric() || "-_./:=,@%+".contains(c);
    if !argument.is_empty() && argument.chars().all(bare) {
        return argument.to_owned();
    }
    format!("'{}'", argument.replace('\'', r"'\''"))
}

#[cfg(test)]
mod tests {
    use super::masked;

    #[test]
    fn the_command_line_of_the_report_can_be_repeated_and_shows_no_credentials() {
        let shown = |arguments: &[&str]| masked(arguments.iter().map(|argument| (*argument).to_owned()));
        let flags = ["/x/brunt", "run", "http://h/a?b&c", "--header", "Authorization: Bearer x", "--gate", "a < 1s"];
        assert_eq!(shown(&flags), "brunt run 'http://h/a?b&c' --header 'Authorization: ***' --gate 'a < 1s'");
        let flags = ["brunt", "run", "http://h", "--header=X-Api-Key:k", "--header", "Accept: *", "--json={\"p\":1}"];
        assert_eq!(
            shown(&flags),
            "brunt run http://h '--header=X-Api-Key: ***' --header 'Accept: *' '--json={\"p\":1}'"
        );
    }
}
