//! Checks from outside the load: readiness of services and the probes of the steady state.
//!
//! Each check opens a connection of its own: a kept connection would go on to work while new clients are refused. A check
//! of one probe never overlaps the next one: a slow one skips its turns.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use brunt_kubernetes::standing::Standing;
use brunt_scenario::plan::{Addresses, Plan, Probe, ProbeKind, Target};
use http_body_util::{BodyExt, Empty};
use hyper_util::rt::TokioIo;
use rustls::pki_types::ServerName;
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;

use crate::load::tls;

pub mod cluster;
pub mod command;

use command::Command;

/// What a probe asks, with every address filled in.
#[derive(Debug, Clone)]
pub enum Question {
    /// A GET answers with this status.
    Http {
        /// One URL for each instance of the target; all of them are asked.
        urls: Vec<String>,
        /// Expected.
        status: u16,
    },
    /// A connection to `host:port` opens.
    Tcp(String),
    /// A command ends with an exit code.
    Command(Command),
    /// The API of a cluster says so.
    Kubernetes(Arc<Standing>),
}

/// Fills in the addresses of a probe.
///
/// # Errors
/// In words, when its target has no address, or nothing leads to its cluster.
pub fn question(probe: &Probe, plan: &Plan, addresses: &Addresses) -> Result<Question, String> {
    match &probe.kind {
        ProbeKind::Tcp { address } => {
            address.fill(addresses, None).map(Question::Tcp).map_err(|error| format!("probe `{}`: {error}", probe.id))
        }
        ProbeKind::Http { target, path, status } => {
            let bases =
                urls_of(target, &plan.targets, addresses).map_err(|why| format!("probe `{}`: {why}", probe.id))?;
            let urls = bases.iter().map(|base| format!("{}{path}", base.trim_end_matches('/'))).collect();
            Ok(Question::Http { urls, status: *status })
        }
        ProbeKind::Kubernetes { target, expect } => {
            let Some(Target::Kubernetes(wanted)) = plan.targets.get(target) else {
                return Err(format!("probe `{}`: target `{target}` is in no cluster", probe.id));
            };
            let standing = Standing::of(wanted, *expect).map_err(|error| format!("probe `{}`: {error}", probe.id))?;
            Ok(Question::Kubernetes(Arc::new(standing)))
        }
        ProbeKind::Command { run, cwd, exit } => {
            let words = run.iter().map(|text| text.fill(addresses, None)).collect::<Result<_, _>>();
            Ok(Question::Command(Command {
                run: words.map_err(|error| format!("probe `{}`: {error}", probe.id))?,
                name: run.first().map(ToString::to_string).unwrap_or_default(),
                cwd: cwd.clone(),
                exit: *exit,
            }))
        }
    }
}

fn urls_of(name: &str, targets: &BTreeMap<String, Target>, addresses: &Addresses) -> Result<Vec<String>, String> {
    match targets.get(name) {
        Some(Target::Url(text)) => Ok(vec![text.fill(addresses, None).map_err(|error| error.to_string())?]),
        Some(Target::Service(service)) => Ok(addresses.services.get(service).cloned().unwrap_or_default()),
        Some(Target::Link(link)) => Ok(addresses.links.get(link).cloned().unwrap_or_default()),
        _ => Err(format!("target `{name}` has no address")),
    }
}

/// Asks once.
///
/// # Errors
/// What did not hold, in words.
pub async fn ask(question: &Question, timeout: Duration, insecure: bool) -> Result<(), String> {
    match question {
        Question::Tcp(address) => connect(address, timeout).await,
        Question::Command(command) => command::run(command, timeout).await,
        Question::Kubernetes(standing) => match tokio::time::timeout(timeout, standing.ask()).await {
            Ok(stands) => stands.map_err(|why| why.to_string()),
            Err(_) => Err(format!("not known: the cluster did not answer within {} ms", timeout.as_millis())),
        },
        Question::Http { urls, status } => {
            for url in urls {
                let got = get(url, timeout, insecure).await?;
                if got != *status {
                    return Err(format!("GET {url} answered {got}, not {status}"));
                }
            }
            Ok(())
        }
    }
}

/// Opens a TCP connection and closes it again.
///
/// # Errors
/// In words.
pub async fn connect(address: &str, timeout: Duration) -> Result<(), String> {
    match tokio::time::timeout(timeout, TcpStream::connect(address)).await {
        Ok(Ok(_)) => Ok(()),
        Ok(Err(error)) => Err(format!("connecting to {address}: {error}")),
        Err(_) => Err(format!("connecting to {address}: no answer within {} ms", timeout.as_millis())),
    }
}

/// The status of a GET over a connection of its own.
///
/// # Errors
/// In words: no connection, no answer in time, or no HTTP.
pub async fn get(url: &str, timeout: Duration, insecure: bool) -> Result<u16, String> {
    match tokio::time::timeout(timeout, get_unbounded(url, insecure)).await {
        Ok(answer) => answer.map_err(|why| format!("GET {url}: {why}")),
        Err(_) => Err(format!("GET {url}: no answer within {} ms", timeout.as_millis())),
    }
}

async fn get_unbounded(url: &str, insecure: bool) -> Result<u16, String> {
    let uri: hyper::Uri = url.parse().map_err(|error| format!("not a URL: {error}"))?;
    let host = uri.host().ok_or("the URL has no host")?.to_owned();
    let https = uri.scheme_str() == Some("https");
    let port = uri.port_u16().unwrap_or(if https { 443 } else { 80 });
    let stream = TcpStream::connect((host.trim_matches(['[', ']']), port)).await.map_err(|error| error.to_string())?;
    if https {
        let config = tls::client_config(insecure).map_err(|error| error.to_string())?;
        let name = ServerName::try_from(host).map_err(|error| error.to_string())?;
        let stream = TlsConnector::from(config).connect(name, stream).await.map_err(|error| error.to_string())?;
        status_over(TokioIo::new(stream), &uri).await
    } else {
        status_over(TokioIo::new(stream), &uri).await
    }
}

async fn status_over<S>(io: S, uri: &hyper::Uri) -> Result<u16, String>
where
    S: hyper::rt::Read + hyper::rt::Write + Unpin,
{
    let (mut sender, connection) =
        hyper::client::conn::http1::handshake(io).await.map_err(|error| error.to_string())?;
    let path = uri.path_and_query().map_or("/", |path| path.as_str());
    let request = hyper::Request::get(path)
        .header("host", uri.authority().map_or("", |authority| authority.as_str()))
        .header("user-agent", concat!("brunt/", env!("CARGO_PKG_VERSION")))
        .body(Empty::<bytes::Bytes>::new())
        .map_err(|error| error.to_string())?;
    let answer = async {
        let response = sender.send_request(request).await?;
        let status = response.status().as_u16();
        response.into_body().collect().await?;
        Ok::<_, hyper::Error>(status)
    };
    // Both futures run here, so that dropping this one (the time-out) closes the connection as well.
    tokio::pin!(connection);
    tokio::pin!(answer);
    let mut connection_over = false;
    loop {
        tokio::select! {
            status = &mut answer => return status.map_err(|error| error.to_string()),
            ended = &mut connection, if !connection_over => {
                connection_over = true;
                ended.map_err(|error| error.to_string())?;
            }
        }
    }
}
