//! `brunt init`: a scenario to start from, with a CI job and editor settings beside it. On a terminal it asks for what no flag
//! says; in a script the flags say it all.

mod ask;

use std::fs;
use std::path::{Path, PathBuf};

use super::guide::{self, Example, Guide};
use super::{Failure, complain, print, streams};
use crate::init::{self, Ci, InitError, NewFile, Template, Wishes, Written};

/// Examples and the rest of the help.
pub const GUIDE: Guide = Guide {
    examples: &[
        Example { line: "brunt init", does: "on a terminal: asks" },
        Example {
            line: "brunt init --url http://localhost:8080/health --rate 100/s",
            does: "the http template, filled in",
        },
        Example {
            line: "brunt init --template services --command 'node server.js --port ${port}' --ready /health",
            does: "a program that brunt starts twice, freezes and kills",
        },
        Example {
            line: "brunt init --from compose.yaml --ci github",
            does: "links in front of the ports that compose publishes, and a job for GitHub",
        },
        Example {
            line: "brunt init --template soak --url http://localhost:8080 --name nightly --out load --ci gitlab",
            does: "load/nightly.brunt.yaml",
        },
        Example {
            line: "brunt init --template breakpoint --url http://localhost:8080 --force",
            does: "replaces an earlier one",
        },
    ],
    exit_status: &[
        ("0", "written; files that were there already are kept and named"),
        ("1", "a file could not be written"),
        (
            "2",
            "the scenario is there already, something is missing, or it makes no valid scenario; nothing was written",
        ),
    ],
    files: &[
        ("<name>.brunt.yaml", "the scenario"),
        ("brunt.schema.json, .vscode/settings.json", "what an editor needs to know the language"),
        (".github/workflows/brunt.yml, .gitlab/brunt.yml, brunt.Jenkinsfile", "with --ci"),
    ],
    environment: &[guide::NO_COLOR],
};

/// Write a scenario to start from, a CI job and editor settings.
///
/// Asks when standard input and error are terminals; then Enter takes what stands in brackets. Never replaces a file without
/// --force.
#[derive(Debug, Clone, clap::Args)]
#[command(after_help = GUIDE.short(), after_long_help = GUIDE.long())]
pub struct Args {
    /// What to start from [default: http; compose with --from compose.yaml].
    #[arg(long, value_name = "TEMPLATE", value_enum)]
    template: Option<TemplateWord>,
    /// A URL, or a compose file whose published ports are to be reached.
    ///
    /// OpenAPI descriptions and HAR files are not read in this version.
    #[arg(long, value_name = "URL|FILE", value_hint = clap::ValueHint::FilePath, conflicts_with = "url")]
    from: Option<String>,
    /// Where the service answers; a path behind it is what the load asks for.
    #[arg(long, value_name = "URL", value_hint = clap::ValueHint::Url)]
    url: Option<String>,
    /// What the load asks for [default: /, or the URL's].
    #[arg(long, value_name = "PATH")]
    path: Option<String>,
    /// Requests that start each second [default: 50/s].
    #[arg(long, value_name = "RATE")]
    rate: Option<String>,
    /// The program that brunt starts (template services); ${port} is a free port, also in $PORT.
    #[arg(long, value_name = "COMMAND")]
    command: Option<String>,
    /// A path that answers when the program is ready (template services) [default: its port is open].
    #[arg(long, value_name = "PATH")]
    ready: Option<String>,
    /// The service of the compose file that the load goes to [default: the likeliest].
    #[arg(long, value_name = "SERVICE")]
    service: Option<String>,
    /// Name of the scenario and its file [default: the template's].
    #[arg(long, value_name = "NAME")]
    name: Option<String>,
    /// Folder of the files.
    #[arg(long, value_name = "DIR", default_value = ".", value_hint = clap::ValueHint::DirPath)]
    out: PathBuf,
    /// A job for this CI system as well.
    #[arg(long, value_name = "SYSTEM", value_enum)]
    ci: Option<CiWord>,
    /// No files for editors.
    #[arg(long)]
    no_editor: bool,
    /// Replace files that are there already (editor settings never).
    #[arg(long)]
    force: bool,
}

/// `--template`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
enum TemplateWord {
    /// A URL: its wire is slowed, then cut.
    Http,
    /// A program that brunt starts twice: one is frozen, one killed.
    Services,
    /// Ports that a compose file publishes: the way to them is slowed, then reset.
    Compose,
    /// A URL that leads into a cluster; pods can be killed there.
    K8s,
    /// An hour of the same load.
    Soak,
    /// Five times the load for a while.
    Spike,
    /// More and more until it breaks.
    Breakpoint,
}

/// `--ci`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
enum CiWord {
    Github,
    Gitlab,
    Jenkins,
}

impl From<TemplateWord> for Template {
    fn from(word: TemplateWord) -> Self {
        match word {
            TemplateWord::Http => Self::Http,
            TemplateWord::Services => Self::Services,
            TemplateWord::Compose => Self::Compose,
            TemplateWord::K8s => Self::K8s,
            TemplateWord::Soak => Self::Soak,
            TemplateWord::Spike => Self::Spike,
            TemplateWord::Breakpoint => Self::Breakpoint,
        }
    }
}

impl From<CiWord> for Ci {
    fn from(word: CiWord) -> Self {
        match word {
            CiWord::Github => Self::Github,
            CiWord::Gitlab => Self::Gitlab,
            CiWord::Jenkins => Self::Jenkins,
        }
    }
}

pub fn run(args: &Args) -> Result<u8, Failure> {
    let mut wishes = wishes(args)?;
    if streams::can_ask() {
        let compose_file = ask::missing(&mut wishes, args, &mut std::io::stdin().lock(), &mut std::io::stderr())
            .map_err(|why| Failure::Usage(format!("no answer ({why}); nothing was written")))?;
        if let Some(file) = compose_file {
            take_from(&mut wishes, &file, true)?;
        }
    } else if args.template.is_none() && args.from.is_none() && args.url.is_none() {
        return Err(Failure::Usage(format!(
            "what is it to be about? --url http://localhost:8080, --from compose.yaml, or --template {}; on a terminal \
             `brunt init` asks",
            Template::ALL.map(Template::word).join("|")
        )));
    }
    let files = init::make(&wishes)?;
    let written = init::write(&files, &args.out, args.force)?;
    print(&told(&files, &written, &args.out, &wishes))?;
    Ok(0)
}

/// What the flags say.
fn wishes(args: &Args) -> Result<Wishes, Failure> {
    let mut wishes = Wishes {
        template: args.template.map(Template::from).unwrap_or_default(),
        name: args.name.clone(),
        url: args.url.clone(),
        path: args.path.clone(),
        rate: args.rate.clone(),
        command: args.command.clone(),
        ready: args.ready.clone(),
        service: args.service.clone(),
        ci: args.ci.map(Ci::from),
        editor: !args.no_editor,
        schema: Some(brunt_scenario::schema::text()),
        ..Wishes::default()
    };
    if let Some(from) = &args.from {
        take_from(&mut wishes, from, args.template.is_some())?;
    }
    Ok(wishes)
}

fn take_from(wishes: &mut Wishes, from: &str, template_is_given: bool) -> Result<(), Failure> {
    if super::url::is_url(from) {
        wishes.url = Some(from.to_owned());
        return Ok(());
    }
    let path = Path::new(from);
    let text =
        fs::read_to_string(path).map_err(|source| Failure::File { action: "read", path: path.to_owned(), source })?;
    let foreign =
        [("openapi", "an OpenAPI description"), ("swagger", "an OpenAPI description"), ("\"log\"", "a HAR file")];
    let begins = |word: &str| {
        let bare = text.lines().map(|line| line.trim_start_matches(['{', ' ', '"', '\t']));
        bare.take(5).any(|line| line.starts_with(word.trim_matches('"')))
    };
    let is_har = from.to_ascii_lowercase().ends_with(".har");
    if let Some((_, what)) = foreign.into_iter().find(|(word, what)| begins(word) || is_har && what.contains("HAR")) {
        return Err(Failure::Usage(format!(
            "--from {from}: this is {what}; importing it is not built in this version. Start with --url and write its \
             requests as steps of a journey"
        )));
    }
    let (published, left_out) =
        init::published(&text, |name| std::env::var(name).ok()).map_err(|why| in_file(from, why))?;
    left_out.iter().for_each(|why| complain(&format!("note: {from}: {why}; left out")));
    wishes.published = published;
    if !template_is_given {
        wishes.template = Template::Compose;
    }
    Ok(())
}

fn in_file(file: &str, why: InitError) -> Failure {
    Failure::Usage(format!("--from {file}: {why}"))
}

impl From<InitError> for Failure {
    fn from(why: InitError) -> Self {
        match why {
            InitError::Write { path, source } => Self::File { action: "write", path, source },
            InitError::Scenario(problems) => super::scenario::told(*problems),
            other => Self::Usage(other.to_string()),
        }
    }
}

/// What was written, and the next two commands.
fn told(files: &[NewFile], written: &[Written], folder: &Path, wishes: &Wishes) -> String {
    let shown = |file: &NewFile| {
        let path = if folder == Path::new(".") { file.path.clone() } else { folder.join(&file.path) };
        path.display().to_string()
    };
    let width = files.iter().map(|file| shown(file).chars().count()).max().unwrap_or(0);
    let mut out = String::new();
    for (file, written) in files.iter().zip(written) {
        let (word, what) = match written {
            Written::New => ("wrote", file.what),
            Written::Same => ("kept ", "is there already, and the same"),
            Written::Kept => ("kept ", "was there already; what it would have held: brunt init in an empty folder"),
        };
        out.push_str(&format!("{word} {:width$}  {what}\n", shown(file)));
    }
    let scenario = files.first().map(shown).unwrap_or_default();
    if wishes.template == Template::Compose {
        out.push_str("\nbrunt reaches the ports that compose publishes; targets inside of Docker are not built yet.\n");
    }
    out.push_str(&format!("\nNext:\n  brunt plan {0}\n  brunt run {0}\n", super::scenario::quoted(&scenario)));
    out
}
