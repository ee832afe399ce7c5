//! Which requests a fault by request hits: `path` and `method`.
//!
//! `path` is compared with the whole path of the request, without its query. `*` stands for any run of characters, slashes
//! included, also for none: `/orders/*` is every path below `/orders/`, `/orders` only that path, `*.json` all that end so.
//! `method` is compared as it stands, methods being case-sensitive. What is not given matches everything.

use brunt_scenario::plan::Params;

use crate::error::Error;
use crate::fault::link::text;

/// The requests that a fault hits.
#[derive(Debug, Clone, PartialEq, Default)]
pub(crate) struct Which {
    path: Option<String>,
    method: Option<String>,
}

impl Which {
    /// Reads `path` and `method`.
    pub fn from_params(kind: &str, with: &Params) -> Result<Self, Error> {
        Ok(Self { path: text(kind, with, "path")?, method: text(kind, with, "method")? })
    }

    /// Whether a request with this method and request target is hit.
    pub fn matches(&self, method: &str, target: &str) -> bool {
        self.method.as_ref().is_none_or(|wanted| wanted == method)
            && self.path.as_ref().is_none_or(|pattern| fits(pattern.as_bytes(), path_of(target).as_bytes()))
    }
}

/// The path of a request target, also of one in absolute form (RFC 9112 section 3.2).
fn path_of(target: &str) -> &str {
    let from_host = target.strip_prefix("http://").or_else(|| target.strip_prefix("https://"));
    let path = match from_host {
        Some(rest) => rest.find('/').map_or("/", |start| &rest[start..]),
        None => target,
    };
    path.split(['?', '#']).next().unwrap_or(path)
}

/// Whether `text` fits `pattern`. Greedy with one step back to the last `*`: quadratic at worst.
fn fits(pattern: &[u8], text: &[u8]) -> bool {
    let (mut p, mut t) = (0, 0);
    // Where the last `*` is, and how much of the text it is taken to stand for.
    let mut star: Option<(usize, usize)> = None;
    while t < text.len() {
        match (pattern.get(p), star) {
            (Some(b'*'), _) => {
                star = Some((p, t));
                p += 1;
            }
            (Some(byte), _) if *byte == text[t] => {
                p += 1;
                t += 1;
            }
            (_, Some((place, taken))) => {
                star = Some((place, taken + 1));
                p = place + 1;
                t = taken + 1;
            }
            (_, None) => return false,
        }
    }
    pattern[p..].iter().all(|byte| *byte == b'*')
}

#[cfg(test)]
mod tests {
    use super::*;

    fn matches(path: &str, target: &str) -> bool {
        Which { path: Some(path.into()), method: None }.matches("GET", target)
    }

    #[test]
    fn a_path_is_whole_and_a_star_is_any_run() {
        assert!(matches("/orders", "/orders") && matches("/orders", "/orders?page=2"));
        assert!(!matches("/orders", "/orders/1") && !matches("/orders", "/order"));
        assert!(matches("/orders/*", "/orders/1/items") && matches("/orders/*", "/orders/"));
        assert!(!matches("/orders/*", "/orders"));
        assert!(matches("*.json", "/a/b.json") && !matches("*.json", "/a/b.json5"));
        assert!(matches("/a*b*c", "/aXbbXc") && !matches("/a*b*c", "/aXbXd"));
        assert!(matches("*", "/") && matches("/x", "http://host:80/x?y") && matches("/", "http://host"));
    }

    #[test]
    fn a_method_is_exact() {
        let post = Which { path: None, method: Some("POST".into()) };
        assert!(post.matches("POST", "/") && !post.matches("GET", "/") && !post.matches("post", "/"));
        assert!(Which::default().matches("ANY", "*"));
    }
}
