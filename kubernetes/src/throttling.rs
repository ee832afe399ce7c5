//! An API server that has too much to do: it answers 429 and says when to come back, mostly in plain words, for its filters
//! (priority and fairness, requests in flight) speak before anything has looked at what was asked.
//!
//! So nothing has happened, and the same may be asked again: here, below every call, when the server wants it and as long as
//! [`within`] leaves time for an answer. After that the refusal goes up as the API's own kind of answer, with when to come
//! back, which the plain words have only in a header. The refusal of a PodDisruptionBudget, which is a 429, too, is an answer
//! and passes at once.

use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::Bytes;
use http_body_util::{BodyExt as _, Full};
use hyper::header::{CONTENT_TYPE, HeaderMap, HeaderValue, RETRY_AFTER};
use hyper::{Request, Response, StatusCode};
use kube::client::{Body, DynBody};
use kube::core::Status;
use serde_json::json;
use tokio::time::error::Elapsed;
use tokio::time::{Instant, sleep, timeout};
use tower::{BoxError, Layer, Service, ServiceExt as _};

use crate::error::is_of_budget;

/// What an answer needs once it is asked for.
const TO_ANSWER: Duration = Duration::from_secs(1);
/// More than this is not read of a refusal.
const LONGEST: usize = 1 << 16;

tokio::task_local! {
    /// When whoever asks stops waiting.
    static UNTIL: Instant;
}

/// Does it within some time, some of which may be spent waiting for a server that throttles. Without this nobody waits for one.
pub(super) async fn within<T>(length: Duration, exchange: impl Future<Output = T>) -> Result<T, Elapsed> {
    UNTIL.scope(Instant::now() + length, timeout(length, exchange)).await
}

/// Asks again what a server that throttles has refused.
#[derive(Debug, Clone, Copy)]
pub(super) struct Patience;

impl<S> Layer<S> for Patience {
    type Service = Patient<S>;

    fn layer(&self, inner: S) -> Patient<S> {
        Patient { inner }
    }
}

/// See [`Patience`].
pub(super) struct Patient<S> {
    inner: S,
}

type Answer = Response<Box<DynBody>>;

impl<S> Service<Request<Body>> for Patient<S>
where
    S: Service<Request<Body>, Response = Answer, Error = BoxError> + Clone + Send + 'static,
    S::Future: Send,
{
    type Response = Answer;
    type Error = BoxError;
    type Future = Pin<Box<dyn Future<Output = Result<Answer, BoxError>> + Send>>;

    fn poll_ready(&mut self, context: &mut Context<'_>) -> Poll<Result<(), BoxError>> {
        self.inner.poll_ready(context)
    }

    fn call(&mut self, request: Request<Body>) -> Self::Future {
        // The one that said it was ready is the one to be called.
        let next = self.inner.clone();
        let inner = std::mem::replace(&mut self.inner, next);
        Box::pin(patiently(inner, request))
    }
}

async fn patiently<S>(mut inner: S, mut request: Request<Body>) -> Result<Answer, BoxError>
where
    S: Service<Request<Body>, Response = Answer, Error = BoxError>,
{
    let began = Instant::now();
    let mut tried = 1;
    loop {
        let again = copy(&request);
        let refused = match look(inner.call(request).await?).await? {
            Ok(answer) => return Ok(answer),
            Err(refused) => refused,
        };
        match again {
            Some(again) if is_time_for(refused.after) => request = again,
            _ => return Ok(refused.answer(tried, began.elapsed())),
        }
        sleep(refused.after).await;
        tried += 1;
        inner.ready().await?;
    }
}

fn is_time_for(after: Duration) -> bool {
    UNTIL.try_with(|until| Instant::now() + after + TO_ANSWER <= *until).unwrap_or(false)
}

/// The same once more; what is not at hand as a whole cannot be sent twice.
fn copy(request: &Request<Body>) -> Option<Request<Body>> {
    let mut again = Request::new(request.body().try_clone()?);
    *again.method_mut() = request.method().clone();
    *again.uri_mut() = request.uri().clone();
    *again.version_mut() = request.version();
    *again.headers_mut() = request.headers().clone();
    *again.extensions_mut() = request.extensions().clone();
    Some(again)
}

/// What a server that throttles has said.
struct Refused {
    why: String,
    after: Duration,
}

/// An answer as it was, or that the server throttles.
async fn look(answer: Answer) -> Result<Result<Answer, Refused>, BoxError> {
    if answer.status() != StatusCode::TOO_MANY_REQUESTS {
        return Ok(Ok(answer));
    }
    let (head, mut body) = answer.into_parts();
    let mut said = Vec::new();
    while let Some(frame) = body.frame().await {
        said.extend(frame?.into_data().unwrap_or_default());
        if said.len() > LONGEST {
            break;
        }
    }
    let status = serde_json::from_slice::<Status>(&said).ok();
    if status.as_ref().is_some_and(is_of_budget) {
        return Ok(Ok(Response::from_parts(head, whole(said))));
    }
    let in_body = status.as_ref().and_then(|status| status.details.as_ref()).map(|details| details.retry_after_seconds);
    let after = in_head(&head.headers).or(in_body).unwrap_or(0).max(1);
    let why = status.map_or_else(|| String::from_utf8_lossy(&said).trim().to_owned(), |status| status.message);
    Ok(Err(Refused { why, after: Duration::from_secs(u64::from(after)) }))
}

fn in_head(headers: &HeaderMap) -> Option<u32> {
    headers.get(RETRY_AFTER)?.to_str().ok()?.trim().parse().ok()
}

fn whole(text: impl Into<Bytes>) -> Box<DynBody> {
    Box::new(Full::new(text.into()).map_err(BoxError::from))
}

impl Refused {
    /// As the API itself would say it.
    fn answer(&self, tried: u32, took: Duration) -> Answer {
        let Self { why, after } = self;
        let often = match tried {
            1 => String::new(),
            _ => format!(" (so it said {tried} times in {:.1} s)", took.as_secs_f64()),
        };
        let status = json!({
            "kind": "Status",
            "apiVersion": "v1",
            "status": "Failure",
            "message": format!("{why}{often}"),
            "reason": "TooManyRequests",
            "details": { "retryAfterSeconds": after.as_secs() },
            "code": StatusCode::TOO_MANY_REQUESTS.as_u16(),
        });
        let mut answer = Response::new(whole(status.to_string()));
        *answer.status_mut() = StatusCode::TOO_MANY_REQUESTS;
        answer.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
        answer
    }
}

#[cfg(test)]
mod tests {
    use std::collections::VecDeque;
    use std::sync::{Arc, Mutex};

    use tower::service_fn;

    use super::*;
    use crate::KubernetesError;

    /// As the filters of an API server refuse, in plain words, with when to come back.
    fn throttled(after: &str) -> Answer {
        let mut answer = Response::new(whole("Too many requests, please try again later.\n"));
        *answer.status_mut() = StatusCode::TOO_MANY_REQUESTS;
        answer.headers_mut().insert(RETRY_AFTER, HeaderValue::from_str(after).unwrap());
        answer
    }

    /// As the API refuses an eviction for a budget; it may say when to come back, too.
    fn over_budget() -> Answer {
        let status = json!({
            "kind": "Status", "status": "Failure", "message": "Cannot evict pod", "reason": "TooManyRequests", "code": 429,
            "details": { "causes": [{ "reason": "DisruptionBudget", "message": "needs 3" }], "retryAfterSeconds": 10 },
        });
        let mut answer = Response::new(whole(status.to_string()));
        *answer.status_mut() = StatusCode::TOO_MANY_REQUESTS;
        answer.headers_mut().insert(RETRY_AFTER, HeaderValue::from_static("10"));
        answer
    }

    /// What comes of an eviction that is answered like this, each time of asking, by somebody who has so much time; and what was
    /// sent how often.
    fn evicted(answers: Vec<Answer>, time: Duration) -> (Result<String, KubernetesError>, Vec<String>) {
        let sent = Arc::new(Mutex::new(Vec::new()));
        let (log, answers) = (Arc::clone(&sent), Arc::new(Mutex::new(VecDeque::from(answers))));
        let server = service_fn(move |request: Request<Body>| {
            let (log, answers) = (Arc::clone(&log), Arc::clone(&answers));
            async move {
                let body = request.into_body().collect_bytes().await?;
                log.lock().unwrap().push(String::from_utf8_lossy(&body).into_owned());
                Ok::<_, BoxError>(answers.lock().unwrap().pop_front().expect("it is not asked more often"))
            }
        });
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        let outcome = runtime.block_on(within(time, async {
            let client = kube::Client::new(Patience.layer(server), "shop");
            let request = Request::post("/eviction").body(b"this one".to_vec()).unwrap();
            client.request_text(request).await.map_err(|error| KubernetesError::of("evict pod shop/payment-0", error))
        }));
        let sent = sent.lock().unwrap().clone();
        (outcome.expect("it gives up in time"), sent)
    }

    #[test]
    fn what_a_server_that_throttles_refused_is_asked_again_when_it_wants_it() {
        let began = Instant::now();
        let (outcome, sent) = evicted(vec![throttled("1"), Response::new(whole("done"))], Duration::from_secs(8));
        assert_eq!((outcome.unwrap().as_str(), sent), ("done", vec!["this one".to_owned(); 2]));
        assert!(began.elapsed() >= Duration::from_secs(1), "{:?}", began.elapsed());
    }

    #[test]
    fn who_has_no_time_to_come_back_is_told_that_it_throttles_and_until_when() {
        let (outcome, sent) = evicted(vec![throttled("1"), throttled("7")], Duration::from_secs(4));
        let KubernetesError::Throttled { after, why, .. } = outcome.unwrap_err() else { panic!("it throttles") };
        assert_eq!((after.as_secs(), sent.len()), (7, 2));
        assert!(why.starts_with("Too many requests, please try again later. (so it said 2 times in 1."), "{why}");
    }

    #[test]
    fn a_budget_is_asked_once() {
        let (outcome, sent) = evicted(vec![over_budget()], Duration::from_secs(30));
        assert!(matches!(outcome, Err(KubernetesError::Budget { .. })) && sent.len() == 1, "{outcome:?} {sent:?}");
    }
}
