//! What can go wrong with a cluster, told apart by what to do about it.

use std::error::Error as StdError;
use std::io;
use std::path::PathBuf;
use std::time::Duration;

use kube::core::Status;

/// An operation on a cluster failed.
#[derive(Debug, thiserror::Error)]
pub enum KubernetesError {
    /// Nothing says where a cluster is.
    #[error(
        "no Kubernetes cluster: there is no {}, and brunt runs in no pod; name a kubeconfig in KUBECONFIG",
        list(looked_at)
    )]
    NoAccess {
        /// Where a kubeconfig would be.
        looked_at: Vec<PathBuf>,
    },
    /// The kubeconfig does not have this context.
    #[error(
        "the kubeconfig has no context `{context}`; it has {}", if known.is_empty() { "none".into() } else { known.join(", ") }
    )]
    NoContext {
        /// The name.
        context: String,
        /// Those that it has.
        known: Vec<String>,
    },
    /// What leads to the cluster cannot be used: the kubeconfig, a certificate, a credential plugin.
    #[error("cannot use {who}: {why}")]
    Config {
        /// The kubeconfig, or its context.
        who: String,
        /// What is wrong with it.
        why: String,
    },
    /// No answer came.
    #[error("cannot {action}: {why}; is the cluster up, and is it the right context?")]
    Unreachable {
        /// What was asked for.
        action: String,
        /// Why not.
        why: String,
    },
    /// Whoever stands at the address is nobody whom the kubeconfig believes. The request was not sent.
    #[error(
        "cannot {action}: {why}; nothing was sent, for the certificate that is shown there is of no authority that the kubeconfig \
         names: if the cluster was given a new one, get a new kubeconfig"
    )]
    Untrusted {
        /// What was asked for.
        action: String,
        /// What is wrong with the certificate.
        why: String,
    },
    /// No answer came in time.
    #[error("{server} did not answer within {} s; is the cluster up, and is it the right context?", within.as_secs_f64())]
    Silent {
        /// Which cluster.
        server: String,
        /// How long it was waited for.
        within: Duration,
    },
    /// The cluster does not let this user do it.
    #[error("cannot {action}: {why}; `brunt kube rbac` prints the rights that a scenario needs")]
    Forbidden {
        /// What was asked for.
        action: String,
        /// Its own words, with verb and resource.
        why: String,
    },
    /// A PodDisruptionBudget has no disruption left. Asking again does not help before pods are ready again.
    #[error("cannot {action}: a PodDisruptionBudget does not allow it now: {why}")]
    Budget {
        /// What was asked for.
        action: String,
        /// Its own words.
        why: String,
    },
    /// The API server has too much to do and asks to come back.
    #[error("cannot {action}: the API server is throttling (429), come back in {} s: {why}", after.as_secs())]
    Throttled {
        /// What was asked for.
        action: String,
        /// Its own words.
        why: String,
        /// When it wants to be asked again.
        after: Duration,
    },
    /// There is no such object.
    #[error("cannot {action}: there is none: {why}")]
    Missing {
        /// What was asked for.
        action: String,
        /// Its own words.
        why: String,
    },
    /// The object is not what it was: another UID, or another version.
    #[error("cannot {action}: it is not what it was any more: {why}")]
    Changed {
        /// What was asked for.
        action: String,
        /// Its own words.
        why: String,
    },
    /// It said no for another reason.
    #[error("cannot {action}: {why} (HTTP {status})")]
    Refused {
        /// What was asked for.
        action: String,
        /// The HTTP status.
        status: u16,
        /// Its own words.
        why: String,
    },
    /// Rights are missing, as the cluster says before anything is done.
    #[error("this user may not {missing}; `brunt kube rbac` prints the rights that are needed")]
    Rights {
        /// All of them.
        missing: String,
    },
    /// Another cluster has this name now.
    #[error("another cluster has this name now: planned with was {expected}, found was {found}; nothing was touched")]
    Other {
        /// The one of the plan.
        expected: String,
        /// The UID of this one.
        found: String,
    },
}

impl KubernetesError {
    /// What a failed call means. `action` completes "cannot ...": `delete pod shop/payment-0`.
    pub fn of(action: impl Into<String>, error: kube::Error) -> Self {
        let action = action.into();
        match error {
            kube::Error::Api(status) => Self::answered(action, &status),
            kube::Error::Auth(error) => {
                Self::Config { who: format!("the credentials to {action}"), why: in_full(&error) }
            }
            other if is_distrust(&other) => Self::Untrusted { action, why: in_full(&other) },
            other => Self::Unreachable { action, why: in_full(&other) },
        }
    }

    fn answered(action: String, status: &Status) -> Self {
        let why = if status.message.is_empty() { status.reason.clone() } else { status.message.clone() };
        let details = status.details.as_ref();
        match status.code {
            401 | 403 => Self::Forbidden { action, why },
            404 => Self::Missing { action, why },
            409 => Self::Changed { action, why },
            429 if is_of_budget(status) => Self::Budget { action, why },
            429 => {
                let after = details.map_or(0, |details| details.retry_after_seconds).max(1);
                Self::Throttled { action, why, after: Duration::from_secs(u64::from(after)) }
            }
            status => Self::Refused { action, status, why },
        }
    }

    /// For an object that was there when it was picked.
    pub fn gone(action: impl Into<String>) -> Self {
        Self::Missing { action: action.into(), why: "it is gone since it was picked".into() }
    }

    /// Whether the same question may be answered a little later: the server is gone for a moment, or has too much to do.
    pub fn is_passing(&self) -> bool {
        match self {
            Self::Unreachable { .. } | Self::Silent { .. } | Self::Throttled { .. } => true,
            Self::Refused { status, .. } => *status >= 500,
            _ => false,
        }
    }
}

/// Whether it is a PodDisruptionBudget that refuses: it is named as the cause; a server that throttles names none.
pub(super) fn is_of_budget(status: &Status) -> bool {
    let causes = status.details.iter().flat_map(|details| &details.causes);
    causes.into_iter().any(|cause| cause.reason == "DisruptionBudget")
}

/// Whether a connection was given up for the certificate of the other end. Errors of input and output hide what they are made
/// of from those who ask for their source.
fn is_distrust(error: &(dyn StdError + 'static)) -> bool {
    let of_certificate = matches!(error.downcast_ref(), Some(rustls::Error::InvalidCertificate(_)));
    let hidden = error.downcast_ref::<io::Error>().and_then(io::Error::get_ref);
    of_certificate || hidden.is_some_and(|hidden| is_distrust(hidden)) || error.source().is_some_and(is_distrust)
}

fn list(paths: &[PathBuf]) -> String {
    paths.iter().map(|path| path.display().to_string()).collect::<Vec<_>>().join(" and no ")
}

/// An error with all of its causes, for what keeps only words of it.
pub fn in_full(error: &dyn StdError) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(source) = cause {
        let more = source.to_string();
        if !text.contains(&more) {
            text = format!("{text}: {more}");
        }
        cause = source.source();
    }
    text
}

#[cfg(test)]
mod tests {
    use kube::core::response::{StatusCause, StatusDetails};

    use super::*;

    /// What an API server answers, with the cause and the wish to be asked again that stand in it.
    fn answer(code: u16, cause: Option<&str>, retry_after_seconds: u32) -> KubernetesError {
        let details = StatusDetails {
            name: "payment-0".into(),
            group: String::new(),
            kind: String::new(),
            uid: String::new(),
            causes: cause.map_or_else(Vec::new, |reason| vec![cause_of(reason)]),
            retry_after_seconds,
        };
        let status = Status::failure("no", "").with_code(code).with_details(details);
        KubernetesError::of("evict pod shop/payment-0", kube::Error::Api(status.boxed()))
    }

    fn cause_of(reason: &str) -> StatusCause {
        StatusCause { reason: reason.into(), message: String::new(), field: String::new() }
    }

    #[test]
    fn a_budget_that_says_no_is_told_apart_from_a_server_that_throttles() {
        // A budget, too, may ask to come back: its controller has not counted yet.
        for after in [0, 10] {
            let refused = answer(429, Some("DisruptionBudget"), after);
            assert!(matches!(refused, KubernetesError::Budget { .. }) && !refused.is_passing(), "{refused}");
        }
        let throttled = answer(429, None, 7);
        assert!(throttled.is_passing() && throttled.to_string().contains("come back in 7 s"), "{throttled}");
        assert!(answer(429, None, 0).to_string().contains("come back in 1 s"));
    }

    #[test]
    fn a_certificate_that_is_not_believed_does_not_pass_and_a_broken_connection_does() {
        let of = |error: io::Error| KubernetesError::of("get node n2", kube::Error::Service(Box::new(error)));
        let unknown = rustls::Error::InvalidCertificate(rustls::CertificateError::UnknownIssuer);
        // As the connection wraps it: twice.
        let refused = of(io::Error::other(io::Error::new(io::ErrorKind::InvalidData, unknown)));
        assert!(matches!(refused, KubernetesError::Untrusted { .. }) && !refused.is_passing(), "{refused}");
        assert!(refused.to_string().contains("UnknownIssuer"), "{refused}");
        let broken = of(io::Error::from(io::ErrorKind::ConnectionReset));
        assert!(matches!(broken, KubernetesError::Unreachable { .. }) && broken.is_passing(), "{broken}");
    }

    #[test]
    fn what_passes_is_told_apart_from_what_stays() {
        assert!(answer(503, None, 0).is_passing() && answer(500, None, 0).is_passing());
        for code in [400, 401, 403, 404, 409, 422] {
            assert!(!answer(code, None, 0).is_passing(), "{code}");
        }
        assert!(matches!(answer(403, None, 0), KubernetesError::Forbidden { .. }));
        assert!(matches!(answer(404, None, 0), KubernetesError::Missing { .. }));
        assert!(matches!(answer(409, None, 0), KubernetesError::Changed { .. }));
    }
}
