//! The process: everything is checked, then everything runs until it is told to stop.

use std::collections::BTreeMap;
use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, mpsc};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, bail};
use identity::Revocations;
use sighting::Claims;
use supervisor::Watchdog;
use tokio::signal::unix::{SignalKind, signal};
use tracing::{info, warn};

use crate::capture::Capture;
use crate::config::{Config, Controller};
use crate::frames::Newest;
use crate::link::{self, Outgoing};
use crate::look::Networks;
use crate::pipeline::{Pipeline, Pool};
use crate::replica::{Held, Replica, RestError, Vault};
use crate::service::Service;
use crate::sync::Sync;
use crate::tls::Identity;

/// How long the cameras have to give a first picture: an opening that hangs is given up after ten seconds, and tried again.
const FIRST_PICTURE: Duration = Duration::from_secs(20);

/// Runs until a signal comes.
///
/// # Errors
/// A fault at the start, in one sentence; or a camera that hangs in the system's video reader.
pub fn run(config: Config) -> Result<()> {
    // One picture at a time on one core each: OpenCV's own threads would take the others' time.
    opencv::core::set_num_threads(1).context("OpenCV does not answer")?;
    rustls::crypto::ring::default_provider().install_default().ok();
    let identity = Identity::read(&config.tls)?;
    let client = identity.client()?;
    let (vault, held) = wake(&config)?;
    let replica = Arc::new(Replica::new(held));
    let service = config
        .service
        .as_ref()
        .map(|service| -> Result<_> {
            let listener = TcpListener::bind(service.listen)
                .with_context(|| format!("the service cannot listen on {}", service.listen))?;
            let size = config.recognition.photograph_size;
            let networks = (0..service.at_once)
                .map(|_| Networks::load(&config.models, size))
                .collect::<Result<_, _>>()?;
            let tls = identity.server_for("server")?;
            Ok((listener, tls, Service::new(networks, &config)))
        })
        .transpose()?;
    let captures =
        config.cameras.iter().map(|camera| Capture::new(camera).map(Arc::new)).collect::<Result<Vec<_>>>()?;
    let workers = config.recognition.workers.min(captures.len());
    let networks = (0..workers)
        .map(|_| Networks::load(&config.models, config.recognition.detect_size))
        .collect::<Result<Vec<_>, _>>()?;
    let pool = Arc::new(Pool::new(networks));
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .enable_all()
        .build()
        .context("no threads can be started")?;

    let mut links: BTreeMap<String, (Controller, Vec<String>, Arc<Outgoing>)> = BTreeMap::new();
    let mut pipelines = Vec::new();
    let mut watched = Vec::new();
    let (broken, breaks) = mpsc::channel();
    let claims = Arc::new(Mutex::new(Claims::default()));
    for (camera, capture) in config.cameras.iter().zip(&captures) {
        let name = camera.name.get_ref().clone();
        let key = format!("{} {}", camera.controller.name, camera.controller.address);
        let (_, cameras, outgoing) =
            links.entry(key).or_insert_with(|| (camera.controller.clone(), Vec::new(), Arc::default()));
        cameras.push(name.clone());
        outgoing.camera(&name, false);
        watched.push((name.clone(), capture.frames.clone()));
        let pipeline = Pipeline {
            camera: name.clone(),
            frames: capture.frames.clone(),
            pool: pool.clone(),
            replica: replica.clone(),
            outgoing: outgoing.clone(),
            claims: claims.clone(),
            lane: camera.lane,
            limits: config.quality,
            policy: config.watch,
            known_from: config.recognition.known_from,
        };
        pipelines.push(thread::Builder::new().name(format!("look-{name}")).spawn(move || pipeline.run())?);
        let (capture, outgoing, broken) = (capture.clone(), outgoing.clone(), broken.clone());
        thread::Builder::new().name(format!("watch-{name}")).spawn(move || {
            if let Err(error) = capture.watch(|up| outgoing.camera(&name, up)) {
                // Nobody listens any more when the process stops.
                broken.send(error).ok();
            }
        })?;
    }
    await_first_pictures(&captures)?;

    let stopped = runtime.block_on(async {
        for (controller, cameras, outgoing) in links.into_values() {
            let name = config.name.get_ref().clone();
            tokio::spawn(link::keep(name, controller, cameras, client.clone(), outgoing));
        }
        if let Some(broker) = config.broker.clone() {
            let name = config.name.get_ref().clone();
            let revocations = revocations(&identity, config.gallery.file.with_file_name("revoked.pem"));
            let sync = Sync {
                name,
                broker,
                replica: replica.clone(),
                vault: vault.clone(),
                cameras: watched,
                identity: identity.clone(),
                revocations,
            };
            tokio::spawn(sync.run(client.clone()));
        }
        let mut ready = String::new();
        if let Some((listener, tls, service)) = service {
            let address = listener.local_addr()?;
            tokio::spawn(service.serve(listener, tls));
            ready = format!(" https://{address}");
        }
        println!("ready {}{ready}", config.name.get_ref());
        info!(cameras = captures.len(), templates = replica.len(), "vision runs");
        stop(breaks).await
    });
    for capture in &captures {
        capture.frames.close();
    }
    for pipeline in pipelines {
        pipeline.join().ok();
    }
    runtime.shutdown_timeout(Duration::from_millis(500));
    stopped
}

/// Whose certificates are revoked, beside the gallery. What was kept and cannot be used is asked for anew.
fn revocations(identity: &Identity, file: PathBuf) -> Revocations {
    Revocations::open(identity.trusted.clone(), file.clone()).unwrap_or_else(|fault| {
        warn!("nobody is known to be revoked: {fault}");
        Revocations::anew(identity.trusted.clone(), file)
    })
}

/// The gallery as it was. One that does not open is no reason to stand still: nobody is known until the server has sent
/// it anew, and the old file is kept beside.
fn wake(config: &Config) -> Result<(Arc<Vault>, Held)> {
    let store = &config.gallery;
    let vault = Vault::open(&store.file, &store.key, config.name.get_ref())?;
    let held = match vault.wake() {
        Ok(held) => held,
        Err(fault @ RestError::Sealed { .. }) => {
            let aside = store.file.with_extension("damaged");
            std::fs::rename(&store.file, &aside)
                .with_context(|| format!("{fault}, and it cannot be put aside"))?;
            warn!("{fault}; it was put aside as {} and the server is asked for a new one", aside.display());
            Held::default()
        }
        Err(fault) => return Err(fault.into()),
    };
    Ok((Arc::new(vault), held))
}

/// Reads what the configuration names: certificates, models (by their SHA-256) and the gallery's folder. No camera is opened.
///
/// # Errors
/// The first thing that is wrong, in one sentence.
pub fn check(config: &Config) -> Result<()> {
    rustls::crypto::ring::default_provider().install_default().ok();
    Identity::read(&config.tls)?;
    Networks::load(&config.models, config.recognition.detect_size)?;
    let folder = config.gallery.file.parent().unwrap_or(Path::new("."));
    anyhow::ensure!(folder.is_dir(), "gallery.file: {} is no folder", folder.display());
    Ok(())
}

/// One camera of several may be away; a process none of whose cameras gives a picture has nothing to do.
fn await_first_pictures(captures: &[Arc<Capture>]) -> Result<()> {
    let until = Instant::now() + FIRST_PICTURE;
    let came = |frames: &Newest| frames.last().is_some();
    while Instant::now() < until && !captures.iter().all(|capture| came(&capture.frames)) {
        thread::sleep(Duration::from_millis(20));
    }
    let missing: Vec<&Arc<Capture>> = captures.iter().filter(|capture| !came(&capture.frames)).collect();
    for capture in &missing {
        warn!("{} gives no picture yet", capture.shown());
    }
    match missing.as_slice() {
        [first, ..] if missing.len() == captures.len() => {
            bail!("{} gives no picture within {} s", first.shown(), FIRST_PICTURE.as_secs())
        }
        _ => Ok(()),
    }
}

async fn stop(breaks: mpsc::Receiver<anyhow::Error>) -> Result<()> {
    let mut terminate = signal(SignalKind::terminate())?;
    let mut interrupt = signal(SignalKind::interrupt())?;
    let mut look = tokio::time::interval(Duration::from_millis(500));
    let mut watchdog = Watchdog::ready();
    loop {
        watchdog.turned();
        tokio::select! {
            _ = terminate.recv() => return Ok(()),
            _ = interrupt.recv() => return Ok(()),
            _ = look.tick() => {
                if let Ok(error) = breaks.try_recv() {
                    return Err(error);
                }
            }
        }
    }
}
