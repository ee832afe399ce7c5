//! More than one run of one command: the cells of a matrix, or several files. One after the other, each with a folder and
//! results of its own; at the end one summary on stdout, and above the folders one page, one junit.xml, one runs.json.
//!
//! A run that fails does not keep the next one from its turn. A signal does, and so does a run that has left something
//! behind: what is measured beside a fault that nobody removed says nothing. Those that are left are named as not run.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use brunt_report::render::junit;
use brunt_report::render::runs as renderings;
use brunt_report::render::text::Style;
use brunt_report::runs::{Outcome, RunData, Runs};
use brunt_scenario::plan::{Outputs, Plan};

use super::{Format, told};
use crate::cli::{Failure, complain, in_full, print, scenario, streams};
use crate::exit;
use crate::files;
use crate::run::{self, Options, Signals};

/// Carries out all plans; returns the strongest exit code.
pub fn run(plans: Vec<Plan>, options: &Options, format: Format) -> Result<u8, Failure> {
    let folders = Folders::of(&plans, options.out.as_deref())?;
    let runtime = super::runtime()?;
    let all = plans.len();
    let mut done = Done::default();
    runtime.block_on(async {
        let mut signals =
            Signals::listen().map_err(|source| Failure::Machine { what: "cannot listen for signals", source })?;
        let mut stop: Option<&str> = None;
        for (index, (plan, folder)) in plans.into_iter().zip(&folders.runs).enumerate() {
            let row = Row::of(&plan, &folders.seen(folder));
            if let Some(why) = &stop {
                done.not_run(row, why);
                continue;
            }
            complain(&format!("run {} of {all}: {}", index + 1, row.title));
            done.outputs.push(plan.outputs.clone());
            let code = done.run(plan, row, folder, options).await;
            // Also a signal that came between two runs, when neither was there to hear it.
            stop = match signals.pending().await {
                Some(number) => {
                    done.codes.push(128 + u8::try_from(number).unwrap_or(2));
                    Some("interrupted by a signal before its turn")
                }
                None if code == 6 => Some("the run before it left something behind; `brunt cleanup` comes first"),
                None => None,
            };
        }
        Ok::<(), Failure>(())
    })?;
    done.tell(&folders.top, format)
}

/// What there is to say about a run before it begins.
struct Row {
    title: String,
    data: RunData,
}

impl Row {
    fn of(plan: &Plan, folder: &str) -> Self {
        let data = RunData {
            scenario: plan.name.clone(),
            source: plan.source.clone(),
            cell: plan.cell.to_string(),
            matrix: plan.cell.0.iter().cloned().collect::<BTreeMap<_, _>>(),
            seed: plan.seed,
            folder: folder.to_owned(),
            outcome: Outcome::NotRun { why: String::new() },
        };
        Self { title: plan.title(), data }
    }
}

/// What came of the runs so far.
#[derive(Default)]
struct Done {
    runs: Vec<RunData>,
    /// As they stand in junit.xml: results themselves are not kept, their histograms are large.
    suites: Vec<junit::TestSuite>,
    codes: Vec<u8>,
    /// What the scenarios that were begun want to be written.
    outputs: Vec<Outputs>,
}

impl Done {
    async fn run(&mut self, plan: Plan, row: Row, folder: &Path, options: &Options) -> u8 {
        let Row { title, mut data } = row;
        let options = Options {
            out: Some(folder.to_owned()),
            command: scenario::command_of_cell(&options.command, &plan.cell),
            ..options.clone()
        };
        let (code, line) = match run::execute(plan, options).await {
            Ok(outcome) => {
                let code = told(&title, &outcome);
                let summary = outcome.results.summary.clone();
                self.suites.push(junit::suite(&outcome.results));
                data.outcome = Outcome::Ran { exit_code: code, summary: Box::new(summary) };
                (code, format!("{} (exit {code}), files: {}", renderings::verdict(&data), outcome.out.display()))
            }
            Err(error) => {
                let (code, why) = (error.exit_code(), in_full(&error));
                self.suites.push(junit::suite_without_results(&title, true, &why));
                let line = format!("error: {why} (exit {code})");
                data.outcome = Outcome::NotBegun { exit_code: code, why };
                (code, line)
            }
        };
        complain(&format!("{title}: {line}"));
        self.runs.push(data);
        self.codes.push(code);
        code
    }

    fn not_run(&mut self, row: Row, why: &str) {
        let Row { title, mut data } = row;
        complain(&format!("{title}: not run: {why}"));
        self.suites.push(junit::suite_without_results(&title, false, why));
        data.outcome = Outcome::NotRun { why: why.to_owned() };
        self.runs.push(data);
    }

    /// Prints the summary and writes the files above the folders.
    fn tell(self, top: &Path, format: Format) -> Result<u8, Failure> {
        let Self { runs, suites, codes, outputs } = self;
        let mut runs = Runs::new(exit::strongest(codes), runs);
        let wants = |file: fn(&Outputs) -> bool| outputs.iter().any(file);
        let json = |runs: &Runs| {
            serde_json::to_string_pretty(runs)
                .map(|text| text + "\n")
                .map_err(|why| Failure::Usage(format!("the summary has no JSON form: {why}")))
        };
        let mut files = vec![("summary.md", renderings::summary::render(&runs))];
        if wants(|outputs| outputs.junit) {
            files.push(("junit.xml", junit::merged(suites)));
        }
        if wants(|outputs| outputs.html) {
            let has_report = |run: &RunData| top.join(&run.folder).join("report.html").exists();
            files.push(("index.html", renderings::index::render(&runs, has_report)));
        }
        if wants(|outputs| outputs.json) {
            files.push(("runs.json", json(&runs)?));
        }
        for (name, text) in files {
            if let Err(why) = files::write_whole(top, name, &text) {
                complain(&format!("error: {}: {why}", top.join(name).display()));
                runs.exit_code = exit::strongest([runs.exit_code, 1]);
            }
        }
        let style = Style { color: streams::has_color(), ascii: false };
        print(&match format {
            Format::Human => renderings::text::render(&runs, style),
            Format::Json => json(&runs)?,
        })?;
        complain(&format!("files: {}", top.display()));
        Ok(runs.exit_code)
    }
}

/// Where the runs write.
struct Folders {
    /// What they have in common: the summary of all lies there.
    top: PathBuf,
    runs: Vec<PathBuf>,
}

impl Folders {
    /// `top/<cell>` for the cells of one scenario, `top/<name>` or `top/<name>/<cell>` for several; no two runs share one.
    /// The top is `--out`, else the one `outputs.dir` that all have, else a new folder below `results`. A scenario that
    /// names another folder than the others keeps it.
    fn of(plans: &[Plan], out: Option<&Path>) -> Result<Self, Failure> {
        let sources: BTreeSet<&str> = plans.iter().map(|plan| plan.source.as_str()).collect();
        let dirs: BTreeSet<Option<&PathBuf>> = plans.iter().map(|plan| plan.outputs.dir.as_ref()).collect();
        let common = match dirs.first() {
            Some(Some(dir)) if dirs.len() == 1 => Some(dir.as_path()),
            _ => None,
        };
        let top = match out.or(common) {
            Some(top) => {
                files::make(top)?;
                top.to_owned()
            }
            None => {
                let name = if sources.len() == 1 { plans[0].name.as_str() } else { "runs" };
                files::make_default(name)?
            }
        };
        files::remove_earlier(&top)?;
        let one_matrix = sources.len() == 1 && plans.iter().all(|plan| !plan.cell.is_empty());
        let mut names: BTreeMap<&str, PathBuf> = BTreeMap::new();
        let mut taken = BTreeSet::new();
        let mut runs = Vec::new();
        for plan in plans {
            let own = plan.outputs.dir.as_deref().filter(|_| out.is_none());
            let base = own.unwrap_or(&top);
            let of_file = if one_matrix {
                base.to_owned()
            } else {
                let named = names.entry(&plan.source);
                named.or_insert_with(|| free(base.join(files::file_name(&plan.name)), &mut taken)).clone()
            };
            let folder = if plan.cell.is_empty() { of_file } else { of_file.join(plan.cell.folder()) };
            // A file without cells has its folder already, unless it was given twice.
            let is_new = plan.cell.is_empty() && !runs.contains(&folder);
            runs.push(if is_new { folder } else { free(folder, &mut taken) });
        }
        Ok(Self { top, runs })
    }

    /// A run's folder as it is seen from the top.
    fn seen(&self, folder: &Path) -> String {
        let absolute = || std::path::absolute(folder).unwrap_or_else(|_| folder.to_owned());
        folder.strip_prefix(&self.top).map_or_else(|_| absolute(), Path::to_owned).display().to_string()
    }
}

/// The path, or with `-2`, `-3`... the first that nobody has.
fn free(path: PathBuf, taken: &mut BTreeSet<PathBuf>) -> PathBuf {
    let mut number = 1;
    loop {
        let tried = match number {
            1 => path.clone(),
            _ => path.with_file_name(format!("{}-{number}", path.file_name().unwrap_or_default().display())),
        };
        if taken.insert(tried.clone()) {
            return tried;
        }
        number += 1;
    }
}

#[cfg(test)]
mod tests {
    use std::fs;

    use brunt_scenario::{LoadOptions, load};

    use super::*;

    fn plans(folder: &Path, file: &str, name: &str, more: &str) -> Vec<Plan> {
        let path = folder.join(file);
        let text = format!(
            "version: 1\nname: {name}\ntargets: {{ api: {{ url: 'http://127.0.0.1:1' }} }}\n\
             load: {{ main: {{ get: /, rate: 1/s, for: 1s }} }}\n{more}"
        );
        fs::write(&path, text).unwrap();
        load(&path, &LoadOptions::default()).unwrap().plans().unwrap()
    }

    fn shown(plans: &[Plan], top: &Path) -> Vec<String> {
        let folders = Folders::of(plans, Some(top)).unwrap();
        folders.runs.iter().map(|folder| folders.seen(folder)).collect()
    }

    #[test]
    fn no_two_runs_share_a_folder_however_they_are_called() {
        let lab = tempfile::tempdir().unwrap();
        let (here, top) = (lab.path(), lab.path().join("out"));
        let matrix = "matrix: { rate: [1/s, 1s], round: [a] }\n";
        let cells = plans(here, "a.yaml", "shop", matrix);
        assert_eq!(shown(&cells, &top), ["rate=1s,round=a", "rate=1s,round=a-2"]);
        let two = [plans(here, "a.yaml", "shop", matrix), plans(here, "b.yaml", "shop", "")].concat();
        assert_eq!(shown(&two, &top), ["shop/rate=1s,round=a", "shop/rate=1s,round=a-2", "shop-2"]);
        let twice = [plans(here, "b.yaml", "shop", ""), plans(here, "b.yaml", "shop", "")].concat();
        assert_eq!(shown(&twice, &top), ["shop", "shop-2"]);
    }

    #[test]
    fn a_scenario_that_names_its_own_folder_keeps_it_and_out_is_stronger() {
        let lab = tempfile::tempdir().unwrap();
        let own = lab.path().join("own");
        let outputs = format!("outputs: {{ dir: '{}' }}\nmatrix: {{ n: [1, 2] }}\n", own.display());
        let cells = plans(lab.path(), "a.yaml", "shop", &outputs);
        let folders = Folders::of(&cells, None).unwrap();
        assert_eq!(folders.top, own);
        assert_eq!(folders.runs, [own.join("n=1"), own.join("n=2")]);
        let out = lab.path().join("out");
        assert_eq!(shown(&cells, &out), ["n=1", "n=2"]);
    }
}
