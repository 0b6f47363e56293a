//! Asking the vision process what it makes of a photograph: `POST /v1/embed` over mutual TLS.
//!
//! One connection a question, at most [`AT_ONCE`] questions at once, each answered within [`DEADLINE`] or given up.

mod reason;

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use http_body_util::{BodyExt, Full, Limited};
use hyper::body::Bytes;
use hyper::{Request, StatusCode, header};
use hyper_util::rt::TokioIo;
pub use reason::Reason;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName};
use rustls::{ClientConfig, RootCertStore};
use serde::Deserialize;
use tokio::net::TcpStream;
use tokio::sync::Semaphore;
use tokio_rustls::TlsConnector;

use crate::face::EnrolmentRefusal;

/// The largest photograph taken, in bytes.
pub const PHOTO_MAX: usize = 8 * 1024 * 1024;
/// How long the vision process has to answer.
pub const DEADLINE: Duration = Duration::from_secs(10);
/// Questions under way at once; others wait their turn.
pub const AT_ONCE: usize = 2;
/// The longest answer: a template takes about 2 kB.
const ANSWER_MAX: usize = 64 * 1024;
const PATH: &str = "/v1/embed";

/// What kind of picture a file is, by its first bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[expect(missing_docs, reason = "the names say it")]
pub enum Media {
    Jpeg,
    Png,
}

/// Where a photograph comes from, and so what is asked of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Portrait {
    /// A file that an operator answers for: liveness is not asked.
    Photograph,
    /// Taken just now by the person's own device: must be a living face.
    Capture,
}

/// A photograph that will do.
pub(crate) struct Usable {
    pub(crate) values: Vec<f32>,
    pub(crate) model: String,
    pub(crate) quality: f32,
}

/// The vision process that embeds photographs. Cheap to clone.
#[derive(Clone)]
pub struct EmbedService {
    address: String,
    name: ServerName<'static>,
    tls: TlsConnector,
    turns: Arc<Semaphore>,
}

/// Why the vision process cannot be asked at all.
#[derive(Debug, thiserror::Error)]
pub enum EmbedSetUp {
    /// A certificate or key file is missing or damaged.
    #[error("{path} cannot be used")]
    File {
        /// The file.
        path: PathBuf,
        /// Why.
        source: rustls::pki_types::pem::Error,
    },
    /// The certificates do not fit together.
    #[error("the certificates cannot be used")]
    Tls(#[from] rustls::Error),
    /// The name is none that a certificate can have.
    #[error("{0:?} is not a certificate's name")]
    Name(String),
}

impl EmbedService {
    /// A service at `address` (`host:port`) whose certificate must be good for `name`, as `vision-1`; `ca`,
    /// `certificate` and `key` are PEM files, the latter two our own.
    ///
    /// # Errors
    /// When a file cannot be used.
    pub fn new(
        address: &str,
        name: &str,
        ca: &Path,
        certificate: &Path,
        key: &Path,
    ) -> Result<Self, EmbedSetUp> {
        let bad = |path: &Path| {
            let path = path.to_owned();
            move |source| EmbedSetUp::File { path, source }
        };
        let mut roots = RootCertStore::empty();
        for root in CertificateDer::pem_file_iter(ca).map_err(bad(ca))? {
            roots.add(root.map_err(bad(ca))?)?;
        }
        let chain: Vec<_> = CertificateDer::pem_file_iter(certificate)
            .and_then(Iterator::collect::<Result<_, _>>)
            .map_err(bad(certificate))?;
        let key = PrivateKeyDer::from_pem_file(key).map_err(bad(key))?;
        // Named rather than taken from the process, so that this works whoever installed what.
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let config = ClientConfig::builder_with_provider(provider)
            .with_protocol_versions(&[&rustls::version::TLS13])?
            .with_root_certificates(roots)
            .with_client_auth_cert(chain, key)?;
        Ok(Self {
            address: address.to_owned(),
            name: ServerName::try_from(name.to_owned()).map_err(|_| EmbedSetUp::Name(name.to_owned()))?,
            tls: TlsConnector::from(Arc::new(config)),
            turns: Arc::new(Semaphore::new(AT_ONCE)),
        })
    }

    pub(crate) async fn embed(
        &self,
        portrait: Portrait,
        media: Media,
        photo: &[u8],
    ) -> Result<Usable, EnrolmentRefusal> {
        let _turn = self.turns.acquire().await.expect("never closed");
        self.judged(portrait, media, photo).await
    }

    /// The same, where it need not wait; `None` otherwise.
    pub(crate) async fn embed_if_free(
        &self,
        portrait: Portrait,
        media: Media,
        photo: &[u8],
    ) -> Option<Result<Usable, EnrolmentRefusal>> {
        let _turn = self.turns.try_acquire().ok()?;
        Some(self.judged(portrait, media, photo).await)
    }

    async fn judged(
        &self,
        portrait: Portrait,
        media: Media,
        photo: &[u8],
    ) -> Result<Usable, EnrolmentRefusal> {
        let body = Bytes::copy_from_slice(photo);
        match tokio::time::timeout(DEADLINE, self.ask(media, body)).await {
            Ok(Ok(answer)) => judge(portrait, &answer),
            Ok(Err(error)) => {
                tracing::warn!(error = %kit::problem::chain(&*error), "the vision process was not reached");
                Err(EnrolmentRefusal::Away)
            }
            Err(_) => {
                tracing::warn!("the vision process did not answer in time");
                Err(EnrolmentRefusal::Away)
            }
        }
    }

    async fn ask(
        &self,
        media: Media,
        photo: Bytes,
    ) -> Result<Bytes, Box<dyn std::error::Error + Send + Sync>> {
        let tcp = TcpStream::connect(self.address.as_str()).await?;
        tcp.set_nodelay(true)?;
        let tls = self.tls.connect(self.name.clone(), tcp).await?;
        let (mut sender, connection) = hyper::client::conn::http1::handshake(TokioIo::new(tls)).await?;
        let connection = tokio::spawn(connection);
        let request = Request::post(PATH)
            .header(header::HOST, self.name.to_str().as_ref())
            .header(header::CONTENT_TYPE, media.name())
            .body(Full::new(photo))?;
        let answer = sender.send_request(request).await?;
        let status = answer.status();
        let body = Limited::new(answer.into_body(), ANSWER_MAX).collect().await?.to_bytes();
        connection.abort();
        match status {
            // A refusal of the photograph is an answer too.
            StatusCode::OK | StatusCode::UNPROCESSABLE_ENTITY => Ok(body),
            other => Err(format!("the vision process answered {other}").into()),
        }
    }
}

impl Media {
    /// Looks at the size and the first bytes of a photograph.
    ///
    /// # Errors
    /// When it is neither JPEG nor PNG, or larger than [`PHOTO_MAX`].
    pub fn of(photo: &[u8]) -> Result<Self, Reason> {
        if photo.len() > PHOTO_MAX {
            return Err(Reason::TooLarge);
        }
        if photo.starts_with(&[0xff, 0xd8, 0xff]) {
            return Ok(Self::Jpeg);
        }
        if photo.starts_with(b"\x89PNG\r\n\x1a\n") {
            return Ok(Self::Png);
        }
        Err(Reason::NotAPhoto)
    }

    /// The media type, as `image/jpeg`.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Jpeg => "image/jpeg",
            Self::Png => "image/png",
        }
    }
}

/// The vision process's answer: the template, or the reason why there is none.
#[derive(Deserialize)]
#[serde(tag = "outcome", rename_all = "kebab-case")]
enum Answer {
    Usable { template: Vec<f32>, model: String, live: bool, quality: Quality },
    Refused(Reason),
}

#[derive(Deserialize)]
struct Quality {
    score: f32,
}

fn judge(portrait: Portrait, answer: &[u8]) -> Result<Usable, EnrolmentRefusal> {
    let answer = serde_json::from_slice(answer).map_err(|_| EnrolmentRefusal::Answer)?;
    match (answer, portrait) {
        (Answer::Refused(reason), _) => Err(EnrolmentRefusal::Photo(reason)),
        (Answer::Usable { live: false, .. }, Portrait::Capture) => {
            Err(EnrolmentRefusal::Photo(Reason::NotLive))
        }
        (Answer::Usable { template, model, live: _, quality }, _) => {
            Ok(Usable { values: template, model, quality: quality.score })
        }
    }
}

impl std::fmt::Debug for EmbedService {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("EmbedService").field("address", &self.address).finish_non_exhaustive()
    }
}
