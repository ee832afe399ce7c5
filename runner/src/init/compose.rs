//! What a compose file publishes on this host. Only `services.*.ports` is read; Docker is not asked.

use std::collections::{BTreeMap, BTreeSet};

use serde::Deserialize;

use super::InitError;

/// Container ports that are likely to speak HTTP to users, the likeliest first.
const LIKELY: [u16; 10] = [80, 8080, 8000, 3000, 5000, 443, 8443, 8888, 4000, 9000];

/// A port of a service that can be reached from this host.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Published {
    /// The service; with the port behind it if it publishes several.
    pub name: String,
    /// The service.
    pub service: String,
    /// Where it listens here.
    pub host: String,
    /// And on which port.
    pub port: u16,
    /// What it is inside of the container.
    pub container: u16,
}

impl Published {
    /// `127.0.0.1:8080`
    pub fn address(&self) -> String {
        if self.host.contains(':') {
            format!("[{}]:{}", self.host, self.port)
        } else {
            format!("{}:{}", self.host, self.port)
        }
    }
}

#[derive(Deserialize)]
struct File {
    #[serde(default)]
    services: BTreeMap<String, Option<Service>>,
}

#[derive(Deserialize)]
struct Service {
    #[serde(default)]
    ports: Option<Vec<Port>>,
}

#[derive(Deserialize)]
#[serde(untagged)]
enum Port {
    Number(u16),
    Long { target: Word, published: Option<Word>, host_ip: Option<String>, protocol: Option<String> },
    Short(String),
}

#[derive(Deserialize)]
#[serde(untagged)]
enum Word {
    Number(u16),
    Text(String),
}

impl Word {
    fn text(&self) -> String {
        match self {
            Self::Number(number) => number.to_string(),
            Self::Text(text) => text.clone(),
        }
    }
}

/// The ports, by service and port, and what was left out and why. `variable` reads the environment.
///
/// # Errors
/// When it is no compose file, or nothing of it can be reached from here.
pub fn published(
    text: &str,
    variable: impl Fn(&str) -> Option<String>,
) -> Result<(Vec<Published>, Vec<String>), InitError> {
    let file: File =
        serde_saphyr::from_str(text).map_err(|why| InitError::Wish(format!("this is no compose file: {why}")))?;
    if file.services.is_empty() {
        return Err(InitError::Wish("this is no compose file: it has no `services`".into()));
    }
    let (mut all, mut left_out) = (Vec::new(), Vec::new());
    for (name, service) in &file.services {
        for port in service.iter().flat_map(|service| service.ports.iter().flatten()) {
            match one(name, port, &variable) {
                Ok(published) => all.push(published),
                Err(why) => left_out.push(format!("{name}: {why}")),
            }
        }
    }
    if all.is_empty() {
        let why = if left_out.is_empty() { "no service has `ports`".to_owned() } else { left_out.join("; ") };
        return Err(InitError::Wish(format!(
            "nothing of this compose file can be reached from this host: {why}. Publish a port (ports: [ \"8080:80\" ]): \
             targets inside of Docker are not built in this version"
        )));
    }
    name_apart(&mut all);
    Ok((all, left_out))
}

fn one(service: &str, port: &Port, variable: &impl Fn(&str) -> Option<String>) -> Result<Published, String> {
    let (host, published, container, protocol) = match port {
        Port::Number(number) => return Err(format!("port {number} has no fixed port on this host")),
        Port::Long { target, published, host_ip, protocol } => {
            let target = target.text();
            let published =
                published.as_ref().ok_or_else(|| format!("port {target} has no fixed port on this host"))?;
            (host_ip.clone().unwrap_or_default(), published.text(), target, protocol.clone().unwrap_or_default())
        }
        Port::Short(text) => short(&filled(text, variable)?)?,
    };
    if !protocol.is_empty() && protocol != "tcp" {
        return Err(format!("port {published} is {protocol}, and brunt's proxy carries TCP"));
    }
    let number = |text: &str| text.parse::<u16>().ok().filter(|port| *port > 0);
    let (published, container) = (filled(&published, variable)?, filled(&container, variable)?);
    let (Some(port), Some(container)) = (number(&published), number(&container)) else {
        return Err(format!("`{published}:{container}` is not one port; write each port of a range on its own"));
    };
    let host = match host.trim_matches(['[', ']']) {
        "" | "0.0.0.0" | "::" => "127.0.0.1".to_owned(),
        other => other.to_owned(),
    };
    Ok(Published { name: service.to_owned(), service: service.to_owned(), host, port, container })
}

/// `[HOST:]PUBLISHED:CONTAINER[/PROTOCOL]`
fn short(text: &str) -> Result<(String, String, String, String), String> {
    let (text, protocol) = text.split_once('/').unwrap_or((text, ""));
    let no_port = || format!("port {text} has no fixed port on this host");
    let (rest, container) = text.rsplit_once(':').ok_or_else(no_port)?;
    let (host, published) = rest.rsplit_once(':').unwrap_or(("", rest));
    if published.is_empty() {
        return Err(no_port());
    }
    Ok((host.to_owned(), published.to_owned(), container.to_owned(), protocol.to_owned()))
}

/// `${NAME}`, `${NAME:-default}`, `${NAME-default}`, `$NAME`, as compose fills them in.
fn filled(text: &str, variable: &impl Fn(&str) -> Option<String>) -> Result<String, String> {
    let mut out = String::new();
    let mut rest = text;
    while let Some(at) = rest.find('$') {
        out.push_str(&rest[..at]);
        rest = &rest[at + 1..];
        let (inner, after) = match rest.strip_prefix('{') {
            Some(open) => open.split_once('}').ok_or_else(|| format!("`{text}`: a brace is left open"))?,
            None => {
                let end = rest.find(|c: char| !c.is_ascii_alphanumeric() && c != '_').unwrap_or(rest.len());
                rest.split_at(end)
            }
        };
        let (name, default) = match inner.split_once('-') {
            Some((name, default)) => (name.trim_end_matches(':'), Some(default)),
            None => (inner, None),
        };
        let value = variable(name).filter(|value| !value.is_empty()).or_else(|| default.map(str::to_owned));
        out.push_str(&value.ok_or_else(|| format!("`{text}`: ${name} is not set here"))?);
        rest = after;
    }
    out.push_str(rest);
    Ok(out)
}

/// Names of links are unique, and words.
fn name_apart(all: &mut [Published]) {
    let mut taken = BTreeSet::new();
    let several: Vec<String> = all.iter().map(|port| port.service.clone()).collect();
    for port in all.iter_mut() {
        let word: String =
            port.service.chars().map(|c| if c.is_ascii_alphanumeric() || c == '-' { c } else { '-' }).collect();
        let is_several = several.iter().filter(|service| **service == port.service).count() > 1;
        port.name = if is_several { format!("{word}-{}", port.port) } else { word };
        while !taken.insert(port.name.clone()) {
            port.name.push_str("-2");
        }
    }
}

/// Where the load goes: to the service that was named, else to the port that most looks like one for users.
pub fn entry<'a>(all: &'a [Published], service: Option<&str>) -> Result<&'a Published, InitError> {
    let missing = "--template compose needs --from compose.yaml: its published ports are what brunt can reach";
    let first = all.first().ok_or_else(|| InitError::Wish(missing.to_owned()))?;
    let Some(wanted) = service else {
        let rank = |port: &&Published| LIKELY.iter().position(|likely| *likely == port.container).unwrap_or(usize::MAX);
        return Ok(all.iter().min_by_key(rank).unwrap_or(first));
    };
    all.iter().find(|port| port.name == wanted || port.service == wanted).ok_or_else(|| {
        let names: Vec<&str> = all.iter().map(|port| port.name.as_str()).collect();
        InitError::Wish(format!("--service {wanted}: it publishes no port; these do: {}", names.join(", ")))
    })
}
