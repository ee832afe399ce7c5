//! The machine and the versions that the figures belong to.

use std::fs;
use std::process::Command;

use brunt_tests::brunt;

use crate::parts::Peers;

/// A Markdown list: processor, cores, memory, kernel, and the version of everything that was measured.
pub fn describe(peers: &Peers) -> String {
    let cpu = fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
    let model = field(&cpu, "model name").unwrap_or("unknown processor");
    // Not what this process may use: the bench has pinned itself.
    let cores = cpu.lines().filter(|line| line.starts_with("processor")).count();
    let memory = fs::read_to_string("/proc/meminfo").unwrap_or_default();
    let memory = field(&memory, "MemTotal").and_then(|text| text.split(' ').next()?.parse::<f64>().ok()).unwrap_or(0.0);
    let kernel = fs::read_to_string("/proc/sys/kernel/osrelease").unwrap_or_default();
    let mut lines = vec![
        format!("{model}, {cores} cores, {:.0} GiB, Linux {}", memory / 1024.0 / 1024.0, kernel.trim()),
        said(brunt::binary().to_str().unwrap_or_default(), &["--version"]),
        said("nginx", &["-v"]),
        said("haproxy", &["-v"]),
        said("wrk", &["-v"]),
    ];
    let busy = fs::read_to_string("/proc/loadavg").unwrap_or_default();
    let busy = busy.split(' ').next().unwrap_or_default();
    lines.push(format!(
        "when it began, {busy} processes wanted to run (the load average of a minute): it should be near 0"
    ));
    lines.extend(peers.oha.as_ref().map(|path| said(path, &["--version"])));
    // Its own version is that of its source tree, which a module does not have.
    lines.extend(peers.toxiproxy.as_ref().map(|path| format!("Toxiproxy, `{}`", folder_of_version(path))));
    lines.iter().map(|line| format!("* {line}\n")).collect()
}

fn field<'a>(text: &'a str, name: &str) -> Option<&'a str> {
    let line = text.lines().find(|line| line.starts_with(name))?;
    Some(line.split_once(':')?.1.trim())
}

/// The first line of what a program says about itself, on whichever stream.
fn said(program: &str, args: &[&str]) -> String {
    let path = std::env::var("PATH").unwrap_or_default() + ":/usr/sbin";
    let output = Command::new(program).args(args).env("PATH", path).output();
    let output = output.unwrap_or_else(|why| panic!("{program}: {why}"));
    let text = [output.stdout, output.stderr].concat();
    let text = String::from_utf8_lossy(&text);
    let line = text.lines().next().unwrap_or_default();
    line.split(" - ").next().unwrap_or_default().split(" Copyright").next().unwrap_or_default().to_owned()
}

/// `toxiproxy-2.12.0` of `.../toxiproxy-2.12.0/bin/server`.
fn folder_of_version(path: &str) -> &str {
    path.rsplit('/').nth(2).unwrap_or(path)
}
