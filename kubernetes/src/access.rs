//! What leads to a cluster: one context of the kubeconfig, with the files that it names read in; or the service account of
//! the pod that brunt runs in.
//!
//! The runner finds it and passes it on to the agent by its standard input, so that a fault is undone with the rights that
//! made it, whatever becomes of the files. It is never printed and never written to a journal.

use std::env;
use std::fmt;
use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use hyper::Request;
use hyper::header::{HeaderValue, USER_AGENT};
use kube::Client;
use kube::client::{Body, ClientBuilder};
use kube::config::{AuthInfo, Cluster, Config, KubeConfigOptions, Kubeconfig};
use serde::{Deserialize, Serialize};
use tower::buffer::BufferLayer;

use crate::Identity;
use crate::error::{KubernetesError, in_full};
use crate::throttling::Patience;

/// How long a connection may take.
const CONNECT: Duration = Duration::from_secs(4);

/// As many calls of a client may be on their way to the connection at the same time.
const WAITING: usize = 64;

/// See the module.
#[derive(Clone, Serialize, Deserialize)]
pub struct Access {
    context: Option<String>,
    files: Vec<PathBuf>,
    /// `None`: by the service account of this pod, which its own files tell anew each time, for its token changes.
    kubeconfig: Option<Box<Kubeconfig>>,
}

/// Without anything secret.
impl fmt::Debug for Access {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Access").field("context", &self.context).field("files", &self.files).finish_non_exhaustive()
    }
}

impl fmt::Display for Access {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.context {
            Some(context) => write!(f, "the cluster of context `{context}`"),
            None => f.write_str("the cluster that brunt runs in"),
        }
    }
}

impl Access {
    /// By the files of `KUBECONFIG`, else `~/.kube/config`, else the pod's own service account.
    ///
    /// # Errors
    /// None of them is there, or a file cannot be used.
    pub fn find(context: Option<&str>) -> Result<Self, KubernetesError> {
        let files = files_of(|name| env::var_os(name).filter(|value| !value.is_empty()));
        let there: Vec<PathBuf> = files.iter().filter(|file| file.exists()).cloned().collect();
        if !there.is_empty() {
            return Self::of_files(there, context);
        }
        if context.is_none() && env::var_os("KUBERNETES_SERVICE_HOST").is_some() {
            return Ok(Self { context: None, files: Vec::new(), kubeconfig: None });
        }
        Err(KubernetesError::NoAccess { looked_at: files })
    }

    /// By what a journal names.
    ///
    /// # Errors
    /// As for [`Access::find`].
    pub fn again(identity: &Identity) -> Result<Self, KubernetesError> {
        if identity.files.is_empty() || !identity.files.iter().any(|file| file.exists()) {
            return Self::find(identity.context.as_deref());
        }
        Self::of_files(identity.files.clone(), identity.context.as_deref())
    }

    fn of_files(files: Vec<PathBuf>, context: Option<&str>) -> Result<Self, KubernetesError> {
        let names = files.iter().map(|file| file.display().to_string()).collect::<Vec<_>>().join(":");
        let failed = |why: String| KubernetesError::Config { who: format!("the kubeconfig {names}"), why };
        let mut all = Kubeconfig::default();
        for file in &files {
            let read = Kubeconfig::read_from(file).and_then(|read| all.merge(read));
            all = read.map_err(|error| failed(in_full(&error)))?;
        }
        let named = context.map(str::to_owned).or_else(|| all.current_context.clone().filter(|name| !name.is_empty()));
        let known: Vec<String> = all.contexts.iter().map(|context| context.name.clone()).collect();
        let Some(name) = named else {
            let why = format!("it has no current context; name one with `context:`: {}", known.join(", "));
            return Err(failed(why));
        };
        let Some(chosen) = all.contexts.iter().find(|context| context.name == name).cloned() else {
            return Err(KubernetesError::NoContext { context: name, known });
        };
        let (cluster, user) = chosen.context.as_ref().map_or_else(Default::default, |context| {
            (context.cluster.clone(), context.user.clone().unwrap_or_default())
        });
        let mut only = Kubeconfig {
            clusters: all.clusters.into_iter().filter(|one| one.name == cluster).collect(),
            auth_infos: all.auth_infos.into_iter().filter(|one| one.name == user).collect(),
            contexts: vec![chosen],
            current_context: Some(name.clone()),
            ..Kubeconfig::default()
        };
        let mut clusters = only.clusters.iter_mut().filter_map(|one| one.cluster.as_mut());
        clusters.try_for_each(read_in_cluster).map_err(failed)?;
        let mut users = only.auth_infos.iter_mut().filter_map(|one| one.auth_info.as_mut());
        users.try_for_each(read_in_user).map_err(failed)?;
        let files = files.iter().map(|file| std::path::absolute(file).unwrap_or_else(|_| file.clone())).collect();
        Ok(Self { context: Some(name), files, kubeconfig: Some(Box::new(only)) })
    }

    /// The context's name.
    pub fn context(&self) -> Option<&String> {
        self.context.as_ref()
    }

    /// Where it stands.
    pub fn files(&self) -> &[PathBuf] {
        &self.files
    }

    /// The namespace that is meant where none is named.
    pub fn namespace(&self) -> Option<String> {
        let contexts = self.kubeconfig.as_ref().map(|kubeconfig| &kubeconfig.contexts);
        contexts.and_then(|contexts| contexts.first()?.context.as_ref()?.namespace.clone())
    }

    /// A client; on a runtime, for it has a task of its own there.
    pub(crate) async fn client(&self) -> Result<Client, KubernetesError> {
        let failed = |why: String| KubernetesError::Config { who: self.to_string(), why };
        let mut config = match &self.kubeconfig {
            Some(kubeconfig) => {
                let options = KubeConfigOptions::default();
                let config = Config::from_custom_kubeconfig((**kubeconfig).clone(), &options).await;
                config.map_err(|error| failed(in_full(&error)))?
            }
            None => Config::incluster().map_err(|error| failed(in_full(&error)))?,
        };
        config.connect_timeout = Some(CONNECT);
        config.default_retry = false;
        // So that a cluster's audit log says who it was.
        let agent = HeaderValue::from_static(concat!("brunt/", env!("CARGO_PKG_VERSION")));
        config.headers.push((USER_AGENT, agent));
        let client = ClientBuilder::try_from(config).map_err(|error| failed(in_full(&error)))?;
        // What is asked again needs the way there a second time, and the library makes one that cannot be cloned.
        Ok(client.with_layer(&BufferLayer::<Request<Body>>::new(WAITING)).with_layer(&Patience).build())
    }
}

/// Where a kubeconfig would be.
fn files_of(variable: impl Fn(&str) -> Option<std::ffi::OsString>) -> Vec<PathBuf> {
    match variable("KUBECONFIG") {
        Some(files) => env::split_paths(&files).filter(|file| !file.as_os_str().is_empty()).collect(),
        None => variable("HOME").map(|home| Path::new(&home).join(".kube/config")).into_iter().collect(),
    }
}

/// The content of a file that is named in place of its content.
fn content(file: Option<&String>, there: bool) -> Result<Option<String>, String> {
    let Some(file) = file.filter(|_| !there) else { return Ok(None) };
    let read = fs::read(file).map_err(|error| format!("{file}: {error}"))?;
    Ok(Some(STANDARD.encode(read)))
}

fn read_in_cluster(cluster: &mut Cluster) -> Result<(), String> {
    let there = cluster.certificate_authority_data.is_some();
    if let Some(content) = content(cluster.certificate_authority.as_ref(), there)? {
        cluster.certificate_authority_data = Some(content);
    }
    Ok(())
}

/// A token's file stays a file: what renews the token writes it there.
fn read_in_user(user: &mut AuthInfo) -> Result<(), String> {
    let there = user.client_certificate_data.is_some();
    if let Some(content) = content(user.client_certificate.as_ref(), there)? {
        user.client_certificate_data = Some(content);
    }
    let there = user.client_key_data.is_some();
    if let Some(content) = content(user.client_key.as_ref(), there)? {
        user.client_key_data = Some(content.into());
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    const TWO: &str = "apiVersion: v1\nkind: Config\ncurrent-context: lab\n\
        clusters:\n- {name: a, cluster: {server: 'https://a.example:6443', certificate-authority: ca.pem}}\n\
        - {name: b, cluster: {server: 'https://b.example:6443'}}\n\
        users:\n- {name: one, user: {token: s3cret-one}}\n- {name: two, user: {token: s3cret-two}}\n\
        contexts:\n- {name: lab, context: {cluster: a, user: one, namespace: shop}}\n\
        - {name: prod, context: {cluster: b, user: two}}\n";

    fn written() -> (tempfile::TempDir, PathBuf) {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("config");
        fs::write(&file, TWO).unwrap();
        fs::write(folder.path().join("ca.pem"), "the authority").unwrap();
        (folder, file)
    }

    #[test]
    fn only_what_one_context_needs_is_passed_on_with_its_files_read_in() {
        let (folder, file) = written();
        let lab = Access::of_files(vec![file.clone()], None).unwrap();
        assert_eq!((lab.context().map(String::as_str), lab.namespace().as_deref()), (Some("lab"), Some("shop")));
        drop(folder);
        // As the agent gets it, when the files are gone.
        let passed = serde_json::to_string(&lab).unwrap();
        assert!(
            passed.contains("s3cret-one") && !passed.contains("s3cret-two"),
            "the other context has no business here"
        );
        let back: Access = serde_json::from_str(&passed).unwrap();
        let cluster = back.kubeconfig.unwrap().clusters[0].cluster.clone().unwrap();
        assert_eq!(cluster.certificate_authority_data, Some(STANDARD.encode("the authority")));
        assert_eq!(back.files, [file]);
    }

    #[test]
    fn nothing_secret_is_printed() {
        let (_folder, file) = written();
        let lab = Access::of_files(vec![file], Some("prod")).unwrap();
        assert!(!format!("{lab:?} {lab}").contains("s3cret"));
        assert_eq!(lab.to_string(), "the cluster of context `prod`");
    }

    #[test]
    fn a_context_that_is_not_there_is_told_with_those_that_are() {
        let (_folder, file) = written();
        let error = Access::of_files(vec![file], Some("prdo")).unwrap_err();
        assert_eq!(error.to_string(), "the kubeconfig has no context `prdo`; it has lab, prod");
    }

    #[test]
    fn kubeconfigs_are_looked_for_where_kubectl_does() {
        let of = |kubeconfig: Option<&str>| {
            files_of(|name| match name {
                "KUBECONFIG" => kubeconfig.map(Into::into),
                _ => Some("/home/u".into()),
            })
        };
        assert_eq!(of(None), [PathBuf::from("/home/u/.kube/config")]);
        assert_eq!(of(Some("/a::/b")), [PathBuf::from("/a"), PathBuf::from("/b")]);
        let error = KubernetesError::NoAccess { looked_at: of(None) };
        assert!(error.to_string().contains("there is no /home/u/.kube/config"), "{error}");
    }
}
