//! `journeys:` what one user does, step by step.

pub mod check;
pub mod extract;

use std::time::Duration;

pub use check::Check;
pub use extract::Extract;

use crate::decode::fields::exactly_one;
use crate::decode::{Name, OneOrMany, Pairs, Spanned, record, words};
use crate::diagnostic::{Code, Problems};
use crate::plan::Text;
use crate::units::{Share, Spread};
use crate::yaml::Node;

record! {
    /// A user's way through the system.
    Journey, "a journey";
    /// Where its requests go; may be left out if exactly one target is a `url` or a `service`.
    optional target: Spanned<String>,
    /// Who the user is: a name under `auth`.
    optional auth: Spanned<String>,
    /// Names under `feeders`; each gives one row an iteration.
    optional feed: Spanned<OneOrMany<Spanned<String>>>,
    /// In order.
    required steps: Vec<Step>,
}

record! {
    /// One step: a request, or a pause of the user.
    Step, "a step", check = check_step;
    /// Unique in the journey; default: `step-<n>`.
    optional id: Spanned<Name>,
    /// Requests the path with GET.
    optional get: Spanned<Text>,
    /// Requests the path with POST.
    optional post: Spanned<Text>,
    /// Requests the path with PUT.
    optional put: Spanned<Text>,
    /// Requests the path with PATCH.
    optional patch: Spanned<Text>,
    /// Requests the path with DELETE.
    optional delete: Spanned<Text>,
    /// Requests the path with HEAD.
    optional head: Spanned<Text>,
    /// Request headers.
    optional headers: Pairs<Spanned<Text>>,
    /// A JSON body.
    optional json: Node,
    /// A form body.
    optional form: Pairs<Spanned<Text>>,
    /// A body as it is.
    optional body: Spanned<Text>,
    /// From the intended start to the last byte; default 30s.
    optional timeout: Spanned<Duration>,
    /// Values that later steps use: `{ id: $.id }`, `{ x: { header: H } }`, `{ x: { regex: R } }`.
    optional extract: Pairs<Extract>,
    /// What must hold of the reply; default: a status below 400.
    optional check: Check,
    /// Ask again until the reply is as wanted.
    optional retry_until: Spanned<RetryUntil>,
    /// Repeat failed requests, as a client would.
    optional retry: Spanned<Retry>,
    /// Send a second request when the first is slow.
    optional hedge: Spanned<Hedge>,
    /// Stop sending when too much fails.
    optional breaker: Spanned<Breaker>,
    /// A pause of the user; a step of its own.
    optional think: Spanned<Spread>,
    /// `continue` goes on after a failed step.
    optional on_error: OnError,
}

impl Step {
    /// Method and path of a request.
    pub(crate) fn request(&self) -> Option<(&'static str, &Spanned<Text>)> {
        let methods = [
            ("GET", &self.get),
            ("POST", &self.post),
            ("PUT", &self.put),
            ("PATCH", &self.patch),
            ("DELETE", &self.delete),
            ("HEAD", &self.head),
        ];
        methods.into_iter().find_map(|(method, path)| Some((method, path.as_ref()?)))
    }
}

words! {
    /// What a failed step means for the iteration.
    OnError:
    /// It ends.
    Stop = "stop",
    /// It goes on.
    Continue = "continue",
}

fn check_step(step: &Step, problems: &mut Problems) {
    let given = [
        ("get", step.get.is_some()),
        ("post", step.post.is_some()),
        ("put", step.put.is_some()),
        ("patch", step.patch.is_some()),
        ("delete", step.delete.is_some()),
        ("head", step.head.is_some()),
        ("think", step.think.is_some()),
    ];
    exactly_one(step.span, "a step", &given, problems);
    let bodies = [("json", step.json.is_some()), ("form", step.form.is_some()), ("body", step.body.is_some())];
    if bodies.iter().any(|(_, given)| *given) {
        exactly_one(step.span, "the body of a request", &bodies, problems);
    }
    if let Some(timeout) = step.timeout.as_ref().filter(|timeout| timeout.value.is_zero()) {
        problems.error(Code::E028, timeout.span, "a timeout of zero fails every request", "give it some time: `3s`");
    }
    let until_body = step.retry_until.as_ref().is_some_and(|until| until.value.body.is_some());
    if step.head.is_some() && until_body {
        problems.error(
            Code::E066,
            step.span,
            "the reply to HEAD has no body to wait for",
            "use `get`, or wait for a status",
        );
    }
    if step.head.is_some() && step.check.as_ref().is_some_and(|check| check.body.is_some() || check.regex.is_some()) {
        problems.error(Code::E066, step.span, "the reply to HEAD has no body to check", "use `get`, or check headers");
    }
}

record! {
    /// Ask again until the reply is as wanted.
    RetryUntil, "retry_until", check = check_until;
    /// JSONPath and the value that it must have.
    optional body: Pairs<Node>,
    /// The status that it must have.
    optional status: Spanned<OneOrMany<u16>>,
    /// Gives up so long after the intended start.
    required within: Spanned<Duration>,
    /// From the start of one request to the start of the next.
    required every: Spanned<Duration>,
}

fn check_until(until: &RetryUntil, problems: &mut Problems) {
    let body = until.body.as_ref().is_some_and(|body| !body.0.is_empty());
    if !body && until.status.is_none() {
        let help = "say what the reply must be: `body: { $.state: paid }` or `status: 200`";
        problems.error(Code::E012, until.span, "`retry_until` waits for nothing", help);
    }
    if let Some(status) = &until.status {
        check::check_statuses(status, problems);
    }
    if until.every.value.is_zero() {
        let help = "give the service some time between two requests: `every: 250ms`";
        problems.error(Code::E028, until.every.span, "asking again without a pause", help);
    } else if until.within.value <= until.every.value {
        let help = "`within` must be longer than `every`: `within: 5s, every: 250ms`";
        problems.error(Code::E066, until.within.span, "it would never ask again", help);
    }
}

record! {
    /// Repeat failed requests.
    Retry, "retry";
    /// Requests in all.
    required attempts: u64,
    /// Pause before the next one.
    optional backoff: Spread,
    /// What is repeated: statuses, `timeout`, `connect`.
    optional on: Vec<String>,
    /// At most this share of all requests.
    optional budget: Share,
}

record! {
    /// Send a second request when the first is slow.
    Hedge, "hedge";
    /// When the first has not been answered for this long.
    required after: Duration,
}

record! {
    /// Stop sending when too much fails.
    Breaker, "breaker";
    /// Opens after so many failures in a row.
    optional failures: u64,
    /// Opens above this share of failures.
    optional error_rate: Share,
    /// Stays open for this long.
    optional open_for: Duration,
}
