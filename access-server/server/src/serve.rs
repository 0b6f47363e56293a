//! The process: everything started in order, and stopped in the reverse one.

use std::net::SocketAddr;
use std::path::Path;
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context, anyhow};
use axum::Router;
use axum::extract::Request;
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use axum_server::Handle;
use axum_server::tls_rustls::{RustlsAcceptor, RustlsConfig};
use console::Console;
use devices::Trust;
use identity::{Pair, Shown};
use jiff::tz::TimeZone;
use kit::ingest::{self, Ingest};
use kit::journal::CheckpointLog;
use kit::problem::chain;
use kit::{Clock, Db, Keys, Kit, Problem, Routes};
use people::embed::EmbedService;
use tokio::sync::mpsc;

use crate::certificates::{self, Broker};
use crate::config::Config;
use crate::connections::{Bounds, Places, raise_files};
use crate::mqtt::{self, Hub, Token};
use crate::{active, answers, broker, health, listening, private, slices, sync, tls};

/// Open pages are given so long to end.
const FAREWELL: Duration = Duration::from_millis(500);
/// And the last commit with its checkpoint so long.
const LAST_COMMIT: Duration = Duration::from_secs(1);
/// A browser has so long to say what it wants, from its first byte to the last line of the header.
const REQUEST: Duration = Duration::from_secs(10);
/// An answer begins within this, or there is none: a transaction that was not committed is undone. An upload over a bad
/// line has this long too.
const ANSWER: Duration = Duration::from_secs(60);
/// An HTTP/2 connection is asked this often whether anybody is still there.
const KEEP_ALIVE: Duration = Duration::from_secs(30);
/// Certificates' files are looked at this often.
const EXCHANGED: Duration = Duration::from_secs(600);

/// Serves until told to stop, then stops within two seconds.
///
/// # Errors
/// When something cannot be started, or the disk fails.
pub async fn serve(file: &Path) -> anyhow::Result<()> {
    let config = Config::read(file)?;
    private::keep_from_others();
    let files = raise_files();
    // Standing by, and while a large database is migrated, it turns too.
    tokio::spawn(turning());
    let mqtt = &config.mqtt;
    let shown = shown(&config)?;
    let [web, own] = shown.clone();
    let tls = tls::client_of(mqtt.authority.get_ref(), Arc::clone(&own))?;
    let embed = embed(&config)?;
    let receivers = receivers(&config)?;
    let listener = tls::Door::new(web, own, mqtt.authority.get_ref())?.listener();
    let trust = trust(&config)?;
    let keys = Keys::open(config.keys.get_ref())?;
    let socket = listening::bind(*config.http.listen.get_ref())?;
    let address = socket.local_addr()?;
    let db = Db::open(config.database.get_ref()).await?;
    // One for all of it: a signal that comes in between is not missed.
    let mut stop = pin!(told_to_stop());
    let log = config.checkpoints.get_ref();
    let active = active::wait(&db, keys.journal_public(), log, &socket, &listener, stop.as_mut()).await?;
    let Some(active) = active else { return Ok(()) };
    let kit = open_on(db, keys, &config).await?;
    if let Some(passkeys) = &config.passkeys {
        kit.passkeys().hold_for(passkeys.party(address.port()));
    }

    let (ingest, queue) = ingest::queue(mqtt::QUEUE);
    let (safe, committed) = mpsc::channel(64);
    let mut taking = tokio::spawn(ingest::run(kit.clone(), queue, slices::reactions(), safe));
    let (haves, asked) = mpsc::channel(sync::QUEUE);
    let mut syncing = tokio::spawn(sync::run(kit.clone(), asked));
    let mut indexing = tokio::spawn(records::keep(kit.clone()));
    let mut telling = tokio::spawn(webhooks::run(kit.clone(), receivers));
    let mut importing = tokio::spawn(roster::import::keep(kit.clone()));
    let mut enrolling = tokio::spawn(roster::album::keep(kit.clone(), embed.clone()));
    let (requests, asking) = mpsc::channel(certificates::QUEUE);
    let hub = Hub::new(kit.clone(), ingest.clone(), haves).answering(requests);
    let (host, port) = (mqtt.host.get_ref().clone(), *mqtt.port.get_ref());
    let site = file.parent().unwrap_or(Path::new("."));
    let untold = broker::bring_up(site).unwrap_or_else(|error| {
        tracing::error!(error = %format!("{error:#}"), "the broker's configuration stays as it was");
        false
    });
    let broker = Broker { site: site.to_owned(), host: host.clone(), port, untold };
    let mut certifying = tokio::spawn(certify(kit.clone(), trust.clone(), broker, asking, shown));
    let mut speaking = tokio::spawn(async move { mqtt::run(hub, &host, port, tls, committed).await });
    let handle = Handle::new();
    let zone = slices::zone(&kit).await?;
    let places = Places::new(Bounds::of(files));
    let app = app(routes(&kit, ingest, embed, Some(trust), zone, places.clone()));
    let app = app.into_make_service_with_connect_info::<SocketAddr>();
    let mut browsers = axum_server::from_tcp(socket)?
        .acceptor(RustlsAcceptor::new(RustlsConfig::from_config(listener)).acceptor(places))
        .handle(handle.clone())
        .first_request_timeout(REQUEST);
    browsers.http_builder().http1().header_read_timeout(REQUEST);
    browsers.http_builder().http2().keep_alive_interval(KEEP_ALIVE).keep_alive_timeout(REQUEST);
    let mut pages = tokio::spawn(browsers.serve(app));
    println!("ready https://{address}/");
    supervisor::ready_as("active");

    let fault = tokio::select! {
        () = stop => None,
        holder = active.lost() => Some(anyhow!("the server on {} is the active one now", holder.place)),
        ended = &mut taking => Some(match ended {
            Ok(Err(broken)) => anyhow::Error::from(broken),
            Ok(Ok(())) | Err(_) => anyhow!("the ingest ended by itself"),
        }),
        ended = &mut pages => Some(match ended {
            Ok(Err(error)) => anyhow::Error::from(error).context("the listener for browsers ended"),
            Ok(Ok(())) | Err(_) => anyhow!("the listener for browsers ended by itself"),
        }),
        // Without them the server would look well and do half its work.
        _ = &mut syncing => Some(anyhow!("what publishes the policy and looks after replicas ended by itself")),
        _ = &mut indexing => Some(anyhow!("what keeps the index of records ended by itself")),
        _ = &mut telling => Some(anyhow!("what tells webhooks ended by itself")),
        _ = &mut importing => Some(anyhow!("what writes imports ended by itself")),
        _ = &mut enrolling => Some(anyhow!("what looks at photographs ended by itself")),
        _ = &mut certifying => Some(anyhow!("what looks after certificates ended by itself")),
        _ = &mut speaking => Some(anyhow!("what speaks to the broker ended by itself")),
    };
    supervisor::stopping();
    // No new events, then what is queued and the last checkpoint; browsers meanwhile.
    handle.graceful_shutdown(Some(FAREWELL));
    // What they hold of the ingest must be gone before it can come to its end.
    for task in [speaking, certifying, syncing, indexing, telling, importing, enrolling] {
        if !task.is_finished() {
            task.abort();
            let _ = task.await;
        }
    }
    if !pages.is_finished() {
        let _ = pages.await;
    }
    if !taking.is_finished() {
        match tokio::time::timeout(LAST_COMMIT, taking).await {
            Ok(Ok(Ok(()))) => {}
            Ok(Ok(Err(broken))) => return Err(broken.into()),
            Ok(Err(_)) | Err(_) => {
                tracing::warn!("the last checkpoint was not signed; nothing acknowledged is lost")
            }
        }
    }
    active.give_up().await;
    // A database that is away must not hold up the end.
    let _ = tokio::time::timeout(FAREWELL, kit.db().close()).await;
    fault.map_or(Ok(()), Err)
}

/// Opens keys and database, and brings the schema up to date.
///
/// # Errors
/// When a key is missing, or the database does not belong to this program or to this site.
pub async fn open(config: &Config) -> anyhow::Result<Kit> {
    let keys = Keys::open(config.keys.get_ref())?;
    open_on(Db::open(config.database.get_ref()).await?, keys, config).await
}

async fn open_on(db: Db, keys: Keys, config: &Config) -> anyhow::Result<Kit> {
    db.migrate(&slices::migrations(), Clock::Real.now()).await?;
    let kit = Kit::new(db, Clock::Real, keys, Some(config.checkpoints.get_ref())).with_context(|| {
        format!("checkpoints: {} cannot be written", config.checkpoints.get_ref().display())
    })?;
    is_the_sites_own(&kit, config.checkpoints.get_ref()).await?;
    people::find::complete(&kit).await?;
    Ok(kit)
}

/// An empty database beside the checkpoints of a journal is not the one that they are of: a mistyped address, or a disk
/// that was lost.
async fn is_the_sites_own(kit: &Kit, checkpoints: &Path) -> anyhow::Result<()> {
    if kit::journal::newest(kit.read()).await? > 0 {
        return Ok(());
    }
    let log = CheckpointLog::read(checkpoints).unwrap_or_default();
    match log.last() {
        None => Ok(()),
        Some(last) => Err(anyhow!(
            "database: it is empty, but the journal of this site has reached record {}, says {}: the address is \
             another's, or the database is to be restored first",
            last.seq,
            checkpoints.display()
        )),
    }
}

/// The certificates that the port shows: the one for browsers, and the server's own.
fn shown(config: &Config) -> anyhow::Result<[Arc<Shown>; 2]> {
    let pair =
        |certificate: &Path, key: &Path| Pair { certificate: certificate.to_owned(), key: key.to_owned() };
    let (http, mqtt) = (&config.http, &config.mqtt);
    let web =
        Shown::read(pair(http.certificate.get_ref(), http.key.get_ref())).context("http.certificate")?;
    let own =
        Shown::read(pair(mqtt.certificate.get_ref(), mqtt.key.get_ref())).context("mqtt.certificate")?;
    Ok([web, own])
}

/// The site's authority, as devices are told of it.
///
/// # Errors
/// When its files are there and not what they should be.
pub fn trust(config: &Config) -> anyhow::Result<Trust> {
    let mqtt = &config.mqtt;
    let broker = (mqtt.host.get_ref().clone(), *mqtt.port.get_ref());
    Trust::open(mqtt.authority.get_ref(), broker).context("mqtt.authority")
}

/// Certificates are issued and revoked, and those that were exchanged are shown, until one of these tasks ends.
async fn certify(
    kit: Kit,
    trust: Trust,
    broker: Broker,
    asking: mpsc::Receiver<(String, uplink::enrol::Renew)>,
    shown: [Arc<Shown>; 2],
) {
    let (tell, told) = mpsc::channel(16);
    tokio::select! {
        () = devices::keep(kit.clone(), trust.clone(), tell) => {}
        () = certificates::renew(kit.clone(), trust.clone(), asking) => {}
        () = certificates::tell(kit, trust, broker, told) => {}
        () = show_again(&shown) => {}
    }
}

/// A certificate whose files were exchanged is shown without a restart.
async fn show_again(shown: &[Arc<Shown>]) {
    let mut look = tokio::time::interval(EXCHANGED);
    loop {
        look.tick().await;
        for shown in shown {
            match shown.read_again() {
                Ok(false) => {}
                Ok(true) => tracing::info!("a certificate was exchanged, and is shown from now on"),
                Err(error) => tracing::warn!(error = %chain(&error), "the certificate before is shown still"),
            }
        }
    }
}

/// The service for photographs, where one is configured.
///
/// # Errors
/// When its address or the certificates are not what they should be.
pub fn embed(config: &Config) -> anyhow::Result<Option<EmbedService>> {
    let Some(embed) = &config.embed else { return Ok(None) };
    let mqtt = &config.mqtt;
    let service = EmbedService::new(
        embed.address.get_ref(),
        embed.name.get_ref(),
        mqtt.authority.get_ref(),
        mqtt.certificate.get_ref(),
        mqtt.key.get_ref(),
    );
    service.map(Some).context("embed")
}

/// The way to the receivers of webhooks.
///
/// # Errors
/// When the file of authorities cannot be used.
pub fn receivers(config: &Config) -> anyhow::Result<webhooks::Way> {
    let webhooks = config.webhooks.as_ref();
    let authorities = webhooks.and_then(|it| it.authorities.as_ref()).map(|path| path.get_ref().as_path());
    webhooks::Way::new(authorities, webhooks.is_some_and(|it| it.loopback)).context("webhooks.authorities")
}

/// Every route of this server.
pub fn routes(
    kit: &Kit,
    ingest: Ingest<Token>,
    embed: Option<EmbedService>,
    trust: Option<Trust>,
    zone: TimeZone,
    places: Places,
) -> Routes {
    let pages = console::routes(Console::new(kit.clone(), zone));
    slices::routes(embed, trust).merge(health::routes(ingest, places)).with_state(kit.clone()).merge(pages)
}

/// What answers on the port: the routes, and what holds for every answer.
pub fn app(routes: Routes) -> Router {
    Router::from(routes)
        .layer(axum::middleware::from_fn(in_time))
        .layer(axum::middleware::from_fn(answers::refusals))
        .layer(axum::middleware::from_fn(answers::headers))
}

async fn in_time(request: Request, next: Next) -> Response {
    match tokio::time::timeout(ANSWER, next.run(request)).await {
        Ok(response) => response,
        Err(_) => Problem::unavailable("no answer was found in time").into_response(),
    }
}

/// Tells systemd that the process turns, where it wants to hear it.
async fn turning() {
    let Some(every) = supervisor::watched_every() else { return };
    let mut turn = tokio::time::interval(every);
    loop {
        turn.tick().await;
        supervisor::alive();
    }
}

async fn told_to_stop() {
    use tokio::signal::unix::{SignalKind, signal};
    let mut terminate = signal(SignalKind::terminate()).expect("signals can be listened for");
    let mut interrupt = signal(SignalKind::interrupt()).expect("signals can be listened for");
    tokio::select! {
        _ = terminate.recv() => {}
        _ = interrupt.recv() => {}
    }
}

#[cfg(test)]
mod tests {
    use axum::routing::get;
    use tower::ServiceExt as _;

    use super::*;

    #[tokio::test(start_paused = true)]
    #[expect(clippy::disallowed_methods, reason = "a route of a test, behind nobody's table")]
    async fn a_handler_that_does_not_come_back_is_given_up() {
        let router: Router = Router::new()
            .route("/", get(std::future::pending::<()>))
            .layer(axum::middleware::from_fn(in_time));
        let asked = tokio::time::Instant::now();
        let answer = router.oneshot(Request::<axum::body::Body>::default()).await.expect("it cannot fail");
        assert_eq!((answer.status().as_u16(), asked.elapsed()), (503, ANSWER));
    }
}
