//! The reader link: sightings to a controller, as soon as they are made, never late.

use std::collections::{BTreeMap, HashSet, VecDeque};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, bail};
use rustls::ClientConfig;
use rustls::pki_types::ServerName;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::sync::Notify;
use tokio::time::{sleep, timeout};
use tokio_rustls::TlsConnector;
use tracing::{debug, info, warn};
use uplink::reader_link::{FromVision, OLDEST_SIGHTING_MS, Sighting, ToVision};
use uplink::wire;

use crate::clock::micros;
use crate::config::Controller;

/// Sightings waiting for the link at most; the oldest goes.
const MOST_WAITING: usize = 16;
const ALIVE: Duration = Duration::from_secs(1);
const HANDSHAKE: Duration = Duration::from_secs(3);
/// A controller that takes longer to take a frame is as good as gone.
const WRITE: Duration = Duration::from_secs(1);
const FIRST_PAUSE: Duration = Duration::from_millis(100);
const LONGEST_PAUSE: Duration = Duration::from_secs(2);

/// What pipelines put in and take out; cheap to share.
#[derive(Default)]
pub struct Outgoing {
    state: Mutex<State>,
    something: Notify,
}

#[derive(Default)]
struct State {
    sightings: VecDeque<Waiting>,
    cameras: BTreeMap<String, Seen>,
    granted: Vec<(String, u64)>,
    unsent: Vec<(String, u64)>,
    dropped: u64,
}

struct Waiting {
    sighting: Sighting,
    /// When its frame was captured.
    captured: Instant,
    /// When it was put here.
    put: Instant,
}

#[derive(Default)]
struct Seen {
    up: bool,
    told: bool,
}

impl Outgoing {
    /// A sighting to be sent.
    pub fn sighting(&self, sighting: Sighting, captured: Instant) {
        let mut state = self.lock();
        if state.sightings.len() == MOST_WAITING
            && let Some(oldest) = state.sightings.pop_front()
        {
            state.unsent(&oldest.sighting);
        }
        state.sightings.push_back(Waiting { sighting, captured, put: Instant::now() });
        drop(state);
        self.something.notify_one();
    }

    /// A camera came or went.
    pub fn camera(&self, camera: &str, up: bool) {
        self.lock().cameras.insert(camera.to_owned(), Seen { up, told: false });
        self.something.notify_one();
    }

    /// The tracks of this camera for which the door was released, since last asked.
    pub fn granted(&self, camera: &str) -> Vec<u64> {
        mine(&mut self.lock().granted, camera)
    }

    /// The tracks of this camera of which something was not sent, since last asked.
    pub fn unsent(&self, camera: &str) -> Vec<u64> {
        mine(&mut self.lock().unsent, camera)
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        // Every change is a push or a pop: nothing is ever half done.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    fn unsent(&mut self, sighting: &Sighting) {
        self.dropped += 1;
        remember(&mut self.unsent, (sighting.camera.clone(), sighting.track));
    }
}

/// Only the newest matter.
fn remember(tracks: &mut Vec<(String, u64)>, new: (String, u64)) {
    if tracks.len() == MOST_WAITING {
        tracks.remove(0);
    }
    tracks.push(new);
}

fn mine(tracks: &mut Vec<(String, u64)>, camera: &str) -> Vec<u64> {
    let (mine, others) = tracks.drain(..).partition(|(name, _)| name == camera);
    *tracks = others;
    mine.into_iter().map(|(_, track)| track).collect()
}

/// Keeps the link to one controller, for ever.
pub async fn keep(
    vision: String,
    controller: Controller,
    cameras: Vec<String>,
    tls: Arc<ClientConfig>,
    outgoing: Arc<Outgoing>,
) {
    let mut pause = FIRST_PAUSE;
    let mut complained = false;
    loop {
        let since = Instant::now();
        let error = match connected(&vision, &controller, &cameras, &tls, &outgoing).await {
            Ok(never) => match never {},
            Err(error) => error,
        };
        let lasted = since.elapsed() > Duration::from_secs(5);
        if lasted || !complained {
            warn!(controller = %controller.name, "reader link down: {error:#}");
            complained = true;
        } else {
            debug!(controller = %controller.name, "reader link still down: {error:#}");
        }
        pause = if lasted { FIRST_PAUSE } else { (pause * 2).min(LONGEST_PAUSE) };
        sleep(pause).await;
    }
}

enum Never {}

async fn connected(
    vision: &str,
    controller: &Controller,
    cameras: &[String],
    tls: &Arc<ClientConfig>,
    outgoing: &Outgoing,
) -> Result<Never> {
    let (reader, mut writer, bound) =
        timeout(HANDSHAKE, greet(vision, controller, cameras, tls)).await.context("no answer in time")??;
    info!(controller = %controller.name, "reader link up");
    for seen in outgoing.lock().cameras.values_mut() {
        seen.told = false;
    }
    let listen = listen(reader, outgoing);
    tokio::pin!(listen);
    let mut said = tokio::time::Instant::now();
    loop {
        while let Some(message) = next(outgoing, &bound) {
            timeout(WRITE, send(&mut writer, &message)).await.context("the controller does not read")??;
            said = tokio::time::Instant::now();
        }
        tokio::select! {
            ended = &mut listen => return ended,
            () = outgoing.something.notified() => {}
            () = tokio::time::sleep_until(said + ALIVE) => {
                timeout(WRITE, send(&mut writer, &FromVision::Alive)).await.context("the controller does not read")??;
                said = tokio::time::Instant::now();
            }
        }
    }
}

type Stream = tokio_rustls::client::TlsStream<TcpStream>;

async fn greet(
    vision: &str,
    controller: &Controller,
    cameras: &[String],
    tls: &Arc<ClientConfig>,
) -> Result<(tokio::io::ReadHalf<Stream>, tokio::io::WriteHalf<Stream>, HashSet<String>)> {
    let tcp = TcpStream::connect(controller.address.as_str()).await?;
    tcp.set_nodelay(true)?;
    let name = ServerName::try_from(controller.name.clone())?;
    let stream = TlsConnector::from(tls.clone()).connect(name, tcp).await?;
    let (mut reader, mut writer) = tokio::io::split(stream);
    send(&mut writer, &FromVision::Hello { vision: vision.to_owned(), cameras: cameras.to_vec() }).await?;
    match receive(&mut reader).await? {
        ToVision::Welcome { cameras } => Ok((reader, writer, cameras.into_iter().collect())),
        ToVision::Verdict { .. } => bail!("the controller spoke before its welcome"),
    }
}

/// What is to be sent next: cameras first, they are few; then the newest news of each track.
fn next(outgoing: &Outgoing, bound: &HashSet<String>) -> Option<FromVision> {
    let mut state = outgoing.lock();
    for (camera, seen) in &mut state.cameras {
        if !seen.told {
            seen.told = true;
            return Some(FromVision::Camera { camera: camera.clone(), up: seen.up });
        }
    }
    while let Some(waiting) = state.sightings.pop_front() {
        let Waiting { mut sighting, captured, put } = waiting;
        if !bound.contains(&sighting.camera) {
            state.dropped += 1;
            debug!(camera = %sighting.camera, dropped = state.dropped, "a sighting was not sent: no such camera there");
            continue;
        }
        if captured.elapsed() > Duration::from_millis(OLDEST_SIGHTING_MS) {
            state.unsent(&sighting);
            debug!(camera = %sighting.camera, dropped = state.dropped, "a sighting was not sent: too old");
            continue;
        }
        sighting.stages_us.insert("send".to_owned(), micros(put.elapsed()));
        return Some(FromVision::Sighting(sighting));
    }
    None
}

async fn listen(mut reader: tokio::io::ReadHalf<Stream>, outgoing: &Outgoing) -> Result<Never> {
    loop {
        match receive(&mut reader).await? {
            ToVision::Welcome { .. } => bail!("the controller welcomed twice"),
            ToVision::Verdict { camera, track, granted: true } => {
                remember(&mut outgoing.lock().granted, (camera, track));
            }
            ToVision::Verdict { granted: false, .. } => {}
        }
    }
}

async fn send(writer: &mut tokio::io::WriteHalf<Stream>, message: &FromVision) -> Result<()> {
    let body = wire::encode(message);
    let length = u32::try_from(body.len()).context("a message is never this long")?;
    let mut frame = length.to_be_bytes().to_vec();
    frame.extend_from_slice(&body);
    writer.write_all(&frame).await?;
    writer.flush().await?;
    Ok(())
}

async fn receive(reader: &mut tokio::io::ReadHalf<Stream>) -> Result<ToVision> {
    let length = reader.read_u32().await.context("the controller closed")? as usize;
    if length > wire::LARGEST {
        bail!("the controller announced {length} bytes");
    }
    let mut body = vec![0; length];
    reader.read_exact(&mut body).await.context("the controller closed")?;
    Ok(wire::decode(&body)?)
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use uplink::reader_link::{Face, Liveness};

    use super::*;

    fn sighting(camera: &str, track: u64) -> Sighting {
        Sighting {
            camera: camera.to_owned(),
            track,
            look: 1,
            captured_at: 0,
            face: Face::Unknown { best: None },
            liveness: Liveness { live: true, score: 1.0, frames: 2 },
            stages_us: BTreeMap::new(),
            gallery_version: 0,
        }
    }

    fn sent(outgoing: &Outgoing, cameras: &[&str]) -> Vec<u64> {
        let bound = cameras.iter().map(|name| (*name).to_owned()).collect();
        std::iter::from_fn(|| next(outgoing, &bound))
            .filter_map(|message| match message {
                FromVision::Sighting(sighting) => Some(sighting.track),
                FromVision::Hello { .. } | FromVision::Camera { .. } | FromVision::Alive => None,
            })
            .collect()
    }

    #[test]
    fn nothing_older_than_a_second_and_nothing_of_an_unbound_camera_is_sent() {
        let outgoing = Outgoing::default();
        let now = Instant::now();
        let old = now.checked_sub(Duration::from_millis(OLDEST_SIGHTING_MS + 1)).expect("the machine is up");
        outgoing.sighting(sighting("gate", 1), old);
        outgoing.sighting(sighting("gate", 2), now);
        outgoing.sighting(sighting("elsewhere", 3), now);
        assert_eq!(sent(&outgoing, &["gate"]), [2]);
        assert_eq!(outgoing.unsent("gate"), [1], "to be said again, not silent for seconds");
        assert_eq!(outgoing.unsent("gate"), [0_u64; 0]);
        assert_eq!(outgoing.unsent("elsewhere"), [0_u64; 0], "nobody there would ever take it");
    }

    #[test]
    fn the_newest_stay_when_nobody_takes_them() {
        let outgoing = Outgoing::default();
        for track in 0..100 {
            outgoing.sighting(sighting("gate", track), Instant::now());
        }
        let newest: Vec<u64> = (100 - MOST_WAITING as u64..100).collect();
        assert_eq!(sent(&outgoing, &["gate"]), newest);
    }

    #[test]
    fn a_camera_hears_of_its_own_tracks_alone() {
        let outgoing = Outgoing::default();
        outgoing.lock().granted = vec![("a".to_owned(), 1), ("b".to_owned(), 2), ("a".to_owned(), 3)];
        assert_eq!(outgoing.granted("a"), [1, 3]);
        assert_eq!(outgoing.granted("a"), [0_u64; 0]);
        assert_eq!(outgoing.granted("b"), [2]);
    }
}
