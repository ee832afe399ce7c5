//! The templates, and how wishes are filled in: by changing values of a scenario that is valid already.

use serde_json::Value;

use super::{InitError, Published, Wishes};

/// What a scenario starts from.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Template {
    /// A URL, its wire slowed and cut.
    #[default]
    Http,
    /// A service that brunt starts, frozen and killed.
    Services,
    /// Ports that compose publishes.
    Compose,
    /// A URL that leads into a cluster.
    K8s,
    /// An hour of the same.
    Soak,
    /// Five times as much, for a while.
    Spike,
    /// More and more until it breaks.
    Breakpoint,
}

impl Template {
    /// All of them, in the order in which they are offered.
    pub const ALL: [Self; 7] =
        [Self::Http, Self::Services, Self::Compose, Self::K8s, Self::Soak, Self::Spike, Self::Breakpoint];

    /// As it is typed.
    pub fn word(self) -> &'static str {
        match self {
            Self::Http => "http",
            Self::Services => "services",
            Self::Compose => "compose",
            Self::K8s => "k8s",
            Self::Soak => "soak",
            Self::Spike => "spike",
            Self::Breakpoint => "breakpoint",
        }
    }

    /// What it asks, in a line.
    pub fn asks(self) -> &'static str {
        match self {
            Self::Http => "a URL: is it quick while its wire is slow, does it come back after a cut?",
            Self::Services => "a program that brunt starts twice: what if one instance freezes or dies?",
            Self::Compose => "ports that a compose file publishes: what if the way to them is bad?",
            Self::K8s => "a URL into a cluster: what if the way to it is bad, or pods are killed?",
            Self::Soak => "an hour of the same: is it as quick as in the first minutes?",
            Self::Spike => "five times the load for a while: does it hold, is it itself again?",
            Self::Breakpoint => "more and more: where does it break?",
        }
    }

    /// The scenario, valid as it stands.
    pub fn text(self) -> &'static str {
        match self {
            Self::Http => include_str!("../../templates/http.brunt.yaml"),
            Self::Services => include_str!("../../templates/services.brunt.yaml"),
            Self::Compose => include_str!("../../templates/compose.brunt.yaml"),
            Self::K8s => include_str!("../../templates/k8s.brunt.yaml"),
            Self::Soak => include_str!("../../templates/soak.brunt.yaml"),
            Self::Spike => include_str!("../../templates/spike.brunt.yaml"),
            Self::Breakpoint => include_str!("../../templates/breakpoint.brunt.yaml"),
        }
    }

    /// Whether it is about a URL.
    pub fn takes_url(self) -> bool {
        !matches!(self, Self::Services | Self::Compose)
    }

    /// Whether it has faults on the way to the URL's host, which has to be allowed if it is another machine.
    fn breaks_the_way(self) -> bool {
        matches!(self, Self::Http | Self::K8s)
    }
}

/// The template with the wishes in it.
pub fn fill(wishes: &Wishes, name: &str) -> Result<String, InitError> {
    refuse_foreign(wishes)?;
    let template = wishes.template;
    let text = template.text().replace(&format!("{}.brunt.yaml", template.word()), &format!("{name}.brunt.yaml"));
    let mut text = Text(text);
    text.set("name", name);
    let mut path = wishes.path.clone();
    if let Some(url) = &wishes.url {
        let (origin, host, of_url) = split(url)?;
        text.set("  url", origin);
        text.set("  host", host);
        path = path.or_else(|| (of_url != "/").then(|| of_url.to_owned()));
        if template.breaks_the_way() && !is_here(host) {
            text.allow(bare_host(host));
        }
    }
    if let Some(path) = path {
        if !path.starts_with('/') {
            return Err(InitError::Wish(format!("--path {path}: a path begins with `/`: write `/{path}`")));
        }
        text.set("  path", &path);
    }
    if let Some(rate) = &wishes.rate {
        text.set("  rate", rate);
    }
    match template {
        Template::Services => text.service(wishes)?,
        Template::Compose => text.compose(wishes)?,
        Template::K8s if wishes.url.is_none() => return Err(InitError::Wish(K8S_NEEDS_URL.to_owned())),
        _ => {}
    }
    Ok(text.0)
}

const K8S_NEEDS_URL: &str = "--template k8s needs --url: a URL that leads into the cluster, for the load (an Ingress, a \
    NodePort, or `kubectl port-forward service/NAME 8080:80` and --url http://localhost:8080)";

/// Wishes that mean nothing in this template are mistakes, not decoration.
fn refuse_foreign(wishes: &Wishes) -> Result<(), InitError> {
    let template = wishes.template;
    let given = [
        (wishes.url.is_some() && !template.takes_url(), "--url"),
        (wishes.command.is_some() && template != Template::Services, "--command"),
        (wishes.ready.is_some() && template != Template::Services, "--ready"),
        (wishes.service.is_some() && template != Template::Compose, "--service"),
        (!wishes.published.is_empty() && template != Template::Compose, "--from a compose file"),
    ];
    match given.into_iter().find(|(foreign, _)| *foreign) {
        Some((_, flag)) => Err(InitError::Wish(format!("{flag} says nothing to --template {}", template.word()))),
        None => Ok(()),
    }
}

/// A scenario that is being filled in.
struct Text(String);

impl Text {
    /// Gives the key of the first line that begins with it another value; a comment behind it stays where it is.
    fn set(&mut self, key: &str, value: &str) {
        let start = format!("{key}: ");
        let lines = self.0.lines().map(str::to_owned);
        let mut done = false;
        let changed: Vec<String> = lines
            .map(|line| {
                if done || !line.starts_with(&start) {
                    return line;
                }
                done = true;
                let value = format!("{start}{}", scalar(value));
                match line.find(" #") {
                    Some(at) => format!("{value:<width$}{}", &line[at..], width = at.max(value.len())),
                    None => value,
                }
            })
            .collect();
        self.0 = changed.join("\n") + "\n";
    }

    /// Faults may act on the way to another machine only if the scenario says so.
    fn allow(&mut self, host: &str) {
        let line = format!("safety: {{ allow: {{ hosts: [ {} ] }} }}", scalar(host));
        let line = format!("{line}    # faults on the way to another machine: is it yours?\n\nlinks:\n");
        self.0 = self.0.replacen("links:\n", &line, 1);
    }

    fn service(&mut self, wishes: &Wishes) -> Result<(), InitError> {
        let missing = "--template services needs --command: the program that brunt starts, for example --command 'node \
                       server.js --port ${port}'; ${port} is a free port, which is in its environment as PORT too";
        let command = wishes.command.as_deref().ok_or_else(|| InitError::Wish(missing.to_owned()))?;
        let words = shlex::split(command).filter(|words| !words.is_empty());
        let words = words.ok_or_else(|| {
            InitError::Wish(format!("--command {command}: no shell would take this; is a quote left open?"))
        })?;
        let list: Vec<String> = words.iter().map(|word| scalar(word)).collect();
        self.line("    run: [ python3", &format!("    run: [ {} ]", list.join(", ")));
        let ready = match wishes.ready.as_deref() {
            Some(path) if path.starts_with('/') => format!("http: {}", scalar(path)),
            Some(path) => return Err(InitError::Wish(format!("--ready {path}: a path begins with `/`"))),
            None => "tcp: true".to_owned(),
        };
        self.0 = self.0.replacen("ready: { http: /, ", &format!("ready: {{ {ready}, "), 1);
        Ok(())
    }

    fn compose(&mut self, wishes: &Wishes) -> Result<(), InitError> {
        let entry = super::compose::entry(&wishes.published, wishes.service.as_deref())?;
        let links: Vec<String> = wishes.published.iter().map(|port| link(port, entry)).collect();
        self.line("  web: { to:", &links.join("\n"));
        let targets: Vec<String> = wishes
            .published
            .iter()
            .map(|port| {
                let unused = if port.name == entry.name { "" } else { "    # a fault needs traffic: load it as well" };
                format!("  {0}: {{ link: {0} }}{unused}", port.name)
            })
            .collect();
        self.line("  web: { link: web }", &targets.join("\n"));
        self.0 = self.0.replace("${links.web.url}", &format!("${{links.{}.url}}", entry.name));
        self.0 = self.0.replace("    target: web\n", &format!("    target: {}\n", entry.name));
        // `api` is the load's own name for it.
        if wishes.published.iter().any(|port| port.name == "api") {
            self.0 = self
                .0
                .replace("  api: { url:", "  load-goes-to: { url:")
                .replace("target: api,", "target: load-goes-to,");
        }
        Ok(())
    }

    /// Replaces the first line that begins so.
    fn line(&mut self, start: &str, by: &str) {
        let found = self.0.lines().find(|line| line.starts_with(start)).map(str::to_owned);
        if let Some(line) = found {
            self.0 = self.0.replacen(&line, by, 1);
        }
    }
}

fn link(port: &Published, entry: &Published) -> String {
    let to = if port.name == entry.name { format!("http://{}", port.address()) } else { port.address() };
    format!("  {}: {{ to: {} }}    # container port {}", port.name, scalar(&to), port.container)
}

/// A value that YAML reads as this text; without quotes where a person would leave them out.
fn scalar(text: &str) -> String {
    let plain = |c: char| c.is_ascii_alphanumeric() || "-_./:".contains(c);
    let starts_well = text.starts_with(|c: char| c.is_ascii_alphanumeric() || c == '/' || c == '-');
    let is_word = text.chars().all(plain) && starts_well && !text.ends_with(':') && text.len() > 1;
    let is_other_type = ["true", "false", "null", "yes", "no", "on", "off"]
        .contains(&text.to_ascii_lowercase().as_str())
        || text.parse::<f64>().is_ok()
        || text.starts_with("0x")
        || text == "--"
        || text == "---";
    if is_word && !is_other_type { text.to_owned() } else { Value::String(text.to_owned()).to_string() }
}

/// Origin, host with port, and path with query.
fn split(url: &str) -> Result<(&str, &str, &str), InitError> {
    let wrong = |why: &str| InitError::Wish(format!("--url {url}: {why}"));
    let lower = url.to_ascii_lowercase();
    if !lower.starts_with("http://") && !lower.starts_with("https://") {
        return Err(wrong(&format!("a URL begins with http:// or https://: write http://{url}")));
    }
    let begin = url.find("://").map_or(0, |at| at + 3);
    let end = url[begin..].find(['/', '?', '#']).map_or(url.len(), |at| begin + at);
    let host = &url[begin..end];
    if host.is_empty() || host.contains(['@', ' ']) {
        return Err(wrong("it names no host that can be loaded"));
    }
    let path = url[end..].split('#').next().unwrap_or_default();
    Ok((&url[..end], host, if path.is_empty() { "/" } else { path }))
}

fn bare_host(host: &str) -> &str {
    match host.strip_prefix('[').and_then(|rest| rest.split_once(']')) {
        Some((address, _)) => address,
        None => host.rsplit_once(':').map_or(host, |(name, _)| name),
    }
}

fn is_here(host: &str) -> bool {
    let name = bare_host(host);
    name == "localhost" || name.parse::<std::net::IpAddr>().is_ok_and(|address| address.is_loopback())
}
