//! What somebody starts from: a scenario of a template, filled in, with a CI job and editor settings beside it.
//!
//! The templates are real scenarios (`runner/templates/`): each is valid as it stands, and filling one in only changes values.
//! [`make`] knows nothing of the disk; [`write`] puts down what it made and never replaces what somebody else wrote.

mod compose;
mod template;

use std::fs::{self, OpenOptions};
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};

use brunt_scenario::{Diagnostics, LoadOptions, load_text};

pub use compose::{Published, published};
pub use template::Template;

/// How the files of an editor and of a CI system call the scenario in the templates.
const SCENARIO_IN_CI: &str = "ci.brunt.yaml";
/// Where the editor finds the language's schema; also the folder's one.
pub const SCHEMA_FILE: &str = "brunt.schema.json";

/// What the scenario is to be about. Texts are as a person gave them; what is missing is the template's own.
#[derive(Debug, Clone, Default)]
pub struct Wishes {
    /// Which one to start from.
    pub template: Template,
    /// The scenario's name, which is the file's as well.
    pub name: Option<String>,
    /// `http://host:port/path`
    pub url: Option<String>,
    /// What the load asks for, if not the URL's.
    pub path: Option<String>,
    /// `50/s`
    pub rate: Option<String>,
    /// Program and arguments of the service, as a shell takes them.
    pub command: Option<String>,
    /// The path that says that the service is ready.
    pub ready: Option<String>,
    /// Ports that a compose file publishes.
    pub published: Vec<Published>,
    /// Which of them the load goes to; else the likeliest.
    pub service: Option<String>,
    /// A job for this system.
    pub ci: Option<Ci>,
    /// Whether the editor is to know the language.
    pub editor: bool,
    /// The language's schema, for the editor.
    pub schema: Option<String>,
}

/// CI systems for which there is a job.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Ci {
    /// GitHub Actions.
    Github,
    /// GitLab CI.
    Gitlab,
    /// Jenkins.
    Jenkins,
}

impl Ci {
    /// The job, about a scenario called `ci.brunt.yaml`. The same text stands in docs/use-in-ci.md.
    pub fn text(self) -> &'static str {
        match self {
            Self::Github => include_str!("../templates/ci/github.yml"),
            Self::Gitlab => include_str!("../templates/ci/gitlab.yml"),
            Self::Jenkins => include_str!("../templates/ci/Jenkinsfile"),
        }
    }

    /// Where it lies.
    pub fn file(self) -> &'static str {
        match self {
            Self::Github => ".github/workflows/brunt.yml",
            Self::Gitlab => ".gitlab/brunt.yml",
            Self::Jenkins => "brunt.Jenkinsfile",
        }
    }

    /// What a person has to do with it.
    fn what(self) -> &'static str {
        match self {
            Self::Github => "the job: runs with each pull request",
            Self::Gitlab => "the job; in .gitlab-ci.yml write: include: [ { local: .gitlab/brunt.yml } ]",
            Self::Jenkins => "the pipeline; name it as the script path of a Jenkins job",
        }
    }
}

/// A file to be written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewFile {
    /// Below the folder that was asked for.
    pub path: PathBuf,
    /// All of it.
    pub text: String,
    /// In a few words.
    pub what: &'static str,
    /// Without it the rest is worth nothing: when it is there already, nothing is written. Others are kept as they are.
    pub is_scenario: bool,
}

/// Why there is no scenario.
#[derive(Debug, thiserror::Error)]
pub enum InitError {
    /// The wishes do not fit together.
    #[error("{0}")]
    Wish(String),
    /// What was made of the wishes is no scenario.
    #[error("this makes no scenario")]
    Scenario(Box<Diagnostics>),
    /// Somebody has written it before.
    #[error("{} is there already; --force replaces it, --name gives another one", .0.display())]
    Exists(PathBuf),
    /// The disk said no.
    #[error("cannot write {}", .path.display())]
    Write {
        /// Which file.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
}

/// The files, the scenario first. Writes nothing.
///
/// # Errors
/// When wishes are missing, contradict each other or make no valid scenario.
pub fn make(wishes: &Wishes) -> Result<Vec<NewFile>, InitError> {
    let name = crate::files::file_name(wishes.name.as_deref().unwrap_or(wishes.template.word()));
    let file = format!("{name}.brunt.yaml");
    let mut text = template::fill(wishes, &name)?;
    // A schema that is not there would be a red line in every editor.
    let has_schema = wishes.editor && wishes.schema.is_some();
    if has_schema {
        text = format!("# yaml-language-server: $schema=./{SCHEMA_FILE}\n{text}");
    }
    let options = LoadOptions { env: std::env::vars().collect(), ..LoadOptions::default() };
    load_text(&file, &text, &options).map_err(|problems| InitError::Scenario(Box::new(problems)))?;
    let mut files = vec![NewFile {
        path: file.clone().into(),
        text,
        what: "the scenario, to read and to change",
        is_scenario: true,
    }];
    let mut beside = |path: &str, text: String, what| {
        files.push(NewFile { path: path.into(), text, what, is_scenario: false });
    };
    if let Some(schema) = wishes.schema.as_ref().filter(|_| has_schema) {
        beside(SCHEMA_FILE, schema.clone(), "the language, for editors: completion, hover, red lines");
        beside(".vscode/settings.json", editor_settings(), "the same for VS Code with its YAML extension");
    }
    if let Some(ci) = wishes.ci {
        beside(ci.file(), ci.text().replace(SCENARIO_IN_CI, &file), ci.what());
    }
    Ok(files)
}

fn editor_settings() -> String {
    format!("{{\n  \"yaml.schemas\": {{ \"./{SCHEMA_FILE}\": \"*.brunt.yaml\" }}\n}}\n")
}

/// What became of a file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Written {
    /// It is new, or was replaced as asked.
    New,
    /// It was there already, word for word.
    Same,
    /// Another one was there already, and was left alone.
    Kept,
}

/// Writes the files below a folder; returns what became of each. Nothing is replaced without `force`, not even by a link
/// that points elsewhere; editor settings of somebody else are never.
///
/// # Errors
/// When the scenario is there already (then nothing was written), or the disk says no.
pub fn write(files: &[NewFile], folder: &Path, force: bool) -> Result<Vec<Written>, InitError> {
    let scenario = files.iter().find(|file| file.is_scenario).map(|file| folder.join(&file.path));
    if let Some(path) = scenario.filter(|path| !force && path.symlink_metadata().is_ok()) {
        return Err(InitError::Exists(path));
    }
    files.iter().map(|file| write_one(file, &folder.join(&file.path), force)).collect()
}

fn write_one(file: &NewFile, path: &Path, force: bool) -> Result<Written, InitError> {
    let cannot = |source| InitError::Write { path: path.to_owned(), source };
    if let Some(parent) = path.parent() {
        fs::create_dir_all(parent).map_err(cannot)?;
    }
    let replace = force && !file.path.starts_with(".vscode");
    let mut options = OpenOptions::new();
    options.write(true);
    if replace {
        options.create(true).truncate(true)
    } else {
        options.create_new(true)
    };
    match options.open(path) {
        Ok(mut open) => open.write_all(file.text.as_bytes()).map(|()| Written::New).map_err(cannot),
        Err(why) if why.kind() == io::ErrorKind::AlreadyExists && !file.is_scenario => {
            let is_same = fs::read_to_string(path).is_ok_and(|text| text == file.text);
            Ok(if is_same { Written::Same } else { Written::Kept })
        }
        Err(why) if why.kind() == io::ErrorKind::AlreadyExists => Err(InitError::Exists(path.to_owned())),
        Err(why) => Err(cannot(why)),
    }
}

#[cfg(test)]
mod tests;
