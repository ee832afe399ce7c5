//! The API server's own log of who asked for what, and when: what brunt says of its faults is compared with it.

use std::fs;
use std::path::Path;

use serde_json::Value;
use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;

/// A request that was answered.
#[derive(Debug, Clone)]
pub struct Asked {
    /// When the API server received it, in seconds since 1970.
    pub at: f64,
    /// When its answer was ready, in seconds since 1970.
    pub answered: f64,
    /// `create`, `update`, `patch`, `delete`; of those who test, `get`, `list` and `watch` too.
    pub verb: String,
    /// `pods`, `pods/eviction`, `deployments/scale`...
    pub resource: String,
    /// Of the object; empty where it has none.
    pub namespace: String,
    /// Of the object; empty where many were meant, or it had none yet.
    pub name: String,
    /// Who asked: `admin`, `system:serviceaccount:...`, `system:node:n1`.
    pub user: String,
    /// What the program said of itself.
    pub agent: String,
    /// What was asked, with its parameters: `/api/v1/namespaces/shop/pods?&limit=500`.
    pub uri: String,
    /// The status code of the answer.
    pub code: u64,
    /// What was sent; null where nothing was, or where it is not written down.
    pub body: Value,
}

pub(super) fn read(log: &Path) -> Vec<Asked> {
    let text = fs::read_to_string(log).unwrap_or_else(|why| panic!("{}: {why}", log.display()));
    // The last line may be half written.
    text.lines().filter_map(|line| serde_json::from_str(line).ok()).map(|event| asked(&event)).collect()
}

fn asked(event: &Value) -> Asked {
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    let object = &event["objectRef"];
    let resource = [&object["resource"], &object["subresource"]].map(text);
    Asked {
        at: seconds_since_1970(&text(&event["requestReceivedTimestamp"])),
        answered: seconds_since_1970(&text(&event["stageTimestamp"])),
        verb: text(&event["verb"]),
        resource: resource.join("/").trim_end_matches('/').to_owned(),
        namespace: text(&object["namespace"]),
        name: text(&object["name"]),
        user: text(&event["user"]["username"]),
        agent: text(&event["userAgent"]),
        uri: text(&event["requestURI"]),
        code: event["responseStatus"]["code"].as_u64().unwrap_or(0),
        body: event["requestObject"].clone(),
    }
}

/// Of a time as RFC 3339 writes it.
///
/// # Panics
/// When it is none.
#[track_caller]
pub fn seconds_since_1970(text: &str) -> f64 {
    let at = OffsetDateTime::parse(text, &Rfc3339).unwrap_or_else(|why| panic!("{text:?}: {why}"));
    // Exact to a microsecond for the next centuries.
    at.unix_timestamp() as f64 + f64::from(at.nanosecond()) / 1e9
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_of_the_log_says_who_asked_for_what_and_when() {
        let line = r#"{"kind":"Event","apiVersion":"audit.k8s.io/v1","level":"Request","stage":"ResponseComplete",
            "verb":"create","user":{"username":"admin"},"userAgent":"brunt/0.1","objectRef":{"resource":"pods",
            "namespace":"shop","name":"payments-1","subresource":"eviction"},"responseStatus":{"code":429},
            "requestObject":{"deleteOptions":{"preconditions":{"uid":"u-1"}}},
            "requestReceivedTimestamp":"2026-01-02T03:04:05.678901Z",
            "stageTimestamp":"2026-01-02T03:04:05.690000Z"}"#;
        let asked = asked(&serde_json::from_str(line).expect("it is JSON"));
        assert_eq!((asked.resource.as_str(), asked.name.as_str(), asked.code), ("pods/eviction", "payments-1", 429));
        assert_eq!(asked.body["deleteOptions"]["preconditions"]["uid"], "u-1");
        assert!((asked.at - 1_767_323_045.678_901).abs() < 1e-5, "{}", asked.at);
    }
}
