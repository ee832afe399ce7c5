//! A request step made ready to be sent often: everything that does not change is built once.

use std::sync::Arc;
use std::time::Duration;

use brunt_report::sample::ErrorClass;
use brunt_scenario::plan::{Addresses, Body, Json, Request as Step};
use bytes::Bytes;
use http_body_util::Full;
use hyper::header::{CONNECTION, CONTENT_LENGTH, CONTENT_TYPE, HOST, HeaderMap, HeaderName, HeaderValue, USER_AGENT};
use hyper::{Method, Uri};

use super::LoadError;
use super::check::Judge;
use super::destinations::{Address, Destination};
use super::http::Wanted;
use super::http::failure::Failure;
use super::http::http2::Outgoing;
use super::template::{Scope, Template, Templates};
use super::until::Until;

/// What the server sees as the client, unless the step says otherwise.
const AGENT: &str = concat!("brunt/", env!("CARGO_PKG_VERSION"));

/// A compiled request step.
pub struct Request {
    /// Index into `series_of(plan)`.
    pub series: u16,
    /// Index into the destinations.
    pub destination: usize,
    /// `GET /orders/{{ id }}`: for messages.
    pub label: String,
    /// From the intended start to the last byte.
    pub timeout: Duration,
    /// Checks and extracts.
    pub judge: Judge,
    /// Asks again until the reply is as wanted.
    pub until: Option<Until>,
    /// A failed step does not end the iteration.
    pub continue_on_error: bool,
    /// Some part of it is a template.
    pub needs_scope: bool,
    /// The header of the reply that names who answered.
    instance_header: Option<HeaderName>,
    wanted: Wanted,
    is_late: bool,
    method: Method,
    path: Path,
    /// Request line and header fields as HTTP/1.1 writes them, if nothing in them is late.
    head: Vec<u8>,
    headers: HeaderMap,
    late_headers: Vec<(HeaderName, Template)>,
    own_host: bool,
    own_connection: bool,
    body: Parts,
}

enum Path {
    Fixed(Uri),
    Late { prefix: String, template: Template },
}

/// A body as a row of pieces; one fixed piece is shared by all requests.
enum Parts {
    None,
    Fixed(Bytes),
    Late(Vec<Part>),
}

enum Part {
    Fixed(String),
    Late(Template, Escape),
}

#[derive(Clone, Copy)]
enum Escape {
    None,
    Json,
    Form,
}

/// A request of one iteration.
pub struct Prepared<'a> {
    request: &'a Request,
    rendered: Option<Rendered>,
    tls: bool,
}

/// The parts of one request that were rendered for one iteration.
struct Rendered {
    uri: Uri,
    headers: HeaderMap,
    body: Option<Bytes>,
}

impl Request {
    /// Compiles a step. Addresses of services and links are known by now.
    pub fn compile(
        step: &Step,
        series: u16,
        destination: (usize, &Destination),
        templates: &mut Templates,
        known: &Addresses,
    ) -> Result<Self, LoadError> {
        let wrong = |what: &str, why: &dyn std::fmt::Display| LoadError::step(&step.id, &format!("{what}: {why}"));
        let method = Method::from_bytes(step.method.as_bytes()).map_err(|error| wrong("the method", &error))?;
        let path = match templates.compile(&step.path, known).map_err(|error| wrong("the path", &error))? {
            Template::Fixed(path) => {
                Path::Fixed(uri(&destination.1.prefix, &path).map_err(|error| wrong("the path", &error))?)
            }
            template => Path::Late { prefix: destination.1.prefix.clone(), template },
        };
        let body = Parts::compile(&step.body, templates, known).map_err(|error| wrong("the body", &error))?;
        let mut headers = HeaderMap::new();
        let mut late_headers = Vec::new();
        for (name, value) in &step.headers {
            let header = HeaderName::from_bytes(name.as_bytes()).map_err(|error| wrong(name, &error))?;
            match templates.compile(value, known).map_err(|error| wrong(name, &error))? {
                Template::Fixed(value) => {
                    // The value may be a secret: it is not shown.
                    let value = HeaderValue::from_str(&value).map_err(|error| wrong(name, &error))?;
                    headers.append(header, value);
                }
                template => late_headers.push((header, template)),
            }
        }
        let is_given =
            |name: &HeaderName| step.headers.iter().any(|(given, _)| given.eq_ignore_ascii_case(name.as_str()));
        let content_type = match &step.body {
            Body::Json(_) => Some("application/json"),
            Body::Form(_) => Some("application/x-www-form-urlencoded"),
            Body::None | Body::Raw(_) => None,
        };
        if let Some(content_type) = content_type.filter(|_| !is_given(&CONTENT_TYPE)) {
            headers.insert(CONTENT_TYPE, HeaderValue::from_static(content_type));
        }
        if !is_given(&USER_AGENT) {
            headers.insert(USER_AGENT, HeaderValue::from_static(AGENT));
        }
        match &body {
            Parts::Fixed(bytes) if !is_given(&CONTENT_LENGTH) => {
                headers.insert(CONTENT_LENGTH, bytes.len().into());
            }
            // Servers wait for a body after these unless they are told that there is none (RFC 9110, 8.6).
            Parts::None if matches!(step.method, "POST" | "PUT" | "PATCH") && !is_given(&CONTENT_LENGTH) => {
                headers.insert(CONTENT_LENGTH, HeaderValue::from_static("0"));
            }
            _ => {}
        }
        // A status that is waited for is one that is wanted: `retry_until: { status: 404 }` needs no `check` to say so twice.
        let mut check = step.check.clone();
        if let (true, Some(until)) = (check.status.is_empty(), &step.retry_until) {
            check.status.clone_from(&until.status);
        }
        let judge = Judge::compile(&step.id, &check, &step.extract, templates, known)?;
        let until = Until::compile(step, templates, known)?;
        let waited = until.as_ref().map(Until::wanted);
        let is_late = matches!(path, Path::Late { .. }) || !late_headers.is_empty() || matches!(body, Parts::Late(_));
        let named = |name: &String| HeaderName::from_bytes(name.as_bytes()).map_err(|error| wrong(name, &error));
        let instance_header = step.instance_header.as_ref().map(named).transpose()?;
        let wanted = Wanted {
            body: judge.reads_body() || waited.is_some_and(Judge::reads_body),
            headers: judge.reads_headers() || instance_header.is_some(),
            is_head: step.method == "HEAD",
        };
        let mut head = Vec::new();
        if let (Path::Fixed(uri), false) = (&path, is_late) {
            write_head(&method, uri, &headers, &mut head);
        }
        Ok(Self {
            series,
            destination: destination.0,
            label: format!("{} {}", step.method, step.path),
            timeout: step.timeout,
            needs_scope: is_late || judge.needs_scope() || waited.is_some_and(Judge::needs_scope),
            judge,
            until,
            continue_on_error: step.continue_on_error,
            instance_header,
            wanted,
            is_late,
            method,
            path,
            head,
            headers,
            late_headers,
            own_host: is_given(&HOST),
            own_connection: is_given(&CONNECTION),
            body,
        })
    }

    /// Renders what is late for one iteration. A template that cannot be rendered fails the step with class `check`: nothing
    /// is sent.
    pub fn prepare(
        &self,
        templates: &Templates,
        scope: Option<&Arc<Scope>>,
        tls: bool,
    ) -> Result<Prepared<'_>, Failure> {
        let rendered = match scope {
            Some(scope) if self.is_late => Some(self.render(templates, scope)?),
            _ => None,
        };
        Ok(Prepared { request: self, rendered, tls })
    }

    fn render(&self, templates: &Templates, scope: &Arc<Scope>) -> Result<Rendered, Failure> {
        let failed = |what: &str, why: &dyn std::fmt::Display| {
            Failure::new(ErrorClass::Check, format!("{}: {what}: {why}", self.label))
        };
        let uri = match &self.path {
            Path::Fixed(fixed) => fixed.clone(),
            Path::Late { prefix, template } => {
                let path = templates.render(template, scope).map_err(|error| failed("the path", &error))?;
                uri(prefix, &path).map_err(|error| failed("the path", &error))?
            }
        };
        let mut headers = self.headers.clone();
        for (name, template) in &self.late_headers {
            let value = templates.render(template, scope).map_err(|error| failed(name.as_str(), &error))?;
            headers.append(name, HeaderValue::from_str(&value).map_err(|error| failed(name.as_str(), &error))?);
        }
        let body = match &self.body {
            Parts::Late(parts) => {
                let body = render_body(parts, templates, scope).map_err(|error| failed("the body", &error))?;
                if !headers.contains_key(CONTENT_LENGTH) {
                    headers.insert(CONTENT_LENGTH, body.len().into());
                }
                Some(body.into())
            }
            _ => None,
        };
        Ok(Rendered { uri, headers, body })
    }
}

impl Prepared<'_> {
    /// Index of its destination.
    pub fn destination(&self) -> usize {
        self.request.destination
    }

    /// The header of the reply that names who answered.
    pub fn instance_header(&self) -> Option<&HeaderName> {
        self.request.instance_header.as_ref()
    }

    /// What of the reply has to be kept.
    pub fn wanted(&self) -> Wanted {
        self.request.wanted
    }

    /// Puts the bytes for an HTTP/1.1 connection to `address` at the end of `out`. If it `is_last`, the server is told that
    /// the connection is done with (RFC 9112, 9.6), so that it does not wait for more.
    pub fn write_http1(&self, address: &Address, is_last: bool, out: &mut Vec<u8>) {
        match &self.rendered {
            Some(rendered) => write_head(&self.request.method, &rendered.uri, &rendered.headers, out),
            None => out.extend_from_slice(&self.request.head),
        }
        if !self.request.own_host {
            out.extend_from_slice(b"host: ");
            out.extend_from_slice(address.authority.as_bytes());
            out.extend_from_slice(b"\r\n");
        }
        if is_last && !self.request.own_connection {
            out.extend_from_slice(b"connection: close\r\n");
        }
        out.extend_from_slice(b"\r\n");
        out.extend_from_slice(&self.body());
    }

    /// The request for an HTTP/2 connection to `address`.
    pub fn http2(&self, address: &Address) -> Result<Outgoing, Failure> {
        let (uri, headers) = match (&self.rendered, &self.request.path) {
            (Some(rendered), _) => (&rendered.uri, &rendered.headers),
            (None, Path::Fixed(uri)) => (uri, &self.request.headers),
            (None, Path::Late { .. }) => {
                return Err(Failure::new(ErrorClass::Check, "a template without its iteration"));
            }
        };
        let mut request = hyper::Request::new(Full::new(self.body()));
        *request.method_mut() = self.request.method.clone();
        *request.headers_mut() = headers.clone();
        *request.version_mut() = hyper::Version::HTTP_2;
        *request.uri_mut() = absolute(uri, address, self.tls)?;
        Ok(request)
    }

    fn body(&self) -> Bytes {
        match (&self.rendered, &self.request.body) {
            (Some(Rendered { body: Some(body), .. }), _) | (_, Parts::Fixed(body)) => body.clone(),
            _ => Bytes::new(),
        }
    }
}

/// Request line and header fields, without `host` and the empty line.
fn write_head(method: &Method, uri: &Uri, headers: &HeaderMap, out: &mut Vec<u8>) {
    let path = uri.path_and_query().map_or("/", |path| path.as_str());
    for part in [method.as_str(), " ", path, " HTTP/1.1\r\n"] {
        out.extend_from_slice(part.as_bytes());
    }
    for (name, value) in headers {
        for part in [name.as_str().as_bytes(), b": ", value.as_bytes(), b"\r\n"] {
            out.extend_from_slice(part);
        }
    }
}

fn uri(prefix: &str, path: &str) -> Result<Uri, hyper::http::uri::InvalidUri> {
    let slash = if path.starts_with('/') { "" } else { "/" };
    // A fragment is never sent (RFC 9110, 7.1).
    let path = path.split_once('#').map_or(path, |(path, _fragment)| path);
    Uri::try_from(format!("{prefix}{slash}{path}"))
}

fn absolute(path: &Uri, address: &Address, tls: bool) -> Result<Uri, Failure> {
    let mut parts = path.clone().into_parts();
    let protocol = |error: &dyn std::fmt::Display| Failure::new(ErrorClass::Protocol, format!("{path}: {error}"));
    parts.scheme = Some(if tls { hyper::http::uri::Scheme::HTTPS } else { hyper::http::uri::Scheme::HTTP });
    let authority = hyper::http::uri::Authority::try_from(address.authority.as_bytes());
    parts.authority = Some(authority.map_err(|error| protocol(&error))?);
    Uri::from_parts(parts).map_err(|error| protocol(&error))
}

fn render_body(
    parts: &[Part],
    templates: &Templates,
    scope: &Arc<Scope>,
) -> Result<String, super::template::TemplateError> {
    let mut body = String::new();
    for part in parts {
        match part {
            Part::Fixed(text) => body.push_str(text),
            Part::Late(template, escape) => escape.push(&mut body, &templates.render(template, scope)?),
        }
    }
    Ok(body)
}

impl Parts {
    fn compile(
        body: &Body,
        templates: &mut Templates,
        known: &Addresses,
    ) -> Result<Self, super::template::TemplateError> {
        let mut parts = vec![Part::Fixed(String::new())];
        match body {
            Body::None => return Ok(Self::None),
            Body::Raw(text) => push(&mut parts, templates.compile(text, known)?, Escape::None),
            Body::Json(json) => push_json(&mut parts, json, templates, known)?,
            Body::Form(fields) => {
                for (index, (name, value)) in fields.iter().enumerate() {
                    let ampersand = if index == 0 { "" } else { "&" };
                    let mut escaped = String::new();
                    Escape::Form.push(&mut escaped, name);
                    push_fixed(&mut parts, &format!("{ampersand}{escaped}="));
                    push(&mut parts, templates.compile(value, known)?, Escape::Form);
                }
            }
        }
        Ok(match parts.as_slice() {
            [Part::Fixed(only)] => Self::Fixed(only.clone().into()),
            _ => Self::Late(parts),
        })
    }
}

fn push_json(
    parts: &mut Vec<Part>,
    json: &Json,
    templates: &mut Templates,
    known: &Addresses,
) -> Result<(), super::template::TemplateError> {
    match json {
        Json::Null => push_fixed(parts, "null"),
        Json::Bool(value) => push_fixed(parts, if *value { "true" } else { "false" }),
        Json::Number(number) => push_fixed(parts, &number.to_string()),
        Json::Text(text) => {
            push_fixed(parts, "\"");
            push(parts, templates.compile(text, known)?, Escape::Json);
            push_fixed(parts, "\"");
        }
        Json::Array(items) => {
            push_fixed(parts, "[");
            for (index, item) in items.iter().enumerate() {
                push_fixed(parts, if index == 0 { "" } else { "," });
                push_json(parts, item, templates, known)?;
            }
            push_fixed(parts, "]");
        }
        Json::Object(fields) => {
            push_fixed(parts, "{");
            for (index, (name, value)) in fields.iter().enumerate() {
                push_fixed(parts, if index == 0 { "\"" } else { ",\"" });
                push(parts, Template::Fixed(name.clone()), Escape::Json);
                push_fixed(parts, "\":");
                push_json(parts, value, templates, known)?;
            }
            push_fixed(parts, "}");
        }
    }
    Ok(())
}

fn push(parts: &mut Vec<Part>, template: Template, escape: Escape) {
    match template {
        Template::Fixed(text) => {
            let mut escaped = String::new();
            escape.push(&mut escaped, &text);
            push_fixed(parts, &escaped);
        }
        late => parts.push(Part::Late(late, escape)),
    }
}

fn push_fixed(parts: &mut Vec<Part>, text: &str) {
    match parts.last_mut() {
        Some(Part::Fixed(last)) => last.push_str(text),
        _ => parts.push(Part::Fixed(text.to_owned())),
    }
}

impl Escape {
    fn push(self, out: &mut String, text: &str) {
        match self {
            Self::None => out.push_str(text),
            Self::Json => {
                let quoted = serde_json::Value::String(text.to_owned()).to_string();
                out.push_str(&quoted[1..quoted.len() - 1]);
            }
            // application/x-www-form-urlencoded, as the WHATWG URL standard writes it.
            Self::Form => {
                for byte in text.bytes() {
                    match byte {
                        b' ' => out.push('+'),
                        b'*' | b'-' | b'.' | b'_' | b'0'..=b'9' | b'A'..=b'Z' | b'a'..=b'z' => out.push(byte.into()),
                        _ => out.push_str(&format!("%{byte:02X}")),
                    }
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use brunt_scenario::plan::Text;

    use super::*;
    use crate::clock::Clock;

    fn body(body: &Body) -> String {
        let mut templates = Templates::default();
        let parts = Parts::compile(body, &mut templates, &Addresses::default()).unwrap();
        let scope = Scope::new(Clock::start(), 1, 0, (9, 0), (None, Vec::new()));
        scope.set("quote", "say \"hi\" & bye".into());
        match parts {
            Parts::None => String::new(),
            Parts::Fixed(bytes) => format!("fixed {}", String::from_utf8(bytes.to_vec()).unwrap()),
            Parts::Late(parts) => render_body(&parts, &templates, &scope).unwrap(),
        }
    }

    #[test]
    fn json_that_never_changes_is_one_piece() {
        let json = Json::Object(vec![
            ("a".into(), Json::Array(vec![Json::Null, Json::Bool(true), Json::Number(3.into())])),
            ("b \"c\"".into(), Json::Text(Text::literal("x\ny"))),
        ]);
        assert_eq!(body(&Body::Json(json)), r#"fixed {"a":[null,true,3],"b \"c\"":"x\ny"}"#);
    }

    #[test]
    fn values_are_escaped_after_rendering() {
        let json = Json::Object(vec![("text".into(), Json::Text(Text::literal("{{ quote }}!")))]);
        assert_eq!(body(&Body::Json(json)), r#"{"text":"say \"hi\" & bye!"}"#);
        let form = Body::Form(vec![("a b".into(), Text::literal("{{ quote }}")), ("n".into(), Text::literal("1+1"))]);
        assert_eq!(body(&form), "a+b=say+%22hi%22+%26+bye&n=1%2B1");
        assert_eq!(body(&Body::Raw(Text::literal("<{{ iteration }}>"))), "<9>");
    }

    #[test]
    fn a_path_gets_the_prefix_of_its_target_and_loses_its_fragment() {
        assert_eq!(uri("/api", "/a?b=c#d").unwrap().to_string(), "/api/a?b=c");
        assert_eq!(uri("", "a").unwrap().to_string(), "/a");
        assert!(uri("", "/a b").is_err());
    }
}
