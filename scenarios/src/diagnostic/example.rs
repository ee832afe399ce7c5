//! Examples are parts of scenarios: what does not matter is left out, and stands in [`whole`].

/// What is shown to somebody who asks what a code means.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Example {
    /// A scenario without the keys that do not matter; [`whole`] adds them.
    Scenario(&'static str),
    /// A command line.
    Command(&'static str),
}

impl Example {
    /// As it is shown.
    pub fn text(self) -> &'static str {
        match self {
            Self::Scenario(text) | Self::Command(text) => text,
        }
    }
}

/// The top-level keys that an example may leave out; `LENGTH` depends on whether it has a timeline.
const FRAME: [(&str, &str); 4] = [
    ("version", "1"),
    ("links", r#"{ wire: { to: "localhost:8080" } }"#),
    ("targets", r#"{ api: { url: "${links.wire.url}" }, wire: { link: wire } }"#),
    ("load", "{ main: { get: /, rate: 50/s, for: LENGTH } }"),
];

/// The scenario that a part stands for: keys that it does not have are put before it.
pub fn whole(part: &str) -> String {
    let has = |key: &str| part.lines().any(|line| line.strip_prefix(key).is_some_and(|rest| rest.starts_with(':')));
    let length = if has("timeline") { "timeline" } else { "30s" };
    let missing = FRAME.iter().filter(|(key, _)| !has(key));
    let mut text: String =
        missing.map(|(key, value)| format!("{key}: {}\n", value.replace("LENGTH", length))).collect();
    text.push_str(part);
    text
}
