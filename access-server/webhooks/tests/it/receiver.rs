//! A receiver that listens on this machine, answers as it is told to, and keeps what it was told.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use http_body_util::{BodyExt as _, Full};
use hyper::body::{Bytes, Incoming};
use hyper::service::service_fn;
use hyper::{HeaderMap, Request, Response, StatusCode};
use hyper_util::rt::TokioIo;
use kit::Kit;
use kit::auth::OperatorId;
use ring::hmac;
use serde_json::Value;
use tokio::net::TcpListener;
use tokio::sync::watch;
use tokio_rustls::TlsAcceptor;
use webhooks::{Draft, HookId, Secret, Topic};

/// How long a test waits for what must come.
pub(crate) const PATIENCE: Duration = Duration::from_secs(20);

/// What was told.
#[derive(Clone, Debug)]
pub(crate) struct Told {
    pub(crate) headers: HeaderMap,
    pub(crate) body: Vec<u8>,
}

/// What it answers: these statuses in turn, then 204.
type Answers = Arc<Mutex<VecDeque<(u16, &'static str, String)>>>;

pub(crate) struct Receiver {
    pub(crate) port: u16,
    answers: Answers,
    told: watch::Receiver<Vec<Told>>,
}

impl Receiver {
    pub(crate) async fn listen() -> Self {
        Self::with(None).await
    }

    pub(crate) async fn encrypted(tls: TlsAcceptor) -> Self {
        Self::with(Some(tls)).await
    }

    async fn with(tls: Option<TlsAcceptor>) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port = listener.local_addr().unwrap().port();
        let (sender, told) = watch::channel(Vec::new());
        let sender = Arc::new(sender);
        let answers = Answers::default();
        let queue = Arc::clone(&answers);
        tokio::spawn(async move {
            loop {
                let (stream, _) = listener.accept().await.unwrap();
                let (sender, queue, tls) = (Arc::clone(&sender), Arc::clone(&queue), tls.clone());
                tokio::spawn(async move {
                    let service =
                        service_fn(move |request| take(request, Arc::clone(&sender), Arc::clone(&queue)));
                    let serving = hyper::server::conn::http1::Builder::new();
                    match tls {
                        None => drop(serving.serve_connection(TokioIo::new(stream), service).await),
                        Some(tls) => {
                            let Ok(stream) = tls.accept(stream).await else { return };
                            drop(serving.serve_connection(TokioIo::new(stream), service).await);
                        }
                    }
                });
            }
        });
        Self { port, answers, told }
    }

    /// Its address in clear.
    pub(crate) fn address(&self) -> String {
        format!("http://127.0.0.1:{}/in?key=7", self.port)
    }

    /// The next answers, before it takes everything again.
    pub(crate) fn answer_next(&self, statuses: &[u16]) {
        self.answers
            .lock()
            .unwrap()
            .extend(statuses.iter().map(|status| (*status, "x-nothing", String::new())));
    }

    pub(crate) fn answer_with(&self, status: u16, header: &'static str, value: String) {
        self.answers.lock().unwrap().push_back((status, header, value));
    }

    /// What it was told, once there is as much.
    pub(crate) async fn told(&self, count: usize) -> Vec<Told> {
        let mut told = self.told.clone();
        let there = tokio::time::timeout(PATIENCE, told.wait_for(|told| told.len() >= count)).await;
        let told = there.unwrap_or_else(|_| panic!("only {} of {count} came", self.so_far().len())).unwrap();
        told.clone()
    }

    pub(crate) fn so_far(&self) -> Vec<Told> {
        self.told.borrow().clone()
    }
}

impl Told {
    pub(crate) fn header(&self, name: &str) -> &str {
        self.headers[name].to_str().unwrap()
    }

    pub(crate) fn json(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap()
    }

    /// The place in the journal.
    pub(crate) fn seq(&self) -> u64 {
        self.json()["data"]["seq"].as_u64().unwrap()
    }

    /// Whether one of its signatures is this secret's, worked out as a receiver does it.
    pub(crate) fn is_signed_by(&self, secret: &str) -> bool {
        let key = BASE64.decode(secret.strip_prefix("whsec_").unwrap()).unwrap();
        let mut signed =
            format!("{}.{}.", self.header("webhook-id"), self.header("webhook-timestamp")).into_bytes();
        signed.extend_from_slice(&self.body);
        self.header("webhook-signature").split(' ').any(|signature| {
            let tag = BASE64.decode(signature.strip_prefix("v1,").unwrap()).unwrap();
            hmac::verify(&hmac::Key::new(hmac::HMAC_SHA256, &key), &signed, &tag).is_ok()
        })
    }
}

async fn take(
    request: Request<Incoming>,
    sender: Arc<watch::Sender<Vec<Told>>>,
    answers: Answers,
) -> Result<Response<Full<Bytes>>, hyper::Error> {
    let headers = request.headers().clone();
    assert_eq!((request.method().as_str(), request.uri().path()), ("POST", "/in"));
    assert_eq!(request.uri().query(), Some("key=7"));
    let body = request.into_body().collect().await?.to_bytes().to_vec();
    let (status, header, value) =
        answers.lock().unwrap().pop_front().unwrap_or((204, "x-nothing", String::new()));
    sender.send_modify(|told| told.push(Told { headers, body }));
    let answer = Response::builder().status(StatusCode::from_u16(status).unwrap()).header(header, value);
    Ok(answer.body(Full::new(Bytes::from_static(b"thank you"))).unwrap())
}

/// An administrator, as the journal names one.
pub(crate) async fn administrator(kit: &Kit) -> OperatorId {
    kit::testing::operator(kit, kit::auth::Role::Administrator).await.id
}

/// Makes a webhook.
pub(crate) async fn hook(kit: &Kit, by: OperatorId, address: &str, topics: &[Topic]) -> (HookId, Secret) {
    let draft = Draft::parse("payroll", address, topics).unwrap();
    let mut tx = kit.begin().await.unwrap();
    let made = webhooks::add(&mut tx, by, &draft).await.unwrap();
    tx.commit().await.unwrap();
    made
}

/// Journals something of a kind; its place.
pub(crate) async fn journal(kit: &Kit, kind: &str) -> u64 {
    let mut tx = kit.begin().await.unwrap();
    let seq = tx.record(kind, &serde_json::json!({ "person": 7 })).await.unwrap();
    tx.commit().await.unwrap();
    seq
}
