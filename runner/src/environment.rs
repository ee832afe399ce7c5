//! Where the run takes place: what a reader needs to judge the figures and to repeat them.

use std::fs;
use std::time::Duration;

use brunt_report::results::Environment;

/// Reads what /proc and the CI system's variables tell. What cannot be read stays empty: it is for people, not for judging.
pub fn describe(workers: usize, command: &str) -> Environment {
    Environment {
        host: read("/proc/sys/kernel/hostname"),
        kernel: format!(
            "{} {} {}",
            read("/proc/sys/kernel/ostype"),
            read("/proc/sys/kernel/osrelease"),
            std::env::consts::ARCH
        ),
        cpu: field("/proc/cpuinfo", "model name"),
        cores: std::thread::available_parallelism().map_or(1, usize::from),
        memory_mib: field("/proc/meminfo", "MemTotal").trim_end_matches(" kB").parse::<u64>().unwrap_or(0) / 1024,
        congestion_control: read("/proc/sys/net/ipv4/tcp_congestion_control"),
        workers,
        command: command.to_owned(),
        commit: ["GITHUB_SHA", "CI_COMMIT_SHA", "GIT_COMMIT"].iter().find_map(|name| std::env::var(name).ok()),
    }
}

/// CPU time of this process so far, all threads.
pub fn cpu_time() -> Duration {
    let used = nix::sys::resource::getrusage(nix::sys::resource::UsageWho::RUSAGE_SELF);
    // getrusage of oneself cannot fail; a zero would only leave the CPU figure out.
    used.map(|used| {
        let micros = |time: nix::sys::time::TimeVal| time.tv_sec() as u64 * 1_000_000 + time.tv_usec() as u64;
        Duration::from_micros(micros(used.user_time()) + micros(used.system_time()))
    })
    .unwrap_or_default()
}

fn read(path: &str) -> String {
    fs::read_to_string(path).map(|text| text.trim().to_owned()).unwrap_or_default()
}

/// The value of the first line `name : value`.
fn field(path: &str, name: &str) -> String {
    let text = fs::read_to_string(path).unwrap_or_default();
    text.lines()
        .find_map(|line| line.split_once(':').filter(|(key, _)| key.trim() == name))
        .map(|(_, value)| value.trim().to_owned())
        .unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn this_host_has_a_kernel_cores_and_memory() {
        let here = describe(1, "brunt run x.brunt.yaml");
        assert!(here.kernel.starts_with("Linux "), "{}", here.kernel);
        assert!(here.cores >= 1 && here.memory_mib > 0);
        assert_eq!(here.command, "brunt run x.brunt.yaml");
    }
}
