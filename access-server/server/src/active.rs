//! One server of a site is the active one. The others stand by: they listen, say so, keep the checkpoint log, and take
//! over when the active one has gone. Nothing of theirs speaks to a device, and they write nothing.

use std::net::TcpListener;
use std::path::Path;
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use anyhow::Context;
use axum::extract::Request;
use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{Html, IntoResponse, Response};
use axum::{Json, Router};
use axum_server::Handle;
use axum_server::tls_rustls::RustlsConfig;
use console::Language;
use kit::Db;
use kit::lease::{self, Candidate, Holder, Lease, Looked};
use kit::problem::chain;
use rustls::ServerConfig;
use serde_json::json;
use tokio::sync::watch;
use tokio::time::{Instant, sleep};

use crate::answers;

/// How often the checkpoint log of a server that stands by is brought up to date.
const FOLLOW: Duration = Duration::from_secs(5);
/// A browser that stands before the wrong server looks again after so many seconds.
const AGAIN: HeaderValue = HeaderValue::from_static("5");

/// What keeps a server the active one.
#[derive(Debug)]
pub enum Active {
    /// Nothing: on SQLite there is no other.
    Alone,
    /// The lease.
    Leased(Lease),
}

impl Active {
    /// Comes back when another server is the active one.
    pub async fn lost(&self) -> Holder {
        match self {
            Self::Alone => std::future::pending().await,
            Self::Leased(lease) => lease.keep().await,
        }
    }

    /// Leaves the place to whoever stands by.
    pub async fn give_up(&self) {
        if let Self::Leased(lease) = self
            && let Err(error) = lease.give_up().await
        {
            tracing::warn!(error = %chain(&error), "the lease was not given up: it runs out by itself");
        }
    }
}

/// Waits until this server is the active one, standing by on the socket meanwhile; `None` when it is to stop first.
///
/// # Errors
/// When the lease cannot be made, or the socket cannot be used.
pub async fn wait(
    db: &Db,
    public_key: &[u8],
    checkpoints: &Path,
    socket: &TcpListener,
    tls: &Arc<ServerConfig>,
    mut stop: Pin<&mut impl Future<Output = ()>>,
) -> anyhow::Result<Option<Active>> {
    let candidate = Candidate::new(db, &place()).await.context("database: the lease cannot be made")?;
    let Some(mut candidate) = candidate else { return Ok(Some(Active::Alone)) };
    let (active, shown) = watch::channel(None);
    let handle = Handle::new();
    let mut standing = None;
    let mut follow = Instant::now();
    loop {
        match candidate.look().await {
            Ok(Looked::Taken(lease)) => {
                tracing::info!(epoch = lease.epoch(), "this server is the active one");
                handle.shutdown();
                follow_log(db, public_key, checkpoints).await;
                return Ok(Some(Active::Leased(lease)));
            }
            Ok(Looked::Held(holder)) => {
                if active.send_replace(Some(holder.place.clone())).as_ref() != Some(&holder.place) {
                    tracing::info!(active = holder.place, "standing by");
                    supervisor::ready_as(&format!("standing by; {} is active", holder.place));
                }
            }
            Err(error) => tracing::warn!(error = %chain(&error), "the lease could not be looked at"),
        }
        if standing.is_none() {
            let pages = axum_server::from_tcp(socket.try_clone()?)?
                .acceptor(axum_server::tls_rustls::RustlsAcceptor::new(RustlsConfig::from_config(
                    Arc::clone(tls),
                )))
                .handle(handle.clone());
            standing = Some(tokio::spawn(pages.serve(app(shown.clone()).into_make_service())));
        }
        if follow <= Instant::now() {
            follow_log(db, public_key, checkpoints).await;
            follow = Instant::now() + FOLLOW;
        }
        tokio::select! {
            () = sleep(lease::LOOK) => {}
            () = &mut stop => return Ok(None),
        }
    }
}

/// A database that has no journal yet is no reason to be told of.
async fn follow_log(db: &Db, public_key: &[u8], checkpoints: &Path) {
    if let Err(error) = kit::journal::follow(db.read(), public_key, checkpoints).await {
        tracing::debug!(error = %chain(&error), "the checkpoint log was not brought up to date");
    }
}

/// This machine's name, for people.
fn place() -> String {
    let name = std::fs::read_to_string("/proc/sys/kernel/hostname").unwrap_or_default();
    name.trim().to_owned()
}

/// What a server that stands by answers, whatever it is asked.
fn app(active: watch::Receiver<Option<String>>) -> Router {
    let answer = move |request: Request| {
        let active = active.borrow().clone().unwrap_or_default();
        std::future::ready(answer(request.uri().path(), &active))
    };
    Router::new().fallback(answer).layer(axum::middleware::from_fn(answers::headers))
}

fn answer(path: &str, active: &str) -> Response {
    let answer = match path {
        "/health" => {
            Json(json!({ "standby": true, "active": active, "takes_events": false })).into_response()
        }
        _ => Html(page(active)).into_response(),
    };
    (StatusCode::SERVICE_UNAVAILABLE, [(header::RETRY_AFTER, AGAIN)], answer).into_response()
}

fn page(active: &str) -> String {
    let active: String =
        active.chars().filter(|letter| letter.is_ascii_alphanumeric() || "-.".contains(*letter)).collect();
    let words = Language::ALL.map(|language| {
        let say = |key| language.say_with(key, &[("active", active.as_str().into())]);
        format!(
            "<h1 lang=\"{0}\">{1}</h1>\n<p lang=\"{0}\">{2}</p>\n",
            language.tag(),
            say("standby-title"),
            say("standby-words")
        )
    });
    let titles = Language::ALL.map(|language| language.say("standby-title")).join(" · ");
    format!(
        "<!doctype html>\n<html lang=\"{}\">\n<meta charset=\"utf-8\">\n\
         <meta name=\"viewport\" content=\"width=device-width\">\n<title>{titles}</title>\n{}</html>\n",
        Language::Chinese.tag(),
        words.concat()
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_machines_name_cannot_bring_markup_into_the_page() {
        assert!(!page("<script>x</script>").contains("<script>"));
        assert!(page("gate-2.example.cn").contains("gate-2.example.cn"));
    }

    #[test]
    fn whoever_asks_hears_that_it_is_not_the_active_one() {
        for path in ["/", "/health", "/people"] {
            assert_eq!(answer(path, "gate-2").status(), StatusCode::SERVICE_UNAVAILABLE, "{path}");
        }
    }
}
