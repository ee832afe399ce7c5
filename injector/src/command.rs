//! A command of the user's own, carried out to its end: for `exec` faults.
//!
//! It is data, so that the journal can hold what undoes a fault: the program by its whole path, arguments as they are (no
//! shell reads them), the folder and the variables that were fixed when the fault was prepared. It runs in a process group
//! of its own, so Ctrl-C does not reach it and all of it can be killed when it takes too long. What it leaves running when it
//! has ended stays: that is what `undo` is for.
//!
//! Its output goes to a file without a name, of which the last lines are kept for errors. Not to a pipe: a daemon that an
//! undo has started would die of its first line once brunt is gone.

use std::fmt::Write as _;
use std::fs::{self, File};
use std::io;
use std::os::unix::fs::{FileExt as _, PermissionsExt as _};
use std::os::unix::process::CommandExt as _;
use std::path::{Path, PathBuf};
use std::process::{Child, ExitStatus, Stdio};
use std::time::Duration;

use rustix::process::{Signal, kill_process_group};
use serde::{Deserialize, Serialize};

use crate::process::{self, Pidfd, ProcessId, Stat, in_words, raw};

/// So many bytes of its output are looked at, from the end.
const KEPT: u64 = 4096;
/// So many lines of them are shown.
const LINES: usize = 5;

/// The variable that the processes of a `run` carry: the run and the fault. One that is still at it when its runner has died
/// is found by it, so that it does not go on after its undo.
pub const IN_FLIGHT: &str = "BRUNT_EXEC";

/// A command with everything that it needs.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Command {
    /// The program's path.
    pub program: PathBuf,
    /// Its arguments.
    pub args: Vec<String>,
    /// Where it works.
    pub cwd: PathBuf,
    /// On top of the environment of whoever runs it.
    pub env: Vec<(String, String)>,
    /// It is killed when it takes longer.
    pub within: Duration,
}

/// Why a command did not end with exit status 0.
#[derive(Debug, thiserror::Error)]
pub enum CommandError {
    /// There is no such program, or it may not be run.
    #[error("cannot run `{command}`: {source}")]
    Start {
        /// As one would type it.
        command: String,
        /// What the system said.
        source: io::Error,
    },
    /// It ended, and not well.
    #[error("`{command}` failed ({status}){output}")]
    Status {
        /// As one would type it.
        command: String,
        /// `exit status 1`, `killed by SIGKILL`.
        status: String,
        /// Its last lines, behind a colon; nothing if there are none.
        output: String,
    },
    /// It took too long and was killed with its whole process group.
    #[error("`{command}` had not ended within {} and was killed{output}", brunt_scenario::units::print_duration(*.within))]
    Late {
        /// As one would type it.
        command: String,
        /// How long it was given.
        within: Duration,
        /// Its last lines, behind a colon; nothing if there are none.
        output: String,
    },
}

impl Command {
    /// The command of these words. The program is looked for now: in `cwd` if it names a path, else in PATH.
    ///
    /// # Errors
    /// In words, when there is no such program or no such folder.
    pub fn new(words: &[String], cwd: &Path, env: Vec<(String, String)>, within: Duration) -> Result<Self, String> {
        let Some((name, args)) = words.split_first() else { return Err("the command names no program".into()) };
        let cwd = std::path::absolute(cwd).map_err(|error| format!("no folder {}: {error}", cwd.display()))?;
        if !cwd.is_dir() {
            return Err(format!("there is no folder {} to run `{name}` in", cwd.display()));
        }
        let program = if name.contains('/') {
            Some(cwd.join(name)).filter(|path| is_program(path))
        } else {
            let path = std::env::var_os("PATH").unwrap_or_default();
            std::env::split_paths(&path).map(|folder| folder.join(name)).find(|path| is_program(path))
        };
        let Some(program) = program else {
            let place = if name.contains('/') { format!("below {}", cwd.display()) } else { "in PATH".to_owned() };
            return Err(format!("no program `{name}` that may be run {place}"));
        };
        Ok(Self { program, args: args.to_vec(), cwd, env, within })
    }

    /// Runs it to its end, for at most `within`. Returns its last lines.
    ///
    /// # Errors
    /// When it cannot be started, ends with another status than 0, or takes too long.
    pub fn run(&self) -> Result<String, CommandError> {
        // Without a place for its output a command is run all the same: an undo must not fail because a disk is full.
        let output = tempfile::tempfile().ok();
        let failed = |source| CommandError::Start { command: self.to_string(), source };
        let mut child = self.start(output.as_ref()).map_err(failed)?;
        let ended = ended_within(&child, self.within).map_err(failed)?;
        if !ended {
            // Not collected yet, so the group is its own. ESRCH and EPERM only: then there is nothing left to kill.
            let _ = raw(child.id()).map(|group| kill_process_group(group, Signal::KILL));
        }
        let status = child.wait().map_err(failed)?;
        self.judge(ended, status, last_lines(output.as_ref()))
    }

    fn start(&self, output: Option<&File>) -> io::Result<Child> {
        let to = || output.and_then(|file| file.try_clone().ok()).map_or_else(Stdio::null, Stdio::from);
        std::process::Command::new(&self.program)
            .args(&self.args)
            .current_dir(&self.cwd)
            .envs(self.env.iter().map(|(name, value)| (name, value)))
            .stdin(Stdio::null())
            .stdout(to())
            .stderr(to())
            .process_group(0)
            .spawn()
    }

    fn judge(&self, ended: bool, status: ExitStatus, output: String) -> Result<String, CommandError> {
        if ended && status.success() {
            return Ok(output);
        }
        let command = self.to_string();
        let output = if output.is_empty() { output } else { format!(": {output}") };
        Err(match ended {
            true => CommandError::Status { command, status: in_words(status), output },
            false => CommandError::Late { command, within: self.within, output },
        })
    }

    /// A line for a shell that does the same, folder and variables included.
    pub fn by_hand(&self) -> String {
        let mut line = format!("cd {} &&", quoted(&self.cwd.display().to_string()));
        for (name, value) in self.env.iter().filter(|(name, _)| name != IN_FLIGHT) {
            write!(line, " {name}={}", quoted(value)).expect("writing to a string cannot fail");
        }
        format!("{line} {self}")
    }
}

/// The program and its arguments, as one would type them.
impl std::fmt::Display for Command {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&quoted(&self.program.display().to_string()))?;
        self.args.iter().try_for_each(|arg| write!(f, " {}", quoted(arg)))
    }
}

fn is_program(path: &Path) -> bool {
    fs::metadata(path).is_ok_and(|about| about.is_file() && about.permissions().mode() & 0o111 != 0)
}

fn ended_within(child: &Child, within: Duration) -> io::Result<bool> {
    Pidfd::open(ProcessId::of(child.id())?)?.wait_end(within)
}

/// The last lines of what it wrote, on one line. Read without moving the offset that it shares with what may still write.
fn last_lines(output: Option<&File>) -> String {
    let Some(file) = output else { return String::new() };
    let length = file.metadata().map_or(0, |about| about.len());
    let mut bytes = vec![0; usize::try_from(length.min(KEPT)).unwrap_or(0)];
    if file.read_exact_at(&mut bytes, length - length.min(KEPT)).is_err() {
        return String::new();
    }
    let text = String::from_utf8_lossy(&bytes);
    let lines: Vec<&str> = text.lines().map(str::trim_end).filter(|line| !line.is_empty()).collect();
    lines[lines.len().saturating_sub(LINES)..].join(" / ")
}

/// As a shell wants it.
fn quoted(word: &str) -> String {
    let bare = |c: char| c.is_ascii_alphanumeric() || "-_./:=,@%+".contains(c);
    if !word.is_empty() && word.chars().all(bare) {
        word.to_owned()
    } else {
        format!("'{}'", word.replace('\'', r"'\''"))
    }
}

/// Kills the process groups of commands with this mark that are still at it. A command that has ended and left something
/// running is not one of them: its leader is gone. Nor is a daemon, which leads a session of its own.
pub fn end_in_flight(mark: &str) {
    let wanted = format!("{IN_FLIGHT}={mark}");
    for Stat { id, group, session, .. } in process::all().unwrap_or_default() {
        if id.pid != group || session == id.pid {
            continue;
        }
        let environment = fs::read(format!("/proc/{}/environ", id.pid)).unwrap_or_default();
        if !environment.split(|byte| *byte == 0).any(|pair| pair == wanted.as_bytes()) {
            continue;
        }
        // A handle first: while it is open and the process alive, the group's number is its own.
        if let Ok(handle) = Pidfd::open(id) {
            let _ = raw(id.pid).map(|group| kill_process_group(group, Signal::KILL));
            // A zombie that nobody collects has ended as well.
            let _ = handle.wait_end(Duration::from_secs(1));
        }
    }
}

#[cfg(test)]
mod tests {
    use std::time::Instant;

    use super::*;

    fn shell(script: &str, within: Duration) -> Command {
        let words = ["sh", "-c", script].map(str::to_owned);
        Command::new(&words, Path::new("/tmp"), vec![("WHO".into(), "me and you".into())], within).unwrap()
    }

    const LONG: Duration = Duration::from_secs(20);

    #[test]
    fn it_works_in_its_folder_with_its_variables_and_its_last_lines_are_kept() {
        assert_eq!(shell("pwd; echo \"$WHO\" >&2", LONG).run().unwrap(), "/tmp / me and you");
        let many = shell("i=0; while [ $i -lt 3000 ]; do i=$((i+1)); echo line $i; done", LONG).run().unwrap();
        assert_eq!(many, "line 2996 / line 2997 / line 2998 / line 2999 / line 3000");
    }

    #[test]
    fn a_status_other_than_0_is_an_error_with_the_last_lines() {
        let error = shell("echo no such pool >&2; exit 7", LONG).run().unwrap_err().to_string();
        assert!(error.ends_with("'echo no such pool >&2; exit 7'` failed (exit status 7): no such pool"), "{error}");
        let error = shell("kill -9 $$", LONG).run().unwrap_err().to_string();
        assert!(error.ends_with("failed (killed by SIGKILL)"), "{error}");
    }

    #[test]
    fn what_takes_too_long_is_killed_with_all_that_it_started() {
        let began = Instant::now();
        let text = shell("sleep 1000 & echo $!; sleep 1000", Duration::from_millis(300)).run().unwrap_err().to_string();
        assert!(text.contains("had not ended within 300ms and was killed"), "{text}");
        assert!(began.elapsed() < LONG);
        let child: u32 = text.rsplit(": ").next().unwrap().trim().parse().unwrap();
        let until = Instant::now() + LONG;
        while Stat::read(child).is_ok_and(|stat| !stat.is_zombie()) {
            assert!(Instant::now() < until, "its child {child} is still there");
            std::thread::sleep(Duration::from_millis(5));
        }
    }

    #[test]
    fn it_is_not_waited_for_what_it_leaves_running_and_that_is_not_in_flight() {
        let mark = format!("test-{}/left", std::process::id());
        let mut command = shell("sleep 1000 & echo $!", LONG);
        command.env.push((IN_FLIGHT.into(), mark.clone()));
        let pid: u32 = command.run().unwrap().parse().unwrap();
        end_in_flight(&mark);
        let left = ProcessId::of(pid).unwrap();
        assert!(left.is_alive());
        Pidfd::open(left).unwrap().signal(Signal::KILL).unwrap();
    }

    #[test]
    fn one_that_is_in_flight_is_found_by_its_mark_and_ended() {
        let mark = format!("test-{}/flying", std::process::id());
        let mut command = shell("sleep 1000", LONG);
        command.env.push((IN_FLIGHT.into(), mark.clone()));
        std::thread::scope(|scope| {
            let flying = scope.spawn(|| command.run());
            let until = Instant::now() + LONG;
            while !flying.is_finished() {
                assert!(Instant::now() < until, "it was never ended");
                end_in_flight(&mark);
            }
            let error = flying.join().unwrap().unwrap_err().to_string();
            assert!(error.ends_with("failed (killed by SIGKILL)"), "{error}");
        });
    }

    #[test]
    fn a_program_that_is_not_there_is_told_before_anything_is_run() {
        let words = |name: &str| vec![name.to_owned()];
        let make = |name: &str, cwd: &str| Command::new(&words(name), Path::new(cwd), Vec::new(), LONG).unwrap_err();
        assert_eq!(make("no-such-program", "/tmp"), "no program `no-such-program` that may be run in PATH");
        assert_eq!(make("./passwd", "/etc"), "no program `./passwd` that may be run below /etc");
        assert_eq!(make("sh", "/nowhere"), "there is no folder /nowhere to run `sh` in");
    }

    #[test]
    fn the_line_for_a_person_does_the_same_in_a_shell() {
        let command = shell("echo \"it's $WHO\"; pwd", LONG);
        let line = ["sh".to_owned(), "-c".to_owned(), command.by_hand()];
        let by_hand = Command::new(&line, Path::new("/"), Vec::new(), LONG).unwrap();
        assert_eq!(by_hand.run().unwrap(), command.run().unwrap());
    }
}
