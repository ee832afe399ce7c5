//! `services:` and `links:` processes that brunt starts, and its proxy on the way to them.

use std::time::Duration;

use crate::decode::fields::exactly_one;
use crate::decode::{Pairs, Spanned, record, words};
use crate::diagnostic::{Code, Problems};
use crate::plan::Text;

/// A service may have so many instances: each is a process with a port.
const MAX_INSTANCES: u64 = 1000;

record! {
    /// A process that brunt starts, waits for, and stops.
    Service, "a service", check = check;
    /// Program and arguments.
    required run: Vec<Text>,
    /// Working folder, relative to the scenario's; default: the scenario's.
    optional cwd: String,
    /// On top of the inherited environment.
    optional env: Pairs<Text>,
    /// How many; default 1.
    optional instances: Spanned<u64>,
    /// A fixed port; default: a free one for each instance.
    optional port: Spanned<u16>,
    /// When an instance counts as ready; default: its port accepts a connection within 10s.
    optional ready: Ready,
    /// In a network namespace of its own; it must listen on `${address}` or on all addresses.
    optional isolate: Spanned<bool>,
    /// At which of its addresses an isolated instance is reached (it has both); default `ipv4`.
    optional family: Spanned<Family>,
    /// How it is asked to end.
    optional stop: Stop,
}

fn check(service: &Service, problems: &mut Problems) {
    if service.run.is_empty() {
        return;
    }
    let isolated = service.isolate.as_ref().is_some_and(|isolate| isolate.value);
    if let Some(instances) = service.instances.as_ref() {
        if !(1..=MAX_INSTANCES).contains(&instances.value) {
            let help = format!("from 1 to {MAX_INSTANCES}");
            problems.error(Code::E028, instances.span, format!("{} instances", instances.value), help);
        } else if let (true, Some(port)) = (instances.value > 1 && !isolated, &service.port) {
            let help = "remove `port`: each instance then gets a free one, as `${port}`; or give each a network: `isolate: true`";
            problems.error(Code::E066, port.span, "several instances cannot share one port", help);
        }
    }
    if let Some(family) = service.family.as_ref().filter(|_| !isolated) {
        let help = "add `isolate: true`, or remove `family`: other services listen on 127.0.0.1";
        problems.error(Code::E066, family.span, "`family` chooses among addresses of an isolated service", help);
    }
    if let Some(port) = service.port.as_ref().filter(|port| port.value == 0) {
        problems.error(Code::E028, port.span, "port 0 is no port", "remove `port` for a free one");
    }
}

record! {
    /// When an instance counts as ready.
    Ready, "ready", check = check_ready;
    /// A GET of this path answers with a status below 400.
    optional http: Spanned<String>,
    /// Its port accepts a connection.
    optional tcp: Spanned<bool>,
    /// A line of its output matches this regular expression.
    optional log: Spanned<String>,
    /// How long it may take; default 10s.
    optional within: Duration,
}

fn check_ready(ready: &Ready, problems: &mut Problems) {
    let given = [("http", ready.http.is_some()), ("tcp", ready.tcp.is_some()), ("log", ready.log.is_some())];
    if given.iter().filter(|(_, given)| *given).count() > 1 {
        exactly_one(ready.span, "ready", &given, problems);
    }
    if let Some(tcp) = ready.tcp.as_ref().filter(|tcp| !tcp.value) {
        problems.error(
            Code::E066,
            tcp.span,
            "`tcp: false` says nothing",
            "write `tcp: true`, `http: /path` or `log: regex`",
        );
    }
    if let Some(path) = ready.http.as_ref().filter(|path| !path.value.starts_with('/')) {
        problems.error(Code::E049, path.span, "a path begins with `/`", format!("write `/{}`", path.value));
    }
    if let Some(log) = &ready.log
        && let Err(error) = regex::Regex::new(&log.value)
    {
        crate::validate::regex(log.span, &error, problems);
    }
}

record! {
    /// How a process is asked to end.
    Stop, "stop";
    /// Default TERM.
    optional signal: Signal,
    /// Then it is killed; default 5s.
    optional within: Duration,
}

words! {
    /// A family of addresses.
    Family:
    /// `10.1.2.10`
    V4 = "ipv4",
    /// `fd12::a`
    V6 = "ipv6",
}

words! {
    /// A signal that asks a process to end.
    Signal:
    /// 15
    Term = "TERM",
    /// 2
    Int = "INT",
    /// 1
    Hup = "HUP",
    /// 3
    Quit = "QUIT",
    /// 10
    Usr1 = "USR1",
    /// 12
    Usr2 = "USR2",
    /// 9
    Kill = "KILL",
}

impl Signal {
    /// Its number on Linux.
    pub(crate) fn number(self) -> i32 {
        match self {
            Self::Hup => 1,
            Self::Int => 2,
            Self::Quit => 3,
            Self::Kill => 9,
            Self::Usr1 => 10,
            Self::Usr2 => 12,
            Self::Term => 15,
        }
    }
}

record! {
    /// brunt's proxy on the way to something.
    Link, "a link";
    /// A service, `host:port`, or an http(s) URL.
    required to: Spanned<String>,
    /// A fixed address of the listener; default: a free port on 127.0.0.1.
    optional listen: Spanned<String>,
}
