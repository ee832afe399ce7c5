//! A whole small scenario for each kind of fault, and an example of each type of parameter.

use super::{FaultKind, Lasts, ParamType, TargetKind};

impl ParamType {
    /// What it is, for people.
    pub fn what(self) -> String {
        match self {
            Self::Duration => "duration".into(),
            Self::Percent => "percentage".into(),
            Self::Number => "whole number".into(),
            Self::Status => "HTTP status".into(),
            Self::Size => "size".into(),
            Self::Bandwidth => "bandwidth".into(),
            Self::Word(words) => words.join(" | "),
            Self::Text => "text".into(),
            Self::Pairs => "names and values".into(),
            Self::Names => "name or list of names".into(),
            Self::Command => "command".into(),
            Self::Durations => "list of durations, or a file".into(),
        }
    }

    /// A value of it, as it would be written.
    pub fn example(self) -> &'static str {
        match self {
            Self::Duration => "200ms",
            Self::Percent => "5%",
            Self::Number => "3",
            Self::Status => "503",
            Self::Size => "64KiB",
            Self::Bandwidth => "10mbit",
            Self::Word(words) => words.first().copied().unwrap_or_default(),
            Self::Text => "...",
            Self::Pairs => "{ name: value }",
            Self::Names => "name",
            Self::Command => "[program, argument]",
            Self::Durations => "[12ms, 15ms, 90ms]",
        }
    }
}

impl FaultKind {
    /// The kind of target that its example hits: the first on which this version carries it out, else the first it takes.
    fn example_target(&self) -> TargetKind {
        self.built.first().or(self.takes.first()).copied().unwrap_or(TargetKind::Link)
    }

    /// What its example says under `with:`.
    fn example_parameters(&self) -> Vec<(&'static str, &'static str)> {
        // Of these one parameter of two must be given, which no flag of the table says.
        match self.name {
            "http.body" => return vec![("truncate", "10B")],
            "http.header" => return vec![("set", "{ cache-control: no-store }")],
            "exec" => return vec![("run", "[./break]"), ("undo", "[./mend]"), ("verify", "[./is-broken]")],
            "deployment.limits" => return vec![("memory", "64MiB")],
            "grpc.status" => return vec![("status", "UNAVAILABLE")],
            _ => {}
        }
        let required = self.params.iter().filter(|param| param.required);
        required.map(|param| (param.name, if param.name == "path" { "/data" } else { param.ty.example() })).collect()
    }

    /// A whole scenario with this fault, which is valid.
    pub fn example(&self) -> String {
        let target = self.example_target();
        let (parts, url) = match target {
            TargetKind::Link | TargetKind::Url => {
                ("links: { wire: { to: \"localhost:8080\" } }\n", "${links.wire.url}")
            }
            TargetKind::Service => {
                ("services: { shop: { run: [./shop, --port, \"${port}\"] } }\n", "${services.shop.url}")
            }
            _ => ("", "http://localhost:8080"),
        };
        let (name, form) = match target {
            TargetKind::Link | TargetKind::Url => ("wire", "link: wire"),
            TargetKind::Service => ("shop", "service: shop"),
            TargetKind::Process => ("ledger", "process: { name: ledger }"),
            TargetKind::Docker => ("db", "docker: { name: db }"),
            TargetKind::Kubernetes if self.name.starts_with("namespace.") => {
                ("shop", "kubernetes: { namespace: shop }")
            }
            TargetKind::Kubernetes if self.name.starts_with("deployment.") => {
                ("payment", "kubernetes: { owner: deployment/payment }")
            }
            TargetKind::Kubernetes => ("payment", "kubernetes: { selector: app=payment }"),
            TargetKind::Netns => ("lab", "netns: lab"),
        };
        let address =
            if target == TargetKind::Service { String::new() } else { format!("api: {{ url: \"{url}\" }}, ") };
        let mut fault = format!("  - id: broken\n    fault: {}\n    target: {name}\n", self.name);
        if self.lasts == Lasts::Until {
            fault.push_str("    for: 20s\n");
        }
        let with: Vec<String> =
            self.example_parameters().iter().map(|(name, value)| format!("{name}: {value}")).collect();
        if !with.is_empty() {
            fault.push_str(&format!("    with: {{ {} }}\n", with.join(", ")));
        }
        format!(
            "version: 1\n{parts}targets: {{ {address}{name}: {{ {form} }} }}\n\
             load: {{ main: {{ get: /, rate: 50/s, for: timeline }} }}\n\
             timeline:\n  - baseline: 20s\n{fault}\
             gates:\n  - {{ metric: error_rate, window: \"fault:broken\", max: 1% }}\n"
        )
    }
}
