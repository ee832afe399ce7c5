//! Texts with parts that are known only when services and links have their ports.

use std::collections::BTreeMap;
use std::net::SocketAddr;

use serde::{Deserialize, Serialize};

use crate::secret::Secret;

/// A text whose late parts are filled in when the run starts. Templates (`{{ }}`) stay in it as they are.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub struct Text(pub Vec<Piece>);

/// A part of a [`Text`].
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub enum Piece {
    /// As written.
    Literal(String),
    /// Known, but never shown.
    Secret(#[serde(with = "crate::secret::exposed")] Secret),
    /// `${brunt.exe}`: the path of the running binary.
    BruntExe,
    /// `${port}`: the port of the service instance that is being started.
    OwnPort,
    /// `${address}`: the address at which that instance is reached.
    OwnAddress,
    /// `${services.x.url}` (`all: false`, exactly one instance) or `.urls` (comma-separated).
    Service {
        /// The service's name.
        name: String,
        /// All instances, comma-separated, instead of the only one.
        all: bool,
    },
    /// `${links.x.url}` or `.urls`.
    Link {
        /// The link's name.
        name: String,
        /// All listeners, comma-separated, instead of the only one.
        all: bool,
    },
}

/// What is known once services and links have their ports; fills the late parts of a [`Text`].
#[derive(Debug, Clone, Default)]
pub struct Addresses {
    /// The path of the running binary.
    pub exe: String,
    /// Service name to one URL an instance (`http://127.0.0.1:port`, isolated ones at addresses of their own).
    pub services: BTreeMap<String, Vec<String>>,
    /// Link name to one URL a listener (https where the link's `to:` is https).
    pub links: BTreeMap<String, Vec<String>>,
}

impl Text {
    /// A text without late parts.
    pub fn literal(text: impl Into<String>) -> Self {
        Self(vec![Piece::Literal(text.into())])
    }

    /// Fills in the late parts. `own` is the address and port of the instance that is being started. The error names the first
    /// part that is not known yet or is not unique.
    pub fn fill(&self, known: &Addresses, own: Option<SocketAddr>) -> Result<String, UnknownAddress> {
        let mut out = String::new();
        for piece in &self.0 {
            match piece {
                Piece::Literal(text) => out.push_str(text),
                Piece::Secret(secret) => out.push_str(secret.expose()),
                Piece::BruntExe => out.push_str(&known.exe),
                Piece::OwnPort | Piece::OwnAddress if own.is_none() => {
                    let name = if *piece == Piece::OwnPort { "${port}" } else { "${address}" };
                    return Err(UnknownAddress(name.into()));
                }
                Piece::OwnPort => out.extend(own.map(|own| own.port().to_string())),
                Piece::OwnAddress => out.extend(own.map(|own| own.ip().to_string())),
                Piece::Service { name, all } => out.push_str(&urls("services", name, *all, known.services.get(name))?),
                Piece::Link { name, all } => out.push_str(&urls("links", name, *all, known.links.get(name))?),
            }
        }
        Ok(out)
    }

    /// The names of the services (first) and links (second) whose addresses this text needs.
    pub fn needs(&self) -> (Vec<&str>, Vec<&str>) {
        let mut services = Vec::new();
        let mut links = Vec::new();
        for piece in &self.0 {
            match piece {
                Piece::Service { name, .. } => services.push(name.as_str()),
                Piece::Link { name, .. } => links.push(name.as_str()),
                _ => {}
            }
        }
        (services, links)
    }
}

fn urls(kind: &str, name: &str, all: bool, known: Option<&Vec<String>>) -> Result<String, UnknownAddress> {
    let word = if all { "urls" } else { "url" };
    let unknown = || UnknownAddress(format!("${{{kind}.{name}.{word}}}"));
    let urls = known.ok_or_else(unknown)?;
    match urls.as_slice() {
        _ if all => Ok(urls.join(",")),
        [only] => Ok(only.clone()),
        _ => Err(unknown()),
    }
}

/// As people may see it: late parts as `<port>`, `<links.x.url>`, secrets as `***`.
impl std::fmt::Display for Text {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        for piece in &self.0 {
            match piece {
                Piece::Literal(text) => f.write_str(text)?,
                Piece::Secret(_) => f.write_str("***")?,
                Piece::BruntExe => f.write_str("brunt")?,
                Piece::OwnPort => f.write_str("<port>")?,
                Piece::OwnAddress => f.write_str("<address>")?,
                Piece::Service { name, all } => write!(f, "<services.{name}.{}>", if *all { "urls" } else { "url" })?,
                Piece::Link { name, all } => write!(f, "<links.{name}.{}>", if *all { "urls" } else { "url" })?,
            }
        }
        Ok(())
    }
}

/// A late part of a text could not be filled in.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
#[error("`{0}` is not known here, or stands for more than one address")]
pub struct UnknownAddress(pub String);
