//! Addresses: `http://host:port/prefix` and `host:port`.

/// Why a text is not an address.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{wrong}")]
pub struct AddressError {
    /// What is wrong with it.
    pub wrong: String,
    /// What to write.
    pub help: String,
}

/// An http or https address.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Url {
    /// TLS.
    pub https: bool,
    /// Host name, or an address (IPv6 without its brackets).
    pub host: String,
    /// TCP port, 80 or 443 unless given.
    pub port: u16,
    /// The path, without a slash at its end: empty for the root.
    pub path: String,
}

fn error(wrong: impl Into<String>, help: impl Into<String>) -> AddressError {
    AddressError { wrong: wrong.into(), help: help.into() }
}

impl std::str::FromStr for Url {
    type Err = AddressError;

    fn from_str(text: &str) -> Result<Self, AddressError> {
        let (https, rest) = match (text.strip_prefix("http://"), text.strip_prefix("https://")) {
            (Some(rest), _) => (false, rest),
            (_, Some(rest)) => (true, rest),
            _ => {
                let help = match text.split_once("://") {
                    Some((scheme, _)) => format!("only http and https are known, not `{scheme}`"),
                    None => format!("http://{text}?"),
                };
                return Err(error("an address begins with `http://` or `https://`", help));
            }
        };
        let (authority, path) = match rest.find(['/', '?', '#']) {
            Some(at) => rest.split_at(at),
            None => (rest, ""),
        };
        if path.contains(['?', '#']) {
            return Err(error("a query cannot stand in a target's address", "move it to the path of the request"));
        }
        if authority.contains('@') {
            return Err(error("an address holds no user or password", "send them as a header, from `${secret.env.X}`"));
        }
        let (host, port) = split_port(authority)?;
        let port = port.unwrap_or(if https { 443 } else { 80 });
        Ok(Self { https, host, port, path: path.trim_end_matches('/').to_owned() })
    }
}

/// Reads `host:port`.
///
/// # Errors
/// When the host is empty or holds what no host holds, or the port is missing or not from 1 to 65535.
pub fn host_and_port(text: &str) -> Result<(String, u16), AddressError> {
    match split_port(text)? {
        (host, Some(port)) => Ok((host, port)),
        (host, None) => Err(error("the port is missing", format!("write `{host}:8080`"))),
    }
}

fn split_port(text: &str) -> Result<(String, Option<u16>), AddressError> {
    let (host, port) = if let Some(bracketed) = text.strip_prefix('[') {
        let (host, rest) = bracketed.split_once(']').ok_or_else(|| error("`[` is not closed", "write `[::1]:8080`"))?;
        if host.parse::<std::net::Ipv6Addr>().is_err() {
            return Err(error(format!("`{host}` is not an IPv6 address"), "write `[::1]:8080`"));
        }
        (host, rest.strip_prefix(':'))
    } else {
        match text.rsplit_once(':') {
            Some((host, _)) if host.contains(':') => {
                return Err(error("an IPv6 address needs brackets", format!("write `[{text}]:8080`")));
            }
            Some((host, port)) => (host, Some(port)),
            None => (text, None),
        }
    };
    let fits = |c: char| c.is_alphanumeric() || "-._:%".contains(c);
    if host.is_empty() || !host.chars().all(fits) {
        return Err(error(format!("`{host}` is not a host"), "write `localhost`, a name or an IP address"));
    }
    let port = match port {
        None => None,
        Some(port) => match port.parse::<u16>() {
            Ok(port) if port > 0 => Some(port),
            _ => return Err(error(format!("`{port}` is not a port"), "a port is a number from 1 to 65535")),
        },
    };
    Ok((host.to_owned(), port))
}
