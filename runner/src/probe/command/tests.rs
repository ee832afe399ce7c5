//! Real commands: what they end with, what they leave, and what is told of them.

use std::time::Instant;

use super::*;

const LONG: Duration = Duration::from_secs(20);

fn shell(script: &str, exit: u8) -> Command {
    Command {
        run: ["sh", "-c", script].map(str::to_owned).to_vec(),
        name: "sh".into(),
        cwd: std::env::temp_dir(),
        exit,
    }
}

/// Whether a process that a script has named in a file goes away.
async fn gone(file: &Path) -> bool {
    let pid = std::fs::read_to_string(file).expect("the script has written its id");
    for _ in 0..200 {
        // A zombie has no command line: it waits for its parent, and does nothing any more.
        if std::fs::read(format!("/proc/{}/cmdline", pid.trim())).unwrap_or_default().is_empty() {
            return true;
        }
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    false
}

/// Waits until a script has written a whole line to a file.
async fn written(file: &Path) {
    while !std::fs::read_to_string(file).is_ok_and(|text| text.ends_with('\n')) {
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
}

#[tokio::test]
async fn a_command_holds_when_it_ends_with_its_code() {
    assert_eq!(run(&shell("exit 0", 0), LONG).await, Ok(()));
    assert_eq!(run(&shell("exit 3", 3), LONG).await, Ok(()));
    let failed = run(&shell("echo first; echo the lag is 1204 >&2; echo; exit 3", 0), LONG).await;
    assert_eq!(failed, Err("`sh`: exit code 3, not 0: the lag is 1204".into()));
    let killed = run(&shell("kill -SEGV $$", 0), LONG).await;
    assert_eq!(killed, Err("`sh`: killed by signal 11".into()));
}

#[tokio::test]
async fn a_command_that_cannot_be_started_is_told() {
    let missing = Command { run: vec!["./no-such-check".into()], name: "./no-such-check".into(), ..shell("", 0) };
    let told = run(&missing, LONG).await.expect_err("there is none");
    assert!(told.starts_with("`./no-such-check` cannot be started: No such file"), "{told}");
}

#[tokio::test]
async fn a_command_that_takes_too_long_is_killed_with_everything_it_started() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let child = folder.path().join("child");
    let script = format!("echo asking; sleep 600 & echo $! > {}; wait", child.display());
    let began = Instant::now();
    let told = run(&shell(&script, 0), Duration::from_millis(500)).await;
    assert_eq!(told, Err("`sh`: no end within 500 ms: asking".into()));
    assert!(began.elapsed() < Duration::from_secs(10), "{:?}", began.elapsed());
    assert!(gone(&child).await, "its child is still there");
}

#[tokio::test]
async fn what_a_command_leaves_behind_is_killed_when_it_ends_and_holds_no_look_up() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let child = folder.path().join("child");
    // The child keeps the pipe open: waiting for its end would take ten minutes.
    let script = format!("sleep 600 & echo $! > {}", child.display());
    assert_eq!(run(&shell(&script, 0), LONG).await, Ok(()));
    assert!(gone(&child).await, "its child is still there");
}

#[tokio::test]
async fn the_end_of_the_run_ends_a_command_that_is_running() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let leader = folder.path().join("leader");
    let command = shell(&format!("echo $$ > {}; sleep 600", leader.display()), 0);
    let task = tokio::spawn(async move { run(&command, LONG).await });
    written(&leader).await;
    task.abort();
    assert!(task.await.expect_err("it was cancelled").is_cancelled());
    assert!(gone(&leader).await, "it is still there");
}

#[tokio::test]
async fn endless_output_is_read_and_not_kept() {
    let script = "i=0; while [ $i -lt 20000 ]; do echo 'a line that comes twenty thousand times'; i=$((i+1)); done; \
                  echo the end; exit 1";
    let told = run(&shell(script, 0), LONG).await;
    assert_eq!(told, Err("`sh`: exit code 1, not 0: the end".into()), "a full pipe did not stop it");
    let line = run(&shell("head -c 100000 /dev/zero | tr '\\0' x; exit 1", 0), LONG).await;
    assert_eq!(line, Err("`sh`: exit code 1, not 0: (a line of more than 4096 bytes)".into()));
    let bytes = run(&shell("printf 'caf\\351 last'; exit 1", 0), LONG).await;
    assert_eq!(bytes, Err("`sh`: exit code 1, not 0: caf\u{fffd} last".into()));
}

#[tokio::test]
async fn no_descriptor_stays_open_after_many_looks() {
    let open = || std::fs::read_dir("/proc/self/fd").expect("/proc is mounted").count();
    run(&shell("exit 0", 0), LONG).await.expect("it holds");
    let before = open();
    for _ in 0..50 {
        run(&shell("echo x; exit 0", 0), LONG).await.expect("it holds");
    }
    // Other tests of this process open some of their own meanwhile, but not one for each look.
    assert!(open() < before + 50, "{before} were open, now {}", open());
}
