//! One post: found, connected, signed, answered or not.

use std::io;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use http_body_util::{BodyExt as _, Full, Limited};
use hyper::body::Bytes;
use hyper::client::conn::http1::{SendRequest, handshake};
use hyper::{Request, StatusCode, header};
use hyper_util::rt::TokioIo;
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, ServerName};
use rustls::{ClientConfig, RootCertStore};
use tokio::net::{TcpStream, lookup_host};
use tokio::task::JoinHandle;
use tokio::time::timeout;
use tokio_rustls::TlsConnector;

use crate::address::{Address, may_reach};
use crate::message::Message;
use crate::retry::{Outcome, Why};
use crate::secret::Secret;

/// From the name to the end of the answer.
const DEADLINE: Duration = Duration::from_secs(15);
/// To one of a name's machines; then the next one is tried.
const CONNECT: Duration = Duration::from_secs(4);
/// Machines of one name that are tried.
const MACHINES: usize = 4;
/// What is read of an answer, and thrown away; a connection with a longer one is not used again.
const ANSWER_MAX: usize = 16 * 1024;

/// The way to receivers: whose certificates are believed, and whether the server itself may be one. Cheap to clone.
#[derive(Clone)]
pub struct Way {
    tls: TlsConnector,
    loopback: bool,
}

/// Why there is no way.
#[derive(Debug, thiserror::Error)]
pub enum WayError {
    /// The file of authorities is missing or damaged.
    #[error("{path} cannot be used")]
    File {
        /// The file.
        path: PathBuf,
        /// Why.
        source: rustls::pki_types::pem::Error,
    },
    /// A certificate in it is none.
    #[error("the authorities cannot be used")]
    Tls(#[from] rustls::Error),
}

impl Way {
    /// Believes the system's authorities, and those of a PEM file besides; `loopback` lets webhooks reach the server's own
    /// machine.
    ///
    /// # Errors
    /// When the file cannot be used.
    pub fn new(authorities: Option<&Path>, loopback: bool) -> Result<Self, WayError> {
        let mut roots = RootCertStore::empty();
        // What the system has that is none of ours to judge is left out.
        roots.add_parsable_certificates(rustls_native_certs::load_native_certs().certs);
        if let Some(path) = authorities {
            let bad = |source| WayError::File { path: path.to_owned(), source };
            for root in CertificateDer::pem_file_iter(path).map_err(bad)? {
                roots.add(root.map_err(bad)?)?;
            }
        }
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let config = ClientConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()?
            .with_root_certificates(roots)
            .with_no_client_auth();
        Ok(Self { tls: TlsConnector::from(Arc::new(config)), loopback })
    }
}

/// The line to one receiver. Kept open between posts where the receiver lets it.
pub(crate) struct Line {
    way: Way,
    open: Option<Open>,
}

struct Open {
    sender: SendRequest<Full<Bytes>>,
    driver: JoinHandle<()>,
}

impl Drop for Open {
    fn drop(&mut self) {
        self.driver.abort();
    }
}

impl Line {
    pub(crate) fn new(way: Way) -> Self {
        Self { way, open: None }
    }

    /// Posts a message, signed with each of the secrets; `now` in seconds since 1970. Follows nobody anywhere else.
    pub(crate) async fn post(
        &mut self,
        address: &Address,
        secrets: &[&Secret],
        message: &Message,
        now: i64,
    ) -> Outcome {
        let signatures: Vec<_> =
            secrets.iter().map(|secret| secret.sign(&message.id, now, &message.body)).collect();
        let request = || {
            Request::post(address.path())
                .header(header::HOST, address.authority())
                .header(header::CONTENT_TYPE, "application/json")
                .header(header::USER_AGENT, "Gatehouse")
                .header("webhook-id", &message.id)
                .header("webhook-timestamp", now)
                .header("webhook-signature", signatures.join(" "))
                .body(Full::new(Bytes::copy_from_slice(&message.body)))
                .expect("parsed addresses and our own text make a request")
        };
        let posted = timeout(DEADLINE, async {
            if let Some(mut open) = self.open.take().filter(|open| open.sender.is_ready()) {
                // One that was closed meanwhile says nothing of the receiver.
                if let Ok(answered) = self.ask(&mut open.sender, request()).await {
                    return Ok(self.keep(open, answered));
                }
            }
            let mut open = self.connect(address).await?;
            let answered = self.ask(&mut open.sender, request()).await.map_err(|_| Why::Broken)?;
            Ok(self.keep(open, answered))
        });
        match posted.await {
            Ok(Ok(outcome)) => outcome,
            Ok(Err(why)) => Outcome::Unanswered(why),
            Err(_) => Outcome::Unanswered(Why::Time),
        }
    }

    fn keep(&mut self, open: Open, (outcome, whole): (Outcome, bool)) -> Outcome {
        self.open = whole.then_some(open);
        outcome
    }

    /// What was answered, and whether all of it was read.
    async fn ask(
        &self,
        sender: &mut SendRequest<Full<Bytes>>,
        request: Request<Full<Bytes>>,
    ) -> Result<(Outcome, bool), hyper::Error> {
        let answer = sender.send_request(request).await?;
        let status = answer.status();
        let asked = matches!(status, StatusCode::TOO_MANY_REQUESTS | StatusCode::SERVICE_UNAVAILABLE)
            .then(|| answer.headers().get(header::RETRY_AFTER)?.to_str().ok()?.parse().ok())
            .flatten();
        let whole = Limited::new(answer.into_body(), ANSWER_MAX).collect().await.is_ok();
        Ok((Outcome::Answered(status.as_u16(), asked.map(Duration::from_secs)), whole))
    }

    async fn connect(&self, address: &Address) -> Result<Open, Why> {
        let found = lookup_host((address.host(), address.port())).await.map_err(|_| Why::Name)?;
        let found: Vec<SocketAddr> = found.collect();
        if found.is_empty() {
            return Err(Why::Name);
        }
        let may: Vec<_> = found.into_iter().filter(|it| may_reach(it.ip(), self.way.loopback)).collect();
        if may.is_empty() {
            return Err(Why::Forbidden);
        }
        let mut tcp = None;
        for machine in may.into_iter().take(MACHINES) {
            if let Ok(Ok(stream)) = timeout(CONNECT, TcpStream::connect(machine)).await {
                tcp = Some(stream);
                break;
            }
        }
        let tcp = tcp.ok_or(Why::Connect)?;
        tcp.set_nodelay(true).map_err(|_| Why::Connect)?;
        if !address.is_encrypted() {
            return open(TokioIo::new(tcp)).await;
        }
        let name = ServerName::try_from(address.host().to_owned()).map_err(|_| Why::Certificate)?;
        let tls = self.way.tls.connect(name, tcp).await.map_err(|error| why(&error))?;
        open(TokioIo::new(tls)).await
    }
}

async fn open<T>(io: TokioIo<T>) -> Result<Open, Why>
where
    T: tokio::io::AsyncRead + tokio::io::AsyncWrite + Unpin + Send + 'static,
{
    let (sender, connection) = handshake(io).await.map_err(|_| Why::Broken)?;
    let driver = tokio::spawn(async move {
        // Whoever asks hears of it.
        let _ = connection.await;
    });
    Ok(Open { sender, driver })
}

/// A handshake fails over a certificate, or because the other side does not speak TLS.
fn why(error: &io::Error) -> Why {
    let tls = error.get_ref().and_then(|inner| inner.downcast_ref::<rustls::Error>());
    match tls {
        Some(rustls::Error::InvalidCertificate(_)) => Why::Certificate,
        Some(_) | None => Why::Broken,
    }
}

impl std::fmt::Debug for Way {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Way").field("loopback", &self.loopback).finish_non_exhaustive()
    }
}
