//! What the faults by request take beyond the types of their parameters: what would never match, or could not be a message.

use super::FaultKind;
use crate::diagnostic::{Code, Diagnostic, Problems};
use crate::source::Span;
use crate::yaml::{Entry, Node, Value};

/// Fields that frame a message or speak to the next hop (RFC 9110 section 7.6.1): with them changed, the connection would
/// break instead of the reply being another one.
const FRAMING: &[&str] = &[
    "connection",
    "content-length",
    "keep-alive",
    "proxy-connection",
    "te",
    "trailer",
    "transfer-encoding",
    "upgrade",
];

/// Why a reply cannot be given this field; `None` if it can.
pub fn refused_field(name: &str, value: &str) -> Option<String> {
    let token = |byte: u8| byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&byte);
    if name.is_empty() || !name.bytes().all(token) {
        return Some(format!("`{}` cannot be the name of a header", name.escape_debug()));
    }
    if FRAMING.iter().any(|field| name.eq_ignore_ascii_case(field)) {
        return Some(format!("`{name}` frames the message or belongs to the connection, and cannot be changed"));
    }
    if value.chars().any(|letter| letter.is_control() && letter != '\t') {
        return Some(format!("the value of `{name}` has a line break or another control character"));
    }
    None
}

/// Tells what does not fit in the parameters of a fault by request. `at` is the place of all of them.
pub(super) fn check(kind: &FaultKind, with: &[Entry], at: Span, problems: &mut Problems) {
    let given = |name: &str| with.iter().find(|entry| entry.key.text == name).map(|entry| &entry.value);
    if let Some(path) = given("path") {
        check_path(path, problems);
    }
    if let Some((method, text)) = given("method").and_then(|method| Some((method, text(method)?)))
        && text.bytes().any(|byte| !byte.is_ascii_uppercase() && !b"!#$%&'*+-.^_`|~".contains(&byte))
    {
        let help = format!("write `{}`", text.to_ascii_uppercase().escape_debug());
        problems.error(Code::E028, method.span, "no request has this method: methods are written in capitals", help);
    }
    match kind.name {
        "http.error" => check_status(given("status"), problems),
        "http.body" => match (given("replace"), given("truncate")) {
            (Some(_), Some(second)) => {
                let help = "leave one of them out, or use two faults";
                problems.error(Code::E013, second.span, "`replace` and `truncate` exclude each other", help);
            }
            (None, None) => {
                let help = "write `with: { replace: oops }` or `with: { truncate: 10B }`";
                nothing_to_do(at, "`http.body` needs `replace` or `truncate`", help, problems);
            }
            _ => {}
        },
        "http.header" => check_header(given("set"), given("remove"), at, problems),
        _ => {}
    }
}

fn nothing_to_do(at: Span, message: &str, help: &str, problems: &mut Problems) {
    problems.push(Diagnostic::error(Code::E012, at, message, help).label("nothing to change"));
}

/// The text of a scalar, unless it was told of already, or holds what only the run knows.
fn text(node: &Node) -> Option<String> {
    let scalar = node.scalar().filter(|scalar| !scalar.broken && !scalar.is_null())?;
    scalar.literal().map(str::to_owned)
}

fn check_path(path: &Node, problems: &mut Problems) {
    let Some(text) = text(path) else { return };
    if !text.starts_with(['/', '*']) {
        let help = format!("write `/{}`, or begin with `*`", text.escape_debug());
        problems.error(Code::E028, path.span, "no request has this path: a path begins with `/`", help);
    } else if text.contains(['?', '#']) {
        let help = "leave the query out: the path is compared without it";
        problems.error(Code::E028, path.span, "no request has this path: the query does not belong to it", help);
    }
}

fn check_status(status: Option<&Node>, problems: &mut Problems) {
    let Some((status, number)) = status.and_then(|status| Some((status, text(status)?.parse::<u16>().ok()?))) else {
        return;
    };
    if (100..200).contains(&number) {
        let help = "an answer has a status from 200 to 599";
        problems.error(Code::E028, status.span, format!("{number} announces a reply and is none"), help);
    }
}

fn check_header(set: Option<&Node>, remove: Option<&Node>, at: Span, problems: &mut Problems) {
    let set: Vec<&Entry> = set.and_then(Node::entries).into_iter().flatten().collect();
    let remove: Vec<&Node> = match remove.map(|remove| (&remove.value, remove)) {
        Some((Value::List(names), _)) => names.iter().collect(),
        Some((_, one)) => vec![one],
        None => Vec::new(),
    };
    if set.is_empty() && remove.is_empty() {
        let help = "write `with: { set: { cache-control: no-store } }` or `with: { remove: etag }`";
        return nothing_to_do(at, "`http.header` needs `set` or `remove`", help, problems);
    }
    let names = set.iter().map(|entry| (entry.key.text.clone(), entry.key.span, text(&entry.value)));
    let removed: Vec<(String, Span)> = remove.iter().filter_map(|node| Some((text(node)?, node.span))).collect();
    for (name, span, value) in names.chain(removed.iter().map(|(name, span)| (name.clone(), *span, None))) {
        if let Some(why) = refused_field(&name, value.as_deref().unwrap_or_default()) {
            let help = "`set` and `remove` take what a reply says about itself: `cache-control`, `retry-after`, `etag`";
            problems.error(Code::E028, span, why, help);
        }
    }
    for entry in set {
        if let Some((_, span)) = removed.iter().find(|(name, _)| name.eq_ignore_ascii_case(&entry.key.text)) {
            let message = format!("`{}` is set and removed", entry.key.text);
            problems.error(Code::E013, *span, message, "`set` alone takes the place of every header of that name");
        }
    }
}
