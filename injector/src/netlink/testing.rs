//! Where tests of this crate meet the real kernel: a network namespace of their own, so that nothing of the host is touched.

use std::process::Command;

/// Runs the test of this name again in a namespace whose loopback is up, unless we are there already. An ordinary user enters a
/// user namespace first, which only a process of one thread may: so the test runs itself again under `unshare`.
pub(crate) fn in_a_namespace(name: &str, story: impl FnOnce()) {
    if std::env::var_os("BRUNT_TEST_IN_NAMESPACE").is_some() {
        return story();
    }
    let this = std::env::current_exe().unwrap();
    let again = format!("ip link set lo up && exec {} --exact {name} --nocapture", this.display());
    let mut command = Command::new("unshare");
    command.args(["--user", "--map-root-user", "--net", "--", "sh", "-c", &again]).env("BRUNT_TEST_IN_NAMESPACE", "1");
    let output = command.output().expect("unshare is part of util-linux");
    let said = String::from_utf8_lossy(&output.stdout) + String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success() && said.contains("1 passed"), "{said}");
}
