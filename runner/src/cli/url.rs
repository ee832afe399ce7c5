//! `brunt run URL`: flags become the text of a scenario, so that there is one path from here on.

mod fault;
mod gate;

use std::fmt::Write as _;
use std::time::Duration;

use brunt_scenario::plan::Plan;
use brunt_scenario::units::{Rate, parse_duration, print_duration};
use serde_json::Value;

use super::scenario::{self, Overrides};
use super::{Failure, values};
pub use fault::FAULT_EXAMPLES;
use fault::LinkFault;
use gate::GateText;

/// A header with one of these in its name carries a secret, whoever sends it.
const SECRET_HEADERS: [&str; 7] = ["authorization", "cookie", "token", "secret", "api-key", "apikey", "password"];
/// The methods of a step.
pub const METHODS: [&str; 6] = ["get", "post", "put", "patch", "delete", "head"];
/// Variables of this name carry secrets from the command line into the scenario, where they are masked.
const SECRET_VARIABLE: &str = "BRUNT_SECRET_HEADER_";

/// The flags of the URL form.
#[derive(Debug, Clone, Default, clap::Args)]
#[command(next_help_heading = "With a URL")]
pub struct UrlArgs {
    /// Requests that start each second, whatever the system does [default: 50/s].
    #[arg(long, value_name = "RATE", conflicts_with = "users")]
    rate: Option<String>,
    /// Users who wait for their replies, instead of a rate.
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..=1_000_000))]
    users: Option<u32>,
    /// How long [default: 10s].
    #[arg(long = "for", value_name = "DURATION")]
    length: Option<String>,
    /// GET, POST, PUT, PATCH, DELETE or HEAD [default: GET, with --json POST].
    #[arg(long, value_name = "METHOD", add = values::methods())]
    method: Option<String>,
    /// A request header (repeatable).
    ///
    /// Values of Authorization, Cookie and the like are masked in every output; '${secret.env.TOKEN}' keeps them out of
    /// the shell's history as well.
    #[arg(long, value_name = "NAME: VALUE")]
    header: Vec<String>,
    /// A JSON body; its strings may hold templates such as {{ uuid() }}.
    #[arg(long, value_name = "JSON")]
    json: Option<String>,
    /// 'KIND [VALUE] [+-JITTER] [at T] [for D]' on the way to the host (repeatable).
    ///
    /// KIND and VALUE: latency 200ms, bandwidth 1mbit, partition, blackhole, reset, error 503. T counts from the start of
    /// the load; default: at 0s for the rest of the run. brunt puts its proxy in front of the host and drives through it.
    #[arg(long, value_name = "FAULT", add = values::link_faults())]
    fault: Vec<String>,
    /// 'METRIC <|<=|>|>= VALUE [in WINDOW]' (repeatable) [default: error_rate <= 1%].
    ///
    /// METRIC: latency.p50 to latency.p99_9, latency.mean, latency.max, service.* (from the first write), error_rate,
    /// success_rate, rate.completed and others. WINDOW: run (the default), baseline, fault:latency.
    #[arg(long, value_name = "GATE", add = values::gates())]
    gate: Vec<String>,
}

impl UrlArgs {
    /// The first flag that was given, for the message that it does not belong to a file.
    pub fn first_given(&self) -> Option<&'static str> {
        let given = [
            (self.rate.is_some(), "--rate"),
            (self.users.is_some(), "--users"),
            (self.length.is_some(), "--for"),
            (self.method.is_some(), "--method"),
            (!self.header.is_empty(), "--header"),
            (self.json.is_some(), "--json"),
            (!self.fault.is_empty(), "--fault"),
            (!self.gate.is_empty(), "--gate"),
        ];
        given.into_iter().find(|(given, _)| *given).map(|(_, name)| name)
    }
}

/// Whether an argument means the URL form.
pub fn is_url(what: &str) -> bool {
    let what = what.to_ascii_lowercase();
    what.starts_with("http://") || what.starts_with("https://")
}

/// Whether a header's value must not be seen, in the scenario as in the report's command line.
pub fn is_secret_header(name: &str) -> bool {
    let name = name.to_ascii_lowercase();
    SECRET_HEADERS.iter().any(|word| name.contains(word))
}

/// The plan of the URL form.
pub fn plan(url: &str, args: &UrlArgs, overrides: &Overrides, allow_hosts: &[String]) -> Result<Plan, Failure> {
    let written = Written::new(url, args)?;
    scenario::plan_of_text(url, &written.text, &written.secrets, overrides, allow_hosts)
}

/// A scenario as text, and the secrets that it refers to as environment variables.
#[derive(Debug)]
struct Written {
    text: String,
    secrets: Vec<(String, String)>,
}

/// `http://host:port` and everything behind it.
struct Parts<'a> {
    origin: &'a str,
    host: &'a str,
    path: &'a str,
}

impl Written {
    fn new(url: &str, args: &UrlArgs) -> Result<Self, Failure> {
        let parts = split(url)?;
        let length = duration("--for", args.length.as_deref().unwrap_or("10s"))?;
        if length.is_zero() {
            return Err(Failure::Usage("--for 0s: a run needs some time".into()));
        }
        let faults = args.fault.iter().map(|text| LinkFault::parse(text, length)).collect::<Result<Vec<_>, _>>()?;
        let gates = args.gate.iter().map(|text| GateText::parse(text)).collect::<Result<Vec<_>, _>>()?;
        let mut out = format!("version: 1\nname: {}\n", quoted(parts.host));
        if faults.is_empty() {
            let _ = write!(out, "targets:\n  site: {{ url: {} }}\n", quoted(parts.origin));
        } else {
            let _ = write!(out, "links:\n  wire: {{ to: {} }}\n", quoted(parts.origin));
            out.push_str("targets:\n  site: { url: \"${links.wire.url}\" }\n  wire: { link: wire }\n");
        }
        let secrets = write_load(&mut out, &parts, args, length)?;
        fault::write_timeline(&mut out, &faults);
        gate::write(&mut out, &gates);
        Ok(Self { text: out, secrets })
    }
}

fn write_load(
    out: &mut String,
    parts: &Parts<'_>,
    args: &UrlArgs,
    length: Duration,
) -> Result<Vec<(String, String)>, Failure> {
    let default = if args.json.is_some() { "POST" } else { "GET" };
    let method = args.method.as_deref().unwrap_or(default).to_ascii_lowercase();
    if !METHODS.contains(&method.as_str()) {
        return Err(Failure::Usage(format!(
            "--method {}: one of GET, POST, PUT, PATCH, DELETE, HEAD",
            args.method.as_deref().unwrap_or_default()
        )));
    }
    let _ = write!(out, "load:\n  main:\n    target: site\n    {method}: {}\n", quoted(parts.path));
    let secrets = write_headers(out, &args.header, (parts.host, &args.fault))?;
    if let Some(json) = &args.json {
        let body: Value =
            serde_json::from_str(json).map_err(|why| Failure::Usage(format!("--json is not JSON: {why}")))?;
        // JSON is YAML; `${` would be taken for a variable.
        let _ = writeln!(out, "    json: {}", body.to_string().replace("${", "$${"));
    }
    match (args.users, args.rate.as_deref()) {
        (Some(users), _) => {
            let _ = writeln!(out, "    users: {users}");
        }
        (None, rate) => {
            let rate = rate.unwrap_or("50/s");
            rate.parse::<Rate>().map_err(|why| Failure::Usage(format!("--rate {rate}: {why}")))?;
            let _ = writeln!(out, "    rate: {rate}");
        }
    }
    let _ = writeln!(out, "    for: {}", print_duration(length));
    Ok(secrets)
}

/// Writes the headers; returns the secrets among them. Through a link the Host header must still name the real host.
fn write_headers(
    out: &mut String,
    headers: &[String],
    (host, faults): (&str, &[String]),
) -> Result<Vec<(String, String)>, Failure> {
    let mut secrets = Vec::new();
    let mut lines = String::new();
    let mut names = Vec::new();
    for header in headers {
        let (name, value) = header
            .split_once(':')
            .map(|(name, value)| (name.trim(), value.trim()))
            .ok_or_else(|| Failure::Usage(format!("--header `{header}`: write it as 'Name: value'")))?;
        let token = |c: char| c.is_ascii_alphanumeric() || "!#$%&'*+-.^_`|~".contains(c);
        if name.is_empty() || !name.chars().all(token) || value.chars().any(|c| c.is_control() && c != '\t') {
            return Err(Failure::Usage(format!("--header `{name}`: not a header name and value")));
        }
        names.push(name.to_ascii_lowercase());
        let value = if is_secret_header(name) && !value.contains("${secret.") {
            let variable = format!("{SECRET_VARIABLE}{}", secrets.len());
            let reference = format!("\"${{secret.env.{variable}}}\"");
            secrets.push((variable, value.to_owned()));
            reference
        } else {
            // Not escaped: '${secret.env.TOKEN}' is how a secret is kept out of the shell's history.
            yaml_string(value)
        };
        let _ = writeln!(lines, "      {}: {value}", quoted(name));
    }
    if !faults.is_empty() && !names.iter().any(|name| name == "host") {
        let _ = writeln!(lines, "      Host: {}", quoted(host));
    }
    if !lines.is_empty() {
        let _ = write!(out, "    headers:\n{lines}");
    }
    Ok(secrets)
}

fn split(url: &str) -> Result<Parts<'_>, Failure> {
    let wrong = |why: &str| Failure::Usage(format!("`{url}` is not a URL that can be loaded: {why}"));
    let url = url.split('#').next().unwrap_or(url);
    let begin = url.find("://").map(|at| at + 3).ok_or_else(|| wrong("no ://"))?;
    let end = url[begin..].find(['/', '?']).map_or(url.len(), |at| begin + at);
    let host = &url[begin..end];
    if host.is_empty() {
        return Err(wrong("it names no host"));
    }
    if host.contains('@') {
        return Err(wrong("no user and password in it, please; use --header 'Authorization: ...', which is masked"));
    }
    if url.chars().any(|c| c.is_control() || c == ' ') {
        return Err(wrong("a space or control character in it must be percent-encoded"));
    }
    Ok(Parts { origin: &url[..end], host, path: if end == url.len() { "/" } else { &url[end..] } })
}

/// A duration of a flag.
fn duration(flag: &str, text: &str) -> Result<Duration, Failure> {
    parse_duration(text).map_err(|why| Failure::Usage(format!("{flag} {text}: {why}")))
}

/// A text that stands for itself in YAML and in the scenario's own `${}`.
fn quoted(text: &str) -> String {
    yaml_string(&text.replace("${", "$${"))
}

/// A YAML double-quoted string; JSON strings are YAML strings.
fn yaml_string(text: &str) -> String {
    Value::String(text.to_owned()).to_string()
}

#[cfg(test)]
mod tests;
