//! For tests: a stand-in for the vision process, over real mutual TLS. It looks at no picture: a [`photo`] carries the
//! answer that it shall give. The real one runs in the end-to-end tests.

use std::convert::Infallible;
use std::net::SocketAddr;
use std::path::Path;
use std::sync::Arc;

use http_body_util::{BodyExt, Full};
use hyper::body::{Bytes, Incoming};
use hyper::service::service_fn;
use hyper::{Request, Response};
use hyper_util::rt::TokioIo;
use kit::pki::{Authority, Holder};
use kit::testing::MONDAY;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::server::WebPkiClientVerifier;
use rustls::{RootCertStore, ServerConfig};
use serde_json::{Value, json};
use tempfile::TempDir;
use tokio::net::TcpListener;
use tokio::task::JoinHandle;
use tokio_rustls::TlsAcceptor;

use crate::embed::EmbedService;

const JPEG: [u8; 3] = [0xff, 0xd8, 0xff];

/// A vision process that says of each photo what the photo tells it to. Stops when dropped.
#[derive(Debug)]
pub struct Vision {
    /// The client for it.
    pub service: EmbedService,
    /// Where it listens.
    pub address: SocketAddr,
    /// Where its certificates are: `ca.pem`, `server.pem`, `server.key`.
    pub directory: TempDir,
    task: JoinHandle<()>,
}

/// A photo of a face that points into the direction of these numbers (the rest are zero).
#[must_use]
pub fn photo(face: &[f32]) -> Vec<u8> {
    let mut template = face.to_vec();
    template.resize(128, 0.0);
    photo_of(
        &json!({ "outcome": "usable", "template": template, "model": "test", "live": true, "quality": { "score": 0.9 } }),
    )
}

/// A photo that makes the vision process give this answer.
#[must_use]
pub fn photo_of(answer: &Value) -> Vec<u8> {
    [&JPEG[..], answer.to_string().as_bytes()].concat()
}

impl Vision {
    /// Starts it on a free port.
    ///
    /// # Panics
    /// When certificates or a port cannot be had.
    pub async fn start() -> Self {
        let directory = TempDir::new().expect("a temporary directory can be made");
        let authority = Authority::create(directory.path(), MONDAY).expect("a fresh directory");
        // The real clock: certificates are checked against it.
        let now = kit::Clock::Real.now();
        for holder in [Holder::Server, Holder::Vision(1)] {
            authority.issue(directory.path(), &holder, &[], now).expect("a fresh directory");
        }
        let acceptor = acceptor(directory.path());
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
        let address = listener.local_addr().expect("it is bound");
        let task = tokio::spawn(async move {
            while let Ok((tcp, _)) = listener.accept().await {
                let acceptor = acceptor.clone();
                tokio::spawn(async move {
                    // A client without a certificate of the site gets no further than this.
                    let Ok(tls) = acceptor.accept(tcp).await else { return };
                    let served = hyper::server::conn::http1::Builder::new()
                        .serve_connection(TokioIo::new(tls), service_fn(answer));
                    // The client goes away when it has its answer.
                    let _ = served.await;
                });
            }
        });
        let service = service(directory.path(), &address.to_string());
        Self { service, address, directory, task }
    }
}

impl Drop for Vision {
    fn drop(&mut self) {
        self.task.abort();
    }
}

/// A client with the certificates of a directory.
///
/// # Panics
/// When they cannot be used.
#[must_use]
pub fn service(directory: &Path, address: &str) -> EmbedService {
    let file = |name: &str| directory.join(name);
    EmbedService::new(address, "vision-1", &file("ca.pem"), &file("server.pem"), &file("server.key"))
        .expect("the certificates were issued for this")
}

async fn answer(request: Request<Incoming>) -> Result<Response<Full<Bytes>>, Infallible> {
    let asked = request.method() == "POST" && request.uri().path() == "/v1/embed";
    let body = request.into_body().collect().await.map(|body| body.to_bytes()).unwrap_or_default();
    let answer = body.strip_prefix(&JPEG).filter(|_| asked).map(Bytes::copy_from_slice);
    let status = if answer.is_some() { 200 } else { 400 };
    let mut response = Response::new(Full::new(answer.unwrap_or_default()));
    *response.status_mut() = hyper::StatusCode::from_u16(status).expect("a status");
    Ok(response)
}

fn acceptor(directory: &Path) -> TlsAcceptor {
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let mut roots = RootCertStore::empty();
    roots
        .add(CertificateDer::from_pem_file(directory.join("ca.pem")).expect("just written"))
        .expect("our own");
    let verifier = WebPkiClientVerifier::builder_with_provider(Arc::new(roots), Arc::clone(&provider))
        .build()
        .expect("there is a root");
    let certificate = CertificateDer::from_pem_file(directory.join("vision-1.pem")).expect("just written");
    let key = PrivateKeyDer::from_pem_file(directory.join("vision-1.key")).expect("just written");
    let config = ServerConfig::builder_with_provider(provider)
        .with_protocol_versions(&[&rustls::version::TLS13])
        .expect("ring has TLS 1.3")
        .with_client_cert_verifier(verifier)
        .with_single_cert(vec![certificate], key)
        .expect("they belong together");
    TlsAcceptor::from(Arc::new(config))
}
