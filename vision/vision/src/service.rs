//! Photographs in, templates out: `POST /v1/embed` over mutual TLS, for the server alone.
//!
//! The body is a JPEG or PNG of at most 8 MiB. Answers: 200 with an [`Outcome::Usable`](crate::photograph::Outcome), 422 with the reason, 503 when
//! all hands are busy. Neither photographs nor templates are kept or logged.

use std::future::poll_fn;
use std::net::TcpListener;
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::body::{Body, HttpBody as _, to_bytes};
use axum::extract::State;
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::post;
use axum_server::tls_rustls::RustlsConfig;
use rustls::ServerConfig;
use serde_json::json;
use tokio::sync::Semaphore;
use tokio::time::timeout;
use tracing::{error, info};

use crate::config::Config;
use crate::look::Networks;
use crate::photograph::{Demands, MOST_BYTES, Outcome, Reason, examine};
use crate::pipeline::Pool;

/// A photograph must have come whole within this time.
const UPLOAD: Duration = Duration::from_secs(5);
/// And wait for its turn no longer than this.
const TURN: Duration = Duration::from_secs(2);
/// Photographs in memory at once, for each that is worked on.
const QUEUE: usize = 4;

/// The service before it serves.
pub struct Service {
    pool: Arc<Pool>,
    at_once: usize,
    demands: Demands,
}

#[derive(Clone)]
struct Hands {
    pool: Arc<Pool>,
    uploads: Arc<Semaphore>,
    turns: Arc<Semaphore>,
    demands: Demands,
}

impl Service {
    /// A service with these networks, one for each photograph worked on at once.
    pub fn new(networks: Vec<Networks>, config: &Config) -> Self {
        let demands = Demands {
            limits: config.enrolment,
            bystander: config.recognition.bystander,
            live_from: config.watch.live_from,
        };
        Self { at_once: networks.len(), pool: Arc::new(Pool::new(networks)), demands }
    }

    /// Serves for ever.
    pub async fn serve(self, listener: TcpListener, tls: Arc<ServerConfig>) {
        let hands = Hands {
            pool: self.pool,
            uploads: Arc::new(Semaphore::new(self.at_once * QUEUE)),
            turns: Arc::new(Semaphore::new(self.at_once)),
            demands: self.demands,
        };
        #[expect(clippy::disallowed_methods, reason = "one route, for whoever has a certificate: no table")]
        let router = Router::new().route("/v1/embed", post(embed)).with_state(hands);
        let tls = RustlsConfig::from_config(tls);
        let served = async {
            listener.set_nonblocking(true)?;
            axum_server::from_tcp_rustls(listener, tls)?.serve(router.into_make_service()).await
        };
        if let Err(fault) = served.await {
            error!("the embedding service stopped: {fault}");
        }
    }
}

async fn embed(State(hands): State<Hands>, body: Body) -> Response {
    let Ok(_upload) = hands.uploads.clone().try_acquire_owned() else {
        // Who is answered in the middle of an upload may see the connection break instead of the answer.
        let _ = timeout(UPLOAD, pass(body)).await;
        return busy();
    };
    let bytes = match timeout(UPLOAD, to_bytes(body, MOST_BYTES)).await {
        Ok(Ok(bytes)) => bytes,
        // Longer than the limit, or the connection broke: nobody is there to read the answer then.
        Ok(Err(_)) => return answer(&Outcome::Refused(Reason::TooLarge)),
        Err(_) => return problem(StatusCode::REQUEST_TIMEOUT, "the photograph did not come in time"),
    };
    let Ok(Ok(turn)) = timeout(TURN, hands.turns.clone().acquire_owned()).await else { return busy() };
    let (pool, demands) = (hands.pool.clone(), hands.demands);
    let worked = tokio::task::spawn_blocking(move || {
        let outcome = pool.with(|networks| examine(networks, &bytes, &demands));
        drop(turn);
        outcome
    });
    match worked.await {
        Ok(Ok(outcome)) => {
            match &outcome {
                Outcome::Usable(_) => info!("a photograph was embedded"),
                Outcome::Refused(reason) => info!(?reason, "a photograph was refused"),
            }
            answer(&outcome)
        }
        Ok(Err(fault)) => {
            error!("a photograph could not be looked at: {fault}");
            problem(StatusCode::INTERNAL_SERVER_ERROR, "the photograph could not be looked at")
        }
        Err(_) => problem(StatusCode::INTERNAL_SERVER_ERROR, "the photograph could not be looked at"),
    }
}

fn answer(outcome: &Outcome) -> Response {
    let status = match outcome {
        Outcome::Usable(_) => StatusCode::OK,
        Outcome::Refused(_) => StatusCode::UNPROCESSABLE_ENTITY,
    };
    let body = serde_json::to_vec(outcome).expect("outcomes serialise to JSON");
    (status, [(header::CONTENT_TYPE, "application/json"), (header::CACHE_CONTROL, "no-store")], body)
        .into_response()
}

/// Lets a body go by; nothing of it is kept.
async fn pass(mut body: Body) {
    let mut passed = 0;
    while let Some(Ok(frame)) = poll_fn(|context| Pin::new(&mut body).poll_frame(context)).await {
        passed += frame.data_ref().map_or(0, |data| data.len());
        if passed > MOST_BYTES {
            return;
        }
    }
}

fn busy() -> Response {
    let mut response = problem(StatusCode::SERVICE_UNAVAILABLE, "all hands are busy");
    response.headers_mut().insert(header::RETRY_AFTER, header::HeaderValue::from_static("1"));
    response
}

fn problem(status: StatusCode, title: &str) -> Response {
    let body = json!({ "status": status.as_u16(), "title": title }).to_string();
    (status, [(header::CONTENT_TYPE, "application/problem+json")], body).into_response()
}
