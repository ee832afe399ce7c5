//! What went wrong with a request, by what a person would act on.

use std::error::Error;
use std::fmt::Display;
use std::io;
use std::net::SocketAddr;

use brunt_report::sample::ErrorClass;

/// Why a request failed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Failure {
    /// The class that is counted.
    pub class: ErrorClass,
    /// For the examples in the report; secrets are masked later.
    pub text: String,
    /// The generator's own limit that was hit: then the whole run cannot be trusted.
    pub exhausted: Option<Exhausted>,
}

/// Something of which the generator has run out.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Exhausted {
    /// EMFILE or ENFILE.
    Descriptors,
    /// EADDRNOTAVAIL.
    Ports,
}

impl Failure {
    /// A failure that has nothing to do with the generator.
    pub fn new(class: ErrorClass, text: impl Into<String>) -> Self {
        Self { class, text: text.into(), exhausted: None }
    }

    /// The TCP connection did not open.
    pub fn connect(socket: SocketAddr, error: &io::Error) -> Self {
        let errno = error.raw_os_error().map(nix::errno::Errno::from_raw);
        let (class, exhausted) = match errno {
            Some(nix::errno::Errno::EMFILE | nix::errno::Errno::ENFILE) => {
                (ErrorClass::ConnectRefused, Some(Exhausted::Descriptors))
            }
            Some(nix::errno::Errno::EADDRNOTAVAIL) => (ErrorClass::ConnectRefused, Some(Exhausted::Ports)),
            _ => match error.kind() {
                // An unreachable host is one that did not answer in time: the kernel gave up before we did.
                io::ErrorKind::TimedOut | io::ErrorKind::HostUnreachable | io::ErrorKind::NetworkUnreachable => {
                    (ErrorClass::ConnectTimeout, None)
                }
                io::ErrorKind::ConnectionReset | io::ErrorKind::ConnectionAborted => (ErrorClass::Reset, None),
                _ => (ErrorClass::ConnectRefused, None),
            },
        };
        let text = match (error.kind(), exhausted) {
            (_, Some(Exhausted::Descriptors)) => format!("no file descriptor left to connect to {socket}"),
            (_, Some(Exhausted::Ports)) => format!("no local port left to connect to {socket}"),
            (io::ErrorKind::ConnectionRefused, _) => format!("connection refused by {socket}"),
            _ => format!("cannot connect to {socket}: {error}"),
        };
        Self { class, text, exhausted }
    }

    /// TLS cannot even begin.
    pub fn tls(socket: SocketAddr, error: &dyn Display) -> Self {
        Self::new(ErrorClass::Tls, format!("TLS with {socket}: {error}"))
    }

    /// The TLS handshake failed, or the connection broke during it.
    pub fn handshake(socket: SocketAddr, error: &io::Error) -> Self {
        Self::tls(socket, error)
    }

    /// hyper gave up on a request over HTTP/2. What breaks its rules ends the connection, and counts as that.
    pub fn http2(error: &hyper::Error) -> Self {
        let mut text = error.to_string();
        let mut cause = error.source();
        while let Some(inner) = cause {
            let inner_text = inner.to_string();
            if !text.contains(&inner_text) {
                text = format!("{text}: {inner_text}");
            }
            cause = inner.source();
        }
        Self::new(ErrorClass::Reset, text)
    }
}
